//! TLS and QUIC of the link: who may speak which protocol, and how much of it at once.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use landline_link::limits::{IDLE_TIMEOUT, KEEP_ALIVE, MAX_DATAGRAM_BYTES, MAX_STREAMS, STREAM_WINDOW_BYTES};
use landline_link::{ALPN_JOIN, ALPN_LINK};
use quinn::crypto::rustls::QuicServerConfig;
use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig, IdleTimeout, ServerConfig, TransportConfig, VarInt};
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::server::WebPkiClientVerifier;

use super::ca::Ca;
use super::server::FeedError;
use crate::secrets::random;

/// Bytes of a connection id: enough that two connections never share one.
const CONNECTION_ID_BYTES: usize = 8;

/// TLS 1.3; a client shows a certificate of our CA, or none, which is only enough to join.
pub(crate) fn server_config(ca: &Ca) -> Result<ServerConfig, FeedError> {
    let tls = |error: &dyn std::fmt::Display| FeedError::Tls(error.to_string());
    let provider = Arc::new(default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(ca.certificate().clone()).map_err(|error| tls(&error))?;
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .allow_unauthenticated()
        .build()
        .map_err(|error| tls(&error))?;
    let (certificate, key) = ca.server()?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| tls(&error))?
        .with_client_cert_verifier(clients)
        // The CA goes along: a node that joins finds there what its token pins.
        .with_single_cert(vec![certificate, ca.certificate().clone()], key)
        .map_err(|error| tls(&error))?;
    config.alpn_protocols = vec![ALPN_LINK.to_vec(), ALPN_JOIN.to_vec()];
    let crypto = QuicServerConfig::try_from(config).map_err(|error| tls(&error))?;
    let mut config = ServerConfig::with_crypto(Arc::new(crypto));
    config.transport_config(Arc::new(transport()));
    Ok(config)
}

fn transport() -> TransportConfig {
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(IdleTimeout::try_from(IDLE_TIMEOUT).ok())
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_concurrent_bidi_streams(VarInt::from_u32(MAX_STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .datagram_receive_buffer_size(None);
    transport
}

/// The key of stateless resets outlives the process: a switch that still talks to a connection of the one before is told
/// at once, instead of waiting for silence.
pub(crate) fn endpoint_config(ca: &Ca) -> EndpointConfig {
    let mut config = EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, ca.reset_key())));
    config.cid_generator(|| Box::new(ConnectionIds));
    let bounded = config.max_udp_payload_size(MAX_DATAGRAM_BYTES).map(drop);
    debug_assert!(bounded.is_ok(), "it is above the least that QUIC allows");
    config
}

/// Random connection ids. quinn's own carry a mark of the process that made them, and packets of any other process are
/// dropped in silence: exactly those that have to be answered with a reset. (Resets are rate limited and smaller than
/// what they answer.)
struct ConnectionIds;

impl ConnectionIdGenerator for ConnectionIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let id = random::<CONNECTION_ID_BYTES>().expect("a connection's keys needed randomness before its id did");
        ConnectionId::new(&id)
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}
