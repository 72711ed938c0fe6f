//! SQL of the calls.

use std::collections::HashMap;
use std::sync::LazyLock;

use landline_api::relay::RelayEvent;
use landline_api::time::rfc3339_ms;
use landline_link::CallRecord;
use landline_wire::ids::{AgentId, NodeId};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, Row};
use uuid::Uuid;

use super::counts;
use super::model::milliseconds;
use crate::auth::store::id;
use crate::db::batch::{self, BATCH};
use crate::db::rows::Rows;
use crate::db::{Result, queries};
use crate::presence::store::Reporter;

queries! {
    CURSOR = "SELECT seq, listing FROM report_cursors WHERE node = $1 AND boot = $2";
    TAKE = "INSERT INTO report_cursors (node, boot, seq, at, listing) VALUES ($1, $2, $3, $4, NULL) \
            ON CONFLICT (node, boot) DO UPDATE SET seq = excluded.seq, at = excluded.at \
            WHERE report_cursors.seq < excluded.seq";
    SET_LISTING = "UPDATE report_cursors SET listing = $1 WHERE node = $2 AND boot = $3";
    PLACE = "SELECT next FROM record_cursors WHERE node = $1 AND log = $2";
    FIRST_PLACE = "INSERT INTO record_cursors (node, log, next, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
    MOVE_PLACE = "UPDATE record_cursors SET next = $1, at = $2 WHERE node = $3 AND log = $4 AND next = $5";
    NODE_BOOT = "SELECT boot FROM nodes WHERE id = $1";
    SET_BOOT = "UPDATE nodes SET boot = $1, last_seen = $2 WHERE id = $3";
    TOUCH_NODE = "UPDATE nodes SET last_seen = $1 WHERE id = $2 AND last_seen < $1";
    INSERT_ONE = "INSERT INTO calls (ts, from_agent, to_agent, method, request_id, status, latency_us, route) VALUES \
                  ($1, $2, $3, $4, $5, $6, $7, $8)";
    LATENCIES = "SELECT latency_us FROM calls ORDER BY id DESC LIMIT $1";
    COUNT_SINCE = "SELECT COUNT(*) AS n FROM calls WHERE ts >= $1";
    RECENT = "SELECT * FROM calls ORDER BY id DESC LIMIT $1";
    LOG = "SELECT * FROM (SELECT * FROM calls WHERE from_agent = $1 AND id < $2 AND ts >= $3 AND ts < $4 \
             AND (CAST($5 AS TEXT) IS NULL OR to_agent = $5) AND (CAST($6 AS TEXT) IS NULL OR from_agent = $6) \
             ORDER BY id DESC LIMIT $7) AS made \
           UNION \
           SELECT * FROM (SELECT * FROM calls WHERE to_agent = $1 AND id < $2 AND ts >= $3 AND ts < $4 \
             AND (CAST($5 AS TEXT) IS NULL OR to_agent = $5) AND (CAST($6 AS TEXT) IS NULL OR from_agent = $6) \
             ORDER BY id DESC LIMIT $7) AS got \
           ORDER BY id DESC LIMIT $7";
    FORGET_CALLS = "DELETE FROM calls WHERE id IN (SELECT id FROM calls WHERE ts < $1 ORDER BY ts LIMIT $2)";
    FORGET_PLACES = "DELETE FROM record_cursors WHERE at < $1";
    FORGET_CURSORS = "DELETE FROM report_cursors WHERE at < $1 \
                      AND NOT EXISTS (SELECT 1 FROM nodes n WHERE n.id = report_cursors.node AND n.boot = report_cursors.boot)";
}

/// [`INSERT_ONE`] with its columns.
static INSERT: LazyLock<Rows> = LazyLock::new(|| Rows::of(INSERT_ONE, 8));

/// The last latencies of each agent of a batch: at most `$65` of each, which one plain query cannot say.
static LATENCIES_OF: LazyLock<String> = LazyLock::new(|| {
    let one = |place: usize| {
        format!(
            "SELECT * FROM (SELECT to_agent, latency_us FROM calls WHERE to_agent = ${place} AND status < 500 \
             AND latency_us > 0 ORDER BY id DESC LIMIT $65) AS of_{place}"
        )
    };
    (1..=BATCH).map(one).collect::<Vec<_>>().join(" UNION ALL ")
});

/// The queries that are not written out, by name.
pub(crate) fn made_queries() -> Vec<(&'static str, &'static str)> {
    [INSERT.named("INSERT"), vec![("LATENCIES_OF", &LATENCIES_OF)]].concat()
}

/// How far a boot has reported: its last sequence, and the place where its unfinished listing began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ReportCursor {
    pub(crate) seq: u64,
    pub(crate) listing: Option<i64>,
}

pub(crate) async fn cursor(conn: &mut AnyConnection, reporter: Reporter) -> Result<Option<ReportCursor>> {
    let query = sqlx::query(CURSOR).bind(reporter.node.to_string()).bind(reporter.boot.to_string());
    let row = query.fetch_optional(conn).await?;
    row.map(|row| {
        Ok(ReportCursor { seq: row.try_get::<i64, _>("seq")?.unsigned_abs(), listing: row.try_get("listing")? })
    })
    .transpose()
}

/// Takes a sequence; `false`: it or a later one was taken before.
pub(crate) async fn take(tx: &mut AnyConnection, reporter: Reporter, seq: u64, now_ms: i64) -> Result<bool> {
    let query = sqlx::query(TAKE).bind(reporter.node.to_string()).bind(reporter.boot.to_string());
    Ok(query.bind(seq.cast_signed()).bind(now_ms).execute(tx).await?.rows_affected() == 1)
}

pub(crate) async fn set_listing(tx: &mut AnyConnection, reporter: Reporter, place: Option<i64>) -> Result<()> {
    let query = sqlx::query(SET_LISTING).bind(place).bind(reporter.node.to_string());
    query.bind(reporter.boot.to_string()).execute(tx).await?;
    Ok(())
}

pub(crate) async fn node_boot(conn: &mut AnyConnection, reporter: Reporter) -> Result<Option<String>> {
    let row = sqlx::query(NODE_BOOT).bind(reporter.node.to_string()).fetch_optional(conn).await?;
    Ok(row.map(|row| row.try_get::<Option<String>, _>("boot")).transpose()?.flatten())
}

pub(crate) async fn set_boot(tx: &mut AnyConnection, reporter: Reporter, now_ms: i64) -> Result<()> {
    let query = sqlx::query(SET_BOOT).bind(reporter.boot.to_string()).bind(now_ms);
    query.bind(reporter.node.to_string()).execute(tx).await?;
    Ok(())
}

pub(crate) async fn touch_node(tx: &mut AnyConnection, node: NodeId, now_ms: i64) -> Result<()> {
    sqlx::query(TOUCH_NODE).bind(now_ms).bind(node.to_string()).execute(tx).await?;
    Ok(())
}

/// The place that a log of a switch has reached; `None`: nothing of it is known.
pub(crate) async fn place(conn: &mut AnyConnection, node: NodeId, log: Uuid) -> Result<Option<u64>> {
    let row = sqlx::query(PLACE).bind(node.to_string()).bind(log.to_string()).fetch_optional(conn).await?;
    row.map(|row| Ok(row.try_get::<i64, _>("next")?.unsigned_abs())).transpose()
}

/// Moves a log's place on from where it was. `false`: it was moved by someone else meanwhile.
pub(crate) async fn move_place(
    tx: &mut AnyConnection,
    node: NodeId,
    log: Uuid,
    (from, to): (Option<u64>, u64),
    now_ms: i64,
) -> Result<bool> {
    let (node, log, to) = (node.to_string(), log.to_string(), to.cast_signed());
    let query = match from {
        None => sqlx::query(FIRST_PLACE).bind(node).bind(log).bind(to).bind(now_ms),
        Some(from) => sqlx::query(MOVE_PLACE).bind(to).bind(now_ms).bind(node).bind(log).bind(from.cast_signed()),
    };
    Ok(query.execute(tx).await?.rows_affected() == 1)
}

fn bind(query: Query<'static, Any, AnyArguments>, record: &CallRecord) -> Query<'static, Any, AnyArguments> {
    query
        .bind(record.ts)
        .bind(record.from_agent_id.map(|agent| agent.to_string()))
        .bind(record.to_agent_id.to_string())
        .bind(record.a2a_method.clone().map(String::from))
        .bind(record.request_id.to_string())
        .bind(i64::from(record.status_code))
        .bind(record.latency_us.min(i64::MAX as u64).cast_signed())
        .bind(record.route.as_str())
}

/// Stores calls, in order, and counts them per callee and hour, and per callee and caller.
pub(crate) async fn insert(tx: &mut AnyConnection, records: &[&CallRecord]) -> Result<()> {
    INSERT.write(tx, records, |query, record| bind(query, record)).await?;
    counts::add(tx, records).await
}

fn event(row: &AnyRow) -> Result<RelayEvent> {
    let from: Option<String> = row.try_get("from_agent")?;
    Ok(RelayEvent {
        ts: rfc3339_ms(row.try_get("ts")?),
        from_agent_id: from.map(|_| id(row, "from_agent")).transpose()?,
        to_agent_id: id(row, "to_agent")?,
        a2a_method: row.try_get("method")?,
        request_id: row.try_get("request_id")?,
        status_code: u16::try_from(row.try_get::<i64, _>("status")?).unwrap_or_default(),
        latency_ms: milliseconds(row.try_get::<i64, _>("latency_us")?.unsigned_abs()),
        route: row.try_get("route")?,
    })
}

pub(crate) async fn recent(conn: &mut AnyConnection, limit: u32) -> Result<Vec<RelayEvent>> {
    sqlx::query(RECENT).bind(i64::from(limit)).fetch_all(conn).await?.iter().map(event).collect()
}

fn latencies(rows: &[AnyRow]) -> Result<Vec<u64>> {
    rows.iter().map(|row| Ok(row.try_get::<i64, _>("latency_us")?.unsigned_abs())).collect()
}

pub(crate) async fn last_latencies(conn: &mut AnyConnection, sample: u32) -> Result<Vec<u64>> {
    latencies(&sqlx::query(LATENCIES).bind(i64::from(sample)).fetch_all(conn).await?)
}

/// Microseconds of the last answered calls to agents, at most `sample` of each.
pub(crate) async fn last_latencies_of(
    conn: &mut AnyConnection,
    agents: &[AgentId],
    sample: u32,
) -> Result<HashMap<AgentId, Vec<u64>>> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for some in agents.chunks(BATCH) {
        for row in batch::bind(LATENCIES_OF.as_str(), some).bind(i64::from(sample)).fetch_all(&mut *conn).await? {
            let latency = row.try_get::<i64, _>("latency_us")?.unsigned_abs();
            found.entry(id(&row, "to_agent")?).or_default().push(latency);
        }
    }
    Ok(found)
}

pub(crate) async fn count_since(conn: &mut AnyConnection, since: i64) -> Result<u64> {
    Ok(sqlx::query(COUNT_SINCE).bind(since).fetch_one(conn).await?.try_get::<i64, _>("n")?.unsigned_abs())
}

/// What to read of an agent's log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogQuery {
    pub(crate) agent: AgentId,
    pub(crate) before: i64,
    pub(crate) since: i64,
    pub(crate) until: i64,
    pub(crate) from: Option<AgentId>,
    pub(crate) to: Option<AgentId>,
    pub(crate) limit: u32,
}

/// An agent's own calls, newest first, each with its row.
pub(crate) async fn log(conn: &mut AnyConnection, query: LogQuery) -> Result<Vec<(i64, RelayEvent)>> {
    let text = |agent: Option<AgentId>| agent.map(|agent| agent.to_string());
    let sql = sqlx::query(LOG).bind(query.agent.to_string()).bind(query.before).bind(query.since).bind(query.until);
    let sql = sql.bind(text(query.to)).bind(text(query.from)).bind(i64::from(query.limit));
    sql.fetch_all(conn).await?.iter().map(|row| Ok((row.try_get("id")?, event(row)?))).collect()
}

/// Deletes calls that began before a time, at most `limit`, so that no transaction is long. Gives how many.
pub(crate) async fn forget_calls(conn: &mut AnyConnection, before: i64, limit: u32) -> Result<u64> {
    Ok(sqlx::query(FORGET_CALLS).bind(before).bind(i64::from(limit)).execute(conn).await?.rows_affected())
}

pub(crate) async fn forget_rest(conn: &mut AnyConnection, before: i64) -> Result<()> {
    sqlx::query(FORGET_CURSORS).bind(before).execute(&mut *conn).await?;
    sqlx::query(FORGET_PLACES).bind(before).execute(&mut *conn).await?;
    Ok(())
}
