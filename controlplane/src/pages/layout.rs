//! The shell around every page: head, navigation, footer, and the headers that keep a page to itself.

use axum::response::{IntoResponse, Response};
use http::HeaderName;
use http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use maud::{DOCTYPE, Markup, html};

use super::assets;
use crate::ard::catalog::WELL_KNOWN;
use crate::ard::http as ard;
use landline_api::ard::CATALOG_TYPE;

/// Which entry of the navigation a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Here {
    Home,
    Network,
    Docs,
    Errors,
}

const NAVIGATION: [(Here, &str, &str); 3] =
    [(Here::Network, "/network", "Network"), (Here::Docs, "/docs/", "Docs"), (Here::Errors, "/errors/", "Errors")];

/// Nothing from elsewhere, no inline script or style, no framing.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A page's head: what is different from page to page.
pub(super) struct Head<'a> {
    /// Without the product's name, which is added.
    pub(super) title: &'a str,
    /// One sentence for search engines and previews.
    pub(super) description: &'a str,
    /// The entry of the navigation that is marked as current.
    pub(super) here: Here,
    /// An asset that is run once the page is parsed.
    pub(super) script: Option<&'static str>,
}

/// A whole page.
pub(super) fn page(head: &Head<'_>, body: Markup) -> Response {
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title {
                    @if head.here == Here::Home { "Landline: " (head.title) } @else { (head.title) " · Landline" }
                }
                meta name="description" content=(head.description);
                meta name="theme-color" media="(prefers-color-scheme: light)" content="#f6f1e6";
                meta name="theme-color" media="(prefers-color-scheme: dark)" content="#14110d";
                link rel="ai-catalog" type=(CATALOG_TYPE) href=(WELL_KNOWN);
                link rel="icon" type="image/svg+xml" href=(assets::url("favicon.svg"));
                link rel="stylesheet" href=(assets::url("landline.css"));
                @if let Some(script) = head.script { script src=(assets::url(script)) defer {} }
            }
            body {
                a class="skip" href="#main" { "Skip to the content" }
                header class="top" {
                    a class="brand" href="/" aria-current=[(head.here == Here::Home).then_some("page")] {
                        (mark())
                        "Landline"
                    }
                    nav aria-label="Main" {
                        ul {
                            @for (here, path, label) in NAVIGATION {
                                li { a href=(path) aria-current=[(head.here == here).then_some("page")] { (label) } }
                            }
                        }
                    }
                }
                main id="main" tabindex="-1" { (body) }
                footer class="foot" {
                    span { "Landline " (env!("CARGO_PKG_VERSION")) }
                    a href="/llms.txt" { "For agents" }
                    a href="/docs/SECURITY" { "Security" }
                    a href="/docs/api" { "HTTP API" }
                }
            }
        }
    };
    let headers = [
        (CONTENT_TYPE, "text/html; charset=utf-8"),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, [ard::link()], markup.into_string()).into_response()
}

/// The sign: a jack, seen from the front.
fn mark() -> Markup {
    html! {
        svg viewBox="0 0 32 32" aria-hidden="true" focusable="false" {
            circle cx="16" cy="16" r="12.5" fill="none" stroke="currentColor" stroke-width="5" {}
            circle cx="16" cy="16" r="4" fill="currentColor" {}
        }
    }
}

/// A gauge of a row of figures. `id` is where the script puts the next value.
pub(super) fn gauge(id: &str, label: &str, value: &str) -> Markup {
    html! { div { dt { (label) } dd id=(id) { (value) } } }
}

/// Milliseconds for people: one decimal below ten, none above.
pub(super) fn short(value: f64) -> String {
    if value < 10.0 { format!("{value:.1}") } else { format!("{value:.0}") }
}

/// The same with its unit, or a dash where there is nothing to say.
pub(super) fn milliseconds(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{} ms", short(value)))
}
