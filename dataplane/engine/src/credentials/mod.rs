//! Who a credential belongs to, what was revoked, and who may call whom: one core's copy of what the exchange pushed.

mod pushed;
mod remembered;
mod strangers;

use std::net::IpAddr;

use landline_link::{Credential, Lookup, LookupAnswer, Op, Policy, Secret};
use landline_token::{Claims, TokenError, Verifier};
use landline_wire::bounds::{Bound, Reached};
use landline_wire::error::{Code, Problem};
use landline_wire::ids::AgentId;
use landline_wire::limits::{MAX_REMEMBERED_CREDENTIALS, MAX_TOKEN_BYTES, MAX_UNKNOWN_KEYS, UNKNOWN_KEY_MS};

use crate::types::Now;
use pushed::Pushed;
pub(crate) use pushed::admits;
use remembered::{Fingerprint, Remembered};
use strangers::Strangers;

/// Seconds between two looks for tokens that have expired. They are refused at their second in any case; this is only
/// about their memory.
const SWEEP_S: i64 = 60;

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
    /// A token whose signature has to be verified: costly, so [`Credentials::verify`] it when there is time.
    Verify,
    /// Refused, with the reason for the caller.
    Refused(Box<Problem>),
}

/// A token whose signature was good.
#[derive(Debug, Clone, Copy)]
struct Verified {
    principal: Principal,
    /// When it ends, unix seconds.
    exp: i64,
}

impl Verified {
    fn of(claims: &Claims) -> Self {
        let credential = Credential::Token { jti: claims.jti, token_gen: claims.token_gen };
        Self { principal: Principal { agent: claims.sub, credential }, exp: claims.exp }
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
    tokens: Remembered<Verified>,
    unknown: Remembered<u64>,
    strangers: Strangers,
    /// When expired tokens were last looked for, unix seconds.
    swept_s: i64,
    reached: Reached,
    tokens_verified: u64,
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
            keys: Remembered::new(MAX_REMEMBERED_CREDENTIALS),
            tokens: Remembered::new(MAX_REMEMBERED_CREDENTIALS),
            unknown: Remembered::new(MAX_UNKNOWN_KEYS),
            strangers: Strangers::default(),
            swept_s: 0,
            reached: Reached::default(),
            tokens_verified: 0,
            ready: false,
            away_since: Some(0),
            stale_key_limit_ms,
        }
    }

    /// The `iss` that tokens must have. Another one than before ends every token that was verified.
    pub fn set_issuer(&mut self, issuer: &str) {
        if self.issuer != issuer {
            self.issuer = issuer.to_owned();
            self.tokens.clear();
        }
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
        if token.contains('.') { self.check_token(token, ip, now) } else { self.check_key(token, ip, now) }
    }

    fn check_key(&mut self, key: &str, ip: IpAddr, now: Now) -> Verdict {
        let fingerprint = self.fingerprint(key);
        if let Some((agent, key_gen)) = self.keys.get(&fingerprint).copied() {
            let stale = self.away_since.is_some_and(|since| now.ms() - since.min(now.ms()) > self.stale_key_limit_ms);
            if !stale {
                return self.judge(Principal { agent, credential: Credential::Key { key_gen } });
            }
        }
        if self.unknown.get(&fingerprint).is_some_and(|until| *until > now.ms()) {
            return refused(Code::TokenInvalid, "The API key is unknown or was rotated.");
        }
        if let Some(refused) = self.too_many_bad(ip, now) {
            return refused;
        }
        if !self.strangers.ask(ip) {
            self.reached.count(Bound::KeyLookups);
            return refused(Code::RateLimited, "Too many API keys from this address are being looked up.");
        }
        Verdict::Ask(Lookup::Key(Secret(key.to_owned())))
    }

    fn too_many_bad(&mut self, ip: IpAddr, now: Now) -> Option<Verdict> {
        self.strangers.has_failed(ip, now).then(|| {
            self.reached.count(Bound::BadCredentials);
            refused(Code::RateLimited, "Too many bad credentials came from this address.")
        })
    }

    /// Takes in the exchange's answer about a key that was asked for (`None`: it did not answer) and judges the key. To
    /// be called once for each [`Verdict::Ask`]; never asks again.
    pub fn learn(&mut self, key: &str, answer: Option<LookupAnswer>, ip: IpAddr, now: Now) -> Verdict {
        self.strangers.answered(ip);
        match answer {
            Some(LookupAnswer::Key { agent, key_gen, blocked }) => {
                let fingerprint = self.fingerprint(key);
                if self.keys.insert(fingerprint, (agent, key_gen)) {
                    self.reached.count(Bound::Remembered);
                }
                if blocked {
                    return refused(Code::AgentBlocked, Code::AgentBlocked.entry().meaning);
                }
                self.judge(Principal { agent, credential: Credential::Key { key_gen } })
            }
            Some(LookupAnswer::KeyUnknown) => {
                self.strangers.failed(ip, now);
                let fingerprint = self.fingerprint(key);
                if self.unknown.insert(fingerprint, now.ms() + UNKNOWN_KEY_MS) {
                    self.reached.count(Bound::UnknownKeys);
                }
                refused(Code::TokenInvalid, "The API key is unknown or was rotated.")
            }
            _ => refused(Code::ExchangeUnavailable, "The API key is not known here and the exchange cannot be asked."),
        }
    }

    fn check_token(&mut self, token: &str, ip: IpAddr, now: Now) -> Verdict {
        if let Some(verdict) = self.verified(&self.fingerprint(token), now) {
            return verdict;
        }
        if self.verifier.is_none() {
            return refused(Code::ExchangeUnavailable, "The keys that verify tokens are not known yet.");
        }
        self.too_many_bad(ip, now).unwrap_or(Verdict::Verify)
    }

    /// What is to be thought of a token that was verified before: its signature still counts, its time may be over, and
    /// it may have been revoked since.
    fn verified(&self, fingerprint: &Fingerprint, now: Now) -> Option<Verdict> {
        let token = self.tokens.get(fingerprint)?;
        if token.exp <= now.unix_ms.div_euclid(1000) {
            return Some(refused(Code::TokenInvalid, "The token has expired."));
        }
        Some(self.judge(token.principal))
    }

    /// Verifies a token's signature and judges it. Meanwhile another caller may have shown the same one: then that is all
    /// that is needed.
    pub fn verify(&mut self, token: &str, ip: IpAddr, now: Now) -> Verdict {
        let verdict = self.check_token(token, ip, now);
        let (Verdict::Verify, Some(verifier)) = (&verdict, &self.verifier) else { return verdict };
        self.tokens_verified += 1;
        match verifier.verify(token, &self.issuer, now.unix_ms.div_euclid(1000)) {
            Ok(claims) => {
                let (fingerprint, verified) = (self.fingerprint(token), Verified::of(&claims));
                if self.tokens.insert(fingerprint, verified) {
                    self.reached.count(Bound::Remembered);
                }
                self.judge(verified.principal)
            }
            Err(error) => {
                use TokenError::{Audience, Expired, Issuer, Signature};
                // What is refused before its signature is looked at costs next to nothing.
                if matches!(error, Signature | Issuer | Audience | Expired) {
                    self.strangers.failed(ip, now);
                }
                refused(Code::TokenInvalid, &format!("Refused: {error}."))
            }
        }
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

    /// Drops entries whose time is over.
    pub fn forget_expired(&mut self, now: Now) {
        let now_s = now.unix_ms.div_euclid(1000);
        self.pushed.revoked.forget_expired(now_s);
        if now_s - self.swept_s >= SWEEP_S {
            self.swept_s = now_s;
            self.tokens.retain(|token| token.exp > now_s);
        }
    }

    /// Keys, and tokens, that are remembered.
    pub fn remembered(&self) -> (usize, usize) {
        (self.keys.len(), self.tokens.len())
    }

    /// Tokens whose signature was looked at.
    pub(crate) fn tokens_verified(&self) -> u64 {
        self.tokens_verified
    }

    /// How often bounds were reached.
    pub(crate) fn reached(&self) -> &Reached {
        &self.reached
    }
}

fn refused(code: Code, detail: &str) -> Verdict {
    Verdict::Refused(Box::new(Problem::new(code, detail)))
}
