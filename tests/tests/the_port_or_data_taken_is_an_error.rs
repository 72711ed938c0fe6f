//! A port or a data directory that another process uses is an error at start, in plain words, and nothing is harmed.

use std::net::{TcpListener, UdpSocket};
use std::process::Output;

use landline_tests::api;
use landline_tests::server::{Data, Server, run};
use socket2::{Domain, Protocol, Socket, Type};

#[track_caller]
fn refused(output: &Output, words: &[&str]) {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "it never said `ready`: {output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    for word in words {
        assert!(said.contains(word), "no {word:?} in: {said}");
    }
}

#[test]
fn a_taken_port() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let other = Data::new();
    let listen = server.addr.to_string();
    let port = server.addr.port().to_string();
    // The running server listens with SO_REUSEPORT: a second one could join in and steal half the callers.
    refused(&run(&["up", "--listen", &listen, "--data", &other.text()]), &["--listen", &port]);
    for _ in 0..20 {
        api::get(server.addr, "/connect/v1/agents");
    }

    let foreign = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = foreign.local_addr().expect("bound").to_string();
    refused(&run(&["up", "--listen", &taken, "--data", &other.text()]), &["--listen", &taken]);
    let args = ["up", "--listen", "127.0.0.1:0", "--admin", &taken, "--data", &other.text()];
    refused(&run(&args), &["--admin", &taken]);

    // A stranger with SO_REUSEPORT: the kernel would let us in beside it.
    let shared = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).expect("a socket");
    shared.set_reuse_port(true).expect("SO_REUSEPORT");
    shared.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().expect("an address").into()).expect("bound");
    shared.listen(8).expect("listens");
    let taken = shared.local_addr().expect("bound").as_socket().expect("IP").to_string();
    refused(&run(&["up", "--listen", &taken, "--data", &other.text()]), &["--listen", &taken]);

    let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let taken = udp.local_addr().expect("bound").to_string();
    refused(&run(&["up", "--listen", "127.0.0.1:0", "--link", &taken, "--data", &other.text()]), &["--link", &taken]);
    server.stop();
}

#[test]
fn a_data_directory_in_use() {
    let data = Data::new();
    let mut server = Server::up(&data, &[]);
    let args = ["up", "--listen", "127.0.0.1:0", "--data", &data.text()];
    refused(&run(&args), &["data", &data.text(), &server.pid().to_string()]);
    assert_eq!(server.run_json()["pid"], server.pid(), "run.json is still the running server's");
    let args = ["exchange", "--data", &data.text()];
    refused(&run(&args), &[&data.text()]);

    // A killed process holds nothing.
    server.kill();
    Server::up(&data, &[]).stop();
}

#[test]
fn run_json_tells_the_actual_addresses() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let run = server.run_json();
    assert_eq!(server.address("listen"), server.addr);
    assert_ne!(server.addr.port(), 0);
    for name in ["admin", "link"] {
        let addr = server.address(name);
        assert!(addr.ip().is_loopback() && addr.port() != 0, "{run}");
    }
    assert_eq!((&run["pid"], &run["version"]), (&server.pid().into(), &env!("CARGO_PKG_VERSION").into()));
    assert!(server.more_stdout().is_empty(), "after `ready` stdout stays silent");
    server.stop();
    assert!(!data.path().join("run.json").exists());
}
