//! Each bound of a core: what happens at it is what the table says, and it is counted once.

use bytes::Bytes;
use landline_wire::bounds::Bound;
use landline_wire::close;
use landline_wire::error::Code;
use landline_wire::frame::{Call, Frame, HeadersBuilder, Response};
use landline_wire::ids::AgentId;
use landline_wire::limits::*;
use landline_wire::message::Violation;

use super::{Node, Sent, agent, known_agent};
use crate::types::{ConnKey, Origin};
use crate::{Config, StreamId};

/// A node of one core with a line of agent 1.
fn node(config: Config) -> (Node, usize) {
    let mut node = Node::with(1, config);
    node.parts = true;
    let line = node.attach(agent(1));
    node.take(line);
    (node, line)
}

fn call(node: &mut Node, body: &[u8]) -> u64 {
    node.call(0, Some(agent(2)), agent(1), body)
}

fn part(node: &mut Node, conn: u64, bytes: usize) {
    let now = node.now;
    let origin = Origin::Http { core: 0, conn: ConnKey(conn) };
    node.engines[0].part_at(0, origin, vec![0; bytes].into(), true, now);
    node.run();
}

/// The call failed with this code, and only this bound was reached, once.
#[track_caller]
fn is_refused(node: &mut Node, conn: u64, code: Code, bound: Bound) {
    assert_eq!(node.problem(conn).code, code);
    is_only(node, bound);
}

#[track_caller]
fn is_only(node: &Node, bound: Bound) {
    let reached: Vec<(&str, u64)> =
        Bound::ALL.iter().map(|bound| (bound.label(), node.reached(*bound))).filter(|(_, count)| *count > 0).collect();
    assert_eq!(reached, [(bound.label(), 1)]);
}

#[test]
fn calls_in_flight() {
    let few = || Config { max_in_flight: 2, max_in_flight_per_caller: 1, ..Config::default() };
    let (mut node, _) = node(few());
    call(&mut node, b"");
    let second = call(&mut node, b"");
    is_refused(&mut node, second, Code::RateLimited, Bound::CallerCalls);
    node.call(0, Some(agent(3)), agent(1), b"");
    let third = node.call(0, Some(agent(4)), agent(1), b"");
    assert_eq!(node.problem(third).code, Code::RateLimited);
    assert_eq!((node.reached(Bound::LineCalls), node.reached(Bound::CallerCalls)), (1, 1));
}

#[test]
fn slots_of_the_call_table() {
    let (mut node, line) = node(Config { max_calls: 1, ..Config::default() });
    call(&mut node, b"");
    let (id, _) = node.request(line);
    let second = call(&mut node, b"");
    is_refused(&mut node, second, Code::Overloaded, Bound::CoreCalls);
    node.respond(line, id, b"");
    let third = call(&mut node, b"");
    assert!(node.reply(third).is_empty(), "a call that ended makes room");
}

#[test]
fn calls_of_a_lines_own() {
    let (mut node, line) =
        node(Config { max_in_flight: usize::MAX, max_in_flight_per_caller: usize::MAX, ..Config::default() });
    let target = agent(9).to_string();
    for n in 0..=MAX_OUTGOING as u64 {
        node.send(line, &Frame::Call(Call { id: 2 * n + 1, to: &target, ..Call::default() }));
    }
    let id = Some(2 * MAX_OUTGOING as u64 + 1);
    assert_eq!(node.take(line), [Sent::Error { id, code: "rate_limited".into() }]);
    is_only(&node, Bound::OwnCalls);
}

#[test]
fn lines_side_by_side() {
    let mut node = Node::new(1);
    let key = landline_link::Credential::Key { key_gen: 1 };
    for _ in 0..MAX_SHARED_LINES {
        node.try_attach(agent(1), key, true).unwrap();
    }
    assert_eq!(node.try_attach(agent(1), key, true), Err(close::CAP_REACHED));
    is_only(&node, Bound::SharedLines);
}

#[test]
fn bytes_that_wait_for_a_line_are_bounded_for_calls() {
    let (mut node, line) = node(Config::default());
    node.stalled = Some(line);
    let body = vec![0; MAX_BODY_BYTES];
    for _ in 0..7 {
        let conn = call(&mut node, &body);
        assert!(node.reply(conn).is_empty());
    }
    let last = call(&mut node, &body);
    is_refused(&mut node, last, Code::Overloaded, Bound::LineQueue);
    assert!(node.engines[0].held_bytes() <= MAX_LINE_QUEUE_BYTES);
    node.stalled = None;
    node.pass_ms(0);
    call(&mut node, b"");
    assert!(!node.take(line).is_empty(), "the line lives, and is called again once it reads");
}

#[test]
fn bytes_that_wait_for_a_line_are_bounded_for_bodies_in_parts() {
    let (mut node, line) = node(Config::default());
    node.stalled = Some(line);
    let conns: Vec<u64> = (0..40).map(|_| node.upload(0, Some(agent(2)), agent(1))).collect();
    for conn in &conns {
        part(&mut node, *conn, WINDOW_BYTES);
    }
    let held = node.engines[0].held_bytes();
    assert!(held <= MAX_LINE_QUEUE_BYTES + 64 * 1024, "{held}");
    assert_eq!(node.reached(Bound::LineQueue), 9, "31 windows and 40 heads fit");
    assert_eq!(node.problem(conns[39]).code, Code::Overloaded);
}

#[test]
fn answers_that_a_line_does_not_read_end_it() {
    // It floods in each of the ways that make the relay answer.
    let target = agent(9).to_string();
    let bad = Frame::Call(Call { id: 1, to: "nobody", ..Call::default() });
    let t = [0xc4, 200].into_iter().chain([7; 200]).collect::<Vec<u8>>();
    for flood in [bad, Frame::Ping(&t), Frame::Pong(&target.as_bytes()[..1])] {
        let (mut node, line) = node(Config::default());
        node.stalled = Some(line);
        let key = node.lines[line].key;
        for _ in 0..200_000 {
            match flood {
                Frame::Pong(_) => {
                    let now = node.now;
                    node.engines[0].ping(key, &[1; 125], now);
                    node.run();
                }
                _ => node.send(line, &flood),
            }
            if node.lines[line].closing {
                break;
            }
        }
        assert!(node.lines[line].closing);
        is_only(&node, Bound::LineReplies);
        assert!(node.engines[0].held_bytes() <= MAX_LINE_QUEUE_BYTES + 1024);
    }
}

#[test]
fn bytes_of_bodies_on_a_core() {
    let (mut node, _) = node(Config { body_budget: 1000, ..Config::default() });
    let conn = call(&mut node, &[0; 1001]);
    is_refused(&mut node, conn, Code::Overloaded, Bound::CoreBodies);
}

#[test]
fn a_call_that_waits_for_a_look_up_holds_its_body() {
    let (mut node, _) = node(Config { body_budget: 1000, ..Config::default() });
    let first = node.call(0, Some(agent(2)), agent(7), &[0; 800]);
    assert_eq!(node.engines[0].held_bytes(), 800);
    let second = node.call(0, Some(agent(2)), agent(8), &[0; 800]);
    is_refused(&mut node, second, Code::Overloaded, Bound::CoreBodies);
    node.answer_lookups(Some(known_agent()));
    assert_eq!(node.problem(first).code, Code::AgentNotConnected);
    assert_eq!(node.engines[0].held_bytes(), 0);
}

#[test]
fn calls_that_wait_for_look_ups() {
    let (mut node, _) = node(Config { max_pending_lookups: 2, ..Config::default() });
    let waiting: Vec<u64> = (0..2).map(|n| node.call(0, None, agent(10 + n), b"")).collect();
    let third = node.call(0, None, agent(20), b"");
    is_refused(&mut node, third, Code::Overloaded, Bound::PendingLookups);
    node.answer_lookups(Some(known_agent()));
    assert!(waiting.iter().all(|conn| node.problem(*conn).code == Code::TokenMissing));
    let fourth = node.call(0, None, agent(20), b"");
    assert!(node.reply(fourth).is_empty(), "it waits");
}

#[test]
fn ids_that_were_looked_up() {
    let (mut node, _) = node(Config::default());
    let id = |n: u64| AgentId::from_parts(n, [3; 10]);
    for n in 0..=MAX_ABSENT_IDS as u64 {
        node.call(0, Some(agent(2)), id(n), b"");
        node.answer_lookups(Some(landline_link::LookupAnswer::AgentUnknown));
    }
    is_only(&node, Bound::AbsentIds);
    let conn = node.call(0, Some(agent(2)), id(MAX_ABSENT_IDS as u64), b"");
    assert_eq!((node.reply(conn).len(), node.lookups.len()), (0, 1), "asked again");
    node.answer_lookups(Some(landline_link::LookupAnswer::AgentUnknown));
    node.pass_ms(ABSENT_CACHE_MS);
    node.call(0, Some(agent(2)), id(MAX_ABSENT_IDS as u64), b"");
    node.answer_lookups(Some(landline_link::LookupAnswer::AgentUnknown));
    assert_eq!(node.reached(Bound::AbsentIds), 2, "the old ones are forgotten in time");
}

#[test]
fn bodies_of_calls_and_answers() {
    let (mut node, line) = node(Config { max_body_bytes: 100, ..Config::default() });
    let conn = call(&mut node, b"");
    let (id, _) = node.request(line);
    node.respond(line, id, &[0; 101]);
    is_refused(&mut node, conn, Code::BadAnswer, Bound::Body);
    let target = agent(1).to_string();
    node.send(line, &Frame::Call(Call { id: 1, to: &target, body: &[0; 101], ..Call::default() }));
    assert_eq!(node.reached(Bound::Body), 2);
    assert!(node.take(line).contains(&Sent::Error { id: Some(1), code: "body_too_large".into() }));
}

#[test]
fn a_message_too_large_to_be_read() {
    let (mut node, line) = node(Config::default());
    let (key, now) = (node.lines[line].key, node.now);
    node.engines[0].violation(key, Violation::new(close::TOO_BIG, close::reason(close::TOO_BIG)), now);
    node.run();
    assert_eq!(node.take(line), [Sent::Close(close::TOO_BIG)]);
    is_only(&node, Bound::Message);
}

#[test]
fn windows_in_both_directions() {
    let (mut node, line) = node(Config::default());
    let conn = node.upload(0, Some(agent(2)), agent(1));
    part(&mut node, conn, WINDOW_BYTES + 1);
    is_refused(&mut node, conn, Code::FlowControl, Bound::Window);
    node.take(line);
    let conn = call(&mut node, b"");
    let (id, _) = node.request(line);
    node.send(line, &Frame::Response(Response { id, more: true, body: &[0; WINDOW_BYTES + 1], ..Response::default() }));
    assert_eq!(node.problem(conn).code, Code::FlowControl);
    assert_eq!(node.reached(Bound::Window), 2);
}

#[test]
fn credit_without_end() {
    let (mut node, line) = node(Config::default());
    let conn = node.upload(0, Some(agent(2)), agent(1));
    let (id, _) = node.request(line);
    node.send(line, &Frame::Credit { id, bytes: MAX_CREDIT });
    is_refused(&mut node, conn, Code::FlowControl, Bound::Credit);
}

#[test]
fn frames_for_calls_of_others() {
    let (mut node, line) = node(Config::default());
    for n in 0..u64::from(MAX_STRAY_FRAMES_PER_MINUTE) {
        node.respond(line, 2 * n, b"");
    }
    assert_eq!(node.take(line), [Sent::Close(close::PROTOCOL_ERROR)]);
    is_only(&node, Bound::Strays);
}

#[test]
fn reports_that_could_not_be_kept() {
    let (mut node, _) = node(Config::default());
    node.all(|engine, _| engine.set_spool_full(true));
    let conn = call(&mut node, b"");
    is_refused(&mut node, conn, Code::Overloaded, Bound::Records);
}

#[test]
fn answers_and_bodies_that_take_too_long() {
    let (mut node, _) = node(Config::default());
    let conn = call(&mut node, b"");
    node.pass_ms(CALL_TIMEOUT_MS);
    is_refused(&mut node, conn, Code::AgentTimeout, Bound::CallTime);
    let conn = node.upload(0, Some(agent(2)), agent(1));
    node.pass_ms(UPLOAD_DEADLINE_MS);
    assert_eq!(node.problem(conn).code, Code::UploadTimeout);
    assert_eq!(node.reached(Bound::UploadTime), 1);
}

#[test]
fn silence() {
    let (mut node, line) = node(Config::default());
    for _ in 0..=MISSED_HEARTBEATS {
        node.pass_ms(HEARTBEAT_S * 1000);
    }
    assert!(node.lines[line].closing);
    is_only(&node, Bound::Heartbeat);
}

/// A call for a stream that gets one event of so many bytes, and ends.
fn stream(node: &mut Node, line: usize, n: u8, bytes: usize) -> u64 {
    node.resumable = Some(StreamId::from([n; 16]));
    let conn = call(node, b"");
    if bytes == 0 {
        return conn;
    }
    let (id, _) = node.request(line);
    let mut headers = HeadersBuilder::default();
    headers.push("content-type", "text/plain");
    let headers = headers.encode();
    let body = Bytes::from(vec![b'x'; bytes]);
    node.send(
        line,
        &Frame::Response(Response { id, headers: headers.as_headers(), body: &body, ..Response::default() }),
    );
    conn
}

#[test]
fn events_of_streams_on_a_core() {
    let (mut node, line) = node(Config { replay_budget: 4_000, ..Config::default() });
    for n in 0..3 {
        let conn = stream(&mut node, line, n, 1_000);
        assert!(!node.reply(conn).is_empty());
    }
    assert_eq!(node.reached(Bound::ReplayOfCore), 0);
    // The fourth finds the budget used up: the oldest complete stream makes room.
    let conn = stream(&mut node, line, 3, 1_000);
    assert!(!node.reply(conn).is_empty());
    is_only(&node, Bound::ReplayOfCore);
    // Streams that are under way are not forgotten: then a call is refused.
    let (mut node, _) = self::node(Config { replay_budget: 0, ..Config::default() });
    let conn = stream(&mut node, 0, 1, 0);
    is_refused(&mut node, conn, Code::Overloaded, Bound::ReplayOfCore);
}
