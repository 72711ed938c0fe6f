//! The exchange as one value: settings, database, secrets and the in-memory parts that requests share.

use std::ops::Deref;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, OnceLock};

use landline_token::Verifier;
use landline_wire::ids::{AgentId, NodeId, SessionId};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::clock::Clock;
use crate::config::Config;
use crate::db::{Db, DbError};
use crate::events::Hub;
use crate::limit::Limiter;
use crate::metrics::{self, Metrics};
use crate::secrets::{SecretError, Secrets};
use crate::{agents, auth, discovery, feed, openapi, presence, pulse, relay, router, submissions};

/// Why an exchange could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The data directory cannot be used.
    #[error("data directory {path}: {source}")]
    DataDir {
        /// Which directory.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The database cannot be opened or migrated.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The secrets cannot be read or made.
    #[error(transparent)]
    Secrets(#[from] SecretError),
    /// The signing key on disk does not verify what it signs.
    #[error("token signing key: {0}")]
    SigningKey(String),
}

/// What the exchange asks of its feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FeedCommand {
    /// Tell this switch to leave.
    Drain {
        /// Which.
        node: NodeId,
        /// Within so many milliseconds.
        deadline_ms: u64,
    },
    /// Close the connection of this switch: it was revoked.
    DropNode(NodeId),
}

/// A session that has to end: the answer to a report of sessions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kick {
    /// The switch that holds it; not always the one that reported.
    pub node: NodeId,
    /// Whose session.
    pub agent: AgentId,
    /// Which session.
    pub session: SessionId,
    /// With this close code ([`landline_wire::close`]).
    pub code: u16,
}

/// An exchange; cheap to clone.
#[derive(Clone)]
pub struct Exchange(Arc<Inner>);

/// The parts of an [`Exchange`], reached through it.
pub struct Inner {
    /// The settings.
    pub config: Config,
    /// The time.
    pub clock: Clock,
    /// The database.
    pub db: Db,
    /// Keys that never leave.
    pub secrets: Secrets,
    /// Verifies our tokens.
    pub verifier: Verifier,
    /// The event stream's topics and listeners.
    pub events: Hub,
    /// Token buckets.
    pub limiter: Limiter,
    /// What is measured.
    pub metrics: Metrics,
    /// Calls to agents without a line.
    pub(crate) direct: relay::direct::Direct,
    /// Figures of agents that are not computed anew for each row.
    pub(crate) reliability: agents::ReliabilityCache,
    /// The index of searches.
    pub(crate) search: discovery::Search,
    /// Switches that are connected here.
    pub(crate) nodes: feed::Registry,
    /// Agents that are probed over their lines, as of a moment ago.
    pub(crate) probed_lines: AtomicI64,
    /// Keys that switches ask about.
    pub(crate) key_lookups: auth::lookup::KeyLookups,
    /// Lines whose end is not stored yet.
    pub(crate) leaving: presence::Leaving,
    issuer: String,
    jwks: String,
    openapi: OnceLock<String>,
    bell: watch::Sender<()>,
    feed_commands: broadcast::Sender<FeedCommand>,
}

impl Deref for Exchange {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("public_url", &self.config.public_url).finish_non_exhaustive()
    }
}

/// Commands that may wait for a feed; an older one is lost when the feed is that far behind.
const FEED_COMMANDS: usize = 256;

impl Exchange {
    /// Opens the database (migrating it) and the secrets (making them at first start). Starts nothing.
    pub async fn open(config: Config, clock: Clock) -> Result<Self, OpenError> {
        make_data_dir(&config)?;
        let secrets = Secrets::open(&config.data_dir)?;
        let jwks = secrets.signer.jwks();
        let verifier = Verifier::from_jwks(&jwks).map_err(|error| OpenError::SigningKey(error.to_string()))?;
        let db = Db::open(&config).await?;
        let exchange = Self(Arc::new(Inner {
            issuer: config.issuer(),
            events: Hub::new(&config, clock.now_ms()),
            limiter: Limiter::new(config.rate_limits.clone()),
            metrics: Metrics::new(),
            direct: relay::direct::Direct::new(&config),
            reliability: agents::ReliabilityCache::default(),
            search: discovery::Search::new(&config),
            nodes: feed::Registry::default(),
            probed_lines: AtomicI64::new(0),
            key_lookups: auth::lookup::KeyLookups::default(),
            leaving: presence::Leaving::default(),
            bell: watch::Sender::new(()),
            feed_commands: broadcast::Sender::new(FEED_COMMANDS),
            config,
            clock,
            db,
            secrets,
            verifier,
            jwks,
            openapi: OnceLock::new(),
        }));
        Ok(exchange)
    }

    /// Everything the exchange serves. Build it once and clone it per connection or request.
    pub fn router(&self) -> axum::Router {
        router::build(self.clone())
    }

    /// Starts the sweeps (old records, old outbox rows, lines of switches that never came back), the probes, and what
    /// keeps the search index up to date. At `stop` they end, and the listeners of the event stream with them.
    pub fn spawn_background(&self, tasks: &TaskTracker, stop: CancellationToken) {
        let (exchange, ended) = (self.clone(), stop.clone());
        tasks.spawn(async move { discovery::run(&exchange, ended).await });
        let (exchange, ended) = (self.clone(), stop.clone());
        tasks.spawn(async move { discovery::embeddings::run(&exchange, ended).await });
        if self.config.probes.on {
            let (exchange, stop) = (self.clone(), stop.clone());
            tasks.spawn(async move { pulse::run(&exchange, stop).await });
        }
        let (exchange, until) = (self.clone(), stop.clone());
        tasks.spawn(async move { submissions::run(&exchange, until).await });
        let exchange = self.clone();
        tasks.spawn(async move {
            relay::sweep::run(&exchange, stop).await;
            exchange.events.close();
        });
    }

    /// The exchange's metrics as OpenMetrics text.
    pub async fn metrics_text(&self) -> String {
        metrics::text(self).await
    }

    /// The `iss` of our tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The public keys that verify our tokens, RFC 7517 JSON.
    pub fn jwks(&self) -> &str {
        &self.jwks
    }

    /// The API as an OpenAPI document, which is made when it is first asked for.
    pub(crate) fn openapi(&self) -> &str {
        self.openapi.get_or_init(|| openapi::document(&self.config).to_string())
    }

    /// Rings when the outbox has grown: await `changed()` on the receiver. Another exchange on the same database does not
    /// ring here, so a feed polls as well.
    pub fn outbox_rung(&self) -> watch::Receiver<()> {
        self.bell.subscribe()
    }

    /// Says that the outbox has grown; after the commit.
    pub fn ring(&self) {
        self.bell.send_replace(());
    }

    /// The commands to a feed, from now on.
    pub fn feed_commands(&self) -> broadcast::Receiver<FeedCommand> {
        self.feed_commands.subscribe()
    }

    /// Gives a command to the feed; `false` if none runs in this process.
    pub fn command_feed(&self, command: FeedCommand) -> bool {
        self.feed_commands.send(command).is_ok()
    }
}

fn make_data_dir(config: &Config) -> Result<(), OpenError> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&config.data_dir)
        .map_err(|source| OpenError::DataDir { path: config.data_dir.display().to_string(), source })
}
