//! What is asked of whom, and whether an answer is right. Pure.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;

use crate::random::Choices;

/// An agent that is called.
#[derive(Debug)]
pub struct Peer {
    /// Its id, or its subject.
    pub id: String,
    /// Its line is up, as far as its own end knows.
    pub is_up: Cell<bool>,
    /// How often its line came up.
    pub epoch: Cell<u64>,
}

impl Peer {
    /// One whose line is up.
    pub fn up(id: String) -> Rc<Self> {
        Rc::new(Self { id, is_up: Cell::new(true), epoch: Cell::new(0) })
    }
}

/// How an ask is to be answered. An agent reads it from the path of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The body, unchanged.
    Echo,
    /// Nothing.
    Empty,
    /// So many parts.
    Parts {
        /// How many.
        count: usize,
        /// Bytes of each.
        bytes: usize,
        /// Milliseconds between two.
        gap_ms: u64,
    },
}

impl Wanted {
    /// The path that says so; an echo needs none, so that its frames are as small as can be.
    pub fn path(self) -> Option<String> {
        match self {
            Self::Echo => None,
            Self::Empty => Some("/empty".into()),
            Self::Parts { count, bytes, gap_ms } => Some(format!("/parts/{count}/{bytes}/{gap_ms}")),
        }
    }

    /// Reads a path.
    pub fn parse(path: Option<&str>) -> Option<Self> {
        let Some(path) = path else { return Some(Self::Echo) };
        let mut words = path.strip_prefix('/')?.split('/');
        let wanted = match words.next()? {
            "empty" => Self::Empty,
            "parts" => {
                let mut number = || words.next()?.parse().ok();
                let (count, bytes, gap_ms) = (number()?, number()?, number()?);
                Self::Parts { count: count as usize, bytes: bytes as usize, gap_ms }
            }
            _ => return None,
        };
        words.next().is_none().then_some(wanted)
    }
}

/// One kind of call.
#[derive(Debug, Clone)]
pub struct Ask {
    /// Its name in the report, if a run has several kinds.
    pub name: Option<&'static str>,
    /// Its share among the others'.
    pub weight: usize,
    /// Its body.
    pub body: Vec<u8>,
    /// What must come back.
    pub wanted: Wanted,
    /// The path that asks for it.
    pub path: Option<String>,
}

impl Ask {
    /// The only kind of a run, with a body of `size` letters.
    pub fn new(size: usize, wanted: Wanted) -> Self {
        let body = (0..size).map(|n| b'a' + (n % 26) as u8).collect();
        Self { name: None, weight: 1, body, wanted, path: wanted.path() }
    }

    /// One of several kinds.
    pub fn named(self, name: &'static str, weight: usize) -> Self {
        Self { name: Some(name), weight, ..self }
    }
}

/// A call that is on its way.
#[derive(Debug, Clone)]
pub struct Open {
    /// When it began, or was meant to.
    pub start: Instant,
    /// When its last part came.
    pub last: Option<Instant>,
    /// Which ask of the script.
    pub ask: usize,
    /// Which peer.
    pub peer: usize,
    /// The peer's line was up when the call was sent, and this was its epoch.
    pub epoch: Option<u64>,
    /// Bytes of the answer so far.
    pub bytes: usize,
    /// Of those, not yet granted again.
    pub ungranted: usize,
    /// Sweeps since it was sent, or its last part came; see [`Slots::sweep`](super::slots::Slots::sweep).
    pub silent_sweeps: u8,
}

/// What one caller does.
#[derive(Debug)]
pub struct Script {
    /// Whom it calls.
    pub peers: Vec<Rc<Peer>>,
    /// What it asks.
    pub asks: Rc<[Ask]>,
    weights: usize,
    choices: Choices,
}

impl Script {
    /// A script; `choices` decides which ask is next, and of whom.
    ///
    /// # Panics
    /// Without a peer or an ask.
    pub fn new(peers: Vec<Rc<Peer>>, asks: Rc<[Ask]>, choices: Choices) -> Self {
        assert!(!peers.is_empty() && !asks.is_empty(), "a caller calls somebody for something");
        let weights = asks.iter().map(|ask| ask.weight).sum();
        Self { peers, asks, weights, choices }
    }

    /// Chooses the next call, which begins then.
    pub fn next(&mut self, start: Instant) -> Open {
        let peer = if self.peers.len() == 1 { 0 } else { self.choices.below(self.peers.len()) };
        let mut ask = 0;
        if self.asks.len() > 1 {
            let mut left = self.choices.below(self.weights);
            while left >= self.asks[ask].weight {
                left -= self.asks[ask].weight;
                ask += 1;
            }
        }
        let epoch = self.peers[peer].is_up.get().then(|| self.peers[peer].epoch.get());
        Open { start, last: None, ask, peer, epoch, bytes: 0, ungranted: 0, silent_sweeps: 0 }
    }

    /// Was the peer's line up all the time since the call was sent?
    pub fn was_up(&self, open: &Open) -> bool {
        let peer = &self.peers[open.peer];
        peer.is_up.get() && open.epoch == Some(peer.epoch.get())
    }

    /// Is a complete answer the right one? `whole` is its body if it came in one piece.
    pub fn is_right(&self, open: &Open, whole: Option<&[u8]>) -> bool {
        let ask = &self.asks[open.ask];
        match ask.wanted {
            Wanted::Echo => whole.map_or(open.bytes == ask.body.len(), |body| body == ask.body),
            Wanted::Empty => open.bytes == 0,
            Wanted::Parts { count, bytes, .. } => open.bytes == count * bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_is_read_from_its_path() {
        for wanted in [Wanted::Echo, Wanted::Empty, Wanted::Parts { count: 3, bytes: 10, gap_ms: 7 }] {
            assert_eq!(Wanted::parse(wanted.path().as_deref()), Some(wanted));
        }
        for bad in ["", "/", "/other", "/parts/1/2", "/parts/1/2/3/4", "/parts/x/2/3", "/empty/1"] {
            assert_eq!(Wanted::parse(Some(bad)), None, "{bad}");
        }
    }

    #[test]
    fn asks_come_by_their_weight_and_peers_evenly() {
        let asks = [Ask::new(1, Wanted::Echo).named("often", 9), Ask::new(2, Wanted::Empty).named("rare", 1)];
        let peers = (0..4).map(|n| Peer::up(n.to_string())).collect();
        let mut script = Script::new(peers, asks.into(), Choices::new(5, 0));
        let (mut rare, mut peers) = (0, [0; 4]);
        for _ in 0..10_000 {
            let open = script.next(Instant::now());
            rare += open.ask;
            peers[open.peer] += 1;
        }
        assert!((900..1_100).contains(&rare), "{rare}");
        assert!(peers.iter().all(|count| (2_300..2_700).contains(count)), "{peers:?}");
    }

    #[test]
    fn an_answer_is_right_if_it_has_what_was_wanted() {
        let asks: Rc<[Ask]> = [Wanted::Echo, Wanted::Empty, Wanted::Parts { count: 2, bytes: 3, gap_ms: 0 }]
            .map(|wanted| Ask::new(4, wanted))
            .into();
        let script = Script::new(vec![Peer::up("p".into())], asks, Choices::new(1, 1));
        let open = |ask, bytes| {
            let start = Instant::now();
            Open { start, last: None, ask, peer: 0, epoch: Some(0), bytes, ungranted: 0, silent_sweeps: 0 }
        };
        assert!(script.is_right(&open(0, 4), Some(b"abcd")) && !script.is_right(&open(0, 4), Some(b"abcx")));
        assert!(script.is_right(&open(1, 0), Some(b"")) && !script.is_right(&open(1, 1), Some(b"x")));
        assert!(script.is_right(&open(2, 6), None) && !script.is_right(&open(2, 3), None));
    }

    #[test]
    fn a_peer_that_went_away_meanwhile_was_not_up() {
        let peer = Peer::up("p".into());
        let mut script = Script::new(vec![peer.clone()], [Ask::new(1, Wanted::Echo)].into(), Choices::new(1, 1));
        let open = script.next(Instant::now());
        assert!(script.was_up(&open));
        peer.is_up.set(false);
        assert!(!script.was_up(&open));
        let while_away = script.next(Instant::now());
        peer.epoch.set(1);
        peer.is_up.set(true);
        assert!(!script.was_up(&open) && !script.was_up(&while_away));
        let after = script.next(Instant::now());
        assert!(script.was_up(&after));
    }
}
