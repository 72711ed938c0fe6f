//! An agent's own HTTP server, as bytes: what it was asked, and an answer that the test wrote. And calls to agents without
//! a line, as the feed hands them to the router.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use landline_controlplane::config::Config;
use landline_controlplane::egress::Resolver;
use landline_controlplane::extract::{Peer, RelayCaller};
use landline_link::Caller;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;

use crate::world::{Answer, Bot, PEER, World};

/// Where agents of tests live: the one address that [`lab`] opens.
pub(crate) const AGENT_IP: &str = "127.0.0.2";

/// A host that takes connections, one request each.
pub(crate) struct Host {
    pub(crate) port: u16,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

/// What a host does with a request.
#[derive(Clone)]
pub(crate) enum Reply {
    /// These bytes, then the end of the connection.
    Bytes(Vec<u8>),
    /// Nothing, while the connection stands.
    Silence,
    /// These bytes, then nothing, while the connection stands.
    Stall(Vec<u8>),
    /// This head, then bytes without end.
    Endless(Vec<u8>),
    /// What a function makes of the request.
    Made(Arc<dyn Fn(&str) -> Reply + Send + Sync>),
}

/// An answer with a length.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> Reply {
    Reply::Bytes(format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes())
}

impl Host {
    /// A host on a free port of an address.
    pub(crate) async fn start(ip: &str, reply: Reply) -> Self {
        Self::serve(TcpListener::bind((ip, 0)).await.unwrap(), reply)
    }

    /// A host on this port, if it is free.
    pub(crate) async fn start_on(ip: &str, port: u16, reply: Reply) -> Option<Self> {
        Some(Self::serve(TcpListener::bind((ip, port)).await.ok()?, reply))
    }

    fn serve(listener: TcpListener, reply: Reply) -> Self {
        let host =
            Self { port: listener.local_addr().unwrap().port(), connections: Arc::default(), requests: Arc::default() };
        let (connections, requests) = (Arc::clone(&host.connections), Arc::clone(&host.requests));
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(one(socket, reply.clone(), Arc::clone(&requests)));
            }
        });
        host
    }

    /// Connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// The requests so far: head and body as they came.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn one(mut socket: TcpStream, reply: Reply, requests: Arc<Mutex<Vec<String>>>) {
    let Some(request) = read(&mut socket).await else { return };
    requests.lock().unwrap().push(request.clone());
    let reply = match reply {
        Reply::Made(make) => make(&request),
        reply => reply,
    };
    match reply {
        Reply::Made(_) => panic!("a function made a function"),
        Reply::Bytes(bytes) => {
            let _ = socket.write_all(&bytes).await;
        }
        Reply::Silence => std::future::pending().await,
        Reply::Stall(bytes) => {
            let _ = socket.write_all(&bytes).await;
            std::future::pending().await
        }
        Reply::Endless(head) => {
            let _ = socket.write_all(&head).await;
            while socket.write_all(&[b'x'; 64 << 10]).await.is_ok() {}
        }
    }
}

/// A request with its body; `None` if it broke off.
async fn read(socket: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some(head) = text.find("\r\n\r\n") {
            let length = text[..head].lines().find_map(|line| line.strip_prefix("content-length: "));
            if bytes.len() >= head + 4 + length.map_or(0, |length| length.parse::<usize>().unwrap()) {
                return Some(text);
            }
        }
        let mut piece = [0; 16 << 10];
        match socket.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&piece[..read]),
        }
    }
}

/// Settings of a lab: agents live at [`AGENT_IP`], on any port that a test can have.
pub(crate) fn lab(config: &mut Config) {
    config.private_egress = vec![AGENT_IP.parse().unwrap()];
    config.egress_ports = (80..=80).chain(443..=443).chain(1024..=u16::MAX).collect();
    let flips = AtomicUsize::new(0);
    config.resolver = Resolver::from_fn(move |name| {
        let ips: &[&str] = match name {
            "agent.test" => &[AGENT_IP],
            "flip.test" if flips.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) => &[AGENT_IP],
            "flip.test" | "loopback.test" | "localhost" => &["127.0.0.1"],
            "mixed.test" => &[AGENT_IP, "127.0.0.1"],
            "mixed6.test" => &[AGENT_IP, "::1"],
            "loopback6.test" => &["::1"],
            "mapped.test" => &["::ffff:127.0.0.1"],
            "compatible.test" => &["::127.0.0.1"],
            "nat64.test" => &["64:ff9b::7f00:1"],
            "sixtofour.test" => &["2002:7f00:1::"],
            "zero.test" => &["0.0.0.0"],
            "zero6.test" => &["::"],
            "metadata.test" => &["169.254.169.254"],
            "lan.test" => &["192.168.0.1"],
            _ => &[],
        };
        ips.iter().map(|ip| ip.parse::<IpAddr>().unwrap()).collect()
    });
}

/// A card with interfaces, each a binding, a version and a path below `http://HOST:PORT`.
pub(crate) fn card(name: &str, origin: &str, interfaces: &[(&str, &str, &str)]) -> Value {
    let interfaces: Vec<Value> = interfaces
        .iter()
        .map(|(binding, version, path)| {
            json!({"url": format!("{origin}{path}"), "protocolBinding": binding, "protocolVersion": version})
        })
        .collect();
    json!({"name": name, "description": "An agent with an address.", "supportedInterfaces": interfaces})
}

/// An agent at `http://agent.test:PORT/rpc` whose origin was proven.
pub(crate) async fn agent_at(world: &World, name: &str, port: u16) -> Bot {
    let origin = format!("http://agent.test:{port}");
    let bot = world.register_with(json!({"card": card(name, &origin, &[("JSONRPC", "1.0", "/rpc")])})).await;
    prove(world, &bot, &origin).await.ok(200);
    bot
}

/// The operator takes an origin as proven.
pub(crate) async fn prove(world: &World, bot: &Bot, origin: &str) -> Answer {
    let path = format!("/v1/admin/agents/{}/prove-origin", bot.id);
    world.post(&path, Some(&world.admin()), json!({"origin": origin})).await
}

/// A request as the feed makes it of one that a switch passed on with a caller.
pub(crate) fn passed(
    caller: Option<&Bot>,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Request<Body> {
    let caller = RelayCaller(Caller { agent: caller.map(|bot| bot.id) });
    let mut request = Request::builder().method(method).uri(format!("/connect/relay/{path}"));
    request = request.extension(Peer(PEER)).extension(caller);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

/// A call with a small body, read to its end.
pub(crate) async fn call(world: &World, caller: &Bot, callee: &Bot) -> Answer {
    world.raw(passed(Some(caller), "POST", &callee.id.to_string(), &[], "{}")).await
}

/// An answer whose body was not read yet.
pub(crate) async fn open(world: &World, request: Request<Body>) -> Response<Body> {
    world.router.clone().oneshot(request).await.unwrap()
}

/// The records of calls, oldest first: caller, status and route. Waits until there are `count`, and a moment longer for
/// one too many.
pub(crate) async fn records(world: &World, count: usize) -> Vec<Value> {
    for _ in 0..100 {
        let found = read_records(world).await;
        if found.len() >= count {
            tokio::time::sleep(Duration::from_millis(50)).await;
            return read_records(world).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{count} records were expected, there are {:?}", read_records(world).await);
}

async fn read_records(world: &World) -> Vec<Value> {
    let recent = world.get("/v1/relay/recent?limit=200").await.ok(200);
    recent["events"].as_array().unwrap().iter().rev().cloned().collect()
}

/// The statuses of the records, oldest first.
pub(crate) async fn statuses(world: &World, count: usize) -> Vec<u64> {
    let records = records(world, count).await;
    assert!(records.iter().all(|record| record["route"] == "http_direct"), "{records:?}");
    records.iter().map(|record| record["status_code"].as_u64().unwrap()).collect()
}
