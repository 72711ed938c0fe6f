//! What the exchange pushes takes effect at once.

use std::net::IpAddr;

use landline_link::{Access, Credential, LookupAnswer, Op, Policy};
use landline_wire::close;
use landline_wire::error::Code;

use super::{Node, Sent, agent};
use crate::Verdict;

const IP: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

fn revoke(n: u64, token_gen: u64, key_gen: u64) -> Op {
    Op::Revoke { agent: agent(n), token_gen, key_gen }
}

#[test]
fn a_rotated_key_closes_its_line_and_is_refused_on_every_core() {
    let mut node = Node::new(2);
    let line = node.attach(agent(1));
    let now = node.now;
    let answer = LookupAnswer::Key { agent: agent(1), key_gen: 1, blocked: false };
    for engine in &mut node.engines {
        assert!(matches!(engine.credentials.check("ll_old", IP, now), Verdict::Ask(_)));
        assert!(matches!(engine.credentials.learn("ll_old", Some(answer.clone()), IP, now), Verdict::Known(_)));
        assert!(matches!(engine.credentials.check("ll_old", IP, now), Verdict::Known(_)));
    }
    node.apply(revoke(1, 2, 2));
    assert!(node.take(line).contains(&Sent::Close(close::INVALID_TOKEN)));
    for engine in &mut node.engines {
        let Verdict::Refused(problem) = engine.credentials.check("ll_old", IP, now) else { panic!() };
        assert_eq!(problem.code, Code::TokenInvalid);
        // An answer that was on its way when the key was rotated changes nothing.
        let late = engine.credentials.learn("ll_old", Some(answer.clone()), IP, now);
        assert!(matches!(late, Verdict::Refused(_)));
    }
}

#[test]
fn before_the_first_snapshot_nobody_is_trusted() {
    let mut engine = crate::Engine::new(0, 1, crate::Config::default(), [0; 32]);
    let now = crate::Now { us: 0, unix_ms: 0 };
    for credential in ["ll_key", "a.token.of-ours"] {
        let Verdict::Refused(problem) = engine.credentials.check(credential, IP, now) else { panic!() };
        assert_eq!(problem.code, Code::ExchangeUnavailable);
    }
    engine.synced(true, now);
    assert!(matches!(engine.credentials.check("ll_key", IP, now), Verdict::Ask(_)));
}

#[test]
fn one_revoked_token_closes_its_own_line_only() {
    let mut node = Node::new(1);
    let jti = uuid::Uuid::from_u128;
    let token = |n| Credential::Token { jti: jti(n), token_gen: 1 };
    let first = node.try_attach(agent(1), token(1), false).unwrap();
    let second = node.try_attach(agent(2), token(2), false).unwrap();
    node.apply(Op::RevokeToken { jti: jti(1), exp: i64::MAX });
    assert!(node.lines[first].closing && !node.lines[second].closing);
    assert_eq!(node.try_attach(agent(1), token(1), false), Err(close::INVALID_TOKEN));
}

#[test]
fn a_blocked_agent_is_closed_with_4010_and_not_called() {
    let mut node = Node::new(1);
    let line = node.attach(agent(1));
    node.apply(Op::Block { agent: agent(1), blocked: true });
    assert!(node.take(line).contains(&Sent::Close(close::BLOCKED)));
    let conn = node.call(0, Some(agent(2)), agent(1), b"");
    assert_eq!(node.problem(conn).code, Code::TargetBlocked);
    assert_eq!(node.audited(), [403]);
    node.apply(Op::Block { agent: agent(1), blocked: false });
    node.attach(agent(1));
}

#[test]
fn a_removed_agent_is_gone() {
    let mut node = Node::new(1);
    let line = node.attach(agent(1));
    node.apply(Op::Remove { agent: agent(1) });
    assert!(node.take(line).contains(&Sent::Close(close::INVALID_TOKEN)));
    let conn = node.call(0, Some(agent(2)), agent(1), b"");
    assert_eq!(node.problem(conn).code, Code::Gone);
    assert!(node.audited().is_empty());
}

#[test]
fn policies_decide_who_may_call() {
    let mut node = Node::new(1);
    node.attach(agent(1));
    let policy = |access, allow| Op::Policy { agent: agent(1), policy: Policy { access, allow } };
    let outcome = |node: &mut Node, caller| {
        let conn = node.call(0, caller, agent(1), b"");
        match node.reply(conn).pop() {
            None => None,
            Some(crate::Reply::Failed(problem)) => Some(problem.code),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(outcome(&mut node, Some(agent(2))), None);
    assert_eq!(outcome(&mut node, None), Some(Code::TokenMissing));
    node.apply(policy(Access::Listed, vec![agent(3)]));
    assert_eq!(outcome(&mut node, Some(agent(2))), Some(Code::NotAuthorized));
    assert_eq!(outcome(&mut node, Some(agent(3))), None);
    node.apply(policy(Access::Public, vec![]));
    assert_eq!(outcome(&mut node, None), None);
    // Only the listed one's refusal has a known caller and so a record.
    assert_eq!(node.audited(), [403]);
}

#[test]
fn a_snapshot_takes_effect_as_a_whole_and_judges_every_line_anew() {
    let mut node = Node::new(1);
    node.apply(Op::Block { agent: agent(1), blocked: true });
    let line = node.attach(agent(2));
    node.all(|engine, now| {
        engine.credentials.reset();
        engine.apply(&[revoke(2, 5, 5)], now);
        assert!(engine.credentials.is_blocked(agent(1)), "the old state holds until the new one is complete");
        engine.synced(true, now);
        assert!(!engine.credentials.is_blocked(agent(1)));
    });
    assert!(node.lines[line].closing);
}

#[test]
fn known_keys_outlive_the_exchange_for_a_while() {
    let mut node = Node::new(1);
    let answer = LookupAnswer::Key { agent: agent(1), key_gen: 1, blocked: false };
    let now = node.now;
    node.engines[0].credentials.learn("ll_known", Some(answer), IP, now);
    node.all(|engine, now| engine.synced(false, now));
    node.pass_ms(15 * 60_000);
    let now = node.now;
    assert!(matches!(node.engines[0].credentials.check("ll_known", IP, now), Verdict::Known(_)));
    node.pass_ms(1);
    let now = node.now;
    assert!(matches!(node.engines[0].credentials.check("ll_known", IP, now), Verdict::Ask(_)));
    let Verdict::Refused(problem) = node.engines[0].credentials.learn("ll_known", None, IP, now) else { panic!() };
    assert_eq!(problem.code, Code::ExchangeUnavailable);
}

#[test]
fn guessing_keys_is_slowed_down_per_address() {
    let mut node = Node::new(1);
    let now = node.now;
    let credentials = &mut node.engines[0].credentials;
    for n in 0..20 {
        let key = format!("ll_guess{n}");
        assert!(matches!(credentials.check(&key, IP, now), Verdict::Ask(_)));
        credentials.learn(&key, Some(LookupAnswer::KeyUnknown), IP, now);
    }
    let Verdict::Refused(problem) = credentials.check("ll_another", IP, now) else { panic!() };
    assert_eq!(problem.code, Code::RateLimited);
    let Verdict::Refused(problem) = credentials.check("ll_guess3", IP, now) else { panic!() };
    assert_eq!(problem.code, Code::TokenInvalid, "known to be unknown: no question, no delay");
    let other = IpAddr::from([127, 0, 0, 9]);
    assert!(matches!(credentials.check("ll_another", other, now), Verdict::Ask(_)));
}
