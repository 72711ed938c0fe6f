//! An agent that does not read, and a caller that does not: both meet a bound, and nobody else notices.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use landline_tests::api;
use landline_tests::frame;
use landline_tests::http::{Conn, Request};
use landline_tests::line::{EchoAgent, Ended, Line};
use landline_tests::server::{Data, Server};
use landline_tests::steady::Steady;
use landline_tests::wait::SOON;

/// More than a line's queue (8 MiB) and the kernel's buffers for one connection hold together.
const BODIES: usize = 48;

#[test]
fn an_agent_that_does_not_read_costs_its_own_callers_a_503() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let addr = server.addr;
    let (stuck, healthy, caller) =
        (api::register(addr, "stuck"), api::register(addr, "healthy"), api::register(addr, "caller"));
    let echo = EchoAgent::start(addr, &healthy.key);
    let steady = Steady::start(addr, &healthy.id, &[&caller.key], Duration::from_millis(5));
    let line = Line::dial(addr, &stuck.key).expect("a line");

    let mut waiting = Vec::new();
    let mut outcomes = BTreeMap::new();
    for _ in 0..BODIES {
        let mut conn = Conn::open(addr).expect("listens");
        let body = vec![b'x'; 1 << 20];
        let request = Request::post(format!("/connect/relay/{}", stuck.id), body).bearer(&caller.key);
        conn.start(&request.header("x-relay-timeout-ms", "3000")).expect("sent");
        waiting.push(conn);
    }
    for conn in &mut waiting {
        let answer = conn.answer(Duration::from_secs(30)).expect("an answer");
        *outcomes.entry((answer.status, answer.code())).or_insert(0) += 1;
        if answer.status == 503 {
            assert!(answer.header("retry-after").is_some());
        }
    }
    assert!(outcomes.contains_key(&(503, "overloaded".into())), "its queue has a bound: {outcomes:?}");
    assert!(
        outcomes
            .keys()
            .all(|(_, code)| matches!(code.as_str(), "overloaded" | "agent_timeout" | "gateway_unavailable")),
        "{outcomes:?}"
    );
    let seen = steady.stop();
    assert!(seen.bad.is_empty() && seen.slowest < Duration::from_secs(5), "{:?} {:?}", seen.bad, seen.slowest);
    drop(line);
    echo.stop();
    server.assert_no_panic();
}

#[test]
fn a_caller_that_does_not_read_holds_one_window_and_no_more() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let addr = server.addr;
    let (agent, caller) = (api::register(addr, "writer"), api::register(addr, "caller"));
    let mut line = Line::dial(addr, &agent.key).expect("a line");
    let window = line.ready.number("window_bytes").expect("a window");
    let mut idle = Conn::open(addr).expect("listens");
    idle.start(&api::call_request(&agent.id, &caller.key, "{}")).expect("sent");
    let id = line.expect("request").id();
    let part = vec![b'y'; 32 << 10];
    let (mut sent, mut credit) = (0_u64, window);
    let started = Instant::now();
    // The kernel's buffers take a few MiB; then no more credit comes.
    loop {
        assert!(
            sent < 64 << 20 && started.elapsed() < Duration::from_secs(60),
            "{sent} bytes went to a caller that does not read"
        );
        if credit >= part.len() as u64 {
            let first = sent == 0;
            line.send(&if first {
                frame::response_with(id, 200, &[], true, &part)
            } else {
                frame::chunk(id, true, &part)
            });
            sent += part.len() as u64;
            credit -= part.len() as u64;
            continue;
        }
        match line.next(Duration::from_secs(2)) {
            Ok(grant) => {
                assert_eq!((grant.kind(), grant.id()), ("credit", id));
                credit += grant.number("bytes").expect("bytes");
            }
            Err(Ended::Silence) => break,
            Err(ended) => panic!("{ended:?}"),
        }
    }
    // Meanwhile the same line serves others, and the stuck call ends when its caller goes.
    let mut other = Conn::open(addr).expect("listens");
    other.start(&api::call_request(&agent.id, &caller.key, "{}")).expect("sent");
    let request = line.expect("request");
    line.send(&frame::response(request.id(), b"not hurt"));
    assert_eq!(other.answer(SOON).expect("an answer").expect(200).body, b"not hurt");
    drop(idle);
    assert_eq!(line.expect_after_credit("cancel").id(), id);
    line.assert_alive();
}
