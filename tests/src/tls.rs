//! TLS for the harness's clients, on rustls: an address that was named here is spoken to over TLS by all of them.

use std::collections::HashMap;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion, version};

static SECURE: Mutex<Option<HashMap<SocketAddr, Arc<ClientConfig>>>> = Mutex::new(None);

/// From now on this address is spoken to over TLS, and trusted if one of these certificates (PEM) vouches for it.
///
/// # Panics
/// If they are no certificates.
pub fn trust(addr: SocketAddr, pem: &str) {
    let config = Arc::new(config(pem, &[&version::TLS13, &version::TLS12]));
    SECURE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_default().insert(addr, config);
}

/// What the program's own clients are told to trust when everything is run over TLS.
static OWN_CLIENTS_TRUST: Mutex<Option<PathBuf>> = Mutex::new(None);

/// From now on the program's own clients trust this file, unless their command says otherwise.
pub fn own_clients_trust(file: PathBuf) {
    *OWN_CLIENTS_TRUST.lock().unwrap_or_else(PoisonError::into_inner) = Some(file);
}

/// See [`own_clients_trust`].
pub fn trusted_by_own_clients() -> Option<PathBuf> {
    OWN_CLIENTS_TRUST.lock().unwrap_or_else(PoisonError::into_inner).clone()
}

/// A client's settings that trust these certificates (PEM).
///
/// # Panics
/// If they are no certificates.
pub fn config(pem: &str, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(certificate.expect("PEM")).expect("a certificate");
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).expect("versions");
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

/// A byte stream to a server: plain, or over TLS if its address is one of those.
#[derive(Debug)]
pub struct Stream {
    tcp: TcpStream,
    tls: Option<Arc<Tls>>,
}

/// The TLS of a stream: its halves share it, and neither holds it while it waits.
#[derive(Debug)]
struct Tls {
    state: Mutex<State>,
    /// Held while records are written, in the order in which they were sealed.
    order: Mutex<()>,
}

#[derive(Debug)]
struct State {
    conn: ClientConnection,
    plain: Vec<u8>,
}

impl Stream {
    /// Makes a connection a stream, with a handshake if its address is spoken to over TLS.
    ///
    /// # Errors
    /// The handshake failed.
    pub fn of(tcp: TcpStream, addr: SocketAddr) -> io::Result<Self> {
        let config = {
            let all = SECURE.lock().unwrap_or_else(PoisonError::into_inner);
            all.as_ref().and_then(|all| all.get(&addr)).cloned()
        };
        match config {
            None => Ok(Self { tcp, tls: None }),
            Some(config) => Self::secure(tcp, addr, config),
        }
    }

    /// A stream over TLS.
    ///
    /// # Errors
    /// The handshake failed.
    pub fn secure(mut tcp: TcpStream, addr: SocketAddr, config: Arc<ClientConfig>) -> io::Result<Self> {
        let mut conn = ClientConnection::new(config, ServerName::from(addr.ip())).map_err(io::Error::other)?;
        conn.set_buffer_limit(None);
        tcp.set_read_timeout(Some(Duration::from_secs(30)))?;
        while conn.is_handshaking() {
            conn.complete_io(&mut tcp)?;
        }
        let state = Mutex::new(State { conn, plain: Vec::new() });
        Ok(Self { tcp, tls: Some(Arc::new(Tls { state, order: Mutex::default() })) })
    }

    /// A second handle.
    ///
    /// # Errors
    /// The system has no descriptor left.
    pub fn try_clone(&self) -> io::Result<Self> {
        Ok(Self { tcp: self.tcp.try_clone()?, tls: self.tls.clone() })
    }

    /// The TCP connection below, to look at.
    pub fn tcp(&self) -> &TcpStream {
        &self.tcp
    }

    /// See [`TcpStream::set_read_timeout`].
    ///
    /// # Errors
    /// As there.
    pub fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        self.tcp.set_read_timeout(limit)
    }

    /// Drops the connection without a word.
    ///
    /// # Errors
    /// It is gone.
    pub fn cut(&self) -> io::Result<()> {
        self.tcp.shutdown(Shutdown::Both)
    }

    /// Says goodbye and closes the sending direction; what still comes can be read.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn finish(&mut self) -> io::Result<()> {
        if let Some(tls) = &self.tls {
            tls.say(&self.tcp, |conn| {
                conn.send_close_notify();
                Ok(())
            })?;
        }
        self.tcp.shutdown(Shutdown::Write)
    }

    /// The certificates that the server showed, and whether the session was resumed.
    ///
    /// # Panics
    /// If the stream is plain.
    pub fn peer(&self) -> (Vec<CertificateDer<'static>>, bool) {
        let state = self.tls.as_ref().expect("over TLS").state();
        let shown = state.conn.peer_certificates().unwrap_or_default().iter().map(|one| one.clone().into_owned());
        (shown.collect(), state.conn.handshake_kind() == Some(rustls::HandshakeKind::Resumed))
    }
}

impl Tls {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, mut tcp: &TcpStream, what: impl FnOnce(&mut ClientConnection) -> io::Result<()>) -> io::Result<()> {
        let _order = self.order.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sealed = Vec::new();
        {
            let mut state = self.state();
            what(&mut state.conn)?;
            while state.conn.wants_write() {
                state.conn.write_tls(&mut sealed)?;
            }
        }
        tcp.write_all(&sealed)
    }
}

impl State {
    fn take(&mut self, buf: &mut [u8]) -> Option<io::Result<usize>> {
        if self.plain.is_empty() {
            let mut piece = [0; 20_000];
            match self.conn.reader().read(&mut piece) {
                Ok(count) => self.plain.extend_from_slice(&piece[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) => return Some(Err(error)),
            }
        }
        let count = self.plain.len().min(buf.len());
        buf[..count].copy_from_slice(&self.plain[..count]);
        self.plain.drain(..count);
        Some(Ok(count))
    }

    fn feed(&mut self, mut cipher: &[u8]) -> io::Result<()> {
        loop {
            self.conn.read_tls(&mut cipher)?;
            self.conn.process_new_packets().map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
            let mut piece = [0; 20_000];
            while let Ok(count @ 1..) = self.conn.reader().read(&mut piece) {
                self.plain.extend_from_slice(&piece[..count]);
            }
            if cipher.is_empty() {
                return Ok(());
            }
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let Some(tls) = &self.tls else { return self.tcp.read(buf) };
        loop {
            if let Some(taken) = tls.state().take(buf) {
                return taken;
            }
            let mut cipher = [0; 16 << 10];
            let count = self.tcp.read(&mut cipher)?;
            tls.state().feed(&cipher[..count])?;
        }
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let Some(tls) = &self.tls else { return self.tcp.write(buf) };
        tls.say(&self.tcp, |conn| conn.writer().write_all(buf))?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An authority of the test's own.
#[derive(Debug)]
pub struct Authority {
    /// Its certificate, PEM: what clients trust.
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Authority {
    /// A fresh one.
    ///
    /// # Panics
    /// If the system has no randomness.
    pub fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([]).expect("no names");
        params.distinguished_name.push(rcgen::DnType::CommonName, "an authority of the tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).expect("signed").pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    /// A certificate for 127.0.0.1 and localhost, and its key; PEM.
    ///
    /// # Panics
    /// If the system has no randomness.
    pub fn issue(&self) -> (String, String) {
        let key = KeyPair::generate().expect("a key");
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let params = CertificateParams::new(names).expect("names");
        (params.signed_by(&key, &self.issuer).expect("signed").pem(), key.serialize_pem())
    }
}
