//! An exchange with the agents of the set, and with what each of them has proved so far.

use std::collections::HashMap;

use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use landline_controlplane::clock::{Clock, Hand};
use landline_controlplane::config::{Config, Embeddings, RateLimits};
use landline_controlplane::discovery::Weights;
use landline_controlplane::{Exchange, discovery, relay};
use landline_link::{CallRecord, Credential, RecordBatch, Report, ReportBatch, Route, SessionUp};
use landline_wire::ids::{AgentId, NodeId, SessionId};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt;
use uuid::Uuid;

use super::set::{Agent, Set, State};

/// When the agents register: 2025-07-14T12:00:00Z.
const START_MS: i64 = 1_752_494_400_000;
/// What they are judged by: two days.
const LIFE_MS: i64 = 48 * 3_600_000;
/// Calls to each that was called.
const CALLS: usize = 20;

/// The exchange.
pub(crate) struct World {
    exchange: Exchange,
    keys: HashMap<AgentId, String>,
    clock: Hand,
    _dir: TempDir,
}

impl World {
    /// Registers the agents, and lets two days pass.
    pub(crate) async fn with(set: &Set, weights: Weights) -> Self {
        Self::with_meaning(set, weights, None).await
    }

    /// The same, with an embeddings endpoint if there is one.
    pub(crate) async fn with_meaning(set: &Set, weights: Weights, embeddings: Option<Embeddings>) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let mut config = Config::new(dir.path(), "https://relay.example");
        config.rate_limits = RateLimits::off();
        config.rank_weights = weights;
        config.embeddings = embeddings;
        let (clock, hand) = Clock::manual(START_MS);
        let exchange = Exchange::open(config, clock).await.expect("an exchange");
        let mut world = Self { exchange, keys: HashMap::new(), clock: hand, _dir: dir };
        let mut ids = Vec::new();
        for agent in &set.agents {
            let answer = world.post("/connect/v1/agents", &agent.registration(), StatusCode::CREATED).await;
            let id: AgentId = answer["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
            world.keys.insert(id, agent.key.clone());
            ids.push((id, agent));
        }
        world.live(&ids).await;
        discovery::ops::catch_up(&world.exchange).await.expect("an index");
        discovery::embeddings::catch_up(&world.exchange).await.expect("vectors");
        world
    }

    /// Lines come up, time passes, calls are made.
    async fn live(&self, agents: &[(AgentId, &Agent)]) {
        let (node, boot) = (NodeId::from_parts(START_MS.unsigned_abs(), [1; 10]), Uuid::new_v4());
        let sql = "INSERT INTO nodes (id, certificate_serial, joined_at, last_seen) VALUES ($1, 'x', $2, $2)";
        let switch = sqlx::query(sql).bind(node.to_string()).bind(START_MS);
        switch.execute(self.exchange.db.write()).await.expect("a switch");
        let up = |(at, (agent, _)): (usize, &(AgentId, &Agent))| {
            let mut random = [0; 10];
            random[..8].copy_from_slice(&(at as u64).to_be_bytes());
            let session = SessionId::from_parts(START_MS.unsigned_abs(), random);
            let credential = Credential::Key { key_gen: 1 };
            Report::SessionUp(SessionUp { agent: *agent, session, at: START_MS, credential, shared: false })
        };
        let lines = agents.iter().filter(|(_, agent)| agent.state != State::Offline).enumerate().map(up);
        let batch = ReportBatch { seq: 1, reports: lines.collect() };
        relay::ops::ingest(&self.exchange, node, boot, &batch).await.expect("lines");
        self.clock.advance(LIFE_MS);
        let records = agents.iter().flat_map(|(id, agent)| calls(*id, agent.state)).collect();
        let batch = RecordBatch { log: boot, first: 0, records };
        assert!(relay::ops::record(&self.exchange, node, &[batch]).await.expect("calls"));
    }

    async fn post(&self, path: &str, body: &Value, wanted: StatusCode) -> Value {
        let request = Request::post(path).header("content-type", "application/json").body(Body::from(body.to_string()));
        let answer = self.exchange.router().oneshot(request.expect("a request")).await.expect("an answer");
        let status = answer.status();
        let bytes = to_bytes(answer.into_body(), 1 << 24).await.expect("a body");
        assert_eq!(status, wanted, "{}", String::from_utf8_lossy(&bytes));
        serde_json::from_slice(&bytes).expect("JSON")
    }

    /// The keys of the candidates for a task.
    pub(crate) async fn discover(&self, task: &str, depth: usize) -> Vec<String> {
        let body = json!({"task": task, "max_results": depth});
        let answer = self.post("/connect/v1/discover", &body, StatusCode::OK).await;
        let candidates = answer["candidates"].as_array().expect("candidates").iter();
        let key = |candidate: &Value| {
            let id = candidate["agent_id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
            self.keys[&id].clone()
        };
        candidates.map(key).collect()
    }
}

/// The calls to an agent.
fn calls(agent: AgentId, state: State) -> Vec<CallRecord> {
    let call = |number: usize| {
        let (status_code, latency_us) = match state {
            State::Good => (200, 80_000),
            State::Slow => (200, 5_000_000),
            State::Failing if !number.is_multiple_of(5) => (504, 60_000_000),
            State::Failing => (200, 80_000),
            State::New | State::Offline => return None,
        };
        Some(CallRecord {
            ts: START_MS + LIFE_MS,
            from_agent_id: None,
            to_agent_id: agent,
            a2a_method: None,
            request_id: format!("call-{number}").into(),
            status_code,
            latency_us,
            route: Route::Relay,
        })
    };
    (0..CALLS).filter_map(call).collect()
}
