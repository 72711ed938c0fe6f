//! Answers in many parts: how a callee gives them, whatever carries them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::hash::Hash;
use std::rc::Rc;
use std::time::Duration;

use landline_wire::limits::WINDOW_BYTES;

/// What carries parts to who asked for them.
pub trait Giver: 'static {
    /// What names a call.
    type Call: Clone + Eq + Hash + 'static;
    /// Queues a part of an answer; `more` follow it, or it is the last.
    fn give(&self, call: &Self::Call, body: &[u8], is_first: bool, more: bool);
    /// Sends what is queued.
    fn flush(&self);
}

/// Answers that are not complete.
pub struct Streams<G: Giver> {
    giver: Rc<G>,
    open: RefCell<HashMap<G::Call, Stream>>,
}

struct Stream {
    left: usize,
    bytes: usize,
    credit: usize,
    begun: bool,
    /// Parts go out by the clock: credit alone sends none.
    trickles: bool,
}

impl<G: Giver> Streams<G> {
    /// None yet.
    pub fn new(giver: Rc<G>) -> Rc<Self> {
        Rc::new(Self { giver, open: RefCell::default() })
    }

    /// Begins an answer of `count` parts of so many bytes. It may run ahead of its reader by a window of
    /// [`WINDOW_BYTES`].
    pub fn begin(self: &Rc<Self>, call: G::Call, count: usize, bytes: usize, gap_ms: u64) {
        let trickles = gap_ms > 0;
        let stream = Stream { left: count, bytes, credit: WINDOW_BYTES, begun: false, trickles };
        self.open.borrow_mut().insert(call.clone(), stream);
        if trickles {
            monoio::spawn(self.clone().trickle(call, Duration::from_millis(gap_ms)));
        } else {
            self.send(&call, usize::MAX);
        }
    }

    /// The reader has taken so many bytes more.
    pub fn grant(&self, call: &G::Call, bytes: usize) {
        let may_send = self.open.borrow_mut().get_mut(call).is_some_and(|stream| {
            stream.credit += bytes;
            !stream.trickles
        });
        if may_send {
            self.send(call, usize::MAX);
        }
    }

    /// Nobody wants the rest.
    pub fn cancel(&self, call: &G::Call) {
        self.open.borrow_mut().remove(call);
    }

    /// One part each `gap`.
    async fn trickle(self: Rc<Self>, call: G::Call, gap: Duration) {
        while self.open.borrow().contains_key(&call) {
            self.send(&call, 1);
            self.giver.flush();
            monoio::time::sleep(gap).await;
        }
    }

    /// Queues as many parts as there is credit for, `most` at most.
    fn send(&self, call: &G::Call, most: usize) {
        let mut open = self.open.borrow_mut();
        let Some(stream) = open.get_mut(call) else { return };
        let part = vec![b'x'; stream.bytes];
        for _ in 0..most {
            if stream.left == 0 || stream.credit < stream.bytes {
                break;
            }
            stream.left -= 1;
            stream.credit -= stream.bytes;
            let is_first = !std::mem::replace(&mut stream.begun, true);
            self.giver.give(call, &part, is_first, stream.left > 0);
        }
        if stream.left == 0 {
            open.remove(call);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keeps what is given: the call, the bytes, whether it is the first part, whether more follow.
    #[derive(Default)]
    struct Kept(RefCell<Vec<(u64, usize, bool, bool)>>);

    impl Giver for Kept {
        type Call = u64;

        fn give(&self, call: &u64, body: &[u8], is_first: bool, more: bool) {
            self.0.borrow_mut().push((*call, body.len(), is_first, more));
        }

        fn flush(&self) {}
    }

    #[test]
    fn a_stream_has_its_parts_and_one_end() {
        let kept = Rc::<Kept>::default();
        let streams = Streams::new(kept.clone());
        streams.begin(7, 3, 10, 0);
        assert_eq!(*kept.0.borrow(), [(7, 10, true, true), (7, 10, false, true), (7, 10, false, false)]);
        streams.grant(&7, 1 << 20);
        assert_eq!(kept.0.borrow().len(), 3, "it is over");
    }

    #[test]
    fn a_reader_that_grants_nothing_is_sent_a_window_and_no_more() {
        let kept = Rc::<Kept>::default();
        let streams = Streams::new(kept.clone());
        streams.begin(1, 1_000, WINDOW_BYTES / 4, 0);
        streams.begin(2, 1, 1, 0);
        assert_eq!(kept.0.borrow().len(), 5, "four parts are the window, and the other stream has its own");
        streams.grant(&1, WINDOW_BYTES / 4 + 1);
        assert_eq!(kept.0.borrow().len(), 6);
        streams.cancel(&1);
        streams.grant(&1, WINDOW_BYTES);
        assert_eq!(kept.0.borrow().len(), 6);
    }
}
