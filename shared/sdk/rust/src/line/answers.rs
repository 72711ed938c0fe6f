//! The calls that a connection answers: one task each, which runs the handler and sends what it gives; and the bodies of
//! those that come in parts.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use landline_wire::limits;
use tokio::sync::mpsc;

use super::Request;
use super::answer::{Refusal, Reply, Streamed};
use super::body::Body;
use super::intake::{self, Inlet, Overrun};
use super::sending::{Sending, Way};
use super::types::{CallError, Command, Handler, Response};

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

pub(super) struct Answers {
    handler: Arc<Handler>,
    max_in_flight: usize,
    max_body: usize,
    window: u64,
    sending: Sending<Answered>,
    /// Bodies that are not complete.
    coming: HashMap<u64, Inlet>,
    connection: mpsc::UnboundedSender<Command>,
}

impl Answers {
    pub(super) fn new(handler: Arc<Handler>, max_in_flight: usize, connection: mpsc::UnboundedSender<Command>) -> Self {
        Self {
            handler,
            max_in_flight: max_in_flight.max(1),
            max_body: limits::MAX_BODY_BYTES,
            window: limits::WINDOW_BYTES as u64,
            sending: Sending::default(),
            coming: HashMap::new(),
            connection,
        }
    }

    /// What the relay said in `ready`.
    pub(super) fn bounds(&mut self, max_body: usize, window: u64) {
        (self.max_body, self.window) = (max_body, window);
        self.sending.window(window);
    }

    /// Is no call being answered?
    pub(super) fn is_empty(&self) -> bool {
        self.sending.len() == 0
    }

    /// Can one more call be answered?
    pub(super) fn has_room(&self) -> bool {
        self.sending.len() < self.max_in_flight
    }

    /// The body of a request that comes in parts; they are put in with [`Answers::part`], the first too.
    pub(super) fn receive(&mut self, id: u64) -> Body {
        let (inlet, outlet) = intake::body(id, self.window, self.connection.clone());
        self.coming.insert(id, inlet);
        Body::coming(outlet)
    }

    /// Starts to answer.
    pub(super) fn start(&mut self, id: u64, request: Request) {
        let (answering, max_body) = ((self.handler)(request), self.max_body);
        self.sending.start(id, |way| async move {
            match answering.await {
                Reply::Whole(whole) if whole.body.len() <= max_body => {
                    way.send(Answered::Whole(whole)).await;
                }
                Reply::Whole(Response { status, headers, body }) => {
                    send_parts(&way, Streamed::new(status, headers, stream::iter([Ok(body)]))).await;
                }
                Reply::Parts(parts) => send_parts(&way, parts).await,
                Reply::Refused(refusal) => {
                    way.send(Answered::Refused(refusal)).await;
                }
            }
        });
    }

    /// A part of a request's body. One of a call that is over, or whose body was complete, is ignored.
    ///
    /// # Errors
    /// The relay sent more than it may: the call has been stopped.
    pub(super) fn part(&mut self, id: u64, message: &Bytes, part: &[u8], more: bool) -> Result<(), Overrun> {
        let Some(inlet) = self.coming.get(&id) else { return Ok(()) };
        if let Err(overrun) = inlet.push(message, part) {
            self.stop(id, CallError::overrun());
            return Err(overrun);
        }
        if !more && let Some(inlet) = self.coming.remove(&id) {
            inlet.finish();
        }
        Ok(())
    }

    /// Does more of this call's body come, so that credit for it makes sense?
    pub(super) fn receives(&self, id: u64) -> bool {
        self.coming.contains_key(&id)
    }

    /// A call is over before it was answered; `why` is for its body. `false` if the call is not among these.
    pub(super) fn stop(&mut self, id: u64, why: CallError) -> bool {
        if let Some(inlet) = self.coming.remove(&id) {
            inlet.fail(why);
        }
        self.sending.stop(id)
    }

    /// The connection ends: nothing more is answered.
    pub(super) fn stop_all(&mut self) {
        self.coming.clear();
        self.sending.stop_all();
    }

    /// The relay grants more of an answer. `false`: more than the protocol knows; the call has been stopped.
    pub(super) fn credit(&mut self, id: u64, bytes: u64) -> bool {
        let known = self.sending.credit(id, bytes);
        if !known {
            self.stop(id, CallError::overrun());
        }
        known
    }

    /// What is to be sent next. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> (u64, Answered) {
        let (id, answered) = self.sending.next().await;
        let answered =
            answered.unwrap_or_else(|| Answered::Refused(Refusal::new("handler_failed", "the agent's handler failed")));
        if !matches!(answered, Answered::Head { .. } | Answered::Piece { more: true, .. }) {
            // The relay sends no more of a body whose call is answered.
            self.stop(id, CallError::Answered);
        }
        (id, answered)
    }
}

async fn send_parts(way: &Way<Answered>, parts: Streamed) {
    let Streamed { status, headers, mut body } = parts;
    let mut open = way.send(Answered::Head { status, headers }).await;
    while open {
        open = match body.next().await {
            Some(Ok(bytes)) => way.send_body(bytes, |body| Answered::Piece { body, more: true }).await,
            Some(Err(refusal)) => {
                way.send(Answered::Refused(refusal)).await;
                false
            }
            None => {
                way.send(Answered::Piece { body: Bytes::new(), more: false }).await;
                false
            }
        };
    }
}
