//! Questions of a switch, and what is asked of the exchange on a caller's behalf: look-ups and passed-on requests.

use landline_wire::ids::AgentId;
use serde::{Deserialize, Serialize};

use super::state::Policy;

/// A question upward.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Lookup {
    /// Whose API key is this? The link is mutually authenticated and encrypted; the exchange keeps only an HMAC.
    Key(Secret),
    /// What is known of an agent: for a caller or callee without a line here, and for a line's policy.
    Agent(AgentId),
}

/// A secret text that never shows in `Debug` output.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl std::fmt::Debug for Lookup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(secret) => f.debug_tuple("Key").field(secret).finish(),
            Self::Agent(agent) => f.debug_tuple("Agent").field(agent).finish(),
        }
    }
}

/// The answer to a [`Lookup`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LookupAnswer {
    /// No such key: 401.
    KeyUnknown,
    /// The key is good.
    Key {
        /// Whose.
        agent: AgentId,
        /// The key's generation, to compare with [`Op::Revoke`].
        key_gen: u64,
        /// Is the agent blocked?
        blocked: bool,
    },
    /// No agent has this id and none had: 404.
    AgentUnknown,
    /// The agent was deleted: 410.
    AgentGone,
    /// The agent exists.
    Agent {
        /// Is it blocked?
        blocked: bool,
        /// Who may call it.
        policy: Policy,
        /// The lowest token generation that counts, for a token seen for the first time.
        token_gen: u64,
        /// The base URL of another node that holds its line now.
        elsewhere: Option<String>,
        /// May the exchange call it at its public URL while it has no line? The switch then passes the call on, with
        /// [`PassHead::caller`].
        #[serde(default, skip_serializing_if = "is_false")]
        direct: bool,
    },
    /// The exchange could not answer (its database failed): 503.
    Failed,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

/// Head of a request that the switch passes on. The body follows raw until the stream's end. `Debug` shows neither target
/// nor headers: a credential may be in both.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassHead {
    /// HTTP method.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// Headers as sent, without hop-by-hop ones and without `Forwarded`, `X-Forwarded-*`, `X-Real-IP`.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The caller's address: the only source of it that the exchange believes.
    pub peer: std::net::IpAddr,
    /// Did the caller come over TLS?
    pub tls: bool,
    /// For a call below `/relay/` that the exchange is to dispatch: whom the switch found to be calling. `None` for every
    /// other request: the exchange then judges the credential in the headers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<Caller>,
}

/// Who makes a call that is passed on, as the switch found. The switch has checked the credential and whether the callee
/// takes calls from this caller; the exchange checks the latter again, since it knows the newest state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// The calling agent; `None` is anonymous.
    pub agent: Option<AgentId>,
}

impl std::fmt::Debug for PassHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PassHead")
            .field("method", &self.method)
            .field("headers", &self.headers.len())
            .finish_non_exhaustive()
    }
}

/// Head of the answer to a passed-on request. The body follows raw until the stream's end; a reset stream is a broken
/// answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassAnswer {
    /// HTTP status.
    pub status: u16,
    /// Headers, without hop-by-hop ones.
    pub headers: Vec<(String, Vec<u8>)>,
}
