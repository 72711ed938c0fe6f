//! The directory.

use http::{Method, StatusCode};
use serde_json::json;

use crate::world::{Bot, call, on_both, session, up};

on_both! {
    async fn a_registered_agent_is_found_by_its_id_and_in_the_list(world) {
        let answer = world.post("/v1/agents", None, json!({
            "card": {"name": "Adder", "description": "Adds numbers up.", "version": "1.2",
                "skills": [{"id": "sum", "name": "Sum", "description": "Adds.", "tags": ["Math"]}],
                "provider": {"organization": "Sums Ltd"}, "x_unknown": {"kept": true}},
            "tagline": "one and one", "category": "analysis", "accent_color": "#A1B2C3",
        })).await;
        let body = answer.ok(201);
        assert_eq!(answer.headers["cache-control"], "no-store");
        let key = body["api_key"].as_str().unwrap();
        assert!(key.starts_with("ll_") && key.len() == 46, "{key}");
        assert_eq!(body["warnings"].as_array().unwrap().len(), 2, "version and url: {body}");

        let row = world.get(&format!("/v1/agents/{}", body["id"].as_str().unwrap())).await.ok(200);
        assert_eq!(row, body["agent"]);
        assert_eq!(row["name"], "Adder");
        assert_eq!(row["skills"][0]["tags"], json!(["Math"]));
        assert_eq!((&row["online"], &row["attached"]), (&json!(false), &json!(false)));
        assert_eq!(row["created_at"], "2025-07-14T12:00:00.000Z");
        assert_eq!(row["pulse"], json!({"verdict": "unknown", "score": null, "checked_at": null}));
        let list = world.get("/v1/agents").await.ok(200);
        assert_eq!((list["total"].as_u64(), list["limit"].as_u64(), list["offset"].as_u64()), (Some(1), Some(50), Some(0)));
        assert_eq!(list["items"][0]["id"], body["id"]);
    }

    async fn a_row_has_every_key_of_the_contract(world) {
        let bot = world.register("Echo").await;
        let row = world.get(&format!("/v1/agents/{}", bot.id)).await.ok(200);
        let keys: Vec<&str> = row.as_object().unwrap().keys().map(String::as_str).collect();
        for key in ["id", "name", "description", "tagline", "category", "accent_color", "banner_url", "url", "version",
            "provider", "skills", "capabilities", "service_class", "source", "online", "attached", "pulse", "claimed",
            "verified", "provider_verified", "rekor", "reliability", "created_at", "updated_at", "last_seen"] {
            assert!(keys.contains(&key), "{key} is missing");
        }
        let mut figures: Vec<&str> = row["reliability"].as_object().unwrap().keys().map(String::as_str).collect();
        figures.sort_unstable();
        assert_eq!(figures, ["calls_24h", "last_seen", "latency_p50_ms", "latency_p99_ms", "sample_count",
            "success_rate_24h", "uptime_24h", "uptime_7d"]);
    }

    async fn a_taken_name_is_refused_in_any_case_with_three_free_ones(world) {
        world.register("Echo").await;
        world.register("echo-3").await;
        let body = json!({"card": {"name": "ECHO", "description": "An agent of a test."}});
        let problem = world.post("/v1/agents", None, body).await.problem("name_taken");
        assert_eq!(problem["suggestions"], json!(["ECHO-2", "ECHO-4", "ECHO-5"]));
        assert_eq!(problem["did_you_mean"], "ECHO-2");
        assert_eq!(problem["next_action"], json!({"kind": "rename", "endpoint": "POST /v1/agents"}));
        assert_eq!(problem["params_hint"]["field"], "card.name");
        assert_eq!(problem["instance"], "/v1/agents");
        world.register("ECHO-2").await;
    }

    async fn of_many_that_want_one_name_exactly_one_gets_it(world) {
        let body = json!({"card": {"name": "Wanted", "description": "An agent of a test."}});
        let tries = (0..8).map(|_| world.post("/v1/agents", None, body.clone()));
        let answers = futures_util::future::join_all(tries).await;
        let won = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).count();
        assert_eq!(won, 1, "{answers:?}");
        for lost in answers.iter().filter(|answer| answer.status != StatusCode::CREATED) {
            lost.problem("name_taken");
        }
    }

    async fn a_taken_url_is_refused_after_normalising(world) {
        let card = |name: &str, url: &str| json!({"card": {"name": name, "description": "An agent of a test.", "url": url}});
        world.post("/v1/agents", None, card("one", "https://Sum.example/a/")).await.ok(201);
        let problem = world.post("/v1/agents", None, card("two", "https://sum.example:443/a")).await.problem("url_taken");
        assert_eq!(problem["params_hint"]["field"], "card.url");
        world.post("/v1/agents", None, card("two", "https://sum.example/b")).await.ok(201);
    }

    async fn a_bad_card_names_its_first_fault(world) {
        for (body, field) in [
            (json!({}), "card"),
            (json!({"card": {"name": "ab", "description": "x"}}), "card.name"),
            (json!({"card": {"name": "abc", "description": "short"}, "category": "cooking"}), "card.description"),
            (json!({"card": {"name": "abc", "description": "long enough it is"}, "category": "cooking"}), "category"),
        ] {
            let problem = world.post("/v1/agents", None, body).await.problem("invalid_card");
            assert_eq!(problem["params_hint"]["field"], field);
        }
        assert_eq!(world.get("/v1/agents").await.ok(200)["total"], 0);
    }

    async fn the_card_is_given_back_as_it_came_and_as_a2a(world) {
        let card = r#"{ "name":"Echo",  "description": "An agent of a test.", "zeta": [1.0, {"b": 2e0, "a": "\u0041"}] }"#;
        let request = http::Request::post("/connect/v1/agents").header("content-type", "application/json");
        let body = axum::body::Body::from(format!(r#"{{"tagline": "x", "card": {card}}}"#));
        let registered = world.raw(request.body(body).unwrap()).await.ok(201);
        let bot = Bot { id: registered["id"].as_str().unwrap().parse().unwrap(), key: String::new() };
        let original = world.get(&format!("/v1/agents/{}/card?original=1", bot.id)).await;
        assert_eq!((original.status, original.text.as_str()), (StatusCode::OK, card), "byte for byte");
        let served = world.get(&format!("/v1/agents/{}/card", bot.id)).await;
        assert_eq!(served.headers["cache-control"], "max-age=300, stale-if-error=86400");
        let relay = format!("https://relay.example/connect/relay/{}", bot.id);
        assert_eq!(served.ok(200)["supportedInterfaces"][0]["url"], relay);
        assert!(served.json().get("zeta").is_none());

        let request = http::Request::get(format!("/connect/v1/agents/{}/card", bot.id))
            .header("if-none-match", served.headers["etag"].clone())
            .body(axum::body::Body::empty()).unwrap();
        let again = world.raw(request).await;
        assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""));
        assert_eq!(again.headers["etag"], served.headers["etag"]);
    }

    async fn the_card_under_the_relay_address_points_here(world) {
        let bot = world.register("Echo").await;
        let path = format!("/relay/{}/.well-known/agent-card.json", bot.id);
        let answer = world.get(&path).await;
        let card = answer.ok(200);
        assert_eq!(card["supportedInterfaces"][0]["url"], format!("https://relay.example/connect/relay/{}", bot.id));
        assert!(card["securitySchemes"]["landline"].is_object(), "calls need a credential");
        for header in ["etag", "cache-control", "last-modified"] {
            assert!(answer.headers.contains_key(header), "{header}");
        }
        let public = Some(json!({"access": "public"}));
        world.send(Method::PATCH, &format!("/connect/v1/agents/{}", bot.id), Some(&bot.key), public).await.ok(200);
        let card = world.get(&path).await.ok(200);
        assert!(card.get("securitySchemes").is_none(), "anonymous callers are admitted");
        world.get("/relay/0190aaaa-0000-7000-8000-000000000000/.well-known/agent-card.json").await.problem("not_found");
    }

    async fn the_owner_replaces_the_card_and_changes_how_it_is_shown(world) {
        let bot = world.register("Echo").await;
        world.register("Other").await;
        let path = format!("/connect/v1/agents/{}", bot.id);
        let card = format!("{path}/card");
        let new = json!({"name": "Echo Two", "description": "A better agent of a test."});
        let answer = world.send(Method::PUT, &card, Some(&bot.key), Some(new)).await.ok(200);
        assert_eq!(answer["agent"]["name"], "Echo Two");
        let taken = json!({"name": "OTHER", "description": "A better agent of a test."});
        let problem = world.send(Method::PUT, &card, Some(&bot.key), Some(taken)).await.problem("name_taken");
        assert_eq!(problem["params_hint"]["field"], "name");
        // Its own name is not taken by itself, and its old one is free again.
        let same = json!({"name": "echo two", "description": "A better agent of a test."});
        world.send(Method::PUT, &card, Some(&bot.key), Some(same)).await.ok(200);
        world.register("Echo").await;

        let change = json!({"tagline": "new", "access": "public"});
        let row = world.send(Method::PATCH, &path, Some(&bot.key), Some(change)).await.ok(200);
        assert_eq!((&row["tagline"], &row["access"]), (&json!("new"), &json!("public")));
        let row = world.send(Method::PATCH, &path, Some(&bot.key), Some(json!({"tagline": null}))).await.ok(200);
        assert_eq!((&row["tagline"], &row["access"]), (&json!(null), &json!("public")));
        let problem = world.send(Method::PATCH, &path, Some(&bot.key), Some(json!({"name": "x"}))).await.problem("invalid_card");
        assert_eq!(problem["params_hint"]["field"], "name");
    }

    async fn nobody_but_the_owner_changes_an_agent(world) {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let token = world.post("/v1/auth/token", Some(&alice.key), json!({})).await.ok(200)["token"].as_str().unwrap().to_owned();
        let path = format!("/connect/v1/agents/{}", alice.id);
        let changes = [
            (Method::PATCH, path.clone(), json!({"tagline": "x"})),
            (Method::DELETE, path.clone(), json!({})),
            (Method::PUT, format!("{path}/card"), json!({"name": "abc", "description": "long enough it is"})),
            (Method::POST, format!("{path}/rotate-key"), json!({})),
        ];
        for (method, path, body) in changes {
            let send = |token| world.send(method.clone(), &path, token, Some(body.clone()));
            send(None).await.problem("token_missing");
            send(Some("ll_wrong")).await.problem("token_invalid");
            send(Some(&bob.key)).await.problem("not_authorized");
            send(Some(&token)).await.problem("not_authorized");
        }
        let heartbeat = format!("{path}/heartbeat");
        world.send(Method::PUT, &heartbeat, Some(&bob.key), None).await.problem("not_authorized");
        world.send(Method::PUT, &heartbeat, Some(&token), None).await.ok(204);
    }

    async fn a_deleted_agent_is_gone_for_ever_and_its_name_is_free(world) {
        let bot = world.register("Echo").await;
        let path = format!("/connect/v1/agents/{}", bot.id);
        world.send(Method::DELETE, &path, Some(&bot.key), None).await.ok(204);
        world.get(&format!("/v1/agents/{}", bot.id)).await.problem("gone");
        world.get(&format!("/v1/agents/{}/card", bot.id)).await.problem("gone");
        world.send(Method::DELETE, &path, Some(&bot.key), None).await.problem("gone");
        world.post("/v1/auth/verify", Some(&bot.key), json!({})).await.problem("token_invalid");
        assert_eq!(world.get("/v1/agents").await.ok(200)["total"], 0);
        world.register("Echo").await;
        world.get("/v1/agents/0190a1f2-0000-7000-8000-000000000000").await.problem("not_found");
        let problem = world.get("/v1/agents/nonsense").await.problem("invalid_query");
        assert_eq!(problem["params_hint"]["field"], "agent_id");
    }

    async fn lists_are_ordered_windowed_and_narrowed(world) {
        let mut bots = Vec::new();
        for n in 0..5 {
            bots.push(world.register(&format!("bot-{n}")).await);
            world.clock.advance(1_000);
        }
        let mut switch = world.switch(1).await;
        let calls = (0..3).map(|n| call(None, &bots[1], &format!("r{n}"), 200, 1_000));
        world.record(&mut switch, calls.collect()).await;
        world.report(&mut switch, vec![up(&bots[3], 3)]).await;

        landline_controlplane::agents::trend::refresh(&world.exchange).await.unwrap();
        let names = |answer: serde_json::Value| -> Vec<String> {
            answer["items"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(names(world.get("/v1/agents?limit=2&offset=1").await.ok(200)), ["bot-3", "bot-2"]);
        assert_eq!(names(world.get("/v1/agents?sort=trending").await.ok(200))[0], "bot-1");
        assert_eq!(names(world.get("/v1/agents/online").await.ok(200)), ["bot-3"]);
        assert!(names(world.get("/v1/agents/featured").await.ok(200)).is_empty());
        for (path, field) in [("sort=oldest", "sort"), ("limit=201", "limit"), ("limit=0", "limit"), ("offset=-1", "offset")] {
            let problem = world.get(&format!("/v1/agents?{path}")).await.problem("invalid_query");
            assert_eq!(problem["params_hint"]["field"], field);
        }
    }

    async fn reliability_comes_from_lines_and_calls(world) {
        let bot = world.register("Echo").await;
        let mut switch = world.switch(1).await;
        world.clock.advance(3_600_000);
        let statuses = [200, 200, 404, 504];
        let calls = statuses.iter().zip([1_000, 2_000, 3_000, 60_000_000]).map(|(status, us)| call(None, &bot, "r", *status, us));
        world.record(&mut switch, calls.collect()).await;
        let down = crate::world::down(&bot, 1, crate::world::START_MS + 1_800_000);
        world.report(&mut switch, vec![crate::world::up(&bot, 1), down]).await;
        let figures = world.get(&format!("/v1/agents/{}/reliability", bot.id)).await.ok(200);
        assert_eq!(figures["calls_24h"], 4);
        assert_eq!(figures["success_rate_24h"], 0.75);
        assert_eq!((&figures["latency_p50_ms"], &figures["latency_p99_ms"]), (&json!(2.0), &json!(3.0)));
        assert_eq!(figures["sample_count"], 3);
        assert_eq!(figures["uptime_24h"], 0.5, "half an hour of its one hour of life");
        assert_eq!(figures["last_seen"], "2025-07-14T12:30:00.000Z");
        assert_ne!(session(1), session(2));
    }

    async fn a_heartbeat_renews_the_last_sign_of_life_but_does_not_make_an_agent_online(world) {
        let bot = world.register("Echo").await;
        world.clock.advance(5_000);
        world.send(Method::PUT, &format!("/connect/v1/agents/{}/heartbeat", bot.id), Some(&bot.key), None).await.ok(204);
        let row = world.get(&format!("/v1/agents/{}", bot.id)).await.ok(200);
        assert_eq!((&row["last_seen"], &row["online"]), (&json!("2025-07-14T12:00:05.000Z"), &json!(false)));
    }
}
