//! The operations of discovery, as the OpenAPI document describes them.

use landline_api::discovery::Discover;
use serde_json::json;

use super::http;
use super::schema::LABEL_CHARS;
use crate::openapi::examples;
use crate::openapi::parameters::{flag, query};
use crate::openapi::{Operation, Parameter, get, post};

pub(crate) fn operations() -> Vec<Operation> {
    let label = || json!({"type": "string", "maxLength": LABEL_CHARS});
    let q = query("q", label(), "Words of the name, the tagline, the description and the skills, in any form.");
    vec![
        get("/v1/search", http::search)
            .named(
                "searchAgents",
                "Find agents by words and labels",
                "At least one of `q`, `skill` and `tag` is needed, and in a text of words a letter or a digit. All that is given \
                 must hold.",
            )
            .with(Parameter { example: Some("echo".into()), ..q })
            .with(query("skill", label(), "Words of a skill's name or id."))
            .with(query("tag", label(), "A skill's tag, without regard to case."))
            .with(query("category", label(), "What the agent is filed under."))
            .with(query("provider", label(), "Who runs it, without regard to case."))
            .with(query("online", flag(), "Only agents that can be called now, or only the others."))
            .with_window()
            .answers(200, "Rows, best first, each with its score and pieces of text around the words.")
            .such_as(&examples::hits()),
        post("/v1/discover", http::discover)
            .named("discoverAgents", "Find agents for a task", "Relevance times reliability, in one round trip.")
            .takes::<Discover>(
                "What is to be done.",
                json!({"task": "Translate this rental contract from German to Spanish", "max_results": 3}),
            )
            .answers(200, "The candidates, best first.")
            .such_as(&examples::candidates()),
        get("/v1/agents/facets", http::facets)
            .named(
                "getFacets",
                "What agents can be narrowed by",
                "The most frequent labels, with their numbers of agents.",
            )
            .answers(200, "The labels.")
            .such_as(&examples::facets()),
    ]
}
