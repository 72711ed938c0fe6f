//! Settings of the uplink.

use std::path::PathBuf;
use std::time::Duration;

use landline_link::JoinToken;
use landline_wire::limits::{LOOKUP_TIMEOUT_MS, SPOOL_BYTES};

/// What the uplink is told at its start.
#[derive(Debug, Clone)]
pub struct UplinkConfig {
    /// The exchange's link address, `host:port`. A name is looked up again at each attempt.
    pub exchange: String,
    /// The switch's data directory; the node's key and certificate are kept in its folder `node`, records of calls that
    /// wait for the exchange in its folder `spool`.
    pub data_dir: PathBuf,
    /// Needed until the node has a certificate of this cluster; single use.
    pub join_token: Option<JoinToken>,
    /// The base URL at which callers reach this switch.
    pub public_url: String,
    /// How long a look-up may take before it is answered with `None`.
    pub lookup_timeout: Duration,
    /// Bytes of records that may wait on disk before [`crate::Uplink::has_room`] says no.
    pub spool_bytes: u64,
}

impl UplinkConfig {
    /// The defaults for an exchange, a data directory and a public URL; without a join token.
    pub fn new(exchange: impl Into<String>, data_dir: impl Into<PathBuf>, public_url: impl Into<String>) -> Self {
        Self {
            exchange: exchange.into(),
            data_dir: data_dir.into(),
            join_token: None,
            public_url: public_url.into(),
            lookup_timeout: Duration::from_millis(LOOKUP_TIMEOUT_MS),
            spool_bytes: SPOOL_BYTES,
        }
    }
}

/// Why the uplink cannot start. What the network does is no reason: it is tried for ever.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The stored identity cannot be read or is damaged. Names the file, never its content.
    #[error("{path}: {reason}")]
    Identity {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no certificate and no join token to get one with.
    #[error(
        "this node has not joined a cluster: a join token is needed (`landline node token` at the exchange makes one)"
    )]
    NoJoinToken,
    /// The system refused a thread, a runtime or randomness.
    #[error("the uplink's thread cannot start: {0}")]
    System(String),
}
