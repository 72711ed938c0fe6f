//! Requests that the switch passes on: one stream each, with a window of credit in both directions, so that neither a
//! slow caller nor a slow exchange makes anything grow.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::Ordering;

use bytes::Bytes;
use landline_link::limits::{MAX_HEAD_BYTES, RESET_GONE};
use landline_link::{PassAnswer, PassHead, StreamKind, codec};
use landline_wire::limits::{MAX_PASSES, READ_BUFFER_BYTES, WINDOW_BYTES};
use quinn::{Connection, SendStream, VarInt};
use tokio::sync::{Notify, mpsc};

use crate::boundary::{Ticket, ToCore};
use crate::metrics::count;
use crate::run::Shared;
use crate::wire::Reader;

/// The open requests.
pub(crate) struct Passes {
    shared: Rc<Shared>,
    open: Rc<RefCell<HashMap<Ticket, Handle>>>,
}

/// The dispatcher's side of one request.
struct Handle {
    /// Pieces of the request's body, `None` at its end. Without a bound of its own: the core keeps to its window, which
    /// only grows by what was taken from here.
    body: mpsc::UnboundedSender<Option<Bytes>>,
    flow: Rc<Flow>,
}

/// What the core has not yet taken of the answer, and whether it still wants it.
#[derive(Default)]
struct Flow {
    outstanding: Cell<usize>,
    room: Notify,
    cancelled: Notify,
}

impl Flow {
    /// Waits until a piece may go to the core; gives its greatest size.
    async fn room(&self) -> usize {
        loop {
            match WINDOW_BYTES.saturating_sub(self.outstanding.get()) {
                0 => self.room.notified().await,
                room => return room.min(READ_BUFFER_BYTES),
            }
        }
    }

    fn took(&self, bytes: usize) {
        self.outstanding.set(self.outstanding.get().saturating_sub(bytes));
        self.room.notify_one();
    }
}

impl Passes {
    pub(crate) fn new(shared: Rc<Shared>) -> Self {
        Self { shared, open: Rc::default() }
    }

    /// Opens a stream for a request. Without a connection, or with too many open, it fails at once.
    pub(crate) fn begin(&self, connection: Option<Connection>, ticket: Ticket, head: PassHead) {
        count(&self.shared.metrics.passes);
        let has_room = self.open.borrow().len() < MAX_PASSES;
        if !has_room {
            count(&self.shared.metrics.passes_refused);
        }
        let connection = connection.filter(|_| has_room);
        let Some(connection) = connection else {
            count(&self.shared.metrics.passes_failed);
            return self.shared.to(ticket.core, ToCore::PassFailed(ticket));
        };
        let (body, pieces) = mpsc::unbounded_channel();
        let flow = Rc::new(Flow::default());
        self.open.borrow_mut().insert(ticket, Handle { body, flow: Rc::clone(&flow) });
        self.gauge();
        let pass = Pass { shared: Rc::clone(&self.shared), ticket, flow };
        let open = Rc::clone(&self.open);
        tokio::task::spawn_local(async move {
            let end = pass.run(connection, head, pieces).await;
            open.borrow_mut().remove(&ticket);
            pass.shared.metrics.passes_open.store(open.borrow().len(), Ordering::Relaxed);
            match end {
                End::Complete => pass.to_core(ToCore::PassEnd(ticket)),
                End::Cancelled => {}
                End::Failed => {
                    count(&pass.shared.metrics.passes_failed);
                    pass.to_core(ToCore::PassFailed(ticket));
                }
            }
        });
    }

    fn gauge(&self) {
        self.shared.metrics.passes_open.store(self.open.borrow().len(), Ordering::Relaxed);
    }

    pub(crate) fn body(&self, ticket: Ticket, bytes: Bytes) {
        self.piece(ticket, Some(bytes));
    }

    pub(crate) fn end(&self, ticket: Ticket) {
        self.piece(ticket, None);
    }

    fn piece(&self, ticket: Ticket, piece: Option<Bytes>) {
        // A request that has ended already has no use for more of its body.
        if let Some(handle) = self.open.borrow().get(&ticket) {
            let _ = handle.body.send(piece);
        }
    }

    pub(crate) fn cancel(&self, ticket: Ticket) {
        if let Some(handle) = self.open.borrow().get(&ticket) {
            handle.flow.cancelled.notify_one();
        }
    }

    pub(crate) fn credit(&self, ticket: Ticket, bytes: usize) {
        if let Some(handle) = self.open.borrow().get(&ticket) {
            handle.flow.took(bytes);
        }
    }
}

enum End {
    Complete,
    Cancelled,
    Failed,
}

/// One request's task.
struct Pass {
    shared: Rc<Shared>,
    ticket: Ticket,
    flow: Rc<Flow>,
}

type Pieces = mpsc::UnboundedReceiver<Option<Bytes>>;

impl Pass {
    fn to_core(&self, message: ToCore) {
        self.shared.to(self.ticket.core, message);
    }

    async fn run(&self, connection: Connection, head: PassHead, pieces: Pieces) -> End {
        let opened = tokio::select! {
            opened = connection.open_bi() => opened,
            () = self.flow.cancelled.notified() => return End::Cancelled,
        };
        let (Ok((mut send, recv)), Ok(head)) = (opened, codec::encode(&head)) else { return End::Failed };
        let mut answer = Reader::new(recv);
        let end = tokio::select! {
            end = self.answer(&mut answer) => end,
            () = self.request(&mut send, &head, pieces) => End::Failed,
            () = self.flow.cancelled.notified() => End::Cancelled,
        };
        // A dropped stream would end as if it were complete. After a complete request this does nothing.
        let _ = send.reset(VarInt::from_u32(RESET_GONE));
        answer.stop(RESET_GONE);
        end
    }

    /// Sends head and body. Never ends by itself: the answer decides. An exchange that wants no more of the body has
    /// answered already, or breaks the answer off; meanwhile the core's pieces are taken, so that it does not wait.
    async fn request(&self, send: &mut SendStream, head: &[u8], mut pieces: Pieces) {
        let mut wanted = send.write_all(&[StreamKind::Pass.byte()]).await.is_ok() && send.write_all(head).await.is_ok();
        while let Some(Some(piece)) = pieces.recv().await {
            let bytes = piece.len();
            wanted = wanted && send.write_chunk(piece).await.is_ok();
            self.to_core(ToCore::PassCredit(self.ticket, bytes));
        }
        if wanted {
            let _ = send.finish();
        }
        std::future::pending().await
    }

    async fn answer(&self, reader: &mut Reader) -> End {
        let Ok(Some(head)) = reader.message::<PassAnswer>(MAX_HEAD_BYTES).await else { return End::Failed };
        self.to_core(ToCore::PassAnswer(self.ticket, head));
        loop {
            let room = self.flow.room().await;
            match reader.raw(room).await {
                Ok(Some(bytes)) => {
                    self.flow.outstanding.set(self.flow.outstanding.get() + bytes.len());
                    self.to_core(ToCore::PassBody(self.ticket, bytes));
                }
                Ok(None) => return End::Complete,
                Err(_) => return End::Failed,
            }
        }
    }
}
