//! Answers as they look, made of the types that are answered: an example cannot have a member that an answer has not.

use landline_api::admin::{Moderation, Node, Session};
use landline_api::agents::{
    Access, Agent, CardVersion, Facet, Facets, Hit, Probe, Provider, Pulse, PulseHistory, Quality, Registered,
    Reliability, Skill,
};
use landline_api::discovery::{Candidate, Candidates};
use landline_api::relay::{RelayEvent, RelayStats, RelayStatus};
use landline_api::submissions::Submission;
use landline_api::{Listing, Page};
use landline_wire::ids::{AgentId, NodeId, SessionId};
use serde_json::{Value, json};

/// A Tuesday morning.
const NOON_MS: u64 = 1_792_490_400_000;
/// An API key, of nobody.
const KEY: &str = "ll_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn text(text: &str) -> String {
    text.to_owned()
}

fn time() -> String {
    landline_api::time::rfc3339_ms(NOON_MS.cast_signed())
}

fn id() -> AgentId {
    AgentId::from_parts(NOON_MS, [0xa1; 10])
}

fn node() -> NodeId {
    NodeId::from_parts(NOON_MS, [0x50; 10])
}

/// A card that can be registered.
pub(crate) fn card() -> Value {
    json!({
        "name": "alice-1f2a8c",
        "description": "Echoes what it is told.",
        "version": "1.0.0",
        "skills": [{"id": "echo", "name": "Echo", "description": "Gives the body back.", "tags": ["echo"]}],
    })
}

fn pulse() -> Pulse {
    Pulse { verdict: text("callable"), score: Some(0.98), checked_at: Some(time()) }
}

/// How an agent did of late.
pub(crate) fn reliability() -> Reliability {
    Reliability {
        uptime_24h: Some(1.0),
        uptime_7d: Some(0.994),
        latency_p50_ms: Some(1.42),
        latency_p99_ms: Some(6.8),
        calls_24h: 128,
        success_rate_24h: Some(1.0),
        last_seen: time(),
        sample_count: 100,
    }
}

/// A row of the directory.
pub(crate) fn agent() -> Agent {
    Agent {
        id: id(),
        name: text("alice-1f2a8c"),
        description: text("Echoes what it is told."),
        tagline: None,
        category: Some(text("general")),
        accent_color: Some(text("#A1B2C3")),
        banner_url: None,
        url: None,
        version: Some(text("1.0.0")),
        provider: Some(Provider { organization: Some(text("Example")), url: Some(text("https://agents.example")) }),
        skills: vec![Skill {
            id: Some(text("echo")),
            name: Some(text("Echo")),
            description: Some(text("Gives the body back.")),
            tags: vec![text("echo")],
        }],
        capabilities: json!({"streaming": false}),
        service_class: None,
        access: Access::Agents,
        source: text("self_registered"),
        online: true,
        attached: true,
        pulse: pulse(),
        quality: Quality { passed: true, missing: Vec::new() },
        tier: text("listed"),
        claimed: false,
        verified: false,
        provider_verified: false,
        rekor: None,
        reliability: reliability(),
        created_at: time(),
        updated_at: time(),
        last_seen: time(),
    }
}

/// A registration.
pub(crate) fn registered() -> Registered {
    Registered { id: id(), api_key: text(KEY), agent: agent(), warnings: Vec::new() }
}

/// A piece of a list that can be read on.
pub(crate) fn agents() -> Listing<Agent> {
    Listing { items: vec![agent()], total: 1, limit: 50, offset: 0, next_cursor: None }
}

fn page<T>(item: T) -> Page<T> {
    Page { items: vec![item], total: 1, limit: 50, offset: 0 }
}

/// An agent's cards.
pub(crate) fn cards() -> Page<CardVersion> {
    let sha256 = text("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let (name, version) = (text("alice-1f2a8c"), Some(text("1.0.0")));
    page(CardVersion { n: 1, at: time(), until: None, sha256, name, version })
}

/// How an agent's URL answered.
pub(crate) fn pulses() -> PulseHistory {
    let probe = Probe { at: time(), verdict: text("callable"), latency_ms: Some(31.5) };
    PulseHistory { pulse: pulse(), reason: None, probes: vec![probe] }
}

/// What a search found.
pub(crate) fn hits() -> Page<Hit> {
    page(Hit { agent: agent(), score: 0.87, highlights: vec![text("Echoes what it is told.")] })
}

/// What there is for a task.
pub(crate) fn candidates() -> Candidates {
    let candidate = Candidate {
        agent_id: id(),
        name: text("alice-1f2a8c"),
        match_score: 0.71,
        pulse: pulse(),
        endpoint: format!("https://relay.example/connect/relay/{}", id()),
        one_line_capability: text("Echo: gives the body back."),
        why: None,
    };
    Candidates { candidates: vec![candidate] }
}

/// What agents can be narrowed by.
pub(crate) fn facets() -> Facets {
    let of = |value: &str| vec![Facet { value: text(value), count: 12 }];
    Facets { categories: of("general"), tags: of("echo"), providers: of("Example"), service_classes: of("utility") }
}

/// A submission.
pub(crate) fn submission() -> Submission {
    Submission {
        id: id().to_string(),
        url: text("https://agents.example/.well-known/agent-card.json"),
        status: text("indexed"),
        reason: None,
        agent_id: Some(id()),
        entries: None,
        created_at: time(),
        checked_at: Some(time()),
    }
}

/// A call's record.
pub(crate) fn call() -> RelayEvent {
    RelayEvent {
        ts: time(),
        from_agent_id: Some(AgentId::from_parts(NOON_MS, [0xb0; 10])),
        to_agent_id: id(),
        a2a_method: Some(text("SendMessage")),
        request_id: text("r-1"),
        status_code: 200,
        latency_ms: 1.42,
        route: text("relay"),
    }
}

/// Figures over the last calls.
pub(crate) fn stats() -> RelayStats {
    RelayStats { p50_ms: Some(1.4), p99_ms: Some(6.8), sample: 1_000, calls_per_second: 12.5, attached: 42 }
}

/// The state of a line.
pub(crate) fn status() -> RelayStatus {
    let route = Some(text("relay"));
    RelayStatus { agent_id: id(), connected: true, route, in_flight: 0, session_started_at: Some(time()) }
}

/// What holds for an agent that was blocked.
pub(crate) fn moderation() -> Moderation {
    Moderation {
        agent_id: id(),
        blocked: true,
        reason: Some(text("It sends what nobody asked for.")),
        blocked_at: Some(time()),
        featured: false,
        origin_proven: false,
    }
}

/// The lines that are up.
pub(crate) fn sessions() -> Page<Session> {
    let session_id = SessionId::from_parts(NOON_MS, [0x11; 10]);
    page(Session { session_id, agent_id: id(), node_id: node(), started_at: time(), credential: text("api_key") })
}

/// The switches.
pub(crate) fn nodes() -> Page<Node> {
    page(Node {
        node_id: node(),
        public_url: Some(text("https://relay.example")),
        version: Some(text(env!("CARGO_PKG_VERSION"))),
        joined_at: time(),
        last_seen: time(),
        revoked_at: None,
        lines: 42,
    })
}

/// A key that took the place of another.
pub(crate) fn rotated() -> Value {
    json!(landline_api::auth::Rotated { api_key: text(KEY) })
}

/// Whose a credential is.
pub(crate) fn verified() -> landline_api::auth::Verified {
    landline_api::auth::Verified {
        valid: true,
        agent_id: id(),
        name: text("alice-1f2a8c"),
        key_prefix: text(&KEY[..8]),
    }
}
