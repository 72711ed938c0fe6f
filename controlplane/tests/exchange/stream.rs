//! The event stream, as a listener reads it.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use futures_util::StreamExt;
use http::{Method, Request, StatusCode};
use landline_controlplane::extract::Peer;
use landline_link::{Report, SessionUp};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::world::{Bot, PEER, World, call, down, on_both, up};

struct Stream {
    body: BodyDataStream,
    text: String,
}

async fn listen(world: &World, query: &str, last_event_id: Option<&str>) -> Stream {
    let mut request = Request::get(format!("/connect/v1/events{query}")).extension(Peer(PEER));
    if let Some(id) = last_event_id {
        request = request.header("last-event-id", id);
    }
    let response = world.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(
        (response.status(), &response.headers()["content-type"]),
        (StatusCode::OK, &"text/event-stream".parse().unwrap())
    );
    Stream { body: response.into_body().into_data_stream(), text: String::new() }
}

impl Stream {
    /// The next event: its kind, id and data.
    async fn next(&mut self) -> (String, String, Value) {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let event = (field("event: "), field("id: "), field("data: "));
                self.text = rest.to_owned();
                if let (Some(kind), Some(id), Some(data)) = event {
                    return (kind, id, serde_json::from_str(&data).unwrap());
                }
                continue;
            }
            let piece = tokio::time::timeout(Duration::from_secs(5), self.body.next()).await.expect("an event in time");
            self.text.push_str(std::str::from_utf8(&piece.unwrap().unwrap()).unwrap());
        }
    }
}

fn keys(data: &Value) -> Vec<&str> {
    data.as_object().unwrap().keys().map(String::as_str).collect()
}

/// A line that tolerates others of its agent.
fn shared(bot: &Bot, n: u8) -> Report {
    let Report::SessionUp(line) = up(bot, n) else { unreachable!("that is what `up` gives") };
    Report::SessionUp(SessionUp { shared: true, ..line })
}

on_both! {
    async fn a_switch_that_began_anew_leaves_none_of_its_agents_out_and_names_each(world) {
        let mut bots = Vec::new();
        for n in 0..37 {
            bots.push(world.register(&format!("bot-{n}")).await);
        }
        let (mut one, mut two) = (world.switch(1).await, world.switch(2).await);
        world.report(&mut one, (1..).zip(&bots).map(|(n, bot)| shared(bot, n)).collect()).await;
        // These have another line elsewhere, and stay reachable.
        let stays = [3, 16, 36];
        world.report(&mut two, stays.map(|at| shared(&bots[at], 100 + at as u8)).into()).await;
        let mut stream = listen(&world, "?topic=agents", None).await;
        world.report(&mut one.restarted(), vec![Report::SessionsBegin, Report::SessionsEnd]).await;
        let mut left = BTreeMap::new();
        for _ in 0..bots.len() - stays.len() {
            let (kind, _, data) = stream.next().await;
            assert_eq!(kind, "agent.disconnect");
            left.insert(data["agent_id"].to_string(), data["name"].clone());
        }
        for (at, bot) in bots.iter().enumerate() {
            let name = (!stays.contains(&at)).then(|| json!(format!("bot-{at}")));
            assert_eq!(left.get(&json!(bot.id).to_string()), name.as_ref(), "bot-{at}");
            assert_eq!(world.attached(bot).await, stays.contains(&at), "bot-{at}");
        }
    }

    async fn what_happens_is_told_with_the_keys_of_its_kind(world) {
        let mut stream = listen(&world, "?topic=relay,agents", None).await;
        let bot = world.register("Echo").await;
        let mut switch = world.switch(1).await;
        world.report(&mut switch, vec![up(&bot, 1)]).await;
        world.record(&mut switch, vec![call(None, &bot, "r-1", 200, 1_500)]).await;
        world.report(&mut switch, vec![down(&bot, 1, crate::world::START_MS)]).await;
        let path = format!("/connect/v1/agents/{}", bot.id);
        world.send(Method::PATCH, &path, Some(&bot.key), Some(json!({"tagline": "x"}))).await.ok(200);
        world.send(Method::DELETE, &path, Some(&bot.key), None).await.ok(204);
        let mut seen = Vec::new();
        for _ in 0..6 {
            seen.push(stream.next().await);
        }
        let kinds: Vec<&str> = seen.iter().map(|(kind, ..)| kind.as_str()).collect();
        assert_eq!(kinds, ["agent.registered", "agent.connect", "relay.request", "agent.disconnect", "agent.updated", "agent.removed"]);
        let mut ids: Vec<u64> = seen.iter().map(|(_, id, _)| id.parse().unwrap()).collect();
        assert!(ids.is_sorted());
        ids.dedup();
        assert_eq!(ids.len(), 6);
        let mut relay = keys(&seen[2].2);
        relay.sort_unstable();
        assert_eq!(relay, ["a2a_method", "from_agent_id", "latency_ms", "request_id", "route", "status_code", "to_agent_id", "ts"]);
        for (index, (_, _, data)) in seen.iter().enumerate().filter(|(index, _)| *index != 2) {
            let mut keys = keys(data);
            keys.sort_unstable();
            assert_eq!(keys, ["agent_id", "name", "ts"], "{index}");
            assert_eq!((&data["agent_id"], &data["name"]), (&json!(bot.id), &json!("Echo")));
        }
    }

    async fn a_cut_stream_resumes_where_it_was(world) {
        let bot = world.register("Echo").await;
        let mut switch = world.switch(1).await;
        let mut stream = listen(&world, "?topic=relay", None).await;
        world.record(&mut switch, (0..5).map(|n| call(None, &bot, &format!("r{n}"), 200, 1)).collect()).await;
        let (_, first, _) = stream.next().await;
        drop(stream);
        world.record(&mut switch, vec![call(None, &bot, "r5", 200, 1)]).await;
        let mut resumed = listen(&world, "?topic=relay", Some(&first)).await;
        for n in 1..=5 {
            assert_eq!(resumed.next().await.2["request_id"], format!("r{n}"));
        }
    }

    async fn listeners_are_capped_per_address_and_a_leaver_makes_room(world, |config| config.events_per_ip = 2) {
        let one = listen(&world, "", None).await;
        let _two = listen(&world, "?topic=agents", None).await;
        let answer = world.send(Method::GET, "/connect/v1/events", None, None).await;
        answer.problem("rate_limited");
        assert_eq!(answer.headers["retry-after"], "10");
        drop(one);
        listen(&world, "", None).await;
        world.get("/v1/events?topic=weather").await.problem("invalid_query");
    }

    async fn a_repeated_batch_is_not_told_again(world) {
        let bot = world.register("Echo").await;
        let switch = world.switch(1).await;
        let mut stream = listen(&world, "?topic=relay", None).await;
        let batch = |first, id: &str| switch.batch(first, vec![call(None, &bot, id, 200, 1)]);
        for batch in [batch(0, "a"), batch(0, "a"), batch(1, "b")] {
            world.record_batches(&switch, &[batch]).await;
        }
        assert_eq!(stream.next().await.2["request_id"], "a");
        assert_eq!(stream.next().await.2["request_id"], "b");
    }
}
