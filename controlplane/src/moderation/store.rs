//! SQL of moderation.

use landline_api::admin::Moderation;
use landline_api::time::rfc3339_ms;
use landline_wire::ids::AgentId;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use crate::auth::store::id;
use crate::db::{Result, queries};

queries! {
    STATE = "SELECT id, blocked_at, blocked_reason, featured_at, origin_proven_at FROM agents WHERE id = $1";
    /// The row changes, so that the index of searches sees it.
    BLOCK = "UPDATE agents SET blocked_at = $1, blocked_reason = $2, \
             updated_at = CASE WHEN updated_at < $3 THEN $3 ELSE updated_at + 1 END WHERE id = $4";
    FEATURE = "UPDATE agents SET featured_at = $1 WHERE id = $2";
}

fn moderation(row: &AnyRow) -> Result<Moderation> {
    let blocked_at: Option<i64> = row.try_get("blocked_at")?;
    Ok(Moderation {
        agent_id: id(row, "id")?,
        blocked: blocked_at.is_some(),
        reason: row.try_get("blocked_reason")?,
        blocked_at: blocked_at.map(rfc3339_ms),
        featured: row.try_get::<Option<i64>, _>("featured_at")?.is_some(),
        origin_proven: row.try_get::<Option<i64>, _>("origin_proven_at")?.is_some(),
    })
}

pub(crate) async fn state(conn: &mut AnyConnection, agent: AgentId) -> Result<Option<Moderation>> {
    sqlx::query(STATE).bind(agent.to_string()).fetch_optional(conn).await?.as_ref().map(moderation).transpose()
}

pub(crate) async fn set_block(
    tx: &mut AnyConnection,
    agent: AgentId,
    at: Option<i64>,
    reason: Option<String>,
    now_ms: i64,
) -> Result<()> {
    sqlx::query(BLOCK).bind(at).bind(reason).bind(now_ms).bind(agent.to_string()).execute(tx).await?;
    Ok(())
}

pub(crate) async fn set_featured(conn: &mut AnyConnection, agent: AgentId, at: Option<i64>) -> Result<()> {
    sqlx::query(FEATURE).bind(at).bind(agent.to_string()).execute(conn).await?;
    Ok(())
}
