//! The admin address: health, readiness and metrics. It has no credential: bind it to loopback or a private network.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;

use crate::state::Exchange;

/// `/healthz` (the process runs), `/readyz` (the database answers) and `/metrics` (OpenMetrics text).
pub fn router(exchange: Exchange) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(exchange)
}

async fn readyz(State(exchange): State<Exchange>) -> Response {
    match exchange.db.ping().await {
        Ok(()) => "ready\n".into_response(),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            (StatusCode::SERVICE_UNAVAILABLE, "the database does not answer\n").into_response()
        }
    }
}

async fn metrics(State(exchange): State<Exchange>) -> Response {
    ([(CONTENT_TYPE, crate::metrics::CONTENT_TYPE)], exchange.metrics_text().await).into_response()
}
