//! Calls and their answers.

use bytes::Bytes;
use landline_wire::error::Code;
use landline_wire::frame::{Call, ErrorFrame, Frame, Response};
use landline_wire::limits::WINDOW_BYTES;
use landline_wire::pieces::Pieces;

use super::{Node, Sent, agent, agent_with_url, known_agent};
use crate::types::{ConnKey, DirectReply, Origin, Reply};

#[test]
fn a_call_reaches_its_agent_and_its_answer_the_caller_across_cores() {
    let mut node = Node::new(4);
    let (alice, bob) = (agent(1), agent(2));
    let line = node.attach(alice);
    for core in 0..4 {
        let conn = node.call(core, Some(bob), alice, b"hello");
        let (id, body) = node.request(line);
        assert_eq!((id % 2, body.as_slice()), (0, &b"hello"[..]));
        node.respond(line, id, b"world");
        match node.reply(conn).as_slice() {
            [Reply::Head { status: 200, body, more: false, .. }] => assert_eq!(&body.first()[..], b"world"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(node.audited(), [200; 4]);
}

#[test]
fn an_agent_calls_another_over_its_line() {
    for cores in [1, 5] {
        let mut node = Node::new(cores);
        let (alice, bob) = (agent(1), agent(2));
        let (to, from) = (node.attach(alice), node.attach(bob));
        node.take(from);
        let target = alice.to_string();
        node.send(from, &Frame::Call(Call { id: 7, to: &target, path: Some("/x"), body: b"hi", ..Call::default() }));
        let sent = node.take(to);
        let Some(Sent::Request { id, from: Some(caller), path, body }) = sent.last() else { panic!("{sent:?}") };
        assert_eq!((caller, path.as_deref(), body.as_slice()), (&bob.to_string(), Some("/x"), &b"hi"[..]));
        node.respond(to, *id, b"yes");
        let answer = Sent::Response { id: 7, status: 200, more: false, body: b"yes".to_vec() };
        assert_eq!(node.take(from), [answer]);
        assert_eq!(node.audited(), [200]);
    }
}

#[test]
fn a_call_to_nobody_ends_as_the_exchange_knows() {
    use landline_link::LookupAnswer as Known;
    for (answer, code, audited) in [
        (Some(known_agent()), Code::AgentNotConnected, 1),
        (Some(Known::AgentUnknown), Code::NotFound, 0),
        (Some(Known::AgentGone), Code::Gone, 0),
        (None, Code::ExchangeUnavailable, 0),
    ] {
        let mut node = Node::new(2);
        let conn = node.call(0, Some(agent(2)), agent(1), b"");
        let second = node.call(1, Some(agent(2)), agent(1), b"");
        assert_eq!(node.lookups.len(), 1, "one question for all who wait");
        node.answer_lookups(answer);
        assert_eq!((node.problem(conn).code, node.problem(second).code), (code, code));
        assert_eq!(node.audited().len(), 2 * audited);
    }
}

#[test]
fn an_agent_without_a_line_that_has_a_url_is_called_by_the_exchange() {
    let mut node = Node::new(2);
    let conn = node.call(0, Some(agent(2)), agent(1), b"body");
    node.answer_lookups(Some(agent_with_url()));
    let replies = node.reply(conn);
    assert!(matches!(&replies[..], [Reply::Direct(request)] if request.body == b"body"[..].into()), "{replies:?}");
    // One that may not call is not passed on.
    let conn = node.call(0, None, agent(1), b"");
    assert_eq!(node.problem(conn).code, Code::TokenMissing);
    assert!(node.audited().is_empty(), "what the exchange calls, it records");
}

#[test]
fn a_line_is_told_what_the_exchange_got_for_its_call() {
    let mut node = Node::new(2);
    let line = node.attach(agent(3));
    node.take(line);
    let target = agent(1).to_string();
    let (core, key) = (node.lines[line].core, node.lines[line].key);
    for id in [1, 3, 5] {
        node.send(line, &Frame::Call(Call { id, to: &target, body: b"ask", ..Call::default() }));
    }
    node.answer_lookups(Some(agent_with_url()));
    let passed: Vec<_> = node.directs.iter().map(|(c, k, id, request)| (*c, *k, *id, request.body.len())).collect();
    assert_eq!(passed, [1, 3, 5].map(|id| (core, key, id, 3)));
    let tell = |node: &mut Node, id, reply| {
        let now = node.now;
        node.engines[core].direct_reply(key, id, reply, now);
        node.all(|_, _| {});
        node.take(line)
    };
    let head = tell(&mut node, 1, DirectReply::Head { status: 201, headers: Bytes::new() });
    assert_eq!(head, [Sent::Response { id: 1, status: 201, more: true, body: vec![] }]);
    let part = tell(&mut node, 1, DirectReply::Part { body: b"part"[..].into(), more: true });
    assert_eq!(part, [Sent::Chunk { id: 1, more: true, body: b"part".to_vec() }]);
    node.send(line, &Frame::Credit { id: 1, bytes: 4 });
    node.send(line, &Frame::Cancel { id: 3, code: None });
    assert_eq!(std::mem::take(&mut node.direct_news), [(1, Some(4)), (3, None)]);
    assert_eq!(tell(&mut node, 3, DirectReply::Part { body: Pieces::new(), more: false }), [], "it was cancelled");
    let end = tell(&mut node, 1, DirectReply::Part { body: Pieces::new(), more: false });
    assert_eq!(end, [Sent::Chunk { id: 1, more: false, body: vec![] }]);
    node.lose(line);
    assert_eq!(node.direct_news, [(5, None)], "the open one ends with its line");
}

#[test]
fn a_lost_line_fails_its_calls_at_once() {
    let mut node = Node::new(2);
    let line = node.attach(agent(1));
    let calls: Vec<_> = (0..3).map(|core| node.call(core % 2, Some(agent(2)), agent(1), b"")).collect();
    node.lose(line);
    for conn in calls {
        assert_eq!(node.problem(conn).code, Code::GatewayUnavailable);
    }
    assert_eq!(node.audited(), [502; 3]);
}

#[test]
fn a_silent_agent_costs_504_and_is_told_to_stop() {
    let mut node = Node::new(1);
    let line = node.attach(agent(1));
    let conn = node.call(0, Some(agent(2)), agent(1), b"");
    let (id, _) = node.request(line);
    node.pass_ms(59_999);
    assert!(node.reply(conn).is_empty());
    node.pass_ms(1);
    assert_eq!(node.problem(conn).code, Code::AgentTimeout);
    let cancel = Sent::Cancel { id, code: Some("agent_timeout".into()) };
    assert!(node.take(line).contains(&cancel));
    // Too late: counted, nothing else.
    node.respond(line, id, b"late");
    assert!(node.reply(conn).is_empty());
    assert_eq!((node.engines[0].stats().strays, node.audited()), (1, vec![504]));
}

#[test]
fn a_caller_that_leaves_cancels_its_call_wherever_it_is() {
    let mut node = Node::new(3);
    let line = node.attach(agent(1));
    let conn = node.call(0, Some(agent(2)), agent(1), b"");
    let (id, _) = node.request(line);
    let (home, now) = (node.lines[line].core, node.now);
    node.engines[0].gone_at(home, Origin::Http { core: 0, conn: ConnKey(conn) }, now);
    node.run();
    assert_eq!(node.take(line), [Sent::Cancel { id, code: None }]);
    assert_eq!(node.audited(), [499]);

    let caller = node.attach(agent(2));
    let target = agent(1).to_string();
    node.send(caller, &Frame::Call(Call { id: 1, to: &target, ..Call::default() }));
    let (id, _) = node.request(line);
    node.lose(caller);
    assert_eq!(node.take(line), [Sent::Cancel { id, code: None }]);
}

#[test]
fn an_answer_that_breaks_the_rules_is_a_bad_answer() {
    for status in [99, 199, 600, 70_000] {
        let mut node = Node::new(1);
        let line = node.attach(agent(1));
        let conn = node.call(0, Some(agent(2)), agent(1), b"");
        let (id, _) = node.request(line);
        node.send(line, &Frame::Response(Response { id, status: Some(status), ..Response::default() }));
        assert_eq!(node.problem(conn).code, Code::BadAnswer);
        assert_eq!(node.audited(), [502]);
    }
}

#[test]
fn an_agents_own_error_reaches_its_caller_as_text_only() {
    let mut node = Node::new(1);
    let line = node.attach(agent(1));
    let conn = node.call(0, Some(agent(2)), agent(1), b"");
    let (id, _) = node.request(line);
    let error = ErrorFrame { id: Some(id), code: "no\r\nway", detail: Some("x\u{7}y"), retry_after_ms: Some(1_001) };
    node.send(line, &Frame::Error(error));
    let problem = node.problem(conn);
    assert_eq!((problem.code, problem.detail.as_str()), (Code::AgentError, "noway: xy"));
    assert_eq!(problem.retry_after_s, Some(2));
}

#[test]
fn an_answer_in_parts_flows_only_as_fast_as_it_is_taken() {
    let mut node = Node::new(2);
    let line = node.attach(agent(1));
    let conn = node.call(1, Some(agent(2)), agent(1), b"");
    let (id, _) = node.request(line);
    let half = vec![1; WINDOW_BYTES / 2];
    node.send(line, &Frame::Response(Response { id, more: true, body: &half, ..Response::default() }));
    node.chunk(line, id, &half, true);
    let replies = node.reply(conn);
    let [Reply::Head { call, more: true, .. }, Reply::Part { more: true, .. }] = replies.as_slice() else {
        panic!("{replies:?}")
    };
    assert!(node.take(line).is_empty(), "nothing was taken, nothing is granted");
    let now = node.now;
    node.engines[1].consumed_at(*call, WINDOW_BYTES / 2, now);
    node.run();
    assert_eq!(node.take(line), [Sent::Credit { id, bytes: WINDOW_BYTES as u64 / 2 }]);
    node.chunk(line, id, &half, true);
    node.chunk(line, id, b"one too many", true);
    let replies = node.reply(conn);
    let [Reply::Part { .. }, Reply::Failed(problem)] = replies.as_slice() else { panic!("{replies:?}") };
    assert_eq!(problem.code, Code::FlowControl);
    assert_eq!(node.take(line), [Sent::Cancel { id, code: Some("flow_control".into()) }]);
    assert_eq!(node.audited(), [502]);
}

#[test]
fn parts_between_two_lines_carry_the_callers_credit_back() {
    let mut node = Node::new(4);
    let (to, from) = (node.attach(agent(1)), node.attach(agent(2)));
    let target = agent(1).to_string();
    node.send(from, &Frame::Call(Call { id: 9, to: &target, ..Call::default() }));
    let (id, _) = node.request(to);
    node.take(from);
    node.send(to, &Frame::Response(Response { id, more: true, body: b"a", ..Response::default() }));
    node.send(from, &Frame::Credit { id: 9, bytes: WINDOW_BYTES as u64 });
    assert_eq!(node.take(to), [Sent::Credit { id, bytes: WINDOW_BYTES as u64 }]);
    node.chunk(to, id, b"b", false);
    let sent = node.take(from);
    assert!(
        matches!(&sent[..], [Sent::Response { more: true, .. }, Sent::Chunk { id: 9, more: false, .. }]),
        "{sent:?}"
    );
    // The stream is over: its credit is a stray.
    node.send(from, &Frame::Credit { id: 9, bytes: 1 });
    assert_eq!(node.engines[node.lines[from].core].stats().strays, 1);
}
