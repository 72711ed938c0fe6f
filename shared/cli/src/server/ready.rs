//! Ready means: a request through the front door was answered by the exchange.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use reqwest::StatusCode;

use super::address;

const TRY_EVERY: Duration = Duration::from_millis(50);
const ONE_TRY: Duration = Duration::from_secs(2);

/// Asks through the front door until the exchange answers. Public keys are asked for: they cost no database, and every
/// switch must be able to give them.
///
/// # Errors
/// The HTTP client cannot be made.
pub async fn checked(address: SocketAddr, tls: bool) -> Result<()> {
    let builder = reqwest::Client::builder().timeout(ONE_TRY).no_proxy();
    // Our own certificate is for the names that others use; what is asked and answered here is public.
    let client = builder.tls_danger_accept_invalid_certs(tls).build()?;
    let url = format!("{}/.well-known/jwks.json", address::url(address, tls));
    loop {
        match client.get(&url).send().await {
            // Too many requests is an answer of the exchange as well.
            Ok(answer) if matches!(answer.status(), StatusCode::OK | StatusCode::TOO_MANY_REQUESTS) => return Ok(()),
            Ok(answer) => tracing::debug!(status = %answer.status(), "not ready yet"),
            Err(error) => tracing::debug!(%error, "not ready yet"),
        }
        tokio::time::sleep(TRY_EVERY).await;
    }
}

/// Says on stdout that calls can be served: the first line there, and the only one.
pub fn announce(address: SocketAddr, tls: bool) {
    let mut stdout = std::io::stdout().lock();
    // Whoever waits for it may have gone: the server goes on.
    let _ = writeln!(stdout, "ready {}", address::url(address, tls)).and_then(|()| stdout.flush());
}
