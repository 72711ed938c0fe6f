//! Finding agents: by words and labels, and for a task.

use http::Method;
use serde_json::{Value, json};

use crate::world::{Bot, World, call, down, on_both, up};

/// Registers an agent with one skill.
async fn with_skill(world: &World, name: &str, about: &str, (skill, does): (&str, &str), tags: &[&str]) -> Bot {
    let skills = json!([{"id": skill, "name": skill, "description": does, "tags": tags}]);
    world
        .register_with(json!({"card": {"name": name, "description": about, "skills": skills,
        "provider": {"organization": "ACME"}}, "category": "general"}))
        .await
}

/// The names that a search finds, in order. Its total is their number.
async fn found(world: &World, query: &str) -> Vec<String> {
    let answer = world.get(&format!("/v1/search?{query}")).await.ok(200);
    let names = names(&answer["items"], "name");
    assert_eq!(answer["total"].as_u64().unwrap() as usize, names.len(), "{query}");
    names
}

fn names(rows: &Value, member: &str) -> Vec<String> {
    rows.as_array().unwrap().iter().map(|row| row[member].as_str().unwrap().to_owned()).collect()
}

async fn discover(world: &World, body: Value) -> Vec<Value> {
    world.post("/v1/discover", None, body).await.ok(200)["candidates"].as_array().unwrap().clone()
}

/// A few agents of different trades.
async fn trades(world: &World) {
    with_skill(
        world,
        "Lingua",
        "Renders contracts and letters in other languages.",
        ("translate-text", "Translates documents between forty languages."),
        &["Language", "legal"],
    )
    .await;
    with_skill(world, "Text Counter", "Counts words and characters.", ("countWords", "Counts."), &["language"]).await;
    with_skill(world, "Painter", "Draws pictures of what you say.", ("draw", "Makes an image."), &["art"]).await;
    with_skill(world, "Ärztefinder", "Findet Ärzte in der Nähe.", ("find-doctor", "Finds a physician."), &["health"])
        .await;
    world.indexed().await;
}

on_both! {
    async fn agents_are_found_by_words_in_any_form_and_best_first(world) {
        trades(&world).await;
        assert_eq!(found(&world, "q=translations").await, ["Lingua"], "another form of the word");
        assert_eq!(found(&world, "q=TEXT").await, ["Text Counter", "Lingua"], "a name counts more than a skill");
        assert_eq!(found(&world, "q=words%20counter").await, ["Text Counter"], "all words");
        assert_eq!(found(&world, "q=pictures%20nonsenseword").await, ["Painter"], "some words, if nobody has all");
        assert_eq!(found(&world, "q=arztefinder").await, ["Ärztefinder"], "without marks");
        assert_eq!(found(&world, "q=%C3%84RZTE").await, ["Ärztefinder"], "without case");
        assert_eq!(found(&world, "q=words").await, ["Text Counter"], "the hump of an identifier");
        assert_eq!(found(&world, "q=zzzz").await, [""; 0]);
    }

    async fn the_last_word_may_be_unfinished_and_words_may_be_mistyped(world) {
        trades(&world).await;
        assert_eq!(found(&world, "q=transl").await, ["Lingua"]);
        assert_eq!(found(&world, "q=transl%20contracts").await, ["Lingua"], "some words, for only the last is unfinished");
        assert_eq!(found(&world, "q=contracts%20transl").await, ["Lingua"]);
        assert_eq!(found(&world, "q=pianter").await, ["Painter"], "two letters swapped");
        assert_eq!(found(&world, "q=painteer").await, ["Painter"]);
        assert_eq!(found(&world, "q=chrcers").await, [""; 0], "three letters are too many");
        assert_eq!(found(&world, "q=chractrs").await, ["Text Counter"], "two in a long word");
        assert_eq!(found(&world, "q=atr").await, [""; 0], "none in a short one");
        with_skill(&world, "Panther Watch", "Watches panthers.", ("watch", "Watches."), &[]).await;
        world.indexed().await;
        assert_eq!(found(&world, "q=panter").await.len(), 2, "both are one letter away");
        assert_eq!(found(&world, "q=panther").await[0], "Panther Watch", "what is exact is above what is near");
    }

    async fn filters_narrow_alone_and_together(world) {
        trades(&world).await;
        assert_eq!(found(&world, "tag=language").await.len(), 2, "tags have no case");
        assert_eq!(found(&world, "tag=LANGUAGE&q=words").await, ["Text Counter"]);
        assert_eq!(found(&world, "skill=translate").await, ["Lingua"]);
        assert_eq!(found(&world, "skill=find%20doc").await, ["Ärztefinder"]);
        assert_eq!(found(&world, "tag=art&category=coding").await, [""; 0]);
        assert_eq!(found(&world, "tag=art&provider=acme&category=general&online=false").await, ["Painter"]);
        assert_eq!(found(&world, "tag=art&online=true").await, [""; 0]);
        let bot = with_skill(&world, "Second Painter", "Draws as well.", ("draw", "Draws."), &["art"]).await;
        let mut switch = world.switch(1).await;
        world.report(&mut switch, vec![up(&bot, 1)]).await;
        world.indexed().await;
        world.clock.advance(3_000);
        assert_eq!(found(&world, "tag=art&online=true").await, ["Second Painter"]);
        assert_eq!(found(&world, "tag=art&online=false").await, ["Painter"]);
        let page = world.get("/v1/search?tag=art&limit=1&offset=1").await.ok(200);
        assert_eq!((page["total"].as_u64(), names(&page["items"], "name").len()), (Some(2), 1));
        assert_eq!(names(&world.get("/v1/search?tag=art&offset=2147483647").await.ok(200)["items"], "name"), [""; 0]);
    }

    async fn a_hit_has_a_score_and_the_pieces_of_text_around_the_words(world) {
        trades(&world).await;
        let hit = &world.get("/v1/search?q=Painter").await.ok(200)["items"][0];
        assert_eq!((hit["score"].as_f64(), &hit["highlights"]), (Some(1.0), &json!(["Painter"])));
        let hit = &world.get("/v1/search?q=pictures").await.ok(200)["items"][0];
        assert_eq!(hit["highlights"], json!(["Draws pictures of what you say."]));
        let exact = hit["score"].as_f64().unwrap();
        let typo = world.get("/v1/search?q=pcitures").await.ok(200)["items"][0]["score"].as_f64().unwrap();
        assert!(typo > 0.0 && typo < 0.5 && exact > 0.5 && exact < 1.0, "{typo} {exact}");
    }

    async fn a_search_that_means_nothing_names_its_parameter(world) {
        let long = "x".repeat(201);
        for (query, field) in [
            (String::new(), "q"), ("category=chat".into(), "q"), ("q=%25".into(), "q"), ("skill=--".into(), "skill"),
            (format!("q={long}"), "q"), (format!("q=a&provider={long}"), "provider"), ("q=a&online=maybe".into(), "online"),
            ("q=a&limit=201".into(), "limit"), ("q=a&offset=-1".into(), "offset"),
        ] {
            let problem = world.get(&format!("/v1/search?{query}")).await.problem("invalid_query");
            assert_eq!(problem["params_hint"]["field"], field, "{query}");
        }
    }

    async fn the_index_follows_every_change_and_knows_when_there_is_none(world) {
        let bot = world.register("Echo").await;
        let path = format!("/connect/v1/agents/{}", bot.id);
        assert_eq!(world.indexed().await, 1);
        assert_eq!(world.indexed().await, 0, "nothing changed");
        // All of it within one millisecond of the test's clock.
        world.send(Method::PATCH, &path, Some(&bot.key), Some(json!({"tagline": "gives back"}))).await.ok(200);
        world.indexed().await;
        assert_eq!(found(&world, "q=gives").await, ["Echo"]);
        let card = json!({"name": "Parrot", "description": "Repeats what it hears."});
        world.send(Method::PUT, &format!("{path}/card"), Some(&bot.key), Some(card)).await.ok(200);
        world.indexed().await;
        assert_eq!((found(&world, "q=parrot").await, found(&world, "q=echo").await), (vec!["Parrot".into()], vec![]));
        world.clock.advance(600_000);
        world.send(Method::DELETE, &path, Some(&bot.key), None).await.ok(204);
        assert_eq!(world.indexed().await, 1);
        assert_eq!(found(&world, "q=parrot").await, [""; 0]);
        assert_eq!(world.indexed().await, 0);
    }

    async fn blocked_and_removed_agents_never_appear_even_while_the_index_lags(world) {
        let (one, two) = (world.register("Echo One").await, world.register("Echo Two").await);
        world.indexed().await;
        assert_eq!(found(&world, "q=echo").await.len(), 2);
        let block = format!("/v1/admin/agents/{}/block", one.id);
        world.post(&block, Some(&world.admin()), json!({"reason": "a test"})).await.ok(200);
        assert_eq!(found(&world, "q=echo").await, ["Echo Two"]);
        world.send(Method::DELETE, &format!("/connect/v1/agents/{}", two.id), Some(&two.key), None).await.ok(204);
        assert_eq!(found(&world, "q=echo").await, [""; 0]);
        assert!(discover(&world, json!({"task": "echo"})).await.is_empty());
        world.indexed().await;
        assert_eq!(world.get("/v1/agents/facets").await.ok(200)["providers"], json!([]));
        world.post(&format!("/v1/admin/agents/{}/unblock", one.id), Some(&world.admin()), json!({})).await.ok(200);
        world.indexed().await;
        assert_eq!(found(&world, "q=echo").await, ["Echo One"]);
    }

    async fn a_name_is_found_before_the_index_has_it(world) {
        world.register("alice-1f2a8c").await;
        assert_eq!(found(&world, "q=Alice-1F2A8C").await, ["alice-1f2a8c"]);
        assert_eq!(found(&world, "q=alice").await, [""; 0]);
        world.indexed().await;
        assert_eq!(found(&world, "q=Alice-1F2A8C").await, ["alice-1f2a8c"], "once");
    }

    async fn facets_count_what_is_visible(world) {
        trades(&world).await;
        let facets = world.get("/v1/agents/facets").await.ok(200);
        assert_eq!(facets["tags"][0], json!({"value": "language", "count": 2}));
        assert_eq!(facets["categories"], json!([{"value": "general", "count": 4}]));
        assert_eq!(facets["providers"], json!([{"value": "ACME", "count": 4}]));
        assert_eq!(facets["service_classes"], json!([]));
        let bot = with_skill(&world, "Fifth", "One more of them.", ("x", "y"), &["language"]).await;
        world.indexed().await;
        assert_eq!(world.get("/v1/agents/facets").await.ok(200)["tags"][0]["count"], 3);
        world.send(Method::DELETE, &format!("/connect/v1/agents/{}", bot.id), Some(&bot.key), None).await.ok(204);
        world.indexed().await;
        assert_eq!(world.get("/v1/agents/facets").await.ok(200)["tags"][0]["count"], 2, "a document that is deleted");
    }

    async fn a_task_finds_the_agent_that_can_do_it(world) {
        trades(&world).await;
        let task = "Please help me: I need somebody who can translate a rental contrat from German to Spanish.";
        let candidates = discover(&world, json!({"task": task, "why": true})).await;
        let best = &candidates[0];
        assert_eq!(best["name"], "Lingua");
        assert_eq!(best["one_line_capability"], "translate-text: Translates documents between forty languages.");
        assert_eq!(best["pulse"]["verdict"], "unknown");
        assert!(best["endpoint"].as_str().unwrap().starts_with("https://relay.example/connect/relay/"));
        let score = best["match_score"].as_f64().unwrap();
        assert!(score > 0.0 && score < 1.0);
        assert!(best["why"]["matched"].as_array().unwrap().contains(&json!("translate")), "{best}");
        assert_eq!(best["why"]["signals"].as_array().unwrap().len(), 7);
        assert_eq!(best["why"]["online"], false);
        let plain = discover(&world, json!({"task": task})).await;
        assert!(plain[0].get("why").is_none());
        let mut keys: Vec<&String> = plain[0].as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["agent_id", "endpoint", "match_score", "name", "one_line_capability", "pulse"]);
    }

    async fn of_equal_texts_the_one_that_proved_reliable_is_first(world) {
        let mut bots = Vec::new();
        for name in ["Weather North", "Weather South", "Weather West"] {
            bots.push(with_skill(&world, name, "Tells the weather.", ("forecast", "Forecasts the weather."), &[]).await);
        }
        let mut switch = world.switch(1).await;
        world.report(&mut switch, vec![up(&bots[0], 1), up(&bots[1], 2), up(&bots[2], 3)]).await;
        world.clock.advance(3_600_000);
        let calls = |bot, status, ms: u64| (0..20).map(move |_| call(None, bot, "r", status, ms * 1_000));
        world.record(&mut switch, calls(&bots[0], 504, 60_000).chain(calls(&bots[1], 200, 40)).collect()).await;
        world.report(&mut switch, vec![down(&bots[2], 3, crate::world::START_MS + 3_000_000)]).await;
        world.indexed().await;
        let order = names(&json!(discover(&world, json!({"task": "weather forecast"})).await), "name");
        assert_eq!(order, ["Weather South", "Weather North", "Weather West"], "it fails, it is offline");
        let live = names(&json!(discover(&world, json!({"task": "weather forecast", "live_only": true})).await), "name");
        assert_eq!(live, ["Weather South", "Weather North"]);
        let one = discover(&world, json!({"task": "weather forecast", "max_results": 1})).await;
        assert_eq!(one.len(), 1);
    }

    async fn the_endpoint_is_the_agents_own_url_while_it_has_no_line(world) {
        let bot = world.register_with(json!({"card": {"name": "Direct", "description": "Sums numbers up.",
            "url": "https://sum.example/a2a"}})).await;
        world.indexed().await;
        assert_eq!(discover(&world, json!({"task": "sum numbers"})).await[0]["endpoint"], "https://sum.example/a2a");
        let mut switch = world.switch(1).await;
        world.report(&mut switch, vec![up(&bot, 1)]).await;
        let relay = format!("https://relay.example/connect/relay/{}", bot.id);
        assert_eq!(discover(&world, json!({"task": "sum numbers"})).await[0]["endpoint"], relay);
    }

    async fn a_bad_discovery_names_its_member(world) {
        for (body, field) in [
            (json!([]), "body"), (json!({}), "task"), (json!({"task": 7}), "task"), (json!({"task": " ... "}), "task"),
            (json!({"task": "x".repeat(4_001)}), "task"), (json!({"task": "a", "max_results": 51}), "max_results"),
            (json!({"task": "a", "max_results": 0}), "max_results"), (json!({"task": "a", "max_results": "5"}), "max_results"),
            (json!({"task": "a", "live_only": "yes"}), "live_only"), (json!({"task": "a", "why": 1}), "why"),
        ] {
            let problem = world.post("/v1/discover", None, body.clone()).await.problem("invalid_query");
            assert_eq!(problem["params_hint"]["field"], field, "{body}");
        }
    }

    async fn anonymous_searches_and_discoveries_share_one_rate(world, |config| {
        config.rate_limits = "discovery=2/h".parse().unwrap();
    }) {
        world.get("/v1/search?q=one").await.ok(200);
        world.post("/v1/discover", None, json!({"task": "one"})).await.ok(200);
        let refused = world.post("/v1/discover", None, json!({"task": "one"})).await;
        assert!(refused.problem("rate_limited")["retry_after_seconds"].as_u64().unwrap() >= 1_799);
        world.get("/v1/search?q=one").await.problem("rate_limited");
        world.post("/v1/discover", Some(&world.admin()), json!({"task": "one"})).await.ok(200);
    }
}
