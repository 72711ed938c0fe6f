//! What one call costs the engine: finding a line, a place in the table of calls, whole calls from the request to the
//! answer, within a core and across two, a part of a stream and its credit; and a token. Without sockets.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use landline_bench::{Exchange, Token, body};

/// Bytes of a part of a stream.
const PART: usize = 1024;

/// A whole call. Both agents' own work is in it: encoding, and decoding at the callee.
fn call(exchange: &mut Exchange) {
    let mut stream = exchange.calls(1);
    let requests = exchange.forward(&mut stream);
    let mut answers = exchange.answers(&requests, false);
    exchange.sent_forward(requests);
    let told = exchange.back(&mut answers);
    exchange.sent_back(told);
}

fn calls(c: &mut Criterion) {
    let mut exchange = Exchange::new();
    c.bench_function("line_of_an_agent_among_10000", |b| {
        let mut agents = (0..).map(Exchange::other);
        b.iter(|| black_box(&exchange).is_connected(agents.next().expect("one more")));
    });
    c.bench_function("call_from_line_to_line", |b| b.iter(|| call(&mut exchange)));
    let payload = Bytes::from(body(128));
    c.bench_function("call_from_http_to_line", |b| b.iter(|| exchange.call_over_http(payload.clone())));
    c.bench_function("call_taken_into_the_table_and_given_up", |b| b.iter(|| exchange.call_given_up(payload.clone())));
    let mut exchange = Exchange::across();
    c.bench_function("call_from_core_to_core_by_mailbox", |b| b.iter(|| call(&mut exchange)));
}

fn parts(c: &mut Criterion) {
    let mut exchange = Exchange::new();
    let (part, credit) = exchange.stream(PART);
    c.bench_function("part_of_1024_bytes_and_its_credit", |b| {
        b.iter_batched(
            || (part.clone(), credit.clone()),
            |(mut part, mut credit)| {
                let told = exchange.back(&mut part);
                exchange.sent_back(told);
                exchange.credit(&mut credit);
            },
            BatchSize::SmallInput,
        )
    });
}

fn tokens(c: &mut Criterion) {
    let token = Token::new();
    assert!(token.verify().is_ok(), "it is a good one");
    c.bench_function("token_verify", |b| b.iter(|| black_box(&token).verify().is_ok()));
}

criterion_group! {
    name = engine;
    config = landline_bench::criterion();
    targets = calls, parts, tokens
}
criterion_main!(engine);
