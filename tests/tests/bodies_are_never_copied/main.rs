//! The switch passes bodies on without copying them: every call of `memcpy`, `memmove` and `realloc` in its process that
//! moves more of a body than the small-frame threshold is counted, while bodies cross it on each way that there is.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use landline_tests::api::{self, Agent};
use landline_tests::frame::{self, Frame};
use landline_tests::http::{Conn, Request};
use landline_tests::line::Line;
use landline_tests::server::{Data, Planes};
use landline_tests::wait::SOON;

/// `landline_wire::limits::COPY_THRESHOLD_BYTES`, on purpose not taken from there.
const THRESHOLD: usize = 2048;

/// The counters that the preloaded library writes.
struct Copies(PathBuf);

impl Copies {
    fn start() -> (Self, Data, Planes) {
        let beside = Data::new();
        let (library, counters) = (beside.beside("count.so"), beside.beside("copies"));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bodies_are_never_copied/count.c");
        let cc = std::env::var_os("CC").unwrap_or("cc".into());
        let flags = ["-shared", "-fPIC", "-O2", "-fno-builtin", "-fno-tree-loop-distribute-patterns", "-o"];
        let built =
            Command::new(cc).args(flags).args([&library, &PathBuf::from(source)]).output().expect("a C compiler");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        fs::write(&counters, [0; 16]).expect("a place for the counters");
        let text = |path: &PathBuf| path.to_str().expect("UTF-8").to_owned();
        let env =
            vec![("LD_PRELOAD", text(&library)), ("COPIES", text(&counters)), ("COPIES_ABOVE", THRESHOLD.to_string())];
        (Self(counters), beside, Planes::start_with(env))
    }

    /// Bytes in copies so far.
    fn bytes(&self) -> u64 {
        u64::from_ne_bytes(fs::read(&self.0).expect("the counters")[..8].try_into().expect("eight bytes"))
    }
}

/// Sizes around everything that matters: the threshold, the read buffer, the window, the largest body.
const SIZES: [usize; 10] = [2_049, 5_000, 16_384, 60_000, 65_536, 70_000, 200_000, 262_144, 500_000, 1 << 20];

/// A body that `count.c` knows again, wherever it is cut.
fn body(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at / 512 + len) as u8 | 1).collect()
}

/// An agent that answers each request with its own body, in messages of at most `fragment` bytes.
fn answer_one(line: &mut Line, fragment: usize) -> usize {
    let request = line.expect_after_credit("request");
    let answer = frame::response(request.id(), request.body());
    let cuts: Vec<&[u8]> = answer.chunks(fragment).collect();
    for (index, cut) in cuts.iter().enumerate() {
        let (opcode, last) = (if index == 0 { 2 } else { 0 }, index + 1 == cuts.len());
        line.ws.sender().frame(opcode, last, true, cut).expect("sent");
    }
    request.body().len()
}

fn path(agent: &Agent) -> String {
    format!("/connect/relay/{}", agent.id)
}

/// A caller over HTTP; several requests may be on their way in one write.
fn over_http(addr: SocketAddr, agent: &Agent, caller: &Agent, bodies: &[Vec<u8>], chunked: bool) {
    let mut bytes = Vec::new();
    for body in bodies {
        let head = format!("POST {} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {}\r\n", path(agent), caller.key);
        bytes.extend_from_slice(head.as_bytes());
        if chunked {
            bytes.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
            for chunk in body.chunks(40_000) {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
        } else {
            bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
            bytes.extend_from_slice(body);
        }
    }
    let mut conn = Conn::open(addr).expect("listens");
    let mut writer = conn.writer();
    let sending = std::thread::spawn(move || writer.write_all(&bytes).expect("sent"));
    for body in bodies {
        let answer = conn.answer(Duration::from_secs(60)).expect("an answer").expect(200);
        assert!(answer.body == *body, "a body of {} bytes came back changed", body.len());
    }
    sending.join().expect("no panic");
}

#[test]
fn no_body_above_the_threshold_is_copied() {
    let (copies, _beside, planes) = Copies::start();
    let addr = planes.addr();
    let (agent, caller) = (api::register(addr, "agent"), api::register(addr, "caller"));
    let mut line = Line::dial(addr, &agent.key).expect("a line");
    let mut calling = Line::dial(addr, &caller.key).expect("a line");
    let before = copies.bytes();
    let mut passed = 0;

    let agent_of = |fragment: usize, calls: usize, mut line: Line| {
        std::thread::spawn(move || {
            let bytes: usize = (0..calls).map(|_| answer_one(&mut line, fragment)).sum();
            (line, bytes)
        })
    };
    // Over HTTP: one by one, several in one write, and in chunks for a line that takes bodies whole.
    for (fragment, chunked) in [(usize::MAX, false), (30_000, false), (usize::MAX, true)] {
        let bodies: Vec<Vec<u8>> = SIZES.iter().map(|len| body(*len)).collect();
        let small: Vec<Vec<u8>> = (0..40).map(|n| body(9_000 + n)).collect();
        let serving = agent_of(fragment, bodies.len() + small.len(), line);
        bodies.iter().for_each(|body| over_http(addr, &agent, &caller, std::slice::from_ref(body), chunked));
        over_http(addr, &agent, &caller, &small, chunked);
        let (back, bytes) = serving.join().expect("no panic");
        (line, passed) = (back, passed + 2 * bytes);
    }
    // From line to line, each message whole or in fragments, many on their way at once.
    for fragment in [usize::MAX, 30_000] {
        let serving = agent_of(fragment, 2 * SIZES.len(), line);
        for (index, len) in SIZES.iter().chain(&SIZES).enumerate() {
            let call = frame::call(2 * index as u64 + 1, &agent.id, &body(*len));
            calling.ws.sender().binary(&call).expect("sent");
        }
        for _ in 0..2 * SIZES.len() {
            let answer = calling.expect("response");
            let size = SIZES[answer.id() as usize / 2 % SIZES.len()];
            assert!(answer.body() == body(size), "a body of {size} bytes came back changed");
        }
        let (back, bytes) = serving.join().expect("no panic");
        (line, passed) = (back, passed + 2 * bytes);
        calling = Line::dial(addr, &caller.key).expect("a line");
    }
    passed += parts(addr, &agent, &caller, &mut line);
    let copied = copies.bytes() - before;
    eprintln!("{passed} bytes of bodies passed, {copied} of them in copies above {THRESHOLD} bytes");
    assert_eq!(copied, 0, "of {passed} bytes");

    // The counter counts: events of a resumable stream are written anew.
    let serving = agent_of(usize::MAX, 1, line);
    let stream = Request::post(format!("{}/stream", path(&agent)), body(500_000)).bearer(&caller.key);
    Conn::open(addr).expect("listens").ask(&stream).expect("an answer").expect(200);
    serving.join().expect("no panic");
    assert!(copies.bytes() - before - copied >= 500_000);
    planes.switch.as_ref().expect("runs").assert_no_panic();
}

/// An answer in parts, each of them large; gives the bytes that crossed.
fn parts(addr: SocketAddr, agent: &Agent, caller: &Agent, line: &mut Line) -> usize {
    let mut conn = Conn::open(addr).expect("listens");
    conn.start(&Request::post(path(agent), "?").bearer(&caller.key)).expect("sent");
    let request: Frame = line.expect("request");
    let part = body(60_000);
    line.send(&frame::response_with(request.id(), 200, &[], true, &part));
    line.send(&frame::chunk(request.id(), true, &part));
    line.send(&frame::chunk(request.id(), true, &part));
    line.send(&frame::chunk(request.id(), false, &part));
    let answer = conn.answer(SOON).expect("an answer").expect(200);
    assert!(answer.body == part.repeat(4));
    answer.body.len()
}
