//! The kinds of the event stream. Each is a closed struct: what is not a member cannot be published.

use landline_wire::ids::AgentId;
use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use crate::schema;

/// Data of `agent.connect` and `agent.disconnect`: the agent's first line came up, its last one went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Presence {
    /// When.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Time"))]
    pub ts: String,
    /// Whose.
    pub agent_id: AgentId,
    /// Its name; null if it was removed meanwhile.
    pub name: Option<String>,
}

/// Data of `agent.registered`, `agent.updated` and `agent.removed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// When.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Time"))]
    pub ts: String,
    /// Which agent.
    pub agent_id: AgentId,
    /// Its name.
    pub name: String,
}
