//! The routes of the directory, but for [cards](super::card_http).

use axum::Json;
use axum::extract::State;
use http::header::{CACHE_CONTROL, LOCATION};
use http::{HeaderName, StatusCode};
use landline_api::Listing;
use landline_api::agents::{Agent, Registered, Reliability};

use super::listing::{Order, Piece};
use super::ops;
use crate::error::{Error, Result};
use crate::extract::{AgentPath, JsonBody, Params, Principal};
use crate::state::Exchange;

/// `POST /v1/agents`
pub(crate) async fn register(
    State(exchange): State<Exchange>,
    principal: Principal,
    body: JsonBody,
) -> Result<(StatusCode, [(HeaderName, String); 2], Json<Registered>)> {
    let registered = ops::register(&exchange, &principal, &body).await?;
    let place = format!("{}/v1/agents/{}", exchange.config.prefix, registered.id);
    Ok((StatusCode::CREATED, [(LOCATION, place), (CACHE_CONTROL, "no-store".to_owned())], Json(registered)))
}

/// `GET /v1/agents`
pub(crate) async fn list(State(exchange): State<Exchange>, params: Params) -> Result<Json<Listing<Agent>>> {
    let order = match params.given("sort") {
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
