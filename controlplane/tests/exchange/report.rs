//! Editions of the state report: counted from agents in each state, published, and served.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{Method, Request};
use landline_api::report::{Edition, Figures, Row, Share};
use landline_controlplane::db::{DbError, is_unique_violation};
use landline_controlplane::pulse::ops::probe_due;
use landline_controlplane::report::files::files;
use landline_controlplane::report::{Month, ops};
use landline_controlplane::submissions::ops::visit_due;
use landline_wire::ids::AgentId;
use serde_json::json;
use tokio::sync::Notify;

use crate::a2a_host::{Agent, CARD, Call};
use crate::agent_host::lab;
use crate::world::{World, call, on_both, up};

const DAY_MS: i64 = 24 * 3_600_000;

async fn count(world: &World) -> Figures {
    ops::count(&world.exchange, world.exchange.clock.now_ms(), |_| ()).await.unwrap()
}

/// Numerator and denominator.
fn parts(share: &Share) -> (Option<u64>, u64) {
    (share.count, share.of)
}

fn counts(rows: &[Row]) -> Vec<(&str, u64)> {
    let seen = rows.iter().map(|row| (row.value.as_str(), row.share.count.unwrap()));
    seen.filter(|(_, count)| *count > 0).collect()
}

/// The edition of this month, made as the command makes it.
async fn made(world: &World, revision: u32) -> (Month, Edition) {
    let as_of = world.exchange.clock.now_ms();
    let month = Month::of(as_of);
    let before = ops::before(&world.exchange, month).await.unwrap();
    let server = Some("https://relay.example".to_owned());
    (month, ops::edition((month, revision), as_of, server, count(world).await, before.as_ref()))
}

async fn publish(world: &World, revision: u32) -> Month {
    let (month, edition) = made(world, revision).await;
    ops::publish(&world.exchange, month, &edition, &files(month, &edition)).await.unwrap();
    month
}

/// A page or file of the site.
async fn page(world: &World, path: &str) -> crate::world::Answer {
    world.send(Method::GET, path, None, None).await
}

/// Agents in each state, probed once. Gives the hosts of those that have one: they answer for as long as these live.
async fn one_of_each(world: &World) -> Vec<Agent> {
    // One that answers, with a signed card; one whose host asks for a credential; one that is away; one with another card.
    let (honest, mut card) = Agent::honest("honest").await;
    card["signatures"] = json!([{"protected": "e30", "signature": "AA"}]);
    card["capabilities"] = json!({"streaming": true, "extensions": [{
        "uri": "https://connect.actex.ai/extensions/service-class", "params": {"class": "utility"}}]});
    card["skills"] = json!([{"id": "a", "name": "A", "description": "Does a.", "tags": ["Maths", "maths"]}]);
    honest.live(|life| life.places = vec![(CARD, 200, card.to_string())]);
    world.register_with(json!({"card": card, "category": "analysis"})).await;
    let (closed, card) = Agent::honest("closed").await;
    closed.live(|life| life.call = Call::Status(401));
    world.register_with(json!({"card": card})).await;
    let (away, card) = Agent::honest("away").await;
    away.live(|life| life.places = vec![(CARD, 503, String::new())]);
    world.register_with(json!({"card": card})).await;
    let (other, card) = Agent::honest("other").await;
    let mut liar = card.clone();
    liar["name"] = json!("liar");
    world.register_with(json!({"card": liar})).await;
    // One with a line, one with nothing, one that is blocked, and one that was found at its host.
    let line = world.register("line").await;
    world.register("nothing").await;
    let blocked = world.register("blocked").await;
    let block = format!("/v1/admin/agents/{}/block", blocked.id);
    world.post(&block, Some(&world.admin()), json!({"reason": "a test"})).await.ok(200);
    let (found, mut card) = Agent::honest("found").await;
    card["skills"] = json!([{"id": "t", "name": "T", "description": "Does t.", "tags": ["one-shot", "maths"]}]);
    found.live(|life| life.places = vec![(CARD, 200, card.to_string())]);
    world.post("/v1/submissions", None, json!({"url": found.origin()})).await.ok(202);
    visit_due(&world.exchange).await.unwrap();
    let mut switch = world.switch(1).await;
    world.report(&mut switch, vec![up(&line, 1)]).await;
    let records = [(200, 2_345), (200, 2_340), (404, 9), (502, 7)];
    let records = records.map(|(status, us)| call(Some(&line), &line, &status.to_string(), status, us));
    world.record(&mut switch, records.into()).await;
    world.clock.advance(3_000);
    assert_eq!(probe_due(&world.exchange).await.unwrap(), 5);
    vec![honest, closed, away, other, found]
}

/// An agent of long ago, without the way through the API. Ids are ordered by `order` first.
async fn insert(world: &World, order: u64, n: u32) {
    let sql = "INSERT INTO agents (id, name, name_key, description, source, card, card_at, access, allow_list, \
               created_at, updated_at, last_seen) \
               VALUES ($1, $2, $2, 'd', 'self_registered', $3, 0, 'agents', '[]', 0, 0, 0)";
    let [.., high, low] = n.to_be_bytes();
    let id = AgentId::from_parts(order, [0, 0, 0, 0, 0, 0, 0, 0, high, low]);
    let query = sqlx::query(sql).bind(id.to_string()).bind(format!("bot-{n}"));
    query.bind(r#"{"name": "x", "skills": [{"id": "s"}]}"#).execute(world.exchange.db.write()).await.unwrap();
}

on_both! {
    async fn agents_in_each_state_are_counted_as_what_they_are(world, lab) {
        let _hosts = one_of_each(&world).await;
        let figures = count(&world).await;
        let (directory, reach) = (&figures.directory, &figures.reach);
        assert_eq!(directory.listed, 7, "whoever is blocked is not listed");
        assert_eq!(parts(&directory.self_registered), (Some(6), 7));
        assert_eq!(parts(&directory.federated), (Some(1), 7));
        assert_eq!(parts(&directory.with_url), (Some(5), 7));
        assert_eq!(parts(&directory.joined_30d), (Some(7), 7));
        assert_eq!(parts(&reach.probed), (Some(5), 5));
        assert_eq!(parts(&reach.discoverable), (Some(3), 5), "its host serves its card, whatever the call says");
        assert_eq!(parts(&reach.responsive), (Some(2), 5));
        assert_eq!(parts(&reach.responsive_of_listed), (Some(2), 7));
        assert_eq!((parts(&reach.attached), parts(&reach.online)), ((Some(1), 7), (Some(3), 7)));
        let verdicts = [("callable", 2), ("auth_required", 1), ("protocol_error", 1), ("unreachable", 1)];
        assert_eq!(counts(&figures.probes.verdicts), verdicts);
        assert_eq!((figures.probes.card_fetches.sample, figures.probes.calls.sample), (3, 2));
        assert!(figures.probes.card_fetches.p50_ms.is_some_and(|ms| ms > 0.0 && ms < 10_000.0));
        assert_eq!(parts(&figures.signatures.carried), (Some(1), 7));
        assert_eq!((figures.signatures.verified.count, figures.signatures.verified.reason.is_some()), (None, true));
        let classes = &figures.service_classes;
        assert_eq!([&classes.declared, &classes.inferred, &classes.unknown].map(|share| share.count.unwrap()), [1, 1, 5]);
        let of = |class: &landline_api::report::Class| (class.class.clone(), class.origin.clone(), parts(&class.responsive));
        assert_eq!(classes.classes.iter().map(of).collect::<Vec<_>>(), [
            ("utility".into(), "declared".into(), (Some(1), 1)),
            ("ephemeral".into(), "inferred".into(), (Some(1), 1)),
            ("unknown".into(), "none".into(), (Some(0), 3)),
        ]);
        let protocol = &figures.protocol;
        assert_eq!((parts(&protocol.with_interface), parts(&protocol.streaming)), ((Some(5), 7), (Some(1), 7)));
        assert_eq!((counts(&protocol.versions), counts(&protocol.bindings)), (vec![("1.0", 5)], vec![("JSONRPC", 5)]));
        let quality = &figures.quality;
        assert_eq!((quality.passed.count, counts(&quality.tiers)), (Some(0), vec![("new", 7)]));
        let missing = [("schema", 7), ("signature", 7), ("version", 7), ("skills", 5), ("reachable", 4), ("endpoint", 1)];
        assert_eq!(counts(&quality.missing), missing);
        let contents = &figures.contents;
        assert_eq!((contents.skills.p50, contents.skills.most, contents.distinct_tags), (Some(0), Some(1), 2));
        assert_eq!(counts(&contents.tags), [("maths", 2), ("one-shot", 1)], "in lower case, once per agent");
        assert_eq!(counts(&contents.categories), [("analysis", 1)]);
        let calls = &figures.calls;
        assert_eq!((calls.total, calls.callees, parts(&calls.answered)), (4, 1, (Some(3), 4)));
        assert_eq!(counts(&calls.statuses), [("2xx", 2), ("4xx", 1), ("5xx", 1)]);
        assert_eq!((counts(&calls.routes), calls.latency.p99_ms), (vec![("relay", 4)], Some(2.34)));
        assert_eq!((figures.submissions.total, counts(&figures.submissions.statuses)), (1, vec![("indexed", 1)]));

        // A day later nobody has asked again: what was found is too old to count.
        world.clock.advance(DAY_MS + 1);
        let late = count(&world).await;
        assert_eq!((late.reach.probed.count, late.reach.discoverable.count), (Some(0), None));
        assert_eq!((late.probes.card_fetches.sample, late.probes.card_fetches.reason.is_some()), (0, true));
        assert_eq!(late.reach.online.count, Some(1));
    }

    async fn a_card_that_is_replaced_or_lost_is_not_discoverable_by_the_old_one(world, lab) {
        let (agent, card) = Agent::honest("bob").await;
        let bob = world.register_with(json!({"card": card})).await;
        world.clock.advance(3_000);
        probe_due(&world.exchange).await.unwrap();
        assert_eq!(count(&world).await.reach.discoverable.count, Some(1));
        agent.live(|life| life.places = vec![]);
        world.clock.advance(400_000);
        probe_due(&world.exchange).await.unwrap();
        let figures = count(&world).await;
        assert_eq!((figures.reach.discoverable.count, figures.reach.responsive.count), (Some(1), Some(0)), "it was there today");
        let put = format!("/connect/v1/agents/{}/card", bob.id);
        let mut other = card;
        other["description"] = json!("Another card of the same agent.");
        world.send(Method::PUT, &put, Some(&bob.key), Some(other)).await.ok(200);
        world.clock.advance(3_000);
        probe_due(&world.exchange).await.unwrap();
        assert_eq!(count(&world).await.reach.discoverable.count, Some(0), "this card was never seen there");
    }

    async fn many_agents_are_counted_in_pieces_each_once_and_as_of_one_state(world) {
        for n in 0..1_030 {
            insert(&world, u64::from(n % 7), n).await;
        }
        let (mut told, begun) = (Vec::new(), Notify::new());
        let counted = ops::count(&world.exchange, world.exchange.clock.now_ms(), |counted| {
            told.push(counted);
            begun.notify_one();
        });
        // One that comes while the first ones are counted, behind all others.
        let late = async {
            begun.notified().await;
            insert(&world, 1_000, 60_000).await;
        };
        let (figures, ()) = tokio::join!(counted, late);
        let figures = figures.unwrap();
        assert_eq!(told, [512, 1_024, 1_030]);
        assert_eq!((figures.directory.listed, figures.contents.skills.p50), (1_030, Some(1)));
        assert_eq!(parts(&figures.directory.joined_30d), (Some(0), 1_030));
        assert_eq!(figures.directory.joined_30d.interval, None, "of so many the share says enough");
        assert_eq!(count(&world).await.directory.listed, 1_031);
    }

    async fn a_published_edition_is_served_and_a_later_revision_takes_its_place(world) {
        assert!(page(&world, "/state-of-a2a/").await.text.contains("No edition was published here yet"));
        let bob = world.register("bob").await;
        let month = publish(&world, 1).await;
        assert_eq!(month.to_string(), "2025-07");
        let index = page(&world, "/state-of-a2a").await;
        assert!(index.text.contains("href=\"/state-of-a2a/2025-07\"") && index.text.contains("1 agent is listed"), "{}", index.text);
        let shown = page(&world, "/state-of-a2a/2025-07").await;
        assert!(shown.text.contains("<h1 id=\"state-of-a2a-july-2025\">"), "{}", shown.text);
        assert!(shown.text.contains("<img src=\"2025-07-reach.svg\" alt=\"Who can be found and called, 2025-07\""));
        assert!(!shown.text.contains("<script") && !shown.text.contains(" style="));
        let figures = page(&world, "/state-of-a2a/2025-07.json").await;
        assert_eq!(figures.headers[CONTENT_TYPE], "application/json");
        assert_eq!(figures.headers[CACHE_CONTROL], "public, max-age=300");
        let again = Request::get("/state-of-a2a/2025-07.json").header(IF_NONE_MATCH, &figures.headers[ETAG]);
        assert_eq!(world.raw(again.body(axum::body::Body::empty()).unwrap()).await.status, 304);
        let plot = page(&world, "/state-of-a2a/2025-07-reach.svg").await;
        assert_eq!(plot.headers[CONTENT_TYPE], "image/svg+xml");
        assert!(plot.headers["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        assert!(page(&world, "/state-of-a2a/2025-07.md").await.text.starts_with("# State of A2A, July 2025\n"));

        // The same revision again is refused, and changes nothing.
        world.register("carol").await;
        let (month, edition) = made(&world, 1).await;
        let refused = ops::publish(&world.exchange, month, &edition, &files(month, &edition)).await;
        assert!(matches!(refused, Err(DbError::Driver(error)) if is_unique_violation(&error)));
        assert_eq!(page(&world, "/state-of-a2a/2025-07.json").await.text, figures.text);
        assert_eq!(ops::last_revision(&world.exchange, month).await.unwrap(), Some(1));
        publish(&world, 2).await;
        let second = page(&world, "/state-of-a2a/2025-07.json").await.json();
        assert_eq!((&second["revision"], &second["figures"]["directory"]["listed"]), (&json!(2), &json!(2)));
        assert_eq!(ops::published(&world.exchange).await.unwrap().len(), 1, "a month is listed once");

        // A month later there is something to compare with.
        world.send(Method::DELETE, &format!("/connect/v1/agents/{}", bob.id), Some(&bob.key), None).await.ok(204);
        world.clock.advance(31 * DAY_MS);
        publish(&world, 1).await;
        let third = page(&world, "/state-of-a2a/2025-08.json").await.json();
        assert_eq!((&third["previous"]["edition"], &third["previous"]["revision"]), (&json!("2025-07"), &json!(2)));
        assert_eq!(third["previous"]["changes"][0], json!({"figure": "directory.listed", "before": 2.0, "now": 1.0}));
        let months: Vec<String> =
            ops::published(&world.exchange).await.unwrap().iter().map(|edition| edition.month.to_string()).collect();
        assert_eq!(months, ["2025-08", "2025-07"]);
    }

    async fn what_was_never_published_is_not_found_with_a_hint(world) {
        publish(&world, 1).await;
        for name in ["2025-06", "2025-07.txt", "2025-06.json", "2025-07-nothing.svg", "x", "2025-13", "2025-07.json.json", "%00", "ä.svg"] {
            let problem = page(&world, &format!("/state-of-a2a/{}", name.replace('ä', "%C3%A4"))).await.problem("not_found");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("/state-of-a2a/ lists them") || name == "%00", "{name}: {detail}");
        }
    }
}
