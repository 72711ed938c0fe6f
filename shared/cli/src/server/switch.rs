//! The data plane of this process.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use landline_controlplane::config::{Class, RateLimits};
use landline_dataplane::{NotReady, Switch, SwitchConfig, Tls};
use landline_link::JoinToken;
use landline_uplink::{Left, NotReady as LinkNotReady, UplinkConfig};

use crate::config::{Server, TlsSource};
use crate::server::address::{self, Reserved, reachable};
use crate::server::ready;
use crate::server::signals::Signals;

/// The URL at which callers reach a front door, unless the operator says otherwise.
pub fn public_url(settings: &Server, listen: SocketAddr) -> String {
    settings.public_url.clone().unwrap_or_else(|| address::url(reachable(listen), settings.tls.is_some()))
}

/// The URL at which this machine reaches the front door. A certificate of the operator's is for the public name.
pub fn own_url(settings: &Server, listen: SocketAddr) -> String {
    match (&settings.tls, &settings.public_url) {
        (Some(TlsSource::Files { .. }), Some(url)) if url.starts_with("https://") => url.clone(),
        _ => address::url(reachable(listen), settings.tls.is_some()),
    }
}

/// Starts the cores and the link on threads of their own.
///
/// # Errors
/// The port was taken meanwhile, or the system refuses threads, pinning or the driver.
pub async fn start(
    settings: &Server,
    listen: Reserved,
    exchange: String,
    join_token: Option<JoinToken>,
    tls: Option<Tls>,
) -> Result<Switch> {
    let public_url = public_url(settings, listen.address());
    let mut uplink = UplinkConfig::new(exchange, &settings.data, public_url);
    uplink.join_token = join_token;
    uplink.spool_bytes = settings.spool_bytes;
    let mut config = SwitchConfig::new(listen.address(), uplink);
    config.tls = tls;
    config.cores = settings.cores;
    config.driver = settings.driver;
    config.max_body_bytes = settings.max_body_bytes;
    config.max_in_flight = settings.max_in_flight;
    config.max_lines = settings.max_lines;
    config.max_lines_per_ip = settings.max_lines_per_ip;
    config.max_unauthenticated = settings.max_pending;
    config.max_unauthenticated_per_ip = settings.max_pending_per_ip;
    config.body_budget_bytes = settings.body_budget;
    config.heartbeat_s = settings.heartbeat_s;
    config.audit = settings.audit;
    config.allowed_origins.clone_from(&settings.allowed_origins);
    config.public_calls_per_minute = public_calls_per_minute(&settings.rate_limits);
    listen.release();
    Ok(tokio::task::spawn_blocking(move || Switch::start(config)).await??)
}

/// Waits until every core has what it needs, then asks the exchange through the front door. An exchange that is away is
/// waited for; it is said why, now and then.
///
/// # Errors
/// The exchange refuses this node: only an operator can help.
pub async fn ready(switch: &Switch, tls: bool) -> Result<()> {
    let mut told = Instant::now();
    loop {
        match switch.wait_ready(Duration::ZERO) {
            Ok(()) => break,
            Err(refused @ NotReady::Link(LinkNotReady::Refused(_))) => return Err(refused.into()),
            Err(fault) if told.elapsed() >= TELL_EVERY => {
                tracing::warn!("not ready yet: {fault}");
                told = Instant::now();
            }
            Err(_) => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    ready::checked(reachable(switch.local_addr()), tls).await
}

/// Waits for a reason to leave: a signal, or the exchange's word.
pub async fn reason_to_leave(switch: &Switch, signals: &mut Signals) -> &'static str {
    loop {
        tokio::select! {
            name = signals.next() => return name,
            () = tokio::time::sleep(TELL_EVERY / 10) => {
                if switch.is_draining() {
                    return "the exchange asks this switch to leave";
                }
            }
        }
    }
}

/// Drains: no new lines and calls, those in flight finish within the deadline, reports go to the exchange.
pub async fn drain(switch: Switch, deadline: Duration) {
    match tokio::task::spawn_blocking(move || switch.drain(deadline)).await {
        Ok(Left { kept: 0, lost: 0 }) => {}
        Ok(Left { kept, lost: 0 }) => tracing::info!(kept, "the next start delivers these records of calls"),
        Ok(Left { kept, lost }) => tracing::error!(kept, lost, "records of calls are lost: the disk took none"),
        Err(error) => tracing::error!(%error, "draining failed"),
    }
}

const LOOK_EVERY: Duration = Duration::from_millis(10);
const TELL_EVERY: Duration = Duration::from_secs(5);

/// The switch counts anonymous calls per minute; 0 is no bound.
fn public_calls_per_minute(limits: &RateLimits) -> u32 {
    let Some(rate) = limits.rate(Class::RelayPublic) else { return 0 };
    let per_minute = u64::from(rate.requests) * 60_000 / u64::from(rate.per_ms);
    // Fewer than one a minute cannot be said; one is the nearest that is still a bound.
    u32::try_from(per_minute).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_of_public_calls_is_told_per_minute() {
        for (text, per_minute) in [("off", 0), ("relay_public=2/s", 120), ("relay_public=30/h", 1), ("", 600)] {
            assert_eq!(public_calls_per_minute(&text.parse().unwrap()), per_minute, "{text}");
        }
    }
}
