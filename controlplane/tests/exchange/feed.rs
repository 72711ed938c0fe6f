//! What the switches are told: the outbox and the snapshot.

use http::Method;
use landline_controlplane::db::{new_epoch, outbox};
use landline_link::{Access, Op, Policy};
use serde_json::json;

use crate::world::on_both;

on_both! {
    async fn every_change_has_its_revision_and_nothing_is_skipped(world) {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let start = outbox::cursor(&world.exchange).await.unwrap();
        assert_eq!(start.revision, 0, "registering with the default policy is nobody's business");
        let path = format!("/connect/v1/agents/{}", alice.id);
        let change = json!({"access": "listed", "allow": [bob.id]});
        world.send(Method::PATCH, &path, Some(&alice.key), Some(change.clone())).await.ok(200);
        world.send(Method::PATCH, &path, Some(&alice.key), Some(change)).await.ok(200);
        world.post("/v1/auth/revoke", Some(&alice.key), json!({"all": true})).await.ok(204);
        world.post(&format!("/v1/admin/agents/{}/block", bob.id), Some(&world.admin()), json!({"reason": "x"})).await.ok(200);
        world.send(Method::DELETE, &path, Some(&alice.key), None).await.ok(204);
        let expected = [
            Op::Policy { agent: alice.id, policy: Policy { access: Access::Listed, allow: vec![bob.id] } },
            Op::Revoke { agent: alice.id, token_gen: 2, key_gen: 1 },
            Op::Block { agent: bob.id, blocked: true },
            Op::Remove { agent: alice.id },
        ];
        let all = outbox::after(&world.exchange, 0, 100).await.unwrap();
        assert_eq!(all, (1..).zip(expected.clone()).collect::<Vec<(u64, Op)>>());
        assert_eq!(outbox::after(&world.exchange, 1, 2).await.unwrap(), all[1..3]);
        let end = outbox::cursor(&world.exchange).await.unwrap();
        assert_eq!((end.epoch, end.revision), (start.epoch, 4));
        assert_eq!(outbox::oldest(&world.exchange).await.unwrap(), Some(1));
    }

    async fn many_changes_at_once_have_consecutive_revisions(world) {
        let mut bots = Vec::new();
        for n in 0..10 {
            bots.push(world.register(&format!("bot-{n}")).await);
        }
        let changes = bots.iter().map(|bot| world.post("/v1/auth/revoke", Some(&bot.key), json!({"all": true})));
        for answer in futures_util::future::join_all(changes).await {
            answer.ok(204);
        }
        let revisions: Vec<u64> =
            outbox::after(&world.exchange, 0, 100).await.unwrap().into_iter().map(|(revision, _)| revision).collect();
        assert_eq!(revisions, (1..=10).collect::<Vec<u64>>());
    }

    async fn a_snapshot_has_what_still_matters(world) {
        let (alice, bob, carol) = (world.register("alice").await, world.register("bob").await, world.register("carol").await);
        let public = json!({"card": {"name": "Dave", "description": "An agent of a test."}, "access": "public"});
        let dave = world.register_with(public).await;
        world.post("/v1/auth/revoke", Some(&alice.key), json!({"all": true})).await.ok(204);
        let token = world.post("/v1/auth/token", Some(&alice.key), json!({})).await.ok(200)["token"].as_str().unwrap().to_owned();
        let jti = jti(&token);
        world.post("/v1/auth/revoke", Some(&alice.key), json!({"jti": jti})).await.ok(204);
        world.post(&format!("/v1/admin/agents/{}/block", bob.id), Some(&world.admin()), json!({"reason": "x"})).await.ok(200);
        world.send(Method::DELETE, &format!("/connect/v1/agents/{}", carol.id), Some(&carol.key), None).await.ok(204);
        let exp = world.exchange.clock.now_s() + 900;
        let (cursor, ops) = outbox::snapshot(&world.exchange).await.unwrap();
        assert_eq!(cursor, outbox::cursor(&world.exchange).await.unwrap());
        let policy = Policy { access: Access::Public, allow: vec![] };
        assert_eq!(ops, [
            Op::Keys { jwks: world.exchange.jwks().to_owned() },
            Op::Revoke { agent: alice.id, token_gen: 2, key_gen: 1 },
            Op::RevokeToken { jti, exp },
            Op::Block { agent: bob.id, blocked: true },
            Op::Remove { agent: carol.id },
            Op::Policy { agent: dave.id, policy: policy.clone() },
        ]);
        world.clock.advance(3_600_001);
        let (_, later) = outbox::snapshot(&world.exchange).await.unwrap();
        assert_eq!(later, [
            Op::Keys { jwks: world.exchange.jwks().to_owned() },
            Op::Block { agent: bob.id, blocked: true },
            Op::Policy { agent: dave.id, policy },
        ]);
    }

    async fn old_ops_are_forgotten_and_the_revision_stays(world) {
        let bot = world.register("Echo").await;
        world.post("/v1/auth/revoke", Some(&bot.key), json!({"all": true})).await.ok(204);
        world.clock.advance(3_600_001);
        world.post("/v1/auth/revoke", Some(&bot.key), json!({"all": true})).await.ok(204);
        assert_eq!(outbox::prune(&world.exchange).await.unwrap(), 1);
        assert_eq!(outbox::oldest(&world.exchange).await.unwrap(), Some(2));
        assert_eq!(outbox::cursor(&world.exchange).await.unwrap().revision, 2);
    }

    async fn a_restored_database_is_another_history(world) {
        let before = outbox::cursor(&world.exchange).await.unwrap();
        let bell = world.exchange.outbox_rung();
        new_epoch(&world.exchange).await.unwrap();
        let after = outbox::cursor(&world.exchange).await.unwrap();
        assert!(before.epoch != after.epoch && bell.has_changed().unwrap());
    }
}

fn jti(token: &str) -> uuid::Uuid {
    use base64::Engine;
    let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
    claims["jti"].as_str().unwrap().parse().unwrap()
}
