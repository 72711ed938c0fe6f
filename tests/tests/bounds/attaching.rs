//! Many handshakes at once: they take turns, the kernel holds who comes later, and nobody gets an error.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use landline_tests::server::{Data, Server};
use landline_tests::tls;
use landline_wire::bounds::Bound;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};

use crate::{is_counted, reached};

/// Clients of one wave: more than a core lets wait, few enough that all are served well within a handshake's time.
const CLIENTS: usize = 240;

/// A client that has connected and has its hello ready.
struct Client {
    tcp: TcpStream,
    tls: ClientConnection,
}

impl Client {
    fn connect(addr: SocketAddr, number: usize, config: &Arc<ClientConfig>) -> Self {
        // Fifty from each address: fewer than may be pending.
        let source = SocketAddr::from(([127, 0, 9, 1 + (number / 50) as u8], 0));
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.bind(&source.into()).expect("loopback is wide");
        socket.connect(&addr.into()).expect("it listens");
        let tls = ClientConnection::new(Arc::clone(config), ServerName::from(addr.ip())).expect("a client");
        let tcp = TcpStream::from(socket);
        tcp.set_read_timeout(Some(Duration::from_secs(60))).expect("a time");
        Self { tcp, tls }
    }

    fn hello(&mut self) {
        let mut hello = Vec::new();
        self.tls.write_tls(&mut hello).expect("memory");
        self.tcp.write_all(&hello).expect("the connection stands");
    }

    /// Completes the handshake and has a request answered.
    fn finish(mut self) {
        while self.tls.is_handshaking() {
            self.tls.complete_io(&mut self.tcp).expect("a handshake");
        }
        let mut stream = rustls::Stream::new(&mut self.tls, &mut self.tcp);
        let request = "GET /connect/relay/x/status HTTP/1.1\r\nhost: relay\r\nconnection: close\r\n\r\n";
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("an answer and an end");
        assert!(answer.starts_with(b"HTTP/1.1 422 "), "{}", String::from_utf8_lossy(&answer));
    }
}

#[test]
fn handshakes_take_turns_and_whoever_comes_later_waits_in_the_kernel() {
    let data = Data::new();
    let server = Server::up_secure(&data, &["--cores", "1"]);
    let pem = std::fs::read_to_string(server.data.join("tls/certificate.pem")).expect("the certificate");
    let config = Arc::new(tls::config(&pem, &[&rustls::version::TLS13]));
    // A machine that is fast enough may be done with a wave before the queue is long: then another one comes.
    let served = (0..10).find(|_| {
        let mut clients: Vec<Client> = (0..CLIENTS).map(|n| Client::connect(server.addr, n, &config)).collect();
        clients.iter_mut().for_each(Client::hello);
        let late: Vec<Client> = (0..8)
            .map(|n| {
                let mut client = Client::connect(server.addr, CLIENTS + n, &config);
                client.hello();
                client
            })
            .collect();
        clients.extend(late);
        std::thread::scope(|scope| {
            while !clients.is_empty() {
                let some = clients.split_off(clients.len().saturating_sub(50));
                scope.spawn(move || some.into_iter().for_each(Client::finish));
            }
        });
        reached(&server, Bound::AttachQueue) > 0
    });
    assert!(served.is_some(), "the queue was never long");
    is_counted(&server, Bound::AttachTurns, CLIENTS as u64 / 2);
    assert_eq!(server.metric("landline_sockets_refused_total"), 0.0, "the kernel held them");
    server.assert_no_panic();
}
