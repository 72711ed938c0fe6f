//! The routes of credentials.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderName, StatusCode};
use landline_api::auth::{Rotated, Token, Verified};

use super::{model, ops};
use crate::error::Result;
use crate::extract::{AgentPath, JsonBody, Principal, Via};
use crate::state::Exchange;

/// Answers with a secret in them are never stored on the way.
const NO_STORE: [(HeaderName, &str); 1] = [(CACHE_CONTROL, "no-store")];

/// An answer with a secret in it.
type Secret<T> = ([(HeaderName, &'static str); 1], Json<T>);

/// `POST /v1/auth/verify`
pub(crate) async fn verify(principal: Principal) -> Result<Secret<Verified>> {
    let caller = principal.caller()?.clone();
    let verified = Verified { valid: true, agent_id: caller.agent, name: caller.name, key_prefix: caller.key_prefix };
    Ok((NO_STORE, Json(verified)))
}

/// `POST /v1/auth/token`
pub(crate) async fn token(State(exchange): State<Exchange>, principal: Principal) -> Result<Secret<Token>> {
    let agent = principal.key_holder()?.agent;
    let (token, expires_in) = ops::issue_token(&exchange, agent).await?;
    Ok((NO_STORE, Json(Token { token, token_type: "Bearer".into(), expires_in })))
}

/// `POST /v1/auth/revoke`
pub(crate) async fn revoke(
    State(exchange): State<Exchange>,
    principal: Principal,
    body: JsonBody,
) -> Result<StatusCode> {
    let agent = principal.key_holder()?.agent;
    ops::revoke(&exchange, agent, model::parse_revoke(&body.value)?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/agents/{agent_id}/rotate-key`
pub(crate) async fn rotate_key(
    State(exchange): State<Exchange>,
    AgentPath(id): AgentPath,
    principal: Principal,
) -> Result<Secret<Rotated>> {
    let Via::Key { key_gen } = principal.owner_of(id)?.via else {
        return Err(crate::error::Error::plain(landline_wire::error::Code::NotAuthorized));
    };
    let secret = ops::rotate_key(&exchange, id, key_gen).await?;
    Ok((NO_STORE, Json(Rotated { api_key: secret.0 })))
}

/// `GET /.well-known/jwks.json`
pub(crate) async fn jwks(State(exchange): State<Exchange>) -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=300")];
    (headers, exchange.jwks().to_owned()).into_response()
}
