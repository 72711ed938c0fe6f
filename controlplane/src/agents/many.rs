//! Rows of many agents at once, for those who know their ids.

use std::collections::HashMap;

use landline_api::agents::Agent;
use landline_wire::ids::AgentId;
use sqlx::AnyConnection;

use super::listed::Listed;
use super::model::Stored;
use super::{ops, store};
use crate::db::Result;
use crate::state::Exchange;

/// The rows of these agents, in this order, without those that are blocked or not there.
pub(crate) async fn rows_of(
    exchange: &Exchange,
    conn: &mut AnyConnection,
    ids: &[AgentId],
) -> crate::error::Result<Vec<Agent>> {
    let agents = visible(conn, ids).await?;
    ops::rows(exchange, conn, &agents).await
}

/// The same, each with what the agent says of itself.
pub(crate) async fn entries_of(
    exchange: &Exchange,
    conn: &mut AnyConnection,
    ids: &[AgentId],
) -> crate::error::Result<Vec<(Listed, Agent)>> {
    let agents = visible(conn, ids).await?;
    let rows = ops::rows(exchange, conn, &agents).await?;
    Ok(agents.into_iter().map(Listed::of).zip(rows).collect())
}

/// These agents, in this order, without those that are blocked or not there.
async fn visible(conn: &mut AnyConnection, ids: &[AgentId]) -> Result<Vec<Stored>> {
    let found = store::many(conn, ids).await?;
    let mut by_id: HashMap<AgentId, Stored> =
        found.into_iter().filter(|agent| !agent.blocked).map(|agent| (agent.id, agent)).collect();
    Ok(ids.iter().filter_map(|id| by_id.remove(id)).collect())
}

/// What these agents say of themselves, in any order, without those that are blocked or not there.
pub(crate) async fn listed(conn: &mut AnyConnection, ids: &[AgentId]) -> Result<Vec<Listed>> {
    let found = store::many(conn, ids).await?;
    Ok(found.into_iter().filter(|agent| !agent.blocked).map(Listed::of).collect())
}

/// Agents that can be called now.
pub(crate) async fn online_ids(conn: &mut AnyConnection, now_ms: i64) -> Result<Vec<AgentId>> {
    store::online_ids(conn, now_ms).await
}

/// The visible agent of a name, without regard to case.
pub(crate) async fn named(conn: &mut AnyConnection, name: &str) -> Result<Option<AgentId>> {
    store::named(conn, name).await
}
