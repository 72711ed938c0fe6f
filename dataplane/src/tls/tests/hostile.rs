//! Peers that break the protocol.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use bytes::Bytes;
use landline_wire::limits::MAX_TLS_HANDSHAKE_BYTES;
use proptest::collection::vec;
use proptest::prelude::*;
use rustls::ConnectionTrafficSecrets;
use rustls::version::{TLS12, TLS13};

use super::client::{Pair, pair};
use crate::tls::{Fault, Plain, Reason, Records, Tls};

fn fresh() -> Pair {
    let (certificate, key) = pair("relay.example");
    let tls = Tls::new(certificate.as_bytes(), key.as_bytes()).unwrap();
    Pair::new(&tls, &std::sync::Arc::new(super::client::trusting(&certificate, &TLS13)))
}

#[test]
fn a_plain_request_is_told_what_the_port_speaks() {
    for request in ["GET / HTTP/1.1\r\n\r\n", "P"] {
        let mut pair = fresh();
        let fault = pair.feed(request.as_bytes()).unwrap_err();
        assert_eq!(fault.reason(), Reason::PlainHttp);
        let said = String::from_utf8(pair.said).unwrap();
        let (head, body) = said.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 "), "{head}");
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())) && body.contains("https"), "{said}");
    }
}

proptest! {
    #[test]
    fn garbage_ends_the_connection_and_nothing_else(bytes in vec(any::<u8>(), 1..400), cut in 1usize..50) {
        let mut pair = fresh();
        pair.cuts = vec![cut];
        let _ = pair.feed(&bytes);
        prop_assert!(pair.heard.is_empty() && pair.server.is_handshaking());
        pair.server.close(&mut Records::default());
    }

    #[test]
    fn a_changed_byte_is_never_understood(is_13 in any::<bool>(), at in 0usize..10_000, to in 1u8..) {
        let mut pair = Pair::open(if is_13 { &TLS13 } else { &TLS12 });
        std::io::Write::write_all(&mut pair.client.writer(), b"a request").unwrap();
        let mut bytes = pair.sent_by_client();
        // Not its length: a longer record is only waited for.
        let at = match at % bytes.len() { 3 | 4 => 5, at => at };
        bytes[at] ^= to;
        let fed = pair.feed(&bytes);
        // Once agreed on, a record's version is not looked at, nor in TLS 1.3 its outer type (RFC 8446 section 5.2): what
        // they should be is authenticated instead. Such a change may be borne, and then it changes nothing.
        if at <= 2 && fed.is_ok() {
            prop_assert_eq!(&pair.heard.split()[..], b"a request");
            return Ok(());
        }
        prop_assert!(matches!(fed, Err(Fault::Protocol(_))));
        prop_assert!(pair.heard.is_empty());
        prop_assert!(matches!(pair.deliver(), Err(rustls::Error::AlertReceived(_))), "the client is told");
        let sealed = pair.server.seal(&mut Plain::one(b"x"), &mut Records::default());
        prop_assert!(matches!(sealed, Err(Fault::NotOpen)));
    }
}

#[test]
fn a_handshake_has_a_bound() {
    let mut pair = fresh();
    // A hello of 60,000 bytes, in records of 1,000: each is fine, and it would never be complete within the bound.
    let mut record = vec![22, 3, 1, 0x03, 0xE8];
    record.extend_from_slice(&[1, 0, 0xEA, 0x60]);
    record.resize(5 + 1_000, 0);
    let mut fed = 0;
    let fault = loop {
        match pair.feed(&record) {
            Ok(()) => fed += record.len(),
            Err(fault) => break fault,
        }
        record[5..9].fill(0);
    };
    assert!(matches!(fault, Fault::TooLong), "{fault}");
    assert!(fed <= MAX_TLS_HANDSHAKE_BYTES && fed + record.len() > MAX_TLS_HANDSHAKE_BYTES, "{fed}");
}

#[test]
fn key_updates_are_answered_and_their_flood_is_not_borne() {
    let mut pair = Pair::open(&TLS13);
    for _ in 0..5 {
        pair.client.refresh_traffic_keys().unwrap();
        pair.ask(b"under new keys").unwrap();
        assert_eq!(&pair.heard.split()[..], b"under new keys");
        // The answer to the update goes ahead of the first record behind it; the client would not understand otherwise.
        assert_eq!(pair.answer(&[Bytes::from_static(b"answer")]), b"answer");
    }
    let mut borne = 0;
    let fault = loop {
        pair.client.refresh_traffic_keys().unwrap();
        let update = pair.sent_by_client();
        match pair.feed(&update) {
            Ok(()) => borne += 1,
            Err(fault) => break fault,
        }
        assert!(borne < 100, "updates without end");
    };
    assert!(matches!(fault, Fault::Protocol(rustls::Error::PeerMisbehaved(_))), "{fault}");
    assert!(pair.said.len() < 100, "at most an alert: updates are not answered one by one");
}

/// A client's end without a client: it seals what no honest one sends.
struct Forger {
    key: LessSafeKey,
    iv: [u8; 12],
    sequence: u64,
}

impl Forger {
    fn take_over(pair: Pair) -> (Self, Pair) {
        let Pair { server, client, heard, said, cuts, .. } = pair;
        let (sequence, secrets) = client.dangerous_extract_secrets().unwrap().tx;
        let (algorithm, key, iv) = match &secrets {
            ConnectionTrafficSecrets::Aes128Gcm { key, iv } => (&AES_128_GCM, key, iv),
            ConnectionTrafficSecrets::Aes256Gcm { key, iv } => (&AES_256_GCM, key, iv),
            ConnectionTrafficSecrets::Chacha20Poly1305 { key, iv } => (&CHACHA20_POLY1305, key, iv),
            _ => panic!("an unknown suite"),
        };
        let forger = Self {
            key: LessSafeKey::new(UnboundKey::new(algorithm, key.as_ref()).unwrap()),
            iv: iv.as_ref().try_into().unwrap(),
            sequence,
        };
        let mut left = fresh();
        (left.server, left.heard, left.said, left.cuts) = (server, heard, said, cuts);
        (forger, left)
    }

    /// A handshake record of TLS 1.3 with this content (RFC 8446 section 5.2).
    fn handshake(&mut self, content: &[u8]) -> Vec<u8> {
        let mut inner = [content, &[22]].concat();
        let length = (inner.len() + 16) as u16;
        let header = [23, 3, 3, (length >> 8) as u8, length as u8];
        let mut nonce = self.iv;
        for (byte, part) in nonce[4..].iter_mut().zip(self.sequence.to_be_bytes()) {
            *byte ^= part;
        }
        self.sequence += 1;
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.key.seal_in_place_append_tag(nonce, Aad::from(header), &mut inner).unwrap();
        [header.as_slice(), &inner].concat()
    }
}

#[test]
fn a_message_in_pieces_does_not_disturb_what_is_written_meanwhile() {
    let (mut forger, mut pair) = Forger::take_over(Pair::open(&TLS13));
    // A key update of five bytes, in three records; the machine writes between them.
    for piece in [&[24, 0][..], &[0, 1], &[0]] {
        let record = forger.handshake(piece);
        pair.feed(&record).unwrap();
        let mut out = Records::roomy();
        pair.server.seal(&mut Plain::one(b"meanwhile"), &mut out).unwrap();
        assert!(!out.is_empty());
    }
    assert!(pair.server.rest().is_empty(), "the message is complete");
    pair.server.close(&mut Records::default());
}

#[test]
fn a_message_that_never_ends_is_not_kept() {
    let (mut forger, mut pair) = Forger::take_over(Pair::open(&TLS13));
    let first = forger.handshake(&[24, 0, 0xFF, 0xFF]);
    pair.feed(&first).unwrap();
    let mut fed = 0;
    let fault = loop {
        let record = forger.handshake(&[0]);
        fed += record.len();
        if let Err(fault) = pair.feed(&record) {
            break fault;
        }
        assert!(fed < 100_000, "kept without end");
    };
    assert!(matches!(fault, Fault::TooLong | Fault::Protocol(_)), "{fault}");
    pair.server.close(&mut Records::default());
}
