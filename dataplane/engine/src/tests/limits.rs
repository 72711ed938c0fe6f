//! Every bound has its stated behaviour.

use landline_wire::close;
use landline_wire::error::Code;
use landline_wire::frame::{Call, Frame};
use landline_wire::limits::MAX_STRAY_FRAMES_PER_MINUTE;

use super::{Node, Sent, agent};
use crate::Config;

fn small() -> Config {
    Config { max_in_flight: 8, max_in_flight_per_caller: 2, body_budget: 1 << 20, ..Config::default() }
}

#[test]
fn one_caller_cannot_take_a_line_for_itself_and_all_together_not_more_than_it_holds() {
    let mut node = Node::with(1, small());
    node.attach(agent(1));
    for n in 0..4 {
        for _ in 0..2 {
            let conn = node.call(0, Some(agent(10 + n)), agent(1), b"");
            assert!(node.reply(conn).is_empty());
        }
        let conn = node.call(0, Some(agent(10 + n)), agent(1), b"");
        assert_eq!(node.problem(conn).code, Code::RateLimited);
    }
    let conn = node.call(0, Some(agent(99)), agent(1), b"");
    assert_eq!(node.problem(conn).code, Code::RateLimited);
    assert!(node.audited().is_empty(), "refused before the line: counted only");
}

#[test]
fn a_core_holds_no_more_bytes_than_its_budget() {
    let mut node = Node::with(1, small());
    node.attach(agent(1));
    let conn = node.call(0, Some(agent(2)), agent(1), &vec![0; (1 << 20) + 1]);
    let problem = node.problem(conn);
    assert_eq!((problem.code, problem.retry_after_s), (Code::Overloaded, Some(1)));
    let conn = node.call(0, Some(agent(2)), agent(1), &vec![0; 1 << 20]);
    assert!(node.reply(conn).is_empty());
    // A body that is gathered counts from its first part.
    let budget = Config { body_budget: 300 << 10, ..Config::default() };
    let mut node = Node::with(1, budget);
    node.attach(agent(1));
    let conn = node.upload(0, Some(agent(2)), agent(1));
    let origin = crate::Origin::Http { core: 0, conn: crate::ConnKey(conn) };
    for _ in 0..2 {
        let now = node.now;
        node.engines[0].part_at(0, origin, vec![0; 200 << 10].into(), true, now);
        node.run();
    }
    assert_eq!(node.problem(conn).code, Code::Overloaded);
    assert_eq!(node.engines[0].held_bytes(), 0);
}

#[test]
fn a_full_spool_stops_calls_that_could_not_be_audited() {
    let mut node = Node::new(1);
    node.attach(agent(1));
    node.all(|engine, _| engine.set_spool_full(true));
    let conn = node.call(0, Some(agent(2)), agent(1), b"");
    assert_eq!(node.problem(conn).code, Code::Overloaded);
    node.all(|engine, _| engine.set_spool_full(false));
    let conn = node.call(0, Some(agent(2)), agent(1), b"");
    assert!(node.reply(conn).is_empty());
}

#[test]
fn a_thousand_stray_frames_in_a_minute_end_the_session() {
    let mut node = Node::new(1);
    let line = node.attach(agent(1));
    node.take(line);
    for n in 1..MAX_STRAY_FRAMES_PER_MINUTE {
        node.respond(line, u64::from(n) * 2, b"");
    }
    assert!(node.take(line).is_empty());
    node.respond(line, 4, b"");
    assert_eq!(node.take(line), [Sent::Close(close::PROTOCOL_ERROR)]);
}

#[test]
fn a_call_frame_passes_the_checks_of_an_http_call() {
    let mut node = Node::new(1);
    let (to, from) = (node.attach(agent(1)), node.attach(agent(2)));
    node.take(to);
    node.take(from);
    let target = agent(1).to_string();
    let good = Call { id: 1, to: &target, ..Call::default() };
    for call in [
        Call { to: "nobody", ..good.clone() },
        Call { verb: Some("TRACE"), ..good.clone() },
        Call { verb: Some("GE T"), ..good.clone() },
        Call { path: Some("no-slash"), ..good.clone() },
        Call { path: Some("/a\r\nb"), ..good.clone() },
    ] {
        node.send(from, &Frame::Call(call));
        assert_eq!(node.take(from), [Sent::Error { id: Some(1), code: "invalid_query".into() }]);
    }
    assert!(node.take(to).is_empty());
    node.send(from, &Frame::Call(Call { id: 2, ..good }));
    assert_eq!(node.take(from), [Sent::Close(close::PROTOCOL_ERROR)], "even ids are the relay's");
}
