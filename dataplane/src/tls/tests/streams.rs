//! What one end writes, the other hears.

use std::sync::Arc;

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;
use rustls::version::{TLS12, TLS13};

use super::client::{Pair, pair, trusting};
use crate::tls::{Fault, Records, Tls};

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 31 % 251) as u8).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn any_cutting_of_the_stream_is_heard_alike(
        is_13 in any::<bool>(),
        cuts in vec(1usize..3_000, 1..8),
        asked in vec(0usize..20_000, 1..4),
        answered in vec(0usize..40_000, 1..6),
    ) {
        let (certificate, key) = pair("relay.example");
        let tls = Tls::new(certificate.as_bytes(), key.as_bytes()).unwrap();
        let version = if is_13 { &TLS13 } else { &TLS12 };
        let mut pair = Pair::new(&tls, &Arc::new(trusting(&certificate, version)));
        pair.cuts = cuts;
        pair.settle().unwrap();
        for length in asked {
            pair.ask(&bytes(length)).unwrap();
            prop_assert_eq!(&pair.heard[..], &bytes(length)[..]);
            pair.heard.clear();
            prop_assert!(pair.server.rest().is_empty(), "nothing is held between messages");
        }
        let pieces: Vec<Bytes> = answered.iter().map(|length| bytes(*length).into()).collect();
        prop_assert_eq!(pair.answer(&pieces), pieces.concat());
    }
}

#[test]
fn bytes_behind_the_handshake_are_heard_with_it() {
    for version in [&TLS12, &TLS13] {
        let (certificate, key) = pair("relay.example");
        let tls = Tls::new(certificate.as_bytes(), key.as_bytes()).unwrap();
        let mut pair = Pair::new(&tls, &Arc::new(trusting(&certificate, version)));
        // The client holds it back until it may be sent: with Finished (1.3), or right after the server's (1.2).
        pair.ask(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        pair.settle().unwrap();
        assert_eq!(&pair.heard[..], b"GET / HTTP/1.1\r\n\r\n");
    }
}

#[test]
fn each_end_says_when_it_is_done() {
    for version in [&TLS12, &TLS13] {
        let mut pair = Pair::open(version);
        pair.client.send_close_notify();
        let goodbye = pair.sent_by_client();
        let (most, last) = goodbye.split_at(goodbye.len() - 1);
        pair.feed(most).unwrap();
        assert!(!pair.server.is_peer_closed(), "a cut goodbye is none");
        pair.feed(last).unwrap();
        assert!(pair.server.is_peer_closed());

        assert_eq!(pair.answer(&[Bytes::from_static(b"late")]), b"late", "the other direction is still open");
        for _ in 0..2 {
            let mut out = Records::default();
            pair.server.close(&mut out);
            pair.said.extend_from_slice(out.filled());
        }
        pair.deliver().unwrap();
        assert!(pair.client.process_new_packets().unwrap().peer_has_closed());
        let sealed = pair.server.seal(&mut crate::tls::Plain::one(b"x"), &mut Records::default());
        assert!(matches!(sealed, Err(Fault::NotOpen)));
    }
}

#[test]
fn an_idle_connection_holds_no_buffer() {
    let mut pair = Pair::open(&TLS13);
    pair.cuts = vec![7];
    pair.ask(&bytes(40_000)).unwrap();
    assert!(pair.server.rest().is_empty());
}
