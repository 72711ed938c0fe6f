//! Calls counted per callee and hour, and per callee, caller and quarter of a day: so that a week's figures cost a few rows
//! however busy the agent was.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

use futures_util::TryStreamExt;
use landline_link::CallRecord;
use landline_wire::ids::AgentId;
use sqlx::{AnyConnection, Row};

use super::model::is_good;
use crate::agents::{Callers, trend::Count};
use crate::auth::store::id;
use crate::db::batch::{self, BATCH, batch};
use crate::db::rows::Rows;
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

/// [`COUNT_HOUR`] and [`COUNT_CALLER`] with their columns.
static COUNT_HOURS: LazyLock<Rows> = LazyLock::new(|| Rows::of(COUNT_HOUR, 4));
static COUNT_CALLERS: LazyLock<Rows> = LazyLock::new(|| Rows::of(COUNT_CALLER, 4));

/// The queries that are not written out, by name.
pub(crate) fn made_queries() -> Vec<(&'static str, &'static str)> {
    [COUNT_HOURS.named("COUNT_HOURS"), COUNT_CALLERS.named("COUNT_CALLERS")].concat()
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
    COUNT_HOURS
        .write(tx, hours, |query, ((agent, hour), (calls, good))| {
            query.bind(agent.to_string()).bind(hour).bind(calls).bind(good)
        })
        .await?;
    COUNT_CALLERS
        .write(tx, callers, |query, ((agent, caller, quarter), calls)| {
            let caller = caller.map(|caller| caller.to_string()).unwrap_or_default();
            query.bind(agent.to_string()).bind(caller).bind(quarter).bind(calls)
        })
        .await
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
