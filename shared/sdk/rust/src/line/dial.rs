//! The way to the relay: TCP, and TLS for `https`.

use std::io;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::error::Error;
use crate::trust::Trust;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A byte stream to the relay.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Where to dial.
#[derive(Debug, Clone)]
pub(super) struct Target {
    host: String,
    port: u16,
    tls: bool,
    trust: Trust,
    /// For the Host header.
    pub(super) authority: String,
}

impl Target {
    pub(super) fn parse(base: &str, trust: &Trust) -> Result<Self, Error> {
        let bad = || Error::BadUrl(base.to_owned());
        let url = reqwest::Url::parse(base).map_err(|_| bad())?;
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return Err(bad()),
        };
        let authority_host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(bad)?;
        let authority = url.port().map_or(authority_host.to_owned(), |port| format!("{authority_host}:{port}"));
        let host = authority_host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = url.port_or_known_default().ok_or_else(bad)?;
        Ok(Self { host, port, tls, trust: trust.clone(), authority })
    }

    pub(super) async fn connect(&self) -> io::Result<Box<dyn Stream>> {
        let connecting = async {
            let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
            tcp.set_nodelay(true)?;
            if !self.tls {
                return Ok(Box::new(tcp) as Box<dyn Stream>);
            }
            let name = ServerName::try_from(self.host.clone()).map_err(|_| io::ErrorKind::InvalidInput)?;
            let tls = TlsConnector::from(self.trust.config()?).connect(name, tcp).await?;
            Ok(Box::new(tls) as Box<dyn Stream>)
        };
        tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}

/// Random bytes from the provider's generator.
pub(super) fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    provider.secure_random.fill(&mut bytes).map_err(|_| io::Error::other("the system gives no randomness"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_become_hosts_ports_and_authorities() {
        for (url, host, port, tls, authority) in [
            ("http://127.0.0.1:7300", "127.0.0.1", 7300, false, "127.0.0.1:7300"),
            ("https://relay.example/", "relay.example", 443, true, "relay.example"),
            ("http://[::1]:80", "::1", 80, false, "[::1]"),
        ] {
            let target = Target::parse(url, &Trust::platform()).unwrap();
            assert_eq!((target.host.as_str(), target.port, target.tls), (host, port, tls));
            assert_eq!(target.authority, authority);
        }
        assert!(["ws://x", "nonsense"].iter().all(|bad| Target::parse(bad, &Trust::platform()).is_err()));
    }
}
