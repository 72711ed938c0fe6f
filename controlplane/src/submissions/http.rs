//! The routes of the submissions.

use axum::Json;
use axum::extract::State;
use http::header::LOCATION;
use http::{HeaderName, StatusCode};
use landline_api::submissions::Submission;

use super::ops;
use crate::error::Result;
use crate::extract::{JsonBody, PathText};
use crate::state::Exchange;

/// `POST /v1/submissions`
pub(crate) async fn submit(
    State(exchange): State<Exchange>,
    body: JsonBody,
) -> Result<(StatusCode, [(HeaderName, String); 1], Json<Submission>)> {
    let submission = ops::submit(&exchange, &body.value).await?;
    let place = format!("{}/v1/submissions/{}", exchange.config.prefix, submission.id);
    Ok((StatusCode::ACCEPTED, [(LOCATION, place)], Json(submission)))
}

/// `GET /v1/submissions/{submission_id}`
pub(crate) async fn get(State(exchange): State<Exchange>, PathText(id): PathText) -> Result<Json<Submission>> {
    Ok(Json(ops::get(&exchange, &id).await?))
}
