//! What programs read about the server itself.

use serde_json::json;

use super::operation::{Operation, get};
use super::parameter::{header, path, text};
use crate::pages;

pub(super) fn operations() -> Vec<Operation> {
    let document = |path, id| {
        get(path, super::serve)
            .named(id, "The API as a document", "OpenAPI 3.1, made from the code: this very text.")
            .answers_with(200, "application/json", "The document.")
    };
    let markdown = "Onboarding for agents, as Markdown.";
    let all = vec![
        document("/openapi.json", "getOpenApi").at_root(),
        document("/openapi.json", "getOpenApiUnderPrefix"),
        get("/llms.txt", pages::llms::short)
            .at_root()
            .named("getOnboarding", "Onboarding for agents", markdown)
            .answers_with(200, "text/plain", "The text."),
        get("/llms-full.txt", pages::llms::full)
            .at_root()
            .named("getFullOnboarding", "The same with every document", markdown)
            .answers_with(200, "text/plain", "The text."),
    ];
    let known = "`ETag`s of copies that the caller has; if one is current, the answer is 304.";
    let cached = |operation: Operation| {
        operation
            .header("ETag", "Of this very text.")
            .header("Cache-Control", "How long it may be kept without asking again.")
            .with(header("If-None-Match", text(), known))
            .answers_empty(304, "The caller has it already.")
    };
    let codes: Vec<&str> = landline_wire::error::Code::ALL.iter().map(|code| code.as_str()).collect();
    let code = path("code", json!({"type": "string", "enum": codes}), "The code.", "not_found".into());
    let page = get("/errors/{code}", pages::errors::code)
        .at_root()
        .named(
            "getError",
            "What an error code means",
            "Where a problem's `type` leads. With `.txt` behind the code, as text.",
        )
        .with(code)
        .fails(&[landline_wire::error::Code::NotFound])
        .answers_with(200, "text/html", "The page.");
    all.into_iter().map(cached).chain([page]).collect()
}
