//! Peers that do not do what TLS asks of them, at a real socket.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use landline_tests::api;
use landline_tests::http::{Conn, Request, once};
use landline_tests::line::{EchoAgent, Line};
use landline_tests::server::{Data, Server};
use landline_tests::wait::{SOON, eventually};

fn failed(server: &Server, reason: &str) -> u64 {
    let metrics = once(server.address("admin"), &Request::get("/metrics")).expect(200).text();
    let name = format!("landline_tls_handshakes_failed_total{{reason=\"{reason}\"}} ");
    let value = metrics.lines().find_map(|line| line.strip_prefix(&name));
    value.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name}: {metrics}"))
}

fn raw(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut tcp = TcpStream::connect(server.addr).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    tcp.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    tcp.read_to_end(&mut answer).unwrap();
    answer
}

#[test]
fn a_plain_request_is_told_what_the_port_speaks() {
    let data = Data::new();
    let server = Server::up_secure(&data, &[]);
    let request = format!("POST /connect/relay/x HTTP/1.1\r\ncontent-length: 200000\r\n\r\n{}", "x".repeat(20_000));
    for request in ["GET / HTTP/1.1\r\nhost: x\r\n\r\n", &request] {
        let answer = String::from_utf8(raw(&server, request.as_bytes())).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("This port speaks https."), "{answer}");
    }
    assert_eq!(failed(&server, "plain_http"), 2);
}

#[test]
fn garbage_gets_an_alert_and_its_end() {
    let data = Data::new();
    let server = Server::up_secure(&data, &[]);
    for garbage in [&[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 0][..], &[0xFF; 300], &[0x80, 0x2E, 1, 3, 1]] {
        let answer = raw(&server, garbage);
        assert_eq!(answer.first(), Some(&21), "an alert: {answer:?}");
    }
    assert_eq!(failed(&server, "protocol"), 3);
    server.assert_no_panic();
}

#[test]
fn half_open_handshakes_do_not_stand_in_others_way() {
    let data = Data::new();
    // So many may be pending from one address; all of them come from it.
    let server = Server::up_secure(&data, &["--max-pending-per-ip", "40"]);
    let (agent, caller) = (api::register(server.addr, "agent"), api::register(server.addr, "caller"));
    let echo = EchoAgent::start(server.addr, &agent.key);
    let mut standing = Conn::open(server.addr).unwrap();
    let request = api::call_request(&agent.id, &caller.key, "{}");
    standing.ask(&request).unwrap().expect(200);

    let started = Instant::now();
    let half: Vec<TcpStream> = (0..30)
        .map(|_| {
            let mut tcp = TcpStream::connect(server.addr).unwrap();
            // The beginning of a hello.
            tcp.write_all(&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3]).unwrap();
            tcp
        })
        .collect();
    for _ in 0..20 {
        standing.ask(&request).unwrap().expect(200);
        api::call(server.addr, &agent.id, &caller.key, "{}").expect(200);
    }
    // They are ended when their time is over, and not before.
    for mut tcp in half {
        tcp.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let _ = tcp.read_to_end(&mut Vec::new());
    }
    assert!(started.elapsed() >= Duration::from_secs(9), "{:?}", started.elapsed());
    eventually(SOON, "they are counted", || (failed(&server, "timeout") == 30).then_some(()));
    standing.ask(&request).unwrap().expect(200);
    echo.stop();
}

#[test]
fn a_stream_that_is_cut_is_no_complete_one() {
    let data = Data::new();
    let server = Server::up_secure(&data, &[]);
    let (agent, caller) = (api::register(server.addr, "agent"), api::register(server.addr, "caller"));
    let mut line = Line::dial(server.addr, &agent.key).unwrap();
    // A body that ends with the connection, before its length: the agent must never see it.
    let (mut stream, _) = Conn::open(server.addr).unwrap().into_parts();
    let whole = api::call_request(&agent.id, &caller.key, &"x".repeat(1_000)).bytes("relay");
    stream.write_all(&whole[..whole.len() - 1]).unwrap();
    stream.cut().unwrap();
    assert!(line.next(Duration::from_secs(1)).is_err(), "nothing reaches the agent");
    line.assert_alive();
    assert_eq!(failed(&server, "cut"), 0, "that was no handshake");
    drop(TcpStream::connect(server.addr).unwrap());
    eventually(SOON, "a handshake that was cut is counted", || (failed(&server, "cut") == 1).then_some(()));
}
