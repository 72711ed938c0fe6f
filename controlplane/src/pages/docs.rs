//! The documents: the files of `docs/` that a reader of a running server needs, as pages and as they are written.

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use landline_wire::error::Code;
use maud::{PreEscaped, html};

use super::errors::errors_markdown;
use super::layout::{self, Head, Here};
use super::{markdown, text};
use crate::error::{Error, Result};
use crate::extract::PathText;
use crate::state::Exchange;

/// A document.
pub(super) struct Document {
    /// Path below `docs/`, without `.md`.
    pub(super) path: &'static str,
    /// What one finds in it, in a sentence.
    pub(super) about: &'static str,
    /// The file.
    text: &'static str,
}

macro_rules! documents {
    ($($path:literal $about:literal;)*) => {
        /// Every document, in reading order.
        pub(super) const DOCUMENTS: &[Document] = &[$(Document {
            path: $path,
            about: $about,
            text: include_str!(concat!("../../../docs/", $path, ".md")),
        },)*];
    };
}

documents! {
    "runbooks/nat-demo" "One agent in a container without a published port answers calls.";
    "runbooks/two-bot-nat-demo" "Two such agents call each other, and the calls appear on the network page.";
    "RELAY_WIRE_PROTOCOL" "The contract between an agent and the relay: every frame, rule and close code.";
    "HTTP_API" "Every endpoint: register, find, call, watch, administer.";
    "DISCOVERY" "How search and discovery find agents, what ranks them, and how well that works.";
    "PULSE" "When an agent counts as online, how that is found out, and what each verdict means.";
    "ARD" "The directory for others: an ARD registry, an AI Catalog, and an A2A agent that finds agents.";
    "LISTING" "How lists are ordered, what a good entry has, and how agents rise and fall.";
    "STATE_REPORT" "What an edition of the state report counts, what its words mean, and how to make one.";
    "AGENT_CARD" "What a card may say, how faults are named, and the history of replaced cards.";
    "extensions/service-class" "The A2A extension that says what it means when an agent does not answer.";
    "EVENT_STREAM" "The live feed: topics, kinds, their exact members, and how to resume.";
    "ERRORS" "Every error code, what it means and what to do.";
    "LIMITS" "Every bound, its value and its reason, what happens at it, and its counter.";
    "SECURITY" "What is trusted, what is kept, what is published and what never is.";
    "OPERATIONS" "Running it: settings, data, backups, metrics, several switches.";
    "LOADGEN" "Measuring a relay: the load generator's scenarios, and every figure it prints.";
    "perf/directory" "Searching 100,000 agents: how long it takes, and what it takes.";
    "perf/README" "How the switch is measured: beside what, and what of it is kept.";
    "perf/profile" "Where the CPU time goes under each load: shares of a process, and the functions that take most.";
    "conformance/ard" "What ARD's own tool says of the catalogue and of the registry.";
    "conformance/a2a-tck" "What A2A's own kit says of one server, directly and through the relay.";
    "conformance/autobahn" "What the Autobahn suite says of the WebSocket code.";
    "conformance/testssl" "What testssl.sh finds at a front door that speaks TLS.";
    "ARCHITECTURE" "How it is built: two planes, the crates, and a call's way through them.";
    "adr/0001-two-planes" "Why a control plane and a data plane, and what each may do.";
    "adr/0002-ids-sql-revocation-mailboxes" "Why ids, SQL, revocation and the cores' mailboxes are as they are.";
    "adr/0003-policies-are-pushed" "Why every switch knows who may call whom before anybody calls.";
    "adr/0004-resumable-streams" "Where a stream that can be resumed lives, and what is kept of it.";
    "adr/0005-tls" "Why TLS ends on the switch, and why its machine has no socket.";
    "adr/0006-records-on-disk" "Why records of calls go by way of a log on disk, and what of them can be lost when.";
}

/// The address that the documents name; a running server puts its own in its place.
const WRITTEN_FOR: &str = "http://127.0.0.1:7300";

impl Document {
    /// The Markdown, for a server that is reached at `public_url`.
    pub(super) fn markdown(&self, public_url: &str) -> String {
        match self.path {
            "ERRORS" => errors_markdown(),
            _ => self.text.replace(WRITTEN_FOR, public_url),
        }
    }

    /// The title.
    pub(super) fn title(&self) -> &'static str {
        markdown::title(self.text)
    }
}

/// `GET /docs/`
pub(super) async fn index() -> Response {
    let head = Head {
        title: "Documents",
        description: "How to use, speak to and run Landline.",
        here: Here::Docs,
        script: None,
    };
    let body = html! {
        h1 { "Documents" }
        p class="lede" {
            "How to use it, how to speak to it and how to run it. Each one is also there as Markdown: add "
            code { ".md" } " to its address."
        }
        ul class="index" {
            li {
                a href="/docs/api" { "Every operation" }
                p {
                    "The HTTP API, operation by operation, as the server describes it; for programs "
                    a href="/openapi.json" { "an OpenAPI 3.1 document" } "."
                }
            }
            @for document in DOCUMENTS {
                li {
                    a href=(format!("/docs/{}", document.path)) { (document.title()) }
                    p { (document.about) }
                }
            }
        }
    };
    layout::page(&head, body)
}

/// `GET /docs/{path}` and `GET /docs/{path}.md`
pub(super) async fn document(
    State(exchange): State<Exchange>,
    PathText(path): PathText,
    headers: HeaderMap,
) -> Result<Response> {
    serve(&exchange, &path, &headers)
}

/// `GET /runbooks/{name}` and `GET /runbooks/{name}.md`
pub(super) async fn runbook(
    State(exchange): State<Exchange>,
    PathText(name): PathText,
    headers: HeaderMap,
) -> Result<Response> {
    serve(&exchange, &format!("runbooks/{name}"), &headers)
}

/// `GET /extensions/{name}` and `GET /extensions/{name}.md`: the extensions of A2A that are published here. Their URIs are
/// these addresses.
pub(super) async fn extension(
    State(exchange): State<Exchange>,
    PathText(name): PathText,
    headers: HeaderMap,
) -> Result<Response> {
    serve(&exchange, &format!("extensions/{name}"), &headers)
}

fn serve(exchange: &Exchange, path: &str, headers: &HeaderMap) -> Result<Response> {
    let (stem, raw) = path.strip_suffix(".md").map_or((path, false), |stem| (stem, true));
    let document = DOCUMENTS
        .iter()
        .find(|document| document.path == stem)
        .ok_or_else(|| Error::new(Code::NotFound, "There is no such document; /docs/ lists them."))?;
    let source = document.markdown(&exchange.config.public_url);
    if raw {
        return Ok(text::answer(headers, text::MARKDOWN, source));
    }
    let folder = stem.rsplit_once('/').map_or("", |(folder, _)| folder);
    let head = Head { title: document.title(), description: document.about, here: Here::Docs, script: None };
    let body = html! {
        article class="prose" { (PreEscaped(markdown::to_html(&source, folder))) }
        p class="note" {
            a href=(format!("/docs/{stem}.md")) { "As Markdown" } " · " a href="/docs/" { "All documents" }
        }
    };
    Ok(layout::page(&head, body))
}
