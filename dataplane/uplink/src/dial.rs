//! Dialling the exchange, for ever.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use landline_link::Subscriber;
use landline_link::limits::{CLOSE_REVOKED, CLOSE_UNKNOWN_NODE};
use quinn::{Connection, ConnectionError, Endpoint};

use crate::identity::{Identity, Store};
use crate::join::{self, Fault};
use crate::run::{Shared, now_s};
use crate::spool::Spool;
use crate::{session, tls};

/// Delays between attempts: full jitter below a bound that doubles from the first to the last of these.
const BACKOFF_MS: (u64, u64) = (100, 5_000);
/// Joins if it must, connects, and serves the connection; again and again.
pub(crate) struct Dialler {
    shared: Rc<Shared>,
    spool: Rc<Spool>,
    store: Store,
    identity: RefCell<Option<Identity>>,
    /// The socket of the present connection; shared with whoever closes it.
    pub(crate) endpoint: Rc<RefCell<Option<Endpoint>>>,
    subscriber: Subscriber,
    last_fault: String,
}

impl Dialler {
    pub(crate) fn new(shared: Rc<Shared>, spool: Rc<Spool>, store: Store, identity: Option<Identity>) -> Self {
        Self {
            shared,
            spool,
            store,
            identity: RefCell::new(identity),
            endpoint: Rc::default(),
            subscriber: Subscriber::new(),
            last_fault: String::new(),
        }
    }

    /// Dials, serves, and dials again.
    pub(crate) async fn for_ever(&mut self) {
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
        let Self { shared, spool, subscriber, identity, store, .. } = self;
        let outcome = session::serve(shared, spool, &connection, subscriber, identity, store).await;
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
    bound / 10 + ((u128::from(random) * u128::from(bound - bound / 10)) >> 64) as u64
}
