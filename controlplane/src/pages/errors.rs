//! The error catalogue for readers: pages, texts, and the reference that `docs/ERRORS.md` is generated from.

use std::fmt::Write;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use landline_wire::close;
use landline_wire::error::Code;
use maud::{Markup, PreEscaped, html};

use super::layout::{self, Head, Here};
use super::{markdown, text};
use crate::error::{Error, Result};
use crate::extract::PathText;
use crate::state::Exchange;

/// The close codes of a line, in the order of the reference.
const CLOSE_CODES: [u16; 11] = [
    close::NORMAL,
    close::GOING_AWAY,
    close::PROTOCOL_ERROR,
    close::UNSUPPORTED_DATA,
    close::TOO_BIG,
    close::TRY_AGAIN_LATER,
    close::REPLACED,
    close::INVALID_TOKEN,
    close::BLOCKED,
    close::CAP_REACHED,
    close::ORIGIN,
];

/// `docs/ERRORS.md`: the whole catalogue as one document.
pub fn errors_markdown() -> String {
    let mut out = String::from(
        "# Errors\n\n\
         Every failed request of the HTTP API is answered with an RFC 9457 problem document \
         (`application/problem+json`). Its `code` is stable: programs act on it. Each code has a page at \
         `/errors/{code}`, which is also the document's `type`, and a plain text at `/errors/{code}.txt`.\n\n\
         Every member is always there, null where it has nothing to say: `type`, `title`, `status`, `detail`, `instance`, \
         `code`, `audience` (`agent`: the program can correct itself; `human`: a person has to look), `retryable`, \
         `retry_after_seconds` (also sent as `Retry-After`), `suggestions`, `did_you_mean`, `next_action` (`kind` and \
         `endpoint`), `params_hint` (`field`), `request_id`, `docs_url`, `llms_url`.\n\n\
         `next_action.kind` is one of `refresh_token`, `rename`, `fix_field`, `wait`, `retry`, `upgrade_plan`, \
         `lookup_alternative`, `escalate`, `none`.\n\n\
         ## Codes\n\n\
         | code | status | audience | retryable | next action |\n|---|---|---|---|---|\n",
    );
    for entry in Code::ALL.iter().map(|code| code.entry()) {
        let _ = writeln!(
            out,
            "| [`{}`](#{}) | {} | {} | {} | `{}` |",
            entry.code,
            markdown::slug(entry.code),
            entry.status,
            entry.audience.as_str(),
            yes(entry.retryable),
            entry.next_action.as_str(),
        );
    }
    for entry in Code::ALL.iter().map(|code| code.entry()) {
        let _ = write!(out, "\n### `{}`\n\n{} {}\n", entry.code, entry.meaning, entry.remedy);
    }
    out.push_str(
        "\n## Close codes of a line\n\n\
         A line is a WebSocket; it ends with one of these. An agent may dial again by itself where the last column says \
         so, after a pause with full jitter of 0.5 to 30 seconds; after the others a person has to act.\n\n\
         | code | reason | dial again |\n|---|---|---|\n",
    );
    for code in CLOSE_CODES {
        let _ = writeln!(out, "| {code} | {} | {} |", close::reason(code), yes(close::redial(code)));
    }
    out
}

fn yes(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}

/// `GET /errors/`
pub(super) async fn index() -> Response {
    let head = Head {
        title: "Errors",
        description: "Every error code of the API: what it means and what to do.",
        here: Here::Errors,
        script: None,
    };
    layout::page(&head, html! { article class="prose" { (PreEscaped(markdown::to_html(&errors_markdown(), ""))) } })
}

/// `GET /errors/{code}` and `GET /errors/{code}.txt`
pub(crate) async fn code(
    State(exchange): State<Exchange>,
    PathText(path): PathText,
    headers: HeaderMap,
) -> Result<Response> {
    let (name, plain) = path.strip_suffix(".txt").map_or((path.as_str(), false), |name| (name, true));
    let code = Code::parse(name).ok_or_else(|| Error::new(Code::NotFound, "There is no such error code."))?;
    if plain {
        return Ok(text::answer(&headers, text::PLAIN, as_text(code, &exchange.config.public_url)));
    }
    let entry = code.entry();
    let head = Head { title: entry.code, description: entry.meaning, here: Here::Errors, script: None };
    Ok(layout::page(&head, as_page(code)))
}

fn as_page(code: Code) -> Markup {
    let entry = code.entry();
    html! {
        article class="prose" {
            h1 { (entry.title) }
            p class="lede" { (inline(entry.meaning)) }
            h2 { "What to do" }
            p { (inline(entry.remedy)) }
            h2 { "The code" }
            dl class="facts" {
                dt { "code" } dd { code { (entry.code) } }
                dt { "HTTP status" } dd { (entry.status) }
                dt { "who can act" } dd { (entry.audience.as_str()) }
                dt { "same request later" } dd { @if entry.retryable { "may succeed" } @else { "fails again" } }
                dt { "next action" } dd { code { (entry.next_action.as_str()) } }
            }
            p class="note" {
                a href=(format!("/errors/{}.txt", entry.code)) { "As plain text" } " · "
                a href="/errors/" { "All codes" }
            }
        }
    }
}

/// A sentence whose only markup are backticks.
pub(super) fn inline(sentence: &str) -> Markup {
    html! {
        @for (index, piece) in sentence.split('`').enumerate() {
            @if index % 2 == 1 { code { (piece) } } @else { (piece) }
        }
    }
}

fn as_text(code: Code, public_url: &str) -> String {
    let entry = code.entry();
    format!(
        "{}\n{}\n\nstatus: {}\naudience: {}\nretryable: {}\nnext_action: {}\n\nWhen: {}\nDo: {}\n\nAll codes: \
         {public_url}/docs/ERRORS.md\n",
        entry.code,
        entry.title,
        entry.status,
        entry.audience.as_str(),
        yes(entry.retryable),
        entry.next_action.as_str(),
        entry.meaning,
        entry.remedy,
    )
}
