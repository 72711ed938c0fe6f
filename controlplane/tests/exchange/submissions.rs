//! URLs that somebody submits, and what becomes of them.

use http::Method;
use landline_controlplane::pulse::ops::probe_due;
use landline_controlplane::submissions::ops::visit_due;
use serde_json::{Value, json};

use crate::a2a_host::{Agent, CARD, Call, Life, OLD_CARD};
use crate::agent_host::{call, card, lab};
use crate::world::{World, on_both};

const DAY_MS: i64 = 24 * 3_600_000;

/// Submits a URL, and gives its submission's id.
async fn submit(world: &World, url: &str) -> String {
    let submission = world.post("/v1/submissions", None, json!({"url": url})).await.ok(202);
    submission["id"].as_str().unwrap().to_owned()
}

/// What became of a submission.
async fn outcome(world: &World, id: &str) -> Value {
    world.get(&format!("/v1/submissions/{id}")).await.ok(200)
}

/// Its status and reason.
async fn status(world: &World, id: &str) -> (String, String) {
    let found = outcome(world, id).await;
    let word = |member: &str| found[member].as_str().unwrap_or_default().to_owned();
    (word("status"), word("reason"))
}

fn is(status: &str, reason: &str) -> (String, String) {
    (status.into(), reason.into())
}

async fn look(world: &World, ms: i64) -> usize {
    world.clock.advance(ms);
    visit_due(&world.exchange).await.unwrap()
}

on_both! {
    async fn an_agent_that_its_host_describes_is_listed_and_can_be_called(world, lab) {
        let (agent, _) = Agent::honest("bob").await;
        let id = submit(&world, &agent.origin()).await;
        assert_eq!(status(&world, &id).await, is("queued", ""));
        assert_eq!(submit(&world, &format!("{}/", agent.origin())).await, id, "the same URL is the same submission");
        assert_eq!((look(&world, 0).await, look(&world, 1_000).await), (1, 0));
        let found = outcome(&world, &id).await;
        assert_eq!(found["status"], "indexed", "{found}");
        let bob = found["agent_id"].as_str().unwrap().to_owned();
        let row = world.get(&format!("/v1/agents/{bob}")).await.ok(200);
        assert_eq!((&row["name"], &row["source"], &row["claimed"]), (&json!("bob"), &json!("federated"), &json!(false)));
        world.clock.advance(3_000);
        probe_due(&world.exchange).await.unwrap();
        let row = world.get(&format!("/v1/agents/{bob}")).await.ok(200);
        assert_eq!((&row["online"], &row["pulse"]["verdict"]), (&json!(true), &json!("callable")));
        let alice = world.register("alice").await;
        let callee = crate::world::Bot { id: bob.parse().unwrap(), key: String::new() };
        call(&world, &alice, &callee).await.ok(200);
    }

    async fn a_listed_card_follows_its_host_until_that_says_gone(world, lab) {
        let (agent, mut card) = Agent::honest("bob").await;
        let id = submit(&world, &format!("{}/rpc", agent.origin())).await;
        look(&world, 0).await;
        let bob = outcome(&world, &id).await["agent_id"].as_str().unwrap().to_owned();
        card["description"] = json!("It can do more now than it could.");
        agent.live(|life| life.places = vec![(CARD, 200, card.to_string())]);
        assert_eq!(look(&world, DAY_MS - 2_000).await, 0);
        assert_eq!(look(&world, 3_000).await, 1, "it is looked at each day");
        let row = world.get(&format!("/v1/agents/{bob}")).await.ok(200);
        assert_eq!(row["description"], card["description"]);
        agent.live(|life| life.places = vec![(CARD, 503, String::new())]);
        look(&world, DAY_MS).await;
        assert_eq!(status(&world, &id).await, is("indexed", "host_is_busy"), "a bad day costs nobody the entry");
        agent.live(|life| life.places = vec![(CARD, 410, String::new())]);
        probe_due(&world.exchange).await.unwrap();
        world.get(&format!("/v1/agents/{bob}")).await.problem("gone");
        look(&world, DAY_MS).await;
        assert_eq!(status(&world, &id).await, is("gone", ""));
        assert_eq!(look(&world, 9 * DAY_MS).await, 0);
    }

    async fn who_registered_by_itself_keeps_its_entry(world, lab) {
        let (agent, card) = Agent::honest("bob").await;
        let bob = world.register_with(json!({"card": card})).await;
        let id = submit(&world, &agent.origin()).await;
        look(&world, 0).await;
        let found = outcome(&world, &id).await;
        assert_eq!((&found["status"], &found["agent_id"]), (&json!("known"), &json!(bob.id)));
        assert_eq!(world.get(&format!("/v1/agents/{}", bob.id)).await.ok(200)["source"], "self_registered");
    }

    async fn a_catalogue_is_followed_to_its_cards(world, lab) {
        let (one, card_of_one) = Agent::honest("one").await;
        let two = Agent::start(Life { places: vec![], call: Call::NoSuchTask }).await;
        let card_of_two = card("two", &two.origin(), &[("JSONRPC", "1.0", "/rpc")]);
        two.live(|life| life.places = vec![("/cards/two.json", 200, card_of_two.to_string())]);
        let kind = "application/a2a-agent-card+json";
        let entries = json!([
            {"identifier": "urn:air:a.example:one", "displayName": "One", "type": kind, "url": format!("{}{CARD}", one.origin())},
            {"identifier": "urn:air:a.example:two", "displayName": "Two", "mediaType": kind, "url": format!("{}/cards/two.json", two.origin())},
            {"identifier": "urn:air:a.example:in", "displayName": "In", "type": kind, "url": "http://127.0.0.1:8080/"},
            {"identifier": "urn:air:a.example:mcp", "displayName": "M", "type": "application/mcp-server-card+json", "url": "https://mcp.example"},
        ]);
        let manifest = json!({"specVersion": "1.0", "entries": entries}).to_string();
        let host = Agent::start(Life { places: vec![("/.well-known/ai-catalog.json", 200, manifest)], call: Call::Status(404) }).await;
        let id = submit(&world, &host.origin()).await;
        assert_eq!(look(&world, 0).await, 3, "the catalogue, and the two that may be called");
        let found = outcome(&world, &id).await;
        assert_eq!((&found["status"], &found["entries"]), (&json!("catalog"), &json!(3)));
        let list = world.get("/v1/agents").await.ok(200);
        let mut names: Vec<&str> = list["items"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, ["one", "two"]);
        assert!(card_of_one["name"] == "one");
    }

    async fn what_is_no_agent_is_told_apart(world, lab) {
        let (honest, elsewhere) = Agent::honest("bob").await;
        world.register("taken").await;
        for (places, expected) in [
            (vec![], is("failed", "no_card")),
            (vec![(CARD, 200, "<html>".to_owned())], is("failed", "no_card")),
            (vec![(CARD, 200, r#"{"name": "x", "description": "too short a name it has"}"#.to_owned())], is("failed", "invalid_card card.name")),
            (vec![(CARD, 200, elsewhere.to_string())], is("failed", "invalid_card card.supportedInterfaces[0].url")),
            (vec![(OLD_CARD, 200, "TAKEN".to_owned())], is("failed", "name_taken card.name")),
            (vec![(CARD, 410, String::new())], is("gone", "")),
        ] {
            let host = Agent::start(Life { places, call: Call::Status(404) }).await;
            host.live(|life| {
                for (_, _, text) in &mut life.places {
                    if text == "TAKEN" {
                        *text = card("taken", &host.origin(), &[("JSONRPC", "1.0", "/rpc")]).to_string();
                    }
                }
            });
            let id = submit(&world, &host.origin()).await;
            assert_eq!(look(&world, 0).await, 1);
            assert_eq!(status(&world, &id).await, expected);
        }
        assert!(honest.lines(0).is_empty());
        assert_eq!(world.get("/v1/agents").await.ok(200)["total"], 1);
    }

    async fn a_host_that_is_away_is_tried_again_and_then_no_more(world, lab) {
        let host = Agent::start(Life { places: vec![(CARD, 503, String::new())], call: Call::Status(404) }).await;
        let id = submit(&world, &host.origin()).await;
        for (wait, expected) in [(0, "queued"), (300_000, "queued"), (3_600_000, "queued"), (DAY_MS, "failed")] {
            assert_eq!(look(&world, wait).await, 1);
            assert_eq!(status(&world, &id).await, is(expected, "host_is_busy"));
        }
        assert_eq!(look(&world, 30 * DAY_MS).await, 0);
        assert_eq!(submit(&world, &host.origin()).await, id);
        assert_eq!(look(&world, 0).await, 1, "submitted anew it is looked at anew");
    }

    async fn what_cannot_be_looked_at_is_refused_at_once(world, lab) {
        for body in [json!({}), json!({"url": 7}), json!({"url": "ftp://a.example"}), json!({"url": "nonsense"}), json!([])] {
            let problem = world.post("/v1/submissions", None, body).await.problem("invalid_query");
            assert_eq!(problem["params_hint"]["field"], "url");
        }
        for url in ["http://127.0.0.1:8080/", "http://localhost:8080/", "http://none.test/", "http://agent.test:1024/",
            "http://169.254.169.254/", "https://relay.example/connect", "http://10.0.0.1/"] {
            let problem = world.post("/v1/submissions", None, json!({"url": url})).await.problem("runtime_unreachable");
            assert_eq!((&problem["status"], &problem["params_hint"]["field"]), (&json!(422), &json!("url")), "{url}");
        }
        world.get("/v1/submissions/0190aaaa-0000-7000-8000-000000000000").await.problem("not_found");
        world.get("/v1/submissions/nonsense").await.problem("not_found");
    }

    async fn nobody_holds_the_key_of_a_listed_agent(world, lab) {
        let (agent, card) = Agent::honest("bob").await;
        let id = submit(&world, &agent.origin()).await;
        look(&world, 0).await;
        let bob = outcome(&world, &id).await["agent_id"].as_str().unwrap().to_owned();
        let path = format!("/connect/v1/agents/{bob}/card");
        let alice = world.register("alice").await;
        world.send(Method::PUT, &path, Some(&alice.key), Some(card.clone())).await.problem("not_authorized");
        let taken = world.post("/v1/agents", None, json!({"card": card})).await;
        taken.problem("name_taken");
    }
}
