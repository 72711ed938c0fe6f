//! Calls that are open, and when those that wait were meant to begin. Pure.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Poll, Waker};
use std::time::Instant;

use super::script::Open;

/// A fixed number of calls that one caller may have open.
#[derive(Debug)]
pub struct Slots {
    open: Vec<Option<(u64, Open)>>,
    free: Vec<usize>,
    sent: u64,
}

impl Slots {
    /// So many, all free.
    pub fn new(number: usize) -> Self {
        Self { open: vec![None; number], free: (0..number).rev().collect(), sent: 0 }
    }

    /// May another call be opened?
    pub fn has_free(&self) -> bool {
        !self.free.is_empty()
    }

    /// Opens a call and gives its id: odd, never used twice, and naming its slot.
    pub fn open(&mut self, call: Open) -> Option<u64> {
        let slot = self.free.pop()?;
        let id = 2 * (self.sent * self.open.len() as u64 + slot as u64) + 1;
        self.sent += 1;
        self.open[slot] = Some((id, call));
        Some(id)
    }

    fn slot(&self, id: u64) -> usize {
        (id / 2) as usize % self.open.len()
    }

    /// An open call.
    pub fn get(&mut self, id: u64) -> Option<&mut Open> {
        let slot = self.slot(id);
        self.open[slot].as_mut().filter(|(open, _)| *open == id).map(|(_, call)| call)
    }

    /// Takes a call that is over. Its slot is taken until [`Slots::free`].
    pub fn take(&mut self, id: u64) -> Option<Open> {
        self.get(id)?;
        let slot = self.slot(id);
        self.open[slot].take().map(|(_, call)| call)
    }

    /// Frees the slot of a call that was taken.
    pub fn free(&mut self, id: u64) {
        self.free.push(self.slot(id));
    }

    /// Counts one more sweep of every open call, and gives those that were silent for so many.
    pub fn sweep(&mut self, patience: u8) -> Vec<u64> {
        let mut silent = Vec::new();
        for (id, call) in self.open.iter_mut().flatten() {
            call.silent_sweeps = call.silent_sweeps.saturating_add(1);
            if call.silent_sweeps >= patience {
                silent.push(*id);
            }
        }
        silent
    }

    /// Calls that are open.
    pub fn number_open(&self) -> usize {
        self.open.iter().flatten().count()
    }
}

/// When calls begin: as soon as there is a slot, or when they are due.
#[derive(Debug)]
pub struct Intake {
    due: Option<RefCell<Due>>,
}

#[derive(Debug, Default)]
struct Due {
    calls: VecDeque<Instant>,
    waiting: Vec<Waker>,
}

impl Intake {
    /// Every free slot begins a call at once.
    pub fn closed() -> Self {
        Self { due: None }
    }

    /// Calls begin when they are due.
    pub fn open() -> Self {
        Self { due: Some(RefCell::default()) }
    }

    /// Does every free slot begin a call at once?
    pub fn is_closed(&self) -> bool {
        self.due.is_none()
    }

    /// One more call is due.
    pub fn offer(&self, at: Instant) {
        if let Some(due) = &self.due {
            let mut due = due.borrow_mut();
            due.calls.push_back(at);
            if let Some(waker) = due.waiting.pop() {
                waker.wake();
            }
        }
    }

    /// When the next call was meant to begin, if one is due.
    pub fn take(&self) -> Option<Instant> {
        match &self.due {
            None => Some(Instant::now()),
            Some(due) => due.borrow_mut().calls.pop_front(),
        }
    }

    /// The same, when there is one. For one waiting task per slot.
    pub async fn wait(&self) -> Instant {
        poll_fn(|context| match self.take() {
            Some(start) => Poll::Ready(start),
            None => {
                if let Some(due) = &self.due {
                    due.borrow_mut().waiting.push(context.waker().clone());
                }
                Poll::Pending
            }
        })
        .await
    }

    /// Calls that are due and wait for a slot.
    pub fn waiting(&self) -> usize {
        self.due.as_ref().map_or(0, |due| due.borrow().calls.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Open {
        Open {
            start: Instant::now(),
            last: None,
            ask: 0,
            peer: 0,
            epoch: None,
            bytes: 0,
            ungranted: 0,
            silent_sweeps: 0,
        }
    }

    #[test]
    fn ids_are_odd_and_never_used_twice() {
        let mut slots = Slots::new(3);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let ids: Vec<_> = std::iter::from_fn(|| slots.open(call())).collect();
            assert_eq!((ids.len(), slots.has_free(), slots.number_open()), (3, false, 3));
            for id in ids {
                assert!(id % 2 == 1 && seen.insert(id), "{id}");
                assert!(slots.take(id).is_some());
                slots.free(id);
            }
        }
    }

    #[test]
    fn an_id_that_is_not_open_is_nobodys() {
        let mut slots = Slots::new(2);
        let id = slots.open(call()).unwrap();
        assert!(slots.get(id + 4).is_none() && slots.take(id + 4).is_none());
        assert!(slots.take(id).is_some() && slots.take(id).is_none());
        // It stays taken until it is freed.
        assert!(slots.open(call()).is_some() && slots.open(call()).is_none());
        slots.free(id);
        assert!(slots.open(call()).is_some());
    }

    #[test]
    fn a_call_is_silent_after_so_many_sweeps_without_a_sign_of_it() {
        let mut slots = Slots::new(2);
        let (first, second) = (slots.open(call()).unwrap(), slots.open(call()).unwrap());
        assert!(slots.sweep(3).is_empty());
        slots.get(second).unwrap().silent_sweeps = 0;
        assert!(slots.sweep(3).is_empty());
        assert_eq!(slots.sweep(3), [first]);
        assert!(slots.take(first).is_some());
        slots.free(first);
        let third = slots.open(call()).unwrap();
        assert_eq!(slots.sweep(3), [second]);
        assert_ne!(third, first);
    }

    #[test]
    fn calls_that_are_due_keep_their_time_and_their_order() {
        let intake = Intake::open();
        assert!(intake.take().is_none() && !intake.is_closed() && Intake::closed().take().is_some());
        let (first, second) = (Instant::now(), Instant::now() + std::time::Duration::from_secs(1));
        intake.offer(first);
        intake.offer(second);
        assert_eq!(
            (intake.waiting(), intake.take(), intake.take(), intake.take()),
            (2, Some(first), Some(second), None)
        );
    }
}
