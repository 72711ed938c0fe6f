//! Every kind of bad input has the status or close code that the documentation names, nothing panics, and a healthy
//! line's calls go on meanwhile.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use landline_tests::api::{self, Agent};
use landline_tests::frame::map;
use landline_tests::http::{Answer, Conn, Request, once};
use landline_tests::line::{ENDPOINT, EchoAgent, Line};
use landline_tests::server::{Data, Server};
use landline_tests::steady::Steady;
use landline_tests::wait::{SOON, eventually};
use landline_tests::ws::{Event, Ws, opcode};
use landline_tests::{frame, jwt};
use rmpv::Value;
use serde_json::json;

/// A server with a healthy line whose calls go on.
struct World {
    server: Server,
    addr: SocketAddr,
    callee: Agent,
    caller: Agent,
    steady: Steady,
    echo: EchoAgent,
    _data: Data,
}

impl World {
    fn new() -> Self {
        let data = Data::new();
        let server = Server::up(&data, &[]);
        let addr = server.addr;
        let (callee, caller) = (api::register(addr, "healthy"), api::register(addr, "caller"));
        let echo = EchoAgent::start(addr, &callee.key);
        let steady = Steady::start(addr, &callee.id, &[&caller.key], Duration::from_millis(5));
        Self { server, addr, callee, caller, steady, echo, _data: data }
    }

    fn target(&self) -> String {
        format!("/connect/relay/{}", self.callee.id)
    }

    /// A head for a POST to the healthy agent, without its last line.
    fn head(&self) -> String {
        format!("POST {} HTTP/1.1\r\nhost: test\r\nauthorization: Bearer {}\r\n", self.target(), self.caller.key)
    }

    /// Sends bytes on a fresh connection; the first answer.
    fn raw(&self, bytes: &[u8]) -> (Conn, Answer) {
        let mut conn = Conn::open(self.addr).expect("listens");
        // A server that refuses early may close before everything is sent.
        let _ = conn.send(bytes);
        let answer = conn.answer(SOON).unwrap_or_else(|why| panic!("{why}: {:?}", String::from_utf8_lossy(bytes)));
        (conn, answer)
    }

    /// Ends the calls: all of them must have been good.
    fn end(self) {
        eventually(SOON, "healthy calls", || (self.steady.good() > 10 || self.steady.bad() > 0).then_some(()));
        let seen = self.steady.stop();
        assert!(seen.bad.is_empty(), "healthy calls failed: {:?}", &seen.bad[..seen.bad.len().min(5)]);
        assert!(seen.slowest < Duration::from_secs(5), "the slowest healthy call took {:?}", seen.slowest);
        self.echo.stop();
        self.server.assert_no_panic();
    }
}

/// A name, the bytes that follow the head's known lines, and how it ends.
type Broken = (&'static str, String, u16, &'static str);

/// Lengths that say nothing, or two things.
fn broken_lengths() -> Vec<Broken> {
    let bad = |name, rest: &str| (name, rest.replace('\n', "\r\n"), 400, "bad_request");
    vec![
        bad("both lengths", "content-length: 2\ntransfer-encoding: chunked\n\n2\n{}\n0\n\n"),
        bad("two different lengths", "content-length: 2\ncontent-length: 3\n\n{}"),
        bad("a list of lengths", "content-length: 2, 3\n\n{}"),
        bad("a negative length", "content-length: -2\n\n{}"),
        bad("a length with a sign", "content-length: +2\n\n{}"),
        bad("a length beyond all numbers", "content-length: 99999999999999999999999\n\n"),
        bad("an unknown coding", "transfer-encoding: gzip\n\n"),
        bad("chunked twice", "transfer-encoding: chunked\ntransfer-encoding: chunked\n\n0\n\n"),
        bad("chunked and not last", "transfer-encoding: chunked, gzip\n\n0\n\n"),
        bad("a chunk size that is none", "transfer-encoding: chunked\n\nxyz\n{}\n0\n\n"),
        bad("a chunk size beyond all numbers", "transfer-encoding: chunked\n\nfffffffffffffffff\n"),
        bad("a chunk longer than it says", "transfer-encoding: chunked\n\n2\n{}{}\n0\n\n"),
        ("a body over the limit, announced", "content-length: 1048577\r\n\r\n".into(), 413, "body_too_large"),
    ]
}

/// Header lines that are none, or too many, or too long.
fn broken_headers() -> Vec<Broken> {
    let bad = |name, rest: &str| (name, rest.replace('\n', "\r\n"), 400, "bad_request");
    let long = |name, rest: String| (name, rest, 431, "header_too_large");
    vec![
        bad("space before the colon", "x-a : b\n\n"),
        bad("a folded header", "x-a: b\n c\n\n"),
        bad("a control in a value", "x-a: b\x01c\n\n"),
        bad("two hosts", "host: other\n\n"),
        long("more header fields than 64", format!("{}\r\n", "x-many: 1\r\n".repeat(200))),
        long("a header without an end", format!("x-long: {}", "a".repeat(40 << 10))),
    ]
}

#[test]
fn broken_http() {
    let world = World::new();
    let head = world.head();
    let whole = |bytes: &str| bytes.to_owned();
    let requests = [
        ("no host", format!("GET {} HTTP/1.1\r\n\r\n", world.target()), 400, "bad_request"),
        ("no HTTP", whole("hello\r\n\r\n"), 400, "bad_request"),
        ("HTTP/2's preface", whole("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 400, "bad_request"),
        ("a target without an end", format!("GET /{}", "a".repeat(40 << 10)), 431, "header_too_large"),
        // The same strictness holds for what is passed on to the exchange.
        (
            "a request that hides another",
            whole(
                "POST /connect/v1/agents HTTP/1.1\r\nhost: test\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            ),
            400,
            "bad_request",
        ),
    ];
    let rests = broken_lengths().into_iter().chain(broken_headers());
    let table = rests.map(|(name, rest, status, code)| (name, format!("{head}{rest}"), status, code)).chain(requests);
    for (name, bytes, status, code) in table {
        let (mut conn, answer) = world.raw(bytes.as_bytes());
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{name}: {}", answer.text());
        assert!(conn.closes(SOON), "{name}: it stays open, although nobody knows where the next request begins");
    }
    world.end();
}

#[test]
fn bodies_over_their_limits() {
    let world = World::new();
    let big = vec![b'x'; (1 << 20) + 1];
    let mut chunked = format!("{}transfer-encoding: chunked\r\n\r\n{:x}\r\n", world.head(), big.len()).into_bytes();
    chunked.extend_from_slice(&big);
    chunked.extend_from_slice(b"\r\n0\r\n\r\n");
    assert_eq!(world.raw(&chunked).1.code(), "body_too_large");

    // Exactly 1 MiB passes, there and back.
    let agent = api::register(world.addr, "large");
    let mut line = Line::dial(world.addr, &agent.key).expect("a line");
    let exact: Vec<u8> = (0..1_u32 << 20).map(|at| (at % 251) as u8).collect();
    let mut conn = Conn::open(world.addr).expect("listens");
    let request = Request::post(format!("/connect/relay/{}", agent.id), exact.clone()).bearer(&world.caller.key);
    conn.start(&request).expect("sent");
    let frame = line.expect("request");
    assert!(frame.body() == exact, "the agent gets each byte");
    line.send(&frame::response(frame.id(), &exact));
    assert!(conn.answer(SOON).expect("an answer").expect(200).body == exact, "and so does the caller");

    let card = json!({"card": api::card("too-big"), "padding": "z".repeat(256 << 10)});
    let answer = once(world.addr, &Request::post_json("/connect/v1/agents", &card));
    assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
    world.end();
}

#[test]
fn legal_but_unusual_http_works() {
    let world = World::new();
    let head = world.head();
    let chunked = format!(
        "{head}transfer-encoding: chunked\r\n\r\n1;ext=\"v\"\r\n{{\r\n001\r\n}}\r\n0\r\ntrailer-field: 1\r\n\r\n"
    );
    let (mut conn, answer) = world.raw(chunked.as_bytes());
    assert_eq!(answer.expect(200).json()["echo"], "{}");

    // Pipelined: answered in order, on the same connection, mixed with one that the exchange answers.
    let mut bytes = Vec::new();
    for number in 0..5 {
        let body = format!("pipelined {number}");
        bytes.extend_from_slice(format!("{head}content-length: {}\r\n\r\n{body}", body.len()).as_bytes());
    }
    bytes.extend_from_slice(b"GET /connect/v1/agents?limit=1 HTTP/1.1\r\nhost: test\r\n\r\n");
    bytes.extend_from_slice(format!("{head}content-length: 4\r\n\r\nlast").as_bytes());
    conn.send(&bytes).expect("sent");
    for number in 0..5 {
        assert_eq!(conn.answer(SOON).expect("in order").expect(200).json()["echo"], format!("pipelined {number}"));
    }
    assert_eq!(conn.answer(SOON).expect("in order").expect(200).json()["limit"], 1);
    assert_eq!(conn.answer(SOON).expect("in order").expect(200).json()["echo"], "last");

    let expecting = format!("{head}expect: 100-continue\r\ncontent-length: 2\r\n\r\n");
    conn.send(expecting.as_bytes()).expect("sent");
    conn.send(b"{}").expect("sent");
    assert_eq!(conn.answer(SOON).expect("an answer").expect(200).json()["echo"], "{}");

    let byte_by_byte = format!("{head}content-length: 2\r\n\r\n{{}}");
    for byte in byte_by_byte.bytes() {
        conn.send(&[byte]).expect("sent");
    }
    assert_eq!(conn.answer(SOON).expect("an answer").expect(200).json()["echo"], "{}");
    world.end();
}

#[test]
fn slow_heads_slow_bodies_and_silent_sockets_end_in_time() {
    let world = World::new();
    let started = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut conn = Conn::open(world.addr).expect("listens");
            conn.send(b"GET /connect/v1/agents HTTP/1.1\r\nx-slow: ").expect("sent");
            // A byte now and then does not buy more time.
            for _ in 0..30 {
                std::thread::sleep(Duration::from_millis(300));
                let _ = conn.send(b"a");
            }
            assert!(conn.closes(Duration::from_secs(10)), "a head that never ends");
            let took = started.elapsed();
            assert!((9..18).contains(&took.as_secs()), "a head has 10 s, this one had {took:?}");
        });
        scope.spawn(|| {
            let mut ws = Ws::dial(world.addr, ENDPOINT, &[]).expect("an upgrade");
            let ended = ws.end(Duration::from_secs(20)).expect("a close frame");
            let took = started.elapsed();
            assert_eq!(ended.0, 4003, "no auth: {ended:?}");
            assert!((9..15).contains(&took.as_secs()), "10 s for auth, this one had {took:?}");
        });
        scope.spawn(|| {
            let mut conn = Conn::open(world.addr).expect("listens");
            conn.send(format!("{}content-length: 500\r\n\r\n", world.head()).as_bytes()).expect("sent");
            let answer = loop {
                if conn.send(b"a").is_err() || started.elapsed() > Duration::from_secs(58) {
                    break conn.answer(Duration::from_secs(10)).expect("an answer");
                }
                std::thread::sleep(Duration::from_millis(500));
            };
            let took = started.elapsed();
            answer.expect_problem(504, "upload_timeout");
            assert!((59..68).contains(&took.as_secs()), "an upload has 60 s, this one had {took:?}");
        });
        scope.spawn(|| {
            let mut conn = Conn::open(world.addr).expect("listens");
            conn.ask(&Request::get("/connect/v1/agents?limit=1")).expect("an answer").expect(200);
            let idle = Instant::now();
            assert!(conn.closes(Duration::from_secs(90)), "a connection that asks for nothing more");
            let took = idle.elapsed();
            assert!((74..85).contains(&took.as_secs()), "a connection may idle for 75 s, this one did for {took:?}");
        });
    });
    world.end();
}

#[test]
fn wrong_targets() {
    let world = World::new();
    let key = world.caller.key.as_str();
    let call = |path: &str| once(world.addr, &Request::post(path, "{}").bearer(key));
    call("/connect/relay/0192f6a0-0000-7000-8000-000000000000").expect_problem(404, "not_found");
    let known = world.callee.id.as_str();
    for id in ["nothing", "0192f6a0", &known.replace('-', ""), &format!("{known}0")] {
        call(&format!("/connect/relay/{id}")).expect_problem(422, "invalid_query");
        let row = once(world.addr, &Request::get(format!("/connect/v1/agents/{id}")));
        row.expect_problem(422, "invalid_query");
    }
    let offline = api::register(world.addr, "offline");
    api::call(world.addr, &offline.id, key, "{}").expect_problem(404, "agent_not_connected");
    call("/nothing-here").expect_problem(404, "not_found");
    call("/connect/v1/nothing-here").expect_problem(404, "not_found");
    let answer = once(world.addr, &Request::new("PUT", "/connect/v1/agents").bearer(key))
        .expect_problem(405, "method_not_allowed");
    assert!(answer.header("allow").is_some_and(|allow| allow.contains("POST")), "{:?}", answer.headers);
    world.end();
}

/// Tokens and keys that are present but bad.
fn bad_credentials(world: &World) -> Vec<(&'static str, String)> {
    let good = api::token(world.addr, &world.caller.key);
    let (header, claims) = jwt::read(&good);
    let kid = &header["kid"];
    let own = jwt::Key::of_exchange(&world.server.data);
    let with = |key: &str, value: serde_json::Value| {
        let mut changed = claims.clone();
        changed[key] = value;
        changed
    };
    let jwks = api::get(world.addr, "/.well-known/jwks.json");
    assert_eq!(jwks, api::get(world.addr, "/connect/.well-known/jwks.json"));
    assert!(
        jwks["keys"].as_array().is_some_and(|keys| keys.iter().any(|key| key["kid"] == *kid && key.get("d").is_none()))
    );
    // The control: what this test signs with the exchange's key is accepted if it is right.
    let control = own.sign(&claims, kid);
    api::call(world.addr, &world.callee.id, &control, "{}").expect(200);
    let mut flipped = good.clone().into_bytes();
    let middle = flipped.len() - 40;
    flipped[middle] = if flipped[middle] == b'A' { b'B' } else { b'A' };
    vec![
        ("an unknown key", format!("ll_{}", "A".repeat(43))),
        ("a key with its end cut", world.caller.key[..40].to_owned()),
        ("no credential at all", "nonsense".into()),
        ("alg none", jwt::none(&claims, kid)),
        ("HS256 with the public key", jwt::hs256(&claims, kid, jwks.to_string().as_bytes())),
        ("another key", jwt::Key::fresh().sign(&claims, kid)),
        ("an unknown kid", own.sign(&claims, &json!("nobody"))),
        ("expired", own.sign(&with("exp", json!(jwt::now() - 1)), kid)),
        ("another audience", own.sign(&with("aud", json!("elsewhere")), kid)),
        ("another issuer", own.sign(&with("iss", json!("http://elsewhere/connect")), kid)),
        ("an altered signature", String::from_utf8(flipped).expect("ASCII")),
    ]
}

#[test]
fn bad_credentials_are_refused_everywhere() {
    let world = World::new();
    let addr = world.addr;
    for (name, credential) in bad_credentials(&world) {
        let call = api::call(addr, &world.callee.id, &credential, "{}");
        assert_eq!((call.status, call.code().as_str()), (401, "token_invalid"), "{name}, call: {}", call.text());
        let status = once(addr, &Request::get(format!("{}/status", world.target())).bearer(&credential));
        assert_eq!(status.status, 401, "{name}, status: {}", status.text());
        let verify = once(addr, &Request::post("/connect/v1/auth/verify", "").bearer(&credential));
        assert_eq!((verify.status, verify.code().as_str()), (401, "token_invalid"), "{name}, verify");
        let open = once(addr, &Request::get("/connect/v1/agents").bearer(&credential));
        assert_eq!(open.status, 401, "{name}: a bad credential counts on open paths too");
        let ended = Line::dial(addr, &credential).expect_err(name);
        assert_eq!(ended.code(), 4003, "{name}: {ended:?}");
        // Unknown keys are looked up at most 20 times a second for one address.
        std::thread::sleep(Duration::from_millis(150));
    }
    once(addr, &Request::post(world.target(), "{}")).expect_problem(401, "token_missing");
    let basic = Request::post(world.target(), "{}").header("authorization", "Basic YTpi");
    assert_eq!(once(addr, &basic).status, 401);
    world.end();
}

fn text_value(text: &str) -> Value {
    Value::from(text)
}

/// First frames that end a line, and how.
fn bad_first_frames(key: &str) -> Vec<(&'static str, Vec<u8>, u16)> {
    let token = || ("token", text_value(key));
    vec![
        ("no MessagePack", vec![0xC1], 1002),
        ("nothing", vec![], 1002),
        ("cut in the middle", frame::auth(key)[..20].to_vec(), 1002),
        ("no map", vec![0x93, 1, 2, 3], 1002),
        ("bytes behind the map", [frame::auth(key), vec![0]].concat(), 1002),
        ("a key twice", map(&[("type", "auth".into()), ("v", 1.into()), ("v", 1.into()), token()]), 1002),
        ("no token", map(&[("type", "auth".into()), ("v", 1.into())]), 1002),
        ("no type", map(&[("v", 1.into()), token()]), 1002),
        ("an unknown version", map(&[("type", "auth".into()), ("v", 2.into()), token()]), 1002),
        ("not auth", frame::ping(1), 1002),
        ("a token that is a number", map(&[("type", "auth".into()), ("v", 1.into()), ("token", 7.into())]), 1002),
        ("a token without an end", frame::auth(&"A".repeat(70 << 10)), 4003),
    ]
}

#[test]
fn broken_frames_close_the_line_with_their_code() {
    let world = World::new();
    let agent = api::register(world.addr, "broken");
    for (name, message, code) in bad_first_frames(&agent.key) {
        let mut ws = Ws::dial(world.addr, ENDPOINT, &[]).expect("an upgrade");
        ws.sender().binary(&message).expect("sent");
        let ended = ws.end(SOON).unwrap_or_else(|| panic!("{name}: no close frame"));
        assert_eq!(ended.0, code, "{name}: {ended:?}");
    }
    let mut deep = vec![0x82, 0xA4, b't', b'y', b'p', b'e', 0xA4, b'p', b'i', b'n', b'g', 0xA1, b't'];
    deep.extend([0x91; 2_000]);
    deep.push(1);
    let later: Vec<(&str, Vec<u8>, u16)> = vec![
        ("no MessagePack", vec![0xC1], 1002),
        ("no map", vec![0x90], 1002),
        ("a key twice", map(&[("type", "pong".into()), ("t", 1.into()), ("t", 1.into())]), 1002),
        ("an answer without an id", map(&[("type", "response".into()), ("body", Value::Binary(vec![]))]), 1002),
        ("an id that is text", map(&[("type", "cancel".into()), ("id", "2".into())]), 1002),
        ("nesting without an end", deep, 1002),
    ];
    for (name, message, code) in later {
        let mut line = Line::dial(world.addr, &agent.key).expect("a line");
        line.send(&message);
        assert_eq!(line.end(SOON).code(), code, "{name}");
    }
    world.end();
}

#[test]
fn broken_websocket_frames_close_the_line_with_their_code() {
    let world = World::new();
    let agent = api::register(world.addr, "framing");
    let big = vec![0; 5 << 20];
    type Send = Box<dyn Fn(&landline_tests::ws::Sender)>;
    let whole =
        |opcode: u8, payload: Vec<u8>| -> Send { Box::new(move |to| drop(to.frame(opcode, true, true, &payload))) };
    let announced: Send = Box::new(|to| drop(to.raw(&[0x82, 0xFF, 0, 0, 0, 0, 0, 0x50, 0, 0, 1, 2, 3, 4, 5, 6])));
    let fragments: Send = Box::new(|to| {
        for number in 0..30 {
            let opcode = if number == 0 { opcode::BINARY } else { opcode::CONTINUATION };
            if to.frame(opcode, false, true, &[0; 64 << 10]).is_err() {
                return;
            }
        }
    });
    let table: Vec<(&str, Send, u16)> = vec![
        ("a text message", whole(opcode::TEXT, b"{\"type\": \"ping\"}".to_vec()), 1003),
        ("5 MiB", whole(opcode::BINARY, big), 1009),
        ("5 MiB, announced only", announced, 1009),
        ("too big in fragments", fragments, 1009),
        ("an unmasked frame", Box::new(|to| drop(to.frame(opcode::BINARY, true, false, &frame::ping(1)))), 1002),
        ("an unknown opcode", whole(3, vec![]), 1002),
        ("a reserved bit", Box::new(|to| drop(to.raw(&[0xC2, 0x80, 1, 2, 3, 4]))), 1002),
        ("a ping of 126 bytes", whole(opcode::PING, vec![0; 126]), 1002),
        ("a ping in fragments", Box::new(|to| drop(to.frame(opcode::PING, false, true, b""))), 1002),
        ("a continuation of nothing", whole(opcode::CONTINUATION, vec![1]), 1002),
        ("a close frame of one byte", whole(opcode::CLOSE, vec![3]), 1002),
        ("a close code that nobody may send", whole(opcode::CLOSE, 1005_u16.to_be_bytes().to_vec()), 1002),
    ];
    for (name, send, code) in table {
        let mut line = Line::dial(world.addr, &agent.key).expect("a line");
        let sender = line.ws.sender();
        send(&sender);
        assert_eq!(line.end(SOON).code(), code, "{name}");
    }
    world.end();
}

#[test]
fn what_is_legal_or_unknown_is_no_fault() {
    let world = World::new();
    let (agent, caller) = (api::register(world.addr, "patient"), &world.caller);
    let mut line = Line::dial(world.addr, &agent.key).expect("a line");
    line.send(&map(&[("type", "from-the-future".into()), ("id", 1.into()), ("x", Value::Nil)]));
    line.send(&map(&[("future", true.into()), ("t", 5.into()), ("type", "ping".into())]));
    let pong = line.expect("pong");
    assert_eq!(pong.number("t"), Some(5), "any order of keys, unknown keys ignored");

    let sender = line.ws.sender();
    sender.frame(opcode::PING, true, true, b"hello").expect("sent");
    assert_eq!(line.ws.next(SOON), Event::Pong(b"hello".to_vec()));
    let ping = frame::ping(6);
    sender.frame(opcode::BINARY, false, true, &ping[..5]).expect("sent");
    sender.frame(opcode::PING, true, true, b"between").expect("sent");
    sender.frame(opcode::CONTINUATION, true, true, &ping[5..]).expect("sent");
    assert_eq!(line.ws.next(SOON), Event::Pong(b"between".to_vec()));
    assert_eq!(line.expect("pong").number("t"), Some(6));

    // A body that is text counts as its bytes.
    let mut conn = Conn::open(world.addr).expect("listens");
    conn.start(&api::call_request(&agent.id, &caller.key, "{}")).expect("sent");
    let id = line.expect("request").id();
    line.send(&map(&[("body", "text".into()), ("id", id.into()), ("type", "response".into())]));
    assert_eq!(conn.answer(SOON).expect("an answer").expect(200).body, b"text");

    line.ws.sender().close(1000).expect("sent");
    assert_eq!(line.end(SOON).code(), 1000);
    world.end();
}

#[test]
fn upgrades_that_are_refused() {
    let world = World::new();
    let ws = Ws::dial(world.addr, ENDPOINT, &[("origin", "https://evil.example")]);
    let mut ws = ws.expect("a browser cannot see a status: the upgrade is accepted, then closed");
    assert_eq!(ws.end(SOON).expect("a close frame").0, 4403);
    let plain = once(world.addr, &Request::get(ENDPOINT));
    assert!((400..500).contains(&plain.status) && !plain.code().is_empty(), "{}: {}", plain.status, plain.text());
    let old = Request::get(ENDPOINT)
        .header("upgrade", "websocket")
        .header("connection", "Upgrade")
        .header("sec-websocket-version", "8")
        .header("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    let answer = once(world.addr, &old);
    assert!((400..500).contains(&answer.status), "{}", answer.text());
    assert_eq!(answer.header("sec-websocket-version"), Some("13"), "RFC 6455 section 4.4");
    world.end();
}
