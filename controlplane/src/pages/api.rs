//! `/docs/api`: the operations for people, from the tables and the document that programs read.

use axum::extract::State;
use axum::response::Response;
use landline_wire::error::Code;
use maud::{Markup, PreEscaped, html};
use serde_json::Value;

use super::errors::inline;
use super::layout::{self, Head, Here};
use super::{markdown, shape};
use crate::openapi::{self, Body, Operation, Section, Who};
use crate::state::Exchange;

/// `GET /docs/api`
pub(super) async fn page(State(exchange): State<Exchange>) -> Response {
    let sections = openapi::sections();
    let document: Value = serde_json::from_str(exchange.openapi()).unwrap_or_default();
    let site = Site { url: &exchange.config.public_url, prefix: &exchange.config.prefix };
    let head = Head {
        title: "Every operation",
        description: "The HTTP API, operation by operation: parameters, bodies, answers, and a line to try each with.",
        here: Here::Docs,
        script: None,
    };
    let body = html! {
        h1 { "Every operation" }
        p class="lede" {
            "The HTTP API as the server itself describes it. For programs the same is "
            a href="/openapi.json" { "an OpenAPI 3.1 document" } "; in prose it is in " a href="/docs/HTTP_API" { "The HTTP API" } "."
        }
        div class="prose" { (PreEscaped(markdown::to_html(&openapi::about(&exchange.config), ""))) }
        (contents(&sections, &site))
        @for section in &sections {
            h2 id=(markdown::slug(section.name)) { (section.name) }
            p { (section.about) }
            @for operation in &section.operations { (describe(operation, &site)) }
        }
        h2 id="everywhere" { "What every request can meet" }
        p { "Whatever is asked, before anything of its own is looked at." }
        (failures(&openapi::EVERYWHERE))
        h2 id="shapes" { "Shapes" }
        p { "What the bodies are made of." }
        (shape::all(&document["components"]["schemas"]))
    };
    layout::page(&head, body)
}

/// Where the API is.
struct Site<'a> {
    url: &'a str,
    prefix: &'a str,
}

fn contents(sections: &[Section], site: &Site<'_>) -> Markup {
    html! {
        div class="scroll" role="region" aria-label="Operations" tabindex="0" {
            table {
                thead { tr { th { "what" } th { "request" } th { "who" } } }
                tbody {
                    @for operation in sections.iter().flat_map(|section| &section.operations) {
                        tr {
                            td { a href=(format!("#{}", operation.id)) { (operation.title) } }
                            td { code { (verb(operation)) " " (openapi::template(operation, site.prefix)) } }
                            td { (who(operation.who)) }
                        }
                    }
                }
            }
        }
    }
}

/// The operation's method, or a word for several.
fn verb(operation: &Operation) -> &'static str {
    match operation.methods {
        [one] => one,
        _ => "ANY",
    }
}

fn who(who: Who) -> &'static str {
    match who {
        Who::Anyone => "anyone",
        Who::Caller => "an agent, with its API key or a token",
        Who::CallerUnlessPublic => "an agent; anyone if the called one is public",
        Who::KeyHolder => "an agent, with its API key",
        Who::Owner => "the agent itself, with its API key",
        Who::Admin => "the operator",
    }
}

fn describe(operation: &Operation, site: &Site<'_>) -> Markup {
    html! {
        section class="operation" aria-labelledby=(operation.id) {
            h3 id=(operation.id) { (operation.title) }
            p class="route" {
                b { (verb(operation)) } " " code { (openapi::template(operation, site.prefix)) }
            }
            p { (inline(operation.about)) }
            p class="note" {
                "Who: " (who(operation.who)) ". Name: " code { (operation.id) } "."
                @if operation.methods.len() > 1 { " Methods: " (operation.methods.join(", ")) "." }
            }
            (parameters(operation))
            @if let Some(body) = &operation.body { (taken(body)) }
            (answers(operation))
            pre aria-label="A line to try it with" tabindex="0" { code { (curl(operation, site)) } }
        }
    }
}

fn parameters(operation: &Operation) -> Markup {
    html! {
        @if !operation.parameters.is_empty() {
            div class="scroll" role="region" aria-label="Parameters" tabindex="0" {
                table {
                    thead { tr { th { "parameter" } th { "in" } th { "what" } th { "may be" } } }
                    tbody {
                        @for parameter in &operation.parameters {
                            tr {
                                td { code { (parameter.name) } @if parameter.required { " (required)" } }
                                td { (parameter.place.as_str()) }
                                td { (inline(parameter.about)) }
                                td { (shape::of(&parameter.schema)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn taken(body: &Body) -> Markup {
    html! {
        p {
            "Body" @if !body.required { " (not required)" } ": "
            @match body.schema {
                Some(schema) => { (shape::of(&openapi::schema(schema))) ". " }
                None => "",
            }
            (inline(body.about))
        }
    }
}

fn answers(operation: &Operation) -> Markup {
    let own: Vec<Code> =
        operation.failures.iter().copied().filter(|code| !openapi::EVERYWHERE.contains(code)).collect();
    html! {
        div class="scroll" role="region" aria-label="Answers" tabindex="0" {
            table {
                thead { tr { th { "status" } th { "answer" } } }
                tbody {
                    @for answer in &operation.answers {
                        tr {
                            td { @if answer.status == openapi::ANY_STATUS { "any" } @else { (answer.status) } }
                            td {
                                (inline(answer.about))
                                @if let Some((media, schema)) = answer.content {
                                    " "
                                    @match schema {
                                        Some(schema) => (shape::of(&openapi::schema(schema))),
                                        None => code { (media) },
                                    }
                                }
                            }
                        }
                    }
                    @for (status, codes) in openapi::by_status(&own) { (failure(status, &codes)) }
                    tr { td { "others" } td { a href="#everywhere" { "what every request can meet" } } }
                }
            }
        }
        @for example in operation.answers.iter().filter_map(|answer| answer.example.as_ref()).take(1) {
            details {
                summary { "An answer" }
                pre tabindex="0" { code { (pretty(example)) } }
            }
        }
    }
}

fn failures(codes: &[Code]) -> Markup {
    html! {
        div class="scroll" role="region" aria-label="Failures" tabindex="0" {
            table {
                thead { tr { th { "status" } th { "code" } } }
                tbody { @for (status, codes) in openapi::by_status(codes) { (failure(status, &codes)) } }
            }
        }
    }
}

fn failure(status: u16, codes: &[Code]) -> Markup {
    html! {
        tr {
            td { (status) }
            td {
                @for (index, code) in codes.iter().enumerate() {
                    @if index > 0 { ", " }
                    a href=(format!("/errors/{code}")) { code { (code) } }
                }
            }
        }
    }
}

/// JSON as people write it.
fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

/// Characters of a body that stands in one line.
const ONE_LINE: usize = 80;

/// A line that makes the request; what the reader has to fill in are variables of the shell.
fn curl(operation: &Operation, site: &Site<'_>) -> String {
    let path = openapi::template(operation, site.prefix);
    let mut url = String::new();
    for (index, piece) in path.split(['{', '}']).enumerate() {
        // What stands between braces is a variable.
        url.push_str(&if index % 2 == 1 { format!("${}", piece.to_uppercase()) } else { piece.to_owned() });
    }
    let query = operation.parameters.iter().filter(|one| one.place == openapi::Place::Query);
    let query: Vec<String> =
        query.filter_map(|one| Some(format!("{}={}", one.name, one.example.as_ref()?.as_str()?))).collect();
    let mut line = String::from("curl");
    let method = if operation.methods.len() > 1 { "POST" } else { operation.methods[0] };
    match method {
        "GET" => {}
        method => line.push_str(&format!(" -X {method}")),
    }
    line.push_str(&format!(" \"{}{url}", site.url));
    if !query.is_empty() {
        line.push_str(&format!("?{}", query.join("&")));
    }
    line.push('"');
    let secret = match operation.who {
        Who::Anyone => None,
        Who::Admin => Some("$ADMIN_TOKEN"),
        _ => Some("$API_KEY"),
    };
    if let Some(secret) = secret {
        line.push_str(&format!(" \\\n  -H \"Authorization: Bearer {secret}\""));
    }
    if let Some(body) = &operation.body {
        line.push_str(&format!(" \\\n  -H \"Content-Type: {}\"", body.media));
        if let Some(example) = &body.example {
            let example = if example.to_string().len() > ONE_LINE { pretty(example) } else { example.to_string() };
            line.push_str(&format!(" \\\n  -d '{example}'"));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_to_try_has_what_the_operation_needs() {
        let site = Site { url: "https://relay.example", prefix: "/connect" };
        let sections = openapi::sections();
        let operations = || sections.iter().flat_map(|section| &section.operations);
        let line = |id: &str| curl(operations().find(|operation| operation.id == id).unwrap(), &site);
        assert_eq!(line("getFacets"), "curl \"https://relay.example/connect/v1/agents/facets\"");
        assert_eq!(line("searchAgents"), "curl \"https://relay.example/connect/v1/search?q=echo\"");
        assert_eq!(
            line("blockAgent"),
            "curl -X POST \"https://relay.example/connect/v1/admin/agents/$AGENT_ID/block\" \\\n  \
             -H \"Authorization: Bearer $ADMIN_TOKEN\" \\\n  -H \"Content-Type: application/json\" \\\n  \
             -d '{\"reason\":\"It sends what nobody asked for.\"}'"
        );
        for operation in operations() {
            let line = curl(operation, &site);
            assert_eq!(line.matches('\'').count() % 2, 0, "{line}");
            assert!(line.matches('\'').count() <= 2, "a quote in an example ends the shell's: {line}");
        }
    }
}
