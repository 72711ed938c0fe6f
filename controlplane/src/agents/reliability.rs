//! How agents did of late, from their lines, the calls to them and the probes of their URLs. Many at once: what a list
//! costs does not grow by queries with its rows.

use std::collections::HashMap;
use std::sync::Mutex;

use landline_api::agents::Reliability;
use landline_api::time::rfc3339_ms;
use landline_wire::ids::AgentId;
use sqlx::AnyConnection;

use super::model::Stored;
use super::standing::Callers;
use crate::db::Result;
use crate::presence;
use crate::pulse;
use crate::relay;

const DAY_MS: i64 = 24 * 3_600_000;
/// Milliseconds that figures in lists may be old.
const FRESH_MS: i64 = 15_000;
/// Agents whose figures are remembered; when there are more, all are forgotten.
const REMEMBERED: usize = 10_000;

/// What calls, lines and probes tell of an agent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figures {
    pub(crate) uptime_24h: Option<f64>,
    pub(crate) uptime_7d: Option<f64>,
    pub(crate) calls: relay::Figures,
    pub(crate) callers: Callers,
}

/// Figures of agents that were computed a moment ago.
#[derive(Debug, Default)]
pub(crate) struct ReliabilityCache(Mutex<HashMap<AgentId, (i64, Figures)>>);

impl ReliabilityCache {
    fn get(&self, agent: AgentId, now_ms: i64) -> Option<Figures> {
        let entries = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        entries.get(&agent).filter(|(at, _)| (0..FRESH_MS).contains(&(now_ms - at))).map(|(_, figures)| figures.clone())
    }

    fn put(&self, agent: AgentId, now_ms: i64, figures: Figures) {
        let mut entries = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if entries.len() >= REMEMBERED {
            entries.clear();
        }
        entries.insert(agent, (now_ms, figures));
    }
}

impl Figures {
    /// Those of an agent that has done nothing yet.
    pub(crate) const NONE: Self = Self {
        uptime_24h: None,
        uptime_7d: None,
        calls: relay::Figures::NONE,
        callers: Callers { distinct: 0, calls: 0 },
    };

    /// As they are shown. `last_seen` in unix milliseconds.
    pub(crate) fn shown(&self, last_seen: i64) -> Reliability {
        let calls = &self.calls;
        Reliability {
            uptime_24h: self.uptime_24h,
            uptime_7d: self.uptime_7d,
            latency_p50_ms: calls.p50_ms,
            latency_p99_ms: calls.p99_ms,
            calls_24h: calls.calls_24h,
            success_rate_24h: (calls.calls_24h > 0).then(|| calls.good_24h as f64 / calls.calls_24h as f64),
            last_seen: rfc3339_ms(last_seen),
            sample_count: calls.sample,
        }
    }
}

/// The figures of agents, as of now, in their order.
pub(crate) async fn compute(conn: &mut AnyConnection, agents: &[&Stored], now_ms: i64) -> Result<Vec<Figures>> {
    let ids: Vec<AgentId> = agents.iter().map(|agent| agent.id).collect();
    let since = now_ms - 7 * DAY_MS;
    let mut calls = relay::ops::figures(conn, &ids, now_ms).await?;
    let mut up = presence::store::intervals(conn, &ids, since).await?;
    let mut spans = pulse::store::spans(conn, &ids, since).await?;
    let mut callers = relay::ops::callers(conn, &ids, now_ms).await?;
    let unheard: Vec<AgentId> = ids.iter().copied().filter(|id| calls.get(id).is_none_or(|f| f.sample == 0)).collect();
    let mut probed = pulse::store::latencies(conn, &unheard).await?;
    let figures = agents.iter().map(|agent| {
        let mut up = up.remove(&agent.id).unwrap_or_default();
        up.extend(spans.remove(&agent.id).unwrap_or_default());
        let uptime = |days: i64| presence::uptime(&up, agent.created_at.max(now_ms - days * DAY_MS), now_ms);
        let mut calls = calls.remove(&agent.id).unwrap_or_default();
        if let Some(latencies) = probed.remove(&agent.id) {
            calls = calls.with_latencies(latencies);
        }
        let callers = callers.remove(&agent.id).unwrap_or_default();
        Figures { uptime_24h: uptime(1), uptime_7d: uptime(7), calls, callers }
    });
    Ok(figures.collect())
}

/// The figures for the rows of a list, in their order: at most a moment old.
pub(crate) async fn recent(
    conn: &mut AnyConnection,
    cache: &ReliabilityCache,
    agents: &[Stored],
    now_ms: i64,
) -> Result<Vec<Figures>> {
    let mut known: Vec<Option<Figures>> = agents.iter().map(|agent| cache.get(agent.id, now_ms)).collect();
    let missing: Vec<&Stored> =
        agents.iter().zip(&known).filter(|(_, known)| known.is_none()).map(|(agent, _)| agent).collect();
    let mut computed = compute(conn, &missing, now_ms).await?.into_iter();
    for (agent, known) in agents.iter().zip(&mut known) {
        if known.is_none() {
            *known = computed.next().inspect(|figures| cache.put(agent.id, now_ms, figures.clone()));
        }
    }
    Ok(known.into_iter().flatten().collect())
}
