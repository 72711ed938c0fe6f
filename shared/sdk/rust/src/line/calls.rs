//! Calls of our own on one connection: which wait for their answers, how much of an answer is on its way to the program
//! that asked for it, and the bodies that are sent in parts.

use std::collections::HashMap;

use bytes::Bytes;
use landline_wire::limits;
use tokio::sync::{mpsc, oneshot};

use super::body::Body;
use super::intake::{self, Inlet, Overrun};
use super::outgoing::Begun;
use super::sending::{Sending, Way};
use super::types::{CallError, Command};

type Reply = oneshot::Sender<Result<Begun, CallError>>;

/// What is to be sent of a call's body.
pub(super) enum Sent {
    /// A piece; without `more` the body is complete.
    Piece {
        /// The bytes.
        body: Bytes,
        /// More comes.
        more: bool,
    },
    /// The body broke off: the call has failed.
    Broken,
}

/// Our own calls that wait for their answers, or for the rest of them.
pub(super) struct Calls {
    made: u64,
    window: u64,
    open: HashMap<u64, Open>,
    by_number: HashMap<u64, u64>,
    bodies: Sending<Result<Sent, CallError>>,
    connection: mpsc::UnboundedSender<Command>,
}

struct Open {
    number: u64,
    stage: Stage,
}

enum Stage {
    Waiting(Reply),
    Coming(Inlet),
}

impl Calls {
    pub(super) fn new(connection: mpsc::UnboundedSender<Command>) -> Self {
        Self {
            made: 0,
            window: limits::WINDOW_BYTES as u64,
            open: HashMap::new(),
            by_number: HashMap::new(),
            bodies: Sending::default(),
            connection,
        }
    }

    /// What the relay said in `ready`.
    pub(super) fn window(&mut self, bytes: u64) {
        self.window = bytes;
        self.bodies.window(bytes);
    }

    /// Gives a call the next odd id.
    pub(super) fn open(&mut self, number: u64, reply: Reply) -> u64 {
        self.made += 1;
        let id = 2 * self.made - 1;
        self.open.insert(id, Open { number, stage: Stage::Waiting(reply) });
        self.by_number.insert(number, id);
        id
    }

    /// Begins to send a call's body in parts.
    pub(super) fn send_body(&mut self, id: u64, body: Body) {
        self.bodies.start(id, |way| async move {
            let end = match send_parts(&way, body).await {
                Ok(()) => Ok(Sent::Piece { body: Bytes::new(), more: false }),
                Err(error) => Err(error),
            };
            way.send(end).await;
        });
    }

    /// What is to be sent next of the bodies. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> (u64, Sent) {
        let (id, sent) = self.bodies.next().await;
        let failed = || Err(CallError::BodyFailed("what makes it panicked".into()));
        let sent = sent.unwrap_or_else(failed).unwrap_or_else(|error| {
            self.fail(id, error);
            Sent::Broken
        });
        if !matches!(sent, Sent::Piece { more: true, .. }) {
            self.bodies.stop(id);
        }
        (id, sent)
    }

    /// The relay grants more of a body. `false`: more than the protocol knows; the call has failed.
    pub(super) fn credit(&mut self, id: u64, bytes: u64) -> bool {
        let known = self.bodies.credit(id, bytes);
        if !known {
            self.fail(id, CallError::overrun());
        }
        known
    }

    /// Nobody waits for this call any more; its id, if it was open.
    pub(super) fn drop_number(&mut self, number: u64) -> Option<u64> {
        let id = *self.by_number.get(&number)?;
        self.close(id).map(|_| id)
    }

    /// A call ended without the rest of its answer.
    pub(super) fn fail(&mut self, id: u64, error: CallError) {
        match self.close(id) {
            Some(Stage::Waiting(reply)) => drop(reply.send(Err(error))),
            Some(Stage::Coming(inlet)) => inlet.fail(error),
            None => {}
        }
    }

    /// The connection is gone: nobody learns more.
    pub(super) fn fail_all(&mut self) {
        let ids: Vec<u64> = self.open.keys().copied().collect();
        ids.into_iter().for_each(|id| self.fail(id, CallError::LineLost));
    }

    /// An answer begins, with its whole body if there is no `more`. A second beginning of the same answer is ignored.
    ///
    /// # Errors
    /// The relay sent more than it may: the call has failed.
    pub(super) fn begin(
        &mut self,
        id: u64,
        (status, headers): (u16, Vec<(String, String)>),
        message: &Bytes,
        part: &[u8],
        more: bool,
    ) -> Result<(), Overrun> {
        if !more {
            if matches!(self.open.get(&id), Some(Open { stage: Stage::Waiting(_), .. }))
                && let Some(Stage::Waiting(reply)) = self.close(id)
            {
                let _ = reply.send(Ok(Begun { status, headers, body: kept(message, part).into() }));
            }
            return Ok(());
        }
        let Some(open) = self.open.get_mut(&id) else { return Ok(()) };
        if matches!(open.stage, Stage::Coming(_)) {
            return Ok(());
        }
        let (inlet, outlet) = intake::body(id, self.window, self.connection.clone());
        if let Stage::Waiting(reply) = std::mem::replace(&mut open.stage, Stage::Coming(inlet)) {
            // Nobody waits: its cancellation is on its way.
            let _ = reply.send(Ok(Begun { status, headers, body: Body::coming(outlet) }));
        }
        self.part(id, message, part, true)
    }

    /// A part of an answer.
    ///
    /// # Errors
    /// As [`Calls::begin`].
    pub(super) fn part(&mut self, id: u64, message: &Bytes, part: &[u8], more: bool) -> Result<(), Overrun> {
        let Some(Open { stage: Stage::Coming(inlet), .. }) = self.open.get(&id) else { return Ok(()) };
        if let Err(overrun) = inlet.push(message, part) {
            self.fail(id, CallError::overrun());
            return Err(overrun);
        }
        if !more && let Some(Stage::Coming(inlet)) = self.close(id) {
            inlet.finish();
        }
        Ok(())
    }

    /// Does more of this call's answer come, so that credit for it makes sense?
    pub(super) fn receives(&self, id: u64) -> bool {
        self.open.contains_key(&id)
    }

    /// Forgets a call: what is left of its own body is not sent, since nobody would take it.
    fn close(&mut self, id: u64) -> Option<Stage> {
        let Open { number, stage } = self.open.remove(&id)?;
        self.by_number.remove(&number);
        self.bodies.stop(id);
        Some(stage)
    }
}

/// A whole answer, which may be kept for long: a small one must not pin the buffer that it came in.
fn kept(message: &Bytes, body: &[u8]) -> Bytes {
    if body.len() <= limits::COPY_THRESHOLD_BYTES { Bytes::copy_from_slice(body) } else { message.slice_ref(body) }
}

async fn send_parts(way: &Way<Result<Sent, CallError>>, mut body: Body) -> Result<(), CallError> {
    while let Some(piece) = body.next().await {
        if !way.send_body(piece?, |body| Ok(Sent::Piece { body, more: true })).await {
            return Err(CallError::LineLost);
        }
    }
    Ok(())
}
