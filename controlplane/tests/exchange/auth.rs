//! Credentials.

use std::collections::HashSet;

use http::Method;
use landline_controlplane::auth::lookup::lookup_key;
use landline_controlplane::config::Registration;
use landline_controlplane::db::outbox;
use landline_link::{LookupAnswer, Op, Secret};
use serde_json::json;

use crate::world::{World, on_both};

async fn token(world: &World, key: &str) -> String {
    let answer = world.post("/v1/auth/token", Some(key), json!({})).await;
    let body = answer.ok(200);
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(900)));
    assert_eq!(answer.headers["cache-control"], "no-store");
    body["token"].as_str().unwrap().to_owned()
}

async fn works(world: &World, credential: &str) -> bool {
    let answer = world.post("/v1/auth/verify", Some(credential), json!({})).await;
    if answer.status != 200 {
        answer.problem("token_invalid");
    }
    answer.status == 200
}

/// The payload of a token.
fn claims(token: &str) -> serde_json::Value {
    use base64::Engine;
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

async fn ops(world: &World) -> Vec<Op> {
    outbox::after(&world.exchange, 0, 100).await.unwrap().into_iter().map(|(_, op)| op).collect()
}

on_both! {
    async fn a_key_and_its_token_say_whose_they_are(world) {
        let bot = world.register("Echo").await;
        let expected = json!({"valid": true, "agent_id": bot.id, "name": "Echo", "key_prefix": bot.key[..8]});
        assert_eq!(world.post("/v1/auth/verify", Some(&bot.key), json!({})).await.ok(200), expected);
        let token = token(&world, &bot.key).await;
        assert_eq!(world.post("/v1/auth/verify", Some(&token), json!({})).await.ok(200), expected);
        let claims = claims(&token);
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!("https://relay.example/connect"), &json!("relay")));
        assert_eq!((&claims["sub"], &claims["gen"]), (&json!(bot.id), &json!(1)));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
        let jwks = world.get("/.well-known/jwks.json").await.ok(200);
        let root = world.send(Method::GET, "/.well-known/jwks.json", None, None).await.ok(200);
        assert_eq!(jwks, root);
        assert_eq!((&jwks["keys"][0]["alg"], jwks["keys"][0].get("d")), (&json!("ES256"), None));
    }

    async fn bad_credentials_are_refused_everywhere_even_where_none_is_needed(world) {
        let bot = world.register("Echo").await;
        let token = token(&world, &bot.key).await;
        let (head, rest) = token.split_once('.').unwrap();
        let (payload, _) = rest.split_once('.').unwrap();
        let none = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
        let bad = [
            format!("ll_{}", "A".repeat(43)), "ll_short".into(), "nonsense".into(), format!("{none}.{payload}."),
            format!("{head}.{payload}.AAAA"), format!("{token}x"), bot.key[..45].to_owned(),
        ];
        for credential in bad {
            world.clock.advance(1_000);
            for path in ["/connect/v1/agents", "/connect/v1/relay/recent", "/connect/nowhere"] {
                world.send(Method::GET, path, Some(&credential), None).await.problem("token_invalid");
            }
        }
        for header in ["Basic abc", "Bearer", "Bearer ", &bot.key] {
            let request = http::Request::get("/connect/v1/agents").header("authorization", header);
            world.raw(request.body(axum::body::Body::empty()).unwrap()).await.problem("token_missing");
        }
        world.post("/v1/auth/token", Some(&token), json!({})).await.problem("not_authorized");
        world.post("/v1/auth/token", None, json!({})).await.problem("token_missing");
    }

    async fn a_token_ends_with_its_time(world) {
        let bot = world.register("Echo").await;
        let token = token(&world, &bot.key).await;
        world.clock.advance(899_999);
        assert!(works(&world, &token).await);
        world.clock.advance(1);
        assert!(!works(&world, &token).await);
    }

    async fn a_rotated_key_is_dead_at_once_with_all_tokens_and_the_switches_hear_of_it(world) {
        let bot = world.register("Echo").await;
        let token = token(&world, &bot.key).await;
        let bell = world.exchange.outbox_rung();
        let path = format!("/v1/agents/{}/rotate-key", bot.id);
        let answer = world.post(&path, Some(&bot.key), json!({})).await;
        let new = answer.ok(200)["api_key"].as_str().unwrap().to_owned();
        assert_eq!(answer.headers["cache-control"], "no-store");
        assert!(!works(&world, &bot.key).await && !works(&world, &token).await && works(&world, &new).await);
        assert_eq!(lookup_key(&world.exchange, &bot.key).await, LookupAnswer::KeyUnknown);
        let known = LookupAnswer::Key { agent: bot.id, key_gen: 2, blocked: false };
        assert_eq!(lookup_key(&world.exchange, &new).await, known);
        assert_eq!(ops(&world).await, [Op::Revoke { agent: bot.id, token_gen: 2, key_gen: 2 }]);
        assert!(bell.has_changed().unwrap());
    }

    async fn of_many_rotations_at_once_with_one_key_exactly_one_counts(world) {
        let bot = world.register("Echo").await;
        let path = format!("/v1/agents/{}/rotate-key", bot.id);
        let tries = (0..8).map(|_| world.post(&path, Some(&bot.key), json!({})));
        let answers = futures_util::future::join_all(tries).await;
        let new: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(new.len(), 1, "{answers:?}");
        assert!(works(&world, new[0].json()["api_key"].as_str().unwrap()).await);
    }

    async fn one_token_is_revoked_by_its_id_and_only_by_its_owner(world) {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let (one, two) = (token(&world, &alice.key).await, token(&world, &alice.key).await);
        let jti = claims(&one)["jti"].clone();
        let revoke = |key, body| world.post("/v1/auth/revoke", Some(key), body);
        revoke(bob.key.as_str(), json!({"jti": jti})).await.problem("not_found");
        revoke(one.as_str(), json!({"jti": jti})).await.problem("not_authorized");
        assert!(works(&world, &one).await);
        revoke(alice.key.as_str(), json!({"jti": jti})).await.ok(204);
        revoke(alice.key.as_str(), json!({"jti": jti})).await.ok(204);
        assert!(!works(&world, &one).await && works(&world, &two).await && works(&world, &alice.key).await);
        let ops = ops(&world).await;
        assert!(matches!(ops[..], [Op::RevokeToken { .. }]), "once: {ops:?}");
        revoke(alice.key.as_str(), json!({"jti": "x"})).await.problem("invalid_query");
    }

    async fn all_tokens_are_revoked_and_the_key_stays(world) {
        let bot = world.register("Echo").await;
        let old = token(&world, &bot.key).await;
        world.post("/v1/auth/revoke", Some(&bot.key), json!({"all": true})).await.ok(204);
        assert!(!works(&world, &old).await && works(&world, &bot.key).await);
        let new = token(&world, &bot.key).await;
        assert!(works(&world, &new).await);
        assert_eq!(ops(&world).await, [Op::Revoke { agent: bot.id, token_gen: 2, key_gen: 1 }]);
    }

    async fn keys_are_random_and_nothing_of_them_is_stored(world) {
        let mut keys = HashSet::new();
        for n in 0..5 {
            keys.insert(world.register(&format!("bot-{n}")).await.key);
        }
        assert_eq!(keys.len(), 5);
        let rows = sqlx::query("SELECT key_hmac, key_prefix FROM credentials").fetch_all(world.exchange.db.read()).await.unwrap();
        for row in rows {
            use sqlx::Row;
            let (hmac, prefix): (Vec<u8>, String) = (row.get("key_hmac"), row.get("key_prefix"));
            assert_eq!((hmac.len(), prefix.len()), (32, 8));
        }
    }

    async fn registration_by_token_needs_it(world, |config| config.registration = Registration::Token(Secret("let-me-in-please".into()))) {
        let body = json!({"card": {"name": "Echo", "description": "An agent of a test."}});
        world.post("/v1/agents", None, body.clone()).await.problem("token_missing");
        world.post("/v1/agents", Some("let-me-in-pleasf"), body.clone()).await.problem("token_invalid");
        world.post("/v1/agents", Some("let-me-in-please"), body).await.ok(201);
        let body = json!({"card": {"name": "Echo2", "description": "An agent of a test."}});
        world.post("/v1/agents", Some(&world.admin()), body).await.ok(201);
        world.post("/v1/auth/verify", Some("let-me-in-please"), json!({})).await.problem("not_authorized");
    }

    async fn a_closed_registration_is_the_operators(world, |config| config.registration = Registration::Closed) {
        let body = json!({"card": {"name": "Echo", "description": "An agent of a test."}});
        world.post("/v1/agents", None, body.clone()).await.problem("not_authorized");
        world.post("/v1/agents", Some(&world.admin()), body).await.ok(201);
    }

    async fn an_address_that_guesses_has_to_wait(world) {
        let mut seen = Vec::new();
        for _ in 0..21 {
            seen.push(world.post("/v1/auth/verify", Some("nonsense"), json!({})).await.status.as_u16());
        }
        assert_eq!((seen[19], seen[20]), (401, 429), "{seen:?}");
        world.clock.advance(50);
        world.post("/v1/auth/verify", Some("nonsense"), json!({})).await.problem("token_invalid");
    }
}
