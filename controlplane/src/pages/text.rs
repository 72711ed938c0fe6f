//! Answers that are one text: with a validator, so that who has it already is not sent it again.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};

use super::assets::fingerprint;

/// Markdown, RFC 7763.
pub(super) const MARKDOWN: &str = "text/markdown; charset=utf-8";
/// Plain text.
pub(super) const PLAIN: &str = "text/plain; charset=utf-8";
/// Python.
pub(super) const PYTHON: &str = "text/x-python; charset=utf-8";

/// The text, or 304 if `request` shows that the client has it.
pub(crate) fn answer(request: &HeaderMap, content_type: &'static str, text: String) -> Response {
    let tag = format!("\"{}\"", fingerprint(&text));
    let has_it = request.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == tag || one == "*")
    });
    let headers = [(ETAG, tag), (CACHE_CONTROL, "public, max-age=300".to_owned())];
    if has_it {
        (StatusCode::NOT_MODIFIED, headers).into_response()
    } else {
        (headers, [(CONTENT_TYPE, content_type)], text).into_response()
    }
}
