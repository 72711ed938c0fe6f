//! Use cases of nodes: how a switch becomes one of the cluster's, and how it ceases to be.

use std::time::Duration;

use landline_link::{JoinToken, Secret};
use landline_wire::ids::NodeId;

use super::ca::{Ca, CaError, sha256};
use super::store;
use crate::db::DbError;
use crate::presence;
use crate::secrets::random;
use crate::state::{Exchange, FeedCommand};

/// Life of a join token unless the operator says otherwise.
pub const JOIN_TOKEN_TTL: Duration = Duration::from_secs(15 * 60);
/// Spent and expired tokens are kept that long, so that the operator's list and log make sense.
const TOKENS_KEPT_MS: i64 = 24 * 3_600_000;

/// Why a use case of nodes failed.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The database refused.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The CA cannot be used.
    #[error(transparent)]
    Ca(#[from] CaError),
    /// The system gives no randomness.
    #[error("{0}")]
    Randomness(String),
}

/// A switch of the cluster, as the operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Its id, as in its certificate.
    pub id: NodeId,
    /// Where its callers reach it, as it said when it last connected.
    pub public_url: Option<String>,
    /// Its software's version.
    pub version: Option<String>,
    /// When it joined, unix milliseconds.
    pub joined_at: i64,
    /// When its connection was last seen up, unix milliseconds; renewed every [`super::server::WATCH`].
    pub last_seen: i64,
    /// When it was revoked, unix milliseconds.
    pub revoked_at: Option<i64>,
}

impl Node {
    /// Is it connected, as far as the database knows?
    pub fn connected(&self, now_ms: i64) -> bool {
        let silent = u128::try_from(now_ms - self.last_seen).unwrap_or(0);
        self.revoked_at.is_none() && silent < 3 * super::server::WATCH.as_millis()
    }
}

/// Makes a single-use join token: 256 random bits and the SHA-256 of the CA's certificate, as the text that the operator
/// carries to the new node. Only the secret's hash is kept.
///
/// # Errors
/// [`NodeError`].
pub async fn create_join_token(exchange: &Exchange, ttl: Duration) -> Result<String, NodeError> {
    let ca = Ca::open(&exchange.config.data_dir)?;
    let token = JoinToken::new(random().map_err(NodeError::Randomness)?, ca.sha256());
    let now = exchange.clock.now_ms();
    let expires = now.saturating_add(i64::try_from(ttl.as_millis()).unwrap_or(i64::MAX));
    let mut tx = exchange.db.begin().await?;
    store::forget_tokens(&mut tx, now - TOKENS_KEPT_MS).await?;
    store::add_token(&mut tx, &sha256(token.secret().0.as_bytes()), now, expires).await?;
    tx.commit().await.map_err(DbError::from)?;
    Ok(token.reveal())
}

/// A node that has just joined.
pub(crate) struct Joined {
    pub(crate) node: NodeId,
    pub(crate) certificate: Vec<u8>,
}

/// Spends a join token and signs the node's request, in one transaction: a request that cannot be signed spends nothing.
/// `None`: the token was never given out, is spent, or has expired.
pub(crate) async fn join(
    exchange: &Exchange,
    ca: &Ca,
    secret: &Secret,
    csr: &[u8],
) -> Result<Option<Joined>, NodeError> {
    let now = exchange.clock.now_ms();
    let mut tx = exchange.db.begin().await?;
    if !store::use_token(&mut tx, &sha256(secret.0.as_bytes()), now).await? {
        return Ok(None);
    }
    let node = NodeId::from_parts(now.unsigned_abs(), random().map_err(NodeError::Randomness)?);
    let signed = ca.node(node, csr)?;
    store::add_node(&mut tx, node, &signed.serial, now).await?;
    tx.commit().await.map_err(DbError::from)?;
    tracing::info!(%node, "a switch joined the cluster");
    Ok(Some(Joined { node, certificate: signed.certificate.to_vec() }))
}

/// Signs a connected node's next certificate. `None`: it was revoked meanwhile.
pub(crate) async fn renew(exchange: &Exchange, ca: &Ca, node: NodeId, csr: &[u8]) -> Result<Option<Joined>, NodeError> {
    let signed = ca.node(node, csr)?;
    let mut tx = exchange.db.begin().await?;
    if !store::renewed(&mut tx, node, &signed.serial).await? {
        return Ok(None);
    }
    tx.commit().await.map_err(DbError::from)?;
    tracing::info!(%node, "a switch renewed its certificate");
    Ok(Some(Joined { node, certificate: signed.certificate.to_vec() }))
}

/// Every node that ever joined, in the order of joining.
///
/// # Errors
/// [`DbError`].
pub async fn list(exchange: &Exchange) -> Result<Vec<Node>, DbError> {
    store::list(&mut *exchange.db.read().acquire().await?).await
}

/// Revokes a node for ever: its connection is dropped (by another exchange within [`super::server::WATCH`]), its lines
/// are taken for gone, its certificate is refused. `false`: there is no such node, or it was revoked before.
///
/// # Errors
/// [`DbError`].
pub async fn revoke(exchange: &Exchange, node: NodeId) -> Result<bool, DbError> {
    let mut tx = exchange.db.begin().await?;
    let revoked = store::revoke(&mut tx, node, exchange.clock.now_ms()).await?;
    tx.commit().await?;
    if revoked {
        exchange.command_feed(FeedCommand::DropNode(node));
        presence::ops::node_gone(exchange, node).await?;
        tracing::warn!(%node, "a switch was revoked");
    }
    Ok(revoked)
}
