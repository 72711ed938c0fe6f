//! Rates per address and per agent, bounds in flight and bounds of sockets: what is over them is told when to come back.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use landline_tests::api;
use landline_tests::frame;
use landline_tests::http::{Answer, Conn, Request, once};
use landline_tests::line::{ENDPOINT, EchoAgent, Ended, Line};
use landline_tests::server::{Data, Server};
use landline_tests::wait::{SOON, eventually};
use landline_tests::ws::Ws;
use serde_json::json;

#[track_caller]
fn is_limited(answer: &Answer) {
    assert_eq!((answer.status, answer.code().as_str()), (429, "rate_limited"), "{}", answer.text());
    let seconds = answer.json()["retry_after_seconds"].as_u64().expect("when to come back");
    assert!((1..=3_600).contains(&seconds));
    assert_eq!(answer.header("retry-after"), Some(seconds.to_string().as_str()));
}

fn register(addr: SocketAddr, from: &str, name: &str, token: Option<&str>) -> Answer {
    let source: IpAddr = from.parse().expect("an address");
    let request = Request::post_json("/connect/v1/agents", &json!({"card": api::card(name)}));
    let request = token.map_or(request.clone(), |token| request.bearer(token));
    Conn::open_from(source, addr).expect("listens").ask(&request).expect("an answer")
}

#[test]
fn registrations_are_limited_per_address_and_the_operator_is_exempt() {
    let data = Data::new();
    // Empty counts as unset: the documented defaults hold.
    let server = Server::up(&data, &["--rate-limits", ""]);
    let addr = server.addr;
    for number in 0..10 {
        assert_eq!(register(addr, "127.0.0.21", &format!("first-{number}"), None).status, 201);
    }
    is_limited(&register(addr, "127.0.0.21", "first-10", None));
    assert_eq!(register(addr, "127.0.0.22", "second-0", None).status, 201, "another address has its own bucket");
    for number in 0..12 {
        let answer = register(addr, "127.0.0.21", &format!("third-{number}"), Some(&server.admin_token()));
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    // Nobody chooses the address that counts.
    let request = Request::post_json("/connect/v1/agents", &json!({"card": api::card("forged")}))
        .header("x-forwarded-for", "203.0.113.9")
        .header("forwarded", "for=203.0.113.9")
        .header("x-real-ip", "203.0.113.9");
    let mut conn = Conn::open_from("127.0.0.21".parse().expect("an address"), addr).expect("listens");
    is_limited(&conn.ask(&request).expect("an answer"));
}

#[test]
fn rates_are_settings() {
    let data = Data::new();
    let server = Server::up(&data, &["--rate-limits", "discovery=3/h,authenticated=5/min,registration=off"]);
    let addr = server.addr;
    for number in 0..15 {
        api::register(addr, &format!("many-{number}"));
    }
    let search = Request::get("/connect/v1/search?q=echo");
    for _ in 0..3 {
        once(addr, &search).expect(200);
    }
    is_limited(&once(addr, &search));
    let agent = api::register(addr, "one-more");
    let verify = Request::post("/connect/v1/auth/verify", "").bearer(&agent.key);
    for _ in 0..5 {
        once(addr, &verify).expect(200);
    }
    is_limited(&once(addr, &verify));
    // Calls have no rate by default: their bound is what is in flight.
    let echo = EchoAgent::start(addr, &agent.key);
    let caller = api::register(addr, "caller");
    for _ in 0..40 {
        api::call(addr, &agent.id, &caller.key, "{}").expect(200);
    }
    echo.stop();
}

/// A call that waits for its agent, and its id on the agent's line.
fn open_call(addr: SocketAddr, to: &str, token: &str, line: &mut Line) -> (Conn, u64) {
    let mut conn = Conn::open(addr).expect("listens");
    conn.start(&api::call_request(to, token, "{}")).expect("sent");
    (conn, line.expect("request").id())
}

#[test]
fn one_caller_holds_64_calls_of_a_line_and_all_of_them_256() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let addr = server.addr;
    let agent = api::register(addr, "busy");
    let callers: Vec<_> = (0..5).map(|number| api::register(addr, &format!("caller-{number}"))).collect();
    let mut line = Line::dial(addr, &agent.key).expect("a line");
    assert_eq!((line.ready.number("max_in_flight"), line.ready.number("heartbeat_s")), (Some(256), Some(30)));
    let mut waiting = Vec::new();
    for caller in &callers[..4] {
        waiting.extend((0..64).map(|_| open_call(addr, &agent.id, &caller.key, &mut line)));
        is_limited(&api::call(addr, &agent.id, &caller.key, "{}"));
    }
    let last = &callers[4].key;
    is_limited(&api::call(addr, &agent.id, last, "{}"));
    let status = once(addr, &Request::get(format!("/connect/relay/{}/status", agent.id)).bearer(last));
    assert_eq!(status.expect(200).json()["in_flight"], 256);
    // Each end makes room for one.
    let (mut done, id) = waiting.swap_remove(0);
    line.send(&frame::response(id, b"done"));
    assert_eq!(done.answer(SOON).expect("an answer").expect(200).body, b"done");
    let (mut next, id) = open_call(addr, &agent.id, last, &mut line);
    line.send(&frame::response(id, b"room"));
    assert_eq!(next.answer(SOON).expect("an answer").expect(200).body, b"room");
    // A caller that leaves makes room too, and the agent hears of it.
    let (leaving, id) = waiting.swap_remove(0);
    drop(leaving);
    assert_eq!(line.expect("cancel").id(), id);
    let (mut next, id) = open_call(addr, &agent.id, last, &mut line);
    line.send(&frame::response(id, b"room"));
    next.answer(SOON).expect("an answer").expect(200);
}

#[test]
fn sockets_that_do_not_authenticate_are_bounded_per_address() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let addr = server.addr;
    let source: IpAddr = "127.0.0.31".parse().expect("an address");
    let dial = || Ws::upgrade(Conn::open_from(source, addr)?, ENDPOINT, &[]);
    let silent: Vec<_> = (0..64).map(|_| dial().expect("an answer").expect("an upgrade")).collect();
    // The 65th is turned away: by a status, a close code or a closed connection, at once in each case.
    let turned_away = match dial() {
        Err(_) => true,
        Ok(Err(answer)) => matches!(answer.status, 429 | 503),
        Ok(Ok(mut ws)) => ws.end(Duration::from_secs(3)).is_none_or(|(code, _)| matches!(code, 1013 | 4029)),
    };
    assert!(turned_away, "a 65th socket without auth was taken");
    // Others are not hurt, and when the silent ones are gone there is room again.
    let agent = api::register(addr, "other");
    Line::dial(addr, &agent.key).expect("another address").assert_alive();
    drop(silent);
    eventually(SOON, "room again", || {
        let ws = dial().ok()?.ok()?;
        Line::authenticate(ws, &agent.key).ok().map(drop)
    });
}

#[test]
fn unknown_keys_are_looked_up_at_a_bounded_rate() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let addr = server.addr;
    let agent = api::register(addr, "target");
    let echo = EchoAgent::start(addr, &agent.key);
    // Known on each core, by calls over as many connections as make it sure.
    for _ in 0..24 {
        api::call(addr, &agent.id, &agent.key, "{}").expect(200);
    }
    let mut conn = Conn::open_from("127.0.0.41".parse().expect("an address"), addr).expect("listens");
    let mut codes = std::collections::BTreeMap::new();
    for number in 0..120 {
        let key = format!("ll_{number:043}");
        let answer = conn.ask(&api::call_request(&agent.id, &key, "{}")).expect("an answer");
        *codes.entry((answer.status, answer.code())).or_insert(0) += 1;
    }
    let (refused, limited) = (codes.get(&(401, "token_invalid".into())), codes.get(&(429, "rate_limited".into())));
    assert!(refused.is_some_and(|count| *count >= 10) && limited.is_some_and(|count| *count >= 10), "{codes:?}");
    // A known key from the same address is served meanwhile.
    conn.ask(&api::call_request(&agent.id, &agent.key, "{}")).expect("an answer").expect(200);
    echo.stop();
}

#[test]
fn listeners_of_the_feed_are_bounded_per_address() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let source: IpAddr = "127.0.0.51".parse().expect("an address");
    let listen = || {
        let mut conn = Conn::open_from(source, server.addr).expect("listens");
        conn.start(&Request::get("/connect/v1/events?topic=relay")).expect("sent");
        let (status, _) = conn.head(SOON).expect("a head");
        (status, conn)
    };
    let held: Vec<_> = (0..16).map(|_| listen()).collect();
    assert!(held.iter().all(|(status, _)| *status == 200));
    assert!(matches!(listen().0, 429 | 503));
    drop(held);
    eventually(SOON, "the places to be free again", || (listen().0 == 200).then_some(()));
}

#[test]
fn lines_are_bounded_where_the_operator_says_so() {
    let data = Data::new();
    let server = Server::up(&data, &["--max-lines", "3", "--max-lines-per-ip", "2", "--rate-limits", "off"]);
    let addr = server.addr;
    let agents: Vec<_> = (0..5).map(|n| api::register(addr, &format!("line-{n}"))).collect();
    let dial = |agent: usize, from: &str| {
        let conn = Conn::open_from(from.parse().expect("an address"), addr).expect("listens");
        Line::authenticate(Ws::upgrade(conn, ENDPOINT, &[]).expect("no fault").expect("an upgrade"), &agents[agent].key)
    };
    let (first, _second) = (dial(0, "127.0.0.1").expect("a line"), dial(1, "127.0.0.1").expect("a line"));
    assert_eq!(dial(2, "127.0.0.1").unwrap_err(), Ended::Closed(4029, "lines_per_ip".into()));
    let _third = dial(2, "127.0.0.2").expect("another address");
    assert_eq!(dial(3, "127.0.0.3").unwrap_err(), Ended::Closed(4029, "lines_per_node".into()));
    // A line that goes makes room.
    drop(first);
    eventually(SOON, "a place", || dial(3, "127.0.0.1").ok());
    server.assert_no_panic();
}

#[test]
fn sockets_that_have_not_spoken_are_bounded_in_all() {
    let data = Data::new();
    let server = Server::up(&data, &["--max-pending", "3"]);
    let dial = |n: u8| Conn::open_from(IpAddr::from([127, 0, 0, n]), server.addr);
    let from = |n: u8| dial(n).expect("there is room");
    let mut silent: Vec<_> = (1..=3).map(from).collect();
    // Cores accept side by side: the next one must not be faster than these.
    let all_taken = || {
        let metrics = once(server.address("admin"), &Request::get("/metrics")).expect(200).text();
        metrics.contains("landline_sockets_pending 3\n").then_some(())
    };
    eventually(SOON, "three places taken", all_taken);
    // The bound is the server's, whatever address the next one comes from.
    eventually(SOON, "a refusal", || {
        dial(9).map_or(true, |mut conn| conn.closes(Duration::from_millis(300))).then_some(())
    });
    // One that finds no place is served if there is one a moment later.
    let request = Request::get("/connect/v1/relay/stats");
    eventually(SOON, "a wait that was worth it", || {
        while silent.len() < 3 {
            silent.push(from(4));
        }
        eventually(SOON, "three places taken", all_taken);
        let mut fourth = from(5);
        fourth.start(&request).ok()?;
        std::thread::sleep(Duration::from_millis(30));
        silent.remove(0).ask(&request).expect("an answer").expect(200);
        fourth.answer(SOON).ok().filter(|answer| answer.status == 200).map(drop)
    });
    // One that speaks gives its place back.
    silent[0].ask(&Request::get("/connect/v1/relay/stats")).expect("an answer").expect(200);
    let spoken = from(10).ask(&Request::get("/connect/v1/relay/stats"));
    spoken.expect("an answer").expect(200);
    server.assert_no_panic();
}
