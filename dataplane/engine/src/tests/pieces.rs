//! Bodies that did not fit one read buffer.

use bytes::{Bytes, BytesMut};
use landline_wire::frame::{Call, Frame, Response, encode};
use landline_wire::pieces::Pieces;

use super::{Node, agent};
use crate::output::Flush;
use crate::types::{Effect, Reply};

/// A message as a reader gives it whose buffer was too short for it.
fn in_two(frame: &Frame<'_>, at: usize) -> (Pieces, [*const u8; 2]) {
    let mut whole = BytesMut::new();
    encode(&mut whole, frame);
    let rest = Bytes::copy_from_slice(&whole[at..]);
    whole.truncate(at);
    let mut message = Pieces::from(whole);
    let ends = [message.first().as_ptr_range().end, rest.as_ptr()];
    message.push(rest);
    (message, ends)
}

#[test]
fn a_body_in_two_buffers_goes_on_from_both() {
    let mut node = Node::new(1);
    let line = node.attach(agent(1));
    let caller = node.attach(agent(2));
    node.call(0, Some(agent(2)), agent(1), b"hello");
    let (id, _) = node.request(line);
    let body = vec![9; 300_000];
    let (answer, ends) = in_two(&Frame::Response(Response { id, body: &body, ..Response::default() }), 60_000);
    let key = node.lines[line].key;
    node.engines[0].message(key, answer, node.now);
    let mut effects = std::iter::from_fn(|| node.engines[0].poll_effect());
    let answered = effects.find_map(|effect| match effect {
        Effect::Reply(_, Reply::Head { body, .. }) => Some(body),
        _ => None,
    });
    let got = answered.expect("an answer");
    let got: Vec<Bytes> = got.into_iter().collect();
    assert_eq!([got[0].as_ptr_range().end, got[1].as_ptr()], ends);
    assert_eq!(got.concat(), body);

    let to = agent(1).to_string();
    let (call, ends) = in_two(&Frame::Call(Call { id: 1, to: &to, body: &body, ..Call::default() }), 60_000);
    let key = node.lines[caller].key;
    node.engines[0].message(key, call, node.now);
    let callee = node.lines[line].key;
    let Some(Flush::Many(segments)) = node.engines[0].take_output(callee) else { panic!("segments") };
    assert_eq!([segments[1].as_ptr_range().end, segments[2].as_ptr()], ends);
}
