//! Bodies on their way out, of answers and of calls of our own: one task for each, which sends the body's pieces against
//! the credit that the relay granted.
//!
//! What one body may hold: the piece that it gave last. All of them together have [`PIECES`] pieces of at most a quarter
//! of a window under way to the socket; a task whose piece does not fit waits, and its body with it.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use landline_wire::limits;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, Id, JoinSet};

/// Pieces of all bodies that wait for the connection.
const PIECES: usize = 16;

struct Open {
    task: AbortHandle,
    credit: Arc<Semaphore>,
}

/// The tasks that send, and what they want to be sent: `T`, under the id of its call.
pub(super) struct Sending<T> {
    window: usize,
    tasks: JoinSet<()>,
    open: HashMap<u64, Open>,
    by_task: HashMap<Id, u64>,
    sender: mpsc::Sender<(u64, T)>,
    pieces: mpsc::Receiver<(u64, T)>,
}

impl<T> Default for Sending<T> {
    fn default() -> Self {
        let (sender, pieces) = mpsc::channel(PIECES);
        Self {
            window: limits::WINDOW_BYTES,
            tasks: JoinSet::new(),
            open: HashMap::new(),
            by_task: HashMap::new(),
            sender,
            pieces,
        }
    }
}

impl<T> Sending<T> {
    /// With how much credit a body begins.
    pub(super) fn window(&mut self, bytes: u64) {
        self.window = usize::try_from(bytes.min(limits::MAX_CREDIT)).unwrap_or(usize::MAX);
    }

    /// Calls that are not over.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Runs the task of a call.
    pub(super) fn start<F>(&mut self, id: u64, task: impl FnOnce(Way<T>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let credit = Arc::new(Semaphore::new(self.window));
        let way = Way {
            id,
            credit: credit.clone(),
            // A quarter: the relay grants in steps, and a piece must never wait for more than it has outstanding.
            unit: (self.window / 4).clamp(1, limits::MAX_BODY_BYTES),
            pieces: self.sender.clone(),
        };
        let task = self.tasks.spawn(task(way));
        self.by_task.insert(task.id(), id);
        self.open.insert(id, Open { task, credit });
    }

    /// Ends a call's task if it still runs; what it has under way goes nowhere. `false` if there is none.
    pub(super) fn stop(&mut self, id: u64) -> bool {
        self.open.remove(&id).inspect(|open| open.task.abort()).is_some()
    }

    /// Ends all of them.
    pub(super) fn stop_all(&mut self) {
        self.open.clear();
        self.tasks.abort_all();
    }

    /// The relay grants more. `false`: more than the protocol knows.
    pub(super) fn credit(&mut self, id: u64, bytes: u64) -> bool {
        let Some(open) = self.open.get(&id) else { return true };
        let most = limits::MAX_CREDIT as usize;
        match usize::try_from(bytes) {
            Ok(bytes) if bytes <= most && open.credit.available_permits() <= most - bytes => {
                open.credit.add_permits(bytes);
                true
            }
            _ => false,
        }
    }

    /// What is to be sent next; nothing if the call's task failed. Waits while there is nothing to be sent. Dropping the
    /// future loses nothing.
    pub(super) async fn next(&mut self) -> (u64, Option<T>) {
        loop {
            let (id, next) = tokio::select! {
                // Pieces first: a task's last piece must not be overtaken by the news of its end.
                biased;
                Some((id, piece)) = self.pieces.recv() => (id, Some(piece)),
                Some(done) = self.tasks.join_next_with_id() => {
                    let (task, failed) = match done {
                        Ok((task, ())) => (task, false),
                        Err(error) => (error.id(), true),
                    };
                    match self.by_task.remove(&task) {
                        Some(id) if failed => (id, None),
                        _ => continue,
                    }
                }
            };
            // A piece of a call that was stopped meanwhile goes nowhere.
            if self.open.contains_key(&id) {
                return (id, next);
            }
        }
    }
}

/// The way of one call's pieces to the connection.
pub(super) struct Way<T> {
    id: u64,
    credit: Arc<Semaphore>,
    unit: usize,
    pieces: mpsc::Sender<(u64, T)>,
}

impl<T> Way<T> {
    /// Sends what needs no credit. `false`: the connection is gone.
    pub(super) async fn send(&self, piece: T) -> bool {
        self.pieces.send((self.id, piece)).await.is_ok()
    }

    /// Sends bytes of a body in pieces that `piece` makes, as credit allows. `false`: the connection is gone.
    pub(super) async fn send_body(&self, mut bytes: Bytes, piece: impl Fn(Bytes) -> T) -> bool {
        loop {
            let part = bytes.split_to(bytes.len().min(self.unit));
            // The cast is exact: a unit is at most `MAX_BODY_BYTES`.
            let Ok(permit) = self.credit.acquire_many(part.len() as u32).await else { return false };
            permit.forget();
            if !self.send(piece(part)).await {
                return false;
            }
            if bytes.is_empty() {
                return true;
            }
        }
    }
}
