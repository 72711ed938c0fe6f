//! Bodies in parts.

use landline_wire::error::Code;
use landline_wire::frame::{Call, Chunk, Frame};
use landline_wire::limits::{MAX_OUTGOING, WINDOW_BYTES};

use super::{Node, Sent, agent};
use crate::types::{ConnKey, Origin, Reply};

/// A node with one line that takes parts, or does not.
fn node(parts: bool) -> (Node, usize) {
    let mut node = Node::new(2);
    node.parts = parts;
    let line = node.attach(agent(1));
    node.take(line);
    (node, line)
}

fn part(node: &mut Node, core: usize, conn: u64, body: &[u8], more: bool) {
    let (home, now) = (agent(1).home_core(2), node.now);
    let origin = Origin::Http { core, conn: ConnKey(conn) };
    node.engines[core].part_at(home, origin, body.to_vec().into(), more, now);
    node.run();
}

#[test]
fn a_line_that_takes_parts_gets_them_as_they_come() {
    let (mut node, line) = node(true);
    let conn = node.upload(1, Some(agent(2)), agent(1));
    let (id, body) = node.request(line);
    assert!(body.is_empty());
    part(&mut node, 1, conn, b"one", true);
    part(&mut node, 1, conn, b"two", false);
    let chunk = |body: &[u8], more| Sent::Chunk { id, more, body: body.to_vec() };
    assert_eq!(node.take(line), [chunk(b"one", true), chunk(b"two", false)]);
    node.respond(line, id, b"done");
    assert!(matches!(&node.reply(conn)[..], [Reply::Credit(_), Reply::Head { more: false, .. }]));
}

#[test]
fn a_line_that_takes_requests_whole_gets_one_frame() {
    let (mut node, line) = node(false);
    let conn = node.upload(0, Some(agent(2)), agent(1));
    part(&mut node, 0, conn, b"one", true);
    assert!(node.take(line).is_empty());
    assert_eq!(node.reply(conn), [Reply::Credit(WINDOW_BYTES), Reply::Credit(0), Reply::Credit(3)]);
    part(&mut node, 0, conn, b"two", false);
    assert_eq!(node.request(line).1, b"onetwo");
    assert_eq!(node.engines.iter().map(|engine| engine.held_bytes()).sum::<usize>(), 0);
}

#[test]
fn a_gathered_body_over_the_limit_is_413_and_never_reaches_the_agent() {
    let (mut node, line) = node(false);
    let conn = node.upload(0, Some(agent(2)), agent(1));
    for _ in 0..5 {
        part(&mut node, 0, conn, &vec![0; WINDOW_BYTES], true);
    }
    assert_eq!(node.problem(conn).code, Code::BodyTooLarge);
    assert!(node.take(line).is_empty() && node.audited().is_empty());
    assert_eq!(node.engines.iter().map(|engine| engine.held_bytes()).sum::<usize>(), 0);
}

#[test]
fn the_agents_credit_reaches_the_caller_and_more_than_the_window_ends_the_call() {
    let (mut node, line) = node(true);
    let conn = node.upload(1, Some(agent(2)), agent(1));
    let (id, _) = node.request(line);
    part(&mut node, 1, conn, &vec![0; WINDOW_BYTES], true);
    node.send(line, &Frame::Credit { id, bytes: 10 });
    assert_eq!(node.reply(conn), [Reply::Credit(WINDOW_BYTES), Reply::Credit(10)]);
    node.take(line);
    part(&mut node, 1, conn, &[0; 11], true);
    assert_eq!(node.problem(conn).code, Code::FlowControl);
    assert_eq!(node.take(line), [Sent::Cancel { id, code: Some("flow_control".into()) }]);
}

#[test]
fn an_upload_that_stands_still_is_whoevers_fault_it_is() {
    for (sent, code) in [(1, Code::UploadTimeout), (WINDOW_BYTES, Code::AgentTimeout)] {
        let (mut node, line) = node(true);
        let conn = node.upload(0, Some(agent(2)), agent(1));
        node.request(line);
        node.reply(conn);
        node.pass_ms(59_000);
        part(&mut node, 0, conn, &vec![0; sent], true);
        node.pass_ms(59_999);
        assert!(node.reply(conn).is_empty(), "each part moves the deadline");
        node.pass_ms(1);
        assert_eq!(node.problem(conn).code, code);
    }
}

#[test]
fn an_answer_may_come_before_the_body_is_complete() {
    let (mut node, line) = node(true);
    let conn = node.upload(0, Some(agent(2)), agent(1));
    let (id, _) = node.request(line);
    node.reply(conn);
    node.respond(line, id, b"enough");
    assert_eq!(node.reply(conn).len(), 1);
    part(&mut node, 0, conn, b"late", true);
    assert!(node.take(line).is_empty() && node.reply(conn).is_empty());
}

#[test]
fn an_agent_sends_its_own_call_in_parts() {
    for parts in [true, false] {
        let (mut node, to) = node(parts);
        let from = node.attach(agent(2));
        node.take(from);
        let target = agent(1).to_string();
        node.send(from, &Frame::Call(Call { id: 5, to: &target, more: true, body: b"a", ..Call::default() }));
        node.send(from, &Frame::Chunk(Chunk { id: 5, more: false, body: b"b" }));
        let sent = node.take(to);
        let bodies: Vec<u8> = sent
            .iter()
            .flat_map(|sent| match sent {
                Sent::Request { body, .. } | Sent::Chunk { body, .. } => body.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!((bodies.as_slice(), sent.len()), (&b"ab"[..], if parts { 2 } else { 1 }));
        // The body is complete: another part is a stray.
        node.send(from, &Frame::Chunk(Chunk { id: 5, more: false, body: b"c" }));
        assert_eq!(node.engines[node.lines[from].core].stats().strays, 1);
    }
}

#[test]
fn the_calls_of_a_line_are_bounded_and_their_ids_used_once() {
    let (mut node, _) = node(true);
    let from = node.attach(agent(2));
    node.take(from);
    let nobody = agent(77).to_string();
    for n in 0..=MAX_OUTGOING as u64 {
        node.send(from, &Frame::Call(Call { id: 2 * n + 1, to: &nobody, ..Call::default() }));
    }
    let refused = Sent::Error { id: Some(2 * MAX_OUTGOING as u64 + 1), code: "rate_limited".into() };
    assert_eq!(node.take(from), [refused]);
    node.send(from, &Frame::Call(Call { id: 1, to: &nobody, ..Call::default() }));
    assert_eq!(node.take(from), [Sent::Close(1002)]);
}

#[test]
fn a_first_part_over_the_window_is_refused() {
    let (mut node, to) = node(true);
    let from = node.attach(agent(2));
    node.take(from);
    let (target, body) = (agent(1).to_string(), vec![0; WINDOW_BYTES + 1]);
    node.send(from, &Frame::Call(Call { id: 1, to: &target, more: true, body: &body, ..Call::default() }));
    assert_eq!(node.take(from), [Sent::Error { id: Some(1), code: "flow_control".into() }]);
    assert!(node.take(to).is_empty());
}

#[test]
fn a_cancelled_call_is_answered_nothing_and_a_cancel_of_nothing_is_a_stray() {
    let (mut node, to) = node(true);
    let from = node.attach(agent(2));
    node.take(from);
    let target = agent(1).to_string();
    node.send(from, &Frame::Call(Call { id: 3, to: &target, ..Call::default() }));
    let (id, _) = node.request(to);
    node.send(from, &Frame::Cancel { id: 3, code: None });
    assert_eq!(node.take(to), [Sent::Cancel { id, code: None }]);
    node.respond(to, id, b"late");
    assert!(node.take(from).is_empty());
    node.send(from, &Frame::Cancel { id: 3, code: None });
    assert_eq!(
        node.engines[node.lines[from].core].stats().strays,
        1 + u64::from(node.lines[from].core == node.lines[to].core)
    );
}
