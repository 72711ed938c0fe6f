//! The operations of credentials, as the OpenAPI document describes them.

use landline_api::auth::Revoke;
use landline_wire::error::Code;
use serde_json::json;

use super::http;
use crate::openapi::{MISSING, Operation, Who, examples, get, post};

pub(crate) fn operations() -> Vec<Operation> {
    let jwks = |path, id| {
        get(path, http::jwks)
            .named(id, "The keys that verify tokens", "RFC 7517. Tokens are ES256 JWTs with the header `kid`.")
            .answers_with(200, "application/json", "The keys.")
    };
    vec![
        post("/v1/auth/verify", http::verify)
            .named("verifyCredential", "Whose credential is this?", "Says whose an API key or a token is.")
            .by(Who::Caller)
            .answers(200, "It counts.")
            .such_as(&examples::verified()),
        post("/v1/auth/token", http::token)
            .named("issueToken", "Get a token", "A short-lived JWT that stands for the API key in calls and on lines.")
            .by(Who::KeyHolder)
            .answers(200, "The token."),
        post("/v1/auth/revoke", http::revoke)
            .named("revokeTokens", "Revoke tokens", "One, by its `jti`, or all of them. The API key stays.")
            .by(Who::KeyHolder)
            .takes::<Revoke>("Which.", json!({"all": true}))
            .fails(&[Code::NotFound])
            .answers(204, "They count no more."),
        post("/v1/agents/{agent_id}/rotate-key", http::rotate_key)
            .named(
                "rotateKey",
                "Replace an agent's API key",
                "The old key and all tokens are dead at once everywhere; a line that was opened with them is closed.",
            )
            .by(Who::Owner)
            .fails(&MISSING)
            .answers(200, "The new key, which is shown only this once.")
            .such_as(&examples::rotated()),
        jwks("/.well-known/jwks.json", "getJwks"),
        jwks("/.well-known/jwks.json", "getRootJwks").at_root(),
    ]
}
