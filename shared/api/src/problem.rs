//! The problem document (RFC 9457), as a client reads it.

use serde::{Deserialize, Serialize};

#[cfg(feature = "schema")]
use crate::schema;

/// An error of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProblemDocument {
    /// URI of the error's page; its last segment is `code`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it is, in general.
    pub title: String,
    /// HTTP status.
    #[cfg_attr(feature = "schema", schemars(range(min = 400, max = 599)))]
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// The path that failed.
    pub instance: String,
    /// The stable code.
    pub code: String,
    /// `agent`: the program can act; `human`: a person has to.
    #[cfg_attr(feature = "schema", schemars(with = "schema::Audience"))]
    pub audience: String,
    /// May the same request succeed later?
    pub retryable: bool,
    /// Seconds to wait.
    pub retry_after_seconds: Option<u32>,
    /// Values that would pass.
    pub suggestions: Vec<String>,
    /// The nearest of them.
    pub did_you_mean: Option<String>,
    /// What to do next.
    pub next_action: NextAction,
    /// What is at fault.
    pub params_hint: ParamsHint,
    /// Quote it to the operator.
    pub request_id: String,
    /// Where the error is explained.
    pub docs_url: String,
    /// Where an agent reads how everything works.
    pub llms_url: String,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NextAction {
    /// One of the closed set, such as `fix_field` or `wait`.
    pub kind: String,
    /// With which endpoint.
    pub endpoint: Option<String>,
}

/// What is at fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ParamsHint {
    /// A JSON path, parameter or header.
    pub field: Option<String>,
}
