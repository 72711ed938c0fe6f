//! The API as a document for programs: OpenAPI 3.1, made from the code. Owns no table.
//!
//! Each slice has a table of its operations (`operations.rs`), a row for each of its routes; a row names the handler, whose
//! signature tells what it takes and gives ([`handler`]). Schemas are those of the serde types of `landline-api`, failures
//! those of the error catalogue, and what a card may hold comes from the tables that cards are held against. A test walks
//! the router and the document in both directions, so that neither has what the other has not.
//!
//! To add an operation: a route in the router, and a row in its slice's table. A new slice has a table of its own, and a
//! section in [`sections`]; new types derive their schema as the others of `landline-api` do.
//!
//! | route | |
//! |---|---|
//! | `GET /openapi.json` | the document, at the root and under the prefix |

mod document;
pub(crate) mod examples;
mod handler;
mod operation;
mod operations;
mod parameter;

#[cfg(test)]
mod tests;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use landline_wire::limits::{MAX_BODY_BYTES, MAX_HEADER_BYTES};
use serde_json::{Value, json};

pub(crate) use document::{by_status, template};
pub(crate) use handler::{SchemaOf, schema_of};
pub(crate) use operation::{
    ANY_STATUS, Body, Dialect, EVERYWHERE, MISSING, Operation, Who, delete, get, patch, post, put,
};
pub(crate) use parameter::{Parameter, Place};
pub(crate) mod parameters {
    //! Makers of parameters.
    pub(crate) use super::parameter::{agent_id, flag, header, id, limit, path, query, text, time, words};
}

use crate::config::Config;
use crate::state::Exchange;
use crate::{a2a, agents, ard, auth, discovery, events, moderation, pages, relay, submissions};

/// Operations that belong together.
pub(crate) struct Section {
    /// The tag.
    pub(crate) name: &'static str,
    /// What they are for.
    pub(crate) about: &'static str,
    /// In reading order.
    pub(crate) operations: Vec<Operation>,
}

impl Section {
    fn json(&self) -> Value {
        json!({"name": self.name, "description": self.about})
    }
}

/// Every operation, in reading order.
pub(crate) fn sections() -> Vec<Section> {
    let section = |name, about, operations| Section { name, about, operations };
    vec![
        section("Directory", "Register an agent, and see what there is.", agents::operations()),
        section("Discovery", "Find an agent for what is to be done.", discovery::operations()),
        section("Submissions", "Agents that their own hosts describe.", submissions::operations()),
        section("Credentials", "API keys and tokens.", auth::operations()),
        section("Calls", "Call an agent, and see what was called.", relay::operations()),
        section("Registry", "The directory as a registry of Agentic Resource Discovery, and as an A2A agent.", {
            ard::operations().into_iter().chain(a2a::operations()).collect()
        }),
        section("Events", "What happens, as it happens.", events::operations()),
        section("Administration", "For the operator.", moderation::operations()),
        section("Documents", "What programs read about the server itself.", operations::operations()),
    ]
}

/// What holds for all operations, as Markdown.
pub(crate) fn about(config: &Config) -> String {
    include_str!("about.md")
        .replace("{json_bytes}", &config.max_json_bytes.to_string())
        .replace("{header_bytes}", &MAX_HEADER_BYTES.to_string())
        .replace("{body_bytes}", &MAX_BODY_BYTES.to_string())
}

/// The schema of a type of the API; of a named one a reference to its definition.
pub(crate) fn schema(of: SchemaOf) -> Value {
    of(&mut document::settings().for_serialize().into_generator()).to_value()
}

/// The document of a server with these settings.
pub(crate) fn document(config: &Config) -> Value {
    document::document(&config.origin(), &about(config))
}

/// `GET /openapi.json`
pub(crate) async fn serve(State(exchange): State<Exchange>, headers: HeaderMap) -> Response {
    pages::text::answer(&headers, "application/json", exchange.openapi().to_owned())
}
