//! What other tasks may do to a connection: give it an event, tell it that its time is over.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Waker;

use bytes::Bytes;
use landline_engine::{Now, Reply};
use landline_link::{LookupAnswer, PassAnswer};

use crate::core::Core;
use crate::socket::Socket;

/// What a connection waits for, other than its own socket.
#[derive(Debug)]
pub(crate) enum Event {
    /// Of its relay call.
    Reply(Reply),
    /// Of its look-up.
    Answer(Option<LookupAnswer>),
    /// Of its passed-on request.
    Pass(Pass),
}

/// News of a passed-on request.
#[derive(Debug)]
pub(crate) enum Pass {
    /// So many bytes of the body went out.
    Credit(usize),
    /// Head of the answer.
    Answer(PassAnswer),
    /// A piece of the answer.
    Body(Bytes),
    /// The answer is complete.
    End,
    /// The exchange is away, or the answer broke off.
    Failed,
}

/// Milliseconds that a connection waits for a reply before it also watches whether its caller is still there. A call
/// that is answered sooner is spared the price of watching.
const WATCH_AFTER_MS: u64 = 50;
/// No deadline.
const NEVER: u64 = u64::MAX;

/// Events that wait for their connection. What an answer's parts hold is bounded by their window; credit would have no
/// bound, since an agent may grant it in steps as small as it likes, and so credit that waits is added up.
#[derive(Debug, Default)]
struct Inbox(VecDeque<Event>);

impl Inbox {
    fn push(&mut self, event: Event) {
        if let Event::Reply(Reply::Credit(more)) = event
            && let Some(Event::Reply(Reply::Credit(waits))) = self.0.back_mut()
        {
            *waits = waits.saturating_add(more);
        } else {
            self.0.push_back(event);
        }
    }
}

/// The side of a connection that others reach.
pub(crate) struct ConnCell {
    socket: Socket,
    inbox: RefCell<Inbox>,
    waker: RefCell<Option<Waker>>,
    deadline_ms: Cell<u64>,
    overdue: Cell<bool>,
    /// Since when it waits for a reply; [`NEVER`]: it does not.
    waiting_since: Cell<u64>,
    watch: Cell<bool>,
    writing: Cell<bool>,
    listening: Cell<bool>,
}

impl ConnCell {
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            socket,
            inbox: RefCell::default(),
            waker: RefCell::default(),
            deadline_ms: Cell::new(NEVER),
            overdue: Cell::new(false),
            waiting_since: Cell::new(NEVER),
            watch: Cell::new(false),
            writing: Cell::new(false),
            listening: Cell::new(false),
        }
    }

    /// Gives it an event.
    pub(crate) fn push(&self, event: Event) {
        self.inbox.borrow_mut().push(event);
        self.wake();
    }

    /// Takes the next event.
    pub(crate) fn take(&self) -> Option<Event> {
        self.inbox.borrow_mut().0.pop_front()
    }

    /// Forgets events of an exchange that is over.
    pub(crate) fn clear(&self) {
        self.inbox.borrow_mut().0.clear();
    }

    /// Sets when its time is over, monotonic milliseconds.
    pub(crate) fn set_deadline(&self, deadline_ms: Option<u64>) {
        self.deadline_ms.set(deadline_ms.unwrap_or(NEVER));
        self.overdue.set(false);
    }

    /// Is its time over?
    pub(crate) fn is_overdue(&self) -> bool {
        self.overdue.get()
    }

    /// It begins to wait for a reply.
    pub(crate) fn begin_wait(&self, now_ms: u64) {
        self.waiting_since.set(now_ms);
        self.watch.set(false);
    }

    /// It waits no more.
    pub(crate) fn end_wait(&self) {
        self.waiting_since.set(NEVER);
        self.watch.set(false);
    }

    /// Should it watch its socket while it waits?
    pub(crate) fn watches(&self) -> bool {
        self.watch.get()
    }

    /// It writes: its deadline ends the connection, since nothing can be said any more.
    pub(crate) fn set_writing(&self, writing: bool) {
        self.writing.set(writing);
    }

    /// It waits for a request in a read that nobody calls back: its deadline ends the connection, which is nobody's loss.
    pub(crate) fn set_listening(&self, listening: bool) {
        self.listening.set(listening);
    }

    pub(crate) fn register(&self, waker: &Waker) {
        let mut place = self.waker.borrow_mut();
        if !place.as_ref().is_some_and(|old| old.will_wake(waker)) {
            *place = Some(waker.clone());
        }
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    fn look_at(&self, now: Now) {
        if now.ms() >= self.deadline_ms.get() && !self.overdue.get() {
            self.overdue.set(true);
            if self.writing.get() {
                self.socket.shutdown();
            }
            if self.listening.get() {
                // Over TLS the end is said, so that it is not taken for a cut.
                self.socket.shutdown_write();
                self.socket.shutdown_read();
            }
            self.wake();
        }
        let since = self.waiting_since.get();
        if since != NEVER && !self.watch.get() && now.ms().saturating_sub(since) >= WATCH_AFTER_MS {
            self.watch.set(true);
            self.wake();
        }
    }
}

/// Looks at every connection's deadline. Called at each tick.
pub(crate) fn sweep(core: &Rc<Core>, now: Now) {
    for cell in core.conns.borrow().values() {
        cell.look_at(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credit_that_waits_is_one_event_however_small_its_steps_were() {
        let mut inbox = Inbox::default();
        let part = || Event::Reply(Reply::Part { body: Bytes::from_static(b"x").into(), more: true, cost: 1 });
        let credit = |bytes| Event::Reply(Reply::Credit(bytes));
        inbox.push(part());
        (0..100_000).for_each(|_| inbox.push(credit(1)));
        inbox.push(part());
        inbox.push(credit(5));
        assert_eq!(inbox.0.len(), 4);
        assert!(matches!(inbox.0[1], Event::Reply(Reply::Credit(100_000))));
    }
}
