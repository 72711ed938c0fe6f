//! One core: its engine, its sockets, and the thread that runs them.

mod budget;
mod effects;
mod mailbox;
mod run;
mod uplink;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use landline_engine::{Engine, LineKey, Map, Now};
use landline_link::Lookup;
use landline_uplink::{Ticket, ToExchange, UplinkMetrics, UplinkSender};
use landline_wire::error::Origin;

use crate::admission::Admission;
use crate::cards::Cards;
use crate::config::{Driver, SwitchConfig};
use crate::conn::ConnCell;
use crate::direct::Directs;
use crate::line::LineIo;
use crate::metrics::CoreGauges;
use crate::pool::Pool;

pub(crate) use budget::Hold;
pub(crate) use mailbox::{Adopt, CoreMail, Post, mailbox};
pub(crate) use run::{CoreSeat, run};

/// What all cores of a node share. Nothing here is on the path of a call.
pub(crate) struct Shared {
    pub(crate) config: SwitchConfig,
    pub(crate) cores: usize,
    pub(crate) driver: Driver,
    pub(crate) started: Instant,
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
    /// The time.
    pub(crate) fn now(&self) -> Now {
        let unix_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64);
        Now { us: self.started.elapsed().as_micros() as u64, unix_ms }
    }

    /// Do so many records wait that no further call may be made?
    pub(crate) fn spool_is_full(&self) -> bool {
        self.uplink_metrics.get().is_some_and(|metrics| !metrics.has_room())
    }
}

/// One core. Everything in it belongs to its thread.
pub(crate) struct Core {
    pub(crate) id: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) engine: RefCell<Engine>,
    pub(crate) pool: Rc<Pool>,
    uplink: UplinkSender,
    posts: Vec<Post>,
    /// Where problem documents point; known with the exchange's welcome.
    origin: RefCell<Rc<Origin>>,
    pub(crate) lines: RefCell<Map<LineKey, Rc<LineIo>>>,
    /// All HTTP connections, for their deadlines.
    pub(crate) conns: RefCell<Map<u64, Rc<ConnCell>>>,
    /// HTTP exchanges that wait for something, by the number that comes back with it.
    pub(crate) waiting: RefCell<Map<u64, Rc<ConnCell>>>,
    pub(crate) directs: RefCell<Directs>,
    /// Bytes of bodies that are not complete; see [`Hold`].
    incomplete: Arc<AtomicUsize>,
    next_number: Cell<u64>,
    public_calls: RefCell<HashMap<IpAddr, (u64, u32)>>,
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
    pub(crate) fn make_request_id(&self) -> String {
        format!("r-{:08x}-{}-{:x}", self.shared.boot, self.id, self.number())
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

    /// May another anonymous call come from this address? Counts it if so. A window of a minute, per core.
    pub(crate) fn admit_public_call(&self, ip: IpAddr, now: Now) -> Result<(), u32> {
        let most = self.shared.config.public_calls_per_minute;
        if most == 0 {
            return Ok(());
        }
        // Connections are spread over the cores, and so is the bound.
        let most = most.div_ceil(self.shared.cores as u32);
        let minute = now.ms() / 60_000;
        let mut calls = self.public_calls.borrow_mut();
        if calls.len() > 100_000 {
            calls.retain(|_, (then, _)| *then == minute);
        }
        let entry = calls.entry(ip).or_insert((minute, 0));
        if entry.0 != minute {
            *entry = (minute, 0);
        }
        if entry.1 >= most {
            return Err((60 - now.ms() / 1000 % 60) as u32);
        }
        entry.1 += 1;
        Ok(())
    }

    pub(super) fn publish_largest_call(&self, bytes: usize) {
        self.shared.gauges[self.id].largest_call.store(bytes as u64, Ordering::Relaxed);
    }

    /// Publishes this core's numbers for the metrics page.
    fn publish(&self) {
        let engine = self.engine.borrow();
        let gauges = &self.shared.gauges[self.id];
        gauges.store(&engine.stats());
        gauges.lines.store(engine.line_count() as u64, Ordering::Relaxed);
        gauges.calls_open.store(engine.call_count() as u64, Ordering::Relaxed);
        let held = engine.held_bytes() + self.incomplete.load(Ordering::Relaxed);
        gauges.held_bytes.store(held as u64, Ordering::Relaxed);
        gauges.http_connections.store(self.conns.borrow().len() as u64, Ordering::Relaxed);
    }
}
