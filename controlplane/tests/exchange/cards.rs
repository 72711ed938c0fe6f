//! Agent Cards over HTTP: what is refused where, what is offered instead, and the history of what an agent said of itself.

use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use crate::world::{Answer, Bot, World, on_both};

fn card(version: u32) -> Value {
    json!({"name": "Echo", "description": "An agent of a test.", "version": format!("{version}.0.0"), "x-own": version})
}

async fn replace(world: &World, bot: &Bot, card: &Value, if_match: Option<&str>) -> Answer {
    let mut request = Request::put(format!("/connect/v1/agents/{}/card", bot.id))
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {}", bot.key));
    if let Some(tags) = if_match {
        request = request.header("if-match", tags);
    }
    world.raw(request.body(axum::body::Body::from(card.to_string())).unwrap()).await
}

/// An agent whose card was replaced so often, a minute after the one before.
async fn replaced(world: &World, times: u32) -> Bot {
    let bot = world.register_with(json!({"card": card(1)})).await;
    for n in 0..times {
        world.clock.advance(60_000);
        replace(world, &bot, &card(n + 2), None).await.ok(200);
    }
    bot
}

async fn history(world: &World, bot: &Bot, query: &str) -> Value {
    world.get(&format!("/v1/agents/{}/card/history{query}", bot.id)).await.ok(200)
}

fn numbers(page: &Value) -> Vec<u64> {
    page["items"].as_array().unwrap().iter().map(|item| item["n"].as_u64().unwrap()).collect()
}

on_both! {
    async fn a_replaced_card_stays_readable_by_its_number_and_its_time(world) {
        let bot = replaced(&world, 2).await;
        let page = history(&world, &bot, "").await;
        assert_eq!((numbers(&page), page["total"].as_u64()), (vec![3, 2, 1], Some(3)));
        let (now, first) = (&page["items"][0], &page["items"][2]);
        assert_eq!((&now["at"], &now["until"]), (&json!("2025-07-14T12:02:00.000Z"), &Value::Null));
        assert_eq!((&first["at"], &first["until"]), (&json!("2025-07-14T12:00:00.000Z"), &json!("2025-07-14T12:01:00.000Z")));
        assert_eq!((&first["name"], &first["version"]), (&json!("Echo"), &json!("1.0.0")));

        let path = format!("/v1/agents/{}/card", bot.id);
        for (query, version) in [
            ("/history/1?original=1", 1), ("/history/2?original=1", 2), ("/history/3?original=1", 3), ("?original=1", 3),
            ("?original=1&at=2025-07-14T12:00:00Z", 1), ("?original=1&at=2025-07-14T12:00:59.999Z", 1),
            ("?original=1&at=2025-07-14T12:01:00Z", 2), ("?original=1&at=2030-01-01T00:00:00Z", 3),
        ] {
            let given = world.get(&format!("{path}{query}")).await;
            assert_eq!(given.text, card(version).to_string(), "{query}: byte for byte");
            let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, given.text.as_bytes());
            let hex: String = digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(page["items"][3 - version as usize]["sha256"], hex);
        }
        let shown = world.get(&format!("{path}/history/1")).await;
        assert_eq!(shown.ok(200)["version"], "1.0.0");
        assert!(shown.json().get("x-own").is_none() && shown.json()["supportedInterfaces"].is_array());
        assert_eq!(shown.headers["last-modified"], "Mon, 14 Jul 2025 12:00:00 GMT");

        for (query, code) in [("/history/4", "not_found"), ("?at=2025-07-14T11:59:59Z", "not_found"), ("/history/0", "invalid_query"),
            ("/history/x", "invalid_query"), ("?at=yesterday", "invalid_query")] {
            world.get(&format!("{path}{query}")).await.problem(code);
        }
        world.get("/v1/agents/0190aaaa-0000-7000-8000-000000000000/card/history").await.problem("not_found");
    }

    async fn the_history_comes_in_pages_of_which_the_first_begins_with_the_current_card(world) {
        let bot = replaced(&world, 4).await;
        assert_eq!(numbers(&history(&world, &bot, "?limit=2").await), [5, 4]);
        assert_eq!(numbers(&history(&world, &bot, "?limit=2&offset=2").await), [3, 2]);
        assert_eq!(numbers(&history(&world, &bot, "?limit=1").await), [5]);
        assert_eq!(numbers(&history(&world, &bot, "?offset=4").await), [1]);
        assert_eq!(numbers(&history(&world, &bot, "?offset=5").await), [0_u64; 0]);
        assert_eq!(history(&world, &bot, "?offset=5").await["total"], 5);
    }

    async fn the_last_twenty_former_cards_are_kept_and_none_of_a_deleted_agent(world) {
        let bot = replaced(&world, 23).await;
        let page = history(&world, &bot, "").await;
        assert_eq!(numbers(&page), (4..=24).rev().collect::<Vec<u64>>());
        let path = format!("/v1/agents/{}/card", bot.id);
        world.get(&format!("{path}/history/3")).await.problem("gone");
        world.get(&format!("{path}?at=2025-07-14T12:00:30Z")).await.problem("gone");
        world.get(&format!("{path}/history/4")).await.ok(200);
        let rows = async || -> i64 {
            let query = sqlx::query_scalar("SELECT COUNT(*) FROM card_history").fetch_one(world.exchange.db.read());
            query.await.unwrap()
        };
        assert_eq!(rows().await, 20);
        world.send(Method::DELETE, &format!("/connect/v1/agents/{}", bot.id), Some(&bot.key), None).await.ok(204);
        assert_eq!(rows().await, 0);
        world.get(&format!("{path}/history")).await.problem("gone");
    }

    async fn the_same_card_again_changes_nothing(world) {
        let bot = replaced(&world, 1).await;
        let row = world.get(&format!("/v1/agents/{}", bot.id)).await.ok(200);
        world.clock.advance(60_000);
        let again = replace(&world, &bot, &card(2), None).await.ok(200);
        assert_eq!((&again["agent"]["updated_at"], again["warnings"].as_array().unwrap().len()), (&row["updated_at"], 2));
        assert_eq!(numbers(&history(&world, &bot, "").await), [2, 1]);
    }

    async fn a_refused_card_leaves_no_trace(world) {
        let bot = replaced(&world, 1).await;
        world.register("Other").await;
        let taken = json!({"name": "other", "description": "An agent of a test."});
        let problem = replace(&world, &bot, &taken, None).await.problem("name_taken");
        assert_eq!(problem["next_action"]["endpoint"], "PUT /v1/agents/{agent_id}/card");
        replace(&world, &bot, &json!({"name": "Echo"}), None).await.problem("invalid_card");
        assert_eq!(numbers(&history(&world, &bot, "").await), [2, 1]);
        assert_eq!(world.get(&format!("/v1/agents/{}/card", bot.id)).await.ok(200)["version"], "2.0.0");
    }

    async fn a_card_is_only_replaced_if_it_is_the_one_that_was_read(world) {
        let bot = replaced(&world, 0).await;
        let tag = async |query: &str| {
            let answer = world.get(&format!("/v1/agents/{}/card{query}", bot.id)).await;
            answer.headers["etag"].to_str().unwrap().to_owned()
        };
        let (shown, given) = (tag("").await, tag("?original=1").await);
        assert!(shown != given && !shown.starts_with("W/"), "each form has its own strong tag");
        for bad in ["\"x\"", &format!("W/{shown}"), "", "\"ä\""] {
            let problem = replace(&world, &bot, &card(2), Some(bad)).await.problem("conflict");
            assert_eq!(problem["params_hint"]["field"], "if-match");
            assert_eq!(problem["next_action"]["endpoint"], "GET /v1/agents/{agent_id}/card");
        }
        replace(&world, &bot, &card(2), Some(&shown)).await.ok(200);
        replace(&world, &bot, &card(3), Some(&shown)).await.problem("conflict");
        replace(&world, &bot, &card(3), Some(&given)).await.problem("conflict");
        let now = tag("?original=1").await;
        replace(&world, &bot, &card(3), Some(&format!("\"x\", {now}"))).await.ok(200);
        replace(&world, &bot, &card(4), Some("*")).await.ok(200);
        assert_eq!(numbers(&history(&world, &bot, "").await), [4, 3, 2, 1]);
        assert_eq!(tag("").await, tag("").await);
        assert_ne!(tag("").await, shown);
    }

    async fn of_two_that_replace_the_same_card_one_is_told(world) {
        let bot = replaced(&world, 0).await;
        let answer = world.get(&format!("/v1/agents/{}/card", bot.id)).await;
        let tag = answer.headers["etag"].to_str().unwrap();
        let (two, three) = (card(2), card(3));
        let (one, other) = futures_util::join!(replace(&world, &bot, &two, Some(tag)), replace(&world, &bot, &three, Some(tag)));
        let mut statuses = [one.status, other.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [StatusCode::OK, StatusCode::CONFLICT]);
        assert_eq!(numbers(&history(&world, &bot, "").await), [2, 1]);
    }

    async fn paths_name_members_as_they_were_spelled(world) {
        let with = |member: &str, value: Value| {
            let mut card = card(1);
            card[member] = value;
            json!({"card": card})
        };
        for (body, field) in [
            (with("supported_interfaces", json!([{"url": "https://a.example"}])), "card.supported_interfaces[0].protocol_binding"),
            (with("supportedInterfaces", json!([{"url": "https://a.example"}])), "card.supportedInterfaces[0].protocolBinding"),
            (with("skills", json!([{}, {}, {"tags": [1]}])), "card.skills[2].tags[0]"),
            (with("security_schemes", json!({"x": {"http_auth_security_scheme": {}}})), "card.security_schemes.x.http_auth_security_scheme.scheme"),
        ] {
            let problem = world.post("/v1/agents", None, body).await.problem("invalid_card");
            assert_eq!(problem["params_hint"]["field"], field);
        }
        let bot = replaced(&world, 0).await;
        let mut bad = card(2);
        bad["skills"] = json!([{"tags": 1}]);
        let problem = replace(&world, &bot, &bad, None).await.problem("invalid_card");
        assert_eq!(problem["params_hint"]["field"], "skills[0].tags", "the body is the card");
        let problem = replace(&world, &bot, &json!({"card": bad}), None).await.problem("invalid_card");
        assert_eq!(problem["params_hint"]["field"], "card.skills[0].tags");
    }

    async fn a_card_with_two_readings_is_refused(world) {
        let send = async |method: Method, path: &str, key: &str, body: &str| {
            let request = Request::builder().method(method).uri(path).header("content-type", "application/json");
            let request = if key.is_empty() { request } else { request.header("authorization", format!("Bearer {key}")) };
            world.raw(request.body(axum::body::Body::from(body.to_owned())).unwrap()).await
        };
        let card = r#"{"name": "Echo", "description": "An agent of a test.", "skills": [{"id": "a", "id": "b"}]}"#;
        let body = format!(r#"{{"card": {card}}}"#);
        let problem = send(Method::POST, "/connect/v1/agents", "", &body).await.problem("invalid_card");
        assert_eq!(problem["params_hint"]["field"], "card.skills[0].id");
        let bot = replaced(&world, 0).await;
        let problem = send(Method::PUT, &format!("/connect/v1/agents/{}/card", bot.id), &bot.key, card).await.problem("invalid_card");
        assert_eq!(problem["params_hint"]["field"], "skills[0].id");
    }

    async fn three_names_are_free_however_many_are_taken(world) {
        for name in ["Echo", "Echo-2", "echo-3"].into_iter().map(str::to_owned).chain((4..=10).map(|n| format!("ECHO-{n}"))) {
            world.register(&name).await;
        }
        let body = json!({"card": {"name": "Echo", "description": "An agent of a test."}});
        let problem = world.post("/v1/agents", None, body).await.problem("name_taken");
        let offered: Vec<&str> = problem["suggestions"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert_eq!(offered.len(), 3);
        assert_eq!(problem["did_you_mean"], offered[0]);
        for name in offered {
            world.register(name).await;
        }
        let body = json!({"card": {"name": "Echo-2", "description": "An agent of a test."}});
        let problem = world.post("/v1/agents", None, body).await.problem("name_taken");
        assert_eq!(problem["did_you_mean"], "Echo-11", "a numbered name goes on");
    }

    async fn the_word_that_was_meant_is_offered(world) {
        let body = json!({"card": card(1), "category": "codign"});
        let problem = world.post("/v1/agents", None, body).await.problem("invalid_card");
        assert_eq!((&problem["did_you_mean"], problem["suggestions"].as_array().unwrap().len()), (&json!("coding"), 8));
        let body = json!({"card": card(1), "catgory": "coding"});
        let answer = world.post("/v1/agents", None, body).await.ok(201);
        let warnings: Vec<&str> = answer["warnings"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(warnings.contains(&"`catgory` was ignored: did you mean `category`?"), "{warnings:?}");
        let path = format!("/connect/v1/agents/{}", answer["id"].as_str().unwrap());
        let key = answer["api_key"].as_str().unwrap();
        let patch = async |body: Value| world.send(Method::PATCH, &path, Some(key), Some(body)).await.problem("invalid_card");
        assert_eq!(patch(json!({"tag_line": "x"})).await["did_you_mean"], "tagline");
        assert_eq!(patch(json!({"description": "x"})).await["did_you_mean"], Value::Null);
    }

    async fn the_declared_service_class_is_on_the_row_and_among_the_facets(world) {
        let mut card = card(1);
        let uri = "https://relay.example/extensions/service-class";
        card["capabilities"] = json!({"extensions": [{"uri": uri, "params": {"class": "gold"}}]});
        let problem = world.post("/v1/agents", None, json!({"card": card})).await.problem("invalid_card");
        assert_eq!(problem["params_hint"]["field"], "card.capabilities.extensions[0].params.class");
        assert_eq!(problem["suggestions"].as_array().unwrap().len(), 3);
        card["capabilities"]["extensions"][0]["params"]["class"] = "ephemeral".into();
        let answer = world.post("/v1/agents", None, json!({"card": card})).await.ok(201);
        assert_eq!(answer["agent"]["service_class"], "ephemeral");
        world.indexed().await;
        let facets = world.get("/v1/agents/facets").await.ok(200);
        assert_eq!(facets["service_classes"], json!([{"value": "ephemeral", "count": 1}]));
    }
}
