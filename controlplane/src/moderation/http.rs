//! The operator's routes.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use landline_api::Page;
use landline_api::admin::{MAX_DRAIN_MS, MAX_REASON_CHARS, Moderation, Node, Session};
use landline_wire::ids::NodeId;
use serde_json::Value;

use super::ops;
use crate::error::{Error, Result};
use crate::extract::{AgentPath, JsonBody, Params, PathText, Principal, whole};
use crate::state::Exchange;

/// `POST /v1/admin/agents/{agent_id}/block`
pub(crate) async fn block(
    State(exchange): State<Exchange>,
    AgentPath(agent): AgentPath,
    principal: Principal,
    body: JsonBody,
) -> Result<Json<Moderation>> {
    principal.admin()?;
    let reason = body.value.get("reason").and_then(Value::as_str).map(str::trim).unwrap_or_default();
    if reason.is_empty() || reason.chars().count() > MAX_REASON_CHARS {
        let detail = format!("`reason` must have 1 to {MAX_REASON_CHARS} characters.");
        return Err(Error::invalid("reason", detail));
    }
    Ok(Json(ops::block(&exchange, agent, Some(reason.to_owned())).await?))
}

/// `POST /v1/admin/agents/{agent_id}/unblock`
pub(crate) async fn unblock(
    State(exchange): State<Exchange>,
    AgentPath(agent): AgentPath,
    principal: Principal,
) -> Result<Json<Moderation>> {
    principal.admin()?;
    Ok(Json(ops::block(&exchange, agent, None).await?))
}

/// `POST /v1/admin/agents/{agent_id}/feature`
pub(crate) async fn feature(
    State(exchange): State<Exchange>,
    AgentPath(agent): AgentPath,
    principal: Principal,
) -> Result<Json<Moderation>> {
    principal.admin()?;
    Ok(Json(ops::feature(&exchange, agent, true).await?))
}

/// `POST /v1/admin/agents/{agent_id}/unfeature`
pub(crate) async fn unfeature(
    State(exchange): State<Exchange>,
    AgentPath(agent): AgentPath,
    principal: Principal,
) -> Result<Json<Moderation>> {
    principal.admin()?;
    Ok(Json(ops::feature(&exchange, agent, false).await?))
}

/// `POST /v1/admin/agents/{agent_id}/prove-origin`
pub(crate) async fn prove_origin(
    State(exchange): State<Exchange>,
    AgentPath(agent): AgentPath,
    principal: Principal,
    body: JsonBody,
) -> Result<Json<Moderation>> {
    principal.admin()?;
    let origin = body.value.get("origin").and_then(Value::as_str);
    let origin = origin.ok_or_else(|| Error::invalid("origin", "`origin` must be the card's, as `https://host`."))?;
    Ok(Json(ops::prove_origin(&exchange, agent, Some(origin)).await?))
}

/// `POST /v1/admin/agents/{agent_id}/unprove-origin`
pub(crate) async fn unprove_origin(
    State(exchange): State<Exchange>,
    AgentPath(agent): AgentPath,
    principal: Principal,
) -> Result<Json<Moderation>> {
    principal.admin()?;
    Ok(Json(ops::prove_origin(&exchange, agent, None).await?))
}

/// `GET /v1/admin/sessions`
pub(crate) async fn sessions(
    State(exchange): State<Exchange>,
    principal: Principal,
    params: Params,
) -> Result<Json<Page<Session>>> {
    principal.admin()?;
    Ok(Json(ops::sessions(&exchange, params.window()?).await?))
}

/// `GET /v1/admin/nodes`
pub(crate) async fn nodes(State(exchange): State<Exchange>, principal: Principal) -> Result<Json<Page<Node>>> {
    principal.admin()?;
    let items = ops::nodes(&exchange).await?;
    let total = items.len() as u64;
    Ok(Json(Page { limit: u32::try_from(total).unwrap_or(u32::MAX), total, offset: 0, items }))
}

fn node_id(text: &str) -> Result<NodeId> {
    text.parse().map_err(|bad| Error::invalid("node_id", format!("{bad}.")))
}

/// `POST /v1/admin/nodes/{node_id}/drain`
pub(crate) async fn drain(
    State(exchange): State<Exchange>,
    PathText(node): PathText,
    principal: Principal,
    body: JsonBody,
) -> Result<StatusCode> {
    principal.admin()?;
    let deadline_ms = body.value.get("deadline_ms").and_then(whole).filter(|ms| *ms <= MAX_DRAIN_MS);
    let deadline_ms = deadline_ms.ok_or_else(|| {
        Error::invalid("deadline_ms", format!("`deadline_ms` must be a number from 0 to {MAX_DRAIN_MS}."))
    })?;
    ops::drain(&exchange, node_id(&node)?, deadline_ms).await?;
    Ok(StatusCode::ACCEPTED)
}

/// `POST /v1/admin/nodes/{node_id}/revoke`
pub(crate) async fn revoke_node(
    State(exchange): State<Exchange>,
    PathText(node): PathText,
    principal: Principal,
) -> Result<StatusCode> {
    principal.admin()?;
    ops::revoke_node(&exchange, node_id(&node)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
