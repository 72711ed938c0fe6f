//! SQL of the credentials.

use std::collections::{HashMap, HashSet};

use landline_wire::ids::AgentId;
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, Row};
use uuid::Uuid;

use crate::db::{DbError, Result, queries};

queries! {
    INSERT = "INSERT INTO credentials (agent, key_hmac, key_prefix, key_gen, token_gen, changed_at) \
              VALUES ($1, $2, $3, 1, 1, $4)";
    BY_KEY = "SELECT a.id, a.name, a.blocked_at, c.key_prefix, c.key_gen, c.token_gen \
              FROM credentials c JOIN agents a ON a.id = c.agent WHERE c.key_hmac = $1";
    BY_AGENT = "SELECT a.id, a.name, a.blocked_at, c.key_prefix, c.key_gen, c.token_gen \
                FROM credentials c JOIN agents a ON a.id = c.agent WHERE c.agent = $1";
    BY_KEY_16 = "SELECT c.key_hmac, a.id, a.name, a.blocked_at, c.key_prefix, c.key_gen, c.token_gen \
                 FROM credentials c JOIN agents a ON a.id = c.agent WHERE c.key_hmac IN \
                 ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    BY_AGENT_16 = "SELECT a.id, a.name, a.blocked_at, c.key_prefix, c.key_gen, c.token_gen \
                   FROM credentials c JOIN agents a ON a.id = c.agent WHERE c.agent IN \
                   ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    NAMES_16 = "SELECT id, name FROM agents WHERE id IN \
                ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    REMOVED_BY_KEY = "SELECT id FROM removed_agents WHERE key_hmac = $1";
    ROTATE = "UPDATE credentials SET key_hmac = $1, key_prefix = $2, key_gen = key_gen + 1, \
              token_gen = token_gen + 1, changed_at = $3 WHERE agent = $4 AND key_gen = $5 \
              RETURNING key_gen, token_gen";
    RAISE_TOKEN_GEN = "UPDATE credentials SET token_gen = token_gen + 1, changed_at = $1 WHERE agent = $2 \
                       RETURNING key_gen, token_gen";
    REVOKE_TOKEN = "INSERT INTO revoked_tokens (jti, agent, exp) VALUES ($1, $2, $3) ON CONFLICT (jti) DO NOTHING";
    IS_REVOKED = "SELECT COUNT(*) AS n FROM revoked_tokens WHERE jti = $1";
    REVOKED_16 = "SELECT jti FROM revoked_tokens WHERE jti IN \
                  ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    REVOKED_LIVE = "SELECT jti, exp FROM revoked_tokens WHERE exp > $1";
    CHANGED_SINCE = "SELECT agent, key_gen, token_gen FROM credentials WHERE changed_at >= $1 \
                     AND (key_gen > 1 OR token_gen > 1)";
    FORGET_TOKENS = "DELETE FROM revoked_tokens WHERE exp <= $1";
}

/// An agent's credentials and what they are checked with.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    pub(crate) agent: AgentId,
    pub(crate) name: String,
    pub(crate) blocked: bool,
    pub(crate) key_prefix: String,
    pub(crate) key_gen: u64,
    pub(crate) token_gen: u64,
}

/// The lowest generations that count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Generations {
    pub(crate) key_gen: u64,
    pub(crate) token_gen: u64,
}

fn generations(row: &AnyRow) -> Result<Generations> {
    Ok(Generations {
        key_gen: row.try_get::<i64, _>("key_gen")?.unsigned_abs(),
        token_gen: row.try_get::<i64, _>("token_gen")?.unsigned_abs(),
    })
}

/// Reads an id column.
pub(crate) fn id<T: std::str::FromStr>(row: &AnyRow, column: &str) -> Result<T> {
    let text: String = row.try_get(column)?;
    text.parse().map_err(|_| DbError::Corrupt(format!("{column} is no id")))
}

fn account(row: &AnyRow) -> Result<Account> {
    let Generations { key_gen, token_gen } = generations(row)?;
    Ok(Account {
        agent: id(row, "id")?,
        name: row.try_get("name")?,
        blocked: row.try_get::<Option<i64>, _>("blocked_at")?.is_some(),
        key_prefix: row.try_get("key_prefix")?,
        key_gen,
        token_gen,
    })
}

pub(crate) async fn insert(
    tx: &mut AnyConnection,
    agent: AgentId,
    key_hmac: Vec<u8>,
    key_prefix: &str,
    now_ms: i64,
) -> Result<()> {
    let query = sqlx::query(INSERT).bind(agent.to_string()).bind(key_hmac).bind(key_prefix).bind(now_ms);
    query.execute(tx).await?;
    Ok(())
}

pub(crate) async fn by_key(conn: &mut AnyConnection, key_hmac: Vec<u8>) -> Result<Option<Account>> {
    sqlx::query(BY_KEY).bind(key_hmac).fetch_optional(conn).await?.as_ref().map(account).transpose()
}

pub(crate) async fn by_agent(conn: &mut AnyConnection, agent: AgentId) -> Result<Option<Account>> {
    sqlx::query(BY_AGENT).bind(agent.to_string()).fetch_optional(conn).await?.as_ref().map(account).transpose()
}

/// Ids for a question about several agents: one text for any number of them, up to sixteen.
pub(crate) struct Sixteen([String; Self::MOST]);

impl Sixteen {
    /// So many at once.
    pub(crate) const MOST: usize = 16;

    /// Of the first ones; the places that are left repeat the last of them, which changes no answer.
    pub(crate) fn of<T: ToString>(ids: &[T]) -> Self {
        let text = |at: usize| ids.get(at).or(ids.last()).map(ToString::to_string).unwrap_or_default();
        Self(std::array::from_fn(text))
    }

    /// Binds them to the next sixteen placeholders.
    pub(crate) fn bind<'q>(&'q self, query: Query<'q, Any, AnyArguments>) -> Query<'q, Any, AnyArguments> {
        self.0.iter().fold(query, |query, id| query.bind(id.as_str()))
    }
}

/// [`by_key`] for as many as [`Sixteen::MOST`] keys: those that are known.
pub(crate) async fn by_keys(conn: &mut AnyConnection, hmacs: &[Vec<u8>]) -> Result<HashMap<Vec<u8>, Account>> {
    let places = (0..Sixteen::MOST).map(|at| hmacs.get(at).or(hmacs.last()).cloned().unwrap_or_default());
    let rows = places.fold(sqlx::query(BY_KEY_16), Query::bind).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((row.try_get("key_hmac")?, account(row)?))).collect()
}

/// [`by_agent`] for several: those that are there.
pub(crate) async fn by_agents(conn: &mut AnyConnection, sixteen: &Sixteen) -> Result<HashMap<AgentId, Account>> {
    let rows = sixteen.bind(sqlx::query(BY_AGENT_16)).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((id(row, "id")?, account(row)?))).collect()
}

/// Which of these tokens were revoked.
pub(crate) async fn revoked_of(conn: &mut AnyConnection, sixteen: &Sixteen) -> Result<HashSet<Uuid>> {
    let rows = sixteen.bind(sqlx::query(REVOKED_16)).fetch_all(conn).await?;
    rows.iter().map(|row| id(row, "jti")).collect()
}

/// The names of these agents, without those that were removed.
pub(crate) async fn names(conn: &mut AnyConnection, sixteen: &Sixteen) -> Result<HashMap<AgentId, String>> {
    let rows = sixteen.bind(sqlx::query(NAMES_16)).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((id(row, "id")?, row.try_get("name")?))).collect()
}

pub(crate) async fn removed_by_key(conn: &mut AnyConnection, key_hmac: Vec<u8>) -> Result<Option<AgentId>> {
    let row = sqlx::query(REMOVED_BY_KEY).bind(key_hmac).fetch_optional(conn).await?;
    row.as_ref().map(|row| id(row, "id")).transpose()
}

/// Replaces the key of this generation; `None`: it was replaced meanwhile.
pub(crate) async fn rotate(
    tx: &mut AnyConnection,
    agent: AgentId,
    key_gen: u64,
    key_hmac: Vec<u8>,
    key_prefix: &str,
    now_ms: i64,
) -> Result<Option<Generations>> {
    let query = sqlx::query(ROTATE).bind(key_hmac).bind(key_prefix).bind(now_ms).bind(agent.to_string());
    query.bind(key_gen.cast_signed()).fetch_optional(tx).await?.as_ref().map(generations).transpose()
}

pub(crate) async fn raise_token_gen(
    tx: &mut AnyConnection,
    agent: AgentId,
    now_ms: i64,
) -> Result<Option<Generations>> {
    let row = sqlx::query(RAISE_TOKEN_GEN).bind(now_ms).bind(agent.to_string()).fetch_optional(tx).await?;
    row.as_ref().map(generations).transpose()
}

pub(crate) async fn revoke_token(tx: &mut AnyConnection, agent: AgentId, jti: Uuid, exp: i64) -> Result<bool> {
    let query = sqlx::query(REVOKE_TOKEN).bind(jti.to_string()).bind(agent.to_string()).bind(exp);
    Ok(query.execute(tx).await?.rows_affected() == 1)
}

pub(crate) async fn is_revoked(conn: &mut AnyConnection, jti: Uuid) -> Result<bool> {
    let row = sqlx::query(IS_REVOKED).bind(jti.to_string()).fetch_one(conn).await?;
    Ok(row.try_get::<i64, _>("n")? > 0)
}

pub(crate) async fn revoked_live(conn: &mut AnyConnection, now_s: i64) -> Result<Vec<(Uuid, i64)>> {
    let rows = sqlx::query(REVOKED_LIVE).bind(now_s).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((id(row, "jti")?, row.try_get("exp")?))).collect()
}

pub(crate) async fn changed_since(conn: &mut AnyConnection, since_ms: i64) -> Result<Vec<(AgentId, Generations)>> {
    let rows = sqlx::query(CHANGED_SINCE).bind(since_ms).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((id(row, "agent")?, generations(row)?))).collect()
}

pub(crate) async fn forget_tokens(conn: &mut AnyConnection, now_s: i64) -> Result<u64> {
    Ok(sqlx::query(FORGET_TOKENS).bind(now_s).execute(conn).await?.rows_affected())
}
