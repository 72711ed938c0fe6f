//! Calls over TLS are like calls without it.

use std::time::{Duration, Instant};

use landline_tests::http::{Conn, Request};
use landline_tests::line::{EchoAgent, Line, echo_body};
use landline_tests::server::{Data, Server};
use landline_tests::wait::SOON;
use landline_tests::{api, frame};

#[test]
fn an_agent_is_called_over_tls_on_whichever_core_its_line_lives() {
    let data = Data::new();
    let server = Server::up_secure(&data, &["--cores", "2"]);
    let addr = server.addr;
    assert!(server.url.starts_with("https://") && server.run_json()["public_url"] == server.url);
    let caller = api::register(addr, "caller");
    // Which core accepts and which one holds the line are chance: among so many every way is taken.
    let agents: Vec<_> = (0..12).map(|number| api::register(addr, &format!("agent-{number}"))).collect();
    let lines: Vec<_> = agents.iter().map(|agent| EchoAgent::start(addr, &agent.key)).collect();
    for agent in &agents {
        for size in [0, 1, 5_000, 16_384, 300_000, 1_000_000] {
            let body = "x".repeat(size);
            let answer = api::call(addr, &agent.id, &caller.key, &body).expect(200);
            assert!(answer.body == echo_body(body.as_bytes()), "{size} bytes");
        }
        assert!(api::connected(addr, &caller.key, &agent.id));
    }
    drop(lines);
    server.assert_no_panic();
}

#[test]
fn a_connection_carries_call_after_call() {
    let data = Data::new();
    let server = Server::up_secure(&data, &[]);
    let (agent, caller) = (api::register(server.addr, "agent"), api::register(server.addr, "caller"));
    let echo = EchoAgent::start(server.addr, &agent.key);
    let mut conn = Conn::open(server.addr).unwrap();
    for number in 0..200 {
        let body = format!("{number}");
        let answer = conn.ask(&api::call_request(&agent.id, &caller.key, &body)).unwrap().expect(200);
        assert_eq!(answer.body, echo_body(body.as_bytes()));
    }
    // Several requests in one write, whose records are cut anywhere.
    let requests: Vec<u8> = (0..20)
        .flat_map(|number| api::call_request(&agent.id, &caller.key, &format!("p{number}")).bytes("relay"))
        .collect();
    for piece in requests.chunks(97) {
        conn.send(piece).unwrap();
    }
    for number in 0..20 {
        let answer = conn.answer(SOON).unwrap().expect(200);
        assert_eq!(answer.body, echo_body(format!("p{number}").as_bytes()));
    }
    echo.stop();
}

#[test]
fn a_stream_comes_part_by_part() {
    let data = Data::new();
    let server = Server::up_secure(&data, &[]);
    let (agent, caller) = (api::register(server.addr, "agent"), api::register(server.addr, "caller"));
    let mut line = Line::dial(server.addr, &agent.key).unwrap();
    let mut conn = Conn::open(server.addr).unwrap();
    conn.start(&api::call_request(&agent.id, &caller.key, "{}")).unwrap();
    let id = line.expect("request").id();
    let part = |number: u8, size: usize| vec![number; size];
    line.send(&frame::response_with(id, 200, &[("content-type", "text/plain")], true, &part(0, 10)));
    assert_eq!(conn.head(SOON).unwrap().0, 200);
    let deadline = || Instant::now() + SOON;
    assert_eq!(conn.chunk(deadline()).unwrap(), Some(part(0, 10)), "a part is not held back");
    for number in 1..40 {
        let size = 1 + usize::from(number) * 997;
        line.send(&frame::chunk(id, number < 39, &part(number, size)));
        let mut got = Vec::new();
        while got.len() < size {
            got.extend(conn.chunk(deadline()).unwrap().expect("more"));
        }
        assert_eq!(got, part(number, size));
        // Credit comes for what was read.
        while line.next(Duration::from_millis(1)).is_ok() {}
    }
    assert_eq!(conn.chunk(deadline()).unwrap(), None);
    line.assert_alive();
}

#[test]
fn each_side_says_goodbye() {
    let data = Data::new();
    let server = Server::up_secure(&data, &[]);
    // The client first, right behind its request: that is still answered. By the switch itself: while it waits for somebody
    // else's answer, it takes one that said goodbye for gone.
    let (mut stream, _) = Conn::open(server.addr).unwrap().into_parts();
    std::io::Write::write_all(&mut stream, &Request::get("/connect/relay/nobody/status").bytes("relay")).unwrap();
    stream.finish().unwrap();
    let mut answer = Vec::new();
    // The harness's stream ends without an error only if the server says that it is complete.
    std::io::Read::read_to_end(&mut stream, &mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 422 "), "{}", String::from_utf8_lossy(&answer));

    // The server first: it was asked to.
    let (mut stream, _) = Conn::open(server.addr).unwrap().into_parts();
    let request = Request::get("/.well-known/jwks.json").header("connection", "close").bytes("relay");
    std::io::Write::write_all(&mut stream, &request).unwrap();
    answer.clear();
    std::io::Read::read_to_end(&mut stream, &mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 "));

    // A line that is closed.
    let agent = api::register(server.addr, "agent");
    let mut line = Line::dial(server.addr, &agent.key).unwrap();
    line.ws.sender().close(1000).unwrap();
    assert_eq!(line.end(SOON).code(), 1000);
}
