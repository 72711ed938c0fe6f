//! SQL of discovery: what changed in the directory, for the index to follow. It owns no table.

use landline_wire::ids::AgentId;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use crate::auth::store::id;
use crate::db::{Result, queries};

queries! {
    CHANGED = "SELECT id, updated_at FROM agents WHERE (updated_at, id) > ($1, $2) ORDER BY updated_at, id LIMIT $3";
    REMOVED = "SELECT id, removed_at FROM removed_agents WHERE (removed_at, id) > ($1, $2) \
               ORDER BY removed_at, id LIMIT $3";
    VISIBLE = "SELECT id, updated_at FROM agents WHERE blocked_at IS NULL AND id > $1 ORDER BY id LIMIT $2";
}

/// An agent and when its row last changed, or when it was removed; unix milliseconds.
pub(super) type Version = (AgentId, i64);

fn versions(rows: &[AnyRow], column: &str) -> Result<Vec<Version>> {
    rows.iter().map(|row| Ok((id(row, "id")?, row.try_get(column)?))).collect()
}

async fn after(
    conn: &mut AnyConnection,
    query: &'static str,
    after: &(i64, String),
    limit: u32,
) -> Result<Vec<AnyRow>> {
    let query = sqlx::query(query).bind(after.0).bind(after.1.clone()).bind(i64::from(limit));
    Ok(query.fetch_all(conn).await?)
}

/// Agents that changed after a time and, at that very time, after an id; blocked ones too, the earliest first.
pub(super) async fn changed(conn: &mut AnyConnection, since: &(i64, String), limit: u32) -> Result<Vec<Version>> {
    versions(&after(conn, CHANGED, since, limit).await?, "updated_at")
}

/// The same for agents that were removed.
pub(super) async fn removed(conn: &mut AnyConnection, since: &(i64, String), limit: u32) -> Result<Vec<Version>> {
    versions(&after(conn, REMOVED, since, limit).await?, "removed_at")
}

/// Agents that are not blocked, after an id, in the order of ids.
pub(super) async fn visible(conn: &mut AnyConnection, after: &str, limit: u32) -> Result<Vec<Version>> {
    let query = sqlx::query(VISIBLE).bind(after.to_owned()).bind(i64::from(limit));
    versions(&query.fetch_all(conn).await?, "updated_at")
}
