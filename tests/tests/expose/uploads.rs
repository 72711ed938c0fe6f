//! Bodies that are longer than the relay takes in one piece: they pass as they come, with little of them held anywhere.

use std::io::Write;
use std::time::{Duration, Instant};

use landline_tests::http::{Conn, Request};
use landline_tests::wait::{SOON, eventually};

use super::{World, ask, pattern, sum};

/// What a program may hold of an upload beyond what it needs for small calls: the window, what the HTTP client has
/// buffered, and what the allocator rounds up.
const HELD: usize = 4 << 20;

/// Sends a chunked upload without end to the path until the connection does not take it any more.
fn endless(conn: &Conn, path: &str) {
    let mut socket = conn.writer();
    let head = format!("POST {path} HTTP/1.1\r\nhost: {}\r\ntransfer-encoding: chunked\r\n\r\n", conn.addr());
    let chunk = [&b"10000\r\n"[..], &[7; 65_536], b"\r\n"].concat();
    std::thread::spawn(move || {
        let deadline = Instant::now() + SOON;
        let mut open = socket.write_all(head.as_bytes()).is_ok();
        while open && Instant::now() < deadline {
            open = socket.write_all(&chunk).is_ok();
        }
    });
}

#[test]
fn eight_mebibytes_arrive_byte_for_byte_over_the_relay_and_over_a_port() {
    let world = World::start("Weather");
    let exposed = world.expose("weather.json", &["--public"]);
    let (dialled, port) = world.dial(exposed.id());
    let body = pattern(8 << 20);
    let below = format!("/connect/relay/{}", exposed.id());
    for (addr, path) in [(world.relay.addr, format!("{below}/count")), (port, "/count".into())] {
        let answer = ask(addr, &Request::post(path, body.clone())).expect(200);
        assert_eq!((&answer.json()["length"], &answer.json()["sum"]), (&body.len().into(), &sum(&body).into()));
        let received = world.local.received().pop().expect("it arrived");
        assert!(received.body == body, "other bytes arrived");
        assert_eq!(received.header("transfer-encoding"), Some("chunked"));
    }
    // Of unknown length, in chunks of all sizes, and the connection goes on.
    let mut conn = Conn::open(port).expect("the port");
    for _ in 0..2 {
        conn.send(b"PUT /count HTTP/1.1\r\nhost: localhost:").expect("sent");
        conn.send(format!("{}\r\ntransfer-encoding: chunked\r\n\r\n", port.port()).as_bytes()).expect("sent");
        for chunk in [&body[..1], &body[1..3_000], &body[3_000..400_000], &body[400_000..2_000_000]] {
            conn.send(&[format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat()).expect("sent");
        }
        conn.send(b"0\r\n\r\n").expect("sent");
        let answer = conn.answer(Duration::from_secs(20)).expect("an answer").expect(200);
        assert_eq!(answer.json()["sum"], sum(&body[..2_000_000]));
    }
    dialled.stop();
    exposed.stop();
}

#[test]
fn a_server_that_does_not_read_holds_an_upload_up_and_nothing_grows() {
    let world = World::start("Weather");
    let exposed = world.expose("weather.json", &["--public"]);
    let (dialled, port) = world.dial(exposed.id());
    let below = format!("/connect/relay/{}", exposed.id());
    ask(port, &Request::post("/count", pattern(1 << 20))).expect(200);
    let before = (exposed.peak_bytes(), dialled.peak_bytes());
    const LONG: usize = 64 << 20;
    let upload = std::thread::spawn(move || ask(port, &Request::post("/held", pattern(LONG))));
    // Long enough for everything to be on its way that goes anywhere.
    std::thread::sleep(Duration::from_secs(2));
    let held = (exposed.peak_bytes(), dialled.peak_bytes());
    ask(world.relay.addr, &Request::post(format!("{below}/count"), "meanwhile")).expect(200);
    world.local.event();
    let answer = upload.join().expect("no panic").expect(200);
    assert_eq!(answer.json()["length"], LONG);
    let after = (exposed.peak_bytes(), dialled.peak_bytes());
    eprintln!("expose, dial: {before:?} bytes at most before, {held:?} held up, {after:?} after");
    assert!(after.0 < before.0 + HELD, "expose: {before:?} {held:?} {after:?}");
    assert!(after.1 < before.1 + HELD, "dial: {before:?} {held:?} {after:?}");
}

#[test]
fn a_server_may_answer_before_it_has_read_the_body() {
    let world = World::start("Weather");
    let exposed = world.expose("weather.json", &["--public"]);
    let (_dialled, port) = world.dial(exposed.id());
    let below = format!("/connect/relay/{}", exposed.id());
    for (addr, prefix) in [(world.relay.addr, below.as_str()), (port, "")] {
        for path in ["/early", "/early-reads-on"] {
            for _ in 0..20 {
                let mut conn = Conn::open(addr).expect("it listens");
                endless(&conn, &format!("{prefix}{path}"));
                let answer = conn.answer(SOON).unwrap_or_else(|why| panic!("no answer from {addr}{path}: {why}"));
                assert_eq!((answer.status, &answer.body[..]), (403, &b"enough"[..]), "{path}: {}", answer.text());
            }
        }
    }
    // The upload to the server ended with the call.
    world.local.wait_left("/early-reads-on");
    ask(port, &Request::post("/count", pattern(3 << 20))).expect(200);
}

#[test]
fn a_cancelled_upload_ends_at_the_server() {
    let world = World::start("Weather");
    let exposed = world.expose("weather.json", &["--public"]);
    let (_dialled, port) = world.dial(exposed.id());
    let below = format!("/connect/relay/{}", exposed.id());
    for (addr, path) in [(world.relay.addr, format!("{below}/over-relay")), (port, "/over-port".into())] {
        let body = pattern(3 << 20);
        let bytes = Request::post(&*path, body).bytes(&addr.to_string());
        let mut conn = Conn::open(addr).expect("it listens");
        conn.send(&bytes[..bytes.len() - 1]).expect("sent");
        drop(conn);
        world.local.wait_left(path.trim_start_matches(&*below));
    }
    eventually(SOON, "the lines of the calls", || {
        let log = exposed.log();
        (log.contains(" POST /over-relay left ") && log.contains(" POST /over-port left ")).then_some(())
    });
    assert!(world.local.received().is_empty(), "what was cut is not taken for complete");
}
