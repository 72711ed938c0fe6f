//! The thread's life: it dials for ever, gathers reports and serves the cores meanwhile.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use landline_link::Subscriber;
use landline_link::limits::{CLOSE_DONE, CLOSE_REVOKED, CLOSE_UNKNOWN_NODE};
use landline_wire::ids::AgentId;
use quinn::{Connection, ConnectionError, Endpoint, VarInt};
use tokio::sync::{Notify, mpsc, oneshot};
use uuid::Uuid;

use crate::boundary::{Deliver, ToCore, ToExchange};
use crate::config::UplinkConfig;
use crate::handle::Ready;
use crate::identity::{Identity, Store};
use crate::join::{self, Fault};
use crate::metrics::UplinkMetrics;
use crate::pass::Passes;
use crate::sender::Reports;
use crate::spool::Spool;
use crate::{lookup, session, tls};

/// Delays between attempts: full jitter below a bound that doubles from the first to the last of these.
const BACKOFF_MS: (u64, u64) = (100, 5_000);
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
    while let Some(message) = urgent.recv().await {
        let connection = shared.link.borrow().clone();
        match message {
            ToExchange::Lookup(ticket, question) => lookup::ask(&shared, connection, ticket, question),
            ToExchange::Report(_) => debug_assert!(false, "the sender gives reports a queue of their own"),
            ToExchange::PassHead(ticket, head) => passes.begin(connection, ticket, head),
            ToExchange::PassBody(ticket, bytes) => passes.body(ticket, bytes),
            ToExchange::PassEnd(ticket) => passes.end(ticket),
            ToExchange::PassCancel(ticket) => passes.cancel(ticket),
            ToExchange::PassCredit(ticket, bytes) => passes.credit(ticket, bytes),
        }
    }
}

/// Joins if it must, connects, and serves the connection; again and again.
struct Dialler {
    shared: Rc<Shared>,
    store: Store,
    identity: Rc<RefCell<Option<Identity>>>,
    endpoint: Rc<RefCell<Option<Endpoint>>>,
    subscriber: Subscriber,
    last_fault: String,
}

impl Dialler {
    fn new(shared: Rc<Shared>, store: Store, identity: Option<Identity>) -> Self {
        Self {
            shared,
            store,
            identity: Rc::new(RefCell::new(identity)),
            endpoint: Rc::default(),
            subscriber: Subscriber::new(),
            last_fault: String::new(),
        }
    }

    async fn for_ever(&mut self) {
        let mut bound = BACKOFF_MS.0;
        loop {
            let connections = self.shared.metrics.connections.load(Ordering::Relaxed);
            if let Err(fault) = self.once().await {
                self.note(&fault);
            }
            let welcomed = self.shared.metrics.connections.load(Ordering::Relaxed) > connections;
            if welcomed {
                self.last_fault.clear();
            }
            bound = if welcomed { BACKOFF_MS.0 } else { (bound * 2).min(BACKOFF_MS.1) };
            tokio::time::sleep(Duration::from_millis(jitter(bound))).await;
        }
    }

    /// Logs a fault when it is a new one, and tells who waits for readiness.
    fn note(&mut self, fault: &Fault) {
        let text = fault.to_string();
        match fault {
            Fault::Refused(reason) => self.shared.ready.refused(reason.clone()),
            Fault::Failed(_) => self.shared.ready.fault(text.clone()),
        }
        if text != self.last_fault {
            tracing::warn!(exchange = %self.shared.config.exchange, "no link to the exchange: {text}");
            self.last_fault = text;
        }
    }

    async fn once(&mut self) -> Result<(), Fault> {
        let identity = self.usable_identity().await?;
        let config = tls::link_config(&identity).map_err(Fault::failed)?;
        let (endpoint, connection) = join::connect(&self.shared.config.exchange, &config).await?;
        *self.endpoint.borrow_mut() = Some(endpoint);
        let outcome =
            session::serve(&self.shared, &connection, &mut self.subscriber, &self.identity, &self.store).await;
        // Before our own close, which would take its place.
        let code = close_code(&connection);
        session::ended(&self.shared, &connection);
        match code {
            Some(CLOSE_UNKNOWN_NODE) if self.shared.config.join_token.is_some() => {
                *self.identity.borrow_mut() = None;
                Err(Fault::Failed("the exchange does not know this node: joining again".into()))
            }
            Some(CLOSE_UNKNOWN_NODE) => Err(Fault::Refused("it does not know this node; join it again".into())),
            Some(CLOSE_REVOKED) => Err(Fault::Refused("this node was revoked".into())),
            _ => outcome,
        }
    }

    /// The identity that is stored, or a new one if there is none, it has expired, or it is of another cluster than the
    /// join token names.
    async fn usable_identity(&mut self) -> Result<Identity, Fault> {
        let token = self.shared.config.join_token.as_ref();
        let stored = self.identity.borrow().clone();
        let usable = stored.filter(|identity| {
            token.is_none_or(|token| !identity.has_expired(now_s()) && identity.ca_sha256() == *token.ca_sha256())
        });
        let identity = match (usable, token) {
            (Some(identity), _) => identity,
            (None, None) => return Err(Fault::Refused("no join token".into())),
            (None, Some(token)) => {
                let identity = join::join(&self.shared.config.exchange, token).await?;
                self.store.save(&identity).map_err(Fault::failed)?;
                tracing::info!("joined the cluster");
                *self.identity.borrow_mut() = Some(identity.clone());
                identity
            }
        };
        self.shared.metrics.certificate_expires_s.store(identity.not_after, Ordering::Relaxed);
        Ok(identity)
    }
}

fn close_code(connection: &Connection) -> Option<u32> {
    match connection.close_reason() {
        Some(ConnectionError::ApplicationClosed(close)) => u32::try_from(close.error_code.into_inner()).ok(),
        _ => None,
    }
}

/// A random number of milliseconds up to a bound, and not below a tenth of it.
fn jitter(bound: u64) -> u64 {
    let mut random = [0; 8];
    // Without randomness every node waits the whole time: late, but not wrong.
    let random = aws_lc_rs::rand::fill(&mut random).map_or(u64::MAX, |()| u64::from_ne_bytes(random));
    bound / 10 + (u128::from(random) * u128::from(bound - bound / 10) >> 64) as u64
}
