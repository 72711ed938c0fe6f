//! Searches that other registries have a part in. They are hosts of the test, on ports that the settings name.

use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use landline_controlplane::config::Config;

use super::*;
use crate::agent_host::{AGENT_IP, Host, Reply, answer, lab};

/// A lab with two other registries, on ports that are free now.
fn with_upstreams(config: &mut Config) {
    lab(config);
    let base = || {
        let port = TcpListener::bind((AGENT_IP, 0)).unwrap().local_addr().unwrap().port();
        format!("http://agent.test:{port}/registry")
    };
    config.ard_upstreams = vec![base(), base()];
}

/// Lets the registry of this number answer so.
async fn upstream(world: &World, n: usize, reply: Reply) -> Host {
    let base = &world.exchange.config.ard_upstreams[n];
    let port = base.trim_end_matches("/registry").rsplit(':').next().unwrap().parse().unwrap();
    Host::start_on(AGENT_IP, port, reply).await.expect("the port is still free")
}

fn says(status: &str, body: &Value) -> Reply {
    answer(status, "content-type: application/json\r\n", &body.to_string())
}

fn foreign(name: &str, score: u64) -> Value {
    json!({"identifier": format!("urn:air:other.example:agent:{name}"), "displayName": name, "score": score,
        "type": "application/mcp-server-card+json", "url": "https://other.example/a", "source": "https://third.example/ard"})
}

/// The body of a request.
fn body(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

on_both! {
    async fn other_registries_are_asked_and_their_results_merged_by_score(world, with_upstreams) {
        weather(&world).await;
        let one = upstream(&world, 0, says("200 OK", &json!({"results": [foreign("a", 100), foreign("z", 0)]}))).await;
        let same = json!({"results": [foreign("a", 90), {"identifier": "nonsense"}, foreign("b", 99)]});
        let _two = upstream(&world, 1, says("200 OK", &same)).await;
        let query = json!({"text": "weather", "filter": {"metadata.landline.category": "retrieval"}});
        let merged = search(&world, json!({"query": query, "pageSize": 20})).await;
        let found = names(&merged["results"]);
        assert_eq!((found[0], found[1], found[found.len() - 1], found.len()), ("a", "b", "z", 7), "{found:?}");
        assert_eq!(merged["results"][0]["source"], "https://third.example/ard");
        assert!(merged.get("pageToken").is_none());
        let request = &one.requests()[0];
        assert!(request.starts_with("POST /registry/search HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("landline-registry (+https://relay.example/docs/ARD)"), "{request}");
        assert!(!request.to_lowercase().contains("authorization"), "{request}");
        assert_eq!(body(request), json!({"query": query, "federation": "none", "pageSize": 20}));

        let before = one.connections();
        let own = search(&world, json!({"query": {"text": "weather"}, "federation": "none"})).await;
        assert_eq!(names(&own["results"]).len(), 4);
        let referred = search(&world, json!({"query": {"text": "weather"}, "federation": "referrals"})).await;
        assert_eq!(referred["results"], own["results"]);
        let upstreams = &world.exchange.config.ard_upstreams;
        let urls: Vec<&str> =
            referred["referrals"].as_array().unwrap().iter().map(|referral| referral["url"].as_str().unwrap()).collect();
        assert_eq!(urls, upstreams.iter().map(|base| format!("{base}/search")).collect::<Vec<_>>());
        assert_eq!(one.connections(), before, "nobody was asked");
        // What no entry of ours can match, one of theirs may.
        let elsewhere = json!({"text": "weather", "filter": {"type": "application/mcp-server-card+json"}});
        assert_eq!(names(&search(&world, json!({"query": elsewhere})).await["results"]), ["a", "b", "z"]);
    }

    async fn pages_go_on_where_each_registry_was_left(world, with_upstreams) {
        weather(&world).await;
        let paged = |request: &str| {
            let asked = body(request);
            let (first, next) = match asked["pageToken"].as_str() {
                None => (0, Some("p2")),
                Some("p2") => (asked["pageSize"].as_u64().unwrap(), None),
                Some(other) => panic!("nobody gave out {other}"),
            };
            let results: Vec<Value> = (first..first + 3).map(|n| foreign(&format!("f{n}"), 100 - n)).collect();
            let mut page = json!({ "results": results });
            if let Some(next) = next {
                page["pageToken"] = next.into();
            }
            says("200 OK", &page)
        };
        let _one = upstream(&world, 0, Reply::Made(Arc::new(paged))).await;
        let (mut seen, mut token) = (Vec::new(), Value::Null);
        for _ in 0..10 {
            let mut asked = json!({"query": {"text": "weather"}, "pageSize": 3});
            if token.is_string() {
                asked["pageToken"] = token;
            }
            let page = search(&world, asked).await;
            seen.extend(names(&page["results"]).into_iter().map(str::to_owned));
            token = page["pageToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(seen[..6], ["f0", "f1", "f2", "f3", "f4", "f5"]);
        assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 10, "each once: {seen:?}");
        assert_eq!(seen.len(), 10);
    }

    async fn who_does_not_answer_is_left_out_and_not_waited_for(world, with_upstreams) {
        weather(&world).await;
        let own = 4;
        let began = Instant::now();
        let silent = upstream(&world, 0, Reply::Silence).await;
        let found = search(&world, json!({"query": {"text": "weather"}})).await;
        assert_eq!(names(&found["results"]).len(), own);
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        assert_eq!((silent.connections(), found.get("pageToken")), (1, None));
        let reply = Arc::new(Mutex::new(Reply::Silence));
        let now = Arc::clone(&reply);
        let made = move |_: &str| now.lock().unwrap().clone();
        let _other = upstream(&world, 1, Reply::Made(Arc::new(made))).await;
        let many: Vec<Value> = (0..50).map(|n| foreign(&format!("f{n}"), 1)).collect();
        for (bad, more) in [
            (says("500 X", &json!({"results": [foreign("a", 1)]})), 0),
            (says("200 OK", &json!({"results": "x"})), 0),
            (says("200 OK", &json!([])), 0),
            (answer("200 OK", "", "<html>"), 0),
            (answer("200 OK", "", &"x".repeat(2 << 20)), 0),
            (answer("302 Found", "location: http://127.0.0.1/\r\n", ""), 0),
            (says("200 OK", &json!({"results": many})), 6),
        ] {
            *reply.lock().unwrap() = bad;
            let found = search(&world, json!({"query": {"text": "weather"}, "pageSize": 10})).await;
            assert_eq!(names(&found["results"]).len(), own + more);
        }
    }

    async fn a_registry_in_our_own_network_is_not_asked(world, |config| {
        lab(config);
        config.ard_upstreams = vec!["http://lan.test/ard".into(), "http://loopback.test:8080/ard".into(), "https://relay.example/connect/ard".into()];
    }) {
        weather(&world).await;
        assert_eq!(names(&search(&world, json!({"query": {"text": "weather"}})).await["results"]).len(), 4);
    }
}
