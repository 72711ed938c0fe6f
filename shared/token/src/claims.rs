//! What a token says.

use landline_wire::ids::AgentId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The `aud` of every token: it opens the relay and the API beside it.
pub const AUDIENCE: &str = "relay";

/// The claims of a token (RFC 7519 section 4.1, and `gen`). All are required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who signed it: the public URL with the API prefix.
    pub iss: String,
    /// Whose token it is.
    pub sub: AgentId,
    /// For whom it is: [`AUDIENCE`].
    pub aud: String,
    /// When it was signed, unix seconds.
    pub iat: i64,
    /// When it ends, unix seconds; at this second it counts no more.
    pub exp: i64,
    /// The token's own id, by which it alone can be revoked.
    pub jti: Uuid,
    /// The agent's token generation (`gen` in the token) when it was signed; raising the agent's generation revokes
    /// all older tokens.
    #[serde(rename = "gen")]
    pub token_gen: u64,
}
