//! An agent that holds no line but has a URL whose host stands behind it is called by the exchange, under its guard.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use landline_tests::api;
use landline_tests::frame;
use landline_tests::http::{Conn, Request};
use landline_tests::line::Line;
use landline_tests::server::{Data, Server};
use landline_tests::wait::{SOON, eventually};
use rmpv::Value;
use serde_json::json;

/// A host of its own within loopback; 8080 is one of the few ports that are called at all.
const HOST: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 77, 0, 9)), 8080);

/// A plain HTTP server that answers each POST with its body, and remembers the request heads.
fn serve(host: SocketAddr) -> Arc<Mutex<Vec<String>>> {
    let listener = TcpListener::bind(host).expect("the test's own address");
    let heads = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&heads);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
            let (mut head, mut length) = (String::new(), 0);
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line).unwrap_or(0) == 0 || line == "\r\n" {
                    break;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().expect("a number");
                }
                head.push_str(&line);
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            seen.lock().expect("no panic").push(head);
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-inner: no\r\ncontent-length: {length}\r\n\r\n"
            );
            let _ = stream.write_all(&[answer.as_bytes(), &body].concat());
        }
    });
    heads
}

/// Starts a server, registers an agent with a URL, and has the operator prove its origin.
fn world(data: &Data, flags: &[&str], host: SocketAddr) -> (Server, api::Agent, api::Agent) {
    let server = Server::up(data, flags);
    let mut card = api::card("outside");
    card["url"] = json!(format!("http://{host}/rpc"));
    let agent = api::register_with(server.addr, &json!({ "card": card }));
    let origin = json!({"origin": format!("http://{host}")});
    api::admin(server.addr, &server.admin_token(), &agent.id, "prove-origin", &origin).expect(200);
    let caller = api::register(server.addr, "caller");
    (server, agent, caller)
}

#[test]
fn the_exchange_calls_it_and_a_line_comes_first() {
    let heads = serve(HOST);
    let data = Data::new();
    let (server, agent, caller) = world(&data, &["--allow-private-egress", "127.77.0.0/16", "--probes=off"], HOST);
    let addr = server.addr;
    let path = format!("/connect/relay/{}", agent.id);
    // A whole body, one in chunks, and one larger than a window.
    for (body, chunked) in [(b"hello".to_vec(), false), (b"parts".to_vec(), true), (vec![b'x'; 700_000], false)] {
        let mut conn = Conn::open(addr).expect("listens");
        if chunked {
            let head = format!(
                "POST {path} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {}\r\ncontent-type: text/plain\r\n\
                 transfer-encoding: chunked\r\n\r\n2\r\npa\r\n3\r\nrts\r\n0\r\n\r\n",
                caller.key
            );
            conn.send(head.as_bytes()).expect("sent");
        } else {
            let request = Request::post(&path, body.clone()).bearer(&caller.key).header("content-type", "text/plain");
            conn.start(&request.header("x-secret", "1")).expect("sent");
        }
        let answer = conn.answer(SOON).expect("an answer").expect(200);
        assert_eq!(answer.body, body);
        assert_eq!(answer.header("x-connect-route"), Some("http_direct"));
        assert!(answer.header("x-inner").is_none() && answer.header("content-security-policy").is_some());
    }
    let heads = heads.lock().expect("no panic");
    assert_eq!(heads.len(), 3);
    for head in heads.iter().map(|head| head.to_ascii_lowercase()) {
        assert!(head.starts_with("post /rpc http/1.1\r\n"), "{head}");
        assert!(!head.contains("authorization") && !head.contains("x-secret") && !head.contains("forwarded"), "{head}");
    }
    let rows = eventually(SOON, "three records", || {
        let rows = api::recent(addr, 10);
        (rows.len() == 3).then_some(rows)
    });
    for row in rows {
        assert_eq!((&row["route"], &row["status_code"]), (&json!("http_direct"), &json!(200)));
        assert_eq!(row["from_agent_id"], json!(caller.id));
    }

    // Without a credential it is as closed as over a line, and with a line it is called there.
    let anonymous = Conn::open(addr).expect("listens").ask(&Request::post(&path, "x")).expect("an answer");
    anonymous.expect_problem(401, "token_missing");
    let mut line = Line::dial(addr, &agent.key).expect("a line");
    let mut conn = Conn::open(addr).expect("listens");
    conn.start(&api::call_request(&agent.id, &caller.key, "{}")).expect("sent");
    line.expect("request");
    server.assert_no_panic();
}

#[test]
fn a_call_over_a_line_is_made_as_well() {
    // A host of its own: the tests of one binary may run side by side.
    let host = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 77, 0, 11)), 8080);
    let (heads, data) = (serve(host), Data::new());
    let (server, agent, caller) = world(&data, &["--allow-private-egress", "127.77.0.0/16", "--probes=off"], host);
    let mut line = Line::dial(server.addr, &caller.key).expect("a line");
    for (id, size) in [(1, 5), (3, 700_000)] {
        let body: Vec<u8> = (0..size).map(|at| (at % 251) as u8).collect();
        let fields = frame::headers(&[("content-type", "text/plain"), ("authorization", "Bearer for-the-agent")]);
        let call = frame::map(&[
            ("type", "call".into()),
            ("id", id.into()),
            ("to", agent.id.as_str().into()),
            ("headers", fields),
            ("body", Value::Binary(body.clone())),
        ]);
        line.send(&call);
        let head = line.expect("response");
        assert_eq!((head.id(), head.number("status").unwrap_or(200)), (id, 200));
        assert!(head.header("x-inner").is_none(), "{head:?}");
        let (mut got, mut more) = (head.body().to_vec(), head.more());
        while more {
            let part = line.expect("chunk");
            got.extend_from_slice(part.body());
            more = part.more();
            // More than was given counts for nothing.
            line.send(&frame::credit(id, 2 * part.body().len() as u64));
        }
        assert!(got == body, "{} of {size} bytes, or changed", got.len());
    }
    let heads = heads.lock().expect("no panic").join("").to_ascii_lowercase();
    assert!(!heads.contains("authorization"), "{heads}");

    // A call that the exchange turns away says why: this path is no interface of the card.
    let away = frame::map(&[
        ("type", "call".into()),
        ("id", 5.into()),
        ("to", agent.id.as_str().into()),
        ("path", "/elsewhere".into()),
        ("body", Value::Binary(vec![])),
    ]);
    line.send(&away);
    let error = line.expect("error");
    assert_eq!((error.id(), error.text("code")), (5, Some("agent_not_connected")), "{error:?}");
    let rows = eventually(SOON, "three records", || {
        let rows = api::recent(server.addr, 10);
        (rows.len() == 3).then_some(rows)
    });
    assert!(rows.iter().all(|row| row["from_agent_id"] == json!(caller.id)), "{rows:?}");
    // A body in parts needs a line.
    let parts = frame::map(&[
        ("type", "call".into()),
        ("id", 7.into()),
        ("to", agent.id.as_str().into()),
        ("more", true.into()),
        ("body", Value::Binary(vec![1])),
    ]);
    line.send(&parts);
    assert_eq!(line.expect("error").text("code"), Some("agent_not_connected"));
    line.assert_alive();
    server.assert_no_panic();
}

#[test]
fn what_is_not_public_is_not_called() {
    let listener = TcpListener::bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 77, 0, 10)), 8080)).expect("bound");
    listener.set_nonblocking(true).expect("set");
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let mut card = api::card("inside");
    card["url"] = json!("http://127.77.0.10:8080/");
    let agent = api::register_with(server.addr, &json!({ "card": card }));
    let origin = json!({"origin": "http://127.77.0.10:8080"});
    api::admin(server.addr, &server.admin_token(), &agent.id, "prove-origin", &origin);
    let caller = api::register(server.addr, "caller");
    let answer = api::call(server.addr, &agent.id, &caller.key, "{}");
    assert!((400..600).contains(&answer.status), "{}", answer.text());
    assert!(listener.accept().is_err(), "nobody came");
    server.assert_no_panic();
}
