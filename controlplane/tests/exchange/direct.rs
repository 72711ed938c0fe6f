//! Calls to agents without a line, at their own URL.

use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt;
use http::{Method, Request};
use http_body_util::BodyExt;
use landline_controlplane::agents::ops::lookup_agent;
use landline_controlplane::extract::Peer;
use landline_link::LookupAnswer;
use serde_json::{Value, json};

use crate::agent_host::{Host, Reply, agent_at, answer, call, card, lab, open, passed, prove, records, statuses};
use crate::world::{Bot, PEER, World, on_both};

/// What a switch hears of an agent: may it be called directly?
async fn direct(world: &World, bot: &Bot) -> bool {
    match lookup_agent(&world.exchange, bot.id).await.unwrap() {
        LookupAnswer::Agent { direct, .. } => direct,
        other => panic!("{other:?}"),
    }
}

fn body_of(request: &str) -> Value {
    serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap()
}

on_both! {
    async fn a_call_reaches_the_agents_own_url_and_the_answer_comes_back(world, lab) {
        let headers = "content-type: text/plain\r\na2a-extensions: x\r\nset-cookie: a=b\r\nserver: s\r\netag: \"1\"\r\n";
        let host = Host::start("127.0.0.2", answer("404 Not Found", headers, "no such task")).await;
        let (alice, bob) = (world.register("alice").await, agent_at(&world, "bob", host.port).await);
        assert!(direct(&world, &bob).await && !direct(&world, &alice).await);
        let sent = [
            ("content-type", "application/json"), ("accept", "text/event-stream"), ("a2a-version", "1.0"),
            ("authorization", "Bearer marker-1"), ("x-agent-authorization", "marker-2"), ("cookie", "marker-3"),
            ("x-a2a-method", "GetTask"), ("x-request-id", "r-1"), ("forwarded", "for=marker-4"), ("user-agent", "marker-5"),
        ];
        let path = bob.id.to_string();
        let events = Request::get("/connect/v1/events?topic=relay").extension(Peer(PEER)).body(Body::empty()).unwrap();
        let mut events = open(&world, events).await.into_body().into_data_stream();
        assert!(events.next().await.unwrap().unwrap().starts_with(b"retry: "));
        let got = world.raw(passed(Some(&alice), "POST", &path, &sent, "{\"not\": json")).await;
        assert_eq!((got.status.as_u16(), got.text.as_str()), (404, "no such task"), "the agent's own failure is no problem of ours");
        let mut names: Vec<&str> = got.headers.keys().map(|name| name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, ["a2a-extensions", "content-security-policy", "content-type", "etag", "server-timing",
            "x-connect-route", "x-content-type-options", "x-request-id"]);
        assert!(got.headers["x-connect-route"] == "http_direct" && got.headers["x-request-id"] == "r-1");
        assert!(got.headers["content-security-policy"].to_str().unwrap().starts_with("sandbox"));
        let mut lines: Vec<String> = host.requests()[0].lines().map(str::to_owned).collect();
        let (first, last) = (lines.remove(0), lines.pop().unwrap());
        assert_eq!((first.as_str(), last.as_str(), lines.pop().unwrap().as_str()), ("POST /rpc HTTP/1.1", "{\"not\": json", ""));
        lines.sort_unstable();
        assert_eq!(lines, ["a2a-version: 1.0".to_owned(), "accept: text/event-stream".into(), "connection: close".into(),
            "content-length: 12".into(), "content-type: application/json".into(), format!("host: agent.test:{}", host.port)]);
        let records = records(&world, 1).await;
        let expected = json!({"ts": "2025-07-14T12:00:00.000Z", "from_agent_id": alice.id, "to_agent_id": bob.id,
            "a2a_method": "GetTask", "request_id": "r-1", "status_code": 404, "latency_ms": records[0]["latency_ms"],
            "route": "http_direct"});
        let published = events.next().await.unwrap().unwrap();
        let published = std::str::from_utf8(&published).unwrap().lines().find_map(|line| line.strip_prefix("data: "));
        assert_eq!(serde_json::from_str::<Value>(published.unwrap()).unwrap(), expected);
        let more = tokio::time::timeout(Duration::from_millis(100), events.next()).await;
        assert!(more.is_err(), "published once");
        assert_eq!(records, [expected]);
    }

    async fn only_a_switch_can_ask_for_it(world, lab) {
        let host = Host::start("127.0.0.2", answer("200 OK", "", "hello")).await;
        let (alice, bob) = (world.register("alice").await, agent_at(&world, "bob", host.port).await);
        for token in [None, Some(alice.key.as_str()), Some(world.admin().as_str())] {
            for rest in ["", "/", "/rpc", "/.well-known/agent.json"] {
                let mut request = Request::post(format!("/connect/relay/{}{rest}", bob.id)).extension(Peer(PEER));
                for forged in ["x-relay-caller", "x-landline-caller", "caller", "x-landline-as"] {
                    request = request.header(forged, alice.id.to_string());
                }
                if let Some(token) = token {
                    request = request.header("authorization", format!("Bearer {token}"));
                }
                world.raw(request.body(Body::from("{}")).unwrap()).await.problem("not_found");
            }
        }
        assert_eq!(host.connections(), 0);
        call(&world, &alice, &bob).await.ok(200);
        assert_eq!(host.connections(), 1, "the control");
    }

    async fn an_origin_that_nobody_proved_is_not_called_and_one_that_moves_loses_its_proof(world, lab) {
        let host = Host::start("127.0.0.2", answer("200 OK", "", "hello")).await;
        let origin = format!("http://agent.test:{}", host.port);
        let given = |path: &str| card("bob", &origin, &[("JSONRPC", "1.0", path)]);
        let (alice, bob) = (world.register("alice").await, world.register_with(json!({"card": given("/rpc")})).await);
        assert!(!direct(&world, &bob).await);
        let refused = call(&world, &alice, &bob).await;
        assert_eq!((refused.status.as_u16(), refused.problem("agent_not_connected")["retry_after_seconds"].as_u64()), (404, Some(5)));
        for other in ["https://agent.test", "http://agent.test", "agent.test", "", "http://evil.test"] {
            prove(&world, &bob, other).await.problem("conflict");
        }
        prove(&world, &alice, &origin).await.problem("conflict");
        assert!(!direct(&world, &bob).await, "a refused proof leaves nothing behind");
        let state = prove(&world, &bob, &format!("{origin}/anything")).await.ok(200);
        assert_eq!((&state["origin_proven"], &state["blocked"]), (&json!(true), &json!(false)));
        call(&world, &alice, &bob).await.ok(200);
        let path = format!("/connect/v1/agents/{}/card", bob.id);
        world.send(Method::PUT, &path, Some(&bob.key), Some(given("/elsewhere"))).await.ok(200);
        assert!(direct(&world, &bob).await, "another path on the same origin is the same host's");
        let moved = card("bob", "http://agent.test:81", &[("JSONRPC", "1.0", "/rpc")]);
        world.send(Method::PUT, &path, Some(&bob.key), Some(moved)).await.ok(200);
        world.send(Method::PUT, &path, Some(&bob.key), Some(given("/rpc"))).await.ok(200);
        assert!(!direct(&world, &bob).await, "moving back does not bring the proof back");
        prove(&world, &bob, &origin).await.ok(200);
        let unprove = format!("/connect/v1/admin/agents/{}/unprove-origin", bob.id);
        let state = world.send(Method::POST, &unprove, Some(&world.admin()), None).await.ok(200);
        assert_eq!(state["origin_proven"], false);
        call(&world, &alice, &bob).await.problem("agent_not_connected");
        assert_eq!((host.connections(), statuses(&world, 3).await), (1, vec![404, 200, 404]));
    }

    async fn who_may_call_is_judged_again(world, lab) {
        let host = Host::start("127.0.0.2", answer("200 OK", "", "hello")).await;
        let (alice, eve) = (world.register("alice").await, world.register("eve").await);
        let bob = agent_at(&world, "bob", host.port).await;
        let path = format!("/connect/v1/agents/{}", bob.id);
        let id = bob.id.to_string();
        let anonymous = || world.raw(passed(None, "POST", &id, &[], "{}"));
        anonymous().await.problem("token_missing");
        let listed = json!({"access": "listed", "allow": [alice.id]});
        world.send(Method::PATCH, &path, Some(&bob.key), Some(listed)).await.ok(200);
        call(&world, &eve, &bob).await.problem("not_authorized");
        call(&world, &alice, &bob).await.ok(200);
        anonymous().await.problem("token_missing");
        world.send(Method::PATCH, &path, Some(&bob.key), Some(json!({"access": "public"}))).await.ok(200);
        anonymous().await.ok(200);
        let block = |bot: &Bot| format!("/v1/admin/agents/{}/block", bot.id);
        world.post(&block(&eve), Some(&world.admin()), json!({"reason": "x"})).await.ok(200);
        call(&world, &eve, &bob).await.problem("agent_blocked");
        world.post(&block(&bob), Some(&world.admin()), json!({"reason": "x"})).await.ok(200);
        call(&world, &alice, &bob).await.problem("target_blocked");
        world.send(Method::DELETE, &path.replace(&id, &alice.id.to_string()), Some(&alice.key), None).await.ok(204);
        call(&world, &alice, &bob).await.problem("token_invalid");
        let removed = world.raw(passed(Some(&bob), "POST", &alice.id.to_string(), &[], "{}")).await;
        removed.problem("agent_blocked");
        let nobody = "0190a1f2-0000-7000-8000-000000000000";
        world.raw(passed(None, "POST", nobody, &[], "{}")).await.problem("not_found");
        world.raw(passed(None, "POST", "bob", &[], "{}")).await.problem("invalid_query");
        assert_eq!((host.connections(), statuses(&world, 4).await), (2, vec![403, 200, 200, 403]));
    }

    async fn a_caller_that_speaks_no_a2a_sends_a_message(world, lab) {
        let host = Host::start("127.0.0.2", answer("200 OK", "content-type: application/json\r\n", "{}")).await;
        let alice = world.register("alice").await;
        for (n, (binding, version, path, line, method)) in [
            ("JSONRPC", "1.0", "/rpc", "POST /rpc ", Some("SendMessage")),
            ("JSONRPC", "0.3.0", "/rpc", "POST /rpc ", Some("message/send")),
            ("HTTP+JSON", "1.0", "/a2a", "POST /a2a/message:send ", None),
            ("HTTP+JSON", "0.3", "/a2a", "POST /a2a/v1/message:send ", None),
        ].into_iter().enumerate() {
            let origin = format!("http://agent.test:{}", host.port);
            let mut given = card(&format!("bot-{n}"), &origin, &[(binding, version, path)]);
            // Cards are unique by URL: the query tells these four apart.
            given["supportedInterfaces"][0]["url"] = format!("{origin}{path}?n={n}").into();
            let bot = world.register_with(json!({"card": given})).await;
            prove(&world, &bot, &origin).await.ok(200);
            let headers = [("x-landline-as", "message"), ("content-type", "text/plain"), ("accept", "*/*")];
            world.raw(passed(Some(&alice), "POST", &bot.id.to_string(), &headers, "hello")).await.ok(200);
            let request = host.requests().pop().unwrap();
            assert!(request.starts_with(line.trim_end()), "{request}");
            assert!(request.contains(&format!("?n={n} HTTP/1.1")) && request.contains("content-type: application/json\r\n"), "{request}");
            let short = if version.starts_with('0') { "0.3" } else { "1.0" };
            assert!(request.contains(&format!("a2a-version: {short}\r\n")), "{request}");
            let body = body_of(&request);
            let params = if let Some(method) = method { assert_eq!(body["method"], method); &body["params"] } else { &body };
            assert_eq!(params["message"]["parts"][0]["text"], "hello");
            let verbatim = world.raw(passed(Some(&alice), "POST", &bot.id.to_string(), &[], "{\"x\": 1}")).await;
            verbatim.ok(200);
            assert_eq!(body_of(&host.requests().pop().unwrap()), json!({"x": 1}));
        }
        let bob = agent_at(&world, "bob", host.port).await;
        let wrong = passed(Some(&alice), "POST", &bob.id.to_string(), &[("x-landline-as", "task")], "x");
        world.raw(wrong).await.problem("invalid_query");
    }

    async fn only_the_interface_and_the_card_are_within_reach(world, lab) {
        let host = Host::start("127.0.0.2", answer("200 OK", "", "hello")).await;
        let (alice, bob) = (world.register("alice").await, agent_at(&world, "bob", host.port).await);
        for (method, rest) in [
            ("GET", ""), ("GET", "/tasks"), ("PUT", ""), ("DELETE", ""), ("PATCH", "/x"), ("OPTIONS", ""), ("POST", "/admin"),
            ("POST", "/../admin"), ("POST", "//evil.test/"), ("POST", "?x=1"), ("POST", "/%2e%2e/admin"), ("GET", "/.well-known/x"),
        ] {
            let refused = world.raw(passed(Some(&alice), method, &format!("{}{rest}", bob.id), &[], "")).await;
            assert_eq!(refused.problem("agent_not_connected")["status"], 404, "{method} {rest}");
        }
        for (method, rest) in [("POST", "/stream"), ("GET", "/status")] {
            world.raw(passed(Some(&alice), method, &format!("{}{rest}", bob.id), &[], "")).await.problem("not_found");
        }
        assert_eq!(host.connections(), 0);
        for rest in ["", "/", "/rpc"] {
            world.raw(passed(Some(&alice), "POST", &format!("{}{rest}", bob.id), &[], "{}")).await.ok(200);
        }
        world.raw(passed(Some(&alice), "GET", &format!("{}/.well-known/agent.json", bob.id), &[], "")).await.ok(200);
        let lines: Vec<String> = host.requests().iter().map(|r| r.lines().next().unwrap().to_owned()).collect();
        assert_eq!(lines, ["POST /rpc HTTP/1.1", "POST /rpc HTTP/1.1", "POST /rpc HTTP/1.1", "GET /.well-known/agent.json HTTP/1.1"]);
    }

    async fn an_answer_comes_as_it_is_made(world, lab) {
        let head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: 1\n\n".to_vec();
        let host = Host::start("127.0.0.2", Reply::Stall(head)).await;
        let (alice, bob) = (world.register("alice").await, agent_at(&world, "bob", host.port).await);
        let response = open(&world, passed(Some(&alice), "POST", &bob.id.to_string(), &[], "{}")).await;
        let mut body = response.into_body().into_data_stream();
        let first = tokio::time::timeout(Duration::from_secs(5), body.next()).await.expect("at once").unwrap().unwrap();
        assert_eq!(first, "data: 1\n\n");
        drop(body);
        assert_eq!(statuses(&world, 1).await, [499], "a caller that leaves is recorded as such, once");
    }

    async fn a_call_that_fails_has_its_status_and_one_record(world, lab) {
        let alice = world.register("alice").await;
        let head = |text: &str| Reply::Bytes(text.as_bytes().to_vec());
        let cases = [
            (Reply::Silence, "agent_timeout", 504),
            (Reply::Bytes(Vec::new()), "gateway_unavailable", 502),
            (head("HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"), "bad_answer", 502),
            (head("HTTP/1.1 700 Odd\r\ncontent-length: 0\r\n\r\n"), "bad_answer", 502),
            (head("SSH-2.0-OpenSSH_9\r\n"), "bad_answer", 502),
            (head("HTTP/1.1 200 OK\r\netag: \u{e9}\u{80}\r\n\r\n"), "none", 200),
            (Reply::Bytes(b"HTTP/1.1 200 OK\r\netag: \xff\r\ncontent-length: 0\r\n\r\n".to_vec()), "bad_answer", 502),
            (Reply::Bytes(format!("HTTP/1.1 200 OK\r\netag: {}\r\n\r\n", "x".repeat(20_000)).into_bytes()), "bad_answer", 502),
        ];
        let mut expected = Vec::new();
        for (n, (reply, code, status)) in cases.into_iter().enumerate() {
            let host = Host::start("127.0.0.2", reply).await;
            let bot = agent_at(&world, &format!("bot-{n}"), host.port).await;
            let headers = [("x-relay-timeout-ms", "1500")];
            let got = world.raw(passed(Some(&alice), "POST", &bot.id.to_string(), &headers, "{}")).await;
            assert_eq!(got.status.as_u16(), status, "{n}: {got:?}");
            if code != "none" {
                got.problem(code);
            }
            expected.push(u64::from(status));
            world.clock.advance(1_000);
        }
        let gone = Host::start("127.0.0.2", Reply::Silence).await.port + 1;
        let nobody = agent_at(&world, "nobody", gone).await;
        call(&world, &alice, &nobody).await.problem("gateway_unavailable");
        expected.push(502);
        assert_eq!(statuses(&world, expected.len()).await, expected);
    }

    async fn a_caller_that_leaves_before_the_answer_is_recorded_once(world, lab) {
        let host = Host::start("127.0.0.2", Reply::Silence).await;
        let (alice, bob) = (world.register("alice").await, agent_at(&world, "bob", host.port).await);
        let waiting = call(&world, &alice, &bob);
        assert!(tokio::time::timeout(Duration::from_millis(300), waiting).await.is_err());
        assert_eq!(statuses(&world, 1).await, [499]);
    }

    async fn an_answer_that_breaks_off_is_cut_and_recorded(world, lab) {
        let host = Host::start("127.0.0.2", Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf".to_vec())).await;
        let (alice, bob) = (world.register("alice").await, agent_at(&world, "bob", host.port).await);
        let response = open(&world, passed(Some(&alice), "POST", &bob.id.to_string(), &[], "{}")).await;
        assert_eq!(response.status(), 200);
        assert!(response.into_body().collect().await.is_err());
        assert_eq!(statuses(&world, 1).await, [502]);
    }

    async fn an_answer_that_falls_silent_is_cut(world, lab) {
        let host = Host::start("127.0.0.2", Reply::Stall(b"HTTP/1.1 200 OK\r\n\r\nhalf".to_vec())).await;
        let (alice, bob) = (world.register("alice").await, agent_at(&world, "bob", host.port).await);
        let response = open(&world, passed(Some(&alice), "POST", &bob.id.to_string(), &[], "{}")).await;
        let mut body = response.into_body().into_data_stream();
        assert_eq!(body.next().await.unwrap().unwrap(), "half");
        let silence = tokio::spawn(async move { body.next().await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(!silence.is_finished());
        tokio::time::advance(Duration::from_secs(2)).await;
        tokio::time::resume();
        assert!(silence.await.unwrap().unwrap().is_err());
        assert_eq!(statuses(&world, 1).await, [502]);
    }

    async fn sizes_are_bounded_both_ways(world, lab) {
        let host = Host::start("127.0.0.2", Reply::Endless(b"HTTP/1.1 200 OK\r\n\r\n".to_vec())).await;
        let (alice, bob) = (world.register("alice").await, agent_at(&world, "bob", host.port).await);
        let path = bob.id.to_string();
        let large = world.raw(passed(Some(&alice), "POST", &path, &[], vec![b'x'; (1 << 20) + 1])).await;
        large.problem("body_too_large");
        assert_eq!(host.connections(), 0);
        let response = open(&world, passed(Some(&alice), "POST", &path, &[], vec![b'x'; 1 << 20])).await;
        let (mut got, mut body) = (0, response.into_body().into_data_stream());
        let cut = loop {
            match body.next().await {
                Some(Ok(bytes)) => got += bytes.len(),
                other => break other.is_some_and(|last| last.is_err()),
            }
        };
        assert!(cut && got <= 64 << 20 && got > 63 << 20, "{got}");
        assert_eq!(statuses(&world, 1).await, [502]);
    }

    async fn a_host_is_called_ten_times_a_second_by_all_together(world, lab) {
        let host = Host::start("127.0.0.2", answer("200 OK", "", "hello")).await;
        let (alice, eve) = (world.register("alice").await, world.register("eve").await);
        let bob = agent_at(&world, "bob", host.port).await;
        for _ in 0..5 {
            call(&world, &alice, &bob).await.ok(200);
            call(&world, &eve, &bob).await.ok(200);
        }
        let refused = call(&world, &alice, &bob).await;
        assert_eq!((refused.problem("rate_limited")["retry_after_seconds"].as_u64(), &refused.headers["retry-after"]),
            (Some(1), &"1".parse().unwrap()));
        world.clock.advance(1_000);
        call(&world, &alice, &bob).await.ok(200);
        assert_eq!(host.connections(), 11);
        assert_eq!(statuses(&world, 11).await, [200; 11], "what was refused has no record");
    }
}
