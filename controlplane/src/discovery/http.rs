//! The routes of discovery.

use axum::Json;
use axum::extract::State;
use landline_api::Page;
use landline_api::agents::{Facets, Hit};
use landline_api::discovery::Candidates;

use super::ops;
use crate::error::Result;
use crate::extract::{JsonBody, Params};
use crate::state::Exchange;

/// `GET /v1/search`
pub(crate) async fn search(State(exchange): State<Exchange>, params: Params) -> Result<Json<Page<Hit>>> {
    Ok(Json(ops::search(&exchange, &params).await?))
}

/// `POST /v1/discover`
pub(crate) async fn discover(State(exchange): State<Exchange>, body: JsonBody) -> Result<Json<Candidates>> {
    Ok(Json(ops::discover(&exchange, &body.value).await?))
}

/// `GET /v1/agents/facets`
pub(crate) async fn facets(State(exchange): State<Exchange>) -> Result<Json<Facets>> {
    Ok(Json(ops::facets(&exchange).await?))
}
