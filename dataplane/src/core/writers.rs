//! Tasks that write what waits for lines.
//!
//! One that is done rests until the next line has something to be written. Making a task for each write instead moves its
//! whole state, with room for any kind of write, from place to place: an eighth of the instructions of a call.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use bytes::BytesMut;
use landline_engine::LineKey;

use super::Core;
use crate::line::{self, LineIo};

/// Writers that rest at most; further ones end. An idle core keeps so many times about a kilobyte.
const MOST: usize = 64;

/// Writers at work beyond which what the system takes at once is written without one.
const CROWD: usize = 256;

/// A line that has something to be written.
pub(crate) struct Job {
    pub(crate) core: Rc<Core>,
    pub(crate) key: LineKey,
    pub(crate) io: Rc<LineIo>,
    /// What comes first: it was taken already.
    pub(crate) begun: Option<BytesMut>,
}

/// A core's writers.
#[derive(Default)]
pub(crate) struct Writers {
    resting: RefCell<Vec<Rc<Desk>>>,
    working: Cell<usize>,
    /// What is said now comes from a sweep.
    sweeping: Cell<bool>,
}

/// Where a writer finds its next job.
#[derive(Default)]
struct Desk {
    job: Cell<Option<Job>>,
    writer: Cell<Option<Waker>>,
}

impl Writers {
    /// Has a line written.
    pub(crate) fn give(&self, job: Job) {
        self.working.set(self.working.get() + 1);
        let desk = self.resting.borrow_mut().pop().unwrap_or_default();
        desk.job.set(Some(job));
        match desk.writer.take() {
            Some(writer) => writer.wake(),
            None => drop(monoio::spawn(work(desk))),
        }
    }

    /// Is what the system takes at once written without a writer? When so many are at work that a further one is to be
    /// avoided, and when a sweep pings hundreds of silent lines, for each of which one would be woken or made.
    pub(crate) fn writes_now(&self) -> bool {
        self.sweeping.get() || self.working.get() >= CROWD
    }

    /// Until this is said again, what is written comes from a sweep, or does not.
    pub(crate) fn set_sweeping(&self, is_sweeping: bool) {
        self.sweeping.set(is_sweeping);
    }

    /// May the writer at this desk wait for its next job?
    fn rest(&self, desk: &Rc<Desk>) -> bool {
        self.working.set(self.working.get() - 1);
        let mut resting = self.resting.borrow_mut();
        let has_room = resting.len() < MOST;
        if has_room {
            resting.push(Rc::clone(desk));
        }
        has_room
    }
}

impl Drop for Writers {
    /// A desk and its writer hold each other.
    fn drop(&mut self) {
        self.resting.get_mut().drain(..).for_each(|desk| drop(desk.writer.take()));
    }
}

async fn work(desk: Rc<Desk>) {
    loop {
        let Job { core, key, io, begun } = poll_fn(|context| match desk.job.take() {
            Some(job) => Poll::Ready(job),
            None => {
                desk.writer.set(Some(context.waker().clone()));
                Poll::Pending
            }
        })
        .await;
        line::write(&core, key, &io, begun).await;
        if !core.writers.rest(&desk) {
            return;
        }
    }
}
