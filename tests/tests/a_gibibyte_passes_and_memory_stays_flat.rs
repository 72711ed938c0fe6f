//! A body of a GiB passes through one line in each direction, byte by byte right, and the memory of the switch stays as
//! it was.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use landline_tests::api::{self, Agent};
use landline_tests::frame;
use landline_tests::http::Conn;
use landline_tests::line::Line;
use landline_tests::server::{Data, Server};
use landline_tests::wait::{SOON, eventually};
use landline_tests::ws::{frame_bytes, opcode};

const PIECE: usize = 32 << 10;
/// Different pieces in turn, so that a lost, doubled or exchanged one shows.
const PIECES: usize = 61;
/// A GiB of them each way.
const COUNT: usize = (1 << 30) / PIECE;
const GROWTH: usize = 64 << 20;
/// From the first byte to the last, each way.
const LIMIT: Duration = Duration::from_secs(600);

/// All pieces, one behind the other, and the first once more, so that each stretch of a piece's length is one slice.
fn pattern() -> Vec<u8> {
    let mut state: u64 = 0x2545_F491_4F6C_DD1D;
    let mut pattern = Vec::with_capacity((PIECES + 1) * PIECE);
    while pattern.len() < PIECES * PIECE {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        pattern.extend_from_slice(&state.to_le_bytes());
    }
    pattern.extend_from_within(..PIECE);
    pattern
}

fn piece(pattern: &[u8], number: usize) -> &[u8] {
    let start = number % PIECES * PIECE;
    &pattern[start..start + PIECE]
}

/// What has come of the pattern.
struct Check<'a> {
    pattern: &'a [u8],
    taken: usize,
}

impl Check<'_> {
    #[track_caller]
    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (now, rest) = bytes.split_at(bytes.len().min(PIECE));
            let at = self.taken % (PIECES * PIECE);
            assert!(now == &self.pattern[at..at + now.len()], "wrong bytes behind the first {}", self.taken);
            self.taken += now.len();
            bytes = rest;
        }
    }
}

/// The caller: sends all pieces, then reads all of the answer. How long each took.
fn call(addr: SocketAddr, to: &str, key: &str, count: usize, pattern: &[u8]) -> (Duration, Duration) {
    let mut conn = Conn::open(addr).expect("listens");
    let line = format!("POST /connect/relay/{to} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {key}\r\n");
    let head = line + "transfer-encoding: chunked\r\n\r\n";
    conn.send(head.as_bytes()).expect("sent");
    let started = Instant::now();
    for number in 0..count {
        let chunk = [format!("{PIECE:x}\r\n").as_bytes(), piece(pattern, number), b"\r\n"].concat();
        conn.send(&chunk).expect("sent");
    }
    conn.send(b"0\r\n\r\n").expect("sent");
    let (status, _) = conn.head(LIMIT).expect("an answer");
    assert_eq!(status, 200);
    let up = started.elapsed();
    let mut check = Check { pattern, taken: 0 };
    let deadline = Instant::now() + LIMIT;
    while let Some(bytes) = conn.chunk(deadline).expect("the answer goes on") {
        check.take(&bytes);
    }
    assert_eq!(check.taken, count * PIECE, "all of it comes down");
    (up, started.elapsed() - up)
}

/// The agent: takes all of the request, granting what it took, then answers as far as it has credit.
fn answer(line: &mut Line, count: usize, pattern: &[u8]) {
    let window = line.ready.number("window_bytes").expect("a window") as usize;
    let mut frame = line.expect_after_credit("request");
    let (id, mut check, mut owed) = (frame.id(), Check { pattern, taken: 0 }, 0);
    loop {
        check.take(frame.body());
        owed += frame.body().len();
        if !frame.more() {
            break;
        }
        if owed >= window / 4 {
            line.send(&frame::credit(id, owed as u64));
            owed = 0;
        }
        frame = line.expect("chunk");
    }
    assert_eq!(check.taken, count * PIECE, "all of it comes up");
    let masked = |message: Vec<u8>| frame_bytes(opcode::BINARY, true, true, &message);
    let chunks: Vec<_> = (0..PIECES).map(|n| masked(frame::chunk(id, true, piece(pattern, n)))).collect();
    line.send(&frame::response_with(id, 200, &[], true, piece(pattern, 0)));
    let mut credit = window - PIECE;
    for number in 1..count {
        while credit < PIECE {
            let grant = line.expect("credit");
            assert_eq!(grant.id(), id);
            credit += grant.number("bytes").expect("bytes") as usize;
        }
        line.ws.sender().raw(&chunks[number % PIECES]).expect("the line is open");
        credit -= PIECE;
    }
    line.send(&frame::chunk(id, false, b""));
}

/// Says when it goes, whether its caller was served or not.
struct Done<'a>(&'a AtomicBool);

impl Drop for Done<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One call; how long it took up and down, and the most memory that the server had meanwhile.
fn pass(server: &Server, line: &mut Line, to: &Agent, caller: &Agent, count: usize) -> (Duration, Duration, usize) {
    let (pattern, done) = (pattern(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let calling = scope.spawn(|| {
            let _done = Done(&done);
            call(server.addr, &to.id, &caller.key, count, &pattern)
        });
        let watching = scope.spawn(|| {
            let (mut most, deadline) = (0, Instant::now() + 2 * LIMIT);
            while !done.load(Ordering::Relaxed) && Instant::now() < deadline {
                most = most.max(server.resident_bytes());
                std::thread::sleep(Duration::from_millis(20));
            }
            most
        });
        answer(line, count, &pattern);
        let most = watching.join().expect("the server lives");
        let (up, down) = calling.join().expect("the caller is served");
        (up, down, most)
    })
}

#[test]
fn up_and_down_through_one_line() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let (agent, caller) = (api::register(server.addr, "agent"), api::register(server.addr, "caller"));
    let mut line = Line::dial_with(server.addr, &agent.key, &["parts"]);
    // What is made once is there before it is measured.
    pass(&server, &mut line, &agent, &caller, 2 * PIECES);
    let before = server.resident_bytes();
    let (up, down, most) = pass(&server, &mut line, &agent, &caller, COUNT);
    let growth = most.saturating_sub(before);
    eprintln!("1 GiB up in {up:?}, down in {down:?}; memory {before} bytes before, {most} at most");
    assert!(growth < GROWTH, "memory grew by {growth} bytes");
    eventually(SOON, "nothing to be held", || (server.metric("landline_held_bytes") == 0.0).then_some(()));
    line.assert_alive();
    server.assert_no_panic();
}
