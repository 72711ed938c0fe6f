//! What goes in and out of a line.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use landline_wire::ids::AgentId;
use landline_wire::session::client::Ready;
use tokio::sync::{Semaphore, mpsc, oneshot};

use super::Caller;
use super::answer::Reply;
use super::body::Body;
use super::outgoing::{Begun, LineCall};

/// A call that arrived.
#[derive(Debug)]
pub struct Request {
    /// The calling agent; `None` if anonymous.
    pub from: Option<AgentId>,
    /// The A2A method, if the caller named one.
    pub method: Option<String>,
    /// Correlation id, also in the audit record.
    pub request_id: String,
    /// HTTP verb.
    pub verb: String,
    /// What followed our id in the caller's URL: raw, query included; empty if nothing did.
    pub path: String,
    /// The caller's end-to-end headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The caller would like an event stream.
    pub stream: bool,
    /// Milliseconds from receipt of the body's last byte within which the answer must begin.
    pub deadline_ms: u64,
    /// The body. One in parts comes only until the answer is complete, and from a caller over HTTP only until it begins.
    pub body: Body,
    /// To call others from within the handler.
    pub line: Caller,
}

/// An answer; also what is sent in a call of our own, where `status` is not used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status, 200–599.
    pub status: u16,
    /// Headers; those on the relay's allow list reach the caller.
    pub headers: Vec<(String, String)>,
    /// The body. It may have any size: what is longer than the relay takes in one frame is sent in parts.
    pub body: Bytes,
}

impl Response {
    /// 200 with a body of JSON.
    pub fn ok(body: impl Into<Bytes>) -> Self {
        Self::new(200, "application/json", body)
    }

    /// A status, a content type and a body.
    pub fn new(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        Self { status, headers: vec![("content-type".into(), content_type.into())], body: body.into() }
    }

    /// The value of a header by its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// What a line is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LineState {
    /// A dial is under way.
    Dialling,
    /// Calls arrive.
    Up(Ready),
    /// Lost; the next dial comes after a while.
    Waiting {
        /// Milliseconds.
        for_ms: u64,
        /// Why it was lost.
        why: String,
    },
    /// Ended for good.
    Ended(Ending),
}

/// Why a line ended for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ending {
    /// The relay closed it with a code after which dialling again is useless.
    #[error("the relay closed the line with {code} ({reason})")]
    Closed {
        /// Close code.
        code: u16,
        /// The relay's reason.
        reason: String,
    },
    /// We left.
    #[error("the line was left")]
    Left,
}

/// Why a call of our own failed, or the body of one that arrived was cut.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The line is not up.
    #[error("there is no line now")]
    NoLine,
    /// The line was lost before the answer, or the body, was complete. The callee may have acted.
    #[error("the line was lost before the end")]
    LineLost,
    /// Refused or ended by the relay or the other agent.
    #[error("{code}: {detail}")]
    Refused {
        /// Stable code, as in problem documents.
        code: String,
        /// What happened.
        detail: String,
        /// When to try again, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// The body, or the answer, is larger than is taken.
    #[error("the body is too large")]
    TooLarge,
    /// The call was answered before its body was complete: the rest of it does not come.
    #[error("the call is answered; the rest of its body does not come")]
    Answered,
    /// The stream that was given as a body failed.
    #[error("the body failed: {0}")]
    BodyFailed(String),
}

impl CallError {
    /// The relay broke the rules of flow control.
    pub(super) fn overrun() -> Self {
        let detail = "the relay broke the window that it was granted".into();
        Self::Refused { code: "flow_control".into(), detail, retry_after_ms: None }
    }
}

/// The future of an answer.
pub(super) type Answering = Pin<Box<dyn Future<Output = Reply> + Send>>;
/// Makes answers.
pub(super) type Handler = dyn Fn(Request) -> Answering + Send + Sync;

/// From callers to the connection that is up.
#[derive(Debug)]
pub(super) enum Command {
    /// Call an agent.
    Call {
        /// The caller's own number for it.
        number: u64,
        /// Whom.
        to: AgentId,
        /// What to send.
        call: LineCall,
        /// Where the answer's beginning goes.
        reply: oneshot::Sender<Result<Begun, CallError>>,
    },
    /// The program took so many bytes of a body in parts, of a call that arrived or of an answer.
    Grant {
        /// The call's id on this connection.
        id: u64,
        /// Bytes.
        bytes: u64,
    },
    /// Nobody waits for this call any more.
    Cancel {
        /// The caller's number.
        number: u64,
    },
}

/// The way from callers to the newest connection. The channel is unbounded, but each call in it holds one of
/// `max_calls` permits until its end, and a body grants in steps of a quarter of its window.
pub(super) struct Commands {
    pub(super) permits: Arc<Semaphore>,
    numbers: AtomicU64,
    current: Mutex<Option<mpsc::UnboundedSender<Command>>>,
}

impl Commands {
    pub(super) fn new(max_calls: usize) -> Self {
        Self {
            permits: Arc::new(Semaphore::new(max_calls.clamp(1, Semaphore::MAX_PERMITS))),
            numbers: AtomicU64::new(0),
            current: Mutex::new(None),
        }
    }

    pub(super) fn next_number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// New calls go to this connection from now on.
    pub(super) fn connect(&self, sender: mpsc::UnboundedSender<Command>) {
        *self.current.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(sender);
    }

    /// The newest connection: where a call goes, and everything that concerns it later.
    pub(super) fn connection(&self) -> Option<mpsc::UnboundedSender<Command>> {
        self.current.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

impl fmt::Debug for Commands {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Commands")
    }
}
