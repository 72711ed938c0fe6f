//! The pure hot path, to be counted by valgrind (`bench/instructions`): only what runs inside of [`counted`] counts.

use std::process::ExitCode;

use landline_bench::{Exchange, request};
use landline_wire::frame::{decode, encode};
use landline_wire::header::Kind;
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

const PATHS: [(&str, usize, fn()); 6] = [
    ("call, one at a time", RUNS, || calls(1)),
    ("call, 16 in a buffer", RUNS * TOGETHER, || calls(TOGETHER)),
    ("frame decode", RUNS, frame_decode),
    ("frame encode", RUNS, frame_encode),
    ("message of 128 B", RUNS, || messages(128)),
    ("message of 16 KiB", RUNS, || messages(16 << 10)),
];

/// Both messages of a call: bytes of the caller's socket to bytes for the callee's, and back.
fn calls(together: usize) {
    let mut exchange = Exchange::new();
    for _ in 0..RUNS {
        let mut stream = exchange.calls(together);
        let requests = counted(|| exchange.forward(&mut stream));
        let mut answers = exchange.answers(&requests);
        counted(|| exchange.sent_forward(requests));
        let told = counted(|| exchange.back(&mut answers));
        counted(|| exchange.sent_back(told));
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
    let mut out = bytes::BytesMut::with_capacity(1 << 10);
    for _ in 0..RUNS {
        out.clear();
        counted(|| encode(&mut out, &frame));
    }
}

fn messages(len: usize) {
    let mut reader = Reader::new(Role::Server, 1 << 20);
    for _ in 0..RUNS {
        let mut stream = bytes::BytesMut::new();
        append(&mut stream, Kind::Binary, &landline_bench::body(len), Some([1, 2, 3, 4]));
        counted(|| matches!(reader.next(&mut stream), Ok(Progress::Message(_))));
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
