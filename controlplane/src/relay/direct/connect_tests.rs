//! Connections to agents' own hosts: what was judged is what is connected to, and TLS is with whom the name says.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::relay::direct::target::Target;

fn origin(url: &str) -> Origin {
    Target::parse(url).unwrap().origin
}

fn connector(resolve: impl Fn(&str) -> Vec<IpAddr> + Send + Sync + 'static, opened: &str) -> Connector {
    Connector::new(Resolver::from_fn(resolve), vec![opened.parse().unwrap()])
}

async fn refused(connector: &Connector, url: &str) -> String {
    match connector.connect(&origin(url)).await {
        Ok(_) => panic!("{url} was connected"),
        Err(error) => error.to_string(),
    }
}

#[tokio::test]
async fn a_name_is_judged_by_all_of_its_addresses() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let good = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
    let bad = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let connector = connector(
        move |name| match name {
            "good-first.test" => vec![good, bad],
            "bad-first.test" => vec![bad, good],
            "many.test" => vec![good; MAX_ADDRESSES + 1],
            _ => vec![],
        },
        "127.0.0.2/32",
    );
    for (name, why) in [
        ("good-first.test", "loopback"),
        ("bad-first.test", "loopback"),
        ("many.test", "too many addresses"),
        ("none.test", "cannot be resolved"),
    ] {
        let message = refused(&connector, &format!("http://{name}:{port}")).await;
        assert!(message.contains(why), "{name}: {message}");
    }
    let nobody = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
    assert!(nobody.is_err(), "a refused name was connected to");
}

#[tokio::test]
async fn one_connection_is_one_look_up_and_the_next_is_judged_anew() {
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let connector = connector(
        move |_| match counted.fetch_add(1, Ordering::SeqCst) {
            0 => vec![Ipv4Addr::new(127, 0, 0, 2).into()],
            _ => vec![Ipv4Addr::LOCALHOST.into()],
        },
        "127.0.0.2/32",
    );
    let url = format!("http://flip.test:{port}");
    assert!(connector.connect(&origin(&url)).await.is_ok());
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(refused(&connector, &url).await.contains("loopback"));
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn an_address_that_the_kernel_takes_for_another_is_not_connected_to() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connector = connector(|_| vec![], "0.0.0.0/0");
    assert!(connector.connect(&origin(&format!("http://127.0.0.1:{port}"))).await.is_ok(), "the control");
    let message = refused(&connector, &format!("http://0.0.0.0:{port}")).await;
    assert!(message.contains("another address answered"), "{message}");
}

/// A host that says `hello` over TLS as `names`, and the roots that trust it.
async fn tls_host(names: &[&str]) -> (u16, RootCertStore) {
    let names: Vec<String> = names.iter().map(ToString::to_string).collect();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.2:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            if let Ok(mut stream) = acceptor.accept(socket).await {
                let _ = stream.write_all(b"hello").await;
                let _ = stream.shutdown().await;
            }
        }
    });
    (port, roots)
}

#[tokio::test]
async fn tls_is_with_the_name_of_the_url_whatever_its_address() {
    let (port, roots) = tls_host(&["agent.test"]).await;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let trust = Arc::new(builder.with_root_certificates(roots).with_no_client_auth());
    let connector = connector(|_| vec![Ipv4Addr::new(127, 0, 0, 2).into()], "127.0.0.2/32");
    connector.tls.set(trust).unwrap();
    let mut stream = connector.connect(&origin(&format!("https://agent.test:{port}"))).await.ok().unwrap();
    let mut said = String::new();
    stream.read_to_string(&mut said).await.unwrap();
    assert_eq!(said, "hello");
    assert!(refused(&connector, &format!("https://other.test:{port}")).await.contains("no TLS"));
    assert!(refused(&connector, &format!("https://127.0.0.2:{port}")).await.contains("no TLS"));
}

#[tokio::test]
async fn the_machine_does_not_trust_a_stranger() {
    let (port, _) = tls_host(&["agent.test"]).await;
    let connector = connector(|_| vec![Ipv4Addr::new(127, 0, 0, 2).into()], "127.0.0.2/32");
    assert!(refused(&connector, &format!("https://agent.test:{port}")).await.contains("no TLS"));
}
