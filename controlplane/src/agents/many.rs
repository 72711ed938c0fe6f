//! Rows of many agents at once, for those who know their ids.

use std::collections::HashMap;

use landline_api::agents::{Agent, Reliability};
use landline_wire::ids::AgentId;
use sqlx::AnyConnection;

use super::{ops, store};
use crate::db::Result;
use crate::state::Exchange;

/// The rows of these agents, in this order, without those that are blocked or not there.
pub(crate) async fn rows_of(
    exchange: &Exchange,
    conn: &mut AnyConnection,
    ids: &[AgentId],
) -> crate::error::Result<Vec<Agent>> {
    let found = store::many(conn, ids).await?;
    let mut by_id: HashMap<AgentId, _> =
        found.into_iter().filter(|agent| !agent.blocked).map(|agent| (agent.id, agent)).collect();
    let ordered: Vec<_> = ids.iter().filter_map(|id| by_id.remove(id)).collect();
    ops::rows(exchange, conn, &ordered).await
}

/// What these agents say of themselves, each with the time of its row's last change; without those that are blocked or
/// not there. The rows are as of now and hold no figures.
pub(crate) async fn listed(conn: &mut AnyConnection, ids: &[AgentId], now_ms: i64) -> Result<Vec<(Agent, i64)>> {
    let found = store::many(conn, ids).await?;
    let visible = found.iter().filter(|agent| !agent.blocked);
    Ok(visible.map(|agent| (agent.row(no_figures(), now_ms), agent.updated_at)).collect())
}

fn no_figures() -> Reliability {
    Reliability {
        uptime_24h: None,
        uptime_7d: None,
        latency_p50_ms: None,
        latency_p99_ms: None,
        calls_24h: 0,
        success_rate_24h: None,
        last_seen: String::new(),
        sample_count: 0,
    }
}

/// Agents that can be called now.
pub(crate) async fn online_ids(conn: &mut AnyConnection) -> Result<Vec<AgentId>> {
    store::online_ids(conn).await
}

/// The visible agent of a name, without regard to case.
pub(crate) async fn named(conn: &mut AnyConnection, name: &str) -> Result<Option<AgentId>> {
    store::named(conn, name).await
}
