//! What the operator sees and does.

use landline_wire::ids::{AgentId, NodeId, SessionId};
use serde::{Deserialize, Serialize};

/// Body of `POST /v1/admin/agents/{id}/block`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Why, for the operator's own record; at most 500 characters.
    pub reason: String,
}

/// An agent's moderation state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moderation {
    /// Which agent.
    pub agent_id: AgentId,
    /// Is it blocked?
    pub blocked: bool,
    /// Why.
    pub reason: Option<String>,
    /// Since when.
    pub blocked_at: Option<String>,
    /// Is it featured?
    pub featured: bool,
    /// Was it proven that the host of its URL stands behind its card? Only then it can be called there (`http_direct`).
    #[serde(default)]
    pub origin_proven: bool,
}

/// Body of `POST /v1/admin/agents/{id}/prove-origin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProveOrigin {
    /// The origin that was proven, such as `https://agent.example`; it must be that of the card's URL now.
    pub origin: String,
}

/// A line that is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Which.
    pub session_id: SessionId,
    /// Whose.
    pub agent_id: AgentId,
    /// On which switch.
    pub node_id: NodeId,
    /// Since when.
    pub started_at: String,
    /// `api_key` or `token`.
    pub credential: String,
}

/// A switch of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Which.
    pub node_id: NodeId,
    /// Its public URL, if it ever connected.
    pub public_url: Option<String>,
    /// Its software.
    pub version: Option<String>,
    /// When it joined.
    pub joined_at: String,
    /// When it last reported.
    pub last_seen: String,
    /// When it was revoked; null if it was not.
    pub revoked_at: Option<String>,
    /// Lines on it.
    pub lines: u64,
}

/// Body of `POST /v1/admin/nodes/{id}/drain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drain {
    /// Milliseconds within which the switch leaves.
    pub deadline_ms: u64,
}
