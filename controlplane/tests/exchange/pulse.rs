//! Probes of agents with a URL, at hosts that answer as the test says.

use std::time::Duration;

use http::Method;
use landline_controlplane::Exchange;
use landline_controlplane::config::Config;
use landline_controlplane::pulse::ops::probe_due;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::a2a_host::{Agent, CARD, Call, Life, OLD_CARD, Places};
use crate::agent_host::{AGENT_IP, Host, Reply, answer, call, card, lab, prove};
use crate::world::{Bot, START_MS, World, down, on_both, up};

/// Lets some time pass, and asks whose time has come.
async fn probed(world: &World, seconds: i64) -> usize {
    world.clock.advance(seconds * 1_000);
    probe_due(&world.exchange).await.unwrap()
}

async fn row(world: &World, bot: &Bot) -> Value {
    world.get(&format!("/v1/agents/{}", bot.id)).await.ok(200)
}

/// The verdict and its reason, and whether the agent is online: on its row, and in the list.
async fn state(world: &World, bot: &Bot) -> (String, String, bool) {
    let row = row(world, bot).await;
    let list = world.get("/v1/agents/online").await.ok(200);
    let is_listed = list["items"].as_array().unwrap().iter().any(|row| row["id"] == json!(bot.id));
    assert_eq!(list["total"].as_u64().unwrap() as usize, list["items"].as_array().unwrap().len());
    assert_eq!(row["online"], is_listed, "the row and the list agree");
    let pulse = world.get(&format!("/v1/agents/{}/pulse", bot.id)).await.ok(200);
    assert_eq!(pulse["pulse"], row["pulse"]);
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (word(&row["pulse"]["verdict"]), word(&pulse["reason"]), is_listed)
}

fn is(verdict: &str, reason: &str, online: bool) -> (String, String, bool) {
    (verdict.into(), reason.into(), online)
}

async fn put_card(world: &World, bot: &Bot, card: Value) {
    world.send(Method::PUT, &format!("/connect/v1/agents/{}/card", bot.id), Some(&bot.key), Some(card)).await.ok(200);
}

/// Probes each minute.
fn minutes(config: &mut Config) {
    lab(config);
    config.probes.interval_ms = 60_000;
}

on_both! {
    async fn an_agent_that_answers_at_its_url_is_online_and_can_be_called_there(world, minutes) {
        let (agent, card) = Agent::honest("bob").await;
        let (alice, bob) = (world.register("alice").await, world.register_with(json!({"card": card})).await);
        assert_eq!(state(&world, &bob).await, is("unknown", "", false));
        assert_eq!(row(&world, &bob).await["quality"]["missing"], json!(["reachable", "skills", "version", "schema", "signature"]));
        call(&world, &alice, &bob).await.problem("agent_not_connected");
        assert_eq!(probed(&world, 3).await, 1, "soon after its registration, and only those with a URL");
        assert_eq!(state(&world, &bob).await, is("callable", "", true));
        let row = row(&world, &bob).await;
        assert_eq!((&row["attached"], &row["pulse"]["score"]), (&json!(false), &json!(1.0)));
        assert_eq!(row["pulse"]["checked_at"], "2025-07-14T12:00:03.000Z");
        assert_eq!(row["quality"]["missing"], json!(["skills", "version", "schema", "signature"]));
        assert!(row["reliability"]["latency_p50_ms"].as_f64().unwrap() > 0.0 && row["reliability"]["sample_count"] == 1);
        call(&world, &alice, &bob).await.ok(200);

        assert_eq!(agent.lines(0)[..2], [format!("GET {CARD}"), "POST /rpc".into()]);
        let asked = agent.host.requests()[1].clone();
        assert!(asked.contains("\"method\":\"GetTask\"") && asked.contains("a2a-version: 1.0"), "{asked}");
        assert!(asked.contains("user-agent: landline-pulse (+https://relay.example/docs/PULSE)"), "{asked}");
        let recorded = world.get("/v1/relay/recent").await.ok(200);
        assert_eq!(recorded["events"].as_array().unwrap().len(), 2, "a probe is nobody's call");
        assert_eq!(probed(&world, 50).await, 0);
        assert_eq!(probed(&world, 20).await, 1, "a minute later, more or less");
        let history = world.get(&format!("/v1/agents/{}/pulse", bob.id)).await.ok(200);
        assert_eq!(history["probes"].as_array().unwrap().len(), 2);
        assert_eq!((&history["pulse"]["verdict"], &history["probes"][0]["at"]), (&json!("callable"), &json!("2025-07-14T12:01:13.000Z")));
    }

    async fn an_agent_that_stops_answering_is_offline_at_the_next_probe_or_when_its_verdict_is_old(world, minutes) {
        let (agent, card) = Agent::honest("bob").await;
        let bob = world.register_with(json!({"card": card})).await;
        probed(&world, 3).await;
        assert!(state(&world, &bob).await.2);
        world.clock.advance(119_999);
        assert!(state(&world, &bob).await.2, "a verdict counts for twice its interval");
        world.clock.advance(1);
        assert_eq!(state(&world, &bob).await, is("callable", "", false), "and no longer, although nobody asked");
        assert_eq!(probed(&world, 0).await, 1);
        assert!(state(&world, &bob).await.2);
        agent.live(|life| life.call = Call::Status(503));
        probed(&world, 70).await;
        assert_eq!(state(&world, &bob).await, is("unreachable", "gateway", false));
        assert_eq!((probed(&world, 10).await, probed(&world, 4).await), (0, 1), "a second look comes sooner");
        assert_eq!((probed(&world, 50).await, probed(&world, 20).await), (0, 1));
        assert_eq!((probed(&world, 100).await, probed(&world, 40).await), (0, 1), "then ever later");
        agent.live(|life| life.call = Call::NoSuchTask);
        probed(&world, 300).await;
        assert_eq!(state(&world, &bob).await, is("callable", "", true));
        let uptime = row(&world, &bob).await["reliability"]["uptime_24h"].as_f64().unwrap();
        assert!((0.1..0.5).contains(&uptime), "{uptime}");
    }

    async fn who_lies_about_its_url_is_never_online(world, minutes) {
        let (honest, card) = Agent::honest("bob").await;
        let origin = honest.origin();
        let rpc = |name: &str| json!({"card": crate::agent_host::card(name, &origin, &[("JSONRPC", "1.0", "/rpc")])});
        // Somebody else's URL under a name of its own.
        let liar = world.register_with(rpc("mallory")).await;
        probed(&world, 3).await;
        assert_eq!(state(&world, &liar).await, is("protocol_error", "card_is_another", false));
        assert_eq!(honest.lines(0), [format!("GET {CARD}"), format!("GET /rpc{CARD}"), format!("GET {OLD_CARD}")], "it is not even called");
        world.send(Method::DELETE, &format!("/connect/v1/agents/{}", liar.id), Some(&liar.key), None).await.ok(204);
        // The right name, and an interface that the host never named.
        let interfaces = [("JSONRPC", "1.0", "/rpc"), ("JSONRPC", "1.0", "/admin")];
        let liar = world.register_with(json!({"card": crate::agent_host::card("bob", &origin, &interfaces)})).await;
        probed(&world, 3).await;
        assert_eq!(state(&world, &liar).await, is("protocol_error", "card_is_another", false));
        // The truth, and then another card: the proof goes with the old one.
        put_card(&world, &liar, card).await;
        probed(&world, 3).await;
        assert_eq!(state(&world, &liar).await, is("callable", "", true));
        put_card(&world, &liar, rpc("mallory")["card"].clone()).await;
        assert_eq!(state(&world, &liar).await, is("unknown", "", false), "at once, before anybody asks");
        let alice = world.register("alice").await;
        call(&world, &alice, &liar).await.problem("agent_not_connected");
        probed(&world, 3).await;
        assert_eq!(state(&world, &liar).await, is("protocol_error", "card_is_another", false));
        assert!(!honest.lines(0).iter().any(|line| line.contains("/admin")));
    }

    async fn what_answers_but_is_no_such_agent_is_told_apart(world, minutes) {
        let (agent, card) = Agent::honest("bob").await;
        let bob = world.register_with(json!({"card": card})).await;
        let own = card.to_string();
        let cases: [(Places, Call, &str, &str); 8] = [
            (vec![], Call::NoSuchTask, "protocol_error", "no_card"),
            (vec![(CARD, 200, "<html>".into())], Call::NoSuchTask, "protocol_error", "no_card"),
            (vec![(CARD, 401, own.clone())], Call::NoSuchTask, "auth_required", "card_needs_credential"),
            (vec![(CARD, 200, own.clone())], Call::Echo, "protocol_error", "not_a2a"),
            (vec![(CARD, 200, own.clone())], Call::Status(401), "auth_required", "call_needs_credential"),
            (vec![(CARD, 200, own.clone())], Call::Status(200), "protocol_error", "not_a2a"),
            (vec![(CARD, 429, own.clone())], Call::NoSuchTask, "unknown", "host_is_busy"),
            (vec![(OLD_CARD, 200, own.clone())], Call::NoSuchTask, "callable", ""),
        ];
        for (places, call, verdict, reason) in cases {
            agent.live(|life| *life = Life { places, call });
            assert_eq!(probed(&world, 3_600).await, 1);
            assert_eq!(state(&world, &bob).await, is(verdict, reason, verdict == "callable"));
        }
        let before = agent.host.requests().len();
        probed(&world, 70).await;
        assert_eq!(agent.lines(before), [format!("GET {OLD_CARD}"), "POST /rpc".into()], "where it was last comes first");
        let score = row(&world, &bob).await["pulse"]["score"].as_f64().unwrap();
        assert!(score > 0.3 && score < 0.7, "{score}");
    }

    async fn a_card_below_a_path_speaks_for_that_path(world, minutes) {
        let agent = Agent::start(Life { places: vec![], call: Call::NoSuchTask }).await;
        let tenant = card("tenant", &agent.origin(), &[("HTTP+JSON", "1.0", "/a/b")]);
        let other = card("landlord", &agent.origin(), &[("JSONRPC", "1.0", "/rpc")]);
        let bad = card("other", &agent.origin(), &[("HTTP+JSON", "1.0", "/c"), ("JSONRPC", "1.0", "/rpc2")]);
        agent.live(|life| {
            life.places = vec![
                (CARD, 200, other.to_string()),
                ("/a/b/.well-known/agent-card.json", 200, tenant.to_string()),
                ("/c/.well-known/agent-card.json", 200, bad.to_string()),
            ];
        });
        let tenant = world.register_with(json!({"card": tenant})).await;
        let bad = world.register_with(json!({"card": bad})).await;
        assert_eq!(probed(&world, 3).await, 2);
        assert_eq!(state(&world, &tenant).await, is("callable", "", true));
        assert!(agent.lines(0).iter().any(|line| line.starts_with("GET /a/b/tasks/")));
        assert_eq!(state(&world, &bad).await, is("protocol_error", "card_is_another", false), "its other interface is not below its path");
    }

    async fn an_agent_whose_origin_was_proven_by_the_operator_needs_no_card(world, minutes) {
        let agent = Agent::start(Life { places: vec![], call: Call::NoSuchTask }).await;
        let bob = world.register_with(json!({"card": card("bob", &agent.origin(), &[("JSONRPC", "0.3", "/rpc")])})).await;
        probed(&world, 3).await;
        assert_eq!(state(&world, &bob).await, is("protocol_error", "no_card", false));
        prove(&world, &bob, &agent.origin()).await.ok(200);
        probed(&world, 60).await;
        assert_eq!(state(&world, &bob).await, is("callable", "", true));
        assert!(agent.host.requests().last().unwrap().contains("\"method\":\"tasks/get\""));
        probed(&world, 70).await;
        assert!(state(&world, &bob).await.2, "a probe takes no proof back that it did not give");
        let unprove = format!("/connect/v1/admin/agents/{}/unprove-origin", bob.id);
        world.send(Method::POST, &unprove, Some(&world.admin()), None).await.ok(200);
        assert_eq!(state(&world, &bob).await, is("callable", "", false), "without the proof it cannot be called");
        // Its host names it now. That proves nothing against the operator's word.
        let own = card("bob", &agent.origin(), &[("JSONRPC", "0.3", "/rpc")]);
        agent.live(|life| life.places = vec![(CARD, 200, own.to_string())]);
        let before = agent.host.requests().len();
        put_card(&world, &bob, own).await;
        probed(&world, 70).await;
        assert_eq!(state(&world, &bob).await, is("unknown", "barred_by_operator", false));
        assert_eq!(agent.host.requests().len(), before, "it is not asked");
        prove(&world, &bob, &agent.origin()).await.ok(200);
        probed(&world, 1).await;
        assert_eq!(state(&world, &bob).await, is("callable", "", true));
    }

    async fn a_proof_that_a_probe_gave_goes_when_another_card_is_found(world, minutes) {
        let (agent, card) = Agent::honest("bob").await;
        let bob = world.register_with(json!({"card": card})).await;
        probed(&world, 3).await;
        let alice = world.register("alice").await;
        call(&world, &alice, &bob).await.ok(200);
        let moved_in = crate::agent_host::card("carol", &agent.origin(), &[("JSONRPC", "1.0", "/rpc")]);
        agent.live(|life| life.places = vec![(CARD, 200, moved_in.to_string())]);
        probed(&world, 70).await;
        assert_eq!(state(&world, &bob).await, is("protocol_error", "card_is_another", false));
        call(&world, &alice, &bob).await.problem("agent_not_connected");
    }

    async fn gone_for_good_is_removed_unless_it_holds_a_line(world, minutes) {
        let (agent, card) = Agent::honest("bob").await;
        let bob = world.register_with(json!({"card": card})).await;
        let (other, card) = Agent::honest("carol").await;
        let carol = world.register_with(json!({"card": card})).await;
        probed(&world, 3).await;
        let mut switch = world.switch(1).await;
        world.report(&mut switch, vec![up(&carol, 1)]).await;
        for agent in [&agent, &other] {
            agent.live(|life| life.places = vec![(CARD, 410, String::new())]);
        }
        assert_eq!(probed(&world, 70).await, 2);
        world.get(&format!("/v1/agents/{}", bob.id)).await.problem("gone");
        assert_eq!(state(&world, &carol).await, is("unreachable", "gone", true), "its line says otherwise");
        assert_eq!(world.get("/v1/agents").await.ok(200)["total"], 1);
        let body = json!({"card": {"name": "bob", "description": "Another of this name."}});
        world.post("/v1/agents", None, body).await.ok(201);
        world.report(&mut switch, vec![down(&carol, 1, START_MS + 80_000)]).await;
        probed(&world, 300).await;
        world.get(&format!("/v1/agents/{}", carol.id)).await.problem("gone");
    }

    async fn places_that_must_not_be_called_are_not(world, minutes) {
        let inside = Host::start("127.0.0.1", answer("200 OK", "", "{}")).await;
        for (n, host) in ["127.0.0.1", "localhost", "mixed.test", "none.test"].iter().enumerate() {
            let name = format!("bot-{n}");
            let given = card(&name, &format!("http://{host}:{}", inside.port), &[("JSONRPC", "1.0", "/rpc")]);
            let bot = world.register_with(json!({"card": given})).await;
            probed(&world, 3).await;
            let (verdict, reason, online) = state(&world, &bot).await;
            assert!(!online && matches!(reason.as_str(), "address_refused" | "no_connection" | "no_interface"), "{host}: {verdict} {reason}");
        }
        assert_eq!(inside.connections(), 0);
    }

    async fn a_host_without_an_answer_is_unreachable_or_slow(world, minutes) {
        let given = |name: &str, port: u16| card(name, &format!("http://agent.test:{port}"), &[("JSONRPC", "1.0", "/rpc")]);
        let nothing = Host::start(AGENT_IP, Reply::Bytes(b"SSH-2.0-x\r\n".to_vec())).await;
        let cut = Host::start(AGENT_IP, Reply::Bytes(vec![])).await;
        let endless = Host::start(AGENT_IP, Reply::Endless(b"HTTP/1.1 200 OK\r\ncontent-length: 999999999\r\n\r\n".to_vec())).await;
        for (name, port, verdict, reason) in [
            ("closed", 1_024, "unreachable", "no_connection"),
            ("no-http", nothing.port, "protocol_error", "not_http"),
            ("cut", cut.port, "unreachable", "connection_lost"),
            ("endless", endless.port, "protocol_error", "no_card"),
        ] {
            let bot = world.register_with(json!({"card": given(name, port)})).await;
            probed(&world, 3).await;
            assert_eq!(state(&world, &bot).await, is(verdict, reason, false), "{name}");
        }
    }

    async fn of_two_exchanges_on_one_database_one_asks_and_the_other_takes_over(world, minutes) {
        let second = Exchange::open(world.exchange.config.clone(), world.exchange.clock.clone()).await.unwrap();
        let (agent, card) = Agent::honest("bob").await;
        world.register_with(json!({"card": card})).await;
        let asked = async |calls: usize| {
            let count = || agent.lines(0).iter().filter(|line| line.starts_with("POST")).count();
            for _ in 0..200 {
                tokio::time::sleep(Duration::from_millis(50)).await;
                if count() >= calls {
                    break;
                }
            }
            // A moment longer: one too many would come now.
            tokio::time::sleep(Duration::from_millis(600)).await;
            count()
        };
        let begin = |exchange: &Exchange| {
            let (tasks, stop) = (TaskTracker::new(), CancellationToken::new());
            exchange.spawn_background(&tasks, stop.clone());
            tasks.close();
            (tasks, stop)
        };
        world.clock.advance(3_000);
        let (first, stop) = begin(&world.exchange);
        assert_eq!(asked(1).await, 1);
        let (_tasks, _stop) = begin(&second);
        world.clock.advance(70_000);
        assert_eq!(asked(2).await, 2, "twice, and not thrice");
        stop.cancel();
        first.wait().await;
        world.clock.advance(70_000);
        assert_eq!(asked(3).await, 3, "who ends gives the lead back");
    }

    async fn those_who_fail_for_long_are_dormant_until_they_answer_again(world, minutes) {
        let (agent, card) = Agent::honest("bob").await;
        let bob = world.register_with(json!({"card": card})).await;
        agent.live(|life| life.call = Call::Status(503));
        probed(&world, 3).await;
        assert_eq!(row(&world, &bob).await["tier"], "new");
        probed(&world, 24 * 3_600 - 1).await;
        world.send(Method::PUT, &format!("/connect/v1/agents/{}/heartbeat", bob.id), Some(&bob.key), None).await.ok(204);
        assert_ne!(row(&world, &bob).await["tier"], "dormant");
        world.clock.advance(1_000);
        assert_eq!(row(&world, &bob).await["tier"], "dormant", "a heartbeat is no answer");
        agent.live(|life| life.call = Call::NoSuchTask);
        probed(&world, 3_600).await;
        assert_eq!(row(&world, &bob).await["tier"], "basic");
    }
}
