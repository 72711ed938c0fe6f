//! The operations of the exchange's own agent, as the OpenAPI document describes them.

use landline_wire::error::Code;
use serde_json::{Map, Value, json};

use super::http;
use crate::openapi::parameters::{header, query, words};
use crate::openapi::{Operation, get};

pub(crate) fn operations() -> Vec<Operation> {
    let versions = || words(&["0.3", "1.0"]);
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "SendMessage",
        "params": {"message": {"messageId": "1", "role": "ROLE_USER", "parts": [{"text": "translate a letter"}]}},
    });
    vec![
        get("/.well-known/agent-card.json", http::own_card)
            .at_root()
            .named("getOwnCard", "The exchange's own Agent Card", "The exchange is an A2A agent, which answers a message with a discovery.")
            .answers_with(200, "application/json", "The card."),
        Operation::new(&["POST"], "/a2a")
            .named(
                "callExchange",
                "Ask the exchange in A2A",
                "JSON-RPC of A2A 1.0 and 0.3: the text of a message is a task, and the answer names who may do it. What is wrong \
                 with a call is told as JSON-RPC has it, with status 200.",
            )
            .with(header("A2A-Version", versions(), "The version that the caller speaks."))
            .with(query("A2A-Version", versions(), "The same, for those who cannot set the header."))
            .takes::<Map<String, Value>>("A JSON-RPC request.", message)
            .fails(&[Code::BodyTooLarge, Code::InvalidQuery, Code::UploadTimeout])
            .answers_json::<Map<String, Value>>(200, "The JSON-RPC answer."),
    ]
}
