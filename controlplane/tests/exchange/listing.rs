//! Lists: their orders, their cursors, and what their rows say.

use landline_controlplane::agents::trend::refresh;
use landline_link::CallRecord;
use landline_wire::ids::AgentId;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row};

use crate::world::{Bot, START_MS, World, call, on_both, up};

const DAY_MS: i64 = 24 * 3_600_000;

fn names(answer: &Value) -> Vec<String> {
    answer["items"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

/// A list from its beginning to its end, by cursors. Between two pieces so many agents register.
async fn read_on(world: &World, path: &str, limit: u32, late: usize) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    for piece in 0..50 {
        let page = world.get(&format!("{path}limit={limit}{cursor}")).await.ok(200);
        found.extend(names(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
        for n in 0..late {
            world.clock.advance(1_000);
            world.register(&format!("late-{piece}-{n}")).await;
        }
    }
    panic!("a list without an end: {found:?}");
}

/// Answered calls, now.
async fn called(world: &World, from: Option<&Bot>, to: &Bot, times: usize) {
    let mut switch = world.switch(rand()).await;
    let ts = world.exchange.clock.now_ms();
    let records = (0..times).map(|_| CallRecord { ts, ..call(from, to, "r", 200, 1_000) });
    world.record(&mut switch, records.collect()).await;
}

/// A number that no other switch of the test has.
fn rand() -> u8 {
    static NEXT: std::sync::atomic::AtomicU8 = std::sync::atomic::AtomicU8::new(100);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::SeqCst)
}

on_both! {
    async fn a_cursor_goes_on_where_the_last_piece_ended_whatever_was_added(world) {
        for n in 0..7 {
            world.register(&format!("bot-{n}")).await;
            world.clock.advance(1_000);
        }
        let newest = read_on(&world, "/v1/agents?", 3, 1).await;
        assert_eq!(newest, ["bot-6", "bot-5", "bot-4", "bot-3", "bot-2", "bot-1", "bot-0"]);
        // Of the same moment: their ids tell them apart.
        for n in 0..5 {
            world.register(&format!("same-{n}")).await;
        }
        let all = read_on(&world, "/v1/agents?", 1, 0).await;
        assert_eq!(all.iter().collect::<std::collections::BTreeSet<_>>().len(), all.len());
        assert_eq!(all.len() as u64, world.get("/v1/agents").await.ok(200)["total"].as_u64().unwrap());
        let trending = read_on(&world, "/v1/agents?sort=trending&", 2, 0).await;
        assert_eq!(trending.len(), all.len());
        let page = world.get("/v1/agents?limit=3&offset=2").await.ok(200);
        assert_eq!((names(&page).as_slice(), &page["offset"]), (&all[2..5], &json!(2)), "offsets go on as before");
    }

    async fn a_cursor_of_another_list_is_refused(world) {
        for n in 0..3 {
            world.register(&format!("bot-{n}")).await;
        }
        let cursor = world.get("/v1/agents?limit=1").await.ok(200)["next_cursor"].as_str().unwrap().to_owned();
        world.get(&format!("/v1/agents?cursor={cursor}")).await.ok(200);
        for path in [
            format!("/v1/agents?sort=trending&cursor={cursor}"),
            format!("/v1/agents/online?cursor={cursor}"),
            format!("/v1/agents/featured?cursor={cursor}"),
            format!("/v1/agents?cursor={cursor}&offset=1"),
            "/v1/agents?cursor=nonsense".into(),
        ] {
            let problem = world.get(&path).await.problem("invalid_query");
            assert_eq!(problem["params_hint"]["field"], "cursor", "{path}");
        }
    }

    async fn online_is_who_holds_a_line_by_name(world) {
        let mut bots = Vec::new();
        for name in ["echo", "Delta", "alpha", "Bravo", "charlie"] {
            bots.push(world.register(name).await);
        }
        let mut switch = world.switch(1).await;
        world.report(&mut switch, (0..4).map(|n| up(&bots[n], n as u8)).collect()).await;
        let online = read_on(&world, "/v1/agents/online?", 1, 0).await;
        assert_eq!(online, ["alpha", "Bravo", "Delta", "echo"]);
    }

    async fn featured_is_who_the_operator_chose_the_latest_first(world) {
        let mut bots = Vec::new();
        for n in 0..4 {
            bots.push(world.register(&format!("bot-{n}")).await);
        }
        for n in [2, 0, 3] {
            world.clock.advance(1_000);
            world.post(&format!("/v1/admin/agents/{}/feature", bots[n].id), Some(&world.admin()), json!({})).await.ok(200);
        }
        assert_eq!(read_on(&world, "/v1/agents/featured?", 2, 0).await, ["bot-3", "bot-0", "bot-2"]);
    }

    async fn trending_is_who_is_called_by_many_of_late(world) {
        let mut old = Vec::new();
        for n in 0..6 {
            old.push(world.register(&format!("caller-{n}")).await);
        }
        let loner = world.register("loner").await;
        world.clock.advance(8 * DAY_MS);
        let liked = world.register("liked").await;
        let spammed = world.register("spammed").await;
        for caller in &old {
            called(&world, Some(caller), &liked, 1).await;
        }
        called(&world, Some(&old[0]), &spammed, 200).await;
        called(&world, Some(&loner), &loner, 500).await;
        let trending = async || -> Vec<String> {
            refresh(&world.exchange).await.unwrap();
            names(&world.get("/v1/agents?sort=trending&limit=3").await.ok(200))
        };
        assert_eq!(trending().await[..2], ["liked", "spammed"]);
        let loner_at = names(&world.get("/v1/agents?sort=trending").await.ok(200)).iter().position(|name| name == "loner");
        assert!(loner_at > Some(1), "calls to oneself are none");
        // Twenty callers made today weigh less than six that have been here for a week.
        let puffed = world.register("puffed").await;
        for n in 0..20 {
            let sock = world.register(&format!("sock-{n}")).await;
            called(&world, Some(&sock), &puffed, 50).await;
        }
        assert_eq!(trending().await[0], "liked");
        // What was is forgotten in time.
        world.clock.advance(3 * DAY_MS);
        called(&world, Some(&old[1]), &spammed, 3).await;
        assert_eq!(trending().await[0], "spammed");
        world.clock.advance(9 * DAY_MS);
        for n in 0..3 {
            let later = world.register(&format!("later-{n}")).await;
            called(&world, Some(&old[0]), &later, 1).await;
        }
        assert!(!trending().await.contains(&"liked".to_owned()));
    }

    async fn a_call_that_never_reached_the_agent_is_no_good_answer(world) {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let mut switch = world.switch(1).await;
        let records = [(200, 4_000), (404, 2_000), (404, 0), (403, 0)];
        world.record(&mut switch, records.map(|(status, us)| call(Some(&alice), &bob, "r", status, us)).into()).await;
        let figures = world.get(&format!("/v1/agents/{}/reliability", bob.id)).await.ok(200);
        assert_eq!((&figures["calls_24h"], &figures["success_rate_24h"]), (&json!(4), &json!(0.5)));
        assert_eq!((&figures["sample_count"], &figures["latency_p50_ms"]), (&json!(2), &json!(2.0)));
    }

    async fn calls_of_very_many_are_counted_as_those_of_a_few(world) {
        let (alice, mut switch) = (world.register("alice").await, world.switch(1).await);
        let stranger = |n: u8| Bot { id: AgentId::from_parts(1, [n; 10]), key: String::new() };
        // Each three times, and more of them than one statement takes.
        let records = (0..450_u16).map(|n| call(Some(&alice), &stranger((n % 150) as u8), "r", 200, 1_000));
        world.record(&mut switch, records.collect()).await;
        for (table, expected) in [("agent_hours", (150, 450)), ("agent_callers", (150, 450))] {
            let sql = format!("SELECT COUNT(*) AS n, CAST(SUM(calls) AS BIGINT) AS calls FROM {table}");
            let row = sqlx::query(AssertSqlSafe(sql)).fetch_one(world.exchange.db.read()).await.unwrap();
            assert_eq!((row.get::<i64, _>("n"), row.get::<i64, _>("calls")), expected, "{table}");
        }
    }

    async fn an_agent_rises_by_what_others_did_with_it_and_falls_when_it_ceases(world) {
        let skills = json!([{"id": "sum", "name": "Sum", "description": "Adds numbers.", "tags": ["math"]}]);
        let card = json!({"name": "bob", "description": "A good entry of a test.", "version": "1.0.0", "skills": skills,
            "capabilities": {}, "defaultInputModes": ["text/plain"], "defaultOutputModes": ["text/plain"]});
        let bob = world.register_with(json!({"card": card})).await;
        let mut callers = Vec::new();
        for n in 0..5 {
            callers.push(world.register(&format!("caller-{n}")).await);
        }
        let mut switch = world.switch(1).await;
        world.report(&mut switch, vec![up(&bob, 1)]).await;
        let tier = async || -> String {
            world.get(&format!("/v1/agents/{}", bob.id)).await.ok(200)["tier"].as_str().unwrap().to_owned()
        };
        assert_eq!(tier().await, "new");
        world.clock.advance(DAY_MS);
        assert_eq!(tier().await, "listed");
        world.clock.advance(7 * DAY_MS);
        for caller in &callers[..4] {
            called(&world, Some(caller), &bob, 100).await;
        }
        assert_eq!(tier().await, "listed", "four are not five");
        called(&world, Some(&callers[4]), &bob, 1).await;
        assert_eq!(tier().await, "proven");
        let list = world.get("/v1/agents?limit=200").await.ok(200);
        let in_list = list["items"].as_array().unwrap().iter().find(|row| row["id"] == json!(bob.id)).unwrap();
        assert_eq!((&in_list["tier"], &in_list["quality"]["passed"]), (&json!("proven"), &json!(true)));
        world.report(&mut switch, vec![crate::world::down(&bob, 1, START_MS + 8 * DAY_MS)]).await;
        world.clock.advance(6 * DAY_MS);
        assert_eq!(tier().await, "basic", "most of the last day it was away");
        world.clock.advance(DAY_MS);
        assert_eq!(tier().await, "dormant");
    }
}
