//! Lines, as the switches report them.

use landline_controlplane::agents::ops::{lookup_agent, lookup_agent_for};
use landline_link::{Credential, LookupAnswer, Report};
use serde_json::json;
use uuid::Uuid;

use crate::world::{START_MS, World, down, on_both, session, up, up_with};

async fn elsewhere(answer: LookupAnswer) -> Option<String> {
    match answer {
        LookupAnswer::Agent { elsewhere, .. } => elsewhere,
        other => panic!("{other:?}"),
    }
}

async fn block(world: &World, path: &str) {
    world.post(&format!("/v1/admin/agents/{path}"), Some(&world.admin()), json!({"reason": "spam"})).await.ok(200);
}

on_both! {
    async fn an_agent_is_attached_while_one_of_its_lines_is_up(world) {
        let bot = world.register("Echo").await;
        let mut switch = world.switch(1).await;
        world.report(&mut switch, vec![up(&bot, 1)]).await;
        assert!(world.attached(&bot).await);
        // A replacement on the same switch: the new line comes before the old one's end.
        world.report(&mut switch, vec![up(&bot, 2), down(&bot, 1, START_MS)]).await;
        assert!(world.attached(&bot).await);
        world.report(&mut switch, vec![down(&bot, 2, START_MS)]).await;
        assert!(!world.attached(&bot).await);
    }

    async fn nobody_ends_anothers_line(world) {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let mut switch = world.switch(1).await;
        world.report(&mut switch, vec![up(&alice, 1)]).await;
        world.report(&mut switch, vec![down(&bob, 1, START_MS)]).await;
        assert!(world.attached(&alice).await);
    }

    async fn a_switch_may_speak_only_of_its_own_lines(world) {
        let alice = world.register("alice").await;
        let (mut one, mut two) = (world.switch(1).await, world.switch(2).await);
        world.report(&mut one, vec![up(&alice, 1)]).await;
        // Neither can it end another's line, nor take it over and end it with its own next listing.
        world.report(&mut two, vec![down(&alice, 1, START_MS)]).await;
        world.report(&mut two, vec![up(&alice, 1)]).await;
        world.report(&mut two, vec![Report::SessionsBegin, Report::SessionsEnd]).await;
        assert!(world.attached(&alice).await);
        world.report(&mut one, vec![down(&alice, 1, START_MS)]).await;
        assert!(!world.attached(&alice).await);
    }

    async fn a_listing_ends_what_it_does_not_name_even_over_several_batches(world) {
        let bots = [world.register("one").await, world.register("two").await, world.register("three").await];
        let mut switch = world.switch(1).await;
        world.report(&mut switch, vec![up(&bots[0], 1), up(&bots[1], 2)]).await;
        world.report(&mut switch, vec![Report::SessionsBegin, up(&bots[2], 3)]).await;
        assert!(world.attached(&bots[0]).await, "the listing is not complete");
        world.report(&mut switch, vec![up(&bots[1], 2), Report::SessionsEnd]).await;
        let mut attached = Vec::new();
        for bot in &bots {
            attached.push(world.attached(bot).await);
        }
        assert_eq!(attached, [false, true, true]);
        // In one batch, a line that was reported before the listing began is not in it.
        world.report(&mut switch, vec![up(&bots[0], 4), Report::SessionsBegin, up(&bots[2], 3), Report::SessionsEnd]).await;
        assert!(!world.attached(&bots[0]).await && world.attached(&bots[2]).await);
    }

    async fn a_new_boot_ends_the_lines_of_the_old_one(world) {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let (mut one, mut two) = (world.switch(1).await, world.switch(2).await);
        world.report(&mut one, vec![up(&alice, 1)]).await;
        world.report(&mut two, vec![up(&bob, 2)]).await;
        let mut again = one.restarted();
        world.report(&mut again, vec![Report::SessionsBegin, Report::SessionsEnd]).await;
        assert!(!world.attached(&alice).await && world.attached(&bob).await);
        // What the old boot still says of lines counts no more.
        world.report(&mut one, vec![up(&alice, 3)]).await;
        assert!(!world.attached(&alice).await);
    }

    async fn the_newest_line_wins_over_one_on_another_switch(world) {
        let bot = world.register("Echo").await;
        let (mut one, mut two) = (world.switch(1).await, world.switch(2).await);
        assert_eq!(world.report(&mut one, vec![up(&bot, 1)]).await, []);
        assert_eq!(world.report(&mut two, vec![up(&bot, 2)]).await, [(one.node, session(1), 4000)]);
        assert!(world.attached(&bot).await);
        // The loser lists its line again before it heard of the kick: it is told again.
        let relisted = vec![Report::SessionsBegin, up(&bot, 1), Report::SessionsEnd];
        assert_eq!(world.report(&mut one, relisted).await, [(one.node, session(1), 4000)]);
        assert_eq!(world.report(&mut one, vec![down(&bot, 1, START_MS)]).await, []);
        assert!(world.attached(&bot).await);
    }

    async fn a_line_whose_credential_died_is_to_end(world) {
        let bot = world.register("Echo").await;
        let mut switch = world.switch(1).await;
        let token = |jti, token_gen| Credential::Token { jti, token_gen };
        let jti = Uuid::new_v4();
        assert_eq!(world.report(&mut switch, vec![up(&bot, 1), up_with(&bot, 2, token(jti, 1))]).await, []);
        world.post(&format!("/v1/agents/{}/rotate-key", bot.id), Some(&bot.key), json!({})).await.ok(200);
        let again = vec![up(&bot, 1), up_with(&bot, 2, token(jti, 1)), up_with(&bot, 3, Credential::Key { key_gen: 2 })];
        let kicks = world.report(&mut switch, again).await;
        assert_eq!(kicks, [(switch.node, session(1), 4003), (switch.node, session(2), 4003)]);
        assert!(world.attached(&bot).await, "the third line stands");
    }

    async fn a_blocked_agents_line_and_a_deleted_ones_are_to_end(world) {
        let (alice, bob) = (world.register("alice").await, world.register("bob").await);
        let mut switch = world.switch(1).await;
        block(&world, &format!("{}/block", alice.id)).await;
        world.send(http::Method::DELETE, &format!("/connect/v1/agents/{}", bob.id), Some(&bob.key), None).await.ok(204);
        let kicks = world.report(&mut switch, vec![up(&alice, 1), up(&bob, 2)]).await;
        assert_eq!(kicks, [(switch.node, session(1), 4010), (switch.node, session(2), 4003)]);
        block(&world, &format!("{}/unblock", alice.id)).await;
        assert!(!world.attached(&alice).await);
        assert_eq!(world.report(&mut switch, vec![up(&alice, 3)]).await, []);
    }

    async fn a_look_up_says_who_may_call_and_where_the_line_is(world) {
        let bot = world.register_with(json!({"card": {"name": "Echo", "description": "An agent of a test."}, "access": "public"})).await;
        let (mut one, two) = (world.switch(1).await, world.switch(2).await);
        match lookup_agent(&world.exchange, bot.id).await.unwrap() {
            LookupAnswer::Agent { blocked: false, policy, token_gen: 1, elsewhere: None, direct: false } => {
                assert_eq!(policy.access, landline_link::Access::Public);
            }
            other => panic!("{other:?}"),
        }
        world.report(&mut one, vec![up(&bot, 1)]).await;
        let here = lookup_agent_for(&world.exchange, bot.id, one.node).await.unwrap();
        let there = lookup_agent_for(&world.exchange, bot.id, two.node).await.unwrap();
        assert_eq!(elsewhere(here).await, None);
        assert_eq!(elsewhere(there).await.as_deref(), Some("http://switch-1.example"));
        world.send(http::Method::DELETE, &format!("/connect/v1/agents/{}", bot.id), Some(&bot.key), None).await.ok(204);
        assert_eq!(lookup_agent(&world.exchange, bot.id).await.unwrap(), LookupAnswer::AgentGone);
        let unknown = landline_wire::ids::AgentId(Uuid::now_v7());
        assert_eq!(lookup_agent(&world.exchange, unknown).await.unwrap(), LookupAnswer::AgentUnknown);
    }
}
