//! One core: its engine, its sockets, and the thread that runs them.

mod budget;
mod ears;
mod effects;
mod mailbox;
mod passes;
mod public;
mod run;
mod sockets;
mod turns;
mod uplink;
mod writers;

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use compact_str::{CompactString, format_compact};
use landline_engine::{Counter, Engine, Map, Now};
use landline_link::Lookup;
use landline_uplink::{Ticket, ToExchange, UplinkMetrics, UplinkSender};
use landline_wire::bounds::{Bound, Reached};
use landline_wire::error::Origin;
use landline_wire::message::Violation;

use crate::admission::Admission;
use crate::asked::Asked;
use crate::cards::Cards;
use crate::config::{Driver, SwitchConfig};
use crate::conn::ConnCell;
use crate::direct::Directs;
use crate::metrics::CoreGauges;
use crate::pool::Pool;

pub(crate) use budget::Hold;
use ears::Ears;
pub(crate) use ears::Listener;
pub(crate) use mailbox::{Adopt, CoreMail, Post, mailbox};
pub(crate) use passes::PassPlace;
use passes::Passes;
use public::PublicCallers;
pub(crate) use run::{CoreSeat, run};
use sockets::Sockets;
use turns::{Turn, Turns};
pub(crate) use writers::Job;
use writers::Writers;

/// What all cores of a node share. Nothing here is on the path of a call.
pub(crate) struct Shared {
    pub(crate) config: SwitchConfig,
    pub(crate) cores: usize,
    pub(crate) driver: Driver,
    pub(crate) started: Instant,
    /// What the wall clock would have shown then, unix milliseconds, if it had run since as the monotonic one did.
    pub(crate) started_unix_ms: AtomicI64,
    /// Different at each start; part of the request ids that are made here.
    pub(crate) boot: u32,
    pub(crate) admission: Arc<Admission>,
    /// Lines, if they are bounded by configuration.
    pub(crate) lines: Option<Arc<Admission>>,
    pub(crate) cards: Cards,
    pub(crate) gauges: Vec<CoreGauges>,
    pub(crate) uplink_metrics: OnceLock<Arc<UplinkMetrics>>,
    /// Cores that have everything they need to serve.
    pub(crate) ready_cores: AtomicUsize,
    pub(crate) draining: AtomicBool,
    pub(crate) refused_sockets: AtomicU64,
}

impl Shared {
    /// The time. Only the monotonic clock is read; what the wall clock shows beside it is looked at in each tick of the
    /// first core.
    pub(crate) fn now(&self) -> Now {
        let us = self.started.elapsed().as_micros() as u64;
        Now { us, unix_ms: self.started_unix_ms.load(Ordering::Relaxed) + (us / 1000) as i64 }
    }

    /// Sets what is known of the wall clock, which may be set while we run.
    pub(crate) fn set_clock(&self) {
        self.started_unix_ms.store(started_unix_ms(self.started), Ordering::Relaxed);
    }

    /// Do so many records wait that no further call may be made?
    pub(crate) fn spool_is_full(&self) -> bool {
        self.uplink_metrics.get().is_some_and(|metrics| !metrics.has_room())
    }
}

/// See [`Shared::started_unix_ms`].
pub(crate) fn started_unix_ms(started: Instant) -> i64 {
    let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
    unix_ms - started.elapsed().as_millis() as i64
}

/// One core. Everything in it belongs to its thread.
pub(crate) struct Core {
    pub(crate) id: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) engine: RefCell<Engine>,
    pub(crate) pool: Rc<Pool>,
    pub(crate) writers: Writers,
    pub(crate) ears: Rc<Ears>,
    uplink: UplinkSender,
    posts: Vec<Post>,
    /// Where problem documents point; known with the exchange's welcome.
    origin: RefCell<Rc<Origin>>,
    pub(crate) lines: RefCell<Sockets>,
    /// All HTTP connections, for their deadlines.
    pub(crate) conns: RefCell<Map<u64, Rc<ConnCell>>>,
    /// HTTP exchanges that wait for something, by the number that comes back with it.
    pub(crate) waiting: RefCell<Map<u64, Rc<ConnCell>>>,
    pub(crate) directs: RefCell<Directs>,
    pub(crate) asked: RefCell<Asked>,
    /// Bytes of bodies that are not complete; see [`Hold`].
    incomplete: Arc<AtomicUsize>,
    next_number: Cell<u64>,
    ticked_ms: Cell<u64>,
    made_ids: RefCell<Counter>,
    public_callers: RefCell<PublicCallers>,
    passes: Rc<Passes>,
    turns: Rc<Turns>,
    /// How often this shell reached a bound; the engine counts its own.
    reached: RefCell<Reached>,
    stop: Rc<Signal>,
}

/// Wakes the core's main task once.
#[derive(Default)]
pub(crate) struct Signal {
    set: Cell<bool>,
    waker: RefCell<Option<std::task::Waker>>,
}

impl Signal {
    fn set(&self) {
        self.set.set(true);
        if let Some(waker) = self.waker.borrow_mut().take() {
            waker.wake();
        }
    }

    async fn wait(&self) {
        std::future::poll_fn(|cx| {
            if self.set.get() {
                return std::task::Poll::Ready(());
            }
            *self.waker.borrow_mut() = Some(cx.waker().clone());
            std::task::Poll::Pending
        })
        .await;
    }
}

impl Core {
    /// The time.
    pub(crate) fn now(&self) -> Now {
        self.shared.now()
    }

    /// Monotonic milliseconds at the last tick, for deadlines of seconds: free, and late by a tick at most.
    pub(crate) fn about_now_ms(&self) -> u64 {
        self.ticked_ms.get()
    }

    /// Where problem documents point.
    pub(crate) fn origin(&self) -> Rc<Origin> {
        self.origin.borrow().clone()
    }

    /// A number that was not used on this core.
    pub(crate) fn number(&self) -> u64 {
        let number = self.next_number.get();
        self.next_number.set(number + 1);
        number
    }

    /// A correlation id for a request that brought none: unique, and nothing secret.
    pub(crate) fn make_request_id(&self) -> CompactString {
        self.made_ids.borrow_mut().next(|| format_compact!("r-{:08x}-{}-", self.shared.boot, self.id))
    }

    /// Random bytes from the system.
    pub(crate) fn random<const N: usize>(&self) -> io::Result<[u8; N]> {
        crate::switch::random()
    }

    /// The exchange's name for a number of this core. The engine's own look-ups have the even ones.
    pub(crate) fn ticket(&self, number: u64) -> Ticket {
        Ticket { core: self.id, number: number << 1 | 1 }
    }

    /// Hands something to the uplink.
    pub(crate) fn tell_exchange(&self, message: ToExchange) {
        self.uplink.send(message);
    }

    /// Asks the exchange; the answer comes to the exchange that waits under `number`.
    pub(crate) fn ask(&self, number: u64, lookup: Lookup) {
        self.tell_exchange(ToExchange::Lookup(self.ticket(number), lookup));
    }

    /// Another core's mailbox.
    pub(crate) fn post(&self, core: usize) -> &Post {
        &self.posts[core]
    }

    /// Counts that a bound was reached.
    pub(crate) fn count(&self, bound: Bound) {
        self.reached.borrow_mut().count(bound);
    }

    /// The close reason of a session that does not become a line.
    pub(crate) fn refusal(&self, violation: Violation) -> String {
        let now = self.now();
        // Without randomness from the system the clock is better than nothing.
        let random = self.random().map_or(now.us, u64::from_le_bytes);
        self.engine.borrow_mut().refusal(violation, random, now)
    }

    /// Waits for a turn to do costly work for a connection that attaches.
    pub(crate) async fn turn(&self) -> Turn {
        let waiting = self.turns.take();
        if waiting.has_to_wait() {
            self.count(Bound::AttachTurns);
        }
        waiting.await
    }

    pub(super) fn publish_largest_call(&self, bytes: usize) {
        self.shared.gauges[self.id].largest_call.store(bytes as u64, Ordering::Relaxed);
    }

    /// Publishes this core's numbers for the metrics page.
    fn publish(&self) {
        let engine = self.engine.borrow();
        let gauges = &self.shared.gauges[self.id];
        let mut stats = engine.stats();
        stats.reached.add(&self.reached.borrow());
        gauges.store(&stats);
        gauges.lines.store(engine.line_count() as u64, Ordering::Relaxed);
        gauges.calls_open.store(engine.call_count() as u64, Ordering::Relaxed);
        let held = engine.held_bytes() + self.incomplete.load(Ordering::Relaxed);
        gauges.held_bytes.store(held as u64, Ordering::Relaxed);
        gauges.http_connections.store(self.conns.borrow().len() as u64, Ordering::Relaxed);
        gauges.busy_connections.store(self.ears.lent() as u64, Ordering::Relaxed);
    }
}
