//! Use cases of the record of calls.

use std::collections::HashMap;

use landline_api::relay::{RelayEvent, RelayLog, RelayStats};
use landline_wire::ids::AgentId;
use sqlx::AnyConnection;

use super::counts;
pub use super::ingest::ingest;
use super::model::{Figures, cursor_text, latencies};
pub use super::record::record;
use super::store::{self, LogQuery};
pub use super::sweep::forget_old;
use crate::agents::{Callers, trend::Count};
use crate::db::Result;
use crate::presence;
use crate::state::Exchange;

/// Calls behind the published latencies.
const SAMPLE: u32 = 1_000;
/// Calls behind the latencies of one agent. A list has 200 of them.
const SAMPLE_OF_AGENT: u32 = 200;
/// Milliseconds over which the rate of calls is taken.
const RATE_SPAN_MS: i64 = 10_000;

/// The last calls, newest first.
pub async fn recent(exchange: &Exchange, limit: u32) -> Result<Vec<RelayEvent>> {
    store::recent(&mut *exchange.db.read().acquire().await?, limit).await
}

/// Latency over the last calls, their rate, and how many agents hold a line.
pub async fn stats(exchange: &Exchange) -> Result<RelayStats> {
    let since = exchange.clock.now_ms() - RATE_SPAN_MS;
    let (sample, calls) = {
        let mut conn = exchange.db.read().acquire().await?;
        (store::last_latencies(&mut conn, SAMPLE).await?, store::count_since(&mut conn, since).await?)
    };
    let (p50_ms, p99_ms, sample) = latencies(sample);
    let calls_per_second = calls as f64 / (RATE_SPAN_MS as f64 / 1_000.0);
    Ok(RelayStats { p50_ms, p99_ms, sample, calls_per_second, attached: presence::ops::attached(exchange).await? })
}

/// Figures of the calls to agents; one that was never called is not in it.
pub(crate) async fn figures(
    conn: &mut AnyConnection,
    agents: &[AgentId],
    now_ms: i64,
) -> Result<HashMap<AgentId, Figures>> {
    let mut found: HashMap<AgentId, Figures> = HashMap::new();
    let a_day_ago = now_ms.div_euclid(counts::HOUR_MS) - 24;
    for (agent, (calls_24h, good_24h)) in counts::hours(conn, agents, a_day_ago).await? {
        found.insert(agent, Figures { calls_24h, good_24h, ..Figures::default() });
    }
    for (agent, latencies) in store::last_latencies_of(conn, agents, SAMPLE_OF_AGENT).await? {
        let figures = found.remove(&agent).unwrap_or_default();
        found.insert(agent, figures.with_latencies(latencies));
    }
    Ok(found)
}

/// Who called agents in the last seven days and was answered, of those callers that registered before that.
pub(crate) async fn callers(
    conn: &mut AnyConnection,
    agents: &[AgentId],
    now_ms: i64,
) -> Result<HashMap<AgentId, Callers>> {
    let a_week_ago = now_ms - 7 * 24 * counts::HOUR_MS;
    counts::callers(conn, agents, a_week_ago.div_euclid(counts::QUARTER_MS), a_week_ago).await
}

/// Answered calls after `quarter` (since the epoch), per callee and caller.
pub(crate) async fn caller_counts(conn: &mut AnyConnection, quarter: i64) -> Result<HashMap<AgentId, Vec<Count>>> {
    counts::caller_counts(conn, quarter).await
}

/// An agent's own calls, newest first, with where to read on.
pub(crate) async fn log(exchange: &Exchange, query: LogQuery) -> Result<RelayLog> {
    let mut conn = exchange.db.read().acquire().await?;
    let rows = store::log(&mut conn, query).await?;
    let full = rows.len() == query.limit as usize;
    let next_cursor = rows.last().filter(|_| full).map(|(id, _)| cursor_text(*id));
    Ok(RelayLog { events: rows.into_iter().map(|(_, event)| event).collect(), next_cursor })
}
