//! Submissions: URLs at which there is said to be an agent, or a catalogue of agents.

use landline_wire::ids::AgentId;
use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use crate::schema;

/// Body of `POST /v1/submissions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Submit {
    /// Of a host, of an agent there, of a card or of a catalogue.
    #[cfg_attr(feature = "schema", schemars(with = "schema::HttpUrl"))]
    pub url: String,
}

/// What became of a submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Submission {
    /// Its id.
    #[cfg_attr(feature = "schema", schemars(with = "uuid::Uuid"))]
    pub id: String,
    /// As it was submitted.
    pub url: String,
    /// What became of it.
    #[cfg_attr(feature = "schema", schemars(with = "schema::SubmissionStatus"))]
    pub status: String,
    /// Why it failed, or waits for another try.
    pub reason: Option<String>,
    /// The agent that its card became, or that has its URL already.
    pub agent_id: Option<AgentId>,
    /// How many entries of a catalogue are followed.
    pub entries: Option<u64>,
    /// When it was submitted.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Time"))]
    pub created_at: String,
    /// When it was looked at last.
    #[cfg_attr(feature = "schema", schemars(with = "Option<schema::Time>"))]
    pub checked_at: Option<String>,
}
