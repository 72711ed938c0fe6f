//! What a handler gives back: an answer whole, an answer as it comes, or a refusal.

use std::fmt;
use std::pin::Pin;

use bytes::Bytes;
use futures_util::Stream;

use super::{CallError, Response};

/// The outcome of a handler.
#[derive(Debug)]
pub enum Reply {
    /// The whole answer. One that is longer than the relay takes in one frame is sent in parts by itself.
    Whole(Response),
    /// The head now, the body as it comes.
    Parts(Streamed),
    /// No answer: the caller gets 502 `agent_error` with these words.
    Refused(Refusal),
}

impl From<Response> for Reply {
    fn from(response: Response) -> Self {
        Self::Whole(response)
    }
}

impl From<Streamed> for Reply {
    fn from(parts: Streamed) -> Self {
        Self::Parts(parts)
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl<T: Into<Reply>, E: Into<Refusal>> From<Result<T, E>> for Reply {
    fn from(outcome: Result<T, E>) -> Self {
        outcome.map_or_else(|error| Self::Refused(error.into()), Into::into)
    }
}

/// An answer whose body comes piece by piece. The next piece is asked for only when the caller has taken enough of the
/// earlier ones, and the body is dropped as soon as the caller leaves.
pub struct Streamed {
    /// HTTP status, 200–599.
    pub status: u16,
    /// Headers; those on the relay's allow list reach the caller.
    pub headers: Vec<(String, String)>,
    pub(super) body: Pieces,
}

/// The pieces of a body; a refusal in place of a piece cuts the answer.
pub(super) type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, Refusal>> + Send>>;

impl Streamed {
    /// An answer from a stream of pieces. A piece may have any size: it is cut to what the relay grants. An empty one
    /// reaches no caller, but tells the relay that the answer goes on: without any piece for a minute it would end the
    /// call.
    pub fn new(
        status: u16,
        headers: Vec<(String, String)>,
        body: impl Stream<Item = Result<Bytes, Refusal>> + Send + 'static,
    ) -> Self {
        Self { status, headers, body: Box::pin(body) }
    }
}

impl fmt::Debug for Streamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Header values may be credentials.
        f.debug_struct("Streamed").field("status", &self.status).finish_non_exhaustive()
    }
}

/// Why there is no answer. Callers see it in the problem's `detail`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A stable word for programs; 64 printable bytes pass.
    pub code: String,
    /// For people; 512 printable bytes pass.
    pub detail: String,
    /// When another try may succeed, in milliseconds.
    pub retry_after_ms: Option<u64>,
}

impl Refusal {
    /// A refusal that says nothing of another try.
    pub fn new(code: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { code: code.into(), detail: detail.into(), retry_after_ms: None }
    }
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        let detail = error.to_string();
        match error {
            CallError::Refused { code, detail, retry_after_ms } => Self { code, detail, retry_after_ms },
            CallError::NoLine => Self::new("no_line", detail),
            CallError::LineLost => Self::new("line_lost", detail),
            CallError::TooLarge => Self::new("body_too_large", detail),
            CallError::Answered => Self::new("answered", detail),
            CallError::BodyFailed(_) => Self::new("body_failed", detail),
        }
    }
}
