//! The thread's life: it dials for ever, gathers reports of sessions and serves the cores meanwhile.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use landline_link::limits::CLOSE_DONE;
use landline_wire::ids::AgentId;
use landline_wire::limits::MAX_SESSION_REPORTS;
use quinn::{Connection, Endpoint, VarInt};
use tokio::sync::{Notify, mpsc, oneshot};
use uuid::Uuid;

use crate::asks::Asks;
use crate::boundary::{Deliver, ToCore, ToExchange};
use crate::config::UplinkConfig;
use crate::dial::Dialler;
use crate::handle::{Left, Ready};
use crate::identity::{Identity, Store};
use crate::lookup::Lookups;
use crate::metrics::UplinkMetrics;
use crate::pass::Passes;
use crate::sender::Reports;
use crate::sessions::Sessions;
use crate::spool::{Batch, Flight, Spool};

/// How long a leaving node waits until its farewell has gone out.
const FAREWELL: Duration = Duration::from_millis(500);
/// How often a stopping node looks whether its reports have arrived.
const FLUSH_POLL: Duration = Duration::from_millis(2);

/// What the tasks of the thread share.
pub(crate) struct Shared {
    pub(crate) config: UplinkConfig,
    pub(crate) metrics: Arc<UplinkMetrics>,
    pub(crate) ready: Arc<Ready>,
    pub(crate) boot: Uuid,
    /// The connection, once the exchange has welcomed us on it.
    pub(crate) link: RefCell<Option<Connection>>,
    pub(crate) sessions: RefCell<Sessions>,
    /// Something was added to the sessions' log, or acknowledged.
    pub(crate) sessions_changed: Notify,
    pub(crate) flight: RefCell<Flight>,
    /// There are more batches of records to send.
    pub(crate) flight_grown: Notify,
    /// Questions of the exchange.
    pub(crate) asks: Asks,
    deliver: Deliver,
    cores: usize,
}

impl Shared {
    pub(crate) fn new(
        config: UplinkConfig,
        boot: Uuid,
        deliver: Deliver,
        cores: usize,
        metrics: Arc<UplinkMetrics>,
        ready: Arc<Ready>,
    ) -> Self {
        Self {
            config,
            metrics,
            ready,
            boot,
            link: RefCell::default(),
            sessions: RefCell::default(),
            sessions_changed: Notify::new(),
            flight: RefCell::default(),
            flight_grown: Notify::new(),
            asks: Asks::default(),
            deliver,
            cores,
        }
    }

    /// Adds to the sessions' log, or does what else changes its length.
    pub(crate) fn change_sessions<T>(&self, change: impl FnOnce(&mut Sessions) -> T) -> T {
        let mut sessions = self.sessions.borrow_mut();
        let (before, outcome) = (sessions.len(), change(&mut sessions));
        let after = sessions.len();
        let waiting = &self.metrics.sessions_waiting;
        waiting.fetch_add(after.saturating_sub(before), Ordering::Relaxed);
        waiting.fetch_sub(before.saturating_sub(after), Ordering::Relaxed);
        self.sessions_changed.notify_one();
        outcome
    }

    pub(crate) fn to(&self, core: usize, message: ToCore) {
        (self.deliver)(core, message);
    }

    pub(crate) fn to_home_of(&self, agent: AgentId, message: ToCore) {
        self.to(agent.home_core(self.cores), message);
    }

    pub(crate) fn to_all(&self, message: ToCore) {
        for core in 0..self.cores {
            self.to(core, message.clone());
        }
    }
}

pub(crate) fn now_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}

/// Everything that the thread owns.
pub(crate) struct Run {
    pub(crate) shared: Rc<Shared>,
    pub(crate) store: Store,
    pub(crate) identity: Option<Identity>,
    pub(crate) urgent: mpsc::UnboundedReceiver<ToExchange>,
    pub(crate) reports: Reports,
    pub(crate) spool: Spool,
    pub(crate) batches: mpsc::UnboundedReceiver<Batch>,
    pub(crate) stopped: oneshot::Receiver<Duration>,
}

impl Run {
    /// Works until it is told to stop; then until the reports are delivered or the deadline is over. Gives the records
    /// that were not delivered.
    pub(crate) async fn until_stopped(self) -> Left {
        let Self { shared, store, identity, urgent, reports, spool, mut batches, mut stopped } = self;
        let dispatcher = tokio::task::spawn_local(dispatch(Rc::clone(&shared), urgent));
        let spool = Rc::new(spool);
        let mut dialler = Dialler::new(Rc::clone(&shared), Rc::clone(&spool), store, identity);
        let endpoint = Rc::clone(&dialler.endpoint);
        let gather = async {
            loop {
                reports.gather(|report| shared.sessions.borrow_mut().push(report)).await;
                let forgotten = shared.change_sessions(|sessions| sessions.bound(MAX_SESSION_REPORTS));
                if forgotten > 0 {
                    tracing::warn!(
                        forgotten,
                        "too many reports of lines wait: the exchange will not hear of some that went"
                    );
                }
            }
        };
        let fill = async {
            while let Some(batch) = batches.recv().await {
                shared.flight.borrow_mut().push(batch);
                shared.flight_grown.notify_one();
            }
            // The spool's thread has failed: look-ups and all else go on.
            std::future::pending::<()>().await;
        };
        let flushed = async {
            let Ok(deadline) = (&mut stopped).await else { return };
            let delivered = async {
                while shared.metrics.waiting() > 0 {
                    tokio::time::sleep(FLUSH_POLL).await;
                }
            };
            let _ = tokio::time::timeout(deadline, delivered).await;
        };
        tokio::select! {
            () = flushed => {}
            () = gather => {}
            () = fill => {}
            () = dialler.for_ever() => {}
        }
        dispatcher.abort();
        leave(&shared, &endpoint).await;
        drop(dialler);
        let lost = Rc::into_inner(spool).map_or(0, Spool::stop);
        Left { kept: shared.metrics.records_waiting().saturating_sub(lost), lost }
    }
}

/// Closes the connection in order.
async fn leave(shared: &Shared, endpoint: &RefCell<Option<Endpoint>>) {
    if let Some(connection) = shared.link.take() {
        connection.close(VarInt::from_u32(CLOSE_DONE), b"leaving");
    }
    let last = endpoint.borrow_mut().take();
    if let Some(endpoint) = last {
        let _ = tokio::time::timeout(FAREWELL, endpoint.wait_idle()).await;
    }
    shared.metrics.connected.store(false, Ordering::Relaxed);
}

/// Takes what the cores hand over and gives each its own task. Without a connection the answer is immediate.
async fn dispatch(shared: Rc<Shared>, mut urgent: mpsc::UnboundedReceiver<ToExchange>) {
    let passes = Passes::new(Rc::clone(&shared));
    let lookups = Lookups::new(Rc::clone(&shared));
    while let Some(message) = urgent.recv().await {
        let connection = shared.link.borrow().clone();
        match message {
            ToExchange::Lookup(ticket, question) => lookups.ask(connection, ticket, question),
            ToExchange::Report(_) => debug_assert!(false, "the sender gives reports a queue of their own"),
            ToExchange::PassHead(ticket, head) => passes.begin(connection, ticket, head),
            ToExchange::PassBody(ticket, bytes) => passes.body(ticket, bytes),
            ToExchange::PassEnd(ticket) => passes.end(ticket),
            ToExchange::PassCancel(ticket) => passes.cancel(ticket),
            ToExchange::PassCredit(ticket, bytes) => passes.credit(ticket, bytes),
            ToExchange::Told(number, told) => shared.asks.told(number, told),
        }
    }
}
