//! What holds for every request.

use axum::body::Body;
use http::{Method, Request};
use landline_controlplane::extract::Peer;
use serde_json::json;

use crate::world::{World, on_both};

async fn status_of(world: &World, request: http::request::Builder) -> crate::world::Answer {
    world.raw(request.body(Body::empty()).unwrap()).await
}

on_both! {
    async fn unknown_paths_and_methods_are_problems_too(world) {
        for path in ["/connect/v1/nowhere", "/nowhere", "/connect/relay/x", "/connect/ws/agent"] {
            let problem = world.send(Method::GET, path, None, None).await.problem("not_found");
            assert_eq!(problem["instance"], path.strip_prefix("/connect").unwrap_or(path));
        }
        let answer = world.send(Method::DELETE, "/connect/v1/agents", None, None).await;
        answer.problem("method_not_allowed");
        let allow = answer.headers["allow"].to_str().unwrap();
        assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
        let answer = world.send(Method::OPTIONS, "/connect/v1/agents", None, None).await;
        answer.ok(204);
        assert_eq!(answer.headers["allow"], "GET,HEAD,POST");
        world.send(Method::OPTIONS, "/connect/v1/nowhere", None, None).await.problem("not_found");
    }

    async fn a_refused_credential_says_what_kind_is_wanted(world) {
        for path in ["/connect/v1/relay/log", "/connect/v1/admin/nodes"] {
            let answer = world.send(Method::GET, path, None, None).await;
            answer.problem("token_missing");
            assert_eq!(answer.headers["www-authenticate"], "Bearer", "{path}");
        }
    }

    async fn a_parameter_is_given_once(world) {
        world.get("/v1/agents?limit=1&offset=0&elsewhere=1").await.ok(200);
        let problem = world.get("/v1/agents?limit=1&offset=0&limit=2").await.problem("invalid_query");
        assert_eq!(problem["params_hint"]["field"], "limit");
    }

    async fn what_was_made_says_where_it_is(world) {
        let body = json!({"card": {"name": "Echo", "description": "An agent of a test."}});
        let answer = world.post("/v1/agents", None, body).await;
        let place = answer.headers["location"].to_str().unwrap().to_owned();
        assert_eq!(world.send(Method::GET, &place, None, None).await.json()["id"], answer.json()["id"]);
    }

    async fn an_answer_to_head_has_no_body(world) {
        for (path, status) in [("/connect/v1/agents", 200), ("/connect/v1/nowhere", 404)] {
            let answer = world.send(Method::HEAD, path, None, None).await;
            assert_eq!((answer.status.as_u16(), answer.text.as_str()), (status, ""), "{path}");
        }
    }

    async fn a_problem_has_every_member(world) {
        let problem = world.get("/v1/agents/x").await.problem("invalid_query");
        let mut keys: Vec<&str> = problem.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        assert_eq!(keys, ["audience", "code", "detail", "did_you_mean", "docs_url", "instance", "llms_url", "next_action",
            "params_hint", "request_id", "retry_after_seconds", "retryable", "status", "suggestions", "title", "type"]);
        assert_eq!(problem["type"], "https://relay.example/errors/invalid_query");
    }

    async fn the_request_id_is_echoed_or_made(world) {
        let answer = status_of(&world, Request::get("/connect/v1/nowhere").header("x-request-id", "mine.1")).await;
        assert_eq!(answer.headers["x-request-id"], "mine.1");
        assert_eq!(answer.json()["request_id"], "mine.1");
        let answer = status_of(&world, Request::get("/connect/v1/agents").header("x-request-id", "not mine")).await;
        assert_eq!(answer.headers["x-request-id"].len(), 32);
    }

    async fn bodies_are_json_of_bounded_size(world) {
        let send = async |content_type: Option<&str>, body: Vec<u8>| {
            let mut request = Request::post("/connect/v1/agents");
            if let Some(content_type) = content_type {
                request = request.header("content-type", content_type);
            }
            world.raw(request.body(Body::from(body)).unwrap()).await
        };
        send(None, b"{}".to_vec()).await.problem("unsupported_media_type");
        send(Some("text/plain"), b"{}".to_vec()).await.problem("unsupported_media_type");
        let problem = send(Some("application/json"), b"{".to_vec()).await.problem("invalid_query");
        assert_eq!(problem["params_hint"]["field"], "body");
        send(Some("application/json"), vec![0xff, 0xfe]).await.problem("invalid_query");
        send(Some("application/json; charset=utf-8"), b"[]".to_vec()).await.problem("invalid_query");
        let nul = br#"{"card": {"name": "Echo", "description": "An agent\u0000 of a test."}}"#;
        send(Some("application/json"), nul.to_vec()).await.problem("invalid_query");
        world.get("/v1/search?q=a%00b").await.problem("invalid_query");
        send(Some("application/json"), vec![b' '; (256 << 10) + 1]).await.problem("body_too_large");
        let mut largest = br#"{"card": {"name": "Echo", "description": "An agent of a test."}}"#.to_vec();
        largest.resize(256 << 10, b' ');
        send(Some("application/vnd.card+json"), largest).await.ok(201);
    }

    async fn our_own_listener_knows_the_caller_by_its_socket_and_stops_in_order(world, |config| config.rate_limits = "anonymous=2/h".parse().unwrap()) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = tokio_util::sync::CancellationToken::new();
        let serving = tokio::spawn(landline_controlplane::listener::serve(world.exchange.clone(), listener, stop.clone()));
        let ask = async |headers: &str| {
            let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
            let request = format!("GET /connect/v1/agents HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await.unwrap();
            answer.split(' ').nth(1).unwrap().to_owned()
        };
        assert_eq!((ask("").await, ask("").await), ("200".into(), "200".into()));
        assert_eq!(ask("x-forwarded-for: 10.9.9.9\r\nforwarded: for=10.9.9.9\r\n").await, "429");
        let other = Request::get("/connect/v1/agents").extension(Peer([10, 0, 0, 1].into()));
        status_of(&world, other).await.ok(200);
        stop.cancel();
        serving.await.unwrap().unwrap();
    }

    async fn other_origins_read_nothing_unless_they_are_listed(world, |config| config.cors_origins = vec!["https://app.example".into()]) {
        let get = |origin: &str| Request::get("/connect/v1/agents").header("origin", origin);
        let answer = status_of(&world, get("https://app.example")).await;
        assert_eq!(answer.headers["access-control-allow-origin"], "https://app.example");
        assert!(status_of(&world, get("https://evil.example")).await.headers.get("access-control-allow-origin").is_none());
        let preflight = |origin: &str| {
            Request::options("/connect/v1/agents").header("origin", origin).header("access-control-request-method", "POST")
        };
        let answer = status_of(&world, preflight("https://app.example")).await;
        answer.ok(204);
        assert!(answer.headers["access-control-allow-methods"].to_str().unwrap().contains("POST"));
        assert!(status_of(&world, preflight("https://evil.example")).await.headers.get("access-control-allow-methods").is_none());
    }

    async fn rates_are_limited_per_address_and_class(world, |config| config.rate_limits = "registration=2/min,discovery=1/h,anonymous=3/s,authenticated=2/s".parse().unwrap()) {
        let from = |ip: [u8; 4], path: &str| Request::get(path).extension(Peer(ip.into()));
        let bot = world.register("one").await;
        world.register("two").await;
        let body = json!({"card": {"name": "three", "description": "An agent of a test."}});
        let answer = world.post("/v1/agents", None, body.clone()).await;
        let problem = answer.problem("rate_limited");
        assert_eq!((&problem["retry_after_seconds"], &answer.headers["retry-after"]), (&json!(30), &"30".parse().unwrap()));
        world.post("/v1/agents", Some(&world.admin()), body).await.ok(201);

        let search = "/connect/v1/search?q=one";
        status_of(&world, from([10, 0, 0, 1], search)).await.ok(200);
        status_of(&world, from([10, 0, 0, 1], search)).await.problem("rate_limited");
        status_of(&world, from([10, 0, 0, 2], search)).await.ok(200);
        for _ in 0..3 {
            status_of(&world, from([10, 0, 0, 3], "/connect/v1/agents")).await.ok(200);
        }
        status_of(&world, from([10, 0, 0, 3], "/connect/v1/agents")).await.problem("rate_limited");
        // `Forwarded` and its like are not believed.
        let spoofed = from([10, 0, 0, 3], "/connect/v1/agents").header("x-forwarded-for", "10.9.9.9").header("forwarded", "for=10.9.9.9");
        status_of(&world, spoofed).await.problem("rate_limited");
        for _ in 0..2 {
            world.post("/v1/auth/verify", Some(&bot.key), json!({})).await.ok(200);
        }
        world.post("/v1/auth/verify", Some(&bot.key), json!({})).await.problem("rate_limited");
        world.clock.advance(1_000);
        world.post("/v1/auth/verify", Some(&bot.key), json!({})).await.ok(200);
        status_of(&world, from([10, 0, 0, 3], "/connect/v1/agents")).await.ok(200);
    }

    async fn metrics_are_complete_openmetrics(world) {
        world.register("Echo").await;
        world.get("/v1/nowhere").await;
        let text = world.exchange.metrics_text().await;
        assert!(text.ends_with("# EOF\n"), "{text}");
        let registered = r#"landline_exchange_http_requests_total{method="POST",route="/connect/v1/agents",status="201"} 1"#;
        assert!(text.contains(registered), "{text}");
        assert!(text.contains("landline_exchange_agents_attached 0"), "{text}");
        let (admin, path) = (landline_controlplane::admin::router(world.exchange.clone()), |path: &str| {
            Request::get(path).body(Body::empty()).unwrap()
        });
        for uri in ["/healthz", "/readyz", "/metrics"] {
            let response = tower::ServiceExt::oneshot(admin.clone(), path(uri)).await.unwrap();
            assert_eq!(response.status(), 200, "{uri}");
        }
        world.exchange.db.close().await;
        let response = tower::ServiceExt::oneshot(admin, path("/readyz")).await.unwrap();
        assert_eq!(response.status(), 503);
    }
}
