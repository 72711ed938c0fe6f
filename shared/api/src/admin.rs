//! What the operator sees and does.

use landline_wire::ids::{AgentId, NodeId, SessionId};
use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use crate::schema;

/// Characters of a reason.
pub const MAX_REASON_CHARS: usize = 500;
/// Milliseconds within which a switch may be told to leave: an hour.
pub const MAX_DRAIN_MS: u64 = 3_600_000;

/// Body of `POST /v1/admin/agents/{id}/block`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Block {
    /// Why, for the operator's own record.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = MAX_REASON_CHARS), regex(pattern = r"\S")))]
    pub reason: String,
}

/// An agent's moderation state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Moderation {
    /// Which agent.
    pub agent_id: AgentId,
    /// Is it blocked?
    pub blocked: bool,
    /// Why.
    pub reason: Option<String>,
    /// Since when.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Time>"))]
    pub blocked_at: Option<String>,
    /// Is it featured?
    pub featured: bool,
    /// Was it proven that the host of its URL stands behind its card? Only then it can be called there (`http_direct`).
    #[serde(default)]
    pub origin_proven: bool,
}

/// Body of `POST /v1/admin/agents/{id}/prove-origin`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProveOrigin {
    /// The origin that was proven, such as `https://agent.example`; it must be that of the card's URL now.
    #[cfg_attr(feature = "schema", schemars(with = "schema::HttpUrl"))]
    pub origin: String,
}

/// A line that is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Session {
    /// Which.
    pub session_id: SessionId,
    /// Whose.
    pub agent_id: AgentId,
    /// On which switch.
    pub node_id: NodeId,
    /// Since when.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Time"))]
    pub started_at: String,
    /// `api_key` or `token`.
    #[cfg_attr(feature = "schema", schemars(with = "schema::CredentialKind"))]
    pub credential: String,
}

/// A switch of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Node {
    /// Which.
    pub node_id: NodeId,
    /// Its public URL, if it ever connected.
    pub public_url: Option<String>,
    /// Its software.
    pub version: Option<String>,
    /// When it joined.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Time"))]
    pub joined_at: String,
    /// When it last reported.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Time"))]
    pub last_seen: String,
    /// When it was revoked; null if it was not.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Time>"))]
    pub revoked_at: Option<String>,
    /// Lines on it.
    pub lines: u64,
}

/// Body of `POST /v1/admin/nodes/{id}/drain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Drain {
    /// Milliseconds within which the switch leaves.
    #[cfg_attr(feature = "schema", schemars(range(max = MAX_DRAIN_MS)))]
    pub deadline_ms: u64,
}
