//! What became of a switch's lines.

use landline_wire::ids::{AgentId, SessionId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Reports in sequence. A batch is sent again, unchanged, until it is acknowledged; the exchange applies each once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportBatch {
    /// Counts from 1 within a boot.
    pub seq: u64,
    /// At most [`MAX_BATCH`].
    pub reports: Vec<Report>,
}

/// Reports of one batch.
pub const MAX_BATCH: usize = 1_000;

/// Everything up to this batch is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportAck {
    /// The batch's sequence.
    pub seq: u64,
}

/// One thing that happened to a switch's lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// All sessions follow: those of this node that are not among them until [`Report::SessionsEnd`] are gone.
    /// Sent first on every link connection.
    SessionsBegin,
    /// A line is up (or still up, within a listing).
    SessionUp(SessionUp),
    /// All sessions of the node have been listed.
    SessionsEnd,
    /// A line is gone.
    SessionDown {
        /// Whose.
        agent: AgentId,
        /// Which.
        session: SessionId,
        /// When, unix milliseconds.
        at: i64,
    },
}

/// A line that is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionUp {
    /// Whose.
    pub agent: AgentId,
    /// Which.
    pub session: SessionId,
    /// Since when, unix milliseconds.
    pub at: i64,
    /// What it was opened with.
    pub credential: Credential,
    /// Does it stand beside other lines of the agent?
    pub shared: bool,
}

/// What a line was opened with, as far as its revocation needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credential {
    /// An API key of this generation.
    Key {
        /// See [`Op::Revoke`].
        key_gen: u64,
    },
    /// A token.
    Token {
        /// Its `jti`.
        jti: Uuid,
        /// Its `gen`.
        token_gen: u64,
    },
}
