//! Submissions: URLs at which there is said to be an agent, or a catalogue of agents.

use landline_wire::ids::AgentId;
use serde::{Deserialize, Serialize};

/// Body of `POST /v1/submissions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submit {
    /// Of a host, of an agent there, of a card or of a catalogue.
    pub url: String,
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// Its id.
    pub id: String,
    /// As it was submitted.
    pub url: String,
    /// `queued`, `indexed`, `catalog`, `known`, `failed` or `gone`.
    pub status: String,
    /// Why it failed, or waits for another try.
    pub reason: Option<String>,
    /// The agent that its card became, or that has its URL already.
    pub agent_id: Option<AgentId>,
    /// How many entries of a catalogue are followed.
    pub entries: Option<u64>,
    /// When it was submitted.
    pub created_at: String,
    /// When it was looked at last.
    pub checked_at: Option<String>,
}
