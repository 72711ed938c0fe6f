//! The admin listener: `/healthz`, `/readyz` and `/metrics` of the planes that run in this process.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use landline_controlplane::Exchange;
use landline_dataplane::SwitchWatch;

/// OpenMetrics 1.0 text.
const OPENMETRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const END_MARK: &str = "# EOF";

/// The planes of this process.
#[derive(Clone, Default)]
pub struct Planes {
    /// The control plane, if it runs here.
    pub exchange: Option<Exchange>,
    /// The data plane, if it runs here.
    pub switch: Option<SwitchWatch>,
    leaving: Arc<AtomicBool>,
}

impl Planes {
    /// The planes of this process.
    pub fn new(exchange: Option<Exchange>, switch: Option<SwitchWatch>) -> Self {
        Self { exchange, switch, leaving: Arc::default() }
    }

    /// From now on the process is not ready: balancers look elsewhere while it drains.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// What is not ready; empty if everything is.
    async fn lacks(&self) -> Vec<&'static str> {
        let mut lacks = Vec::new();
        if self.leaving.load(Ordering::Relaxed) {
            lacks.push("leaving");
        }
        if let Some(exchange) = &self.exchange
            && let Err(error) = exchange.db.ping().await
        {
            tracing::warn!(%error, "not ready");
            lacks.push("exchange: the database does not answer");
        }
        if self.switch.as_ref().is_some_and(|switch| !switch.is_ready()) {
            lacks.push("switch: the link to the exchange is down");
        }
        lacks
    }

    async fn metrics(&self) -> String {
        let mut text = String::new();
        if let Some(exchange) = &self.exchange {
            append(&mut text, &exchange.metrics_text().await);
        }
        if let Some(switch) = &self.switch {
            append(&mut text, &switch.metrics_text());
        }
        text.push_str(END_MARK);
        text.push('\n');
        text
    }
}

/// Appends one plane's text without its end mark: an OpenMetrics text has exactly one.
fn append(text: &mut String, plane: &str) {
    let plane = plane.trim_end();
    let plane = plane.strip_suffix(END_MARK).unwrap_or(plane).trim_end();
    if !plane.is_empty() {
        text.push_str(plane);
        text.push('\n');
    }
}

/// Serves the planes' health on a listener until the process ends.
///
/// # Errors
/// The listener cannot be used.
pub fn serve(listener: TcpListener, planes: Planes) -> Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(planes);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the admin listener failed");
        }
    });
    Ok(())
}

async fn readyz(State(planes): State<Planes>) -> Response {
    let lacks = planes.lacks().await;
    if lacks.is_empty() {
        "ready\n".into_response()
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, lacks.join("\n") + "\n").into_response()
    }
}

async fn metrics(State(planes): State<Planes>) -> Response {
    ([(CONTENT_TYPE, OPENMETRICS)], planes.metrics().await).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_planes_make_one_text_with_one_end() {
        let mut text = String::new();
        append(&mut text, "# TYPE a counter\na_total 1\n# EOF\n");
        append(&mut text, "# TYPE b gauge\nb 2\n# EOF\n");
        append(&mut text, "# EOF\n");
        assert_eq!(text, "# TYPE a counter\na_total 1\n# TYPE b gauge\nb 2\n");
    }
}
