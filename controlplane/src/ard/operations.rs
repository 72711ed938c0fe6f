//! The operations of the registry and the catalogue, as the OpenAPI document describes them.

use landline_api::ard::{CATALOG_TYPE, ExploreRequest, Failure, ListResponse, SearchRequest};
use landline_wire::error::Code;
use serde_json::json;

use super::http;
use crate::openapi::parameters::{path, query, text};
use crate::openapi::{Dialect, Operation, get, post, schema_of};

/// The standard's own failures: what does not pass is 400.
const STANDARD: Dialect = Dialect { name: "ard", schema: schema_of::<Failure>, status };

fn status(code: Code) -> u16 {
    if code == Code::InvalidQuery { 400 } else { code.status() }
}

pub(crate) fn operations() -> Vec<Operation> {
    // Above 100 it is 100, as the standard leaves it.
    let size = json!({"type": "integer", "minimum": 1, "maximum": u32::MAX});
    let token = "The `pageToken` of the page before.";
    vec![
        post("/ard/search", http::search)
            .named(
                "searchRegistry",
                "Entries for a text",
                "Agentic Resource Discovery 0.9: entries by words and filters, best first.",
            )
            .takes::<SearchRequest>(
                "What is looked for.",
                json!({"query": {"text": "translate letters"}, "federation": "none"}),
            )
            .speaks(STANDARD)
            .answers(200, "A page of entries."),
        post("/ard/explore", http::explore)
            .named(
                "exploreRegistry",
                "Entries, counted",
                "Agentic Resource Discovery 0.9: the values of fields, with how many entries have them.",
            )
            .takes::<ExploreRequest>("What is to be counted.", json!({"resultType": {"facets": [{"field": "type"}]}}))
            .speaks(STANDARD)
            .answers(200, "The counts."),
        get("/ard/agents", http::agents)
            .named("browseRegistry", "All entries", "Agentic Resource Discovery 0.9: entries in an order, by a filter.")
            .with(query(
                "filter",
                text(),
                "Comparisons with AND between them, such as `displayName = 'Sum' AND updatedAfter > '2026-01-01'`.",
            ))
            .with(query("orderBy", text(), "Such as `displayName` or `updatedAt DESC`."))
            .with(query("pageSize", size, "Entries of a page, 20 unless given."))
            .with(query("pageToken", text(), token))
            .speaks(STANDARD)
            .answers_json::<ListResponse>(200, "A page of entries.")
            .header("Cache-Control", "How long it may be kept."),
        get("/.well-known/ai-catalog.json", http::catalog)
            .at_root()
            .named(
                "getCatalog",
                "The AI Catalog of this origin",
                "AI Catalog 1.0: the registry, and the agents or the parts that have them.",
            )
            .answers_with(200, CATALOG_TYPE, "The catalogue."),
        get("/.well-known/ai-catalog/{shelf}", http::part)
            .at_root()
            .named("getCatalogPart", "A part of the catalogue", "Where the catalogue is too large for one document.")
            .with(path("shelf", text(), "As the catalogue names it.", "all.json".into()))
            .fails(&[Code::NotFound])
            .answers_with(200, CATALOG_TYPE, "The part."),
    ]
}
