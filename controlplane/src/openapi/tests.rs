//! The document against the router: neither has what the other has not.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::{sections, template};
use crate::clock::Clock;
use crate::config::{Config, RateLimits};
use crate::state::Exchange;

const PREFIX: &str = "/connect";

async fn exchange() -> (Exchange, tempfile::TempDir) {
    let data = tempfile::tempdir().expect("a temporary directory");
    let mut config = Config::new(data.path(), "https://relay.example");
    config.rate_limits = "off".parse::<RateLimits>().expect("rate limits");
    (Exchange::open(config, Clock::system()).await.expect("an exchange"), data)
}

/// The paths of a router. It tells them in its debug form only.
fn paths(router: &axum::Router) -> BTreeSet<String> {
    let told = format!("{router:?}");
    let after = told.split("RouteId(").filter_map(|piece| piece.split_once("): \""));
    let paths: BTreeSet<String> = after
        .filter_map(|(_, rest)| rest.split('"').next())
        .filter(|path| path.starts_with('/') && !path.contains("__private"))
        .map(Into::into)
        .collect();
    assert!(paths.len() > 30, "the router tells its paths: {told:.2000}");
    paths
}

/// The methods that a path has, by its own word; none if it passes any method on.
async fn methods(router: &axum::Router, path: &str) -> Option<BTreeSet<String>> {
    let path = path.replace("{*path}", "x").replace("{n}", "1").replace(['{', '}'], "");
    let request = Request::builder().method("LANDLINE").uri(&path).body(Body::empty()).expect("a request");
    let response = router.clone().oneshot(request).await.expect("infallible");
    let allowed = response.headers().get(http::header::ALLOW)?.to_str().expect("text").to_owned();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    Some(allowed.split(',').map(|method| method.trim().to_owned()).filter(|method| method != "HEAD").collect())
}

/// What the document has: methods by path, as the router writes paths.
fn described() -> BTreeMap<String, BTreeSet<String>> {
    let mut described: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for operation in sections().iter().flat_map(|section| &section.operations) {
        let path = if operation.at_root { operation.path.to_owned() } else { format!("{PREFIX}{}", operation.path) };
        let methods = operation.methods.iter().map(|method| (*method).to_owned());
        described.entry(path).or_default().extend(methods);
    }
    described
}

/// Served by a switch, before a request gets here; the router has them only as paths that it passes on.
fn is_the_switchs(path: &str) -> bool {
    path == format!("{PREFIX}/ws/agent")
        || path == format!("{PREFIX}/relay/{{agent_id}}/status")
        || path == format!("{PREFIX}/relay/{{agent_id}}/stream")
}

/// Pages for people, which no program asks for.
fn is_a_page(path: &str) -> bool {
    let folders = ["/state-of-a2a", "/docs", "/runbooks/", "/extensions/", "/assets/", "/examples/"];
    matches!(path, "/" | "/network" | "/errors" | "/errors/" | "/robots.txt")
        || folders.iter().any(|folder| path.starts_with(folder))
}

#[tokio::test]
async fn every_route_has_its_operation_and_every_operation_its_route() {
    let (exchange, _data) = exchange().await;
    let router = exchange.router();
    let (routes, described) = (paths(&router), described());
    for path in routes.iter().filter(|path| !is_a_page(path)) {
        // The same with a slash behind it is no other operation.
        let Some(operations) = described.get(path).or_else(|| described.get(path.trim_end_matches('/'))) else {
            panic!("{path} is routed and not described");
        };
        if let Some(methods) = methods(&router, path).await {
            assert_eq!(&methods, operations, "{path}");
        } else {
            assert!(operations.len() > 5, "{path} takes any method");
        }
    }
    for path in described.keys().filter(|path| !is_the_switchs(path)) {
        assert!(routes.contains(path), "{path} is described and not routed");
    }
}

#[tokio::test]
async fn the_document_is_whole() {
    let (exchange, _data) = exchange().await;
    let request = Request::builder().method(Method::GET).uri("/openapi.json").body(Body::empty()).expect("a request");
    let response = exchange.router().oneshot(request).await.expect("infallible");
    assert_eq!(response.headers()["content-type"], "application/json");
    let bytes = response.into_body().collect().await.expect("a body").to_bytes();
    let document: Value = serde_json::from_slice(&bytes).expect("JSON");
    assert_eq!(document["servers"][0]["url"], "https://relay.example");

    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 100, "{}", references.len());
    for reference in references {
        let pointer = reference.strip_prefix('#').expect("a local reference");
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
    let mut ids = BTreeSet::new();
    let operations: Vec<&Value> = document["paths"]
        .as_object()
        .expect("paths")
        .values()
        .flat_map(|item| item.as_object().expect("methods").values())
        .collect();
    for operation in &operations {
        let id = operation["operationId"].as_str().expect("a name");
        assert!(ids.insert(id), "{id} is there twice");
        for member in ["summary", "description"] {
            assert!(operation[member].as_str().is_some_and(|text| text.len() > 2), "{id} has no {member}");
        }
        let good = |status: &&String| *status == "default" || status.starts_with(['1', '2']);
        assert!(operation["responses"].as_object().expect("answers").keys().any(|status| good(&status)), "{id}");
    }
    for link in operations.iter().flat_map(|operation| links(operation)) {
        assert!(ids.contains(link), "{link} is no operation");
    }
}

fn collect<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| match value {
            Value::String(reference) if name == "$ref" => references.push(reference),
            value => collect(value, references),
        }),
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        _ => {}
    }
}

fn links(operation: &Value) -> Vec<&str> {
    let answers = operation["responses"].as_object().expect("answers").values();
    let links = answers.filter_map(|answer| answer["links"].as_object()).flat_map(|links| links.values());
    links.filter_map(|link| link["operationId"].as_str()).collect()
}

#[test]
fn variables_of_a_path_are_its_parameters() {
    for operation in sections().iter().flat_map(|section| &section.operations) {
        let path = template(operation, PREFIX);
        let variables: BTreeSet<&str> = path.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        let parameters = operation.parameters.iter().filter(|one| one.place == super::Place::Path);
        let named: BTreeSet<&str> = parameters.map(|parameter| parameter.name).collect();
        assert_eq!(variables, named, "{}", operation.id);
        let all: Vec<_> = operation.parameters.iter().map(|one| (one.place.as_str(), one.name)).collect();
        assert_eq!(all.len(), all.iter().collect::<BTreeSet<_>>().len(), "{} names a parameter twice", operation.id);
    }
}
