//! Calls: their public record, statistics, the state of a line.

use landline_wire::ids::AgentId;
use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use crate::schema;

/// A call's public record: exactly these eight members, and nothing of what was said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RelayEvent {
    /// When it began.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Time"))]
    pub ts: String,
    /// The caller; null if anonymous.
    pub from_agent_id: Option<AgentId>,
    /// The callee.
    pub to_agent_id: AgentId,
    /// From the caller's `X-A2A-Method`.
    pub a2a_method: Option<String>,
    /// The correlation id.
    pub request_id: String,
    /// The status that the caller got.
    #[cfg_attr(feature = "schema", schemars(range(min = 100, max = 599)))]
    pub status_code: u16,
    /// Milliseconds on the server's side, with three decimals.
    pub latency_ms: f64,
    /// How the call reached it.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Route"))]
    pub route: String,
}

/// A piece of `GET /v1/relay/log`: newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RelayLog {
    /// The records.
    pub events: Vec<RelayEvent>,
    /// Give it as `cursor` to read on; null at the end.
    pub next_cursor: Option<String>,
}

/// Figures over the last calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RelayStats {
    /// Median, milliseconds; null without calls.
    pub p50_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
    /// Calls behind the percentiles.
    pub sample: u64,
    /// Over the last ten seconds.
    pub calls_per_second: f64,
    /// Agents that hold a line.
    pub attached: u64,
}

/// Answer to `GET /relay/{id}/status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RelayStatus {
    /// Whose line.
    pub agent_id: AgentId,
    /// Is there one?
    pub connected: bool,
    /// How a call would reach it; null: in no way.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Route>"))]
    pub route: Option<String>,
    /// Calls in flight towards it.
    pub in_flight: u64,
    /// Since when the line is up.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Time>"))]
    pub session_started_at: Option<String>,
}
