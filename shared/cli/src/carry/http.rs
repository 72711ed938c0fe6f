//! The HTTP client that carries calls. It follows no redirect, decodes and compresses nothing, and sends a path exactly
//! as it was given.

use std::time::Duration;

use anyhow::{Context, Result};
use axum::body::Body;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use landline_client::Trust;
use tokio::net::TcpStream;
use tower::ServiceExt;
use tower::util::MapResponse;

use super::early::Hearing;

/// The client.
pub type Carrier = hyper_util::client::legacy::Client<HttpsConnector<Tcp>, Body>;
/// The connections below it, perhaps with TLS in between.
type Tcp = MapResponse<HttpConnector, fn(TokioIo<TcpStream>) -> Hearing<TokioIo<TcpStream>>>;

/// The other end is near, or reached over one network.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection is kept for the next call. Shorter than the five seconds after which common servers close
/// theirs: a call must not be sent into a connection that is just being closed.
const IDLE: Duration = Duration::from_secs(2);
/// Connections that are kept.
const MAX_IDLE: usize = 32;

/// Makes a client.
///
/// # Errors
/// The platform's certificates cannot be used.
pub fn client(trust: &Trust) -> Result<Carrier> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let tls = trust.config().context("cannot set up TLS")?;
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config((*tls).clone())
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp.map_response(Hearing::new as _));
    Ok(hyper_util::client::legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .pool_max_idle_per_host(MAX_IDLE)
        .build(connector))
}

/// An error with its causes, in one line and without addresses beyond what they say.
pub fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
