//! Calls of our own on one connection: which wait for their answers, and how much of an answer is on its way to the
//! program that asked for it.

use std::collections::HashMap;

use bytes::Bytes;
use landline_wire::limits;
use tokio::sync::{mpsc, oneshot};

use super::outgoing::Begun;
use super::types::CallError;

type Reply = oneshot::Sender<Result<Begun, CallError>>;

/// Our own calls that wait for their answers, or for the rest of them.
pub(super) struct Calls {
    sent: u64,
    window: u64,
    open: HashMap<u64, Open>,
    by_number: HashMap<u64, u64>,
}

struct Open {
    number: u64,
    stage: Stage,
}

enum Stage {
    Waiting(Reply),
    Coming { sink: mpsc::UnboundedSender<Result<Bytes, CallError>>, untaken: u64 },
}

/// The relay broke the window that it was granted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overrun;

impl Default for Calls {
    fn default() -> Self {
        let window = limits::WINDOW_BYTES as u64;
        Self { sent: 0, window, open: HashMap::new(), by_number: HashMap::new() }
    }
}

impl Calls {
    /// What the relay said in `ready`; bounded, so that no relay makes us hold what it likes.
    pub(super) fn window(&mut self, bytes: u64) {
        self.window = bytes.min(limits::MAX_BODY_BYTES as u64);
    }

    /// Gives a call the next odd id.
    pub(super) fn open(&mut self, number: u64, reply: Reply) -> u64 {
        self.sent += 1;
        let id = 2 * self.sent - 1;
        self.open.insert(id, Open { number, stage: Stage::Waiting(reply) });
        self.by_number.insert(number, id);
        id
    }

    /// Nobody waits for this call any more; its id, if it was open.
    pub(super) fn drop_number(&mut self, number: u64) -> Option<u64> {
        let id = self.by_number.remove(&number)?;
        self.open.remove(&id).map(|_| id)
    }

    /// A call ended without the rest of its answer.
    pub(super) fn fail(&mut self, id: u64, error: CallError) {
        let Some(open) = self.open.remove(&id) else { return };
        self.by_number.remove(&open.number);
        match open.stage {
            Stage::Waiting(reply) => drop(reply.send(Err(error))),
            Stage::Coming { sink, .. } => drop(sink.send(Err(error))),
        }
    }

    /// The connection is gone: nobody learns more.
    pub(super) fn fail_all(&mut self) {
        let ids: Vec<u64> = self.open.keys().copied().collect();
        ids.into_iter().for_each(|id| self.fail(id, CallError::LineLost));
    }

    /// An answer begins. A second beginning of the same answer is ignored.
    pub(super) fn begin(
        &mut self,
        id: u64,
        status: u16,
        headers: Vec<(String, String)>,
        body: Bytes,
        more: bool,
    ) -> Result<(), Overrun> {
        let Some(open) = self.open.get_mut(&id) else { return Ok(()) };
        if matches!(open.stage, Stage::Coming { .. }) {
            return Ok(());
        }
        let (sink, receiver) = mpsc::unbounded_channel();
        if let Stage::Waiting(reply) = std::mem::replace(&mut open.stage, Stage::Coming { sink, untaken: 0 }) {
            // Nobody waits: its cancellation is on its way.
            let _ = reply.send(Ok(Begun { status, headers, body: receiver }));
        }
        // A whole body needs no credit.
        if more { self.part(id, body, true) } else { self.last(id, body) }
    }

    /// A part of an answer, not the first.
    pub(super) fn part(&mut self, id: u64, body: Bytes, more: bool) -> Result<(), Overrun> {
        let window = self.window;
        let Some(Open { stage: Stage::Coming { sink, untaken }, .. }) = self.open.get_mut(&id) else { return Ok(()) };
        *untaken += body.len() as u64;
        if *untaken > window {
            let detail = "the relay sent more than the window that it was granted".to_owned();
            self.fail(id, CallError::Refused { code: "flow_control".into(), detail, retry_after_ms: None });
            return Err(Overrun);
        }
        if !more {
            return self.last(id, body);
        }
        if !body.is_empty() {
            let _ = sink.send(Ok(body));
        }
        Ok(())
    }

    fn last(&mut self, id: u64, body: Bytes) -> Result<(), Overrun> {
        if let Some(Open { number, stage: Stage::Coming { sink, .. } }) = self.open.remove(&id) {
            self.by_number.remove(&number);
            if !body.is_empty() {
                let _ = sink.send(Ok(body));
            }
        }
        Ok(())
    }

    /// The program took so many bytes: the id to grant them on, unless the answer is complete.
    pub(super) fn taken(&mut self, number: u64, bytes: u64) -> Option<u64> {
        let id = *self.by_number.get(&number)?;
        if let Stage::Coming { untaken, .. } = &mut self.open.get_mut(&id)?.stage {
            *untaken = untaken.saturating_sub(bytes);
        }
        Some(id)
    }
}
