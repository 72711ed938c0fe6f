//! SIGTERM: nothing new is accepted, lines are told to leave, calls in flight finish, the process ends with 0.

use std::time::{Duration, Instant};

use landline_tests::api;
use landline_tests::frame;
use landline_tests::http::Conn;
use landline_tests::line::Line;
use landline_tests::server::{Data, Server};
use landline_tests::wait::{SOON, eventually};

#[test]
fn a_call_in_flight_finishes_and_is_audited() {
    let data = Data::new();
    let mut server = Server::up(&data, &[]);
    let addr = server.addr;
    let (agent, caller) = (api::register(addr, "slow"), api::register(addr, "caller"));
    let mut line = Line::dial(addr, &agent.key).expect("a line");
    let mut conn = Conn::open(addr).expect("listens");
    let request = api::call_request(&agent.id, &caller.key, "{}").header("x-request-id", "in-flight");
    conn.start(&request).expect("sent");
    let request = line.expect("request");

    server.terminate();
    let drain = line.expect("drain");
    assert!(drain.number("deadline_ms").is_some_and(|ms| ms <= 25_000), "{drain:?}");
    assert!(drain.number("redial_after_ms").is_some(), "{drain:?}");
    eventually(SOON, "the listener to be closed", || Conn::open(addr).is_err().then_some(()));
    assert_eq!(server.exit(Duration::from_millis(500)), None, "it waits for the call");

    line.send(&frame::response(request.id(), b"finished"));
    assert_eq!(conn.answer(SOON).expect("an answer").expect(200).body, b"finished");
    let ended = line.end(SOON);
    assert_eq!(ended.code(), 1001, "{ended:?}");
    let status = server.exit(SOON).expect("it leaves when the last call is done");
    assert!(status.success(), "{status}: {}", server.log());
    assert!(!server.data.join("run.json").exists(), "run.json goes with it");
    server.assert_no_panic();

    let again = Server::up(&data, &[]);
    let rows = api::recent(again.addr, 10);
    let row = rows.iter().find(|row| row["request_id"] == "in-flight").expect("the call's audit row survived the end");
    assert_eq!(row["status_code"], 200);
}

#[test]
fn an_agent_that_never_answers_does_not_hold_it_up() {
    let data = Data::new();
    let mut server = Server::up(&data, &["--drain-deadline", "2s"]);
    let addr = server.addr;
    let (agent, caller) = (api::register(addr, "never"), api::register(addr, "caller"));
    let mut line = Line::dial(addr, &agent.key).expect("a line");
    let mut conn = Conn::open(addr).expect("listens");
    conn.start(&api::call_request(&agent.id, &caller.key, "{}")).expect("sent");
    line.expect("request");
    // An event stream never ends by itself either.
    let _feed = landline_tests::sse::Listener::start(addr, "relay", None);

    let started = Instant::now();
    server.terminate();
    let answer = conn.answer(SOON).expect("its caller is told");
    assert!((500..600).contains(&answer.status) && !answer.code().is_empty(), "{} {}", answer.status, answer.text());
    let status = server.exit(SOON).expect("it leaves at the deadline");
    let took = started.elapsed();
    assert!(status.success(), "{status}: {}", server.log());
    assert!(took >= Duration::from_millis(1_500) && took < Duration::from_secs(8), "it took {took:?}");
}

#[test]
fn an_idle_server_leaves_at_once_and_a_second_signal_ends_a_draining_one() {
    let data = Data::new();
    let started = Instant::now();
    let server = Server::up(&data, &[]);
    drop(Line::dial(server.addr, &api::register(server.addr, "idle").key).expect("a line"));
    server.stop();
    assert!(started.elapsed() < Duration::from_secs(15));

    let mut server = Server::up(&data, &[]);
    let addr = server.addr;
    let (agent, caller) = (api::register(addr, "never"), api::register(addr, "caller"));
    let mut line = Line::dial(addr, &agent.key).expect("a line");
    let mut conn = Conn::open(addr).expect("listens");
    conn.start(&api::call_request(&agent.id, &caller.key, "{}")).expect("sent");
    line.expect("request");
    server.terminate();
    line.expect("drain");
    server.terminate();
    let status = server.exit(SOON).expect("the second signal ends it at once");
    assert_eq!(status.code(), Some(130));
}
