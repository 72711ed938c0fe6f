//! Connections and their streams.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use axum::Router;
use landline_link::limits::{
    CLOSE_DONE, CLOSE_FAILED, CLOSE_PROTOCOL, CLOSE_REVOKED, CLOSE_UNKNOWN_NODE, HANDSHAKE_TIMEOUT, RESET_BROKEN,
};
use landline_link::{ALPN_JOIN, ALPN_LINK, Down, StreamKind};
use landline_wire::ids::NodeId;
use quinn::crypto::rustls::HandshakeData;
use quinn::{Connection, Endpoint, Incoming, RecvStream, SendStream, VarInt};
use rustls::pki_types::CertificateDer;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use super::ca::{Ca, CaError, node_of};
use super::store::{self, State};
use super::{control, join, lookup, pass, records, reports, tls};
use crate::db::{Db, DbError};
use crate::state::{Exchange, FeedCommand};

/// How often a connected node is marked as seen, and a revocation by another exchange is noticed.
pub const WATCH: Duration = Duration::from_secs(10);
/// Joins at a time; one more waits.
const MAX_JOINS: usize = 32;
/// Connections at a time above which a client must show that its address is its own before anything is computed.
const UNVALIDATED_CONNECTIONS: usize = 256;
/// How long the last packets may take when the feed stops.
const FAREWELL: Duration = Duration::from_millis(500);

/// Why the feed cannot start.
#[derive(Debug, thiserror::Error)]
pub enum FeedError {
    /// The certificate authority cannot be loaded or made.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// TLS refuses the configuration.
    #[error("link TLS: {0}")]
    Tls(String),
    /// The address cannot be used.
    #[error("link address {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
}

/// The running feed. Dropping it leaves it running; [`Feed::stop`] ends it.
#[derive(Debug)]
pub struct Feed {
    endpoint: Endpoint,
    local_addr: SocketAddr,
    tasks: TaskTracker,
    stopping: CancellationToken,
}

/// What all connections share.
pub(crate) struct Shared {
    pub(crate) exchange: Exchange,
    pub(crate) router: Router,
    pub(crate) ca: Ca,
    pub(crate) joins: Semaphore,
    stopping: CancellationToken,
    /// Streams whose work is to end before the feed does.
    work: TaskTracker,
}

impl Feed {
    /// Starts to listen for switches, and answers the requests that they pass on with the exchange's own router.
    ///
    /// # Errors
    /// [`FeedError`].
    pub async fn start(exchange: Exchange, listen: SocketAddr) -> Result<Self, FeedError> {
        let router = exchange.router();
        Self::start_with(exchange, router, listen).await
    }

    /// [`Feed::start`] with another router, such as one that serves more.
    ///
    /// # Errors
    /// [`FeedError`].
    pub async fn start_with(exchange: Exchange, router: Router, listen: SocketAddr) -> Result<Self, FeedError> {
        let ca = Ca::open(&exchange.config.data_dir)?;
        let config = tls::server_config(&ca)?;
        let fault = |source| FeedError::Listen { address: listen, source };
        let socket = std::net::UdpSocket::bind(listen).map_err(fault)?;
        let runtime = Arc::new(quinn::TokioRuntime);
        let endpoint = Endpoint::new(tls::endpoint_config(&ca), Some(config), socket, runtime).map_err(fault)?;
        let local_addr = endpoint.local_addr().map_err(fault)?;
        let (tasks, stopping) = (TaskTracker::new(), CancellationToken::new());
        let shared = Arc::new(Shared {
            router,
            exchange,
            ca,
            joins: Semaphore::new(MAX_JOINS),
            stopping: stopping.clone(),
            work: tasks.clone(),
        });
        tokio::spawn(obey(Arc::clone(&shared)));
        tokio::spawn(accept(shared, endpoint.clone()));
        Ok(Self { endpoint, local_addr, tasks, stopping })
    }

    /// Where it listens; with port 0 in `listen`, which port it got.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Takes no new connections and streams, lets what is in flight end within the deadline, and closes. Switches go on
    /// by themselves and dial again.
    pub async fn stop(self, deadline: Duration) {
        self.stopping.cancel();
        self.tasks.close();
        let _ = tokio::time::timeout(deadline, self.tasks.wait()).await;
        self.endpoint.close(VarInt::from_u32(CLOSE_DONE), b"the exchange is leaving");
        let _ = tokio::time::timeout(FAREWELL, self.endpoint.wait_idle()).await;
    }
}

/// Does what the exchange commands.
async fn obey(shared: Arc<Shared>) {
    let mut commands = shared.exchange.feed_commands();
    loop {
        let command = tokio::select! {
            command = commands.recv() => command,
            () = shared.stopping.cancelled() => return,
        };
        match command {
            Ok(FeedCommand::Drain { node, deadline_ms }) => {
                shared.exchange.nodes.send(node, Down::Drain { deadline_ms });
            }
            Ok(FeedCommand::DropNode(node)) => shared.exchange.nodes.drop_revoked(node),
            // What was lost of revocations is noticed within WATCH.
            Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => {}
            Err(tokio::sync::broadcast::error::RecvError::Closed) => return,
        }
    }
}

async fn accept(shared: Arc<Shared>, endpoint: Endpoint) {
    loop {
        let incoming = tokio::select! {
            incoming = endpoint.accept() => incoming,
            () = shared.stopping.cancelled() => return,
        };
        let Some(incoming) = incoming else { return };
        if endpoint.open_connections() > UNVALIDATED_CONNECTIONS && incoming.may_retry() {
            let _ = incoming.retry();
            continue;
        }
        tokio::spawn(greet(Arc::clone(&shared), incoming));
    }
}

/// Finishes the handshake, and sees what the client speaks.
async fn greet(shared: Arc<Shared>, incoming: Incoming) {
    let from = incoming.remote_address();
    let connection = match tokio::time::timeout(HANDSHAKE_TIMEOUT, incoming).await {
        Ok(Ok(connection)) => connection,
        Ok(Err(error)) => return tracing::debug!(%from, "a handshake on the link failed: {error}"),
        Err(_) => return tracing::debug!(%from, "a handshake on the link took too long"),
    };
    let handshake = connection.handshake_data().and_then(|data| data.downcast::<HandshakeData>().ok());
    match handshake.and_then(|data| data.protocol).as_deref() {
        Some(ALPN_LINK) => link(shared, connection).await,
        Some(ALPN_JOIN) => {
            let joined = tokio::time::timeout(HANDSHAKE_TIMEOUT, join::join(&shared, &connection)).await;
            if !matches!(joined, Ok(Some(()))) {
                tracing::info!(%from, "a join did not succeed");
            }
            connection.close(VarInt::from_u32(CLOSE_DONE), b"");
        }
        _ => connection.close(VarInt::from_u32(CLOSE_PROTOCOL), b"unknown protocol"),
    }
}

/// One node's connection, from its check to its end.
async fn link(shared: Arc<Shared>, connection: Connection) {
    let certificates = connection.peer_identity().and_then(|id| id.downcast::<Vec<CertificateDer<'static>>>().ok());
    let node = certificates.and_then(|certificates| node_of(certificates.first()?));
    let Some(node) = node else {
        return connection.close(VarInt::from_u32(CLOSE_PROTOCOL), b"a node's certificate is needed");
    };
    // Entered before it is checked: a revocation in between finds it.
    let down = shared.exchange.nodes.enter(node, &connection);
    match check(&shared.exchange, node).await {
        Ok(State::Good) => {
            tracing::info!(%node, from = %connection.remote_address(), "a switch is linked");
            serve(&shared, node, &connection, down).await;
            tracing::info!(%node, "the link to a switch is down");
        }
        Ok(State::Unknown) => connection.close(VarInt::from_u32(CLOSE_UNKNOWN_NODE), b"unknown node"),
        Ok(State::Revoked) => connection.close(VarInt::from_u32(CLOSE_REVOKED), b"revoked"),
        Err(error) => {
            tracing::error!(%node, "a node could not be checked: {error}");
            connection.close(VarInt::from_u32(CLOSE_FAILED), b"try again");
        }
    }
    shared.exchange.nodes.leave(node, &connection);
}

async fn check(exchange: &Exchange, node: NodeId) -> Result<State, DbError> {
    store::state(&mut *reader(&exchange.db).await?, node).await
}

async fn reader(db: &Db) -> Result<sqlx::pool::PoolConnection<sqlx::Any>, DbError> {
    Ok(db.read().acquire().await?)
}

/// One node's connection.
pub(crate) struct Link {
    pub(crate) shared: Arc<Shared>,
    pub(crate) node: NodeId,
    pub(crate) connection: Connection,
    /// From the node's `Hello`; set before it is welcomed.
    pub(crate) boot: OnceLock<Uuid>,
    /// What waits for the control stream, until there is one.
    down: Mutex<Option<mpsc::Receiver<Down>>>,
}

impl Link {
    /// The node broke the protocol.
    pub(crate) fn broken(&self, why: &str) {
        tracing::warn!(node = %self.node, "a switch broke the link's protocol: {why}");
        self.connection.close(VarInt::from_u32(CLOSE_PROTOCOL), why.as_bytes());
    }
}

async fn serve(shared: &Arc<Shared>, node: NodeId, connection: &Connection, down: mpsc::Receiver<Down>) {
    let link = Arc::new(Link {
        shared: Arc::clone(shared),
        node,
        connection: connection.clone(),
        boot: OnceLock::new(),
        down: Mutex::new(Some(down)),
    });
    let watch = watch(&link);
    tokio::pin!(watch);
    loop {
        tokio::select! {
            stream = connection.accept_bi() => match stream {
                Ok((send, recv)) => drop(tokio::spawn(stream_of(Arc::clone(&link), send, recv))),
                Err(_) => return,
            },
            () = &mut watch => return,
            () = shared.stopping.cancelled() => break,
        }
    }
    // Leaving: what is in flight goes on until the endpoint closes.
    connection.closed().await;
}

/// The first byte of a stream says what it is.
async fn stream_of(link: Arc<Link>, send: SendStream, mut recv: RecvStream) {
    let mut kind = [0];
    let read = tokio::time::timeout(HANDSHAKE_TIMEOUT, recv.read_exact(&mut kind)).await;
    let kind = matches!(read, Ok(Ok(()))).then_some(kind[0]).and_then(StreamKind::from_byte);
    let work = link.shared.work.clone();
    match kind {
        Some(StreamKind::Control) => {
            let down = link.down.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
            match down {
                Some(down) => control::run(link, send, recv, down).await,
                None => link.broken("a second control stream"),
            }
        }
        Some(StreamKind::Reports) => reports::run(link, send, recv).await,
        Some(StreamKind::Records) => records::run(link, send, recv).await,
        Some(StreamKind::Lookup) => work.track_future(lookup::run(link, send, recv)).await,
        Some(StreamKind::Pass) => work.track_future(pass::run(link, send, recv)).await,
        Some(StreamKind::Renew) => work.track_future(join::renew(link, send, recv)).await,
        // It is we who ask.
        Some(StreamKind::Ask) | None => refuse(send, recv),
    }
}

fn refuse(mut send: SendStream, mut recv: RecvStream) {
    let _ = send.reset(VarInt::from_u32(RESET_BROKEN));
    let _ = recv.stop(VarInt::from_u32(RESET_BROKEN));
}

/// Marks the node as seen, and closes its connection once it is no longer one of ours. Ends with the connection.
async fn watch(link: &Link) {
    loop {
        tokio::select! {
            _ = link.connection.closed() => return,
            () = tokio::time::sleep(WATCH) => {}
        }
        match seen(&link.shared.exchange, link.node).await {
            Ok(true) => {}
            Ok(false) => return link.connection.close(VarInt::from_u32(CLOSE_REVOKED), b"revoked"),
            Err(error) => tracing::error!(node = %link.node, "a node could not be checked: {error}"),
        }
    }
}

async fn seen(exchange: &Exchange, node: NodeId) -> Result<bool, DbError> {
    let mut tx = exchange.db.begin().await?;
    let seen = store::seen(&mut tx, node, exchange.clock.now_ms()).await?;
    tx.commit().await?;
    Ok(seen)
}
