//! Costly work for connections that attach, TLS handshakes and verifying tokens, takes turns: a few pieces of it, then
//! everything else that is ready, then the next few. A storm waits for itself; calls go on.
//!
//! A piece holds its turn until the core has looked at its other sockets once more: see [`Turns::take`].

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use landline_wire::limits::{ATTACHES_AT_ONCE, MAX_WAITING_ATTACHES};

/// As short as the runtime's timer goes.
const MOMENT: Duration = Duration::from_millis(1);

/// The turns of one core.
pub(crate) struct Turns {
    free: Cell<usize>,
    queue: RefCell<VecDeque<Rc<Place>>>,
    /// Who waits until the queue is short.
    acceptor: RefCell<Option<Waker>>,
}

impl Default for Turns {
    fn default() -> Self {
        Self { free: Cell::new(ATTACHES_AT_ONCE), queue: RefCell::default(), acceptor: RefCell::default() }
    }
}

/// One that waits.
#[derive(Default)]
struct Place {
    granted: Cell<bool>,
    /// It waits no more.
    left: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

/// The right to do one piece of work; given back when dropped.
pub(crate) struct Turn(Rc<Turns>);

impl Turns {
    /// Waits for a turn, first come, first served. Whoever has it must not drop it before an operation of the ring was
    /// waited for: only then has the core seen what else is ready.
    pub(crate) fn take(self: &Rc<Self>) -> Waiting {
        if self.free.get() > 0 {
            self.free.set(self.free.get() - 1);
            return Waiting { turns: Rc::clone(self), place: None, has_turn: false };
        }
        let place = Rc::new(Place::default());
        self.queue.borrow_mut().push_back(Rc::clone(&place));
        Waiting { turns: Rc::clone(self), place: Some(place), has_turn: false }
    }

    /// Do so many wait that no further connection should be accepted?
    pub(crate) fn is_long(&self) -> bool {
        self.queue.borrow().len() >= MAX_WAITING_ATTACHES
    }

    /// Waits until fewer wait.
    pub(crate) async fn short(&self) {
        std::future::poll_fn(|cx| {
            if !self.is_long() {
                return Poll::Ready(());
            }
            *self.acceptor.borrow_mut() = Some(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn give_back(&self) {
        let next = loop {
            match self.queue.borrow_mut().pop_front() {
                Some(place) if place.left.get() => {}
                next => break next,
            }
        };
        match next {
            Some(place) => {
                place.granted.set(true);
                if let Some(waker) = place.waker.borrow_mut().take() {
                    waker.wake();
                }
            }
            None => self.free.set(self.free.get() + 1),
        }
        if !self.is_long()
            && let Some(waker) = self.acceptor.borrow_mut().take()
        {
            waker.wake();
        }
    }
}

impl Turn {
    /// Gives the turn back when the core has looked at its other sockets: for work that waits for no operation itself.
    pub(crate) fn end_later(self) {
        monoio::spawn(async move {
            monoio::time::sleep(MOMENT).await;
            drop(self);
        });
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.give_back();
    }
}

/// Waits for a turn. Dropping it leaves the queue.
pub(crate) struct Waiting {
    turns: Rc<Turns>,
    /// Its place in the queue; `None`: there was no need to wait.
    place: Option<Rc<Place>>,
    /// It took its turn: nothing is to be given back here.
    has_turn: bool,
}

impl Waiting {
    /// Is there a queue?
    pub(crate) fn has_to_wait(&self) -> bool {
        self.place.is_some()
    }
}

impl Future for Waiting {
    type Output = Turn;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Turn> {
        if let Some(place) = self.place.as_ref().filter(|place| !place.granted.get()) {
            *place.waker.borrow_mut() = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.has_turn = true;
        Poll::Ready(Turn(Rc::clone(&self.turns)))
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.has_turn {
            return;
        }
        match &self.place {
            Some(place) if !place.granted.get() => place.left.set(true),
            _ => self.turns.give_back(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Polls a future once.
    fn poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        match Pin::new(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    fn busy() -> (Rc<Turns>, Vec<Turn>) {
        let turns = Rc::new(Turns::default());
        let taken = (0..ATTACHES_AT_ONCE).map(|_| poll(&mut turns.take()).expect("free"));
        let taken = taken.collect();
        (turns, taken)
    }

    #[test]
    fn turns_are_few_and_go_to_who_waits_longest() {
        let (turns, mut taken) = busy();
        let (mut first, mut second) = (turns.take(), turns.take());
        assert!(first.has_to_wait() && poll(&mut first).is_none() && poll(&mut second).is_none());
        taken.pop();
        assert!(poll(&mut second).is_none());
        let turn = poll(&mut first).expect("the first is served");
        drop(first);
        assert!(poll(&mut second).is_none(), "a turn that is held is not given away");
        drop(turn);
        assert!(poll(&mut second).is_some());
        drop((taken, second));
        assert_eq!(turns.free.get(), ATTACHES_AT_ONCE, "each came back once");
    }

    #[test]
    fn who_leaves_the_queue_loses_nobody_a_turn() {
        let (turns, mut taken) = busy();
        let (mut before, mut told, mut last) = (turns.take(), turns.take(), turns.take());
        assert!([&mut before, &mut told, &mut last].into_iter().all(|waiting| poll(waiting).is_none()));
        drop(before);
        taken.pop();
        // Its turn came, and it leaves without taking it.
        drop(told);
        assert!(poll(&mut last).is_some());
        drop((taken, last));
        assert_eq!(turns.free.get(), ATTACHES_AT_ONCE);
    }

    #[test]
    fn the_acceptor_waits_while_the_queue_is_long() {
        let (turns, mut taken) = busy();
        let mut waiting: Vec<Waiting> = (0..MAX_WAITING_ATTACHES).map(|_| turns.take()).collect();
        assert!(turns.is_long());
        let mut short = Box::pin(turns.short());
        assert!(poll(&mut short).is_none());
        taken.pop();
        assert!(poll(&mut short).is_some());
        assert!(poll(&mut waiting[0]).is_some());
    }
}
