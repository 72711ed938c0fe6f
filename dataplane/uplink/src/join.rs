//! Reaching the exchange, joining its cluster, and renewing the certificate that the join gave.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use landline_link::limits::{CLOSE_DONE, HANDSHAKE_TIMEOUT, MAX_MESSAGE_BYTES};
use landline_link::{EXCHANGE_NAME, JoinAnswer, JoinRequest, JoinToken, RenewRequest, StreamKind, codec};
use quinn::{ClientConfig, Connection, Endpoint, VarInt};
use rcgen::{CertificateParams, KeyPair};

use crate::identity::{Identity, KeyPem, sha256};
use crate::tls;
use crate::wire::Reader;

/// How long one address may take to answer a handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Why there is no link. Never holds a secret.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The exchange said no.
    #[error("refused: {0}")]
    Refused(String),
    /// Something failed; another attempt may succeed.
    #[error("{0}")]
    Failed(String),
}

impl Fault {
    pub(crate) fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Connects to the first address of `exchange` that answers. Each attempt has its own socket, so that a network that
/// changed in between does not matter.
pub(crate) async fn connect(exchange: &str, config: &ClientConfig) -> Result<(Endpoint, Connection), Fault> {
    let addresses =
        tokio::net::lookup_host(exchange).await.map_err(|error| Fault::Failed(format!("{exchange}: {error}")))?;
    let mut last = Fault::Failed(format!("{exchange}: no address"));
    for address in addresses {
        match connect_to(address, config).await {
            Ok(connected) => return Ok(connected),
            Err(fault) => last = fault,
        }
    }
    Err(last)
}

async fn connect_to(address: SocketAddr, config: &ClientConfig) -> Result<(Endpoint, Connection), Fault> {
    let fault = |error: &dyn std::fmt::Display| Fault::Failed(format!("{address}: {error}"));
    let local: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let endpoint = Endpoint::client(local).map_err(|error| fault(&error))?;
    let connecting = endpoint.connect_with(config.clone(), address, EXCHANGE_NAME).map_err(|error| fault(&error))?;
    let connection = tokio::time::timeout(CONNECT_TIMEOUT, connecting)
        .await
        .map_err(|_| fault(&"no answer"))?
        .map_err(|error| fault(&error))?;
    Ok((endpoint, connection))
}

/// Asks for a certificate with a join token. The secret is sent only to an exchange that proved to be of the pinned CA.
pub(crate) async fn join(exchange: &str, token: &JoinToken) -> Result<Identity, Fault> {
    let config = tls::join_config(*token.ca_sha256()).map_err(Fault::failed)?;
    let (endpoint, connection) = connect(exchange, &config).await?;
    let (key, csr) = new_key()?;
    let request = codec::encode(&JoinRequest { secret: token.secret(), csr }).map_err(Fault::failed)?;
    let outcome = question(&connection, &[], &request).await;
    connection.close(VarInt::from_u32(CLOSE_DONE), b"");
    drop(endpoint);
    let identity = identity(key, outcome?)?;
    if identity.ca_sha256() != *token.ca_sha256() {
        return Err(Fault::Refused("the exchange sent another CA than the join token names".into()));
    }
    Ok(identity)
}

/// Asks, over the link, for the certificate that follows the present one.
pub(crate) async fn renew(connection: &Connection, present: &Identity) -> Result<Identity, Fault> {
    let (key, csr) = new_key()?;
    let request = codec::encode(&RenewRequest { csr }).map_err(Fault::failed)?;
    let next = identity(key, question(connection, &[StreamKind::Renew.byte()], &request).await?)?;
    if sha256(&next.ca) != present.ca_sha256() {
        return Err(Fault::Refused("the exchange sent another CA than this node joined".into()));
    }
    Ok(next)
}

fn new_key() -> Result<(KeyPem, Vec<u8>), Fault> {
    let key = KeyPair::generate().map_err(Fault::failed)?;
    let csr = CertificateParams::default().serialize_request(&key).map_err(Fault::failed)?;
    Ok((KeyPem(key.serialize_pem()), csr.der().to_vec()))
}

async fn question(connection: &Connection, kind: &[u8], request: &[u8]) -> Result<JoinAnswer, Fault> {
    let asked = async {
        let (mut send, recv) = connection.open_bi().await.map_err(Fault::failed)?;
        send.write_all(kind).await.map_err(Fault::failed)?;
        send.write_all(request).await.map_err(Fault::failed)?;
        send.finish().map_err(Fault::failed)?;
        let answer = Reader::new(recv).message(MAX_MESSAGE_BYTES).await.map_err(Fault::failed)?;
        answer.ok_or_else(|| Fault::Failed("the exchange ended the stream without an answer".into()))
    };
    tokio::time::timeout(HANDSHAKE_TIMEOUT, asked).await.map_err(|_| Fault::Failed("no answer to the join".into()))?
}

fn identity(key: KeyPem, answer: JoinAnswer) -> Result<Identity, Fault> {
    match answer {
        JoinAnswer::Joined { certificate, ca, .. } => Identity::new(key, certificate, ca).map_err(Fault::Failed),
        JoinAnswer::Refused { reason } => Err(Fault::Refused(reason)),
    }
}
