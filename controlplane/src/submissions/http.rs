//! The routes of the submissions.

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use landline_api::submissions::Submission;

use super::ops;
use crate::error::Result;
use crate::extract::{JsonBody, PathText};
use crate::state::Exchange;

/// `POST /v1/submissions`
pub(crate) async fn submit(State(exchange): State<Exchange>, body: JsonBody) -> Result<(StatusCode, Json<Submission>)> {
    Ok((StatusCode::ACCEPTED, Json(ops::submit(&exchange, &body.value).await?)))
}

/// `GET /v1/submissions/{submission_id}`
pub(crate) async fn get(State(exchange): State<Exchange>, PathText(id): PathText) -> Result<Json<Submission>> {
    Ok(Json(ops::get(&exchange, &id).await?))
}
