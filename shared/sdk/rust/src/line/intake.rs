//! Bodies on their way in, of calls that arrive and of answers to our own: between the connection, which puts parts in,
//! and the program, which takes them out, stands at most one window.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use landline_wire::limits;
use tokio::sync::mpsc;

use super::types::{CallError, Command};

/// The relay broke the window that it was granted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Overrun;

#[derive(Debug)]
struct State {
    pieces: VecDeque<Bytes>,
    /// Small parts, which came after the pieces: put together, so that many of them cost little more than their bytes.
    small: BytesMut,
    /// Bytes that the relay may still send.
    window: u64,
    /// Bytes that the program took and that were not granted again yet.
    taken: u64,
    /// Nothing comes any more.
    end: Option<Result<(), CallError>>,
    /// The program waits.
    waker: Option<Waker>,
    /// The program dropped the body: what comes is counted and forgotten.
    dropped: bool,
}

impl State {
    fn pop(&mut self) -> Option<Bytes> {
        let small = || Some(std::mem::take(&mut self.small).freeze()).filter(|small| !small.is_empty());
        self.pieces.pop_front().or_else(small)
    }
}

type Shared = Arc<Mutex<State>>;

fn locked(shared: &Shared) -> MutexGuard<'_, State> {
    shared.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The connection's end of a body. Dropped before the body's end, the program learns that the line is lost.
#[derive(Debug)]
pub(super) struct Inlet(Shared);

/// The program's end of a body.
#[derive(Debug)]
pub(super) struct Outlet {
    shared: Shared,
    id: u64,
    /// Bytes that are granted at once: a quarter of the window, so that few frames say so and no sender waits for long.
    step: u64,
    connection: mpsc::UnboundedSender<Command>,
}

/// Both ends of the body of the call with this id; what the program takes is granted again over `connection`.
pub(super) fn body(id: u64, window: u64, connection: mpsc::UnboundedSender<Command>) -> (Inlet, Outlet) {
    // Bounded, so that no relay makes us hold what it likes.
    let window = window.min(limits::MAX_BODY_BYTES as u64);
    let state = State {
        pieces: VecDeque::new(),
        small: BytesMut::new(),
        window,
        taken: 0,
        end: None,
        waker: None,
        dropped: false,
    };
    let shared = Arc::new(Mutex::new(state));
    let outlet = Outlet { shared: shared.clone(), id, step: (window / 4).max(1), connection };
    (Inlet(shared), outlet)
}

impl Inlet {
    /// A part came.
    pub(super) fn push(&self, message: &Bytes, part: &[u8]) -> Result<(), Overrun> {
        let mut state = locked(&self.0);
        state.window = state.window.checked_sub(part.len() as u64).ok_or(Overrun)?;
        if state.dropped || part.is_empty() {
            return Ok(());
        }
        if part.len() <= limits::COPY_THRESHOLD_BYTES {
            // A small part must not pin the buffer that it came in.
            state.small.extend_from_slice(part);
        } else {
            let small = std::mem::take(&mut state.small).freeze();
            state.pieces.extend([small, message.slice_ref(part)].into_iter().filter(|piece| !piece.is_empty()));
        }
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
        Ok(())
    }

    /// The body is complete.
    pub(super) fn finish(self) {
        self.end(Ok(()));
    }

    /// The rest of the body does not come.
    pub(super) fn fail(self, error: CallError) {
        self.end(Err(error));
    }

    fn end(&self, end: Result<(), CallError>) {
        let mut state = locked(&self.0);
        state.end.get_or_insert(end);
        let waker = state.waker.take();
        drop(state);
        waker.into_iter().for_each(Waker::wake);
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.end(Err(CallError::LineLost));
    }
}

impl Outlet {
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, CallError>>> {
        let mut state = locked(&self.shared);
        let Some(piece) = state.pop() else {
            return match &mut state.end {
                // Said once; after it comes nothing.
                Some(end) => Poll::Ready(std::mem::replace(end, Ok(())).err().map(Err)),
                None => {
                    state.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            };
        };
        state.taken += piece.len() as u64;
        if state.taken >= self.step && state.end.is_none() {
            let bytes = std::mem::take(&mut state.taken);
            state.window += bytes;
            // The connection is gone: the end of the body will say so.
            let _ = self.connection.send(Command::Grant { id: self.id, bytes });
        }
        Poll::Ready(Some(Ok(piece)))
    }
}

impl Drop for Outlet {
    fn drop(&mut self) {
        let mut state = locked(&self.shared);
        state.dropped = true;
        (state.pieces, state.small) = (VecDeque::new(), BytesMut::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(inlet: &Inlet) -> usize {
        let state = locked(&inlet.0);
        state.pieces.iter().map(Bytes::len).sum::<usize>() + state.small.len()
    }

    #[test]
    fn a_body_that_nobody_takes_is_held_up_to_its_window_and_one_that_was_dropped_not_at_all() {
        let (connection, _commands) = mpsc::unbounded_channel();
        let (inlet, outlet) = body(2, 10_000, connection);
        let message = Bytes::from(vec![1; 10_001]);
        for part in [&message[..1], &message[1..5_000], &message[5_000..5_001]] {
            assert_eq!(inlet.push(&message, part), Ok(()));
        }
        assert_eq!(held(&inlet), 5_001);
        drop(outlet);
        assert_eq!(held(&inlet), 0);
        assert_eq!(inlet.push(&message, &message[..4_999]), Ok(()));
        assert_eq!(held(&inlet), 0);
        assert_eq!(inlet.push(&message, &message[..1]), Err(Overrun), "it is counted all the same");
    }
}
