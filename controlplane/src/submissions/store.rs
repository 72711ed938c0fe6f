//! SQL of the submissions.

use landline_wire::ids::AgentId;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::model::Status;
use crate::auth::store::id;
use crate::db::{DbError, Result, queries};

queries! {
    ADD = "INSERT INTO submissions (id, url, url_key, depth, status, tries, created_at, next_at) \
           VALUES ($1, $2, $3, $4, 'queued', 0, $5, $5) ON CONFLICT (url_key) DO NOTHING";
    REOPEN = "UPDATE submissions SET status = 'queued', reason = NULL, tries = 0, next_at = $1 \
              WHERE url_key = $2 AND status IN ('failed', 'gone', 'known') AND checked_at < $3";
    BY_KEY = "SELECT * FROM submissions WHERE url_key = $1";
    GET = "SELECT * FROM submissions WHERE id = $1";
    WAITING = "SELECT COUNT(*) AS n FROM submissions WHERE status = 'queued'";
    IS_DUE = "SELECT id FROM submissions WHERE next_at <= $1 LIMIT 1";
    TAKE = "UPDATE submissions SET next_at = $1 WHERE next_at <= $2 AND id IN \
            (SELECT id FROM submissions WHERE next_at <= $2 ORDER BY next_at LIMIT $3) RETURNING *";
    POSTPONE = "UPDATE submissions SET next_at = $1 WHERE id = $2";
    SETTLE = "UPDATE submissions SET status = $1, reason = $2, agent = $3, entries = $4, tries = $5, checked_at = $6, \
              next_at = $7 WHERE id = $8";
    FORGET = "DELETE FROM submissions WHERE next_at IS NULL AND checked_at < $1";
}

/// A stored submission.
#[derive(Debug, Clone)]
pub(crate) struct Submission {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) depth: i64,
    pub(crate) status: Status,
    pub(crate) reason: Option<String>,
    pub(crate) agent: Option<AgentId>,
    pub(crate) entries: Option<i64>,
    pub(crate) tries: u32,
    pub(crate) created_at: i64,
    pub(crate) checked_at: Option<i64>,
}

fn submission(row: &AnyRow) -> Result<Submission> {
    let status: String = row.try_get("status")?;
    Ok(Submission {
        id: row.try_get("id")?,
        url: row.try_get("url")?,
        depth: row.try_get("depth")?,
        status: Status::of(&status).ok_or_else(|| DbError::Corrupt("submissions.status is no status".into()))?,
        reason: row.try_get("reason")?,
        agent: row.try_get::<Option<String>, _>("agent")?.map(|_| id(row, "agent")).transpose()?,
        entries: row.try_get("entries")?,
        tries: u32::try_from(row.try_get::<i64, _>("tries")?).unwrap_or(u32::MAX),
        created_at: row.try_get("created_at")?,
        checked_at: row.try_get("checked_at")?,
    })
}

/// A URL to be looked at, unless it is there already.
pub(crate) async fn add(
    tx: &mut AnyConnection,
    (id, url, url_key): (String, &str, &str),
    depth: i64,
    now_ms: i64,
) -> Result<bool> {
    let query = sqlx::query(ADD).bind(id).bind(url.to_owned()).bind(url_key.to_owned()).bind(depth).bind(now_ms);
    Ok(query.execute(tx).await?.rows_affected() == 1)
}

/// What came to nothing before a time is looked at anew.
pub(crate) async fn reopen(tx: &mut AnyConnection, url_key: &str, before: i64, now_ms: i64) -> Result<()> {
    sqlx::query(REOPEN).bind(now_ms).bind(url_key.to_owned()).bind(before).execute(tx).await?;
    Ok(())
}

pub(crate) async fn by_key(conn: &mut AnyConnection, url_key: &str) -> Result<Option<Submission>> {
    sqlx::query(BY_KEY).bind(url_key.to_owned()).fetch_optional(conn).await?.as_ref().map(submission).transpose()
}

pub(crate) async fn get(conn: &mut AnyConnection, id: &str) -> Result<Option<Submission>> {
    sqlx::query(GET).bind(id.to_owned()).fetch_optional(conn).await?.as_ref().map(submission).transpose()
}

/// Submissions that wait.
pub(crate) async fn waiting(conn: &mut AnyConnection) -> Result<i64> {
    Ok(sqlx::query(WAITING).fetch_one(conn).await?.try_get("n")?)
}

pub(crate) async fn is_any_due(conn: &mut AnyConnection, now_ms: i64) -> Result<bool> {
    Ok(sqlx::query(IS_DUE).bind(now_ms).fetch_optional(conn).await?.is_some())
}

/// Takes submissions whose time has come; nobody else does until `again_at`.
pub(crate) async fn take(conn: &mut AnyConnection, now_ms: i64, again_at: i64, limit: u32) -> Result<Vec<Submission>> {
    let rows = sqlx::query(TAKE).bind(again_at).bind(now_ms).bind(i64::from(limit)).fetch_all(conn).await?;
    rows.iter().map(submission).collect()
}

pub(crate) async fn postpone(conn: &mut AnyConnection, id: &str, until: i64) -> Result<()> {
    sqlx::query(POSTPONE).bind(until).bind(id.to_owned()).execute(conn).await?;
    Ok(())
}

/// Stores what a look found.
pub(crate) async fn settle(
    conn: &mut AnyConnection,
    submission: &Submission,
    checked_at: i64,
    next_at: Option<i64>,
) -> Result<()> {
    let agent = submission.agent.map(|agent| agent.to_string());
    let query = sqlx::query(SETTLE).bind(submission.status.as_str()).bind(submission.reason.clone()).bind(agent);
    let query = query.bind(submission.entries).bind(i64::from(submission.tries)).bind(checked_at).bind(next_at);
    query.bind(submission.id.clone()).execute(conn).await?;
    Ok(())
}

pub(crate) async fn forget(conn: &mut AnyConnection, before: i64) -> Result<()> {
    sqlx::query(FORGET).bind(before).execute(conn).await?;
    Ok(())
}
