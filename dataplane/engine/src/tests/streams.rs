//! Resumable streams.

use landline_wire::bounds::Bound;
use landline_wire::error::Code;
use landline_wire::frame::{Frame, HeadersBuilder, Response};
use landline_wire::limits::{REPLAY_BYTES_PER_CALL, RESUME_MS, WINDOW_BYTES};

use super::{Node, Sent, agent};
use crate::types::{ConnKey, Origin, Reply, Resume};

const ID: crate::StreamId = [7; 16];

/// A node with a call for a stream under way: the line, the connection and the call's id at the agent.
fn node() -> (Node, usize, u64, u64) {
    let mut node = Node::new(2);
    let line = node.attach(agent(1));
    node.resumable = Some(ID);
    let conn = node.call(1, Some(agent(2)), agent(1), b"");
    let (id, _) = node.request(line);
    (node, line, conn, id)
}

fn begin(node: &mut Node, line: usize, id: u64, kind: &str, body: &[u8]) {
    let mut headers = HeadersBuilder::default();
    headers.push("content-type", kind);
    let headers = headers.encode();
    let response = Response { id, more: true, headers: headers.as_headers(), body, ..Response::default() };
    node.send(line, &Frame::Response(response));
}

/// The connection takes everything that it was given; gives the text and whether the stream is over.
fn take(node: &mut Node, core: usize, conn: u64) -> (String, bool) {
    let (mut text, mut over) = (String::new(), false);
    for reply in node.reply(conn) {
        match reply {
            Reply::Head { call, more, .. } => {
                assert!(more);
                node.streamed = Some(call);
            }
            Reply::Part { body, more, cost } => {
                text.push_str(std::str::from_utf8(&body.into_bytes()).unwrap());
                over |= !more;
                let (call, now) = (node.streamed.unwrap(), node.now);
                node.engines[core].consumed_at(call, cost, now);
            }
            other => panic!("{other:?}"),
        }
    }
    node.run();
    (text, over)
}

fn leave(node: &mut Node, core: usize, conn: u64) {
    let (home, now) = (agent(1).home_core(2), node.now);
    node.engines[core].gone_at(home, Origin::Http { core, conn: ConnKey(conn) }, now);
    node.run();
}

fn come_back(node: &mut Node, core: usize, conn: u64, caller: u64, after: u64) {
    let (home, now) = (agent(1).home_core(2), node.now);
    let origin = Origin::Http { core, conn: ConnKey(conn) };
    let resume = Resume { origin, caller: Some(agent(caller)), target: agent(1), stream: ID, after };
    node.engines[home].mail(crate::Mail::Resume(resume), now);
    node.run();
}

fn id(seq: u64) -> String {
    format!("id: {}.{seq}\n", "07".repeat(16))
}

#[test]
fn parts_and_an_agents_own_events_become_numbered_events() {
    let (mut node, line, conn, call) = node();
    begin(&mut node, line, call, "application/json", b"{\"a\":1}");
    node.chunk(line, call, b"{\"a\":2}", false);
    let (text, over) = take(&mut node, 1, conn);
    let expected =
        format!("{}data: {{\"a\":1}}\n\n{}data: {{\"a\":2}}\n\n{}event: end\ndata: {{}}\n\n", id(1), id(2), id(3));
    assert_eq!((text.as_str(), over), (expected.as_str(), true));

    let (mut node, line, conn, call) = self::node();
    begin(&mut node, line, call, "text/event-stream", b"id: mine\nevent: x\ndata: 1\n\ndata:");
    node.chunk(line, call, b" 2\n\n: ping\n\n", false);
    let expected = format!("{}event: x\ndata: 1\n\n{}data: 2\n\n{}event: end\ndata: {{}}\n\n", id(1), id(2), id(3));
    assert_eq!(take(&mut node, 1, conn).0, expected);
}

#[test]
fn a_caller_that_comes_back_misses_nothing_and_gets_nothing_twice() {
    let (mut node, line, conn, call) = node();
    begin(&mut node, line, call, "text/plain", b"1");
    node.chunk(line, call, b"2", true);
    take(&mut node, 1, conn);
    leave(&mut node, 1, conn);
    node.take(line);
    node.chunk(line, call, b"3", true);
    assert!(node.reply(conn).is_empty());
    // It had seen the first event only; the second was lost on its way.
    come_back(&mut node, 0, 900, 2, 1);
    assert_eq!(take(&mut node, 0, 900).0, format!("{}data: 2\n\n{}data: 3\n\n", id(2), id(3)));
    node.chunk(line, call, b"4", false);
    let (text, over) = take(&mut node, 0, 900);
    assert_eq!((text, over), (format!("{}data: 4\n\n{}event: end\ndata: {{}}\n\n", id(4), id(5)), true));
    // And again, after the end.
    come_back(&mut node, 1, 901, 2, 4);
    assert_eq!(take(&mut node, 1, 901), (format!("{}event: end\ndata: {{}}\n\n", id(5)), true));
    assert_eq!(node.audited(), [200], "one call, one record");
    assert!(!node.take(line).iter().any(|sent| matches!(sent, Sent::Request { .. })), "never a new call");
}

#[test]
fn another_caller_and_one_that_is_too_late_get_410() {
    let (mut node, line, conn, call) = node();
    begin(&mut node, line, call, "text/plain", b"1");
    take(&mut node, 1, conn);
    come_back(&mut node, 0, 900, 3, 0);
    assert_eq!(node.problem(900).code, Code::StreamExpired);
    come_back(&mut node, 0, 901, 2, 9);
    assert_eq!(node.problem(901).code, Code::StreamExpired);
    leave(&mut node, 1, conn);
    node.pass_ms(RESUME_MS - 1);
    assert!(node.take(line).is_empty(), "the agent is left in peace while its caller may come back");
    node.pass_ms(1);
    assert_eq!(node.take(line).last(), Some(&Sent::Cancel { id: call, code: None }));
    come_back(&mut node, 0, 902, 2, 1);
    assert_eq!(node.problem(902).code, Code::StreamExpired);
    assert_eq!(node.audited(), [499]);
}

#[test]
fn without_a_reader_the_agent_may_send_one_window_and_with_one_history_is_bounded() {
    let (mut node, line, conn, call) = node();
    begin(&mut node, line, call, "text/plain", b"");
    take(&mut node, 1, conn);
    let kibi = vec![b'x'; 1024];
    let sent = (WINDOW_BYTES / 1024) * 16;
    let mut window = WINDOW_BYTES as i64;
    for _ in 0..sent {
        node.chunk(line, call, &kibi, true);
        window -= 1024;
        take(&mut node, 1, conn);
        for sent in node.take(line) {
            if let Sent::Credit { bytes, .. } = sent {
                window += bytes as i64;
            }
        }
        assert!(window > 0, "a reader that takes everything never stalls the agent");
    }
    come_back(&mut node, 0, 900, 2, 1);
    assert_eq!(node.problem(900).code, Code::StreamExpired, "what is older than the buffer is lost");
    assert!(node.reached(Bound::ReplayOfCall) > 0);
    let far = sent as u64 - (REPLAY_BYTES_PER_CALL / 2048) as u64;
    come_back(&mut node, 0, 901, 2, far);
    assert!(take(&mut node, 0, 901).0.len() > REPLAY_BYTES_PER_CALL / 4);
    leave(&mut node, 0, 901);
    while window >= 1024 {
        node.chunk(line, call, &kibi, true);
        window -= 1024;
    }
    assert!(
        !node.take(line).iter().any(|sent| matches!(sent, Sent::Credit { .. })),
        "nobody takes, nothing is granted"
    );
}

#[test]
fn a_failure_within_a_stream_is_an_event() {
    let (mut node, line, conn, call) = node();
    begin(&mut node, line, call, "text/plain", b"1");
    node.lose(line);
    let (text, over) = take(&mut node, 1, conn);
    assert!(over && text.contains("event: error\ndata: {") && text.contains("gateway_unavailable"), "{text}");
    assert_eq!(node.audited(), [502]);

    // Before the head it is an answer like any other, and so is a status that is no success.
    let (mut node, line, conn, _) = self::node();
    node.lose(line);
    assert_eq!(node.problem(conn).code, Code::GatewayUnavailable);
    let (mut node, line, conn, call) = self::node();
    node.send(line, &Frame::Response(Response { id: call, status: Some(404), body: b"no", ..Response::default() }));
    assert!(matches!(&node.reply(conn)[..], [Reply::Head { status: 404, more: false, .. }]));
}
