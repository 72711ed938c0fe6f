//! Both ends of a connection and the bytes between them.

use std::io::{Read, Write};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};

use crate::tls::{Fault, Machine, Plain, Records, Tls};

/// A certificate of its own authority and its key, PEM.
pub(super) fn pair(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// A client's settings that trust this certificate.
pub(super) fn trusting(certificate: &str, version: &'static SupportedProtocolVersion) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config.enable_secret_extraction = true;
    config
}

/// A machine and a client that know each other.
pub(super) struct Pair {
    pub(super) server: Machine,
    pub(super) client: ClientConnection,
    /// What the machine understood.
    pub(super) heard: BytesMut,
    /// What the machine had to say and the client has not read.
    pub(super) said: Vec<u8>,
    /// At most so many bytes reach the machine at once, taken in turn.
    pub(super) cuts: Vec<usize>,
    turn: usize,
}

impl Pair {
    pub(super) fn new(tls: &Tls, config: &Arc<ClientConfig>) -> Self {
        let name = ServerName::try_from("relay.example").unwrap();
        Self {
            server: tls.accept().unwrap(),
            client: ClientConnection::new(Arc::clone(config), name).unwrap(),
            heard: BytesMut::new(),
            said: Vec::new(),
            cuts: vec![usize::MAX],
            turn: 0,
        }
    }

    /// A pair whose handshake is complete.
    pub(super) fn open(version: &'static SupportedProtocolVersion) -> Self {
        let (certificate, key) = pair("relay.example");
        let tls = Tls::new(certificate.as_bytes(), key.as_bytes()).unwrap();
        let mut pair = Self::new(&tls, &Arc::new(trusting(&certificate, version)));
        pair.settle().unwrap();
        assert!(!pair.server.is_handshaking());
        pair
    }

    /// Gives bytes to the machine, cut as wanted.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Fault> {
        while !bytes.is_empty() {
            let cut = self.cuts[self.turn % self.cuts.len()].clamp(1, bytes.len());
            self.turn += 1;
            let (now, later) = bytes.split_at(cut);
            bytes = later;
            let mut cipher = [self.server.rest(), now].concat();
            let mut out = Records::default();
            let received = self.server.receive(&mut cipher, &mut self.heard, &mut out);
            self.said.extend_from_slice(out.filled());
            received?;
        }
        Ok(())
    }

    /// What the client has to send.
    pub(super) fn sent_by_client(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut bytes).unwrap();
        }
        bytes
    }

    /// Gives what the machine said to the client; what that understood of it.
    pub(super) fn deliver(&mut self) -> Result<Vec<u8>, rustls::Error> {
        let said = std::mem::take(&mut self.said);
        let (mut left, mut plain) = (said.as_slice(), Vec::new());
        loop {
            if !left.is_empty() {
                self.client.read_tls(&mut left).unwrap();
            }
            self.client.process_new_packets()?;
            let mut piece = [0; 20_000];
            while let Ok(count) = self.client.reader().read(&mut piece) {
                plain.extend_from_slice(&piece[..count]);
                if count == 0 {
                    break;
                }
            }
            if left.is_empty() {
                return Ok(plain);
            }
        }
    }

    /// Carries bytes in both directions until neither end has more; what the client understood.
    pub(super) fn settle(&mut self) -> Result<Vec<u8>, Fault> {
        let mut plain = Vec::new();
        for _ in 0..100 {
            let bytes = self.sent_by_client();
            self.feed(&bytes)?;
            if bytes.is_empty() && self.said.is_empty() {
                return Ok(plain);
            }
            plain.extend(self.deliver()?);
        }
        panic!("the two never come to rest");
    }

    /// The client writes, the machine hears.
    pub(super) fn ask(&mut self, plain: &[u8]) -> Result<(), Fault> {
        for piece in plain.chunks(30_000) {
            self.client.writer().write_all(piece).unwrap();
            let bytes = self.sent_by_client();
            self.feed(&bytes)?;
        }
        Ok(())
    }

    /// The machine writes, the client hears.
    pub(super) fn answer(&mut self, pieces: &[Bytes]) -> Vec<u8> {
        let mut plain = Plain::many(pieces);
        while !plain.is_done() {
            let mut out = Records::roomy();
            self.server.seal(&mut plain, &mut out).unwrap();
            assert!(!out.is_empty() && out.is_roomy(), "a write has its bounds");
            self.said.extend_from_slice(out.filled());
        }
        self.deliver().unwrap()
    }
}
