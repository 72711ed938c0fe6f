//! The thread's life: it dials for ever, gathers reports and serves the cores meanwhile.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use landline_link::limits::CLOSE_DONE;
use landline_wire::ids::AgentId;
use quinn::{Connection, VarInt};
use tokio::sync::{Notify, mpsc, oneshot};
use uuid::Uuid;

use crate::boundary::{Deliver, ToCore, ToExchange};
use crate::config::UplinkConfig;
use crate::dial::Dialler;
use crate::handle::Ready;
use crate::identity::{Identity, Store};
use crate::lookup::Lookups;
use crate::metrics::UplinkMetrics;
use crate::pass::Passes;
use crate::sender::Reports;
use crate::spool::Spool;

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
    pub(crate) spool: RefCell<Spool>,
    /// Something was added to the spool, or acknowledged.
    pub(crate) spool_changed: Notify,
    deliver: Deliver,
    cores: usize,
}

impl Shared {
    pub(crate) fn new(
        config: UplinkConfig,
        deliver: Deliver,
        cores: usize,
        metrics: Arc<UplinkMetrics>,
        ready: Arc<Ready>,
    ) -> Self {
        Self {
            config,
            metrics,
            ready,
            boot: Uuid::new_v4(),
            link: RefCell::default(),
            spool: RefCell::default(),
            spool_changed: Notify::new(),
            deliver,
            cores,
        }
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
    pub(crate) stopped: oneshot::Receiver<Duration>,
}

impl Run {
    /// Works until it is told to stop; then until the reports are delivered or the deadline is over. Gives the number of
    /// reports that were not delivered.
    pub(crate) async fn until_stopped(self) -> usize {
        let Self { shared, store, identity, urgent, reports, mut stopped } = self;
        let dispatcher = tokio::task::spawn_local(dispatch(Rc::clone(&shared), urgent));
        let mut dialler = Dialler::new(Rc::clone(&shared), store, identity);
        let endpoint = Rc::clone(&dialler.endpoint);
        let gather = async {
            loop {
                reports.gather(|report| shared.spool.borrow_mut().push(report)).await;
                shared.spool_changed.notify_one();
            }
        };
        let flushed = async {
            let Ok(deadline) = (&mut stopped).await else { return };
            let delivered = async {
                while shared.metrics.spooled.load(Ordering::Relaxed) > 0 {
                    tokio::time::sleep(FLUSH_POLL).await;
                }
            };
            let _ = tokio::time::timeout(deadline, delivered).await;
        };
        tokio::select! {
            () = flushed => {}
            () = gather => {}
            () = dialler.for_ever() => {}
        }
        dispatcher.abort();
        if let Some(connection) = shared.link.take() {
            connection.close(VarInt::from_u32(CLOSE_DONE), b"leaving");
        }
        let last = endpoint.borrow_mut().take();
        if let Some(endpoint) = last {
            let _ = tokio::time::timeout(FAREWELL, endpoint.wait_idle()).await;
        }
        shared.metrics.connected.store(false, Ordering::Relaxed);
        shared.metrics.spooled.load(Ordering::Relaxed)
    }
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
        }
    }
}
