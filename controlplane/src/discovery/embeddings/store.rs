//! SQL of `embeddings`.

use landline_wire::ids::AgentId;
use sqlx::{AnyConnection, Row};

use super::vectors::Vector;
use crate::auth::store::id;
use crate::db::{Result, queries};

queries! {
    STALE = "SELECT a.id, a.updated_at, e.text_hash FROM agents a LEFT JOIN embeddings e ON e.agent = a.id AND e.model = $1 \
             WHERE a.blocked_at IS NULL AND a.id > $2 AND (e.version IS NULL OR e.version <> a.updated_at) \
             ORDER BY a.id LIMIT $3";
    SAVE = "INSERT INTO embeddings (agent, model, version, text_hash, vector, made_at) \
            SELECT id, $1, $2, $3, $4, $5 FROM agents WHERE id = $6 \
            ON CONFLICT (agent, model) DO UPDATE SET version = excluded.version, text_hash = excluded.text_hash, \
            vector = excluded.vector, made_at = excluded.made_at";
    SAME = "UPDATE embeddings SET version = $1 WHERE agent = $2 AND model = $3";
    MADE = "SELECT agent, vector, made_at FROM embeddings WHERE model = $1 AND (made_at, agent) > ($2, $3) \
            ORDER BY made_at, agent LIMIT $4";
    HAVING = "SELECT agent FROM embeddings WHERE model = $1 AND agent > $2 ORDER BY agent LIMIT $3";
    FORGET = "DELETE FROM embeddings WHERE model = $1";
}

/// An agent whose vector is not that of its row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stale {
    pub(super) agent: AgentId,
    /// `updated_at` of the row.
    pub(super) version: i64,
    /// The text of the vector that it has.
    pub(super) text_hash: Option<String>,
}

/// Agents without a vector of their present row, after an id.
pub(super) async fn stale(conn: &mut AnyConnection, model: &str, after: &str, limit: usize) -> Result<Vec<Stale>> {
    let query = sqlx::query(STALE).bind(model.to_owned()).bind(after.to_owned()).bind(limit as i64);
    let rows = query.fetch_all(conn).await?;
    let stale = rows.iter().map(|row| {
        let (version, text_hash) = (row.try_get("updated_at")?, row.try_get("text_hash")?);
        Ok(Stale { agent: id(row, "id")?, version, text_hash })
    });
    stale.collect()
}

/// A vector to store; `None`: the model has none for the text.
#[derive(Debug)]
pub(super) struct Made<'a> {
    pub(super) agent: AgentId,
    pub(super) version: i64,
    pub(super) text_hash: &'a str,
    pub(super) vector: Option<&'a Vector>,
}

/// Stores a vector, unless the agent is gone.
pub(super) async fn save(tx: &mut AnyConnection, model: &str, made: &Made<'_>, now_ms: i64) -> Result<()> {
    let query = sqlx::query(SAVE).bind(model.to_owned()).bind(made.version).bind(made.text_hash.to_owned());
    let query = query.bind(made.vector.map(Vector::bytes).unwrap_or_default()).bind(now_ms);
    query.bind(made.agent.to_string()).execute(tx).await?;
    Ok(())
}

/// The row changed and its text did not.
pub(super) async fn same(tx: &mut AnyConnection, model: &str, agent: AgentId, version: i64) -> Result<()> {
    sqlx::query(SAME).bind(version).bind(agent.to_string()).bind(model.to_owned()).execute(tx).await?;
    Ok(())
}

/// Whose vector was made when, and the vector if there is one.
pub(super) type Entry = (AgentId, i64, Option<Vector>);

/// Vectors that were made after a time and, at that very time, of agents after an id.
pub(super) async fn made(
    conn: &mut AnyConnection,
    model: &str,
    after: &(i64, String),
    limit: usize,
) -> Result<Vec<Entry>> {
    let query = sqlx::query(MADE).bind(model.to_owned()).bind(after.0).bind(after.1.clone()).bind(limit as i64);
    let rows = query.fetch_all(conn).await?;
    let made = rows.iter().map(|row| {
        let bytes: Vec<u8> = row.try_get("vector")?;
        Ok((id(row, "agent")?, row.try_get("made_at")?, Vector::from_bytes(&bytes)))
    });
    made.collect()
}

/// The agents that have a row, after an id.
pub(super) async fn having(conn: &mut AnyConnection, model: &str, after: &str, limit: usize) -> Result<Vec<AgentId>> {
    let query = sqlx::query(HAVING).bind(model.to_owned()).bind(after.to_owned()).bind(limit as i64);
    query.fetch_all(conn).await?.iter().map(|row| id(row, "agent")).collect()
}

/// Forgets all vectors of a model.
pub(super) async fn forget(conn: &mut AnyConnection, model: &str) -> Result<()> {
    sqlx::query(FORGET).bind(model.to_owned()).execute(conn).await?;
    Ok(())
}
