//! `/robots.txt`: everything may be read, and the catalogue of agents is where `Agentmap` says.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use super::text;
use crate::ard::catalog::WELL_KNOWN;
use crate::state::Exchange;

/// `GET /robots.txt`
pub(super) async fn robots(State(exchange): State<Exchange>, headers: HeaderMap) -> Response {
    let text = format!("User-agent: *\nAllow: /\n\nAgentmap: {}{WELL_KNOWN}\n", exchange.config.public_url);
    text::answer(&headers, text::PLAIN, text)
}
