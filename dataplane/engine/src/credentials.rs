//! Who a credential belongs to, what was revoked, and who may call whom: one core's copy of what the exchange pushed.

use std::collections::VecDeque;
use std::net::IpAddr;

use landline_link::{Access, Credential, Lookup, LookupAnswer, Op, Policy, Secret};
use landline_token::revocation::RevocationSet;
use landline_token::{Claims, Verifier};
use landline_wire::error::{Code, Problem};
use landline_wire::ids::AgentId;
use landline_wire::limits::{KEY_LOOKUPS_PER_IP_PER_S, MAX_TOKEN_BYTES};

use crate::map::{Map, Set};
use crate::types::Now;

/// Keys and verified tokens that a core remembers; the oldest goes first.
const MAX_REMEMBERED: usize = 200_000;
/// Milliseconds that an unknown key stays known as unknown.
const UNKNOWN_MS: u64 = 60_000;
/// Unknown keys remembered.
const MAX_UNKNOWN: usize = 10_000;

/// A credential is remembered by its salted hash, never as itself.
type Fingerprint = [u8; 32];

/// Whom a credential speaks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    /// The agent.
    pub agent: AgentId,
    /// The credential, as far as its revocation needs it.
    pub credential: Credential,
}

/// What is to be thought of a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Good.
    Known(Principal),
    /// Not known here: ask the exchange, then [`Credentials::learn`] its answer.
    Ask(Lookup),
    /// Refused, with the reason for the caller.
    Refused(Box<Problem>),
}

/// What the exchange pushes: replaced as a whole by a snapshot.
#[derive(Debug, Default)]
struct Pushed {
    revoked: RevocationSet,
    blocked: Set<AgentId>,
    removed: Set<AgentId>,
    policies: Map<AgentId, Policy>,
}

impl Pushed {
    fn apply(&mut self, op: &Op) {
        match op {
            Op::Revoke { agent, token_gen, key_gen } => self.revoked.revoke(*agent, *token_gen, *key_gen),
            Op::RevokeToken { jti, exp } => self.revoked.revoke_token(*jti, *exp),
            Op::Block { agent, blocked: true } => {
                self.blocked.insert(*agent);
            }
            Op::Block { agent, blocked: false } => {
                self.blocked.remove(agent);
            }
            Op::Remove { agent } => {
                self.removed.insert(*agent);
                self.policies.remove(agent);
                self.revoked.revoke(*agent, u64::MAX, u64::MAX);
            }
            Op::Policy { agent, policy } if *policy == Policy::default() => {
                self.policies.remove(agent);
            }
            Op::Policy { agent, policy } => {
                self.policies.insert(*agent, policy.clone());
            }
            Op::Keys { .. } => {}
        }
    }
}

/// A bounded map that forgets its oldest entries.
#[derive(Debug)]
struct Remembered<T> {
    map: Map<Fingerprint, T>,
    order: VecDeque<Fingerprint>,
    most: usize,
}

impl<T> Remembered<T> {
    fn new(most: usize) -> Self {
        Self { map: Map::default(), order: VecDeque::new(), most }
    }

    fn insert(&mut self, fingerprint: Fingerprint, value: T) {
        if self.map.insert(fingerprint, value).is_none() {
            self.order.push_back(fingerprint);
        }
        while self.order.len() > self.most {
            if let Some(oldest) = self.order.pop_front() {
                self.map.remove(&oldest);
            }
        }
    }

    fn clear(&mut self) {
        self.map.clear();
        self.order.clear();
    }
}

/// One core's knowledge of credentials and policies.
pub struct Credentials {
    salt: [u8; 32],
    issuer: String,
    verifier: Option<Verifier>,
    pushed: Pushed,
    /// A snapshot under way: it takes effect as a whole.
    staged: Option<Pushed>,
    keys: Remembered<(AgentId, u64)>,
    tokens: Remembered<Claims>,
    unknown: Remembered<u64>,
    failed_lookups: Map<IpAddr, u32>,
    failed_second: u64,
    /// Was there ever a complete snapshot?
    ready: bool,
    /// Since when the exchange is away, monotonic milliseconds; `None`: it is in reach.
    away_since: Option<u64>,
    stale_key_limit_ms: u64,
}

impl Credentials {
    /// Knows nothing yet. `salt` is random, so that remembered fingerprints mean nothing outside this process.
    pub fn new(salt: [u8; 32], stale_key_limit_ms: u64) -> Self {
        Self {
            salt,
            issuer: String::new(),
            verifier: None,
            pushed: Pushed::default(),
            staged: None,
            keys: Remembered::new(MAX_REMEMBERED),
            tokens: Remembered::new(MAX_REMEMBERED),
            unknown: Remembered::new(MAX_UNKNOWN),
            failed_lookups: Map::default(),
            failed_second: 0,
            ready: false,
            away_since: Some(0),
            stale_key_limit_ms,
        }
    }

    /// The `iss` that tokens must have.
    pub fn set_issuer(&mut self, issuer: &str) {
        self.issuer = issuer.to_owned();
    }

    /// A snapshot begins: what is known stays in force until it is complete.
    pub fn reset(&mut self) {
        self.staged = Some(Pushed::default());
    }

    /// Applies a change, to the snapshot if one is under way.
    pub fn apply(&mut self, op: &Op) {
        if let Op::Keys { jwks } = op
            && let Ok(verifier) = Verifier::from_jwks(jwks)
        {
            self.verifier = Some(verifier);
            self.tokens.clear();
        }
        self.staged.as_mut().unwrap_or(&mut self.pushed).apply(op);
    }

    /// The exchange is in reach and everything is applied, or it is lost. Returns true if a snapshot took effect:
    /// remembered keys are forgotten then, since a change to one may have been missed.
    pub fn synced(&mut self, in_reach: bool, now: Now) -> bool {
        if !in_reach {
            self.staged = None;
            self.away_since.get_or_insert(now.ms());
            return false;
        }
        self.away_since = None;
        self.ready = true;
        let Some(staged) = self.staged.take() else { return false };
        self.pushed = staged;
        self.keys.clear();
        true
    }

    /// Is everything known that serving needs?
    pub fn is_ready(&self) -> bool {
        self.ready
    }

    /// Is the exchange in reach?
    pub fn in_reach(&self) -> bool {
        self.away_since.is_none()
    }

    fn fingerprint(&self, token: &str) -> Fingerprint {
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        context.update(&self.salt);
        context.update(token.as_bytes());
        let mut out = [0; 32];
        out.copy_from_slice(context.finish().as_ref());
        out
    }

    /// Judges a bearer credential that came from `ip`.
    pub fn check(&mut self, token: &str, ip: IpAddr, now: Now) -> Verdict {
        if token.is_empty() || token.len() > MAX_TOKEN_BYTES {
            return refused(Code::TokenInvalid, "The credential is empty or too long.");
        }
        // Before the first snapshot is complete nothing is known of what was revoked and blocked.
        if !self.ready {
            return refused(Code::ExchangeUnavailable, "The switch has not heard from its exchange yet.");
        }
        // A compact JWS has two dots, an API key none.
        if token.contains('.') { self.check_token(token, now) } else { self.check_key(token, ip, now) }
    }

    fn check_key(&mut self, key: &str, ip: IpAddr, now: Now) -> Verdict {
        let fingerprint = self.fingerprint(key);
        if let Some((agent, key_gen)) = self.keys.map.get(&fingerprint).copied() {
            let stale = self.away_since.is_some_and(|since| now.ms() - since.min(now.ms()) > self.stale_key_limit_ms);
            if !stale {
                return self.judge(Principal { agent, credential: Credential::Key { key_gen } });
            }
        }
        if self.unknown.map.get(&fingerprint).is_some_and(|until| *until > now.ms()) {
            return refused(Code::TokenInvalid, "The API key is unknown or was rotated.");
        }
        if self.failed(ip, now) >= KEY_LOOKUPS_PER_IP_PER_S {
            return refused(Code::RateLimited, "Too many unknown API keys came from this address.");
        }
        Verdict::Ask(Lookup::Key(Secret(key.to_owned())))
    }

    fn failed(&mut self, ip: IpAddr, now: Now) -> u32 {
        if self.failed_second != now.ms() / 1000 {
            self.failed_second = now.ms() / 1000;
            self.failed_lookups.clear();
        }
        self.failed_lookups.get(&ip).copied().unwrap_or(0)
    }

    /// Takes in the exchange's answer about a key (`None`: it did not answer) and judges the key. Never asks again.
    pub fn learn(&mut self, key: &str, answer: Option<LookupAnswer>, ip: IpAddr, now: Now) -> Verdict {
        match answer {
            Some(LookupAnswer::Key { agent, key_gen, blocked }) => {
                self.keys.insert(self.fingerprint(key), (agent, key_gen));
                if blocked {
                    return refused(Code::AgentBlocked, Code::AgentBlocked.entry().meaning);
                }
                self.judge(Principal { agent, credential: Credential::Key { key_gen } })
            }
            Some(LookupAnswer::KeyUnknown) => {
                self.failed(ip, now);
                *self.failed_lookups.entry(ip).or_default() += 1;
                self.unknown.insert(self.fingerprint(key), now.ms() + UNKNOWN_MS);
                refused(Code::TokenInvalid, "The API key is unknown or was rotated.")
            }
            _ => refused(Code::ExchangeUnavailable, "The API key is not known here and the exchange cannot be asked."),
        }
    }

    fn check_token(&mut self, token: &str, now: Now) -> Verdict {
        let fingerprint = self.fingerprint(token);
        let now_s = now.unix_ms.div_euclid(1000);
        let claims = match self.tokens.map.get(&fingerprint) {
            Some(claims) if claims.exp > now_s => claims.clone(),
            Some(_) => return refused(Code::TokenInvalid, "The token has expired."),
            None => {
                let Some(verifier) = &self.verifier else {
                    return refused(Code::ExchangeUnavailable, "The keys that verify tokens are not known yet.");
                };
                match verifier.verify(token, &self.issuer, now_s) {
                    Ok(claims) => claims,
                    Err(error) => return refused(Code::TokenInvalid, &format!("Refused: {error}.")),
                }
            }
        };
        let principal = Principal {
            agent: claims.sub,
            credential: Credential::Token { jti: claims.jti, token_gen: claims.token_gen },
        };
        self.tokens.insert(fingerprint, claims);
        self.judge(principal)
    }

    /// Judges a principal by what was revoked and blocked.
    pub fn judge(&self, principal: Principal) -> Verdict {
        if !self.is_alive(&principal) {
            return refused(Code::TokenInvalid, "The credential was revoked.");
        }
        if self.is_blocked(principal.agent) {
            return refused(Code::AgentBlocked, Code::AgentBlocked.entry().meaning);
        }
        Verdict::Known(principal)
    }

    /// Has the credential not been revoked?
    pub fn is_alive(&self, principal: &Principal) -> bool {
        match principal.credential {
            Credential::Key { key_gen } => self.pushed.revoked.key_ok(principal.agent, key_gen),
            Credential::Token { jti, token_gen } => self.pushed.revoked.token_parts_ok(principal.agent, token_gen, jti),
        }
    }

    /// Is the agent blocked?
    pub fn is_blocked(&self, agent: AgentId) -> bool {
        self.pushed.blocked.contains(&agent)
    }

    /// Was the agent removed, not long ago?
    pub fn is_removed(&self, agent: AgentId) -> bool {
        self.pushed.removed.contains(&agent)
    }

    /// May this caller call this target?
    ///
    /// # Errors
    /// `token_missing` for an anonymous caller where one is not admitted, `not_authorized` for one that is not listed.
    pub fn may_call(&self, caller: Option<AgentId>, target: AgentId) -> Result<(), Code> {
        match self.pushed.policies.get(&target) {
            Some(policy) => admits(policy, caller),
            None => admits(&Policy::default(), caller),
        }
    }

    /// Drops entries whose time is over.
    pub fn forget_expired(&mut self, now: Now) {
        self.pushed.revoked.forget_expired(now.unix_ms.div_euclid(1000));
    }
}

/// Does a policy admit a caller?
pub(crate) fn admits(policy: &Policy, caller: Option<AgentId>) -> Result<(), Code> {
    match (policy.access, caller) {
        (Access::Public, _) | (Access::Agents, Some(_)) => Ok(()),
        (Access::Listed, Some(caller)) if policy.allow.contains(&caller) => Ok(()),
        (Access::Listed, Some(_)) => Err(Code::NotAuthorized),
        (Access::Agents | Access::Listed, None) => Err(Code::TokenMissing),
    }
}

fn refused(code: Code, detail: &str) -> Verdict {
    Verdict::Refused(Box::new(Problem::new(code, detail)))
}

impl Credentials {
    /// May this caller ask whether this target is connected? Any known caller may; an anonymous one only where it may
    /// call.
    ///
    /// # Errors
    /// `token_missing`.
    pub fn may_ask_status(&self, caller: Option<AgentId>, target: AgentId) -> Result<(), Code> {
        match caller {
            Some(_) => Ok(()),
            None => self.may_call(None, target),
        }
    }
}
