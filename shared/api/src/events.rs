//! The kinds of the event stream. Each is a closed struct: what is not a member cannot be published.

use landline_wire::ids::AgentId;
use serde::{Deserialize, Serialize};

/// Data of `agent.connect` and `agent.disconnect`: the agent's first line came up, its last one went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Presence {
    /// When.
    pub ts: String,
    /// Whose.
    pub agent_id: AgentId,
    /// Its name; null if it was removed meanwhile.
    pub name: Option<String>,
}

/// Data of `agent.registered`, `agent.updated` and `agent.removed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// When.
    pub ts: String,
    /// Which agent.
    pub agent_id: AgentId,
    /// Its name.
    pub name: String,
}
