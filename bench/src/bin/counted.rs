//! The pure hot path, to be counted by valgrind (`bench/instructions`): only what runs inside of [`counted`] counts.

use std::process::ExitCode;

use bytes::{Bytes, BytesMut};
use landline_bench::{Exchange, Token, body, request};
use landline_wire::frame::{decode, encode};
use landline_wire::header::Kind;
use landline_wire::http1::{Framing, answer_head, parse_head};
use landline_wire::message::{Progress, Reader, Role, append};
use std::hint::black_box;

/// Runs so often; figures are per run.
const RUNS: usize = 1_000;
/// Calls in one buffer of the pipelined paths.
const TOGETHER: usize = 16;

/// Valgrind counts in here.
#[inline(never)]
fn counted<T>(work: impl FnOnce() -> T) -> T {
    black_box(work())
}

/// Tokens that are verified: a signature costs as much as a hundred calls.
const TOKENS: usize = 20;
/// Bytes of a part of a stream.
const PART: usize = 1024;

const PATHS: [(&str, usize, fn()); 13] = [
    ("call, one at a time", RUNS, || calls(Exchange::new(), 1)),
    ("call, 16 in a buffer", RUNS * TOGETHER, || calls(Exchange::new(), TOGETHER)),
    ("call, between cores", RUNS, || calls(Exchange::across(), 1)),
    ("call, given up", RUNS, calls_given_up),
    ("line of an agent", RUNS, lines),
    ("part and its credit", RUNS, parts),
    ("token verify", TOKENS, tokens),
    ("frame decode", RUNS, frame_decode),
    ("frame encode", RUNS, frame_encode),
    ("message of 128 B", RUNS, || messages(128)),
    ("message of 16 KiB", RUNS, || messages(16 << 10)),
    ("head of a request", RUNS, request_heads),
    ("head of an answer", RUNS, answer_heads),
];

/// Both messages of a call: bytes of the caller's socket to bytes for the callee's, and back.
fn calls(mut exchange: Exchange, together: usize) {
    for _ in 0..RUNS {
        let mut stream = exchange.calls(together);
        let requests = counted(|| exchange.forward(&mut stream));
        let mut answers = exchange.answers(&requests, false);
        counted(|| exchange.sent_forward(requests));
        let told = counted(|| exchange.back(&mut answers));
        counted(|| exchange.sent_back(told));
    }
}

fn calls_given_up() {
    let (mut exchange, payload) = (Exchange::new(), Bytes::from(body(128)));
    for _ in 0..RUNS {
        counted(|| exchange.call_given_up(payload.clone()));
    }
}

/// Of many agents: how far one of them lies from its place in the table depends on the seed, which each process draws.
fn lines() {
    let exchange = Exchange::new();
    for agent in (0..RUNS).map(Exchange::other) {
        assert!(counted(|| black_box(&exchange).is_connected(agent)), "it has a line");
    }
}

/// A part of an answer to its caller, and the caller's credit for it.
fn parts() {
    let mut exchange = Exchange::new();
    let (part, credit) = exchange.stream(PART);
    for _ in 0..RUNS {
        let (mut part, mut credit) = (part.clone(), credit.clone());
        let told = counted(|| exchange.back(&mut part));
        counted(|| exchange.sent_back(told));
        counted(|| exchange.credit(&mut credit));
    }
}

fn tokens() {
    let token = Token::new();
    for _ in 0..TOKENS {
        assert!(counted(|| black_box(&token).verify()).is_ok(), "it is a good one");
    }
}

fn frame_decode() {
    let frame = request(128);
    for _ in 0..RUNS {
        counted(|| black_box(decode(&frame)).is_ok());
    }
}

fn frame_encode() {
    let bytes = request(128);
    let frame = decode(&bytes).expect("a frame");
    let mut out = BytesMut::with_capacity(1 << 10);
    for _ in 0..RUNS {
        out.clear();
        counted(|| encode(&mut out, &frame));
    }
}

fn messages(len: usize) {
    let mut reader = Reader::new(Role::Server, 1 << 20);
    for _ in 0..RUNS {
        let mut stream = BytesMut::new();
        append(&mut stream, Kind::Binary, &body(len), Some([1, 2, 3, 4]));
        counted(|| matches!(reader.next(&mut stream), Ok(Progress::Message(_))));
    }
}

/// A request's head, as a client sends it, and what the relay looks for in each.
fn request_heads() {
    let head = "POST /connect/relay/0190c0de-0000-7000-8000-000000000001 HTTP/1.1\r\nHost: relay.example\r\n\
                User-Agent: client/1.0\r\nAccept: */*\r\nAuthorization: Bearer ll_0123456789abcdef0123456789abcdef\r\n\
                Content-Type: application/json\r\nContent-Length: 128\r\n\r\n";
    let looked_for = ["x-request-id", "origin", "authorization", "x-relay-timeout-ms", "x-a2a-method", "accept"];
    for _ in 0..RUNS {
        let mut stream = BytesMut::from(head);
        let found = counted(|| match parse_head(&mut stream) {
            Ok(Some(head)) => looked_for.iter().filter(|name| head.header(name).is_some()).count(),
            _ => 0,
        });
        assert_eq!(found, 2, "the head is read");
    }
}

fn answer_heads() {
    let fields: [(&str, &[u8]); 4] = [
        ("x-request-id", b"0190c0de-0000-7000-8000-000000000002"),
        ("server-timing", b"relay;dur=0.123"),
        ("content-type", b"application/json"),
        ("x-content-type-options", b"nosniff"),
    ];
    let mut out = BytesMut::with_capacity(1 << 10);
    for _ in 0..RUNS {
        out.clear();
        counted(|| answer_head(&mut out, 200, fields, Framing::Length(128), true));
    }
}

/// Without an argument it names the paths with their number of runs; with a name it runs that path.
#[allow(clippy::print_stdout, reason = "its only output")]
fn main() -> ExitCode {
    match std::env::args().nth(1) {
        None => PATHS.iter().for_each(|(name, runs, _)| println!("{runs} {name}")),
        Some(wanted) => match PATHS.iter().find(|(name, ..)| *name == wanted) {
            Some((_, _, path)) => path(),
            None => return ExitCode::FAILURE,
        },
    }
    ExitCode::SUCCESS
}
