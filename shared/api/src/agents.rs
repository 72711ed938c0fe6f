//! Agents: registration, the row of the directory, lists, reliability.

use landline_wire::ids::AgentId;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[cfg(feature = "schema")]
use crate::schema;

/// Who may call an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Any registered caller.
    #[default]
    Agents,
    /// The agent ids in `allow`.
    Listed,
    /// Anonymous callers too.
    Public,
}

/// Characters of a tagline.
pub const MAX_TAGLINE_CHARS: usize = 120;
/// Agents that `listed` may name: a policy travels to every switch.
pub const MAX_ALLOW: usize = 1_000;

/// Body of `POST /v1/agents`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Register {
    /// The Agent Card, in either spelling (`supported_interfaces` or `supportedInterfaces`).
    #[cfg_attr(feature = "schema", schemars(with = "schema::AgentCard"))]
    pub card: Value,
    /// A line for lists.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_TAGLINE_CHARS)))]
    pub tagline: Option<String>,
    /// What it is filed under.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Category>"))]
    pub category: Option<String>,
    /// `#RRGGBB`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Color>"))]
    pub accent_color: Option<String>,
    /// An http(s) URL.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::HttpUrl>"))]
    pub banner_url: Option<String>,
    /// Who may call.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub access: Option<Access>,
    /// The callers that `listed` admits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_ALLOW)))]
    pub allow: Option<Vec<AgentId>>,
}

/// What an agent may be filed under.
pub const CATEGORIES: [&str; 8] =
    ["coding", "analysis", "retrieval", "chat", "vision", "translation", "writing", "general"];

/// Body of `PATCH /v1/agents/{id}`: what is not named stays, and null takes a value away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Update {
    /// A line for lists.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_TAGLINE_CHARS)))]
    pub tagline: Option<String>,
    /// What it is filed under.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Category>"))]
    pub category: Option<String>,
    /// `#RRGGBB`.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Color>"))]
    pub accent_color: Option<String>,
    /// An http(s) URL.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::HttpUrl>"))]
    pub banner_url: Option<String>,
    /// Who may call.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub access: Option<Access>,
    /// The callers that `listed` admits.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_ALLOW)))]
    pub allow: Option<Vec<AgentId>>,
}

/// Answer to a registration.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Registered {
    /// The new agent's id.
    pub id: AgentId,
    /// Its API key: shown once, kept by nobody but the agent.
    #[cfg_attr(feature = "schema", schemars(with = "schema::ApiKey"))]
    pub api_key: String,
    /// Its row.
    pub agent: Agent,
    /// What was accepted but costs rank, as sentences.
    pub warnings: Vec<String>,
}

impl std::fmt::Debug for Registered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registered").field("id", &self.id).field("warnings", &self.warnings).finish_non_exhaustive()
    }
}

/// Answer to a card's replacement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CardReplaced {
    /// The row as it is now.
    pub agent: Agent,
    /// What was accepted but costs rank, as sentences.
    pub warnings: Vec<String>,
}

/// One of an agent's cards, of now or of before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CardVersion {
    /// Its number among the agent's cards, from 1.
    pub n: u64,
    /// Since when it was the agent's card.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Time"))]
    pub at: String,
    /// Until when; null: it is so now.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Time>"))]
    pub until: Option<String>,
    /// SHA-256 of its text as it was given, in hexadecimal digits.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Sha256"))]
    pub sha256: String,
    /// The name that it gave the agent.
    pub name: String,
    /// The version that it named.
    pub version: Option<String>,
}

/// A row of the directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// Its name, unique without regard to case.
    pub name: String,
    /// What it does.
    pub description: String,
    /// A line for lists.
    pub tagline: Option<String>,
    /// What it is filed under.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Category>"))]
    pub category: Option<String>,
    /// `#RRGGBB`.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Color>"))]
    pub accent_color: Option<String>,
    /// A picture.
    pub banner_url: Option<String>,
    /// Its own endpoint, if it has one.
    pub url: Option<String>,
    /// Its version, as the card says.
    pub version: Option<String>,
    /// Who runs it, as the card says.
    pub provider: Option<Provider>,
    /// What it can, as the card says.
    pub skills: Vec<Skill>,
    /// The card's `capabilities`.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Free"))]
    pub capabilities: Value,
    /// The service class that its card declares.
    pub service_class: Option<String>,
    /// Who may call it.
    pub access: Access,
    /// Where its entry comes from.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Source"))]
    pub source: String,
    /// Can it be called now?
    pub online: bool,
    /// Does it hold a line now?
    pub attached: bool,
    /// What probing said last.
    pub pulse: Pulse,
    /// What a good entry has, and what of it is missing.
    #[serde(default)]
    pub quality: Quality,
    /// How far it has got.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "schema::Tier"))]
    pub tier: String,
    /// Was it claimed by its owner?
    pub claimed: bool,
    /// Does its card carry a signature that verified?
    pub verified: bool,
    /// Did its provider prove its domain?
    pub provider_verified: bool,
    /// Where its card's signature was anchored.
    pub rekor: Option<Rekor>,
    /// How it did of late.
    pub reliability: Reliability,
    /// When it registered.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Time"))]
    pub created_at: String,
    /// When its row last changed.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Time"))]
    pub updated_at: String,
    /// When it was last attached or sent a heartbeat.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Time"))]
    pub last_seen: String,
}

/// A card's provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Provider {
    /// Its name.
    pub organization: Option<String>,
    /// Its site.
    pub url: Option<String>,
}

/// A card's skill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Skill {
    /// Its id within the card.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// What it does.
    pub description: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
}

/// What probing an agent's endpoint said.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pulse {
    /// What it found.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Verdict"))]
    pub verdict: String,
    /// 0 to 1.
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub score: Option<f64>,
    /// When.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Time>"))]
    pub checked_at: Option<String>,
}

/// How an agent's endpoint answered of late.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PulseHistory {
    /// What is known now.
    pub pulse: Pulse,
    /// Why the verdict is not `callable`, as a word.
    pub reason: Option<String>,
    /// The last probes, newest first.
    pub probes: Vec<Probe>,
}

/// One probe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Probe {
    /// When.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Time"))]
    pub at: String,
    /// What it found.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Verdict"))]
    pub verdict: String,
    /// Time to the answer of the call, milliseconds; null if there was no call, or no answer.
    pub latency_ms: Option<f64>,
}

/// What an agent meets of what a good entry has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Quality {
    /// Is nothing missing?
    pub passed: bool,
    /// What is missing, as words that do not change.
    pub missing: Vec<String>,
}

/// An anchor in a transparency log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rekor {
    /// The entry's id.
    pub uuid: String,
    /// Its place in the log.
    pub log_index: u64,
    /// When it was integrated.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Time"))]
    pub integrated_time: String,
}

/// How an agent did of late. Shares are 0 to 1; null where nothing is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reliability {
    /// Share of the last 24 hours (or of its life, if shorter) with a line, or callable at its URL.
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub uptime_24h: Option<f64>,
    /// The same for 7 days.
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub uptime_7d: Option<f64>,
    /// Median of the last answered calls, milliseconds; of the last good probes if there were no calls.
    pub latency_p50_ms: Option<f64>,
    /// 99th percentile of the same.
    pub latency_p99_ms: Option<f64>,
    /// Calls to it in the last 24 hours.
    pub calls_24h: u64,
    /// Share of them that the agent answered with a status below 500.
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub success_rate_24h: Option<f64>,
    /// When it was last attached or sent a heartbeat.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Time"))]
    pub last_seen: String,
    /// Calls, or probes, behind the latencies.
    pub sample_count: u64,
}

/// A value and how many agents have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Facet {
    /// The value.
    pub value: String,
    /// Agents.
    pub count: u64,
}

/// What the directory can be narrowed by, most frequent first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Facets {
    /// Categories.
    pub categories: Vec<Facet>,
    /// Tags of skills.
    pub tags: Vec<Facet>,
    /// Providers' organizations.
    pub providers: Vec<Facet>,
    /// Service classes.
    pub service_classes: Vec<Facet>,
}

/// An agent that a search found: its row, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Hit {
    /// The row.
    #[serde(flatten)]
    pub agent: Agent,
    /// 0 to 1, higher is better.
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub score: f64,
    /// Pieces of text in which the words were found.
    pub highlights: Vec<String>,
}
