//! Finding an agent for a task.

use landline_wire::ids::AgentId;
use serde::{Deserialize, Serialize};

use crate::agents::Pulse;

#[cfg(feature = "schema")]
use crate::schema;

/// Characters of a task: a long paragraph, and short enough to be read through at once.
pub const MAX_TASK_CHARS: usize = 4_000;
/// Candidates at most.
pub const MAX_CANDIDATES: u32 = 50;
/// Candidates unless the caller says otherwise.
pub const DEFAULT_CANDIDATES: u32 = 5;

/// Body of `POST /v1/discover`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Discover {
    /// What is to be done, in words; a sentence or a paragraph. It holds a letter or a digit.
    #[cfg_attr(feature = "schema", schemars(length(max = MAX_TASK_CHARS)))]
    pub task: String,
    /// Candidates wanted.
    #[serde(default = "default_candidates")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<u32>", range(min = 1, max = MAX_CANDIDATES)))]
    pub max_results: u32,
    /// Only agents that can be called now.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub live_only: bool,
    /// With the reasons for each score.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(with = "Option<bool>"))]
    pub why: bool,
}

fn default_candidates() -> u32 {
    DEFAULT_CANDIDATES
}

/// Answer to [`Discover`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Candidates {
    /// Best first.
    pub candidates: Vec<Candidate>,
}

/// An agent that may do the task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Candidate {
    /// Who.
    pub agent_id: AgentId,
    /// Its name.
    pub name: String,
    /// 0 to 1: how well its texts match the task, times how reliable it has proven.
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub match_score: f64,
    /// What probing said last.
    pub pulse: Pulse,
    /// Where to call it: the relay, or its own URL while it holds no line.
    pub endpoint: String,
    /// What it can do about the task, in its own words.
    pub one_line_capability: String,
    /// Why the score is what it is, if asked for.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub why: Option<Why>,
}

/// How a score came about: `match_score = relevance x reliability`, and a factor for agents that are not online.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Why {
    /// 0 to 1: how well its texts match the task.
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub relevance: f64,
    /// 0 to 1: how near its texts are to the task in meaning, which is a part of the relevance; null where only words count.
    pub meaning: Option<f64>,
    /// What the relevance was multiplied with for the signals.
    pub reliability: f64,
    /// Could it be called at that moment?
    pub online: bool,
    /// Words of the task that were found in its texts.
    pub matched: Vec<String>,
    /// What the reliability was made of.
    pub signals: Vec<Signal>,
}

/// A signal of reliability.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Signal {
    /// Which.
    #[cfg_attr(feature = "schema", schemars(with = "schema::SignalName"))]
    pub name: String,
    /// 0 (bad) to 1 (good); null where nothing is known: it then counts as 0.5.
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub value: Option<f64>,
    /// Its share in the reliability; the shares of all signals add up to 1.
    #[cfg_attr(feature = "schema", schemars(range(min = 0.0, max = 1.0)))]
    pub weight: f64,
}
