//! Lines that come, are replaced, stand side by side, fall silent and leave.

use landline_link::{Credential, Report};
use landline_wire::close;
use landline_wire::error::Code;
use landline_wire::limits::MAX_SHARED_LINES;

use super::{Node, Sent, agent, known_agent};

const KEY: Credential = Credential::Key { key_gen: 1 };

#[test]
fn a_new_session_replaces_the_old_one_whose_calls_fail() {
    let mut node = Node::new(1);
    let old = node.attach(agent(1));
    let conn = node.call(0, Some(agent(2)), agent(1), b"");
    let new = node.attach(agent(1));
    assert!(node.take(old).contains(&Sent::Close(close::REPLACED)) && node.lines[old].closing);
    assert_eq!(node.problem(conn).code, Code::GatewayUnavailable);
    assert_eq!(node.take(new), [Sent::Ready]);
    node.call(0, Some(agent(2)), agent(1), b"x");
    assert_eq!(node.request(new).1, b"x");
    let kinds: Vec<_> = node.reports.iter().map(|report| matches!(report, Report::SessionUp(_))).collect();
    assert_eq!(kinds[..2], [true, false], "up, then the call or the end of the old one: {:?}", node.reports);
}

#[test]
fn shared_lines_stand_side_by_side_and_the_least_busy_gets_the_call() {
    let mut node = Node::new(1);
    let lines: Vec<_> = (0..MAX_SHARED_LINES).map(|_| node.try_attach(agent(1), KEY, true).unwrap()).collect();
    assert_eq!(node.try_attach(agent(1), KEY, true), Err(close::CAP_REACHED));
    for _ in 0..MAX_SHARED_LINES {
        node.call(0, Some(agent(2)), agent(1), b"");
    }
    for line in lines {
        node.request(line);
    }
    // One that does not share replaces them all.
    node.attach(agent(1));
    assert!(node.lines[..MAX_SHARED_LINES].iter().all(|line| line.closing));
}

#[test]
fn a_silent_line_is_pinged_and_then_ended() {
    let mut node = Node::new(1);
    let line = node.attach(agent(1));
    for _ in 0..89 {
        node.pass_ms(1_000);
    }
    let pings = node.take(line).iter().filter(|sent| **sent == Sent::Ping).count();
    assert_eq!((pings, node.lines[line].closing), (2, false));
    node.pass_ms(1_000);
    assert!(node.lines[line].closing);
}

#[test]
fn a_leaving_node_lets_calls_in_flight_end_and_takes_no_new_ones() {
    let mut node = Node::new(1);
    let line = node.attach(agent(1));
    let conn = node.call(0, Some(agent(2)), agent(1), b"");
    let (id, _) = node.request(line);
    node.all(|engine, _| engine.drain(1_000));
    assert!(matches!(node.take(line)[..], [Sent::Drain(_)]));
    let refused = node.call(0, Some(agent(2)), agent(1), b"");
    node.answer_lookups(Some(known_agent()));
    assert_eq!(node.problem(refused).code, Code::AgentNotConnected);
    assert_eq!(node.try_attach(agent(3), KEY, false), Err(close::GOING_AWAY));
    // A newer session on another node does not end this one before its call is over.
    let session = node.engines[0].lines().get(node.lines[line].key).unwrap().session;
    node.all(|engine, now| engine.kick(agent(1), session, close::REPLACED, now));
    assert!(!node.lines[line].closing);
    node.respond(line, id, b"done");
    assert_eq!(node.reply(conn).len(), 1);
}

#[test]
fn a_gone_lines_key_finds_nothing_and_its_slot_is_used_again() {
    let mut node = Node::new(1);
    let first = node.attach(agent(1));
    let key = node.lines[first].key;
    node.lose(first);
    let second = node.attach(agent(2));
    assert_eq!(node.lines[second].key.slot, key.slot);
    assert!(node.engines[0].lines().get(key).is_none());
    assert_eq!(node.engines[0].line_count(), 1);
}

#[test]
fn the_lines_of_a_leaving_core_come_back_spread_over_as_long_as_they_take() {
    for (lines, span_ms) in [(100, 500), (6_000, 3_000)] {
        let mut node = Node::new(1);
        let lines: Vec<usize> = (0..lines).map(|n| node.attach(agent(n))).collect();
        node.all(|engine, _| engine.drain(1_000));
        let after = |line: &usize| match node.lines[*line].sent.last() {
            Some(Sent::Drain(after_ms)) => *after_ms,
            other => panic!("{other:?}"),
        };
        let times: Vec<u64> = lines.iter().map(after).collect();
        assert!(times.iter().all(|time| *time < span_ms));
        // In tenths of the span: none has much more than its share.
        let mut tenths = [0; 10];
        times.iter().for_each(|time| tenths[(time * 10 / span_ms) as usize] += 1);
        let share = times.len() / 10;
        assert!(tenths.iter().all(|tenth| (share / 3..share * 2).contains(tenth)), "{tenths:?}");
    }
}
