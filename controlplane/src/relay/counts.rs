//! Calls counted per callee and hour, and per callee, caller and quarter of a day: so that a week's figures cost a few rows
//! however busy the agent was.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use futures_util::TryStreamExt;
use landline_link::CallRecord;
use landline_wire::ids::AgentId;
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, Row};

use super::model::is_good;
use super::store::{ROWS, with_rows};
use crate::agents::{Callers, trend::Count};
use crate::auth::store::id;
use crate::db::batch::{self, BATCH, batch};
use crate::db::{Result, queries};

queries! {
    COUNT_HOUR = "INSERT INTO agent_hours (agent, hour, calls, good) VALUES ($1, $2, $3, $4) \
                  ON CONFLICT (agent, hour) DO UPDATE SET calls = agent_hours.calls + excluded.calls, \
                  good = agent_hours.good + excluded.good";
    HOURS = concat!("SELECT agent, CAST(SUM(calls) AS BIGINT) AS calls, CAST(SUM(good) AS BIGINT) AS good \
                     FROM agent_hours WHERE hour > $65 AND agent IN ", batch!(), " GROUP BY agent");
    COUNT_CALLER = "INSERT INTO agent_callers (agent, caller, quarter, calls) VALUES ($1, $2, $3, $4) \
                    ON CONFLICT (agent, caller, quarter) DO UPDATE SET calls = agent_callers.calls + excluded.calls";
    CALLERS = concat!("SELECT c.agent, COUNT(DISTINCT c.caller) AS callers, CAST(SUM(c.calls) AS BIGINT) AS calls \
                       FROM agent_callers c JOIN agents k ON k.id = c.caller \
                       WHERE c.quarter > $65 AND k.created_at < $66 AND c.agent IN ", batch!(), " GROUP BY c.agent");
    CALLER_COUNTS = "SELECT c.agent, c.quarter, c.calls, k.created_at FROM agent_callers c \
                     LEFT JOIN agents k ON k.id = c.caller WHERE c.quarter > $1";
    FORGET_CALLERS = "DELETE FROM agent_callers WHERE quarter < $1";
    FORGET_HOURS = "DELETE FROM agent_hours WHERE hour < $1";
}

/// Columns of a count.
const COLUMNS: usize = 4;
/// [`COUNT_HOUR`] and [`COUNT_CALLER`] with many rows.
static COUNT_HOURS: LazyLock<String> = LazyLock::new(|| with_rows(COUNT_HOUR, COLUMNS));
static COUNT_CALLERS: LazyLock<String> = LazyLock::new(|| with_rows(COUNT_CALLER, COLUMNS));

/// The queries that are not written out, by name.
pub(crate) fn made_queries() -> Vec<(&'static str, &'static str)> {
    vec![("COUNT_HOURS", &COUNT_HOURS), ("COUNT_CALLERS", &COUNT_CALLERS)]
}

/// Milliseconds of an hour.
pub(crate) const HOUR_MS: i64 = 3_600_000;
/// Milliseconds of a quarter of a day, in which calls are counted by their callers.
pub(crate) const QUARTER_MS: i64 = 6 * HOUR_MS;
/// Quarters that are kept: what is looked at is a week.
const QUARTERS_KEPT: i64 = 32;

/// Counts calls that were stored.
pub(crate) async fn add(tx: &mut AnyConnection, records: &[&CallRecord]) -> Result<()> {
    // Sorted, so that two batches that count the same agents cannot wait for each other in a circle.
    let mut hours: BTreeMap<(AgentId, i64), (i64, i64)> = BTreeMap::new();
    let mut callers: BTreeMap<(AgentId, Option<AgentId>, i64), i64> = BTreeMap::new();
    for record in records {
        let (calls, good) = hours.entry((record.to_agent_id, record.ts.div_euclid(HOUR_MS))).or_default();
        *calls += 1;
        *good += i64::from(is_good(record));
        // Whoever calls itself is no caller.
        if is_good(record) && record.from_agent_id != Some(record.to_agent_id) {
            let key = (record.to_agent_id, record.from_agent_id, record.ts.div_euclid(QUARTER_MS));
            *callers.entry(key).or_default() += 1;
        }
    }
    let hours = hours.into_iter().map(|((agent, hour), (calls, good))| (agent.to_string(), hour, calls, good));
    let bind_hour = |query: Query<'static, Any, AnyArguments>, (agent, hour, calls, good): (String, i64, i64, i64)| {
        query.bind(agent).bind(hour).bind(calls).bind(good)
    };
    count(tx, (COUNT_HOUR, &COUNT_HOURS), hours.collect(), bind_hour).await?;
    let callers = callers.into_iter().map(|((agent, caller, quarter), calls)| {
        (agent.to_string(), caller.map(|caller| caller.to_string()).unwrap_or_default(), quarter, calls)
    });
    let bind_caller = |query: Query<'static, Any, AnyArguments>,
                       (agent, caller, quarter, calls): (String, String, i64, i64)| {
        query.bind(agent).bind(caller).bind(quarter).bind(calls)
    };
    count(tx, (COUNT_CALLER, &COUNT_CALLERS), callers.collect(), bind_caller).await
}

/// Writes counts by a statement for many rows, and those that are left by one for a single row.
async fn count<T>(
    tx: &mut AnyConnection,
    (one, many): (&'static str, &'static str),
    counts: Vec<T>,
    bind: impl Fn(Query<'static, Any, AnyArguments>, T) -> Query<'static, Any, AnyArguments>,
) -> Result<()> {
    let mut left = counts.into_iter();
    while left.len() >= ROWS {
        left.by_ref().take(ROWS).fold(sqlx::query(many), &bind).execute(&mut *tx).await?;
    }
    for row in left {
        bind(sqlx::query(one), row).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Calls to agents, and the good ones among them, in the hours after `hour`.
pub(crate) async fn hours(
    conn: &mut AnyConnection,
    agents: &[AgentId],
    hour: i64,
) -> Result<HashMap<AgentId, (u64, u64)>> {
    let mut found = HashMap::new();
    for some in agents.chunks(BATCH) {
        for row in batch::bind(HOURS, some).bind(hour).fetch_all(&mut *conn).await? {
            let count = |column: &str| row.try_get::<i64, _>(column).map(i64::unsigned_abs);
            found.insert(id(&row, "agent")?, (count("calls")?, count("good")?));
        }
    }
    Ok(found)
}

/// Who called agents after `quarter` and was answered, of those callers that registered before `before`.
pub(crate) async fn callers(
    conn: &mut AnyConnection,
    agents: &[AgentId],
    quarter: i64,
    before: i64,
) -> Result<HashMap<AgentId, Callers>> {
    let mut found = HashMap::new();
    for some in agents.chunks(BATCH) {
        for row in batch::bind(CALLERS, some).bind(quarter).bind(before).fetch_all(&mut *conn).await? {
            let count = |column: &str| row.try_get::<i64, _>(column).map(i64::unsigned_abs);
            found.insert(id(&row, "agent")?, Callers { distinct: count("callers")?, calls: count("calls")? });
        }
    }
    Ok(found)
}

/// Answered calls after `quarter`, per callee and caller.
pub(crate) async fn caller_counts(conn: &mut AnyConnection, quarter: i64) -> Result<HashMap<AgentId, Vec<Count>>> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    let mut rows = sqlx::query(CALLER_COUNTS).bind(quarter).fetch(conn);
    while let Some(row) = rows.try_next().await? {
        let count = Count {
            quarter: row.try_get("quarter")?,
            calls: row.try_get("calls")?,
            caller_since: row.try_get("created_at")?,
        };
        found.entry(id(&row, "agent")?).or_default().push(count);
    }
    Ok(found)
}

/// Forgets hours that ended before a time, and callers of quarters that nobody looks at any more.
pub(crate) async fn forget(conn: &mut AnyConnection, before: i64, now_ms: i64) -> Result<()> {
    sqlx::query(FORGET_CALLERS).bind(now_ms.div_euclid(QUARTER_MS) - QUARTERS_KEPT).execute(&mut *conn).await?;
    sqlx::query(FORGET_HOURS).bind(before.div_euclid(HOUR_MS)).execute(&mut *conn).await?;
    Ok(())
}
