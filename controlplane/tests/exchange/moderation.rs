//! The operator.

use http::Method;
use landline_controlplane::state::FeedCommand;
use serde_json::json;

use crate::world::{on_both, up};

on_both! {
    async fn a_blocked_agent_is_out_of_sight_and_its_credential_is_of_no_use(world) {
        let bot = world.register("Echo").await;
        let admin = world.admin();
        let block = format!("/v1/admin/agents/{}/block", bot.id);
        let state = world.post(&block, Some(&admin), json!({"reason": "spam"})).await.ok(200);
        assert_eq!((&state["blocked"], &state["reason"]), (&json!(true), &json!("spam")));
        world.post("/v1/auth/verify", Some(&bot.key), json!({})).await.problem("agent_blocked");
        world.get(&format!("/v1/agents/{}", bot.id)).await.problem("target_blocked");
        assert_eq!(world.get("/v1/agents").await.ok(200)["total"], 0);
        assert_eq!(world.get("/v1/search?q=echo").await.ok(200)["total"], 0);
        let unblock = format!("/v1/admin/agents/{}/unblock", bot.id);
        let state = world.send(Method::POST, &format!("/connect{unblock}"), Some(&admin), None).await.ok(200);
        assert_eq!((&state["blocked"], &state["reason"]), (&json!(false), &json!(null)));
        world.post("/v1/auth/verify", Some(&bot.key), json!({})).await.ok(200);
        world.post(&block, Some(&admin), json!({})).await.problem("invalid_query");
        let nobody = "/v1/admin/agents/0190a1f2-0000-7000-8000-000000000000/block";
        world.post(nobody, Some(&admin), json!({"reason": "x"})).await.problem("not_found");
    }

    async fn the_operators_routes_are_nobody_elses(world) {
        let bot = world.register("Echo").await;
        for path in ["agents/x/block", "agents/x/unblock", "agents/x/feature", "agents/x/unfeature", "agents/x/prove-origin", "agents/x/unprove-origin", "nodes/x/drain", "nodes/x/revoke"] {
            let path = format!("/v1/admin/{}", path.replace('x', &bot.id.to_string()));
            world.post(&path, None, json!({})).await.problem("token_missing");
            world.post(&path, Some(&bot.key), json!({})).await.problem("not_authorized");
        }
        for path in ["/v1/admin/sessions", "/v1/admin/nodes"] {
            world.get(path).await.problem("token_missing");
            world.send(Method::GET, &format!("/connect{path}"), Some(&bot.key), None).await.problem("not_authorized");
        }
    }

    async fn featured_agents_come_latest_first(world) {
        let admin = world.admin();
        let (one, two) = (world.register("one").await, world.register("two").await);
        for bot in [&one, &two] {
            world.clock.advance(1);
            world.post(&format!("/v1/admin/agents/{}/feature", bot.id), Some(&admin), json!({})).await.ok(200);
        }
        let list = world.get("/v1/agents/featured").await.ok(200);
        assert_eq!((list["total"].as_u64(), &list["items"][0]["name"]), (Some(2), &json!("two")));
        world.post(&format!("/v1/admin/agents/{}/unfeature", two.id), Some(&admin), json!({})).await.ok(200);
        assert_eq!(world.get("/v1/agents/featured").await.ok(200)["items"][0]["name"], "one");
    }

    async fn lines_and_switches_are_listed_and_a_switch_can_be_sent_home(world) {
        let bot = world.register("Echo").await;
        let mut switch = world.switch(1).await;
        world.report(&mut switch, vec![up(&bot, 1)]).await;
        let admin = world.admin();
        let get = async |path: &str| world.send(Method::GET, &format!("/connect/v1/admin/{path}"), Some(&admin), None).await.ok(200);
        let sessions = get("sessions").await;
        assert_eq!(sessions["total"], 1);
        assert_eq!((&sessions["items"][0]["agent_id"], &sessions["items"][0]["credential"]), (&json!(bot.id), &json!("api_key")));
        let nodes = get("nodes").await;
        assert_eq!((&nodes["items"][0]["node_id"], &nodes["items"][0]["lines"]), (&json!(switch.node), &json!(1)));

        let drain = format!("/v1/admin/nodes/{}/drain", switch.node);
        world.post(&drain, Some(&admin), json!({"deadline_ms": 5})).await.problem("conflict");
        let mut commands = world.exchange.feed_commands();
        world.post(&drain, Some(&admin), json!({"deadline_ms": 5})).await.ok(202);
        assert_eq!(commands.recv().await.unwrap(), FeedCommand::Drain { node: switch.node, deadline_ms: 5 });
        world.post(&drain, Some(&admin), json!({"deadline_ms": -1})).await.problem("invalid_query");

        let revoke = format!("/v1/admin/nodes/{}/revoke", switch.node);
        world.post(&revoke, Some(&admin), json!({})).await.ok(204);
        assert_eq!(commands.recv().await.unwrap(), FeedCommand::DropNode(switch.node));
        assert!(!world.attached(&bot).await);
        world.post(&revoke, Some(&admin), json!({})).await.problem("not_found");
        world.post(&drain, Some(&admin), json!({"deadline_ms": 5})).await.problem("not_found");
    }
}
