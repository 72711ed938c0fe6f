//! The switch's side of the revisions: what has been applied, and what a message of the control stream does to it.

use crate::message::{Cursor, Down, Op, Welcome};
use landline_wire::ids::{AgentId, SessionId};

/// What the switch is to do, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Know your cluster.
    Welcome(Welcome),
    /// Forget revocations, blocks, removed agents, keys and policies. The state that takes their place follows at once,
    /// whole: a switch is never seen half-way between the two.
    Reset,
    /// Apply these changes in order.
    Apply(Vec<Op>),
    /// Everything that the exchange knew when it said so has been applied.
    Synced,
    /// End this session.
    Kick {
        /// Whose.
        agent: AgentId,
        /// Which.
        session: SessionId,
        /// Close code.
        code: u16,
    },
    /// Leave within so many milliseconds.
    Drain {
        /// Milliseconds.
        deadline_ms: u64,
    },
}

/// What came does not follow what was applied. Close the connection and dial again: [`Subscriber::connect`] then asks
/// for a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Lost {
    /// Revisions are missing, repeated, or of another history.
    #[error("the revisions do not follow what was applied")]
    Gap,
    /// A message came where the protocol has no place for it.
    #[error("a message of the control stream is out of place")]
    OutOfPlace,
}

/// What the switch has. Lives as long as the switch does, over all its connections.
#[derive(Debug, Default)]
pub struct Subscriber {
    have: Option<Cursor>,
    /// The snapshot that is coming in; what was applied before it still counts until it is complete.
    snapshot: Option<Gathered>,
    welcomed: bool,
}

/// A snapshot that is coming in.
#[derive(Debug, Default)]
struct Gathered {
    parts: u32,
    ops: Vec<Op>,
}

impl Subscriber {
    /// Nothing applied yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A connection begins: gives what stands in its `Hello`. A snapshot that was cut off is forgotten.
    pub fn connect(&mut self) -> Option<Cursor> {
        self.snapshot = None;
        self.welcomed = false;
        self.have
    }

    /// What has been applied.
    pub fn have(&self) -> Option<Cursor> {
        self.have
    }

    /// Takes the next message of the control stream.
    ///
    /// # Errors
    /// [`Lost`]; nothing is known any more of where the switch stands, and its next connection begins with a snapshot.
    pub fn take(&mut self, message: Down) -> Result<Vec<Effect>, Lost> {
        let outcome = self.step(message);
        if outcome.is_err() {
            self.have = None;
            self.snapshot = None;
        }
        outcome
    }

    fn step(&mut self, message: Down) -> Result<Vec<Effect>, Lost> {
        if let Down::Welcome(welcome) = message {
            self.welcomed = true;
            return Ok(vec![Effect::Welcome(welcome)]);
        }
        if !self.welcomed {
            return Err(Lost::OutOfPlace);
        }
        match (message, &mut self.snapshot) {
            (Down::SnapshotBegin, None) => {
                self.snapshot = Some(Gathered::default());
                Ok(vec![])
            }
            (Down::SnapshotPart { part, ops }, Some(gathered)) if part == gathered.parts => {
                gathered.parts += 1;
                gathered.ops.extend(ops);
                Ok(vec![])
            }
            (Down::SnapshotEnd { parts, place }, Some(gathered)) if parts == gathered.parts => {
                let ops = std::mem::take(&mut gathered.ops);
                self.snapshot = None;
                self.have = Some(place);
                Ok(vec![Effect::Reset, Effect::Apply(ops), Effect::Synced])
            }
            (Down::Delta { first, last, ops }, None) => self.delta(first, last, ops),
            (Down::Current(place), None) if self.have == Some(place) => Ok(vec![Effect::Synced]),
            (Down::Current(_), None) => Err(Lost::Gap),
            (Down::Kick { agent, session, code }, _) => Ok(vec![Effect::Kick { agent, session, code }]),
            (Down::Drain { deadline_ms }, _) => Ok(vec![Effect::Drain { deadline_ms }]),
            (Down::SnapshotPart { .. } | Down::SnapshotEnd { .. }, Some(_)) => Err(Lost::Gap),
            _ => Err(Lost::OutOfPlace),
        }
    }

    fn delta(&mut self, first: u64, last: u64, ops: Vec<Op>) -> Result<Vec<Effect>, Lost> {
        match &mut self.have {
            Some(have) if first == have.revision + 1 && last >= first => {
                have.revision = last;
                Ok(vec![Effect::Apply(ops)])
            }
            _ => Err(Lost::Gap),
        }
    }
}
