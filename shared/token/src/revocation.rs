//! Which credentials are dead. The set only grows in strictness: applying an old change again, or changes in another
//! order, gives the same answers.

use std::collections::HashMap;

use landline_wire::ids::AgentId;
use uuid::Uuid;

use crate::claims::Claims;

/// The lowest generations that still count, per agent, and single tokens that were revoked.
///
/// Memory: one entry for each agent whose credentials were ever revoked (40 bytes and the map's overhead), and one for
/// each revoked token that has not expired.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RevocationSet {
    floors: HashMap<AgentId, Floors>,
    tokens: HashMap<Uuid, i64>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Floors {
    token_gen: u64,
    key_gen: u64,
}

impl RevocationSet {
    /// An empty set: everything counts.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tokens of the agent below `token_gen` and keys below `key_gen` are dead from now on. Never lowers a floor.
    pub fn revoke(&mut self, agent: AgentId, token_gen: u64, key_gen: u64) {
        let floors = self.floors.entry(agent).or_default();
        floors.token_gen = floors.token_gen.max(token_gen);
        floors.key_gen = floors.key_gen.max(key_gen);
    }

    /// This one token is dead. `exp` is when it would have ended, unix seconds.
    pub fn revoke_token(&mut self, jti: Uuid, exp: i64) {
        let kept = self.tokens.entry(jti).or_insert(exp);
        *kept = (*kept).max(exp);
    }

    /// May a token with these claims still be used? (Whether it has expired is the verifier's question.)
    pub fn token_ok(&self, claims: &Claims) -> bool {
        self.token_parts_ok(claims.sub, claims.token_gen, claims.jti)
    }

    /// [`RevocationSet::token_ok`] for what a line remembers of the token it was opened with.
    pub fn token_parts_ok(&self, agent: AgentId, token_gen: u64, jti: Uuid) -> bool {
        self.floors.get(&agent).is_none_or(|floors| token_gen >= floors.token_gen) && !self.tokens.contains_key(&jti)
    }

    /// May an API key of this generation still be used?
    pub fn key_ok(&self, agent: AgentId, key_gen: u64) -> bool {
        self.floors.get(&agent).is_none_or(|floors| key_gen >= floors.key_gen)
    }

    /// Forgets single tokens that have expired by now (unix seconds): the verifier refuses them anyway.
    pub fn forget_expired(&mut self, now_unix_s: i64) {
        self.tokens.retain(|_, exp| *exp > now_unix_s);
    }

    /// Forgets everything: a snapshot follows.
    pub fn clear(&mut self) {
        self.floors.clear();
        self.tokens.clear();
    }

    /// How many agents and single tokens are in the set.
    pub fn len(&self) -> (usize, usize) {
        (self.floors.len(), self.tokens.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn agent(n: u8) -> AgentId {
        AgentId::from_parts(1, [n; 10])
    }

    #[test]
    fn a_raised_generation_kills_what_is_older_and_nothing_else() {
        let mut set = RevocationSet::new();
        set.revoke(agent(1), 3, 2);
        assert!(!set.key_ok(agent(1), 1) && set.key_ok(agent(1), 2) && set.key_ok(agent(2), 0));
        assert!(!set.token_parts_ok(agent(1), 2, Uuid::nil()) && set.token_parts_ok(agent(1), 3, Uuid::nil()));
        set.revoke(agent(1), 1, 1);
        assert!(!set.key_ok(agent(1), 1), "an older change arriving late lowers nothing");
        set.clear();
        assert!(set.key_ok(agent(1), 0));
    }

    #[test]
    fn a_single_token_is_dead_until_it_would_have_expired() {
        let mut set = RevocationSet::new();
        let jti = Uuid::from_u128(7);
        set.revoke_token(jti, 100);
        set.forget_expired(99);
        assert!(!set.token_parts_ok(agent(1), 0, jti));
        set.forget_expired(100);
        assert!(set.token_parts_ok(agent(1), 0, jti));
        assert_eq!(set.len(), (0, 0));
    }

    proptest! {
        #[test]
        fn order_and_repetition_do_not_matter(changes in prop::collection::vec((0u8..4, 0u64..6, 0u64..6), 0..24)) {
            let (mut once, mut twice) = (RevocationSet::new(), RevocationSet::new());
            for (who, tokens, keys) in &changes {
                once.revoke(agent(*who), *tokens, *keys);
            }
            for (who, tokens, keys) in changes.iter().rev().chain(changes.iter()) {
                twice.revoke(agent(*who), *tokens, *keys);
            }
            prop_assert_eq!(once, twice);
        }
    }
}
