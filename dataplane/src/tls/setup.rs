//! Certificate and key of the front door, replaceable while it is open.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::{self, cipher_suite as suites};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::ServerSessionMemoryCache;
use rustls::{ServerConfig, SupportedCipherSuite, version};

use super::counts::Counts;
use super::fault::Fault;
use super::machine::Machine;

/// Sessions of TLS 1.2 clients without tickets that are remembered for resumption.
const REMEMBERED_SESSIONS: usize = 4096;

/// Why a certificate and a key cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum BadPair {
    /// The chain is no PEM text.
    #[error("the certificate is no PEM: {0}")]
    Chain(pem::Error),
    /// There is no certificate in it.
    #[error("there is no certificate in the file")]
    NoCertificate,
    /// The key is no PEM text of a kind that is known.
    #[error("the key is no PEM of a private key: {0}")]
    Key(pem::Error),
    /// They do not belong together, or one cannot be used.
    #[error("they cannot be used together: {0}")]
    Unusable(#[from] rustls::Error),
}

/// What the front door shows and accepts. A handle: clones share it, so that a pair can be replaced while it is served.
#[derive(Clone)]
pub struct Tls(Arc<State>);

struct State {
    current: RwLock<Arc<ServerConfig>>,
    counts: Arc<Counts>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Serves a chain of certificates, the own one first, with its key; both PEM.
    ///
    /// # Errors
    /// [`BadPair`].
    pub fn new(chain: &[u8], key: &[u8]) -> Result<Self, BadPair> {
        let current = RwLock::new(config(chain, key)?);
        Ok(Self(Arc::new(State { current, counts: Arc::default() })))
    }

    /// Serves another pair from the next handshake on. Connections that stand are not touched; sessions that were made
    /// under the old pair cannot be resumed, so that an old key counts for nothing any more.
    ///
    /// # Errors
    /// [`BadPair`]: the old pair goes on being served.
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> Result<(), BadPair> {
        let new = config(chain, key)?;
        *self.0.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        Ok(())
    }

    /// The server's end of a connection that begins now.
    pub(crate) fn accept(&self) -> Result<Machine, Fault> {
        let config = Arc::clone(&self.0.current.read().unwrap_or_else(PoisonError::into_inner));
        Machine::new(config, Arc::clone(&self.0.counts))
    }

    /// What is counted.
    pub(crate) fn counts(&self) -> &Counts {
        &self.0.counts
    }
}

/// The suites, in the order in which they are chosen: AES-128 first, whose strength is beyond reach and which costs a
/// quarter less than AES-256. All have forward secrecy and authenticated encryption.
static SUITES: [SupportedCipherSuite; 9] = [
    suites::TLS13_AES_128_GCM_SHA256,
    suites::TLS13_AES_256_GCM_SHA384,
    suites::TLS13_CHACHA20_POLY1305_SHA256,
    suites::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
    suites::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
    suites::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    suites::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    suites::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    suites::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
];

/// TLS 1.3 and 1.2.
fn config(chain: &[u8], key: &[u8]) -> Result<Arc<ServerConfig>, BadPair> {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(BadPair::Chain)?;
    if chain.is_empty() {
        return Err(BadPair::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key).map_err(BadPair::Key)?;
    let provider = CryptoProvider { cipher_suites: SUITES.to_vec(), ..aws_lc_rs::default_provider() };
    let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&version::TLS13, &version::TLS12])?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.ignore_client_order = true;
    config.session_storage = ServerSessionMemoryCache::new(REMEMBERED_SESSIONS);
    // Tickets are sealed with a key of this process that is changed every six hours.
    config.ticketer = aws_lc_rs::Ticketer::new()?;
    Ok(Arc::new(config))
}
