//! What one call costs the engine: finding a line, and whole calls from the request to the answer, without sockets.

use std::hint::black_box;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use landline_bench::{Exchange, body};

fn calls(c: &mut Criterion) {
    let mut exchange = Exchange::new();
    let target = exchange.target;
    c.bench_function("line_of_an_agent_among_10000", |b| {
        b.iter(|| exchange.engine.lines().least_busy(black_box(target)).is_some())
    });
    // Both agents' own work is in it: encoding, and decoding at the callee.
    c.bench_function("call_from_line_to_line", |b| {
        b.iter(|| {
            let mut stream = exchange.calls(1);
            let requests = exchange.forward(&mut stream);
            let mut answers = exchange.answers(&requests);
            exchange.sent_forward(requests);
            let told = exchange.back(&mut answers);
            exchange.sent_back(told);
        })
    });
    let payload = Bytes::from(body(128));
    c.bench_function("call_from_http_to_line", |b| b.iter(|| exchange.call_over_http(payload.clone())));
}

criterion_group! {
    name = engine;
    config = landline_bench::criterion();
    targets = calls
}
criterion_main!(engine);
