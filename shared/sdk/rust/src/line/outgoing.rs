//! Calls of our own, as programs see them: to begin one, and to take its answer as it comes.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use landline_wire::ids::AgentId;
use landline_wire::limits;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};

use super::body::Body;
use super::types::{CallError, Command, Commands, LineState, Response};

/// Bytes of an answer in parts that are put together here; more is refused.
const MAX_ANSWER_BYTES: usize = 16 * limits::MAX_BODY_BYTES;

/// A call of our own over the line.
#[derive(Debug, Default)]
pub struct LineCall {
    /// A2A method, for the audit record.
    pub method: Option<String>,
    /// HTTP verb; `None` is `POST`.
    pub verb: Option<String>,
    /// Path and query for the callee: empty, or from `/` or `?` on, raw.
    pub path: String,
    /// Headers for the callee.
    pub headers: Vec<(String, String)>,
    /// Ask the callee for an event stream.
    pub stream: bool,
    /// Lowers the time from the last byte of the body within which the answer must begin.
    pub timeout: Option<Duration>,
    /// The body. A stream goes in parts as far as the callee takes them, and so does a whole body that is longer than the
    /// relay takes in one frame. What is left of it when the answer is complete is not sent.
    pub body: Body,
}

/// The beginning of an answer, from the connection.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Body,
}

/// An answer that is taken as it comes, with [`CallParts::next`] or as a stream. Dropped before its end, it cancels the
/// call.
#[derive(Debug)]
pub struct CallParts {
    /// HTTP status.
    pub status: u16,
    /// Headers, names in lower case.
    pub headers: Vec<(String, String)>,
    body: Body,
    handle: Handle,
    _permit: OwnedSemaphorePermit,
}

impl CallParts {
    /// The next piece of the body; `None` at its end. Taking pieces is what lets the callee go on: a slow taker stalls
    /// its own call only.
    ///
    /// # Errors
    /// The answer was cut; nothing comes after it.
    pub async fn next(&mut self) -> Option<Result<Bytes, CallError>> {
        StreamExt::next(self).await
    }

    /// Waits for the whole body.
    async fn gather(self) -> Result<Response, CallError> {
        let Self { status, headers, body, mut handle, _permit } = self;
        let body = body.collect(MAX_ANSWER_BYTES).await?;
        handle.open = false;
        Ok(Response { status, headers, body })
    }
}

impl Stream for CallParts {
    type Item = Result<Bytes, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let piece = ready!(Pin::new(&mut self.body).poll_next(context));
        self.handle.open &= matches!(piece, Some(Ok(_)));
        Poll::Ready(piece)
    }
}

/// A call on the connection that it was sent over. Dropped while open, it tells the relay that nobody waits any more.
#[derive(Debug)]
struct Handle {
    connection: mpsc::UnboundedSender<Command>,
    number: u64,
    open: bool,
}

impl Drop for Handle {
    fn drop(&mut self) {
        if self.open {
            let _ = self.connection.send(Command::Cancel { number: self.number });
        }
    }
}

/// Calls other agents over a line. Cheap to clone; it follows the line through its redials.
#[derive(Debug, Clone)]
pub struct Caller {
    pub(super) commands: Arc<Commands>,
    pub(super) state: watch::Receiver<LineState>,
}

impl Caller {
    /// Calls an agent and waits for its whole answer. Dropping the future cancels the call.
    ///
    /// # Errors
    /// [`CallError`]: the relay's or the agent's refusal, or there is no line now. Nothing is sent twice.
    pub async fn call(&self, to: AgentId, request: Response) -> Result<Response, CallError> {
        self.call_with(to, None, request).await
    }

    /// Like [`Caller::call`], naming the A2A method for the audit record.
    ///
    /// # Errors
    /// As [`Caller::call`].
    pub async fn call_with(&self, to: AgentId, method: Option<&str>, request: Response) -> Result<Response, CallError> {
        let Response { headers, body, .. } = request;
        let (method, body) = (method.map(str::to_owned), body.into());
        let call = LineCall { method, headers, body, ..LineCall::default() };
        self.call_parts(to, call).await?.gather().await
    }

    /// Calls an agent and gives the answer as it comes. Dropping the future, or what it gave, cancels the call.
    ///
    /// # Errors
    /// As [`Caller::call`], until the answer has begun.
    pub async fn call_parts(&self, to: AgentId, call: LineCall) -> Result<CallParts, CallError> {
        if !matches!(&*self.state.borrow(), LineState::Up(_)) {
            return Err(CallError::NoLine);
        }
        let permits = self.commands.permits.clone();
        let permit = permits.acquire_owned().await.map_err(|_| CallError::NoLine)?;
        let (reply, answer) = oneshot::channel();
        let number = self.commands.next_number();
        let connection = self.commands.connection().ok_or(CallError::NoLine)?;
        let command = Command::Call { number, to, call, reply };
        connection.send(command).map_err(|_| CallError::NoLine)?;
        let mut handle = Handle { connection, number, open: true };
        match answer.await.unwrap_or(Err(CallError::LineLost)) {
            Ok(Begun { status, headers, body }) => Ok(CallParts { status, headers, body, handle, _permit: permit }),
            Err(error) => {
                handle.open = false;
                Err(error)
            }
        }
    }
}
