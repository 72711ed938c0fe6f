//! The operations of calls, as the OpenAPI document describes them. Those below `/relay` and `/ws` are served by a switch.

use landline_api::Feed;
use landline_api::relay::{RelayLog, RelayStatus};
use landline_api::schema::AgentCard;
use landline_wire::error::Code;
use landline_wire::limits::CALL_TIMEOUT_MS;
use serde_json::{Value, json};

use super::http;
use crate::agents::card_http as cards;
use crate::openapi::examples;
use crate::openapi::parameters::{agent_id, header, id, limit, path, query, text, time, words};
use crate::openapi::{ANY_STATUS, Body, Operation, Parameter, Who, get};

/// Every method that reaches an agent.
const ANY: &[&str] = &["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/// With what a call can fail besides.
const OF_CALLS: [Code; 15] = [
    Code::NotAuthorized,
    Code::TargetBlocked,
    Code::AgentNotConnected,
    Code::NotFound,
    Code::Gone,
    Code::InvalidQuery,
    Code::BodyTooLarge,
    Code::UploadTimeout,
    Code::GatewayUnavailable,
    Code::AgentTimeout,
    Code::AgentError,
    Code::BadAnswer,
    Code::FlowControl,
    Code::RateLimited,
    Code::Overloaded,
];

pub(crate) fn operations() -> Vec<Operation> {
    [calls(), ours(), records()].into_iter().flatten().collect()
}

/// A call of an agent.
fn call(operation: Operation) -> Operation {
    let timeout = json!({"type": "integer", "minimum": 1, "maximum": CALL_TIMEOUT_MS});
    let about = "Appears in the call's record if it is 1 to 64 of `[A-Za-z0-9/._-]`, and is left out otherwise.";
    let mut operation = operation
        .by(Who::CallerUnlessPublic)
        .fails(&OF_CALLS)
        .with(header(
            "X-Relay-Timeout-Ms",
            timeout,
            "Milliseconds for the agent to answer, if those are less than usual.",
        ))
        .with(header("X-A2A-Method", text(), about))
        .with(header("X-Agent-Authorization", text(), "Reaches the agent as `Authorization`."));
    let about = "Anything: it reaches the agent as it is.";
    let example = json!({"hello": "from bob"});
    operation.body =
        Some(Body { media: "application/json", schema: None, example: Some(example), required: false, about });
    operation
}

fn calls() -> Vec<Operation> {
    let as_message = "`message`: the body is sent as an A2A message. Only for an agent that is called at its own URL.";
    let whole = || {
        call(Operation::new(ANY, "/relay/{agent_id}").with(agent_id()))
            .with(header("X-Landline-As", text(), as_message))
            .named(
                "call",
                "Call an agent",
                "The body goes to the agent as it is, and its answer comes back: any status, an allow-list of headers, and \
                 the body. Nothing is queued and nothing is tried again.",
            )
    };
    let below = path("path", json!({"type": "string", "minLength": 1}), "A path of the agent's own.", "tasks".into());
    let stream = "The id of the last event that the caller has. Without a body, the stream of then goes on after it.";
    vec![
        whole().answers_empty(ANY_STATUS, AGENTS_OWN),
        call(Operation::new(ANY, "/relay/{agent_id}/{*path}").with(agent_id()).with(below))
            .named(
                "callPath",
                "Call an agent below its address",
                "The same, with a path and a query of the agent's own.",
            )
            .answers_empty(ANY_STATUS, AGENTS_OWN),
        call(Operation::new(&["POST"], "/relay/{agent_id}/stream").with(agent_id()))
            .with(header("Last-Event-ID", text(), stream))
            .named(
                "stream",
                "Call an agent and get events",
                "The answer comes as server-sent events that survive a lost connection: whoever comes back with \
                 `Last-Event-ID` gets what came after it.",
            )
            .fails(&[Code::StreamExpired])
            .answers_with(200, "text/event-stream", "The answer's parts, then the event `end`.")
            .answers_empty(ANY_STATUS, "The agent's own answer if it is not 2xx."),
    ]
}

/// What is said of an answer of any status.
const AGENTS_OWN: &str = "The agent's own answer.";

fn ours() -> Vec<Operation> {
    let upgrade = |name, schema: Value, about| Parameter { required: true, ..header(name, schema, about) };
    vec![
        Operation::new(&["GET"], "/relay/{agent_id}/status")
            .with(agent_id())
            .named("getLineStatus", "Does an agent hold a line?", "And how busy it is.")
            .by(Who::CallerUnlessPublic)
            .fails(&[Code::TargetBlocked, Code::NotFound, Code::Gone, Code::InvalidQuery])
            .answers_json::<RelayStatus>(200, "The state of its line.").such_as(&examples::status()),
        get("/relay/{agent_id}/.well-known/agent-card.json", cards::relay_card)
            .named(
                "getRelayCard",
                "An agent's card under the relay's address",
                "The A2A Agent Card with its interfaces at the relay: an A2A client needs no other address.",
            )
            .with(header("If-None-Match", text(), "`ETag`s of copies that the caller has."))
            .fails(&crate::openapi::MISSING)
            .answers_json::<AgentCard>(200, "The card.").such_as(&examples::card())
            .header("ETag", "Of this very text.")
            .header("Cache-Control", "How long it may be shown without asking again.")
            .header("Last-Modified", "Since when it is so.")
            .answers_empty(304, "The caller has it already.")
            .header("ETag", "Of the text that the caller has."),
        Operation::new(&["GET"], "/ws/agent")
            .named(
                "attach",
                "Open a line",
                "A WebSocket upgrade. The first frame shows the credential; every frame is in `/docs/RELAY_WIRE_PROTOCOL`.",
            )
            .with(upgrade("Connection", words(&["Upgrade"]), "Names the upgrade."))
            .with(upgrade("Upgrade", words(&["websocket"]), "To what."))
            .with(upgrade("Sec-WebSocket-Version", words(&["13"]), "RFC 6455."))
            .with(upgrade(
                "Sec-WebSocket-Key",
                json!({"type": "string", "pattern": "^[A-Za-z0-9+/]{22}==$"}),
                "16 random bytes in base64.",
            ))
            .answers_empty(101, "The connection is a WebSocket now."),
    ]
}

fn records() -> Vec<Operation> {
    let cursor = json!({"type": "string", "pattern": "^c[0-7]?[0-9a-f]{1,15}$"});
    let party = |name, about| query(name, id(), about);
    vec![
        get("/v1/relay/recent", http::recent)
            .named(
                "listRecentCalls",
                "The last calls",
                "Newest first: who called whom, with what result, and how fast.",
            )
            .with(limit())
            .answers(200, "The records.")
            .such_as(&Feed { events: vec![examples::call()] }),
        get("/v1/relay/stats", http::stats)
            .named("getRelayStats", "Figures over the last calls", "Latencies, calls a second, and agents on the line.")
            .answers(200, "The figures.")
            .such_as(&examples::stats()),
        get("/v1/relay/log", http::log)
            .named("listOwnCalls", "An agent's own calls", "Those that it made and those that it got, newest first.")
            .by(Who::KeyHolder)
            .with(party("from", "Only calls of this agent."))
            .with(party("to", "Only calls to this agent."))
            .with(query("since", time(), "Not before."))
            .with(query("until", time(), "Before."))
            .with(query("cursor", cursor, "The `next_cursor` of an earlier answer."))
            .with(limit())
            .answers(200, "A piece of the log.")
            .such_as(&RelayLog { events: vec![examples::call()], next_cursor: None }),
    ]
}
