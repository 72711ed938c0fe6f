//! Lines and callers that are talked with are listened to with a buffer in hand.
//!
//! Of an idle connection one only asks whether there is something to be read, and gets a buffer then: two operations for each
//! message. A busy one reads at once, with a buffer that waits with it. Few may at a time, and one on which nothing is
//! said for a while gives its ear and its buffer back.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use monoio::io::{CancelHandle, Canceller};

/// Lines of a core that listen at a time. Each holds a read buffer.
const MOST: usize = 256;
/// A line is busy if two reads lie no further apart, milliseconds.
const BUSY_MS: u64 = 100;
/// Milliseconds without a word after which an ear is taken back.
const QUIET_MS: u64 = 1_000;

/// Those of one core.
#[derive(Default)]
pub(crate) struct Ears(RefCell<Vec<Rc<Lent>>>);

struct Lent {
    ears: Rc<Ears>,
    canceller: RefCell<Canceller>,
    heard_ms: Cell<u64>,
    is_over: Cell<bool>,
}

/// The right of one line to wait with a buffer; ends when it is dropped, or when [`Ear::is_over`].
pub(crate) struct Ear(Rc<Lent>);

impl Ears {
    /// An ear for a line from which something was read at `now_ms`, and the time before at `before_ms`; `None` if the
    /// line is not busy or no ear is left.
    pub(crate) fn lend(self: &Rc<Self>, before_ms: u64, now_ms: u64) -> Option<Ear> {
        let mut lent = self.0.borrow_mut();
        if now_ms - before_ms > BUSY_MS || lent.len() >= MOST {
            return None;
        }
        let ear = Rc::new(Lent {
            ears: Rc::clone(self),
            canceller: RefCell::default(),
            heard_ms: Cell::new(now_ms),
            is_over: Cell::new(false),
        });
        lent.push(Rc::clone(&ear));
        Some(Ear(ear))
    }

    /// How many are lent.
    pub(super) fn lent(&self) -> usize {
        self.0.borrow().len()
    }

    /// Ends the reads of those on which nothing was said for long: they find that nothing came.
    pub(super) fn sweep(&self, now_ms: u64) {
        for lent in &*self.0.borrow() {
            if now_ms.saturating_sub(lent.heard_ms.get()) > QUIET_MS && !lent.is_over.replace(true) {
                let canceller = lent.canceller.take();
                lent.canceller.replace(canceller.cancel());
            }
        }
    }
}

impl Ear {
    /// Something was read.
    pub(crate) fn heard(&self, now_ms: u64) {
        self.0.heard_ms.set(now_ms);
    }

    /// Was it taken back?
    pub(crate) fn is_over(&self) -> bool {
        self.0.is_over.get()
    }

    /// Ends a read with [`std::io::ErrorKind::WouldBlock`] when the ear is taken back. No byte is lost.
    pub(crate) fn until_over(&self) -> CancelHandle {
        self.0.canceller.borrow().handle()
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.0.ears.0.borrow_mut().retain(|lent| !Rc::ptr_eq(lent, &self.0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_busy_get_an_ear_and_only_so_many() {
        let ears = Rc::new(Ears::default());
        assert!(ears.lend(0, BUSY_MS + 1).is_none(), "long ago");
        let mut held: Vec<Ear> = (0..MOST).map(|_| ears.lend(0, BUSY_MS).expect("one is left")).collect();
        assert!(ears.lend(0, BUSY_MS).is_none() && ears.lent() == MOST);
        held.pop();
        assert!(ears.lend(0, BUSY_MS).is_some(), "one came back");
    }

    #[test]
    fn an_ear_is_taken_back_when_nothing_was_said_for_long() {
        let ears = Rc::new(Ears::default());
        let [quiet, talking] = [1, 2].map(|at| ears.lend(at, at).expect("one"));
        talking.heard(500);
        ears.sweep(1 + QUIET_MS);
        assert!(!quiet.is_over() && !talking.is_over());
        ears.sweep(2 + QUIET_MS);
        assert!(quiet.is_over() && !talking.is_over());
        drop((quiet, talking));
        assert_eq!(ears.lent(), 0);
    }
}
