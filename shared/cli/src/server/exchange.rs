//! The control plane of this process: the exchange, its feed for switches, its sweeps.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use landline_controlplane::Exchange;
use landline_controlplane::clock::Clock;
use landline_controlplane::config::{Config, Embeddings, Probes, Registration};
use landline_controlplane::feed::Feed;
use landline_controlplane::secrets;
use landline_link::Secret;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{RegistrationMode, Server};

/// Where the registration token is kept, in the data directory.
pub const REGISTRATION_TOKEN_FILE: &str = "registration-token";

/// A running control plane.
pub struct ControlPlane {
    /// The exchange itself.
    pub exchange: Exchange,
    feed: Feed,
    tasks: TaskTracker,
    stop: CancellationToken,
}

/// The exchange's settings from ours.
///
/// # Errors
/// The registration token cannot be read or made.
pub fn config(settings: &Server, public_url: &str) -> Result<Config> {
    let registration = match settings.registration {
        RegistrationMode::Open => Registration::Open,
        RegistrationMode::Closed => Registration::Closed,
        RegistrationMode::Token => Registration::Token(registration_token(&settings.data)?),
    };
    let mut config = Config::new(&settings.data, public_url);
    config.database_url.clone_from(&settings.database);
    config.prefix.clone_from(&settings.prefix);
    config.registration = registration;
    config.rate_limits = settings.rate_limits.clone();
    config.rank_weights = settings.rank_weights.clone();
    config.embeddings = embeddings(settings)?;
    config.cors_origins.clone_from(&settings.allowed_origins);
    config.private_egress.clone_from(&settings.private_egress);
    config.ard_upstreams.clone_from(&settings.ard_upstreams);
    config.audit_retention_days = settings.audit_days;
    config.probes = Probes {
        on: settings.probes,
        interval_ms: milliseconds(settings.probe_interval),
        dormant_after_ms: milliseconds(settings.dormant_after),
    };
    Ok(config)
}

/// What makes vectors of texts, with its key read.
fn embeddings(settings: &Server) -> Result<Option<Embeddings>> {
    let Some((url, model, key_file)) = &settings.embeddings else { return Ok(None) };
    let key = match key_file {
        None => None,
        Some(path) => {
            let text = std::fs::read_to_string(path).with_context(|| format!("{}: cannot be read", path.display()))?;
            let key = text.trim();
            let fits = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
            anyhow::ensure!(fits, "{}: expected a key in one line", path.display());
            Some(Secret(key.to_owned()))
        }
    };
    Ok(Some(Embeddings { url: url.clone(), model: model.clone(), key }))
}

fn milliseconds(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Reads the registration token, or makes it at first use (0600).
fn registration_token(data: &Path) -> Result<Secret> {
    let path = data.join(REGISTRATION_TOKEN_FILE);
    let make = || {
        let random = secrets::random::<32>()?;
        let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(format!("llreg_{hex}\n").into_bytes())
    };
    let text = secrets::load_or_make(&path, make)?;
    let text = String::from_utf8(text).ok().map(|text| text.trim().to_owned()).filter(|text| text.len() >= 16);
    let token = text.with_context(|| format!("{}: expected a text of at least 16 characters", path.display()))?;
    tracing::info!(path = %path.display(), "agents register with this token");
    Ok(Secret(token))
}

impl ControlPlane {
    /// Opens the exchange and listens for switches.
    ///
    /// # Errors
    /// The database or the secrets cannot be opened, or the link's port is taken.
    pub async fn start(settings: &Server, public_url: &str) -> Result<Self> {
        let exchange = Exchange::open(config(settings, public_url)?, Clock::system()).await?;
        let feed = Feed::start(exchange.clone(), settings.link)
            .await
            .with_context(|| format!("cannot listen for switches on {} (--link)", settings.link))?;
        let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
        exchange.spawn_background(&tasks, stop.clone());
        Ok(Self { exchange, feed, tasks, stop })
    }

    /// Where switches reach this exchange.
    pub fn link(&self) -> SocketAddr {
        self.feed.local_addr()
    }

    /// Serves the exchange's own HTTP listener until the end.
    ///
    /// # Errors
    /// The listener cannot be used.
    pub fn serve(&self, listener: TcpListener) -> Result<()> {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (exchange, stop) = (self.exchange.clone(), self.stop.clone());
        self.tasks.spawn(async move {
            if let Err(error) = landline_controlplane::listener::serve(exchange, listener, stop).await {
                tracing::error!(%error, "the exchange's listener failed");
            }
        });
        Ok(())
    }

    /// Ends: no new requests, those in flight finish within the time, then the links close.
    pub async fn stop(self, within: Duration) {
        self.stop.cancel();
        self.tasks.close();
        let (ended, ()) = tokio::join!(tokio::time::timeout(within, self.tasks.wait()), self.feed.stop(within));
        if ended.is_err() {
            tracing::warn!("some requests did not finish in time");
        }
    }
}
