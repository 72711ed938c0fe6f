//! SQL of nodes and join tokens.

use landline_wire::ids::NodeId;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use uuid::Uuid;

use super::nodes::Node;
use crate::auth::store::id;
use crate::db::{Result, queries};

queries! {
    ADD_TOKEN = "INSERT INTO join_tokens (hash, created_at, expires_at) VALUES ($1, $2, $3)";
    USE_TOKEN = "UPDATE join_tokens SET used_at = $1 WHERE hash = $2 AND used_at IS NULL AND expires_at > $1";
    FORGET_TOKENS = "DELETE FROM join_tokens WHERE expires_at < $1";
    ADD_NODE = "INSERT INTO nodes (id, certificate_serial, joined_at, last_seen) VALUES ($1, $2, $3, $3)";
    RENEWED = "UPDATE nodes SET certificate_serial = $1 WHERE id = $2 AND revoked_at IS NULL";
    HELLO = "UPDATE nodes SET public_url = $1, version = $2, boot = $3, last_seen = $4 \
             WHERE id = $5 AND revoked_at IS NULL";
    SEEN = "UPDATE nodes SET last_seen = $1 WHERE id = $2 AND revoked_at IS NULL";
    STATE = "SELECT revoked_at FROM nodes WHERE id = $1";
    REVOKE = "UPDATE nodes SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL";
    LIST_NODES = "SELECT id, public_url, version, joined_at, last_seen, revoked_at FROM nodes ORDER BY joined_at, id";
}

/// What the database says of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Unknown,
    Good,
    Revoked,
}

pub(crate) async fn add_token(conn: &mut AnyConnection, hash: &[u8], now_ms: i64, expires_ms: i64) -> Result<()> {
    sqlx::query(ADD_TOKEN).bind(hash.to_vec()).bind(now_ms).bind(expires_ms).execute(&mut *conn).await?;
    Ok(())
}

/// Spends a token. Was there one to spend?
pub(crate) async fn use_token(conn: &mut AnyConnection, hash: &[u8], now_ms: i64) -> Result<bool> {
    Ok(sqlx::query(USE_TOKEN).bind(now_ms).bind(hash.to_vec()).execute(conn).await?.rows_affected() == 1)
}

/// Forgets tokens that expired before `before_ms`.
pub(crate) async fn forget_tokens(conn: &mut AnyConnection, before_ms: i64) -> Result<()> {
    sqlx::query(FORGET_TOKENS).bind(before_ms).execute(conn).await?;
    Ok(())
}

pub(crate) async fn add_node(conn: &mut AnyConnection, node: NodeId, serial: &str, now_ms: i64) -> Result<()> {
    sqlx::query(ADD_NODE).bind(node.to_string()).bind(serial.to_owned()).bind(now_ms).execute(conn).await?;
    Ok(())
}

/// A node has a new certificate. Is it one of ours still?
pub(crate) async fn renewed(conn: &mut AnyConnection, node: NodeId, serial: &str) -> Result<bool> {
    let query = sqlx::query(RENEWED).bind(serial.to_owned()).bind(node.to_string());
    Ok(query.execute(conn).await?.rows_affected() == 1)
}

/// A node says how it is to be reached. Is it one of ours still?
pub(crate) async fn hello(
    conn: &mut AnyConnection,
    node: NodeId,
    public_url: &str,
    version: &str,
    boot: Uuid,
    now_ms: i64,
) -> Result<bool> {
    let query = sqlx::query(HELLO).bind(public_url.to_owned()).bind(version.to_owned()).bind(boot.to_string());
    Ok(query.bind(now_ms).bind(node.to_string()).execute(conn).await?.rows_affected() == 1)
}

/// A node's connection is up. Is it one of ours still?
pub(crate) async fn seen(conn: &mut AnyConnection, node: NodeId, now_ms: i64) -> Result<bool> {
    Ok(sqlx::query(SEEN).bind(now_ms).bind(node.to_string()).execute(conn).await?.rows_affected() == 1)
}

pub(crate) async fn state(conn: &mut AnyConnection, node: NodeId) -> Result<State> {
    let row = sqlx::query(STATE).bind(node.to_string()).fetch_optional(conn).await?;
    Ok(match row {
        None => State::Unknown,
        Some(row) if row.try_get::<Option<i64>, _>("revoked_at")?.is_some() => State::Revoked,
        Some(_) => State::Good,
    })
}

/// Revokes a node. Was it good until now?
pub(crate) async fn revoke(conn: &mut AnyConnection, node: NodeId, now_ms: i64) -> Result<bool> {
    Ok(sqlx::query(REVOKE).bind(now_ms).bind(node.to_string()).execute(conn).await?.rows_affected() == 1)
}

pub(crate) async fn list(conn: &mut AnyConnection) -> Result<Vec<Node>> {
    sqlx::query(LIST_NODES).fetch_all(conn).await?.iter().map(node).collect()
}

fn node(row: &AnyRow) -> Result<Node> {
    Ok(Node {
        id: id(row, "id")?,
        public_url: row.try_get("public_url")?,
        version: row.try_get("version")?,
        joined_at: row.try_get("joined_at")?,
        last_seen: row.try_get("last_seen")?,
        revoked_at: row.try_get("revoked_at")?,
    })
}
