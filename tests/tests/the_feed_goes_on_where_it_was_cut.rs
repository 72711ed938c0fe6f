//! The event stream: its kinds and topics, and resumption by the last id that a listener saw.

use std::collections::BTreeSet;

use landline_tests::api;
use landline_tests::http::{Request, once};
use landline_tests::line::{EchoAgent, Line};
use landline_tests::server::{Data, Server};
use landline_tests::sse::{Event, Listener};
use serde_json::json;

fn request_ids(events: &[Event]) -> Vec<String> {
    let calls = events.iter().filter(|event| event.kind == "relay.request");
    calls.map(|event| event.data["request_id"].as_str().expect("request_id").to_owned()).collect()
}

#[test]
fn a_listener_that_comes_back_misses_nothing_and_sees_nothing_twice() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let addr = server.addr;
    let (callee, caller) = (api::register(addr, "callee"), api::register(addr, "caller"));
    let echo = EchoAgent::start(addr, &callee.key);
    let call = |name: &str| {
        let request = api::call_request(&callee.id, &caller.key, "{}").header("x-request-id", name);
        once(addr, &request).expect(200);
    };
    let first = Listener::start(addr, "relay", None);
    (0..5).for_each(|number| call(&format!("first-{number}")));
    first.wait("the fifth call", |event| event.data["request_id"] == "first-4");
    let seen = first.events();
    let third = &seen[2];

    (0..5).for_each(|number| call(&format!("second-{number}")));
    let back = Listener::start(addr, "relay", Some(&third.id));
    back.wait("the last call", |event| event.data["request_id"] == "second-4");
    let expected: Vec<String> =
        (3..5).map(|n| format!("first-{n}")).chain((0..5).map(|n| format!("second-{n}"))).collect();
    assert_eq!(request_ids(&back.events()), expected);
    let ids: BTreeSet<String> = back.events().into_iter().map(|event| event.id).collect();
    assert_eq!(ids.len(), expected.len(), "each event has an id of its own");
    echo.stop();
}

#[test]
fn topics_are_kept_apart_and_agents_come_and_go_in_theirs() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let addr = server.addr;
    let (relay, agents) = (Listener::start(addr, "relay", None), Listener::start(addr, "agents", None));
    let (callee, caller) = (api::register(addr, "callee"), api::register(addr, "caller"));
    let of = |kind: &'static str, id: &str| {
        let id = json!(id);
        move |event: &Event| event.kind == kind && event.data["agent_id"] == id
    };
    agents.wait("agent.registered", of("agent.registered", &callee.id));
    let line = Line::dial(addr, &callee.key).expect("a line");
    agents.wait("agent.connect", of("agent.connect", &callee.id));
    line.ws.sender().cut();
    agents.wait("agent.disconnect", of("agent.disconnect", &callee.id));
    let patch = Request::new("PATCH", format!("/connect/v1/agents/{}", callee.id))
        .bearer(&callee.key)
        .header("content-type", "application/json")
        .body(r#"{"tagline": "now with a tagline"}"#);
    once(addr, &patch).expect(200);
    agents.wait("agent.updated", of("agent.updated", &callee.id));
    api::call(addr, &callee.id, &caller.key, "{}").expect_problem(404, "agent_not_connected");
    relay.wait("the refused call's row", |event| event.data["status_code"] == 404);
    api::delete(addr, &callee).expect(204);
    agents.wait("agent.removed", of("agent.removed", &callee.id));
    assert!(relay.events().iter().all(|event| event.kind == "relay.request"));
    assert!(agents.events().iter().all(|event| event.kind.starts_with("agent.")));
    once(addr, &Request::get("/connect/v1/events?topic=nothing")).expect_problem(422, "invalid_query");
}
