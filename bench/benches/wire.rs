//! What one message costs on the wire's side: unmasking, header, framing, MessagePack, HTTP heads.

use std::hint::black_box;

use bytes::{BufMut, BytesMut};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use landline_bench::{body, request};
use landline_wire::frame::{Chunk, Frame, Request, decode, encode, encode_head};
use landline_wire::header::{self, Kind, MAX_HEADER};
use landline_wire::http1::parse_head;
use landline_wire::message::{Progress, Reader, Role, append};
use landline_wire::{mask, relay};

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

fn masking(c: &mut Criterion) {
    let mut group = c.benchmark_group("mask");
    for len in [128, 2 << 10, 16 << 10, 1 << 20] {
        let mut data = body(len);
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(format!("{len}"), |b| b.iter(|| mask::apply(black_box(&mut data), KEY)));
    }
    group.finish();
}

fn headers(c: &mut Criterion) {
    let mut group = c.benchmark_group("header");
    for (name, len) in [("7_bits", 100), ("16_bits", 300), ("64_bits", 1 << 17)] {
        let mut out = [0; MAX_HEADER];
        let used = header::write(Kind::Binary, len, Some(KEY), &mut out);
        group.bench_function(format!("parse_{name}"), |b| b.iter(|| header::parse(black_box(&out[..used]))));
    }
    let mut out = [0; MAX_HEADER];
    group.bench_function("write", |b| b.iter(|| header::write(Kind::Binary, black_box(300), None, &mut out)));
    group.finish();
}

fn messages(c: &mut Criterion) {
    let mut stream = BytesMut::new();
    for _ in 0..16 {
        append(&mut stream, Kind::Binary, &request(128), Some(KEY));
    }
    c.bench_function("read_16_masked_messages", |b| {
        b.iter_batched(
            || stream.clone(),
            |mut buf| {
                let mut reader = Reader::new(Role::Server, 1 << 20);
                let mut messages = 0;
                while let Ok(Progress::Message(message)) = reader.next(&mut buf) {
                    black_box(&message);
                    messages += 1;
                }
                assert_eq!(messages, 16);
            },
            BatchSize::SmallInput,
        )
    });
}

fn frames(c: &mut Criterion) {
    let mut group = c.benchmark_group("frame");
    let full = request(128);
    group.bench_function("decode_request", |b| b.iter(|| decode(black_box(&full)).is_ok()));
    let mut small = BytesMut::new();
    encode(&mut small, &Frame::Chunk(Chunk { id: 4, more: true, body: &body(128) }));
    group.bench_function("decode_chunk", |b| b.iter(|| decode(black_box(&small)).is_ok()));
    let Ok(Frame::Request(decoded)) = decode(&full) else { panic!("a request") };
    let mut out = BytesMut::with_capacity(4 << 10);
    group.bench_function("encode_request", |b| {
        b.iter(|| {
            out.clear();
            encode(&mut out, black_box(&Frame::Request(decoded.clone())));
        })
    });
    let bare = Frame::Request(Request { id: 4, request_id: "r", deadline_ms: 60_000, ..Request::default() });
    group.bench_function("encode_bare_head", |b| {
        b.iter(|| {
            out.clear();
            encode_head(&mut out, black_box(&bare), 128);
        })
    });
    group.finish();
}

fn http(c: &mut Criterion) {
    let mut head = BytesMut::new();
    head.put_slice(b"POST /connect/relay/01920000-0000-7000-8000-00000000000a HTTP/1.1\r\nHost: 127.0.0.1:7300\r\n");
    head.put_slice(b"Authorization: Bearer ll_0123456789012345678901234567890123456789012\r\n");
    head.put_slice(b"Content-Type: application/json\r\nAccept: */*\r\nContent-Length: 128\r\n\r\n");
    c.bench_function("http_head", |b| {
        b.iter_batched(|| head.clone(), |mut buf| black_box(parse_head(&mut buf)).is_ok(), BatchSize::SmallInput)
    });
    c.bench_function("relay_target", |b| {
        b.iter(|| relay::target(black_box("POST"), black_box("01920000-0000-7000-8000-00000000000a/tasks/7?full=1")))
    });
}

criterion_group! {
    name = wire;
    config = landline_bench::criterion();
    targets = masking, headers, messages, frames, http
}
criterion_main!(wire);
