//! The calls that a connection answers: one task each, which runs the handler and then sends the body's pieces against
//! the credit that the relay granted.
//!
//! What one call may hold: the piece that its body gave last. All calls of a connection together have [`PARTS`] pieces
//! of at most a quarter of a window under way to the socket; a task whose piece does not fit waits, and its body with it.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use landline_wire::limits;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use super::Request;
use super::answer::{Refusal, Reply, Streamed};
use super::types::{Handler, Response};

/// Pieces of all answers that wait for the connection.
const PARTS: usize = 16;

/// What is to be sent for a call.
pub(super) enum Answered {
    /// The whole answer: the call is over.
    Whole(Response),
    /// The beginning of an answer in parts.
    Head {
        /// Status.
        status: u16,
        /// Headers.
        headers: Vec<(String, String)>,
    },
    /// A piece of its body; without `more` the call is over.
    Piece {
        /// The bytes.
        body: Bytes,
        /// More comes.
        more: bool,
    },
    /// The handler refused, or failed: the call is over.
    Refused(Refusal),
}

/// How a call's task ended, if it was not by its pieces.
enum Outcome {
    Whole(Response),
    Refused(Refusal),
    InParts,
}

/// What is to be sent, with the call that it is for.
type Addressed = (u64, Answered);

struct Open {
    task: AbortHandle,
    credit: Arc<Semaphore>,
}

pub(super) struct Answers {
    handler: Arc<Handler>,
    max_in_flight: usize,
    max_body: usize,
    window: usize,
    tasks: JoinSet<Outcome>,
    open: HashMap<u64, Open>,
    by_task: HashMap<Id, u64>,
    sender: mpsc::Sender<Addressed>,
    pieces: mpsc::Receiver<Addressed>,
}

impl Answers {
    pub(super) fn new(handler: Arc<Handler>, max_in_flight: usize) -> Self {
        let (sender, pieces) = mpsc::channel(PARTS);
        Self {
            handler,
            max_in_flight: max_in_flight.max(1),
            max_body: limits::MAX_BODY_BYTES,
            window: limits::WINDOW_BYTES,
            tasks: JoinSet::new(),
            open: HashMap::new(),
            by_task: HashMap::new(),
            sender,
            pieces,
        }
    }

    /// What the relay said in `ready`.
    pub(super) fn bounds(&mut self, max_body: usize, window: usize) {
        self.max_body = max_body;
        self.window = window.min(limits::MAX_CREDIT as usize);
    }

    /// Is no call being answered?
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Starts to answer; `false` if too many calls are being answered.
    pub(super) fn start(&mut self, id: u64, request: Request) -> bool {
        if self.open.len() >= self.max_in_flight {
            return false;
        }
        let credit = Arc::new(Semaphore::new(self.window));
        let sender = Sender {
            id,
            credit: credit.clone(),
            // A quarter: the relay grants in steps, and a piece must never wait for more than it has outstanding.
            unit: (self.window / 4).clamp(1, limits::MAX_BODY_BYTES),
            pieces: self.sender.clone(),
        };
        let (answering, max_body) = ((self.handler)(request), self.max_body);
        let task = self.tasks.spawn(async move {
            match answering.await {
                Reply::Whole(whole) if whole.body.len() <= max_body => Outcome::Whole(whole),
                Reply::Whole(Response { status, headers, body }) => {
                    sender.send_all(Streamed::new(status, headers, stream::iter([Ok(body)]))).await
                }
                Reply::Parts(parts) => sender.send_all(parts).await,
                Reply::Refused(refusal) => Outcome::Refused(refusal),
            }
        });
        self.by_task.insert(task.id(), id);
        self.open.insert(id, Open { task, credit });
        true
    }

    /// The caller left, or its time is up. `false` if the call is not among these.
    pub(super) fn stop(&mut self, id: u64) -> bool {
        self.open.remove(&id).inspect(|open| open.task.abort()).is_some()
    }

    /// The connection ends: nothing more is answered.
    pub(super) fn stop_all(&mut self) {
        self.open.clear();
        self.tasks.abort_all();
    }

    /// The relay grants more. `false`: more than the protocol knows; the call has been stopped.
    pub(super) fn credit(&mut self, id: u64, bytes: u64) -> bool {
        let Some(open) = self.open.get(&id) else { return true };
        let most = limits::MAX_CREDIT as usize;
        match usize::try_from(bytes) {
            Ok(bytes) if bytes <= most && open.credit.available_permits() <= most - bytes => {
                open.credit.add_permits(bytes);
                true
            }
            _ => {
                self.stop(id);
                false
            }
        }
    }

    /// What is to be sent next. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Addressed {
        loop {
            let (id, answered) = tokio::select! {
                // Pieces first: a task's last piece must not be overtaken by the news of its end.
                biased;
                Some(piece) = self.pieces.recv() => piece,
                Some(done) = self.tasks.join_next_with_id() => match self.done(done) {
                    Some(answered) => answered,
                    None => continue,
                },
            };
            let over = !matches!(answered, Answered::Head { .. } | Answered::Piece { more: true, .. });
            let known = if over { self.open.remove(&id).is_some() } else { self.open.contains_key(&id) };
            // A piece of a call that was stopped meanwhile goes nowhere.
            if known {
                return (id, answered);
            }
        }
    }

    fn done(&mut self, done: Result<(Id, Outcome), JoinError>) -> Option<Addressed> {
        let task = match &done {
            Ok((task, _)) => *task,
            Err(error) => error.id(),
        };
        let id = self.by_task.remove(&task)?;
        match done {
            Ok((_, Outcome::InParts)) => None,
            Ok((_, Outcome::Whole(response))) => Some((id, Answered::Whole(response))),
            Ok((_, Outcome::Refused(refusal))) => Some((id, Answered::Refused(refusal))),
            Err(_) => Some((id, Answered::Refused(Refusal::new("handler_failed", "the agent's handler failed")))),
        }
    }
}

/// The way of one answer's pieces to the connection.
struct Sender {
    id: u64,
    credit: Arc<Semaphore>,
    unit: usize,
    pieces: mpsc::Sender<Addressed>,
}

impl Sender {
    async fn send_all(self, parts: Streamed) -> Outcome {
        let Streamed { status, headers, mut body } = parts;
        let mut open = self.send(Answered::Head { status, headers }).await;
        while open {
            open = match body.next().await {
                Some(Ok(bytes)) => self.send_body(bytes).await,
                Some(Err(refusal)) => {
                    self.send(Answered::Refused(refusal)).await;
                    false
                }
                None => {
                    self.send(Answered::Piece { body: Bytes::new(), more: false }).await;
                    false
                }
            };
        }
        Outcome::InParts
    }

    async fn send_body(&self, mut bytes: Bytes) -> bool {
        loop {
            let piece = bytes.split_to(bytes.len().min(self.unit));
            // The cast is exact: a unit is at most `MAX_BODY_BYTES`.
            let Ok(permit) = self.credit.acquire_many(piece.len() as u32).await else { return false };
            permit.forget();
            if !self.send(Answered::Piece { body: piece, more: true }).await {
                return false;
            }
            if bytes.is_empty() {
                return true;
            }
        }
    }

    async fn send(&self, answered: Answered) -> bool {
        self.pieces.send((self.id, answered)).await.is_ok()
    }
}
