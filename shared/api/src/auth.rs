//! API keys and tokens.

use landline_wire::ids::AgentId;
use serde::{Deserialize, Serialize};

/// Answer to `POST /v1/auth/verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Always true: a bad credential is 401.
    pub valid: bool,
    /// Whose it is.
    pub agent_id: AgentId,
    /// The agent's name.
    pub name: String,
    /// The first 8 characters of the agent's API key.
    pub key_prefix: String,
}

/// Answer to `POST /v1/auth/token`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// A JWT, ES256.
    pub token: String,
    /// `Bearer`.
    pub token_type: String,
    /// Seconds.
    pub expires_in: u32,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// Answer to `POST /v1/agents/{id}/rotate-key`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotated {
    /// The new API key; the old one is dead.
    pub api_key: String,
}

impl std::fmt::Debug for Rotated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rotated(…)")
    }
}

/// Body of `POST /v1/auth/revoke`: one token, or all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Revoke {
    /// The token with this id.
    One {
        /// The token's `jti`.
        jti: uuid::Uuid,
    },
    /// Every token of the agent; its key stays.
    All {
        /// Must be true.
        all: bool,
    },
}
