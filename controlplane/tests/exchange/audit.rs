//! The record of calls.

use std::collections::HashSet;

use landline_link::{CallRecord, Route};
use serde_json::{Value, json};

use crate::world::{START_MS, call, on_both};

fn ids(body: &Value) -> Vec<String> {
    let events = body["events"].as_array().unwrap();
    events.iter().map(|event| event["request_id"].as_str().unwrap().to_owned()).collect()
}

on_both! {
    async fn a_recorded_call_is_published_with_exactly_eight_keys(world) {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let mut switch = world.switch(1).await;
        let record = CallRecord {
            ts: START_MS + 7, from_agent_id: Some(bob.id), to_agent_id: alice.id, a2a_method: Some("SendMessage".into()),
            request_id: "r-1".into(), status_code: 200, latency_us: 1_234, route: Route::Relay,
        };
        world.record(&mut switch, vec![record, call(None, &alice, "r-2", 504, 60_000_000)]).await;
        let recent = world.get("/v1/relay/recent").await.ok(200);
        let expected = json!({"ts": "2025-07-14T12:00:00.007Z", "from_agent_id": bob.id, "to_agent_id": alice.id,
            "a2a_method": "SendMessage", "request_id": "r-1", "status_code": 200, "latency_ms": 1.234, "route": "relay"});
        assert_eq!(recent["events"][1], expected);
        assert_eq!(recent["events"][0]["from_agent_id"], json!(null));
        assert_eq!(recent.as_object().unwrap().len(), 1);
        for event in recent["events"].as_array().unwrap() {
            assert_eq!(event.as_object().unwrap().len(), 8);
        }
        assert_eq!(ids(&world.get("/v1/relay/recent?limit=1").await.ok(200)), ["r-2"]);
        world.get("/v1/relay/recent?limit=201").await.problem("invalid_query");
    }

    async fn a_record_counts_once_however_often_and_in_whatever_company_it_comes(world) {
        let bot = world.register("Echo").await;
        let switch = world.switch(1).await;
        let records = |range: std::ops::Range<u64>| {
            switch.batch(range.start, range.map(|n| call(None, &bot, &format!("r{n}"), 200, 1)).collect())
        };
        for _ in 0..3 {
            world.record_batches(&switch, &[records(0..20)]).await;
        }
        assert_eq!(ids(&world.get("/v1/relay/recent?limit=200").await.ok(200)).len(), 20);
        world.record_batches(&switch, &[records(10..25), records(25..30), records(5..31)]).await;
        assert_eq!(ids(&world.get("/v1/relay/recent?limit=200").await.ok(200)).len(), 31);
        // The log of a later start counts from 0 again, and what the earlier one left comes with it.
        let restarted = switch.restarted();
        let first = restarted.batch(0, vec![call(None, &bot, "new-log", 200, 1)]);
        world.record_batches(&restarted, &[records(30..32), first.clone()]).await;
        world.record_batches(&restarted, &[records(0..32), first]).await;
        let all = ids(&world.get("/v1/relay/recent?limit=200").await.ok(200));
        assert_eq!((all.len(), all.iter().collect::<HashSet<_>>().len()), (33, 33));
        assert_eq!(all[..2], ["new-log", "r31"]);
    }

    async fn every_record_is_stored_in_its_place_however_many_come_at_once(world) {
        let bot = world.register("Echo").await;
        let switch = world.switch(1).await;
        let mut next = 0;
        // Statements write 64, 16, 4 rows and one.
        for count in [64 + 64 + 16 + 4 + 1, 3, 16 + 4 + 1, 1] {
            let records = (next..next + count).map(|n| call(None, &bot, &format!("r{n}"), 200, 1)).collect();
            world.record_batches(&switch, &[switch.batch(next, records)]).await;
            next += count;
        }
        let newest_first: Vec<_> = (0..next).rev().map(|n| format!("r{n}")).collect();
        assert_eq!(ids(&world.get("/v1/relay/recent?limit=200").await.ok(200)), newest_first);
    }

    async fn what_a_switch_lost_is_counted_and_the_rest_is_taken(world) {
        let bot = world.register("Echo").await;
        let switch = world.switch(1).await;
        let at = |first, id: &str| switch.batch(first, vec![call(None, &bot, id, 200, 1)]);
        world.record_batches(&switch, &[at(7, "a"), at(9, "b")]).await;
        world.record_batches(&switch, &[at(12, "c")]).await;
        assert_eq!(ids(&world.get("/v1/relay/recent").await.ok(200)), ["c", "b", "a"]);
        assert_eq!(world.exchange.metrics.records_missing.get(), 1 + 2);
    }

    async fn what_an_earlier_start_left_brings_no_line_back(world) {
        let bot = world.register("Echo").await;
        let mut old = world.switch(1).await;
        world.report(&mut old, vec![crate::world::up(&bot, 1)]).await;
        let mut new = old.restarted();
        world.record(&mut old, vec![call(None, &bot, "left", 200, 1)]).await;
        assert!(world.attached(&bot).await, "records say nothing about lines");
        world.report(&mut new, vec![crate::world::up(&bot, 2), crate::world::down(&bot, 2, START_MS)]).await;
        world.record(&mut old, vec![call(None, &bot, "left too", 200, 1)]).await;
        assert!(!world.attached(&bot).await);
        world.report(&mut new, vec![crate::world::up(&bot, 3)]).await;
        assert!(world.attached(&bot).await, "the new start is the newest still");
    }

    async fn the_same_records_over_two_connections_at_once_count_once(world) {
        let bot = world.register("Echo").await;
        let switch = world.switch(1).await;
        for part in 0..5 {
            let records = (0..50).map(|n| call(None, &bot, &format!("r{part}-{n}"), 200, 1)).collect();
            let batch = [switch.batch(part * 50, records)];
            tokio::join!(world.record_batches(&switch, &batch), world.record_batches(&switch, &batch));
        }
        let figures = world.get(&format!("/v1/agents/{}/reliability", bot.id)).await.ok(200);
        assert_eq!(figures["calls_24h"], 250);
        assert_eq!(world.get("/v1/relay/stats").await.ok(200)["sample"], 250);
    }

    async fn statistics_are_of_the_last_calls(world) {
        let empty = world.get("/v1/relay/stats").await.ok(200);
        assert_eq!(empty, json!({"p50_ms": null, "p99_ms": null, "sample": 0, "calls_per_second": 0.0, "attached": 0}));
        let bot = world.register("Echo").await;
        let mut switch = world.switch(1).await;
        let records = (1..=100).map(|n| call(None, &bot, &format!("r{n}"), 200, n * 1_000)).collect();
        world.record(&mut switch, records).await;
        world.report(&mut switch, vec![crate::world::up(&bot, 1)]).await;
        world.clock.advance(5_000);
        let stats = world.get("/v1/relay/stats").await.ok(200);
        assert_eq!(stats, json!({"p50_ms": 50.0, "p99_ms": 99.0, "sample": 100, "calls_per_second": 10.0, "attached": 1}));
        world.clock.advance(6_000);
        assert_eq!(world.get("/v1/relay/stats").await.ok(200)["calls_per_second"], 0.0);
    }

    async fn the_log_is_of_the_agents_own_calls_and_is_read_piece_by_piece(world) {
        let (alice, bob, carol) = (world.register("alice").await, world.register("bob").await, world.register("carol").await);
        let mut switch = world.switch(1).await;
        let records = vec![
            call(Some(&alice), &bob, "1", 200, 1), call(Some(&bob), &alice, "2", 200, 1), call(Some(&bob), &carol, "3", 200, 1),
            call(Some(&alice), &alice, "4", 200, 1), call(None, &alice, "5", 200, 1), call(Some(&alice), &carol, "6", 200, 1),
        ];
        world.record(&mut switch, records).await;
        let log = async |query: &str| {
            world.send(http::Method::GET, &format!("/connect/v1/relay/log{query}"), Some(&alice.key), None).await
        };
        assert_eq!(ids(&log("").await.ok(200)), ["6", "5", "4", "2", "1"]);
        assert_eq!(ids(&log(&format!("?from={}", alice.id)).await.ok(200)), ["6", "4", "1"]);
        assert_eq!(ids(&log(&format!("?from={}&to={}", bob.id, alice.id)).await.ok(200)), ["2"]);
        assert!(ids(&log(&format!("?from={}&to={}", bob.id, carol.id)).await.ok(200)).is_empty(), "others' calls");
        assert_eq!(ids(&log("?since=2025-07-14T12:00:00.000Z").await.ok(200)).len(), 5);
        assert!(ids(&log("?since=2025-07-14T12:00:00.001Z").await.ok(200)).is_empty());
        assert!(ids(&log("?until=2025-07-14T12:00:00.000Z").await.ok(200)).is_empty());
        let mut read = Vec::new();
        let mut query = "?limit=2".to_owned();
        for _ in 0..5 {
            let piece = log(&query).await.ok(200);
            read.extend(ids(&piece));
            match piece["next_cursor"].as_str() {
                Some(cursor) => query = format!("?limit=2&cursor={cursor}"),
                None => break,
            }
        }
        assert_eq!(read, ["6", "5", "4", "2", "1"]);
        log("?cursor=zzz").await.problem("invalid_query");
        log("?since=yesterday").await.problem("invalid_query");
        world.get("/v1/relay/log").await.problem("token_missing");
        let token = world.post("/v1/auth/token", Some(&alice.key), json!({})).await.ok(200)["token"].as_str().unwrap().to_owned();
        world.send(http::Method::GET, "/connect/v1/relay/log", Some(&token), None).await.problem("not_authorized");
    }
}
