//! An exchange of its own for each test, with a clock that the test moves, on each of the two databases.

use std::future::Future;
use std::net::IpAddr;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use landline_controlplane::Exchange;
use landline_controlplane::clock::{Clock, Hand};
use landline_controlplane::config::{Config, RateLimits};
use landline_controlplane::discovery;
use landline_controlplane::extract::Peer;
use landline_link::{CallRecord, Credential, RecordBatch, Report, ReportBatch, Route, SessionUp};
use landline_wire::ids::{AgentId, NodeId, SessionId};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tempfile::TempDir;
use tower::ServiceExt;
use uuid::Uuid;

/// When each test begins: 2025-07-14T12:00:00Z.
pub(crate) const START_MS: i64 = 1_752_494_400_000;

/// Where the tests' requests come from unless they say otherwise.
pub(crate) const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(203, 0, 113, 7));

/// The environment variable that names the Postgres server.
const POSTGRES: &str = "LANDLINE_TEST_POSTGRES";

/// An exchange and what a test needs around it.
pub(crate) struct World {
    pub(crate) exchange: Exchange,
    pub(crate) router: Router,
    pub(crate) clock: Hand,
    pub(crate) dir: TempDir,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    /// The body as JSON; null if it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Asserts a problem document with this code, and gives it.
    pub(crate) fn problem(&self, code: &str) -> Value {
        let body = self.json();
        assert_eq!(body["code"], code, "{self:?}");
        assert_eq!(body["status"], self.status.as_u16());
        assert_eq!(self.headers["content-type"], "application/problem+json");
        body
    }

    /// Asserts a status, and gives the body.
    #[track_caller]
    pub(crate) fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self.json()
    }
}

/// A registered agent.
#[derive(Debug, Clone)]
pub(crate) struct Bot {
    pub(crate) id: AgentId,
    pub(crate) key: String,
}

/// A switch, as its reports see it.
pub(crate) struct Switch {
    pub(crate) node: NodeId,
    pub(crate) boot: Uuid,
    seq: u64,
    next: u64,
}

impl World {
    /// Sends a request. `token` goes as a bearer credential, `body` as JSON.
    pub(crate) async fn send(&self, method: Method, path: &str, token: Option<&str>, body: Option<Value>) -> Answer {
        let mut request = Request::builder().method(method).uri(path).extension(Peer(PEER));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map_or(Body::empty(), |body| Body::from(body.to_string()));
        self.raw(request.body(body).unwrap()).await
    }

    /// Sends a request as it is.
    pub(crate) async fn raw(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        Answer { status, headers, text: String::from_utf8(bytes.to_vec()).unwrap() }
    }

    /// `GET` under the prefix, without a credential.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, &format!("/connect{path}"), None, None).await
    }

    /// `POST` under the prefix.
    pub(crate) async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Answer {
        self.send(Method::POST, &format!("/connect{path}"), token, Some(body)).await
    }

    /// Registers an agent with the smallest card.
    pub(crate) async fn register(&self, name: &str) -> Bot {
        self.register_with(json!({"card": {"name": name, "description": "An agent of a test.", "skills": []}})).await
    }

    /// Registers an agent.
    pub(crate) async fn register_with(&self, body: Value) -> Bot {
        let answer = self.post("/v1/agents", None, body).await.ok(201);
        Bot { id: answer["id"].as_str().unwrap().parse().unwrap(), key: answer["api_key"].as_str().unwrap().to_owned() }
    }

    /// The admin token.
    pub(crate) fn admin(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("admin-token")).unwrap().trim().to_owned()
    }

    /// A switch that has joined.
    pub(crate) async fn switch(&self, n: u8) -> Switch {
        let node = NodeId::from_parts(START_MS.unsigned_abs(), [n; 10]);
        let sql = "INSERT INTO nodes (id, public_url, certificate_serial, joined_at, last_seen) \
                   VALUES ($1, $2, 'x', $3, $3)";
        let query = sqlx::query(sql).bind(node.to_string()).bind(format!("http://switch-{n}.example"));
        query.bind(self.exchange.clock.now_ms()).execute(self.exchange.db.write()).await.unwrap();
        Switch { node, boot: Uuid::new_v4(), seq: 0, next: 0 }
    }

    /// Sends the next batch of a switch. Gives the sessions that have to end, each with its close code.
    pub(crate) async fn report(&self, switch: &mut Switch, reports: Vec<Report>) -> Vec<(NodeId, SessionId, u16)> {
        switch.seq += 1;
        self.report_batch(switch, &ReportBatch { seq: switch.seq, reports }).await
    }

    /// Sends a batch, perhaps once more.
    pub(crate) async fn report_batch(&self, switch: &Switch, batch: &ReportBatch) -> Vec<(NodeId, SessionId, u16)> {
        let ingest = landline_controlplane::relay::ops::ingest(&self.exchange, switch.node, switch.boot, batch);
        ingest.await.unwrap().into_iter().map(|kick| (kick.node, kick.session, kick.code)).collect()
    }

    /// Sends the next records of a switch.
    pub(crate) async fn record(&self, switch: &mut Switch, records: Vec<CallRecord>) {
        let batch = switch.batch(switch.next, records);
        switch.next += batch.records.len() as u64;
        self.record_batches(switch, &[batch]).await;
    }

    /// Sends batches of records, perhaps once more.
    pub(crate) async fn record_batches(&self, switch: &Switch, batches: &[RecordBatch]) {
        // Another connection may be at work on the same log.
        for _ in 0..100 {
            if landline_controlplane::relay::ops::record(&self.exchange, switch.node, batches).await.unwrap() {
                return;
            }
        }
        panic!("the log's place cannot be moved");
    }

    /// Lets the search index follow what happened so far, and gives how many agents it brought in or took out.
    pub(crate) async fn indexed(&self) -> u64 {
        discovery::ops::catch_up(&self.exchange).await.unwrap()
    }

    /// Is the agent's row shown as attached?
    pub(crate) async fn attached(&self, bot: &Bot) -> bool {
        self.get(&format!("/v1/agents/{}", bot.id)).await.ok(200)["attached"] == true
    }
}

impl Switch {
    /// Records from a place of its log on.
    pub(crate) fn batch(&self, first: u64, records: Vec<CallRecord>) -> RecordBatch {
        RecordBatch { log: self.boot, first, records }
    }

    /// The same switch after a restart.
    pub(crate) fn restarted(&self) -> Self {
        Self { node: self.node, boot: Uuid::new_v4(), seq: 0, next: 0 }
    }
}

/// A session's id by number.
pub(crate) fn session(n: u8) -> SessionId {
    SessionId::from_parts(START_MS.unsigned_abs(), [n; 10])
}

/// The report of a line that was opened with the first API key.
pub(crate) fn up(bot: &Bot, n: u8) -> Report {
    up_with(bot, n, Credential::Key { key_gen: 1 })
}

/// The report of a line.
pub(crate) fn up_with(bot: &Bot, n: u8, credential: Credential) -> Report {
    Report::SessionUp(SessionUp { agent: bot.id, session: session(n), at: START_MS, credential, shared: false })
}

/// The report of a line's end.
pub(crate) fn down(bot: &Bot, n: u8, at: i64) -> Report {
    Report::SessionDown { agent: bot.id, session: session(n), at }
}

/// The record of a call.
pub(crate) fn call(from: Option<&Bot>, to: &Bot, request_id: &str, status_code: u16, latency_us: u64) -> CallRecord {
    CallRecord {
        ts: START_MS,
        from_agent_id: from.map(|bot| bot.id),
        to_agent_id: to.id,
        a2a_method: None,
        request_id: request_id.into(),
        status_code,
        latency_us,
        route: Route::Relay,
    }
}

/// Runs a test on SQLite.
pub(crate) async fn on_sqlite<F: Future<Output = ()>>(adjust: fn(&mut Config), test: impl FnOnce(World) -> F) {
    test(open(String::new(), adjust).await).await;
}

/// Runs a test on a Postgres database of its own, if there is a server.
pub(crate) async fn on_postgres<F>(adjust: fn(&mut Config), test: impl FnOnce(World) -> F + Send + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let Ok(server) = std::env::var(POSTGRES) else {
        eprintln!("{POSTGRES} is not set: not run on Postgres");
        return;
    };
    sqlx::any::install_default_drivers();
    let name = format!("landline_test_{}", Uuid::new_v4().simple());
    let base = server.trim_end_matches('/');
    let (host, _) = base.rsplit_once('/').filter(|(host, _)| !host.ends_with('/')).unwrap_or((base, ""));
    let admin = sqlx::AnyPool::connect(&format!("{host}/postgres")).await.unwrap();
    sqlx::query(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&admin).await.unwrap();
    let url = format!("{host}/{name}");
    let outcome = tokio::spawn(async move { test(open(url, adjust).await).await }).await;
    sqlx::query(AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).execute(&admin).await.unwrap();
    if let Err(failed) = outcome {
        std::panic::resume_unwind(failed.into_panic());
    }
}

async fn open(database_url: String, adjust: fn(&mut Config)) -> World {
    let dir = tempfile::tempdir().unwrap();
    let mut config = Config::new(dir.path().join("."), "https://relay.example");
    config.database_url = database_url;
    config.rate_limits = RateLimits::off();
    adjust(&mut config);
    let (clock, hand) = Clock::manual(START_MS);
    let exchange = Exchange::open(config, clock).await.unwrap();
    discovery::ops::catch_up(&exchange).await.unwrap();
    World { router: exchange.router(), exchange, clock: hand, dir }
}

/// Makes two tests of one: on SQLite and on Postgres.
macro_rules! on_both {
    ($($(#[$doc:meta])* async fn $name:ident($world:ident $(, $adjust:expr)?) $body:block)*) => {
        $(mod $name {
            #[allow(unused_imports, reason = "not every test needs everything around it")]
            use super::*;

            async fn test($world: crate::world::World) $body

            fn adjust(_config: &mut landline_controlplane::config::Config) {
                $(let adjust: fn(&mut landline_controlplane::config::Config) = $adjust; adjust(_config);)?
            }

            #[tokio::test]
            async fn on_sqlite() {
                crate::world::on_sqlite(adjust, test).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                crate::world::on_postgres(adjust, test).await;
            }
        })*
    };
}
pub(crate) use on_both;
