//! Who is let in, as whom we show ourselves, and what is remembered.

use std::sync::Arc;

use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, HandshakeKind};

use super::client::{Pair, pair, trusting};
use crate::tls::{BadPair, Fault, Plain, Reason, Records, Tls};

fn served(name: &str) -> (Tls, String) {
    let (certificate, key) = pair(name);
    (Tls::new(certificate.as_bytes(), key.as_bytes()).unwrap(), certificate)
}

fn kind(tls: &Tls, config: &Arc<ClientConfig>) -> HandshakeKind {
    let mut pair = Pair::new(tls, config);
    pair.settle().unwrap();
    assert_eq!(pair.client.alpn_protocol(), Some(&b"http/1.1"[..]));
    pair.client.handshake_kind().unwrap()
}

#[test]
fn a_session_is_resumed_until_the_certificate_is_replaced() {
    for version in [&TLS12, &TLS13] {
        let (tls, first) = served("relay.example");
        let config = Arc::new(trusting(&first, version));
        assert_ne!(kind(&tls, &config), HandshakeKind::Resumed);
        assert_eq!(kind(&tls, &config), HandshakeKind::Resumed);
        assert_eq!(tls.counts().handshakes(), (2, 1));

        let (second, key) = pair("relay.example");
        tls.replace(second.as_bytes(), key.as_bytes()).unwrap();
        let mut old = Pair::new(&tls, &config);
        assert!(old.settle().is_err(), "a full handshake shows the new certificate, which is not trusted");
        assert_ne!(kind(&tls, &Arc::new(trusting(&second, version))), HandshakeKind::Resumed);
    }
}

#[test]
fn connections_are_counted_while_they_stand() {
    let (tls, certificate) = served("relay.example");
    let config = Arc::new(trusting(&certificate, &TLS13));
    let mut pair = Pair::new(&tls, &config);
    assert_eq!(tls.counts().open(), 0);
    pair.settle().unwrap();
    assert_eq!(tls.counts().open(), 1);
    drop(pair);
    assert_eq!(tls.counts().open(), 0);
}

#[test]
fn a_pair_that_does_not_fit_is_refused_and_the_old_one_stays() {
    let (tls, certificate) = served("relay.example");
    let ((other, other_key), (_, third_key)) = (pair("relay.example"), pair("relay.example"));
    let refused = |chain: &str, key: &str| tls.replace(chain.as_bytes(), key.as_bytes()).unwrap_err();
    assert!(matches!(refused(&other, &third_key), BadPair::Unusable(_)));
    assert!(matches!(refused("", &other_key), BadPair::NoCertificate));
    assert!(matches!(refused(&other, ""), BadPair::Key(_)));
    assert!(matches!(refused(&other[..other.len() / 2], &other_key), BadPair::Chain(_)));
    assert!(matches!(refused(&other, &other_key[..40]), BadPair::Key(_)));
    kind(&tls, &Arc::new(trusting(&certificate, &TLS13)));
}

#[test]
fn a_client_that_does_not_trust_us_says_so() {
    let (tls, _) = served("relay.example");
    let (stranger, _) = pair("relay.example");
    let mut pair = Pair::new(&tls, &Arc::new(trusting(&stranger, &TLS13)));
    let hello = pair.sent_by_client();
    pair.feed(&hello).unwrap();
    pair.deliver().unwrap_err();
    let alert = pair.sent_by_client();
    let fault = pair.feed(&alert).unwrap_err();
    assert_eq!(fault.reason(), Reason::Alert);
}

#[test]
fn without_a_protocol_in_common_there_is_no_connection() {
    let (tls, certificate) = served("relay.example");
    let mut config = trusting(&certificate, &TLS13);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut pair = Pair::new(&tls, &Arc::new(config));
    let fault = pair.settle().unwrap_err();
    assert_eq!(fault.reason(), Reason::NothingInCommon);
    assert!(matches!(pair.deliver(), Err(rustls::Error::AlertReceived(_))), "the client is told");
}

#[test]
fn nothing_is_sealed_before_the_handshake_is_complete() {
    let (tls, certificate) = served("relay.example");
    let mut pair = Pair::new(&tls, &Arc::new(trusting(&certificate, &TLS13)));
    let hello = pair.sent_by_client();
    pair.feed(&hello).unwrap();
    let mut out = Records::default();
    assert!(matches!(pair.server.seal(&mut Plain::one(b"secret"), &mut out), Err(Fault::NotOpen)));
    pair.server.close(&mut out);
    assert!(out.is_empty());
}
