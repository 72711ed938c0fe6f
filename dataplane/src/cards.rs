//! The last copies of agent cards that went through, served while the exchange is away. Shared by the cores; looked at
//! only for cards.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use landline_wire::limits::MAX_CARDS;

/// Bytes of a card that is kept.
const MOST_BYTES: usize = 64 << 10;
/// Milliseconds that a copy may be served: what the card's `stale-if-error` promises.
const MAX_AGE_MS: u64 = 86_400_000;

/// A card as it was answered.
#[derive(Debug, Clone)]
pub(crate) struct Card {
    /// Its headers.
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    /// Its body.
    pub(crate) body: Bytes,
    stored_ms: u64,
}

/// Copies by path.
#[derive(Debug, Default)]
pub(crate) struct Cards {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    by_path: HashMap<String, Card>,
    order: VecDeque<String>,
    /// Copies that had to make room.
    forgotten: u64,
}

impl Cards {
    /// Is this the path of a card (below the API prefix)?
    pub(crate) fn is_card(below_prefix: &str) -> bool {
        let mut parts = below_prefix.trim_start_matches('/').split('/');
        matches!(
            (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()),
            (Some("v1"), Some("agents"), Some(_), Some("card"), None)
                | (Some("relay"), Some(_), Some(".well-known"), Some("agent-card.json"), None)
        )
    }

    /// Keeps a copy.
    pub(crate) fn put(&self, path: &str, headers: &[(String, Vec<u8>)], body: Bytes, now_ms: u64) {
        if body.len() > MOST_BYTES {
            return;
        }
        // Copied, so that the card does not pin the buffer that it came in.
        let card = Card { headers: headers.to_vec(), body: Bytes::copy_from_slice(&body), stored_ms: now_ms };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.by_path.insert(path.to_owned(), card).is_none() {
            state.order.push_back(path.to_owned());
        }
        while state.order.len() > MAX_CARDS {
            if let Some(oldest) = state.order.pop_front() {
                state.by_path.remove(&oldest);
                state.forgotten += 1;
            }
        }
    }

    /// The copy of a path and its age in seconds.
    pub(crate) fn get(&self, path: &str, now_ms: u64) -> Option<(Card, u64)> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let card = state.by_path.get(path)?;
        let age_ms = now_ms.saturating_sub(card.stored_ms);
        (age_ms <= MAX_AGE_MS).then(|| (card.clone(), age_ms / 1000))
    }

    /// Copies that had to make room for others.
    pub(crate) fn forgotten(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).forgotten
    }

    /// Forgets an agent's copies: it was removed, blocked or changed.
    pub(crate) fn forget(&self, agent: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.by_path.retain(|path, _| !path.contains(agent));
        let kept: VecDeque<String> =
            state.order.iter().filter(|path| state.by_path.contains_key(*path)).cloned().collect();
        state.order = kept;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_bounded_in_number_and_age() {
        let cards = Cards::default();
        for n in 0..MAX_CARDS + 1 {
            cards.put(&format!("/v1/agents/{n}/card"), &[], Bytes::from_static(b"{}"), 0);
        }
        assert!(cards.get("/v1/agents/0/card", 0).is_none());
        assert_eq!(cards.forgotten(), 1, "counted as Bound::Cards");
        assert_eq!(cards.get("/v1/agents/1/card", 5_000).map(|(_, age)| age), Some(5));
        assert!(cards.get("/v1/agents/1/card", MAX_AGE_MS + 1).is_none());
        cards.forget("/7/");
        assert!(cards.get("/v1/agents/7/card", 0).is_none() && cards.get("/v1/agents/8/card", 0).is_some());
    }

    #[test]
    fn only_cards_are_cards() {
        assert!(Cards::is_card("/v1/agents/x/card") && Cards::is_card("/relay/x/.well-known/agent-card.json"));
        assert!(
            !Cards::is_card("/v1/agents/x")
                && !Cards::is_card("/relay/x/status")
                && !Cards::is_card("/v1/agents/x/card/y")
        );
    }
}
