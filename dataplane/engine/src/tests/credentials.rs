//! Keys and tokens that a core remembers: what a storm of them costs, and that a change ends them at once.

use std::net::IpAddr;

use landline_link::{LookupAnswer, Op};
use landline_token::{AUDIENCE, Claims, Signer};
use landline_wire::bounds::Bound;
use landline_wire::error::Code;
use landline_wire::limits::*;
use uuid::Uuid;

use super::{Node, agent};
use crate::{Credentials, Now, Verdict};

const ISSUER: &str = "http://127.0.0.1:7300/connect";
const NOW: Now = Now { us: 5_000_000, unix_ms: 1_700_000_000_000 };
const NOW_S: i64 = 1_700_000_000;

fn ip(n: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, n])
}

fn later(ms: u64) -> Now {
    Now { us: NOW.us + ms * 1000, unix_ms: NOW.unix_ms + ms as i64 }
}

struct Issuer {
    signer: Signer,
    credentials: Credentials,
}

impl Issuer {
    fn new() -> Self {
        let signer = Signer::generate().unwrap();
        let mut credentials = Credentials::new([1; 32], STALE_KEY_LIMIT_MS);
        credentials.set_issuer(ISSUER);
        credentials.apply(&Op::Keys { jwks: signer.jwks() });
        credentials.synced(true, NOW);
        Self { signer, credentials }
    }

    fn token(&self, n: u64, life_s: i64) -> String {
        let (iss, aud) = (ISSUER.to_owned(), AUDIENCE.to_owned());
        let jti = Uuid::from_u128(u128::from(n));
        let claims = Claims { iss, aud, sub: agent(n), iat: NOW_S, exp: NOW_S + life_s, jti, token_gen: 3 };
        self.signer.sign(&claims).unwrap()
    }

    /// Shows a token that was verified once: known without another verification.
    fn known(&mut self, n: u64, life_s: i64) -> String {
        let token = self.token(n, life_s);
        assert_eq!(self.credentials.check(&token, ip(1), NOW), Verdict::Verify);
        assert!(matches!(self.credentials.verify(&token, ip(1), NOW), Verdict::Known(_)));
        assert!(matches!(self.credentials.check(&token, ip(1), NOW), Verdict::Known(_)));
        token
    }

    fn code(&mut self, token: &str, now: Now) -> Option<Code> {
        match self.credentials.check(token, ip(1), now) {
            Verdict::Refused(problem) => Some(problem.code),
            _ => None,
        }
    }
}

#[test]
fn a_token_that_is_remembered_ends_with_its_time() {
    let mut issuer = Issuer::new();
    let token = issuer.known(1, 60);
    assert_eq!(issuer.code(&token, later(59_999)), None);
    assert_eq!(issuer.code(&token, later(60_000)), Some(Code::TokenInvalid));
    assert_eq!(issuer.credentials.remembered().1, 1);
    issuer.credentials.forget_expired(later(60_000));
    assert_eq!(issuer.credentials.remembered().1, 0, "and its memory is free");
}

#[test]
fn a_token_that_is_remembered_ends_with_its_revocation() {
    for op in [
        Op::RevokeToken { jti: Uuid::from_u128(1), exp: NOW_S + 3_600 },
        Op::Revoke { agent: agent(1), token_gen: 4, key_gen: 0 },
        Op::Remove { agent: agent(1) },
    ] {
        let mut issuer = Issuer::new();
        let (token, other) = (issuer.known(1, 3_600), issuer.known(2, 3_600));
        issuer.credentials.apply(&op);
        assert_eq!(issuer.code(&token, NOW), Some(Code::TokenInvalid), "{op:?}");
        assert_eq!(issuer.code(&other, NOW), None, "{op:?}");
        // Between the first look and the verification it may be revoked as well.
        assert!(matches!(issuer.credentials.verify(&token, ip(1), NOW), Verdict::Refused(_)));
    }
    let mut issuer = Issuer::new();
    let token = issuer.known(1, 3_600);
    issuer.credentials.apply(&Op::Block { agent: agent(1), blocked: true });
    assert_eq!(issuer.code(&token, NOW), Some(Code::AgentBlocked));
    issuer.credentials.apply(&Op::Block { agent: agent(1), blocked: false });
    assert_eq!(issuer.code(&token, NOW), None);
}

#[test]
fn new_keys_and_a_new_issuer_end_what_was_verified() {
    let mut issuer = Issuer::new();
    let token = issuer.known(1, 3_600);
    issuer.credentials.apply(&Op::Keys { jwks: Signer::generate().unwrap().jwks() });
    assert_eq!(issuer.credentials.check(&token, ip(1), NOW), Verdict::Verify);
    assert!(matches!(issuer.credentials.verify(&token, ip(1), NOW), Verdict::Refused(_)));
    let mut issuer = Issuer::new();
    let token = issuer.known(1, 3_600);
    issuer.credentials.set_issuer("http://elsewhere/connect");
    assert!(matches!(issuer.credentials.verify(&token, ip(1), NOW), Verdict::Refused(_)));
}

#[test]
fn tokens_that_do_not_verify_are_bounded_per_address() {
    let mut issuer = Issuer::new();
    let stranger = Issuer::new();
    // Signed by a stranger under our key's name: the signature has to be looked at.
    let forged = |n: u64| {
        let (ours, theirs) = (issuer_head(&issuer.signer), stranger.token(n, 60));
        format!("{ours}.{}", theirs.split_once('.').unwrap().1)
    };
    let tokens: Vec<String> = (0..100).map(forged).collect();
    let mut verified = 0;
    for token in &tokens {
        if issuer.credentials.check(token, ip(1), NOW) == Verdict::Verify {
            verified += 1;
            assert!(matches!(issuer.credentials.verify(token, ip(1), NOW), Verdict::Refused(_)));
        }
    }
    assert_eq!(verified, BAD_CREDENTIALS_PER_IP_PER_S);
    assert_eq!(issuer.credentials.reached().of(Bound::BadCredentials), 80);
    assert_eq!(issuer.code(&tokens[99], NOW), Some(Code::RateLimited));
    // Keys from there share the bound; what is known is served, and so is everybody else.
    assert!(matches!(issuer.credentials.check("ll_key", ip(1), NOW), Verdict::Refused(_)));
    let good = issuer.token(7, 60);
    assert!(matches!(issuer.credentials.verify(&good, ip(2), NOW), Verdict::Known(_)));
    assert_eq!(issuer.code(&good, NOW), None);
    assert_eq!(issuer.credentials.check(&tokens[99], ip(1), later(1_000)), Verdict::Verify, "in the next second");
}

/// The first part of a token of this signer.
fn issuer_head(signer: &Signer) -> String {
    let (iss, aud, jti) = (String::new(), String::new(), Uuid::nil());
    let token = signer.sign(&Claims { iss, aud, sub: agent(1), iat: 0, exp: 0, jti, token_gen: 0 }).unwrap();
    token.split('.').next().unwrap().to_owned()
}

#[test]
fn keys_that_are_looked_up_are_bounded_per_address_and_at_a_time() {
    let mut node = Node::new(1);
    let credentials = &mut node.engines[0].credentials;
    let key = |n: u32| format!("ll_{n}");
    for n in 0..MAX_KEY_LOOKUPS_PER_IP {
        assert!(matches!(credentials.check(&key(n), ip(1), NOW), Verdict::Ask(_)));
    }
    let Verdict::Refused(problem) = credentials.check(&key(1_000), ip(1), NOW) else { panic!("one too many") };
    assert_eq!(problem.code, Code::RateLimited);
    assert!(matches!(credentials.check(&key(1_000), ip(2), NOW), Verdict::Ask(_)), "others are not hurt");
    // However many come at once, so many are asked at most: those that are under way, and those that may be bad.
    for n in 0..MAX_KEY_LOOKUPS_PER_IP {
        credentials.learn(&key(n), Some(LookupAnswer::KeyUnknown), ip(1), NOW);
    }
    assert!(matches!(credentials.check(&key(2_000), ip(1), NOW), Verdict::Refused(_)), "too many were bad");
    assert!(matches!(credentials.check(&key(2_000), ip(1), later(1_000)), Verdict::Ask(_)));
    assert_eq!(node.reached(Bound::KeyLookups), 1);
}

#[test]
fn good_keys_of_one_address_are_all_looked_up() {
    let mut node = Node::new(1);
    let credentials = &mut node.engines[0].credentials;
    for n in 0..1_000 {
        let key = format!("ll_{n}");
        assert!(matches!(credentials.check(&key, ip(1), NOW), Verdict::Ask(_)));
        let answer = LookupAnswer::Key { agent: agent(n), key_gen: 0, blocked: false };
        assert!(matches!(credentials.learn(&key, Some(answer), ip(1), NOW), Verdict::Known(_)));
    }
    assert_eq!(credentials.remembered().0, 1_000);
}

#[test]
fn what_is_remembered_has_a_bound() {
    let mut node = Node::new(1);
    let credentials = &mut node.engines[0].credentials;
    let answer = LookupAnswer::Key { agent: agent(1), key_gen: 0, blocked: false };
    for n in 0..=MAX_REMEMBERED_CREDENTIALS {
        credentials.learn(&format!("ll_{n}"), Some(answer.clone()), ip(1), NOW);
    }
    assert_eq!(credentials.remembered().0, MAX_REMEMBERED_CREDENTIALS);
    assert!(matches!(credentials.check("ll_0", ip(1), NOW), Verdict::Ask(_)), "the oldest is forgotten");
    assert!(matches!(credentials.check("ll_1", ip(1), NOW), Verdict::Known(_)));
    for n in 0..=MAX_UNKNOWN_KEYS {
        credentials.learn(&format!("ll_bad_{n}"), Some(LookupAnswer::KeyUnknown), ip(2), NOW);
    }
    assert!(matches!(credentials.check("ll_bad_0", ip(3), NOW), Verdict::Ask(_)));
    let Verdict::Refused(problem) = credentials.check("ll_bad_1", ip(3), NOW) else { panic!("known as unknown") };
    assert_eq!(problem.code, Code::TokenInvalid);
    assert_eq!((node.reached(Bound::Remembered), node.reached(Bound::UnknownKeys)), (1, 1));
}
