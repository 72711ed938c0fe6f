//! The operations of submissions, as the OpenAPI document describes them.

use landline_api::submissions::Submit;
use landline_wire::error::Code;
use serde_json::json;

use super::http;
use crate::openapi::examples;
use crate::openapi::parameters::{id, path};
use crate::openapi::{Operation, get, post};

pub(crate) fn operations() -> Vec<Operation> {
    let example = "0198c0de-7a11-7000-8000-0000005ab317".into();
    vec![
        post("/v1/submissions", http::submit)
            .named(
                "submitUrl",
                "Submit a URL where an agent is said to be",
                "Of a host, of an agent, of its card, or of an AI Catalog. It is looked at within seconds, and again each day.",
            )
            .takes::<Submit>("The URL.", json!({"url": "https://agents.example.org/.well-known/agent-card.json"}))
            .fails(&[Code::RuntimeUnreachable])
            .answers(202, "It will be looked at, or was before.").such_as(&examples::submission())
            .header("Location", "Where to see what became of it.")
            .leads_to(&[("getSubmission", "submission_id", "$response.body#/id")]),
        get("/v1/submissions/{submission_id}", http::get)
            .named("getSubmission", "What became of a submission", "Its status, and the agent that it led to.")
            .with(path("submission_id", id(), "The submission.", example))
            .fails(&[Code::NotFound, Code::InvalidQuery])
            .answers(200, "The submission.").such_as(&examples::submission()),
    ]
}
