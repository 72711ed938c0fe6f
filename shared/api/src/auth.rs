//! API keys and tokens.

use landline_wire::ids::AgentId;
use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use crate::schema;

/// Answer to `POST /v1/auth/verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Verified {
    /// Always true: a bad credential is 401.
    #[cfg_attr(feature = "schema", schemars(extend("const" = true)))]
    pub valid: bool,
    /// Whose it is.
    pub agent_id: AgentId,
    /// The agent's name.
    pub name: String,
    /// The first 8 characters of the agent's API key.
    #[cfg_attr(feature = "schema", schemars(with = "schema::KeyPrefix"))]
    pub key_prefix: String,
}

/// Answer to `POST /v1/auth/token`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Token {
    /// A JWT, ES256.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Jwt"))]
    pub token: String,
    /// `Bearer`.
    #[cfg_attr(feature = "schema", schemars(extend("const" = "Bearer")))]
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
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rotated {
    /// The new API key; the old one is dead.
    #[cfg_attr(feature = "schema", schemars(with = "schema::ApiKey"))]
    pub api_key: String,
}

impl std::fmt::Debug for Rotated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rotated(…)")
    }
}

/// Body of `POST /v1/auth/revoke`: one token, or all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(extend("not" = {"required": ["jti", "all"]})))]
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
        #[cfg_attr(feature = "schema", schemars(extend("const" = true)))]
        all: bool,
    },
}
