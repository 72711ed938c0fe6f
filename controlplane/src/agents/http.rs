//! The routes of the directory.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, StatusCode};
use landline_api::Listing;
use landline_api::agents::{Agent, CardReplaced, Registered, Reliability};

use super::listing::{Order, Piece};
use super::{a2a, ops, relay_card};
use crate::error::{Error, Result};
use crate::extract::{AgentPath, JsonBody, Params, Principal};
use crate::state::Exchange;

/// How long a card may be shown without asking again, and how long while we are away.
const CARD_CACHE: &str = "max-age=300, stale-if-error=86400";

/// `POST /v1/agents`
pub(crate) async fn register(
    State(exchange): State<Exchange>,
    principal: Principal,
    body: JsonBody,
) -> Result<(StatusCode, [(http::HeaderName, &'static str); 1], Json<Registered>)> {
    let registered = ops::register(&exchange, &principal, &body).await?;
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(registered)))
}

/// `GET /v1/agents`
pub(crate) async fn list(State(exchange): State<Exchange>, params: Params) -> Result<Json<Listing<Agent>>> {
    let order = match params.get("sort") {
        None | Some("newest") => Order::Newest,
        Some("trending") => Order::Trending,
        Some(_) => return Err(Error::invalid("sort", "`sort` must be newest or trending.")),
    };
    Ok(Json(ops::list(&exchange, &Piece::parse(&params, order)?).await?))
}

/// `GET /v1/agents/online`
pub(crate) async fn online(State(exchange): State<Exchange>, params: Params) -> Result<Json<Listing<Agent>>> {
    Ok(Json(ops::list(&exchange, &Piece::parse(&params, Order::Online)?).await?))
}

/// `GET /v1/agents/featured`
pub(crate) async fn featured(State(exchange): State<Exchange>, params: Params) -> Result<Json<Listing<Agent>>> {
    Ok(Json(ops::list(&exchange, &Piece::parse(&params, Order::Featured)?).await?))
}

/// `GET /v1/agents/{agent_id}`
pub(crate) async fn get(State(exchange): State<Exchange>, AgentPath(id): AgentPath) -> Result<Json<Agent>> {
    Ok(Json(ops::get(&exchange, id).await?))
}

/// `GET /v1/agents/{agent_id}/reliability`
pub(crate) async fn reliability(
    State(exchange): State<Exchange>,
    AgentPath(id): AgentPath,
) -> Result<Json<Reliability>> {
    Ok(Json(ops::reliability_of(&exchange, id).await?))
}

/// `GET /v1/agents/{agent_id}/pulse`
pub(crate) async fn pulse(
    State(exchange): State<Exchange>,
    AgentPath(id): AgentPath,
) -> Result<Json<landline_api::agents::PulseHistory>> {
    Ok(Json(crate::pulse::ops::history(&exchange, id).await?))
}

/// `PATCH /v1/agents/{agent_id}`
pub(crate) async fn update(
    State(exchange): State<Exchange>,
    AgentPath(id): AgentPath,
    principal: Principal,
    body: JsonBody,
) -> Result<Json<Agent>> {
    principal.owner_of(id)?;
    Ok(Json(ops::update(&exchange, id, &body.value).await?))
}

/// `DELETE /v1/agents/{agent_id}`
pub(crate) async fn remove(
    State(exchange): State<Exchange>,
    AgentPath(id): AgentPath,
    principal: Principal,
) -> Result<StatusCode> {
    principal.owner_of(id)?;
    ops::remove(&exchange, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /v1/agents/{agent_id}/card`
pub(crate) async fn replace_card(
    State(exchange): State<Exchange>,
    AgentPath(id): AgentPath,
    principal: Principal,
    body: JsonBody,
) -> Result<Json<CardReplaced>> {
    principal.owner_of(id)?;
    Ok(Json(ops::replace_card(&exchange, id, &body).await?))
}

/// `GET /v1/agents/{agent_id}/card`
pub(crate) async fn card(
    State(exchange): State<Exchange>,
    AgentPath(id): AgentPath,
    headers: HeaderMap,
    params: Params,
) -> Result<Response> {
    let agent = ops::card_of(&exchange, id).await?;
    let body = if params.flag("original")? == Some(true) {
        agent.card
    } else {
        let given = serde_json::from_str(&agent.card).unwrap_or_default();
        let relay_url = format!("{}{}/relay/{id}", exchange.config.public_url, exchange.config.prefix);
        a2a::v1(&given, &relay_url).to_string()
    };
    Ok(cacheable(body, agent.card_at, &headers))
}

/// `GET /relay/{agent_id}/.well-known/agent-card.json`
pub(crate) async fn relay_card(
    State(exchange): State<Exchange>,
    AgentPath(id): AgentPath,
    headers: HeaderMap,
) -> Result<Response> {
    let agent = ops::card_of(&exchange, id).await?;
    let given = serde_json::from_str(&agent.card).unwrap_or_default();
    let relay_url = format!("{}{}/relay/{id}", exchange.config.public_url, exchange.config.prefix);
    let is_open = agent.display.access == landline_api::agents::Access::Public;
    let body = relay_card::relayed(&given, &relay_url, is_open).to_string();
    Ok(cacheable(body, agent.updated_at.max(agent.card_at), &headers))
}

/// A card with what caches need, or 304 for one that the caller has.
fn cacheable(body: String, changed_at: i64, headers: &HeaderMap) -> Response {
    let etag = etag(&body);
    let known = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let validators = [(ETAG, etag.clone()), (CACHE_CONTROL, CARD_CACHE.into()), (LAST_MODIFIED, http_date(changed_at))];
    if known.is_some_and(|known| {
        known.split(',').any(|tag| matches!(tag.trim(), "*") || tag.trim().trim_start_matches("W/") == etag)
    }) {
        return (StatusCode::NOT_MODIFIED, validators).into_response();
    }
    (validators, [(CONTENT_TYPE, "application/json")], body).into_response()
}

/// A strong validator of a text.
fn etag(text: &str) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    let hex: String = digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"{hex}\"")
}

/// A time as `Last-Modified` has it (RFC 9110 section 5.6.7).
fn http_date(unix_ms: i64) -> String {
    let time = time::OffsetDateTime::from_unix_timestamp(unix_ms.div_euclid(1_000))
        .unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    let (weekday, month) = (time.weekday().to_string(), time.month().to_string());
    format!(
        "{}, {:02} {} {:04} {:02}:{:02}:{:02} GMT",
        &weekday[..3],
        time.day(),
        &month[..3],
        time.year(),
        time.hour(),
        time.minute(),
        time.second()
    )
}

/// `PUT /v1/agents/{agent_id}/heartbeat`
pub(crate) async fn heartbeat(
    State(exchange): State<Exchange>,
    AgentPath(id): AgentPath,
    principal: Principal,
) -> Result<StatusCode> {
    if principal.caller()?.agent != id {
        return Err(Error::new(landline_wire::error::Code::NotAuthorized, "The credential belongs to another agent."));
    }
    ops::heartbeat(&exchange, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_the_form_of_http() {
        assert_eq!(http_date(784_111_777_000), "Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
