//! Certificates that change while the server runs.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use landline_tests::line::EchoAgent;
use landline_tests::server::{Data, Server};
use landline_tests::steady::Steady;
use landline_tests::tls::{self, Authority, Stream};
use landline_tests::wait::{SOON, eventually};
use landline_tests::{api, http};
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::version::{TLS12, TLS13};

/// A server whose certificate is in files.
struct Served {
    authority: Authority,
    server: Server,
    cert: PathBuf,
    key: PathBuf,
    data: Data,
}

impl Served {
    fn start() -> Self {
        let (authority, data) = (Authority::new(), Data::new());
        let (cert, key) = (data.beside("cert.pem"), data.beside("key.pem"));
        let pair = authority.issue();
        fs::write(&cert, &pair.0).unwrap();
        fs::write(&key, &pair.1).unwrap();
        let args = ["--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
        let server = Server::up(&data, &args);
        tls::trust(server.addr, &authority.pem);
        let served = Self { authority, server, cert, key, data };
        assert_eq!(served.shown(), der(&pair.0));
        served
    }

    fn addr(&self) -> SocketAddr {
        self.server.addr
    }

    /// The certificate of a new connection.
    fn shown(&self) -> CertificateDer<'static> {
        let config = Arc::new(tls::config(&self.authority.pem, &[&TLS13]));
        handshake(self.addr(), &config).0
    }

    fn write(&self, pair: &(String, String)) {
        fs::write(&self.cert, &pair.0).unwrap();
        fs::write(&self.key, &pair.1).unwrap();
    }
}

fn der(pem: &str) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()
}

/// A handshake, and an answer behind it: the certificate that was shown, and whether a session was resumed.
fn handshake(addr: SocketAddr, config: &Arc<ClientConfig>) -> (CertificateDer<'static>, bool) {
    use std::io::{Read, Write};
    let mut stream = Stream::secure(TcpStream::connect(addr).unwrap(), addr, Arc::clone(config)).unwrap();
    let (shown, resumed) = stream.peer();
    let request = http::Request::get("/.well-known/jwks.json").header("connection", "close").bytes("relay");
    stream.write_all(&request).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 "));
    (shown[0].clone(), resumed)
}

#[test]
fn a_certificate_is_replaced_under_load_without_a_failed_call() {
    let served = Served::start();
    let addr = served.addr();
    let (agent, caller) = (api::register(addr, "agent"), api::register(addr, "caller"));
    let echo = EchoAgent::start(addr, &agent.key);
    let steady = Steady::start(addr, &agent.id, &[&caller.key, &caller.key], Duration::from_millis(1));
    for _ in 0..3 {
        let pair = served.authority.issue();
        served.write(&pair);
        eventually(SOON, "the new certificate", || {
            // Each on a connection of its own.
            api::call(addr, &agent.id, &caller.key, "{}").expect(200);
            (served.shown() == der(&pair.0)).then_some(())
        });
    }
    let seen = steady.stop();
    assert!(seen.bad.is_empty() && seen.good.len() > 100, "{} good, {:?}", seen.good.len(), seen.bad);
    assert_eq!(echo.lines.load(std::sync::atomic::Ordering::Relaxed), 1, "the line was not touched");
    echo.stop();
}

#[test]
fn a_broken_pair_leaves_the_old_one_and_is_explained() {
    let served = Served::start();
    let first = served.shown();
    let (cert, key) = (served.authority.issue(), served.authority.issue());
    let complaints = || served.server.log().matches("the old certificate goes on being served").count();
    for (number, broken) in
        [(cert.0.clone(), key.1), (cert.0.clone(), "no key".into()), ("no certificate".into(), cert.1.clone())]
            .into_iter()
            .enumerate()
    {
        served.write(&broken);
        eventually(SOON, "a complaint", || (complaints() > number).then_some(()));
        assert_eq!(served.shown(), first);
    }
    fs::remove_file(&served.key).unwrap();
    eventually(SOON, "a complaint", || (complaints() > 3).then_some(()));
    assert_eq!(served.shown(), first);
    let log = served.server.log();
    assert!(
        log.contains("key.pem") && log.contains("cannot be used together") && !log.contains("PRIVATE KEY"),
        "{log}"
    );

    served.write(&cert);
    eventually(SOON, "the repaired pair", || (served.shown() == der(&cert.0)).then_some(()));
    let count = complaints();
    // SIGHUP: at once, whatever the files are.
    let sent = Command::new("kill").args(["-HUP", &served.server.pid().to_string()]).status().unwrap();
    assert!(sent.success());
    eventually(SOON, "the answer to SIGHUP", || {
        (served.server.log().matches("a new certificate is served").count() >= 2).then_some(())
    });
    assert_eq!((complaints(), served.shown()), (count, der(&cert.0)));
    drop(served.data);
}

#[test]
fn a_server_with_a_broken_pair_does_not_start() {
    let (data, authority) = (Data::new(), Authority::new());
    let (cert, key) = (data.beside("cert.pem"), data.beside("key.pem"));
    fs::write(&cert, authority.issue().0).unwrap();
    fs::write(&key, authority.issue().1).unwrap();
    let args =
        ["up", "--listen", "127.0.0.1:0", "--tls-cert", cert.to_str().unwrap(), "--tls-key", key.to_str().unwrap()];
    let why = Server::try_start(&data, &args).unwrap_err();
    assert!(why.contains("cert.pem") && why.contains("cannot be used together"), "{why}");
}

#[test]
fn sessions_are_resumed_over_both_versions() {
    let served = Served::start();
    for version in [&TLS12, &TLS13] {
        let config = Arc::new(tls::config(&served.authority.pem, &[version]));
        assert!(!handshake(served.addr(), &config).1);
        assert!(handshake(served.addr(), &config).1, "{version:?}");
    }
    let metrics = http::once(served.server.address("admin"), &http::Request::get("/metrics")).expect(200).text();
    let value = |name: &str| -> f64 {
        let line = metrics.lines().find(|line| line.split([' ', '{']).next() == Some(name));
        line.and_then(|line| line.rsplit(' ').next()).and_then(|text| text.parse().ok()).unwrap_or(-1.0)
    };
    assert_eq!(value("landline_tls_handshakes_resumed_total"), 2.0, "{metrics}");
    // Ours, and the server's own question before it was ready.
    assert!(value("landline_tls_handshakes_total") >= 6.0, "{metrics}");
    assert!(value("landline_tls_connections") >= 0.0, "{metrics}");
}
