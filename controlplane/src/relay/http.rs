//! The routes of the record of calls.

use axum::Json;
use axum::extract::State;
use landline_api::Feed;
use landline_api::relay::{RelayEvent, RelayLog, RelayStats};

use super::store::LogQuery;
use super::{model, ops};
use crate::error::Result;
use crate::extract::{DEFAULT_LIMIT, MAX_LIMIT, Params, Principal};
use crate::state::Exchange;

/// `GET /v1/relay/recent`
pub(crate) async fn recent(State(exchange): State<Exchange>, params: Params) -> Result<Json<Feed<RelayEvent>>> {
    let limit = params.number("limit", DEFAULT_LIMIT, MAX_LIMIT, 1)?;
    Ok(Json(Feed { events: ops::recent(&exchange, limit).await? }))
}

/// `GET /v1/relay/stats`
pub(crate) async fn stats(State(exchange): State<Exchange>) -> Result<Json<RelayStats>> {
    Ok(Json(ops::stats(&exchange).await?))
}

/// `GET /v1/relay/log`
pub(crate) async fn log(
    State(exchange): State<Exchange>,
    principal: Principal,
    params: Params,
) -> Result<Json<RelayLog>> {
    let agent = principal.key_holder()?.agent;
    let query = LogQuery {
        agent,
        before: model::parse_cursor(params.given("cursor"))?,
        since: params.time_ms("since")?.unwrap_or(0),
        until: params.time_ms("until")?.unwrap_or(i64::MAX),
        from: params.agent("from")?,
        to: params.agent("to")?,
        limit: params.number("limit", DEFAULT_LIMIT, MAX_LIMIT, 1)?,
    };
    Ok(Json(ops::log(&exchange, query).await?))
}
