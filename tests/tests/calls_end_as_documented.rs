//! How a call ends: answered, in parts, failed by its agent, timed out, cancelled, or lost with its line.

use std::time::{Duration, Instant};

use landline_tests::api::{self, Agent};
use landline_tests::frame::{self, headers, map};
use landline_tests::http::{Answer, Conn, Request};
use landline_tests::line::{EchoAgent, Line, echo_body};
use landline_tests::server::{Data, Server};
use landline_tests::wait::{SOON, eventually};
use rmpv::Value;
use serde_json::json;

struct World {
    server: Server,
    agent: Agent,
    caller: Agent,
    line: Line,
    conn: Conn,
    _data: Data,
}

impl World {
    fn new() -> Self {
        let data = Data::new();
        let server = Server::up(&data, &["--cores", "2"]);
        let addr = server.addr;
        let (agent, caller) = (api::register(addr, "agent"), api::register(addr, "caller"));
        let line = Line::dial(addr, &agent.key).expect("a line");
        let conn = Conn::open(addr).expect("listens");
        Self { server, agent, caller, line, conn, _data: data }
    }

    fn request(&self) -> Request {
        api::call_request(&self.agent.id, &self.caller.key, "{}")
    }

    /// Makes a call and lets the agent do something with its id.
    fn call(&mut self, act: impl FnOnce(&mut Line, u64)) -> Answer {
        self.conn.start(&self.request()).expect("sent");
        let id = self.line.expect("request").id();
        act(&mut self.line, id);
        self.conn.answer(SOON).expect("an answer")
    }

    /// The status of the newest audit row of this request id.
    fn audited(&self, request_id: &str) -> i64 {
        eventually(SOON, "the audit row", || {
            let rows = api::recent(self.server.addr, 50);
            let row = rows.iter().find(|row| row["request_id"] == request_id)?;
            row["status_code"].as_i64()
        })
    }
}

#[test]
fn an_answer_comes_back_with_its_status_headers_and_bytes() {
    let mut world = World::new();
    let fields = [("content-type", "text/html"), ("x-a2a-extra", "yes"), ("set-cookie", "no"), ("server", "no")];
    let answer = world.call(|line, id| line.send(&frame::response_with(id, 418, &fields, false, b"\x00\xFFteapot")));
    assert_eq!((answer.status, answer.body.as_slice()), (418, b"\x00\xFFteapot".as_slice()));
    assert_eq!((answer.header("content-type"), answer.header("x-a2a-extra")), (Some("text/html"), Some("yes")));
    assert!(answer.header("set-cookie").is_none() && answer.header("server") != Some("no"));
    assert_eq!(
        (answer.header("x-content-type-options"), answer.header("x-connect-route")),
        (Some("nosniff"), Some("relay"))
    );
    assert!(answer.header("content-security-policy").is_some_and(|policy| policy.contains("sandbox")));
    assert!(answer.header("server-timing").is_some_and(|timing| timing.starts_with("relay;dur=")));
    assert!(answer.header("x-request-id").is_some_and(|id| !id.is_empty()));
    for empty in [204, 304] {
        let answer = world.call(|line, id| line.send(&frame::response_with(id, empty, &[], false, b"dropped")));
        assert_eq!((u64::from(answer.status), answer.body.len()), (empty, 0));
    }
}

#[test]
fn an_answer_in_parts_arrives_as_it_comes() {
    let mut world = World::new();
    world.conn.start(&world.request()).expect("sent");
    let id = world.line.expect("request").id();
    world.line.send(&frame::response_with(id, 200, &[("content-type", "text/plain")], true, b"one "));
    let (status, fields) = world.conn.head(SOON).expect("the head comes with the first part");
    assert_eq!(status, 200);
    assert!(fields.contains(&("transfer-encoding".into(), "chunked".into())), "{fields:?}");
    let deadline = Instant::now() + SOON;
    assert_eq!(world.conn.chunk(deadline).expect("a part"), Some(b"one ".to_vec()));
    world.line.send(&frame::chunk(id, true, b"two "));
    assert_eq!(world.conn.chunk(deadline).expect("a part"), Some(b"two ".to_vec()));
    world.line.send(&frame::chunk(id, false, b""));
    assert_eq!(world.conn.chunk(deadline).expect("the end"), None);
    let answer = world.call(|line, id| line.send(&frame::response(id, b"same connection")));
    assert_eq!(answer.body, b"same connection");
}

#[test]
fn an_answer_larger_than_the_window_flows_by_credit() {
    let mut world = World::new();
    let window = world.line.ready.number("window_bytes").expect("a window");
    assert_eq!(window, 256 << 10);
    let (total, part) = (3 << 20, 32 << 10);
    world.conn.start(&world.request()).expect("sent");
    let id = world.line.expect("request").id();
    let mut conn = std::mem::replace(&mut world.conn, Conn::open(world.server.addr).expect("listens"));
    let reader = std::thread::spawn(move || conn.answer(Duration::from_secs(30)).expect("an answer"));
    let (mut sent, mut credit) = (0, window);
    while sent < total {
        while credit < part {
            let grant = world.line.expect("credit");
            assert_eq!(grant.id(), id);
            credit += grant.number("bytes").expect("bytes");
        }
        let (more, body) = (sent + part < total, vec![(sent >> 15) as u8; part as usize]);
        let message =
            if sent == 0 { frame::response_with(id, 200, &[], true, &body) } else { frame::chunk(id, more, &body) };
        world.line.send(&message);
        sent += part;
        credit -= part;
    }
    let answer = reader.join().expect("the caller").expect(200);
    assert_eq!(answer.body.len(), total as usize);
    assert!(answer.body.iter().enumerate().all(|(at, byte)| *byte == (at >> 15) as u8), "in order, each byte once");

    // Overrunning the window costs the call, not the line.
    let mut slow = Conn::open(world.server.addr).expect("listens");
    slow.start(&world.request()).expect("sent");
    let id = world.line.expect_after_credit("request").id();
    world.line.send(&frame::response_with(id, 200, &[], true, &vec![1; (window + 1) as usize]));
    let cancel = world.line.expect("cancel");
    assert_eq!((cancel.id(), cancel.text("code")), (id, Some("flow_control")));
    slow.answer(SOON).expect("an answer").expect_problem(502, "flow_control");
    world.line.assert_alive();
}

#[test]
fn what_an_agent_fails_is_a_502_in_its_own_words() {
    let mut world = World::new();
    let answer = world.call(|line, id| line.send(&frame::error(id, "no_coffee", "the machine is empty")));
    let problem = answer.expect_problem(502, "agent_error").json();
    let detail = problem["detail"].as_str().expect("detail");
    assert!(detail.contains("no_coffee") && detail.contains("the machine is empty"), "{detail}");
    assert_eq!(world.audited(problem["request_id"].as_str().expect("request_id")), 502);
    let answer = world.call(|line, id| {
        let busy =
            [("type", "error".into()), ("id", id.into()), ("code", "busy".into()), ("retry_after_ms", 2_500.into())];
        line.send(&map(&busy));
    });
    assert_eq!(answer.header("retry-after"), Some("3"), "{}", answer.text());
    world.call(|line, id| line.send(&frame::cancel(id))).expect_problem(502, "agent_error");

    for (name, message) in bad_answers() {
        let answer = world.call(|line, id| line.send(&message(id)));
        assert_eq!((answer.status, answer.code().as_str()), (502, "bad_answer"), "{name}: {}", answer.text());
    }
    world.line.assert_alive();
}

type Make = Box<dyn Fn(u64) -> Vec<u8>>;

/// Answers that break the rules.
fn bad_answers() -> Vec<(&'static str, Make)> {
    let with = |status: u64, fields: &'static [(&'static str, &'static str)]| -> Make {
        Box::new(move |id| frame::response_with(id, status, fields, false, b""))
    };
    vec![
        ("status 199", with(199, &[])),
        ("status 600", with(600, &[])),
        ("status 101", with(101, &[])),
        ("a header that splits the answer", with(200, &[("etag", "a\r\nset-cookie: b")])),
        ("a header name that is none", with(200, &[("e tag", "a")])),
        (
            "65 headers",
            Box::new(|id| {
                let names: Vec<String> = (0..65).map(|number| format!("x-a2a-{number}")).collect();
                let fields: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
                frame::response_with(id, 200, &fields, false, b"")
            }),
        ),
    ]
}

#[test]
fn an_agent_that_does_not_answer_costs_a_504() {
    let mut world = World::new();
    let started = Instant::now();
    let request = world.request().header("x-relay-timeout-ms", "700").header("x-request-id", "timed-out");
    world.conn.start(&request).expect("sent");
    let request = world.line.expect("request");
    assert!(request.number("deadline_ms").is_some_and(|ms| ms <= 700), "{request:?}");
    let answer = world.conn.answer(SOON).expect("an answer").expect_problem(504, "agent_timeout");
    let took = started.elapsed();
    assert!((Duration::from_millis(650)..Duration::from_secs(3)).contains(&took), "{took:?}");
    assert_eq!(answer.header("x-request-id"), Some("timed-out"));
    assert_eq!(world.line.expect("cancel").id(), request.id());
    assert_eq!(world.audited("timed-out"), 504);
    // Its late answer reaches nobody.
    world.line.send(&frame::response(request.id(), b"late"));
    let answer = world.call(|line, id| line.send(&frame::response(id, b"in time")));
    assert_eq!(answer.body, b"in time");
}

#[test]
fn a_caller_that_leaves_cancels_its_call() {
    let mut world = World::new();
    let mut leaving = Conn::open(world.server.addr).expect("listens");
    leaving.start(&world.request().header("x-request-id", "left")).expect("sent");
    let id = world.line.expect("request").id();
    drop(leaving);
    assert_eq!(world.line.expect("cancel").id(), id);
    world.audited("left");
    world.line.assert_alive();
}

#[test]
fn a_line_that_is_lost_fails_its_calls_at_once() {
    let mut world = World::new();
    world.conn.start(&world.request().header("x-request-id", "cut")).expect("sent");
    world.line.expect("request");
    world.line.ws.sender().cut();
    world.conn.answer(Duration::from_secs(3)).expect("an answer").expect_problem(502, "gateway_unavailable");
    assert_eq!(world.audited("cut"), 502);

    // In the middle of an answer there is no status left to send: the body has no end.
    let mut line = Line::dial(world.server.addr, &world.agent.key).expect("a line");
    world.conn.start(&world.request()).expect("sent");
    let id = line.expect("request").id();
    line.send(&frame::response_with(id, 200, &[], true, b"half"));
    world.conn.head(SOON).expect("a head");
    line.ws.sender().cut();
    let deadline = Instant::now() + SOON;
    assert_eq!(world.conn.chunk(deadline).expect("the first part"), Some(b"half".to_vec()));
    let cut = world.conn.chunk(deadline).expect_err("no final chunk");
    assert!(matches!(cut.kind(), std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset), "{cut}");
}

#[test]
fn an_agent_calls_another_over_its_own_line() {
    let world = World::new();
    let addr = world.server.addr;
    let other = api::register(addr, "other");
    let echo = EchoAgent::start(addr, &other.key);
    let mut line = world.line;
    let full = map(&[
        ("type", "call".into()),
        ("id", 7.into()),
        ("to", other.id.as_str().into()),
        ("method", "message/send".into()),
        ("request_id", "over-the-line".into()),
        ("headers", headers(&[("x-note", "hello")])),
        ("body", Value::Binary(b"by line".to_vec())),
    ]);
    line.send(&full);
    let answer = line.expect("response");
    assert_eq!((answer.id(), answer.body()), (7, echo_body(b"by line").as_slice()));
    let row = eventually(SOON, "the audit row", || {
        api::recent(addr, 10).into_iter().find(|row| row["request_id"] == "over-the-line")
    });
    assert_eq!((&row["from_agent_id"], &row["to_agent_id"]), (&json!(world.agent.id), &json!(other.id)));
    assert_eq!(row["a2a_method"], "message/send");

    let nobody = "0192f6a0-0000-7000-8000-000000000000";
    for (id, to, code) in [
        (9, nobody, "not_found"),
        (11, "nothing", "invalid_query"),
        (13, world.caller.id.as_str(), "agent_not_connected"),
    ] {
        line.send(&frame::call(id, to, b"{}"));
        let refused = line.expect("error");
        assert_eq!((refused.id(), refused.text("code")), (id, Some(code)));
    }
    // Many at once, answered by their own ids.
    (0..50_u64).for_each(|number| line.send(&frame::call(101 + 2 * number, &other.id, number.to_string().as_bytes())));
    for _ in 0..50 {
        let answer = line.expect("response");
        assert_eq!(answer.body(), echo_body(((answer.id() - 101) / 2).to_string().as_bytes()));
    }
    echo.stop();
}

#[test]
fn what_crosses_the_relay_is_what_the_wire_page_says() {
    let mut world = World::new();
    let request = Request::new("PUT", format!("/connect/relay/{}/a%2Fb//c?x=1&y", world.agent.id))
        .body("body")
        .bearer(&world.caller.key)
        .header("x-request-id", "crossing.1")
        .header("x-a2a-method", "tasks/get")
        .header("accept", "text/plain")
        .header("accept", "text/html")
        .header("cookie", "no")
        .header("x-forwarded-for", "no")
        .header("x-relay-secret", "no")
        .header("te", "trailers")
        .header("connection", "keep-alive, x-hop")
        .header("x-hop", "no")
        .header("x-agent-authorization", "Bearer theirs")
        .header("x-empty", "");
    world.conn.start(&request).expect("sent");
    let frame = world.line.expect("request");
    assert_eq!(frame.text("path"), Some("/a%2Fb//c?x=1&y"), "raw and undecoded");
    assert_eq!((frame.text("verb"), frame.text("method")), (Some("PUT"), Some("tasks/get")));
    assert_eq!((frame.text("request_id"), frame.text("from")), (Some("crossing.1"), Some(world.caller.id.as_str())));
    assert_eq!(frame.header("accept"), Some("text/plain, text/html"));
    assert_eq!((frame.header("authorization"), frame.header("x-empty")), (Some("Bearer theirs"), Some("")));
    let mut names = frame.header_names();
    names.sort_unstable();
    assert_eq!(names, ["accept", "authorization", "x-a2a-method", "x-empty", "x-request-id"], "and nothing else");
    assert_eq!(frame.body(), b"body");
    world.line.send(&frame::response(frame.id(), b""));
    assert_eq!(world.conn.answer(SOON).expect("an answer").status, 200);

    // `/relay/{id}` and `/relay/{id}/` are the same: no path, and POST goes without saying.
    for slash in ["", "/"] {
        let request = Request::post(format!("/connect/relay/{}{slash}", world.agent.id), "").bearer(&world.caller.key);
        world.conn.start(&request).expect("sent");
        let frame = world.line.expect("request");
        assert_eq!((frame.get("path"), frame.get("verb")), (None, None), "{frame:?}");
        world.line.send(&frame::response(frame.id(), b""));
        world.conn.answer(SOON).expect("an answer").expect(200);
    }
}

#[test]
fn who_may_call_is_the_agents_choice() {
    let world = World::new();
    let addr = world.server.addr;
    let stranger = api::register(addr, "stranger");
    let open = |access: &str| {
        let name = format!("door-{access}");
        let body = json!({"card": api::card(&name), "access": access, "allow": [world.caller.id]});
        let agent = api::register_with(addr, &body);
        let echo = EchoAgent::start(addr, &agent.key);
        (agent, echo)
    };
    let (listed, echo_listed) = open("listed");
    api::call(addr, &listed.id, &world.caller.key, "{}").expect(200);
    api::call(addr, &listed.id, &stranger.key, "{}").expect_problem(403, "not_authorized");
    let (public, echo_public) = open("public");
    let anonymous = Request::post(format!("/connect/relay/{}", public.id), "{}").header("x-request-id", "anonymous");
    landline_tests::http::once(addr, &anonymous).expect(200);
    let row = eventually(SOON, "the audit row", || {
        api::recent(addr, 20).into_iter().find(|row| row["request_id"] == "anonymous")
    });
    assert_eq!(row["from_agent_id"], serde_json::Value::Null);
    let (agents, echo_agents) = open("agents");
    let anonymous = Request::post(format!("/connect/relay/{}", agents.id), "{}");
    landline_tests::http::once(addr, &anonymous).expect_problem(401, "token_missing");
    api::call(addr, &agents.id, &stranger.key, "{}").expect(200);
    [echo_listed, echo_public, echo_agents].into_iter().for_each(EchoAgent::stop);
}
