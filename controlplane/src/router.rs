//! Every route of the exchange, on one page. `/connect/ws/agent` and `/connect/relay/*` are the switch's: here they are
//! not found, but for calls that a switch passes on because the agent has no line.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get, post, put};

use crate::a2a::http as a2a;
use crate::agents::{card_http as cards, http as agents};
use crate::ard::http as ard;
use crate::auth::http as auth;
use crate::discovery::http as discovery;
use crate::moderation::http as moderation;
use crate::relay::{direct, http as relay};
use crate::state::Exchange;
use crate::submissions::http as submissions;
use crate::{conventions, events, openapi, pages};

/// The router of an exchange.
pub(crate) fn build(exchange: Exchange) -> Router {
    let api = api();
    let routed = match exchange.config.prefix.trim_end_matches('/') {
        "" => api,
        prefix => Router::new()
            .nest(prefix, api)
            .route("/.well-known/jwks.json", get(auth::jwks))
            .route("/openapi.json", get(openapi::serve)),
    };
    routed
        .merge(root())
        .merge(pages::routes())
        .layer(from_fn_with_state(exchange.clone(), conventions::apply))
        .with_state(exchange)
}

/// What stands at well-known places of the origin.
fn root() -> Router<Exchange> {
    Router::new()
        .route("/.well-known/ai-catalog.json", get(ard::catalog))
        .route("/.well-known/ai-catalog/{shelf}", get(ard::part))
        .route("/.well-known/agent-card.json", get(a2a::own_card))
}

/// What stands under the prefix.
fn api() -> Router<Exchange> {
    Router::new()
        // The directory.
        .route("/v1/agents", get(agents::list).post(agents::register))
        .route("/v1/agents/online", get(agents::online))
        .route("/v1/agents/featured", get(agents::featured))
        .route("/v1/agents/facets", get(discovery::facets))
        .route("/v1/agents/{agent_id}", get(agents::get).patch(agents::update).delete(agents::remove))
        .route("/v1/agents/{agent_id}/card", get(cards::card).put(cards::replace_card))
        .route("/v1/agents/{agent_id}/card/history", get(cards::history))
        .route("/v1/agents/{agent_id}/card/history/{n}", get(cards::former))
        .route("/v1/agents/{agent_id}/heartbeat", put(agents::heartbeat))
        .route("/v1/agents/{agent_id}/reliability", get(agents::reliability))
        .route("/v1/search", get(discovery::search))
        .route("/v1/discover", post(discovery::discover))
        .route("/v1/agents/{agent_id}/pulse", get(agents::pulse))
        .route("/v1/submissions", post(submissions::submit))
        .route("/v1/submissions/{submission_id}", get(submissions::get))
        // The same for registries and clients of A2A.
        .route("/ard/search", post(ard::search))
        .route("/ard/explore", post(ard::explore))
        .route("/ard/agents", get(ard::agents))
        .route("/a2a", post(a2a::call))
        .route("/a2a/", post(a2a::call))
        // Credentials.
        .route("/v1/agents/{agent_id}/rotate-key", post(auth::rotate_key))
        .route("/v1/auth/verify", post(auth::verify))
        .route("/v1/auth/token", post(auth::token))
        .route("/v1/auth/revoke", post(auth::revoke))
        .route("/.well-known/jwks.json", get(auth::jwks))
        .route("/openapi.json", get(openapi::serve))
        // Calls.
        .route("/relay/{agent_id}/.well-known/agent-card.json", get(cards::relay_card))
        .route("/relay/{agent_id}", any(direct::call))
        .route("/relay/{agent_id}/", any(direct::call))
        .route("/relay/{agent_id}/{*path}", any(direct::call))
        .route("/v1/relay/recent", get(relay::recent))
        .route("/v1/relay/stats", get(relay::stats))
        .route("/v1/relay/log", get(relay::log))
        // Events.
        .route("/v1/events", get(events::events))
        // The operator.
        .route("/v1/admin/agents/{agent_id}/block", post(moderation::block))
        .route("/v1/admin/agents/{agent_id}/unblock", post(moderation::unblock))
        .route("/v1/admin/agents/{agent_id}/feature", post(moderation::feature))
        .route("/v1/admin/agents/{agent_id}/unfeature", post(moderation::unfeature))
        .route("/v1/admin/agents/{agent_id}/prove-origin", post(moderation::prove_origin))
        .route("/v1/admin/agents/{agent_id}/unprove-origin", post(moderation::unprove_origin))
        .route("/v1/admin/sessions", get(moderation::sessions))
        .route("/v1/admin/nodes", get(moderation::nodes))
        .route("/v1/admin/nodes/{node_id}/drain", post(moderation::drain))
        .route("/v1/admin/nodes/{node_id}/revoke", post(moderation::revoke_node))
}
