//! What a user of the HTTP API does: register, call, look up, revoke.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::http::{Answer, Request, once};

/// A registered agent.
#[derive(Debug, Clone)]
pub struct Agent {
    /// Its id.
    pub id: String,
    /// Its API key.
    pub key: String,
    /// Its name.
    pub name: String,
}

/// A card that passes validation.
pub fn card(name: &str) -> Value {
    json!({
        "name": name,
        "description": "An agent of the end-to-end tests: it echoes what it is sent.",
        "version": "1.0.0",
        "skills": [{"id": "echo", "name": "Echo", "description": "Gives back what it gets.", "tags": ["echo"]}],
        "capabilities": {"streaming": false}
    })
}

/// Registers an agent that any registered caller may call.
#[track_caller]
pub fn register(addr: SocketAddr, name: &str) -> Agent {
    register_with(addr, &json!({"card": card(name)}))
}

/// Registers with a body of the test's own.
///
/// # Panics
/// If the answer is not 201 with an id and a key.
#[track_caller]
pub fn register_with(addr: SocketAddr, body: &Value) -> Agent {
    let answer = once(addr, &Request::post_json("/connect/v1/agents", body)).expect(201).json();
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("not complete: {answer}")).to_owned();
    Agent { id: text(&answer["id"]), key: text(&answer["api_key"]), name: text(&answer["agent"]["name"]) }
}

/// The request of a call, with a JSON body.
pub fn call_request(to: &str, token: &str, body: &str) -> Request {
    Request::post(format!("/connect/relay/{to}"), body).bearer(token).header("content-type", "application/json")
}

/// Calls an agent.
#[track_caller]
pub fn call(addr: SocketAddr, to: &str, token: &str, body: &str) -> Answer {
    once(addr, &call_request(to, token, body))
}

/// Gets JSON from a path that answers 200.
#[track_caller]
pub fn get(addr: SocketAddr, path: &str) -> Value {
    once(addr, &Request::get(path)).expect(200).json()
}

/// A token for an API key.
///
/// # Panics
/// If there is none in the answer.
#[track_caller]
pub fn token(addr: SocketAddr, key: &str) -> String {
    let answer = once(addr, &Request::post("/connect/v1/auth/token", "").bearer(key)).expect(200).json();
    assert_eq!((&answer["token_type"], &answer["expires_in"]), (&json!("Bearer"), &json!(900)));
    answer["token"].as_str().expect("a token").to_owned()
}

/// Rotates a key; the new one.
///
/// # Panics
/// If there is none in the answer.
#[track_caller]
pub fn rotate(addr: SocketAddr, agent: &Agent) -> String {
    let path = format!("/connect/v1/agents/{}/rotate-key", agent.id);
    let answer = once(addr, &Request::post(path, "").bearer(&agent.key)).expect(200).json();
    answer["api_key"].as_str().expect("a key").to_owned()
}

/// Deletes an agent; the answer.
#[track_caller]
pub fn delete(addr: SocketAddr, agent: &Agent) -> Answer {
    once(addr, &Request::new("DELETE", format!("/connect/v1/agents/{}", agent.id)).bearer(&agent.key))
}

/// Blocks or unblocks an agent as the operator.
#[track_caller]
pub fn admin(addr: SocketAddr, admin_token: &str, agent: &str, verb: &str, body: &Value) -> Answer {
    once(addr, &Request::post_json(format!("/connect/v1/admin/agents/{agent}/{verb}"), body).bearer(admin_token))
}

/// The newest audit records of the public ring.
///
/// # Panics
/// If the answer has no list.
#[track_caller]
pub fn recent(addr: SocketAddr, limit: usize) -> Vec<Value> {
    let answer = get(addr, &format!("/connect/v1/relay/recent?limit={limit}"));
    answer["events"].as_array().unwrap_or_else(|| panic!("no events: {answer}")).clone()
}

/// Every audit record that an agent's owner may see, over all pages.
///
/// # Panics
/// If a page is malformed or the pages do not end.
pub fn relay_log(addr: SocketAddr, agent: &Agent) -> Vec<Value> {
    let mut all = Vec::new();
    let mut cursor: Option<String> = None;
    for _ in 0..10_000 {
        let mut path = "/connect/v1/relay/log?limit=200".to_owned();
        if let Some(cursor) = &cursor {
            path.push_str(&format!("&cursor={cursor}"));
        }
        let page = once(addr, &Request::get(path).bearer(&agent.key)).expect(200).json();
        all.extend(page["events"].as_array().unwrap_or_else(|| panic!("no events: {page}")).iter().cloned());
        let next = ["next_cursor", "cursor"].iter().find_map(|key| page[key].as_str()).map(str::to_owned);
        if next.is_none() || next == cursor {
            return all;
        }
        cursor = next;
    }
    panic!("the pages do not end");
}

/// Is the agent attached, by the relay's own word?
#[track_caller]
pub fn connected(addr: SocketAddr, caller: &str, id: &str) -> bool {
    let answer = once(addr, &Request::get(format!("/connect/relay/{id}/status")).bearer(caller)).expect(200).json();
    answer["connected"].as_bool().unwrap_or_else(|| panic!("no `connected`: {answer}"))
}
