//! Revocation reaches every core at once: rotated keys, revoked tokens, deleted and blocked agents.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use landline_tests::api::{self, Agent};
use landline_tests::http::{Conn, Request, once};
use landline_tests::line::{EchoAgent, Line};
use landline_tests::server::{Data, Server};
use landline_tests::wait::{SOON, eventually, p99};
use landline_tests::{frame, jwt};
use serde_json::json;

const REPETITIONS: usize = 200;
const LIMIT: Duration = Duration::from_millis(100);
/// Connections of the old key's caller: so many that each of two cores accepts some (all on one: once in 2^11 runs).
const CONNECTIONS: usize = 12;

fn two_cores(data: &Data) -> Server {
    Server::up(data, &["--cores", "2"])
}

/// Rotates once; the time from the rotation's answer until the line is closed and no connection takes the old key.
fn rotate_once(addr: SocketAddr, agent: &mut Agent, callee: &str, conns: &mut [Conn]) -> Duration {
    let mut line = Line::dial(addr, &agent.key).expect("the key attaches");
    for conn in conns.iter_mut() {
        conn.ask(&api::call_request(callee, &agent.key, "{}")).expect("an answer").expect(200);
    }
    let fresh = api::rotate(addr, agent);
    let rotated = Instant::now();
    for conn in conns.iter_mut() {
        loop {
            let answer = conn.ask(&api::call_request(callee, &agent.key, "{}")).expect("an answer");
            if answer.status == 401 {
                assert_eq!(answer.code(), "token_invalid");
                break;
            }
            assert!(answer.status == 200 && rotated.elapsed() < SOON, "{} {}", answer.status, answer.text());
        }
    }
    let ended = line.end(SOON);
    let took = rotated.elapsed();
    assert_eq!(ended.code(), 4003, "{ended:?}");
    agent.key = fresh;
    took
}

#[test]
fn a_rotated_key_is_dead_on_every_core_within_100_ms() {
    let data = Data::new();
    let server = two_cores(&data);
    let addr = server.addr;
    let callee = api::register(addr, "callee");
    let echo = EchoAgent::start(addr, &callee.key);
    let mut conns: Vec<Conn> = (0..CONNECTIONS).map(|_| Conn::open(addr).expect("listens")).collect();
    // Two agents, so that lines lie on either core.
    let mut agents: Vec<Agent> = (0..8).map(|n| api::register(addr, &format!("rotated-{n}"))).collect();
    let mut times = Vec::new();
    for repetition in 0..REPETITIONS {
        let agent = &mut agents[repetition % 8];
        let old = agent.key.clone();
        times.push(rotate_once(addr, agent, &callee.id, &mut conns));
        if repetition % 40 == 0 {
            assert_eq!(Line::dial(addr, &old).expect_err("the old key is dead").code(), 4003);
            once(addr, &Request::post("/connect/v1/auth/verify", "").bearer(&old)).expect_problem(401, "token_invalid");
        }
    }
    let (p99, slowest) = (p99(&times), times.iter().max().expect("200 times"));
    eprintln!("rotation: p99 {p99:?}, slowest {slowest:?}, over {REPETITIONS} repetitions");
    assert!(p99 <= LIMIT, "p99 is {p99:?}");
    echo.stop();
    server.assert_no_panic();
}

#[test]
fn revoked_tokens_die_and_the_key_stays() {
    let data = Data::new();
    let server = two_cores(&data);
    let addr = server.addr;
    let (agent, callee) = (api::register(addr, "revoker"), api::register(addr, "callee"));
    let echo = EchoAgent::start(addr, &callee.key);
    let (first, second) = (api::token(addr, &agent.key), api::token(addr, &agent.key));
    for token in [&first, &second] {
        api::call(addr, &callee.id, token, "{}").expect(200);
    }

    let revoke = |body| once(addr, &Request::post_json("/connect/v1/auth/revoke", &body).bearer(&agent.key));
    let mut line = Line::dial(addr, &first).expect("a token attaches");
    let (_, claims) = jwt::read(&first);
    let answer = revoke(json!({"jti": claims["jti"]}));
    assert!((200..300).contains(&answer.status), "{}", answer.text());
    assert_eq!(line.end(SOON).code(), 4003, "the revoked token's line");
    eventually(SOON, "the revoked token to be dead", || {
        (api::call(addr, &callee.id, &first, "{}").code() == "token_invalid").then_some(())
    });
    api::call(addr, &callee.id, &second, "{}").expect(200);

    let mut by_token = Line::dial(addr, &second).expect("the other token attaches");
    assert!((200..300).contains(&revoke(json!({"all": true})).status));
    assert_eq!(by_token.end(SOON).code(), 4003, "all tokens die");
    eventually(SOON, "the other token to be dead", || {
        (api::call(addr, &callee.id, &second, "{}").code() == "token_invalid").then_some(())
    });
    api::call(addr, &callee.id, &agent.key, "{}").expect(200);
    let newest = api::token(addr, &agent.key);
    api::call(addr, &callee.id, &newest, "{}").expect(200);
    Line::dial(addr, &agent.key).expect("the key stays").assert_alive();
    echo.stop();
}

#[test]
fn a_blocked_agent_is_closed_with_4010_and_neither_calls_nor_is_called() {
    let data = Data::new();
    let server = two_cores(&data);
    let (addr, operator) = (server.addr, server.admin_token());
    let (agent, other) = (api::register(addr, "blocked"), api::register(addr, "other"));
    let echo = EchoAgent::start(addr, &other.key);
    let mut line = Line::dial(addr, &agent.key).expect("a line");
    api::call(addr, &other.id, &agent.key, "{}").expect(200);

    let answer = api::admin(addr, &operator, &agent.id, "block", &json!({"reason": "a test"}));
    assert!((200..300).contains(&answer.status), "{}", answer.text());
    assert_eq!(line.end(SOON).code(), 4010);
    assert_eq!(Line::dial(addr, &agent.key).expect_err("blocked").code(), 4010);
    api::call(addr, &other.id, &agent.key, "{}").expect_problem(403, "agent_blocked");
    api::call(addr, &agent.id, &other.key, "{}").expect_problem(403, "target_blocked");

    let answer = api::admin(addr, &operator, &agent.id, "unblock", &json!({}));
    assert!((200..300).contains(&answer.status), "{}", answer.text());
    eventually(SOON, "the agent to be welcome again", || Line::dial(addr, &agent.key).ok().map(drop));
    echo.stop();
}

#[test]
fn a_deleted_agent_is_closed_with_4003_and_gone() {
    let data = Data::new();
    let server = two_cores(&data);
    let addr = server.addr;
    let (agent, other) = (api::register(addr, "deleted"), api::register(addr, "other"));
    let mut line = Line::dial(addr, &agent.key).expect("a line");
    api::delete(addr, &agent).expect(204);
    assert_eq!(line.end(SOON).code(), 4003);
    assert_eq!(Line::dial(addr, &agent.key).expect_err("deleted").code(), 4003);
    api::call(addr, &agent.id, &other.key, "{}").expect_problem(410, "gone");
    once(addr, &Request::get(format!("/connect/v1/agents/{}", agent.id))).expect_problem(410, "gone");
    api::delete(addr, &agent).expect_problem(410, "gone");
}

#[test]
fn a_new_line_takes_the_place_of_the_old() {
    let data = Data::new();
    let server = two_cores(&data);
    let addr = server.addr;
    let (agent, caller) = (api::register(addr, "mover"), api::register(addr, "caller"));
    let mut old = Line::dial(addr, &agent.key).expect("a line");
    let mut waiting = Conn::open(addr).expect("listens");
    waiting.start(&api::call_request(&agent.id, &caller.key, "{}")).expect("sent");
    let request = old.expect("request");

    let mut new = Line::dial(addr, &agent.key).expect("a second line");
    assert_eq!(old.end(SOON).code(), 4000);
    waiting.answer(SOON).expect("an answer").expect_problem(502, "gateway_unavailable");
    // The old line's call is nobody's on the new one.
    new.send(&frame::response(request.id(), b"late"));
    waiting.start(&api::call_request(&agent.id, &caller.key, "again")).expect("sent");
    let request = new.expect("request");
    new.send(&frame::response(request.id(), b"from the new line"));
    assert_eq!(waiting.answer(SOON).expect("an answer").expect(200).body, b"from the new line");
}
