//! The event stream, as the OpenAPI document describes it.

use serde_json::json;

use super::Topic;
use crate::openapi::parameters::{header, query, text};
use crate::openapi::{Operation, get};

pub(crate) fn operations() -> Vec<Operation> {
    let names = Topic::ALL.map(Topic::as_str).join("|");
    let topics = json!({"type": "string", "pattern": format!("^({names})(,({names}))*$")});
    vec![
        get("/v1/events", super::events)
            .named(
                "listen",
                "The event stream",
                "Server-sent events, as they happen, until the listener leaves: `event` is the kind, `id` the number, `data` \
                 JSON. The kinds and their members are in `/docs/EVENT_STREAM`.",
            )
            .with(query("topic", topics, "Which topics, by comma; all unless given."))
            .with(query("last_event_id", text(), "As `Last-Event-ID`, for those who cannot set a header."))
            .with(header("Last-Event-ID", text(), "The last event that the listener has: what came after it comes first."))
            .answers_with(200, "text/event-stream", "The stream."),
    ]
}
