//! Rows of many agents at once, for those who know their ids.

use std::collections::HashMap;

use landline_api::agents::{Agent, Skill};
use landline_wire::ids::AgentId;
use serde_json::Value;
use sqlx::AnyConnection;

use super::{card, ops, store};
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

/// What an agent says of itself, for the index of searches.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listed {
    pub(crate) id: AgentId,
    /// When its row last changed, unix milliseconds.
    pub(crate) version: i64,
    pub(crate) name: String,
    pub(crate) tagline: Option<String>,
    pub(crate) description: String,
    pub(crate) category: Option<String>,
    /// The provider's organization.
    pub(crate) provider: Option<String>,
    pub(crate) service_class: Option<String>,
    pub(crate) skills: Vec<Skill>,
}

/// What these agents say of themselves, in any order, without those that are blocked or not there.
pub(crate) async fn listed(conn: &mut AnyConnection, ids: &[AgentId]) -> Result<Vec<Listed>> {
    let found = store::many(conn, ids).await?;
    let visible = found.into_iter().filter(|agent| !agent.blocked);
    Ok(visible
        .map(|agent| {
            let value: Value = serde_json::from_str(&agent.card).unwrap_or_default();
            let card::Card { provider, skills, .. } = card::read(&value);
            Listed {
                id: agent.id,
                version: agent.updated_at,
                name: agent.name,
                tagline: agent.display.tagline,
                description: agent.description,
                category: agent.display.category,
                provider: provider.and_then(|provider| provider.organization),
                service_class: agent.service_class,
                skills,
            }
        })
        .collect())
}

/// Agents that can be called now.
pub(crate) async fn online_ids(conn: &mut AnyConnection, now_ms: i64) -> Result<Vec<AgentId>> {
    store::online_ids(conn, now_ms).await
}

/// The visible agent of a name, without regard to case.
pub(crate) async fn named(conn: &mut AnyConnection, name: &str) -> Result<Option<AgentId>> {
    store::named(conn, name).await
}
