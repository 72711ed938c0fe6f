//! How an agent did of late, from its lines and the calls to it.

use std::collections::HashMap;
use std::sync::Mutex;

use landline_api::agents::Reliability;
use landline_api::time::rfc3339_ms;
use landline_wire::ids::AgentId;
use sqlx::AnyConnection;

use super::model::Stored;
use crate::db::Result;
use crate::presence;
use crate::relay;

const DAY_MS: i64 = 24 * 3_600_000;
/// Milliseconds that figures in lists may be old: a list of 200 rows would otherwise cost 600 queries.
const FRESH_MS: i64 = 15_000;
/// Agents whose figures are remembered; when there are more, all are forgotten.
const REMEMBERED: usize = 10_000;

/// Figures of agents that were computed a moment ago.
#[derive(Debug, Default)]
pub(crate) struct ReliabilityCache(Mutex<HashMap<AgentId, (i64, Reliability)>>);

impl ReliabilityCache {
    fn get(&self, agent: AgentId, now_ms: i64) -> Option<Reliability> {
        let entries = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        entries.get(&agent).filter(|(at, _)| now_ms - at < FRESH_MS).map(|(_, figures)| figures.clone())
    }

    fn put(&self, agent: AgentId, now_ms: i64, figures: Reliability) {
        let mut entries = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if entries.len() >= REMEMBERED {
            entries.clear();
        }
        entries.insert(agent, (now_ms, figures));
    }
}

/// The figures of an agent, as of now.
pub(crate) async fn compute(conn: &mut AnyConnection, agent: &Stored, now_ms: i64) -> Result<Reliability> {
    let figures = relay::ops::figures(conn, agent.id, now_ms).await?;
    let intervals = presence::store::intervals(conn, agent.id, now_ms - 7 * DAY_MS).await?;
    let uptime = |days: i64| presence::uptime(&intervals, agent.created_at.max(now_ms - days * DAY_MS), now_ms);
    let rate = (figures.calls_24h > 0).then(|| figures.good_24h as f64 / figures.calls_24h as f64);
    Ok(Reliability {
        uptime_24h: uptime(1),
        uptime_7d: uptime(7),
        latency_p50_ms: figures.p50_ms,
        latency_p99_ms: figures.p99_ms,
        calls_24h: figures.calls_24h,
        success_rate_24h: rate,
        last_seen: rfc3339_ms(agent.last_seen(now_ms)),
        sample_count: figures.sample,
    })
}

/// The figures for a row of a list: at most a moment old, with the agent's own last sign of life.
pub(crate) async fn recent(
    conn: &mut AnyConnection,
    cache: &ReliabilityCache,
    agent: &Stored,
    now_ms: i64,
) -> Result<Reliability> {
    if let Some(figures) = cache.get(agent.id, now_ms) {
        return Ok(Reliability { last_seen: rfc3339_ms(agent.last_seen(now_ms)), ..figures });
    }
    let figures = compute(conn, agent, now_ms).await?;
    cache.put(agent.id, now_ms, figures.clone());
    Ok(figures)
}
