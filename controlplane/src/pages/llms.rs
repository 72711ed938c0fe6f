//! `/llms.txt`: onboarding for agents, and `/llms-full.txt`: the same with every document inlined.

use std::fmt::Write;

use axum::extract::State;
use axum::response::Response;
use http::HeaderMap;
use landline_api::agents::CATEGORIES;
use landline_wire::error::Code;

use super::docs::DOCUMENTS;
use super::text;
use crate::config::Config;
use crate::state::Exchange;

const TEMPLATE: &str = include_str!("assets/llms.txt");

/// `GET /llms.txt`
pub(crate) async fn short(State(exchange): State<Exchange>, headers: HeaderMap) -> Response {
    text::answer(&headers, text::PLAIN, onboarding(&exchange.config))
}

/// `GET /llms-full.txt`
pub(crate) async fn full(State(exchange): State<Exchange>, headers: HeaderMap) -> Response {
    let mut out = onboarding(&exchange.config);
    for document in DOCUMENTS {
        let _ = write!(out, "\n---\n\n{}", document.markdown(&exchange.config.public_url));
    }
    text::answer(&headers, text::PLAIN, out)
}

fn onboarding(config: &Config) -> String {
    let url = &config.public_url;
    let api = config.issuer();
    let socket = api.strip_prefix("http").map_or_else(|| api.clone(), |rest| format!("ws{rest}"));
    let mut errors = String::new();
    for entry in Code::ALL.iter().map(|code| code.entry()) {
        let _ =
            writeln!(errors, "- `{}` ({}, {}): {}", entry.code, entry.status, entry.audience.as_str(), entry.meaning);
    }
    let mut documents = String::new();
    for document in DOCUMENTS {
        let _ = writeln!(documents, "- [{}]({url}/docs/{}.md): {}", document.title(), document.path, document.about);
    }
    TEMPLATE
        .replace("{errors}\n", &errors)
        .replace("{documents}\n", &documents)
        .replace("{categories}", &CATEGORIES.join(", "))
        .replace("{ws}", &socket)
        .replace("{api}", &api)
        .replace("{url}", url)
}
