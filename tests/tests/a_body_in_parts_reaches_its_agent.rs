//! Uploads in parts: as they come to a line that takes parts, in one piece to one that does not.

use std::time::Duration;

use landline_tests::api;
use landline_tests::frame::{self, Frame, map};
use landline_tests::http::{Conn, Request};
use landline_tests::line::{ENDPOINT, Ended, Line};
use landline_tests::server::{Data, Server};
use landline_tests::wait::SOON;
use landline_tests::ws::Ws;
use rmpv::Value;

/// A line that takes parts.
fn dial_with_parts(addr: std::net::SocketAddr, key: &str) -> Line {
    let mut ws = Ws::dial(addr, ENDPOINT, &[]).expect("an upgrade");
    let features = Value::Array(vec!["parts".into()]);
    let auth = map(&[("type", "auth".into()), ("v", 1.into()), ("token", key.into()), ("features", features)]);
    ws.sender().binary(&auth).expect("sent");
    let ready = Frame::read(&ws.message(SOON).expect("ready"));
    assert_eq!(ready.kind(), "ready");
    Line { ws, ready }
}

fn chunked(path: &str, key: &str) -> Vec<u8> {
    format!("POST {path} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {key}\r\ntransfer-encoding: chunked\r\n\r\n")
        .into()
}

#[test]
fn sixty_four_mebibytes_pass_through_one_window() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let addr = server.addr;
    let (agent, caller) = (api::register(addr, "agent"), api::register(addr, "caller"));
    let mut line = dial_with_parts(addr, &agent.key);
    const TOTAL: usize = 64 << 20;
    let path = format!("/connect/relay/{}", agent.id);
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {}\r\ncontent-length: {TOTAL}\r\n\r\n",
        caller.key
    );
    let mut conn = Conn::open(addr).expect("listens");
    conn.send(head.as_bytes()).expect("sent");
    let upload = std::thread::spawn(move || {
        for block in 0..TOTAL / 65_536 {
            conn.send(&[block as u8; 65_536]).expect("sent");
        }
        conn.answer(Duration::from_secs(60)).expect("an answer")
    });
    let request = line.expect("request");
    let (id, mut more) = (request.id(), request.more());
    assert!(more, "it comes in parts");
    let (mut got, mut owed, mut right) = (request.body().len(), 0, true);
    while more {
        let chunk = line.expect("chunk");
        right &= chunk.body().iter().enumerate().all(|(at, byte)| *byte == ((got + at) / 65_536) as u8);
        (got, owed, more) = (got + chunk.body().len(), owed + chunk.body().len(), chunk.more());
        if owed >= 64 << 10 {
            line.send(&frame::credit(id, owed as u64));
            owed = 0;
        }
    }
    assert_eq!((got, right), (TOTAL, true));
    line.send(&frame::response(id, b"thanks"));
    assert_eq!(upload.join().expect("no panic").expect(200).body, b"thanks");
    server.assert_no_panic();
}

#[test]
fn without_credit_the_upload_stands_still_and_other_calls_go_on() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let addr = server.addr;
    let (agent, caller) = (api::register(addr, "agent"), api::register(addr, "caller"));
    let mut line = dial_with_parts(addr, &agent.key);
    let path = format!("/connect/relay/{}", agent.id);
    let mut conn = Conn::open(addr).expect("listens");
    conn.send(&chunked(&path, &caller.key)).expect("sent");
    let block = [&b"10000\r\n"[..], &[7; 65_536], b"\r\n"].concat();
    let writer = std::thread::spawn(move || {
        // More than the window; what the kernel's buffers hold comes on top.
        for _ in 0..6 {
            conn.send(&block).expect("sent");
        }
        conn
    });
    let id = line.expect("request").id();
    let mut got = 0;
    while got < 256 << 10 {
        got += line.expect("chunk").body().len();
    }
    assert_eq!(got, 256 << 10, "one window and no more");
    let mut conn = writer.join().expect("no panic");
    // Meanwhile another call over the same line.
    let mut other = Conn::open(addr).expect("listens");
    other.start(&api::call_request(&agent.id, &caller.key, "{}")).expect("sent");
    let second = line.expect("request").id();
    line.send(&frame::response(second, b"ok"));
    assert_eq!(other.answer(SOON).expect("an answer").expect(200).body, b"ok");
    // The answer may come before the body is complete.
    line.send(&frame::response(id, b"enough"));
    assert_eq!(conn.answer(SOON).expect("an answer").expect(200).body, b"enough");
    assert!(conn.closes(SOON), "the rest of the body was not read");
}

#[test]
fn a_line_without_parts_gets_one_frame_or_the_caller_a_413() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let addr = server.addr;
    let (agent, caller) = (api::register(addr, "agent"), api::register(addr, "caller"));
    let mut line = Line::dial(addr, &agent.key).expect("a line");
    let path = format!("/connect/relay/{}", agent.id);
    let mut conn = Conn::open(addr).expect("listens");
    conn.send(&chunked(&path, &caller.key)).expect("sent");
    for piece in ["3\r\none\r\n", "3\r\ntwo\r\n", "0\r\n\r\n"] {
        std::thread::sleep(Duration::from_millis(20));
        conn.send(piece.as_bytes()).expect("sent");
    }
    let request = line.expect("request");
    assert_eq!((request.body(), request.more()), (&b"onetwo"[..], false));
    line.send(&frame::response(request.id(), b"ok"));
    assert_eq!(conn.answer(SOON).expect("an answer").expect(200).body, b"ok");
    // The connection goes on after a chunked body.
    conn.start(&api::call_request(&agent.id, &caller.key, "again")).expect("sent");
    let request = line.expect("request");
    line.send(&frame::response(request.id(), b"ok"));
    conn.answer(SOON).expect("an answer").expect(200);

    let long = Request::post(&path, vec![0; (1 << 20) + 1]).bearer(&caller.key);
    let mut conn = Conn::open(addr).expect("listens");
    let _ = conn.start(&long);
    conn.answer(SOON).expect("an answer").expect_problem(413, "body_too_large");
    line.assert_alive();
    assert!(!matches!(line.end(Duration::from_millis(10)), Ended::Closed(..)));
    server.assert_no_panic();
}
