//! A connection to the server, plain or over TLS. The client's cryptography runs here, so it is no part of the server's CPU.

use std::io::{self, BufRead, Read, Write};
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::BytesMut;
use monoio::net::TcpStream;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use crate::http::Origin;
use crate::{net, runtime};

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

    /// A handshake on a connection that blocks.
    fn shake(&self, mut stream: impl Read + Write) -> io::Result<ClientConnection> {
        let mut tls = ClientConnection::new(Arc::clone(&self.config), self.name.clone()).map_err(io::Error::other)?;
        tls.set_buffer_limit(None);
        while tls.is_handshaking() {
            tls.complete_io(&mut stream)?;
        }
        Ok(tls)
    }
}

/// A byte stream that blocks: for registration.
pub trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// Connects a stream that blocks.
///
/// # Errors
/// As the system says, or the server is not trusted.
pub fn blocking(origin: &Origin) -> anyhow::Result<Box<dyn Stream>> {
    let stream = std::net::TcpStream::connect(origin.addr).with_context(|| format!("no server at {}", origin.addr))?;
    stream.set_nodelay(true)?;
    match &origin.trust {
        None => Ok(Box::new(stream)),
        Some(trust) => Ok(Box::new(rustls::StreamOwned::new(trust.shake(&stream)?, stream))),
    }
}

/// A connection of a core's tasks.
pub struct Connection {
    stream: TcpStream,
    tls: Option<Box<Tls>>,
}

/// The TLS of a connection. Its buffers are given back when a line is idle.
struct Tls {
    state: ClientConnection,
    cipher: BytesMut,
}

impl Connection {
    /// Connects, from a source address if one is given. Blocks the thread for the length of the handshakes.
    ///
    /// # Errors
    /// As the system says, or the server is not trusted.
    pub fn open(origin: &Origin, source: Option<IpAddr>) -> io::Result<Self> {
        let socket = net::connect_blocking(origin.addr, source)?;
        let tls = match &origin.trust {
            None => None,
            Some(trust) => {
                // A second descriptor of the same connection, which then goes on without blocking.
                let fd: OwnedFd = socket.as_fd().try_clone_to_owned()?;
                let state = trust.shake(std::net::TcpStream::from(fd))?;
                Some(Box::new(Tls { state, cipher: BytesMut::new() }))
            }
        };
        socket.set_nonblocking(runtime::is_epoll())?;
        Ok(Self { stream: TcpStream::from_std(socket.into())?, tls })
    }

    /// Appends what arrives to `buf`, which gets room for `room` bytes in all.
    ///
    /// # Errors
    /// `UnexpectedEof` at the end of the stream; otherwise as the system says.
    pub async fn read(&mut self, buf: BytesMut, room: usize) -> (io::Result<()>, BytesMut) {
        match &mut self.tls {
            None => net::read(&mut self.stream, buf, room).await,
            Some(tls) => tls.read(&mut self.stream, buf).await,
        }
    }

    /// Writes all of `out` and gives it back empty.
    ///
    /// # Errors
    /// As the system says.
    pub async fn write(&mut self, mut out: BytesMut) -> (io::Result<()>, BytesMut) {
        let Some(tls) = &mut self.tls else { return net::write(&mut self.stream, out).await };
        let sealed = tls.seal(&out);
        out.clear();
        match sealed {
            Ok(sealed) => (net::write(&mut self.stream, sealed).await.0, out),
            Err(error) => (Err(error), out),
        }
    }

    /// Gives the buffers' memory back.
    pub fn shrink(&mut self) {
        if let Some(tls) = &mut self.tls {
            tls.cipher = BytesMut::new();
        }
    }
}

impl Tls {
    fn seal(&mut self, plain: &[u8]) -> io::Result<BytesMut> {
        self.state.writer().write_all(plain)?;
        let mut sealed = Vec::with_capacity(plain.len() + 64);
        while self.state.wants_write() {
            self.state.write_tls(&mut sealed)?;
        }
        Ok(sealed.as_slice().into())
    }

    async fn read(&mut self, stream: &mut TcpStream, mut buf: BytesMut) -> (io::Result<()>, BytesMut) {
        let before = buf.len();
        // What came with the handshake is there already.
        let mut result = self.open(&mut buf);
        while result.is_ok() && buf.len() == before {
            let (read, cipher) = net::read(stream, std::mem::take(&mut self.cipher), 0).await;
            self.cipher = cipher;
            result = match read {
                Ok(()) => self.open(&mut buf),
                Err(error) => Err(error),
            };
        }
        (result, buf)
    }

    /// Opens the records that arrived.
    fn open(&mut self, buf: &mut BytesMut) -> io::Result<()> {
        let mut left = &self.cipher[..];
        loop {
            if !left.is_empty() {
                self.state.read_tls(&mut left)?;
            }
            self.state.process_new_packets().map_err(io::Error::other)?;
            while let Ok(plain) = self.state.reader().fill_buf() {
                let count = plain.len();
                if count == 0 {
                    break;
                }
                buf.extend_from_slice(plain);
                self.state.reader().consume(count);
            }
            if left.is_empty() {
                break;
            }
        }
        self.cipher.clear();
        Ok(())
    }
}
