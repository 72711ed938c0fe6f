//! An exchange with its feed, and switches without cores.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use bytes::Bytes;
use landline_controlplane::Exchange;
use landline_controlplane::clock::Clock;
use landline_controlplane::config::{Config, RateLimits};
use landline_controlplane::feed::{Feed, nodes};
use landline_link::{Lookup, LookupAnswer, PassAnswer, PassHead};
use landline_uplink::{Left, Ticket, ToCore, ToExchange, Uplink, UplinkConfig, UplinkSender};
use tempfile::TempDir;
use tokio::sync::mpsc;

/// Longer than anything here takes; what takes longer is broken.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// Cores of a switch.
pub(crate) const CORES: usize = 2;

/// An exchange whose feed can be stopped and started again at the same address.
pub(crate) struct World {
    pub(crate) exchange: Exchange,
    pub(crate) feed: Option<Feed>,
    pub(crate) address: SocketAddr,
    router: Router,
    dir: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(Router::new()).await
    }

    /// With more routes.
    pub(crate) async fn with(extra: Router) -> Self {
        Self::in_dir(tempfile::tempdir().unwrap(), extra, "").await
    }

    /// On this database; an empty URL is a SQLite file in the data directory.
    pub(crate) async fn in_dir(dir: TempDir, extra: Router, database_url: &str) -> Self {
        let mut config = Config::new(dir.path(), "http://127.0.0.1:7300");
        config.rate_limits = RateLimits::off();
        config.database_url = database_url.into();
        let exchange = Exchange::open(config, Clock::system()).await.unwrap();
        // In this order, so that what has no route is the exchange's to refuse.
        let router = extra.merge(exchange.router());
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let feed = Feed::start_with(exchange.clone(), router.clone(), any).await.unwrap();
        Self { exchange, address: feed.local_addr(), feed: Some(feed), router, dir }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) async fn stop_feed(&mut self) {
        self.feed.take().expect("the feed runs").stop(Duration::ZERO).await;
    }

    pub(crate) async fn start_feed(&mut self) {
        // The socket of the feed before is closed by a task of its own.
        eventually("the address is free again", async || {
            self.feed = Feed::start_with(self.exchange.clone(), self.router.clone(), self.address).await.ok();
            self.feed.is_some()
        })
        .await;
    }

    /// The same cluster with an empty database: its CA and secrets are all that is left.
    pub(crate) async fn without_database(mut self) -> Self {
        self.stop_feed().await;
        self.exchange.db.close().await;
        for name in ["exchange.db", "exchange.db-wal", "exchange.db-shm"] {
            let _ = std::fs::remove_file(self.dir().join(name));
        }
        Self::in_dir(self.dir, Router::new(), "").await
    }

    pub(crate) async fn token(&self) -> String {
        nodes::create_join_token(&self.exchange, nodes::JOIN_TOKEN_TTL).await.unwrap()
    }

    /// A switch that has joined and is in step.
    pub(crate) async fn switch(&self) -> Switch {
        let mut switch =
            Switch::start(&self.address.to_string(), tempfile::tempdir().unwrap(), Some(&self.token().await));
        switch.synced(true).await;
        switch
    }
}

/// An uplink, and the mailbox of its cores.
pub(crate) struct Switch {
    pub(crate) uplink: Uplink,
    pub(crate) sender: UplinkSender,
    pub(crate) inbox: mpsc::UnboundedReceiver<(usize, ToCore)>,
    pub(crate) dir: TempDir,
    tickets: u64,
}

impl Switch {
    pub(crate) fn start(exchange: &str, dir: TempDir, token: Option<&str>) -> Self {
        let (outbox, inbox) = mpsc::unbounded_channel();
        let mut config = UplinkConfig::new(exchange, dir.path(), "http://127.0.0.1:7301");
        config.join_token = token.map(|token| token.parse().unwrap());
        let deliver = Arc::new(move |core, message| drop(outbox.send((core, message))));
        let uplink = Uplink::start(config, deliver, CORES).unwrap();
        Self { sender: uplink.sender(), uplink, inbox, dir, tickets: 0 }
    }

    /// Leaves, and gives back what it needs to come again and how many records were not delivered.
    pub(crate) async fn stop(self) -> (TempDir, Left) {
        let Self { uplink, dir, .. } = self;
        let left = tokio::task::spawn_blocking(move || uplink.stop(PATIENCE)).await.unwrap();
        (dir, left)
    }

    /// The next message for core 0 that `wanted` takes; others are passed over.
    pub(crate) async fn next<T>(&mut self, what: &str, mut wanted: impl FnMut(ToCore) -> Option<T>) -> T {
        let found = async {
            loop {
                let (core, message) = self.inbox.recv().await.expect("the uplink runs");
                if core == 0
                    && let Some(found) = wanted(message)
                {
                    return found;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.unwrap_or_else(|_| panic!("no {what}"))
    }

    pub(crate) async fn synced(&mut self, wanted: bool) {
        let what = format!("Synced({wanted})");
        self.next(&what, |message| matches!(message, ToCore::Synced(now) if now == wanted).then_some(())).await;
    }

    pub(crate) fn ticket(&mut self) -> Ticket {
        self.tickets += 1;
        Ticket { core: 0, number: self.tickets }
    }

    pub(crate) async fn ask(&mut self, question: Lookup) -> Option<LookupAnswer> {
        let ticket = self.ticket();
        self.sender.send(ToExchange::Lookup(ticket, question));
        let answered = |message| match message {
            ToCore::Answer(of, answer) if of == ticket => Some(answer),
            _ => None,
        };
        self.next("answer", answered).await
    }

    /// Begins a request.
    pub(crate) fn pass(&mut self, method: &str, target: &str, headers: &[(&str, &str)]) -> Ticket {
        let ticket = self.ticket();
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect();
        let peer = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));
        let head = PassHead { method: method.into(), target: target.into(), headers, peer, tls: false, caller: None };
        self.sender.send(ToExchange::PassHead(ticket, head));
        ticket
    }

    /// A whole request with a small body, and its whole answer.
    pub(crate) async fn request(
        &mut self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, Vec<u8>) {
        let ticket = self.pass(method, target, headers);
        if !body.is_empty() {
            self.sender.send(ToExchange::PassBody(ticket, Bytes::copy_from_slice(body.as_bytes())));
        }
        self.sender.send(ToExchange::PassEnd(ticket));
        let head = self.answer(ticket).await;
        (head.status, self.rest(ticket).await)
    }

    /// The head of an answer.
    pub(crate) async fn answer(&mut self, ticket: Ticket) -> PassAnswer {
        let head = |message| match message {
            ToCore::PassAnswer(of, head) if of == ticket => Some(head),
            ToCore::PassFailed(of) if of == ticket => panic!("the request failed"),
            _ => None,
        };
        self.next("head of an answer", head).await
    }

    /// The next piece of an answer's body; `None` at its end.
    pub(crate) async fn piece(&mut self, ticket: Ticket) -> Option<Bytes> {
        let piece = |message| match message {
            ToCore::PassBody(of, bytes) if of == ticket => Some(Some(bytes)),
            ToCore::PassEnd(of) if of == ticket => Some(None),
            ToCore::PassFailed(of) if of == ticket => panic!("the answer broke off"),
            _ => None,
        };
        let piece = self.next("piece of an answer", piece).await;
        if let Some(bytes) = &piece {
            self.sender.send(ToExchange::PassCredit(ticket, bytes.len()));
        }
        piece
    }

    /// What is left of an answer's body.
    pub(crate) async fn rest(&mut self, ticket: Ticket) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(bytes) = self.piece(ticket).await {
            body.extend_from_slice(&bytes);
        }
        body
    }

    /// Registers an agent through the link, as a client of the switch would; gives its id and API key.
    pub(crate) async fn register(&mut self, name: &str) -> (landline_wire::ids::AgentId, String) {
        let card = serde_json::json!({"card": {
            "name": name, "description": "An agent of the link's tests.", "version": "1.0.0", "skills": [],
        }});
        let json = [("content-type", "application/json")];
        let (status, body) = self.request("POST", "/connect/v1/agents", &json, &card.to_string()).await;
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&body));
        let answer: serde_json::Value = serde_json::from_slice(&body).unwrap();
        (answer["id"].as_str().unwrap().parse().unwrap(), answer["api_key"].as_str().unwrap().to_owned())
    }
}

/// Waits until something becomes true.
pub(crate) async fn eventually(what: &str, mut check: impl AsyncFnMut() -> bool) {
    let until = tokio::time::Instant::now() + PATIENCE;
    while !check().await {
        assert!(tokio::time::Instant::now() < until, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
