//! Questions of the exchange: answered like calls, and nobody's.

use landline_link::{Access, Op, Policy};
use landline_wire::error::Code;

use super::*;

fn failed(node: &mut Node, ask: u64) -> Option<Code> {
    match node.told.remove(&ask)?.pop()? {
        Reply::Failed(problem) => Some(problem.code),
        _ => None,
    }
}

#[test]
fn whoever_may_call_an_agent_the_exchange_may_ask_it_and_nothing_is_recorded() {
    for cores in [1, 3] {
        let mut node = Node::new(cores);
        let policy = Policy { access: Access::Listed, allow: vec![agent(9)] };
        node.apply(Op::Policy { agent: agent(1), policy });
        let line = node.attach(agent(1));
        node.take(line);
        let ask = node.ask(agent(1), b"are you there?");
        let sent = node.take(line);
        let Some(Sent::Request { id, from: None, body, .. }) = sent.first() else { panic!("{sent:?}") };
        assert_eq!(body, b"are you there?");
        let id = *id;
        node.respond(line, id, b"yes");
        let told = node.told.remove(&ask).unwrap_or_default();
        assert!(matches!(&told[..], [Reply::Head { status: 200, more: false, .. }]), "{told:?}");
        assert_eq!(node.audited(), Vec::<u16>::new());
        // The next call to the same agent is recorded as ever.
        let conn = node.call(0, Some(agent(9)), agent(1), b"");
        let (id, _) = node.request(line);
        node.respond(line, id, b"");
        assert_eq!((node.reply(conn).len(), node.audited()), (1, vec![200]));
    }
}

#[test]
fn a_question_that_cannot_be_put_or_is_not_answered_ends_with_its_code_and_without_a_record() {
    let mut node = Node::new(1);
    let ask = node.ask(agent(1), b"");
    assert_eq!(failed(&mut node, ask), Some(Code::AgentNotConnected));
    assert!(node.lookups.is_empty(), "nobody else is asked about it");

    let line = node.attach(agent(1));
    let ask = node.ask(agent(1), b"");
    node.pass_ms(60_001);
    assert_eq!(failed(&mut node, ask), Some(Code::AgentTimeout));
    let ask = node.ask(agent(1), b"");
    node.lose(line);
    assert_eq!(failed(&mut node, ask), Some(Code::GatewayUnavailable));

    node.attach(agent(2));
    node.apply(Op::Block { agent: agent(2), blocked: true });
    let ask = node.ask(agent(2), b"");
    assert_eq!(failed(&mut node, ask), Some(Code::TargetBlocked));
    assert_eq!(node.audited(), Vec::<u16>::new());
}

#[test]
fn a_question_that_is_given_up_is_cancelled_at_the_agent() {
    let mut node = Node::new(1);
    let line = node.attach(agent(1));
    let ask = node.ask(agent(1), b"");
    let (id, _) = node.request(line);
    node.all(|engine, now| engine.gone_at(0, Origin::Exchange { core: 0, ask }, now));
    assert!(node.take(line).contains(&Sent::Cancel { id, code: None }));
    assert_eq!(node.audited(), Vec::<u16>::new());
}
