//! Parameters of operations: in the path, the query and the headers.

use landline_wire::ids::AgentId;
use schemars::JsonSchema;
use serde_json::{Value, json};

use crate::extract::{DEFAULT_LIMIT, MAX_LIMIT};

/// Where a parameter stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
    Header,
}

impl Place {
    /// The word of OpenAPI.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Query => "query",
            Self::Header => "header",
        }
    }
}

/// A parameter.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    /// As it is written in the request.
    pub(crate) name: &'static str,
    /// Where it stands.
    pub(crate) place: Place,
    /// Is there no request without it? Always so in a path.
    pub(crate) required: bool,
    /// What may be given.
    pub(crate) schema: Value,
    /// What it does.
    pub(crate) about: &'static str,
    /// One that passes.
    pub(crate) example: Option<Value>,
}

impl Parameter {
    /// As OpenAPI has it.
    pub(crate) fn json(&self) -> Value {
        let mut out = json!({
            "name": self.name,
            "in": self.place.as_str(),
            "required": self.required,
            "description": self.about,
            "schema": self.schema,
        });
        if let Some(example) = &self.example {
            out["example"] = example.clone();
        }
        out
    }
}

/// An id that the examples name: of nobody.
pub(crate) const EXAMPLE_ID: &str = "0198c0de-7a11-7000-8000-00000000a11c";

/// The schema of an id.
pub(crate) fn id() -> Value {
    AgentId::json_schema(&mut schemars::SchemaGenerator::default()).to_value()
}

/// A variable of the path.
pub(crate) fn path(name: &'static str, schema: Value, about: &'static str, example: Value) -> Parameter {
    Parameter { name, place: Place::Path, required: true, schema, about, example: Some(example) }
}

/// `{agent_id}`
pub(crate) fn agent_id() -> Parameter {
    path("agent_id", id(), "The agent.", EXAMPLE_ID.into())
}

/// `{n}`: a card's number.
pub(crate) fn card_number() -> Parameter {
    let schema = json!({"type": "integer", "format": "int64", "minimum": 1, "maximum": i64::MAX});
    path("n", schema, "The card's number among the agent's cards, from 1.", 1.into())
}

/// A parameter of the query that need not be given.
pub(crate) fn query(name: &'static str, schema: Value, about: &'static str) -> Parameter {
    Parameter { name, place: Place::Query, required: false, schema, about, example: None }
}

/// A header that need not be given.
pub(crate) fn header(name: &'static str, schema: Value, about: &'static str) -> Parameter {
    Parameter { name, place: Place::Header, required: false, schema, about, example: None }
}

/// `limit`
pub(crate) fn limit() -> Parameter {
    let schema = json!({"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT});
    query("limit", schema, "At most so many items.")
}

/// `offset`
pub(crate) fn offset() -> Parameter {
    let schema = json!({"type": "integer", "minimum": 0, "maximum": i32::MAX, "default": 0});
    query("offset", schema, "After so many items.")
}

/// One of these words.
pub(crate) fn words(words: &[&str]) -> Value {
    json!({"type": "string", "enum": words})
}

/// Yes or no, in any of its spellings.
pub(crate) fn flag() -> Value {
    words(&["true", "false", "1", "0"])
}

/// A time: RFC 3339, or unix milliseconds.
pub(crate) fn time() -> Value {
    json!({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "integer", "format": "int64"}]})
}

/// A text.
pub(crate) fn text() -> Value {
    json!({"type": "string"})
}
