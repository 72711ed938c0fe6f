//! The exchange's own HTTP listener, for setups in which something else than our switch stands in front of it.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::extract::Peer;
use crate::state::Exchange;

/// Serves the exchange's routes on a listener until `stop`; then finishes the requests that have begun. The caller's
/// address is the socket's: `Forwarded` and its like are not believed.
pub async fn serve(exchange: Exchange, listener: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
    let router = exchange.router().layer(from_fn(remember_peer));
    axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(async move { stop.cancelled().await })
        .await
}

async fn remember_peer(ConnectInfo(address): ConnectInfo<SocketAddr>, mut request: Request, next: Next) -> Response {
    request.extensions_mut().insert(Peer(address.ip()));
    next.run(request).await
}
