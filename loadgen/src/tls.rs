//! TLS of a client: whom it trusts, and the machine that seals and opens bytes without a socket. The cryptography runs in
//! this process, so it is no part of the server's CPU time that is reported.

use std::cell::RefCell;
use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::{BufMut, BytesMut};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::http::Origin;

/// Whom to trust, and the name that the server must show.
#[derive(Debug, Clone)]
pub struct Trust {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Trust {
    /// Trusts the certificates of a file (PEM) for a host.
    ///
    /// # Errors
    /// The file has none, or the host is no name.
    pub fn of(ca: &Path, host: &str) -> anyhow::Result<Self> {
        let pem = std::fs::read(ca).with_context(|| format!("cannot read {}", ca.display()))?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&pem) {
            roots.add(certificate.with_context(|| ca.display().to_string())?)?;
        }
        if roots.is_empty() {
            bail!("{} holds no certificate", ca.display());
        }
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let name = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(name).context("the URL's host is no name")?;
        Ok(Self { config: Arc::new(config), name })
    }

    fn client(&self) -> io::Result<ClientConnection> {
        let mut state = ClientConnection::new(self.config.clone(), self.name.clone()).map_err(io::Error::other)?;
        state.set_buffer_limit(None);
        Ok(state)
    }
}

/// A byte stream that blocks: for registration.
pub trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// Connects a stream that blocks, each read for `limit` at most.
///
/// # Errors
/// As the system says, or the server is not trusted.
pub fn connect_blocking(origin: &Origin, limit: Duration) -> anyhow::Result<Box<dyn Stream>> {
    let mut stream =
        std::net::TcpStream::connect(origin.addr).with_context(|| format!("no server at {}", origin.addr))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(limit))?;
    let Some(trust) = &origin.trust else { return Ok(Box::new(stream)) };
    let mut state = trust.client()?;
    while state.is_handshaking() {
        state.complete_io(&mut stream).with_context(|| format!("no TLS with {}", origin.host))?;
    }
    Ok(Box::new(StreamOwned::new(state, stream)))
}

/// The TLS of a connection, or of one half of it: both share the state.
pub(crate) struct Tls {
    state: Rc<RefCell<ClientConnection>>,
    /// What arrived and is not opened. Its memory is given back when a line is idle.
    pub(crate) cipher: BytesMut,
}

impl Tls {
    /// Before the handshake.
    pub(crate) fn new(trust: &Trust) -> io::Result<Self> {
        Ok(Self { state: Rc::new(RefCell::new(trust.client()?)), cipher: BytesMut::new() })
    }

    /// For the half that writes.
    pub(crate) fn share(&self) -> Self {
        Self { state: self.state.clone(), cipher: BytesMut::new() }
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.state.borrow().is_handshaking()
    }

    /// The records to send: of `plain`, and what the machine itself has to say.
    pub(crate) fn seal(&self, plain: &[u8]) -> io::Result<BytesMut> {
        let mut state = self.state.borrow_mut();
        state.writer().write_all(plain)?;
        let mut sealed = BytesMut::with_capacity(plain.len() + 64).writer();
        while state.wants_write() {
            state.write_tls(&mut sealed)?;
        }
        Ok(sealed.into_inner())
    }

    /// Opens the records that arrived, and appends what was in them.
    pub(crate) fn open(&mut self, buf: &mut BytesMut) -> io::Result<()> {
        let mut state = self.state.borrow_mut();
        let mut left = &self.cipher[..];
        // After the peer's farewell nothing is taken any more.
        while !left.is_empty() && state.read_tls(&mut left)? > 0 {
            state.process_new_packets().map_err(io::Error::other)?;
            let mut reader = state.reader();
            while let Ok(plain @ [_, ..]) = reader.fill_buf() {
                let count = plain.len();
                buf.extend_from_slice(plain);
                reader.consume(count);
            }
        }
        self.cipher.clear();
        Ok(())
    }
}
