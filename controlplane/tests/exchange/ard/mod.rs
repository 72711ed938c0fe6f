//! The registry of ARD and the AI Catalog, and the exchange's own agent, checked with the standards' own schemas.

mod catalog;
mod enquiries;
mod federation;

use std::collections::BTreeSet;

use axum::body::Body;
use http::{Method, Request};
use jsonschema::{Registry, Validator};
use serde_json::{Value, json};

use crate::world::{Answer, Bot, World, on_both, up};

const CATALOG: &str = include_str!("../../ard/ai-catalog.schema.json");
const REGISTRY: &str = include_str!("../../ard/ard.openapi.json");

/// A validator of one of the registry's schemas, such as `SearchResponse`.
fn schema(name: &str) -> Validator {
    let base = "https://ard.example/ard.openapi.json";
    let parse = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let registry = Registry::new()
        .add(base, parse(REGISTRY))
        .unwrap()
        .add("https://ard.example/ai-catalog.schema.json", parse(CATALOG))
        .unwrap();
    let registry = registry.prepare().unwrap();
    let root = json!({"$schema": "https://json-schema.org/draft/2020-12/schema", "$ref": format!("{base}#/components/schemas/{name}")});
    jsonschema::options().with_registry(&registry).should_validate_formats(true).build(&root).unwrap()
}

#[track_caller]
fn assert_valid(validator: &Validator, value: &Value) {
    let faults: Vec<String> =
        validator.iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:?}\n{value}");
}

/// Asserts a failure in the standard's shape, and gives its message.
#[track_caller]
fn failure(answer: &Answer, status: u16, code: &str) -> String {
    let body = answer.ok(status);
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_valid(&schema("Error"), &body);
    assert_eq!(body["errorCode"], code);
    assert_eq!(body.as_object().unwrap().len(), 2, "nothing else: {body}");
    body["message"].as_str().unwrap().to_owned()
}

async fn search(world: &World, body: Value) -> Value {
    let answer = world.post("/ard/search", None, body).await.ok(200);
    assert_valid(&schema("SearchResponse"), &answer);
    answer
}

async fn explore(world: &World, body: Value) -> Value {
    let answer = world.post("/ard/explore", None, body).await.ok(200);
    assert_valid(&schema("ExploreResponse"), &answer);
    answer["facets"].clone()
}

async fn list(world: &World, query: &str) -> Value {
    let answer = world.get(&format!("/ard/agents?{query}")).await.ok(200);
    assert_valid(&schema("ListResponse"), &answer);
    answer
}

fn names(rows: &Value) -> Vec<&str> {
    rows.as_array().unwrap().iter().map(|row| row["displayName"].as_str().unwrap()).collect()
}

async fn agent(world: &World, name: &str, tags: &[&str], more: Value) -> Bot {
    let mut card = json!({"name": name, "description": "Forecasts the weather for towns.", "version": "1.2.0",
        "skills": [{"id": "forecast", "name": "Forecast", "description": "Tells the weather.", "tags": tags,
            "examples": ["Will it rain?", "How warm is it in Lisbon?"]}],
        "provider": {"organization": "ACME", "url": "https://ACME.example/agents"}});
    card.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.clock.advance(1_000);
    world.register_with(json!({"card": card, "category": "retrieval"})).await
}

/// Five agents, each with something that the others have not.
async fn weather(world: &World) -> Vec<Bot> {
    let bots = vec![
        agent(world, "North", &["Weather", "cold"], json!({})).await,
        agent(world, "South", &["weather", "warm"], json!({"version": "2.0.0"})).await,
        agent(world, "East", &["weather", "warm"], json!({"capabilities": {"streaming": true}})).await,
        agent(world, "West", &["weather"], json!({"provider": {"organization": "Zephyr", "url": "https://z.example"}}))
            .await,
        agent(world, "Painter", &["art"], json!({"description": "Draws pictures.", "skills": []})).await,
    ];
    world.indexed().await;
    bots
}

on_both! {
    async fn a_search_gives_entries_best_first_with_their_relevance(world) {
        let bots = weather(&world).await;
        let mut switch = world.switch(1).await;
        world.report(&mut switch, vec![up(&bots[0], 1)]).await;
        let answer = search(&world, json!({"query": {"text": "weather forecast for a town"}})).await;
        let results = answer["results"].as_array().unwrap();
        assert_eq!(results.len(), 4);
        assert!(answer.get("pageToken").is_none() && answer.get("referrals").is_none());
        let scores: Vec<u64> = results.iter().map(|result| result["score"].as_u64().unwrap()).collect();
        assert!(scores.is_sorted_by(|a, b| a >= b) && scores[0] > 20 && scores[0] <= 100, "{scores:?}");
        let north = results.iter().find(|result| result["displayName"] == "North").unwrap();
        let id = bots[0].id;
        assert_eq!(north["identifier"], format!("urn:air:relay.example:agent:{id}"));
        let relay = format!("https://relay.example/connect/relay/{id}");
        assert_eq!(north["url"], format!("{relay}/.well-known/agent-card.json"));
        assert_eq!(north["source"], "https://relay.example/connect/ard");
        assert_eq!((&north["type"], &north["mediaType"]), (&json!("application/a2a-agent-card+json"), &north["type"]));
        assert_eq!(north["tags"], json!(["weather", "cold", "retrieval"]));
        assert_eq!(north["capabilities"], json!(["forecast"]));
        assert_eq!(north["representativeQueries"].as_array().unwrap().len(), 2);
        let publisher = json!({"identifier": "acme.example", "displayName": "ACME", "identityType": "dns"});
        assert_eq!(north["publisher"], publisher);
        assert_eq!((&north["metadata"]["landline.online"], &north["metadata"]["landline.relayUrl"]), (&json!(true), &json!(relay)));
        // Relevance only: that it can be called now makes no difference.
        let of = |name: &str| results.iter().find(|result| result["displayName"] == name).unwrap()["score"].clone();
        assert_eq!(of("South"), of("East"));
        let card = world.send(Method::GET, north["url"].as_str().unwrap().strip_prefix("https://relay.example").unwrap(), None, None).await;
        assert_eq!(card.ok(200)["name"], "North");
    }

    async fn filters_hold_together_and_their_values_apart(world) {
        let bots = weather(&world).await;
        let urn = format!("urn:air:relay.example:agent:{}", bots[1].id);
        for (filter, expected) in [
            (json!({"tags": ["cold", "WARM"]}), vec!["East", "North", "South"]),
            (json!({"tags": ["warm"], "version": "2.0.0"}), vec!["South"]),
            (json!({"tags": "warm", "version": ["1.2.0", "2.0.0"], "metadata.landline.streaming": true}), vec!["East"]),
            (json!({"publisher.identifier": "z.example"}), vec!["West"]),
            (json!({"publisher.displayName": ["Zephyr", "nobody"]}), vec!["West"]),
            (json!({"publisher": "relay.example", "tags": "cold"}), vec!["North"]),
            (json!({"publisher": "other.example"}), vec![]),
            (json!({"identifier": [urn, "urn:air:other.example:agent:x"]}), vec!["South"]),
            (json!({"metadata.landline.agentId": bots[0].id.to_string()}), vec!["North"]),
            (json!({"displayName": ["NORTH", "nobody", "west"]}), vec!["North", "West"]),
            (json!({"displayName": "north", "tags": "warm"}), vec![]),
            (json!({"type": "application/mcp-server-card+json"}), vec![]),
            (json!({"type": ["x", "application/a2a-agent-card+json"], "capabilities": "forecast", "tags": "cold"}), vec!["North"]),
            (json!({"metadata.landline.category": "retrieval", "metadata.landline.source": "self_registered", "tags": "cold"}), vec!["North"]),
            (json!({"metadata.landline.online": false, "tags": "cold"}), vec!["North"]),
            (json!({"metadata.landline.online": [true]}), vec![]),
            (json!({"tags": []}), vec![]),
        ] {
            let answer = search(&world, json!({"query": {"text": "weather", "filter": filter}})).await;
            let mut found = names(&answer["results"]);
            found.sort_unstable();
            assert_eq!(found, expected, "{filter}");
        }
    }

    async fn pages_follow_each_other_and_the_last_has_no_token(world) {
        let bots = weather(&world).await;
        let ask = |size: usize, token: Option<Value>| {
            let mut body = json!({"query": {"text": "weather"}, "pageSize": size});
            if let Some(token) = token {
                body["pageToken"] = token;
            }
            body
        };
        let (mut seen, mut token, mut pages) = (Vec::new(), None, 0);
        loop {
            let page = search(&world, ask(1 + pages % 2, token.take())).await;
            seen.extend(names(&page["results"]).into_iter().map(str::to_owned));
            token = page.get("pageToken").cloned();
            pages += 1;
            assert!(pages <= 4);
            if token.is_none() {
                break;
            }
        }
        let all: BTreeSet<&String> = seen.iter().collect();
        assert_eq!((seen.len(), all.len()), (4, 4), "each once: {seen:?}");
        assert_eq!(names(&search(&world, ask(1_000_000, None)).await["results"]).len(), 4, "too large a page is the largest");
        // A token is of its query, and of nothing else.
        let token = search(&world, ask(2, None)).await["pageToken"].clone();
        for other in [
            json!({"query": {"text": "pictures"}, "pageToken": token}),
            json!({"query": {"text": "weather", "filter": {"tags": "warm"}}, "pageToken": token}),
            json!({"query": {"text": "weather"}, "federation": "none", "pageToken": token}),
            json!({"query": {"text": "weather"}, "pageToken": "nonsense"}),
        ] {
            let message = failure(&world.post("/ard/search", None, other).await, 400, "INVALID_ARGUMENT");
            assert!(message.contains("pageToken"), "{message}");
        }
        // Who leaves between two pages is missed, and nobody else.
        let first = search(&world, ask(2, None)).await;
        let path = format!("/connect/v1/agents/{}", bots[4].id);
        world.send(Method::DELETE, &path, Some(&bots[4].key), None).await.ok(204);
        let second = search(&world, ask(2, Some(first["pageToken"].clone()))).await;
        assert_eq!(names(&second["results"]).len(), 2);
    }

    async fn who_was_blocked_is_not_found_even_while_the_index_lags(world) {
        let bots = weather(&world).await;
        let block = format!("/v1/admin/agents/{}/block", bots[0].id);
        world.post(&block, Some(&world.admin()), json!({"reason": "a test"})).await.ok(200);
        let body = json!({"query": {"text": "weather"}});
        assert_eq!(names(&search(&world, body).await["results"]).len(), 3);
        assert_eq!(list(&world, "").await["total"], 4);
        let catalog = world.send(Method::GET, "/.well-known/ai-catalog.json", None, None).await.ok(200);
        assert!(!names(&catalog["entries"]).contains(&"North"));
    }

    async fn counts_are_of_everything_that_matches(world) {
        let bots = weather(&world).await;
        let bucket = |value: &str, count: u64| json!({"value": value, "count": count});
        let all = explore(&world, json!({"resultType": {"facets": [
            {"field": "tags", "limit": 2}, {"field": "type"}, {"field": "publisher.displayName", "minCount": 2},
            {"field": "metadata.landline.streaming"}]}})).await;
        assert_eq!(all["tags"], json!({"buckets": [bucket("retrieval", 5), bucket("weather", 4)], "otherCount": 3}));
        assert_eq!(all["type"]["buckets"], json!([bucket("application/a2a-agent-card+json", 5)]));
        assert_eq!(all["publisher.displayName"], json!({"buckets": [bucket("ACME", 4)]}));
        assert_eq!(all["metadata.landline.streaming"]["buckets"], json!([bucket("false", 4), bucket("true", 1)]));
        let mut switch = world.switch(1).await;
        world.report(&mut switch, vec![up(&bots[1], 1)]).await;
        world.clock.advance(3_000);
        let some = explore(&world, json!({"query": {"text": "weather", "filter": {"tags": "warm"}}, "resultType": {"facets": [
            {"field": "version"}, {"field": "metadata.landline.online"}]}})).await;
        assert_eq!(some["version"]["buckets"], json!([bucket("1.2.0", 1), bucket("2.0.0", 1)]));
        assert_eq!(some["metadata.landline.online"]["buckets"], json!([bucket("false", 1), bucket("true", 1)]));
        let none = explore(&world, json!({"query": {"filter": {"type": "x"}}, "resultType": {"facets": [{"field": "tags"}]}})).await;
        assert_eq!(none["tags"], json!({"buckets": []}));
        let path = format!("/connect/v1/agents/{}", bots[3].id);
        world.send(Method::DELETE, &path, Some(&bots[3].key), None).await.ok(204);
        world.indexed().await;
        let left = explore(&world, json!({"query": {"text": "weather"}, "resultType": {"facets": [{"field": "tags"}]}})).await;
        assert_eq!(left["tags"]["buckets"][0], bucket("retrieval", 3), "{left}");
    }

    async fn the_list_is_filtered_ordered_and_read_page_by_page(world) {
        weather(&world).await;
        let shown = async |query: &str| {
            let page = list(&world, query).await;
            names(&page["items"]).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        let by_name = ["East", "North", "Painter", "South", "West"];
        let by_age = ["North", "South", "East", "West", "Painter"];
        let falling = |names: [&str; 5]| names.into_iter().rev().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(shown("").await, by_name);
        assert_eq!(shown("orderBy=name").await, by_name);
        assert_eq!(shown("orderBy=displayName%20DESC").await, falling(by_name));
        assert_eq!(shown("orderBy=created_at").await, by_age);
        assert_eq!(shown("orderBy=createdAt%20DESC").await, falling(by_age));
        assert_eq!(shown("orderBy=updatedAt%20desc").await, falling(by_age));
        for order in ["name", "name%20DESC", "createdAt", "createdAt%20DESC", "updatedAt", "updatedAt%20DESC"] {
            let whole = shown(&format!("orderBy={order}")).await;
            let (mut seen, mut token) = (Vec::new(), String::new());
            for page in 0..3 {
                let query = format!("orderBy={order}&pageSize=2{token}");
                let answer = list(&world, &query).await;
                assert_eq!(answer["total"], 5);
                seen.extend(names(&answer["items"]).into_iter().map(str::to_owned));
                token = answer["pageToken"].as_str().map(|token| format!("&pageToken={token}")).unwrap_or_default();
                assert_eq!(token.is_empty(), page == 2, "{query}");
            }
            assert_eq!(seen, whole, "{order}");
        }
        assert!(list(&world, "pageSize=5").await.get("pageToken").is_none(), "the last page, although it is full");
        for (filter, expected) in [
            ("displayName%3D'nORTH'", 1), ("type%20%3D%20'application/a2a-agent-card%2Bjson'", 5), ("type%3Dx", 0),
            ("publisherId%3D'other.example,relay.example'", 5), ("publisherId%3Dother.example", 0),
            ("createdAfter%3E'2025-07-14T12:00:02Z'", 3), ("updatedAfter%20%3E%202025-07-15%20AND%20displayName%3DNorth", 0),
            ("createdAfter%3E2025-07-14%20AND%20displayName%3DNorth", 1),
        ] {
            let answer = list(&world, &format!("filter={filter}")).await;
            assert_eq!((answer["total"].as_u64(), names(&answer["items"]).len()), (Some(expected), expected as usize), "{filter}");
        }
        let item = &list(&world, "pageSize=1").await["items"][0];
        assert!(item["metadata"].get("landline.online").is_none(), "what may be kept says nothing of this moment");
        let token = list(&world, "pageSize=2").await["pageToken"].as_str().unwrap().to_owned();
        for (query, names) in [
            (format!("orderBy=createdAt&pageToken={token}"), "pageToken"), (format!("filter=type%3Dx&pageToken={token}"), "pageToken"),
            ("pageToken=x".into(), "pageToken"), ("orderBy=score".into(), "orderBy"), ("filter=score%3D7".into(), "score"),
            ("pageSize=0".into(), "pageSize"), ("pageSize=x".into(), "pageSize"),
        ] {
            let message = failure(&world.get(&format!("/ard/agents?{query}")).await, 400, "INVALID_ARGUMENT");
            assert!(message.contains(names), "{message}");
        }
    }

    async fn every_failure_has_the_standards_shape(world, |config| {
        config.rate_limits = "discovery=3/h".parse().unwrap();
        config.max_json_bytes = 1_000;
    }) {
        failure(&world.get("/ard").await, 404, "NOT_FOUND");
        failure(&world.get("/ard/nowhere/else").await, 404, "NOT_FOUND");
        let wrong = world.get("/ard/search").await;
        failure(&wrong, 405, "METHOD_NOT_ALLOWED");
        assert_eq!(wrong.headers["allow"], "POST");
        failure(&world.send(Method::GET, "/connect/ard/agents", Some("ll_nonsense"), None).await, 401, "UNAUTHENTICATED");
        let admin = world.admin();
        let raw = async |content_type: &str, body: String| {
            let request = Request::post("/connect/ard/search").header("content-type", content_type);
            let request = request.header("authorization", format!("Bearer {admin}"));
            world.raw(request.body(Body::from(body)).unwrap()).await
        };
        failure(&raw("text/plain", "{}".into()).await, 415, "UNSUPPORTED_MEDIA_TYPE");
        failure(&raw("application/json", "{".into()).await, 400, "INVALID_ARGUMENT");
        failure(&raw("application/json", " ".repeat(1_001)).await, 413, "BODY_TOO_LARGE");
        for (body, names) in [
            (json!([]), "body"), (json!({}), "query"), (json!({"query": {}}), "query.text"),
            (json!({"query": {"text": " ... "}}), "query.text"), (json!({"query": {"text": 7}}), "string"),
            (json!({"query": {"text": "a", "more": 1}}), "more"), (json!({"query": {"text": "a"}, "limit": 1}), "limit"),
            (json!({"query": {"text": "a"}, "federation": "all"}), "federation"), (json!({"query": {"text": "a"}, "pageSize": 0}), "pageSize"),
            (json!({"query": {"text": "a"}, "pageSize": -1}), "-1"), (json!({"query": {"text": "a", "filter": {"x": "y"}}}), "`x`"),
            (json!({"query": {"text": "a", "filter": {"tags": {}}}}), "`tags`"),
        ] {
            let message = failure(&raw("application/json", body.to_string()).await, 400, "INVALID_ARGUMENT");
            assert!(message.contains(names) || names == "federation" && message.contains("all"), "{body}: {message}");
        }
        for body in [json!({}), json!({"resultType": {}}), json!({"resultType": {"facets": [{"field": "displayName"}]}})] {
            failure(&world.post("/ard/explore", Some(&admin), body).await, 400, "INVALID_ARGUMENT");
        }
        for _ in 0..3 {
            world.post("/ard/search", None, json!({"query": {"text": "one"}})).await.ok(200);
        }
        let limited = world.post("/ard/explore", None, json!({"resultType": {"facets": [{"field": "type"}]}})).await;
        failure(&limited, 429, "RATE_LIMIT_EXCEEDED");
        assert!(limited.headers["retry-after"].to_str().unwrap().parse::<u64>().unwrap() > 0);
        let head = world.send(Method::HEAD, "/connect/ard/nowhere", None, None).await;
        assert_eq!((head.status.as_u16(), head.text.as_str()), (404, ""));
        world.get("/ardent").await.problem("not_found");
    }
}
