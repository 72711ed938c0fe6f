//! The routes of the exchange's own agent.

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use landline_wire::error::Code;
use serde_json::Value;

use super::card;
use super::ops;
use super::rpc::Fault;
use crate::ard::names::Place;
use crate::error::{Error, Result};
use crate::extract::{JsonBody, Params};
use crate::pages::text;
use crate::state::Exchange;

/// How a caller says which version of A2A it speaks: a header, or a parameter.
const VERSION: &str = "a2a-version";

/// `POST /a2a`. What is wrong with a call is told in the words of JSON-RPC, with status 200, as its callers expect.
pub(crate) async fn call(State(exchange): State<Exchange>, params: Params, request: Request) -> Result<Response> {
    let header = request.headers().get(VERSION).map(|value| value.to_str().unwrap_or("unreadable").to_owned());
    let version = header.or_else(|| params.get("A2A-Version").map(str::to_owned));
    let answer = match JsonBody::from_request(request, &exchange).await {
        Ok(body) => ops::call(&exchange, version.as_deref(), &body.value).await,
        Err(error) => unreadable(error)?.answer(&Value::Null),
    };
    Ok(Json(answer).into_response())
}

/// What is wrong with a body.
fn unreadable(error: Error) -> Result<Fault> {
    let problem = error.into_problem();
    match problem.code {
        Code::InvalidQuery => Ok(Fault::Parse),
        Code::UnsupportedMediaType => Ok(Fault::ContentType("The body must be application/json.")),
        _ => Err(problem.into()),
    }
}

/// `GET /.well-known/agent-card.json`
pub(crate) async fn own_card(State(exchange): State<Exchange>, headers: HeaderMap) -> Response {
    text::answer(&headers, "application/json", card::card(&Place::of(&exchange.config)).to_string())
}
