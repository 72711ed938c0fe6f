//! The outbox: what the switches must know, written in the transaction that changes it.
//!
//! The revision comes from one counter row. Whoever raises it holds its lock until the commit, so commit order is
//! revision order and a reader never sees a revision before one that is lower.

use landline_link::{Cursor, Op};
use sqlx::{AnyConnection, Row};

use super::{DbError, Result, queries};
use crate::state::Exchange;
use crate::{agents, auth};

/// Milliseconds that an op stays in the outbox. A switch that was away longer gets a snapshot.
pub const OUTBOX_KEPT_MS: i64 = 3_600_000;

queries! {
    BEGIN_HISTORY = "INSERT INTO feed_state (id, epoch, revision) VALUES (1, $1, 0) ON CONFLICT (id) DO NOTHING";
    NEXT_REVISION = "UPDATE feed_state SET revision = revision + 1 WHERE id = 1 RETURNING revision";
    APPEND = "INSERT INTO outbox (revision, op, at) VALUES ($1, $2, $3)";
    CURSOR = "SELECT epoch, revision FROM feed_state WHERE id = 1";
    OLDEST = "SELECT MIN(revision) AS oldest FROM outbox";
    AFTER = "SELECT revision, op FROM outbox WHERE revision > $1 ORDER BY revision LIMIT $2";
    PRUNE = "DELETE FROM outbox WHERE at < $1";
    NEW_EPOCH = "UPDATE feed_state SET epoch = $1 WHERE id = 1";
}

/// Writes an op in the caller's transaction and gives its revision. Do it last: the counter is the one lock that all
/// writers share. After the commit, ring the bell ([`Exchange::ring`]).
pub async fn append(tx: &mut AnyConnection, op: &Op, now_ms: i64) -> Result<u64> {
    let revision: i64 = sqlx::query(NEXT_REVISION).fetch_one(&mut *tx).await?.try_get("revision")?;
    let bytes = rmp_serde::to_vec_named(op).map_err(|error| DbError::Corrupt(format!("op: {error}")))?;
    sqlx::query(APPEND).bind(revision).bind(bytes).bind(now_ms).execute(&mut *tx).await?;
    Ok(revision.unsigned_abs())
}

async fn read_cursor(conn: &mut AnyConnection) -> Result<Cursor> {
    let row = sqlx::query(CURSOR).fetch_one(&mut *conn).await?;
    let epoch: String = row.try_get("epoch")?;
    let epoch = epoch.parse().map_err(|_| DbError::Corrupt("feed_state.epoch is no UUID".into()))?;
    Ok(Cursor { epoch, revision: row.try_get::<i64, _>("revision")?.unsigned_abs() })
}

/// The place of the last change.
pub async fn cursor(exchange: &Exchange) -> Result<Cursor> {
    read_cursor(&mut *exchange.db.read().acquire().await?).await
}

/// The lowest revision that can still be sent as a delta; `None`: the outbox is empty.
pub async fn oldest(exchange: &Exchange) -> Result<Option<u64>> {
    let row = sqlx::query(OLDEST).fetch_one(exchange.db.read()).await?;
    Ok(row.try_get::<Option<i64>, _>("oldest")?.map(i64::unsigned_abs))
}

/// The ops after a revision, in order, at most `limit`.
pub async fn after(exchange: &Exchange, revision: u64, limit: u32) -> Result<Vec<(u64, Op)>> {
    let revision = i64::try_from(revision).unwrap_or(i64::MAX);
    let rows = sqlx::query(AFTER).bind(revision).bind(i64::from(limit)).fetch_all(exchange.db.read()).await?;
    rows.iter()
        .map(|row| {
            let op = rmp_serde::from_slice(&row.try_get::<Vec<u8>, _>("op")?)
                .map_err(|error| DbError::Corrupt(format!("outbox.op: {error}")))?;
            Ok((row.try_get::<i64, _>("revision")?.unsigned_abs(), op))
        })
        .collect()
}

/// All that a switch must know that knows nothing, as of one place: keys, blocks, removed agents and revoked credentials
/// of the last hour (older tokens have expired, older keys are looked up again), and policies other than the default.
pub async fn snapshot(exchange: &Exchange) -> Result<(Cursor, Vec<Op>)> {
    let since = exchange.clock.now_ms() - OUTBOX_KEPT_MS;
    let mut tx = exchange.db.begin_snapshot().await?;
    let cursor = read_cursor(&mut tx).await?;
    let mut ops = vec![Op::Keys { jwks: exchange.jwks().to_owned() }];
    ops.extend(auth::ops::snapshot(&mut tx, exchange.clock.now_s(), since).await?);
    ops.extend(agents::ops::snapshot(&mut tx, since).await?);
    tx.commit().await?;
    Ok((cursor, ops))
}

/// Forgets ops that are old. Gives how many.
pub async fn prune(exchange: &Exchange) -> Result<u64> {
    let before = exchange.clock.now_ms() - OUTBOX_KEPT_MS;
    Ok(sqlx::query(PRUNE).bind(before).execute(exchange.db.write()).await?.rows_affected())
}
