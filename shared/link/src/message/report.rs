//! What happened on a switch.

use compact_str::CompactString;
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

/// One thing that happened on a switch.
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
    /// A call ended.
    Call(CallRecord),
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

/// How a call was routed, as published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Over the callee's line.
    Relay,
    /// Dispatched by the exchange to the callee's URL.
    HttpDirect,
}

/// One call, with exactly what the eight published fields need and nothing else: what is not here cannot leak.
/// On the link it is a row, in the order of the fields: there is one for every call, and names would be half of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Row", into = "Row")]
pub struct CallRecord {
    /// When it began, unix milliseconds.
    pub ts: i64,
    /// The caller; `None` if anonymous.
    pub from_agent_id: Option<AgentId>,
    /// The callee.
    pub to_agent_id: AgentId,
    /// From `X-A2A-Method`.
    pub a2a_method: Option<CompactString>,
    /// The correlation id.
    pub request_id: CompactString,
    /// The status that the caller got.
    pub status_code: u16,
    /// Microseconds from the complete request to the end of the answer; published as `latency_ms`, with three decimals.
    pub latency_us: u64,
    /// How it was routed.
    pub route: Route,
}

type Row = (i64, Option<AgentId>, AgentId, Option<CompactString>, CompactString, u16, u64, Route);

impl From<CallRecord> for Row {
    fn from(record: CallRecord) -> Self {
        let CallRecord { ts, from_agent_id, to_agent_id, a2a_method, request_id, status_code, latency_us, route } =
            record;
        (ts, from_agent_id, to_agent_id, a2a_method, request_id, status_code, latency_us, route)
    }
}

impl From<Row> for CallRecord {
    fn from(row: Row) -> Self {
        let (ts, from_agent_id, to_agent_id, a2a_method, request_id, status_code, latency_us, route) = row;
        Self { ts, from_agent_id, to_agent_id, a2a_method, request_id, status_code, latency_us, route }
    }
}
