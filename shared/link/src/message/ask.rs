//! Questions of the exchange to an agent, over its line: small, nobody's call, and never recorded.

use landline_wire::error::Code;
use landline_wire::ids::AgentId;
use serde::{Deserialize, Serialize};

/// A question, downward. `Debug` shows no body.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Who is asked.
    pub agent: AgentId,
    /// HTTP method.
    pub method: String,
    /// Path and query; empty: the agent's own place.
    pub path: String,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// At most [`crate::limits::MAX_ASK_BYTES`].
    pub body: Vec<u8>,
    /// Correlation id.
    pub request_id: String,
    /// Milliseconds until the agent must have answered.
    pub timeout_ms: u64,
}

impl std::fmt::Debug for Ask {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ask").field("agent", &self.agent).field("method", &self.method).finish_non_exhaustive()
    }
}

/// What came of an [`Ask`], upward.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Told {
    /// The agent answered.
    Answer {
        /// HTTP status.
        status: u16,
        /// `content-type`, empty if there was none.
        media_type: String,
        /// The body, or its first [`crate::limits::MAX_TOLD_BYTES`].
        body: Vec<u8>,
    },
    /// It did not, with the code that a caller would have got.
    Failed {
        /// Of the catalogue.
        code: String,
    },
}

impl Told {
    /// There is no answer, for this reason.
    pub fn failed(code: Code) -> Self {
        Self::Failed { code: code.as_str().to_owned() }
    }
}

impl std::fmt::Debug for Told {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Answer { status, body, .. } => f.debug_tuple("Answer").field(status).field(&body.len()).finish(),
            Self::Failed { code } => f.debug_tuple("Failed").field(code).finish(),
        }
    }
}
