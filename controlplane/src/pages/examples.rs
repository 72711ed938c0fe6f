//! The reference agent, with this server's address as its default.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;

use super::text;
use crate::state::Exchange;

const MINIMAL_AGENT: &str = include_str!("../../../docs/examples/minimal_agent.py");
const DEFAULT_URL: &str = "DEFAULT_URL = \"http://127.0.0.1:7300\"\n";
const DEFAULT_PREFIX: &str = "DEFAULT_PREFIX = \"/connect\"\n";

/// `GET /examples/minimal_agent.py`
pub(super) async fn minimal_agent(State(exchange): State<Exchange>, headers: HeaderMap) -> Response {
    text::answer(&headers, text::PYTHON, configured(&exchange.config.public_url, &exchange.config.prefix))
}

/// The file with its defaults replaced. A JSON string is a Python string literal too.
pub(super) fn configured(public_url: &str, prefix: &str) -> String {
    let literal = |name: &str, value: &str| format!("{name} = {}\n", serde_json::Value::from(value));
    MINIMAL_AGENT.replacen(DEFAULT_URL, &literal("DEFAULT_URL", public_url), 1).replacen(
        DEFAULT_PREFIX,
        &literal("DEFAULT_PREFIX", prefix),
        1,
    )
}
