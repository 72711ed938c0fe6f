//! A connection to an agent's own host: its name is resolved once, every address is judged, and the connection goes to an
//! address that was judged and to no other. Each call has a connection of its own, so each call is judged anew.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::BuilderVerifierExt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::guard;
use super::target::{Host, Origin};
use crate::egress::{Cidr, Resolver};

/// Time for one address to accept the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Addresses that are tried, so that a name with many dead ones costs no minute.
const MAX_TRIED: usize = 3;
/// Addresses of one name that are looked at. A name with more is not one host.
const MAX_ADDRESSES: usize = 64;

/// A byte stream to an agent.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unreachable {
    /// The address is not one that may be called.
    #[error("the address is refused: {0}")]
    Refused(&'static str),
    /// The name has no address, or cannot be resolved.
    #[error("the name cannot be resolved")]
    Name,
    /// No address took the connection.
    #[error("no connection: {0}")]
    Connect(io::Error),
    /// The TLS handshake failed, or this machine trusts nobody.
    #[error("no TLS: {0}")]
    Tls(io::Error),
}

/// Makes connections.
pub(crate) struct Connector {
    resolver: Resolver,
    opened: Vec<Cidr>,
    /// Read at the first call that needs it: the machine's trusted roots.
    tls: OnceCell<Arc<ClientConfig>>,
}

impl Connector {
    /// A connector that trusts whom the machine trusts.
    pub(crate) fn new(resolver: Resolver, opened: Vec<Cidr>) -> Self {
        Self { resolver, opened, tls: OnceCell::new() }
    }

    /// Connects to an origin.
    pub(crate) async fn connect(&self, origin: &Origin) -> Result<Box<dyn Stream>, Unreachable> {
        let addresses = self.addresses(&origin.host).await?;
        let socket = tcp(&addresses, origin.port).await?;
        // Requests are written in one piece; waiting to gather more would only delay them.
        let _ = socket.set_nodelay(true);
        if !origin.https {
            return Ok(Box::new(socket));
        }
        let name = match &origin.host {
            Host::Name(name) => {
                ServerName::try_from(name.clone()).map_err(|error| Unreachable::Tls(io::Error::other(error)))?
            }
            Host::Ip(ip) => ServerName::from(*ip),
        };
        let config = self.tls.get_or_try_init(platform_trust).await.map_err(Unreachable::Tls)?;
        let stream = TlsConnector::from(Arc::clone(config)).connect(name, socket).await.map_err(Unreachable::Tls)?;
        Ok(Box::new(stream))
    }

    /// The addresses of a host, all of them judged: a name that has one that is refused is refused, since its owner could
    /// otherwise leave it to chance which one is taken.
    async fn addresses(&self, host: &Host) -> Result<Vec<IpAddr>, Unreachable> {
        let addresses = match host {
            Host::Ip(ip) => vec![*ip],
            Host::Name(name) => self.resolver.resolve(name).await.map_err(|_| Unreachable::Name)?,
        };
        if addresses.is_empty() {
            return Err(Unreachable::Name);
        }
        if addresses.len() > MAX_ADDRESSES {
            return Err(Unreachable::Refused("too many addresses"));
        }
        match addresses.iter().find_map(|ip| guard::refused(*ip, &self.opened)) {
            Some(reason) => Err(Unreachable::Refused(reason)),
            None => Ok(addresses),
        }
    }
}

/// The first address that takes the connection.
async fn tcp(addresses: &[IpAddr], port: u16) -> Result<TcpStream, Unreachable> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for ip in addresses.iter().take(MAX_TRIED) {
        match timeout(CONNECT_TIMEOUT, TcpStream::connect(SocketAddr::new(*ip, port))).await {
            // The kernel takes some addresses for others (0.0.0.0 for 127.0.0.1): then it was not the one judged.
            Ok(Ok(socket)) if socket.peer_addr().is_ok_and(|peer| peer.ip() == *ip) => return Ok(socket),
            Ok(Ok(_)) => return Err(Unreachable::Refused("another address answered")),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::ErrorKind::TimedOut.into(),
        }
    }
    Err(Unreachable::Connect(last))
}

/// TLS 1.2 and 1.3 with the machine's roots. Reading them touches the disk, so it has a thread of its own.
async fn platform_trust() -> io::Result<Arc<ClientConfig>> {
    let read = tokio::task::spawn_blocking(|| {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        builder.and_then(BuilderVerifierExt::with_platform_verifier).map(|builder| builder.with_no_client_auth())
    });
    let mut config = read.await.map_err(io::Error::other)?.map_err(io::Error::other)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
#[path = "connect_tests.rs"]
mod tests;
