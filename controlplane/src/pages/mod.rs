//! What people and agents read: pages, error texts, documents, examples. Owns no table; reads through the other slices'
//! `ops`. Everything it serves is in the binary.
//!
//! | route | what |
//! |---|---|
//! | `/` | what this is, three steps, live figures |
//! | `/network` | who holds a line, and the calls as they happen |
//! | `/docs/`, `/docs/{path}`, `/docs/{path}.md` | the documents, as pages and as the Markdown they are written in |
//! | `/docs/api` | every operation of the API |
//! | `/runbooks/{name}` | the runbooks among them |
//! | `/extensions/{name}` | the A2A extensions among them |
//! | `/errors/`, `/errors/{code}`, `/errors/{code}.txt` | the error catalogue |
//! | `/state-of-a2a/`, `/state-of-a2a/{edition}`, its files | the editions of the state report that were published |
//! | `/llms.txt`, `/llms-full.txt` | onboarding for agents; with every document inlined |
//! | `/examples/minimal_agent.py` | the reference agent, which dials this server by default |
//! | `/robots.txt` | what crawlers may read, and where the catalogue is |
//! | `/assets/{file}` | style, script and icon, named by their content |
//!
//! Invariants: a page is complete without its script; a page loads nothing from another origin (its
//! `Content-Security-Policy` says so); no text of an agent is ever markup.

mod api;
mod assets;
mod docs;
mod editions;
pub(crate) mod errors;
mod examples;
mod home;
mod layout;
pub(crate) mod llms;
mod markdown;
mod network;
mod robots;
mod shape;
pub(crate) mod text;

#[cfg(test)]
mod tests;

use axum::Router;
use axum::routing::get;

use crate::state::Exchange;

pub use errors::errors_markdown;

/// The routes of the pages, at the root of the origin.
pub fn routes() -> Router<Exchange> {
    Router::new()
        .route("/", get(home::page))
        .route("/network", get(network::page))
        .route("/docs", get(docs::index))
        .route("/docs/", get(docs::index))
        .route("/docs/api", get(api::page))
        .route("/docs/{*path}", get(docs::document))
        .route("/runbooks/{name}", get(docs::runbook))
        .route("/extensions/{name}", get(docs::extension))
        .route("/extensions/{name}/", get(docs::extension))
        .route("/errors", get(errors::index))
        .route("/errors/", get(errors::index))
        .route("/errors/{code}", get(errors::code))
        .route("/state-of-a2a", get(editions::index))
        .route("/state-of-a2a/", get(editions::index))
        .route("/state-of-a2a/{file}", get(editions::file))
        .route("/llms.txt", get(llms::short))
        .route("/llms-full.txt", get(llms::full))
        .route("/robots.txt", get(robots::robots))
        .route("/examples/minimal_agent.py", get(examples::minimal_agent))
        .route("/assets/{file}", get(assets::file))
}
