//! The routes of the registry and the catalogue.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName};
use landline_api::ard::{CATALOG_TYPE, ExploreResponse, SearchResponse};
use landline_wire::error::Code;

use super::catalog::WELL_KNOWN;
use super::ops;
use super::shelf::Shelf;
use crate::error::{Error, Result};
use crate::extract::{JsonBody, Params, PathText};
use crate::pages::text;
use crate::state::Exchange;

/// How long a list may be kept.
const LIST_CACHE: &str = "public, max-age=60";

/// The header that leads from a page to the catalogue of its origin.
pub(crate) fn link() -> (HeaderName, String) {
    (http::header::LINK, format!("<{WELL_KNOWN}>; rel=\"ai-catalog\"; type=\"{CATALOG_TYPE}\""))
}

/// `POST /ard/search`
pub(crate) async fn search(State(exchange): State<Exchange>, body: JsonBody) -> Result<Json<SearchResponse>> {
    Ok(Json(ops::search(&exchange, &body.value).await?))
}

/// `POST /ard/explore`
pub(crate) async fn explore(State(exchange): State<Exchange>, body: JsonBody) -> Result<Json<ExploreResponse>> {
    Ok(Json(ops::explore(&exchange, &body.value).await?))
}

/// `GET /ard/agents`
pub(crate) async fn agents(State(exchange): State<Exchange>, params: Params) -> Result<Response> {
    let list = ops::list(&exchange, &params).await?;
    Ok(([(CACHE_CONTROL, LIST_CACHE)], Json(list)).into_response())
}

/// `GET /.well-known/ai-catalog.json`
pub(crate) async fn catalog(State(exchange): State<Exchange>, headers: HeaderMap) -> Result<Response> {
    shown(&exchange, Shelf::ALL, &headers).await
}

/// `GET /.well-known/ai-catalog/{shelf}`, where the shelf's name ends with `.json`
pub(crate) async fn part(
    State(exchange): State<Exchange>,
    PathText(name): PathText,
    headers: HeaderMap,
) -> Result<Response> {
    let shelf = name.strip_suffix(".json").and_then(|name| name.parse().ok());
    let shelf = shelf.ok_or_else(|| Error::new(Code::NotFound, "The catalogue has no such part."))?;
    shown(&exchange, shelf, &headers).await
}

async fn shown(exchange: &Exchange, shelf: Shelf, headers: &HeaderMap) -> Result<Response> {
    let document = serde_json::to_string(&ops::catalog(exchange, shelf).await?);
    let document = document.map_err(|error| Error::Internal(error.to_string()))?;
    Ok(text::answer(headers, CATALOG_TYPE, document))
}
