//! `/state-of-a2a/`: the editions of the state report that were published, as pages and as the files that they consist of.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_SECURITY_POLICY, HeaderValue};
use http::{HeaderMap, StatusCode};
use landline_api::time::rfc3339_ms;
use landline_wire::error::Code;
use maud::{PreEscaped, html};

use super::layout::{self, Head, Here};
use super::{markdown, text};
use crate::error::{Error, Result};
use crate::extract::PathText;
use crate::report::files::{json_name, markdown_name};
use crate::report::ops::{self, Published};
use crate::report::{Month, minute};
use crate::state::Exchange;

/// SVG.
const SVG: &str = "image/svg+xml";
/// A plot has its style in itself and takes nothing from anywhere.
const SVG_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

const ABOUT: &str = "Cross-sections of the directory: who is listed, who can be found, who answers and how fast.";

/// `GET /state-of-a2a/`
pub(super) async fn index(State(exchange): State<Exchange>) -> Result<Response> {
    let editions = ops::published(&exchange).await?;
    let head = Head { title: "State of A2A", description: ABOUT, here: Here::Docs, script: None };
    let body = html! {
        h1 { "State of A2A" }
        p class="lede" {
            (ABOUT) " Each share has its numerator and denominator, each word its definition, and what is not known is not "
            "shown as nothing."
        }
        @if editions.is_empty() {
            p { "No edition was published here yet. The operator makes one with " code { "landline report --publish" } "." }
        } @else {
            ul class="index" { @for edition in &editions { (entry(edition)) } }
        }
        p class="note" { "What is counted and how: " a href="/docs/STATE_REPORT" { "the state report" } "." }
    };
    Ok(layout::page(&head, body))
}

fn entry(edition: &Published) -> maud::Markup {
    let Published { month, revision, published_at, summary } = edition;
    html! {
        li {
            a href=(format!("/state-of-a2a/{month}")) { (month.name()) }
            p { (summary) }
            p {
                "Published at " (minute(&rfc3339_ms(*published_at)))
                @if *revision > 1 { ", revision " (revision) }
                ". "
                a href=(format!("/state-of-a2a/{}", json_name(*month))) { "JSON" } " · "
                a href=(format!("/state-of-a2a/{}", markdown_name(*month))) { "Markdown" }
            }
        }
    }
}

/// `GET /state-of-a2a/{edition}`, and the edition's files by their names.
pub(super) async fn file(
    State(exchange): State<Exchange>,
    PathText(name): PathText,
    headers: HeaderMap,
) -> Result<Response> {
    if let Ok(month) = name.parse::<Month>() {
        return page(&exchange, month).await;
    }
    let kinds = [(".json", text::JSON), (".md", text::MARKDOWN), (".svg", SVG)];
    let kind = kinds.iter().find(|(ending, _)| name.ends_with(ending));
    // A file's name begins with its month.
    let month = name.get(..7).and_then(|month| month.parse::<Month>().ok());
    let (Some((_, content_type)), Some(month)) = (kind, month) else { return Err(not_found(&name)) };
    let content = ops::file(&exchange, month, &name).await?.ok_or_else(|| not_found(&name))?;
    let mut response = text::answer(&headers, content_type, content);
    if *content_type == SVG && response.status() == StatusCode::OK {
        response.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(SVG_POLICY));
    }
    Ok(response)
}

async fn page(exchange: &Exchange, month: Month) -> Result<Response> {
    let report = ops::file(exchange, month, &markdown_name(month)).await?;
    let report = report.ok_or_else(|| not_found(&month.to_string()))?;
    let title = format!("State of A2A, {}", month.name());
    let head = Head { title: &title, description: ABOUT, here: Here::Docs, script: None };
    let body = html! {
        article class="prose edition" { (PreEscaped(markdown::to_html(&report, ""))) }
        p class="note" {
            a href=(format!("/state-of-a2a/{}", json_name(month))) { "As JSON" } " · "
            a href=(format!("/state-of-a2a/{}", markdown_name(month))) { "As Markdown" } " · "
            a href="/state-of-a2a/" { "All editions" }
        }
    };
    Ok(layout::page(&head, body).into_response())
}

fn not_found(name: &str) -> Error {
    let name: String = name.chars().take(40).collect();
    Error::new(Code::NotFound, format!("There is no {name:?} among the editions; /state-of-a2a/ lists them."))
}
