//! What the exchange tells the switches.

use std::time::{Duration, Instant};

use landline_controlplane::Exchange;
use landline_controlplane::db::outbox;
use landline_controlplane::state::FeedCommand;
use landline_link::{Lookup, LookupAnswer, Op, Secret};
use landline_uplink::ToCore;
use landline_wire::ids::AgentId;
use uuid::Uuid;

use crate::world::{CORES, PATIENCE, Switch, World};

fn block(n: u128) -> Op {
    Op::Block { agent: AgentId(Uuid::from_u128(n)), blocked: true }
}

/// Writes ops as the slices do: in a transaction, the bell after it.
async fn publish(exchange: &Exchange, ops: impl IntoIterator<Item = Op>) {
    let mut tx = exchange.db.begin().await.unwrap();
    for op in ops {
        outbox::append(&mut tx, &op, exchange.clock.now_ms()).await.unwrap();
    }
    tx.commit().await.unwrap();
    exchange.ring();
}

/// Gathers what is applied until an op arrives.
async fn applied_until(switch: &mut Switch, last: &Op) -> Vec<Op> {
    let mut applied = Vec::new();
    let gather = |message| {
        if let ToCore::Apply(ops) = message {
            applied.extend(ops.iter().cloned());
        }
        applied.contains(last).then(|| applied.clone())
    };
    switch.next("op", gather).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_switch_gets_the_state_and_then_every_change_in_order() {
    let world = World::new().await;
    let token = world.token().await;
    let mut switch = Switch::start(&world.address.to_string(), tempfile::tempdir().unwrap(), Some(&token));
    let mut seen = Vec::new();
    let kinds = |message| {
        match message {
            ToCore::Welcome(welcome) => {
                assert_eq!(
                    (welcome.prefix.as_str(), welcome.issuer.as_str()),
                    ("/connect", "http://127.0.0.1:7300/connect")
                );
                seen.push("welcome");
            }
            ToCore::Reset => seen.push("reset"),
            ToCore::Apply(ops) if matches!(ops.first(), Some(Op::Keys { .. })) => seen.push("keys"),
            ToCore::Synced(true) => seen.push("synced"),
            other => panic!("unexpected: {other:?}"),
        }
        (seen.len() == 4).then(|| seen.clone())
    };
    assert_eq!(switch.next("snapshot", kinds).await, ["welcome", "reset", "keys", "synced"]);

    let ops: Vec<Op> = (1..=2_500).map(block).collect();
    publish(&world.exchange, ops.clone()).await;
    assert_eq!(applied_until(&mut switch, &block(2_500)).await, ops);
    assert_eq!(switch.uplink.figures().revision, 2_500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_reaches_every_core_of_every_switch_within_milliseconds() {
    let world = World::new().await;
    let (mut a, mut b) = (world.switch().await, world.switch().await);
    let mut slowest = Duration::ZERO;
    for n in 1..=50 {
        let began = Instant::now();
        publish(&world.exchange, [block(n)]).await;
        for switch in [&mut a, &mut b] {
            let mut cores = 0;
            while cores < CORES {
                let (_, message) = tokio::time::timeout(PATIENCE, switch.inbox.recv()).await.unwrap().unwrap();
                cores += usize::from(matches!(message, ToCore::Apply(ops) if ops.contains(&block(n))));
            }
        }
        slowest = slowest.max(began.elapsed());
    }
    // The bell, not the poll of 200 ms, brings them. Generous, for a busy machine.
    assert!(slowest < Duration::from_millis(150), "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_was_away_gets_what_it_missed_and_no_more() {
    let mut world = World::new().await;
    let mut switch = world.switch().await;
    publish(&world.exchange, [block(1)]).await;
    applied_until(&mut switch, &block(1)).await;
    world.stop_feed().await;
    switch.synced(false).await;
    publish(&world.exchange, [block(2), block(3)]).await;
    world.start_feed().await;
    let mut missed = Vec::new();
    let gather = |message| match message {
        ToCore::Apply(ops) => {
            missed.extend(ops.iter().cloned());
            None
        }
        ToCore::Reset => panic!("a snapshot was not needed"),
        ToCore::Synced(true) => Some(missed.clone()),
        _ => None,
    };
    assert_eq!(switch.next("what was missed", gather).await, [block(2), block(3)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_database_is_sent_anew() {
    let mut world = World::new().await;
    let mut switch = world.switch().await;
    publish(&world.exchange, [block(1)]).await;
    applied_until(&mut switch, &block(1)).await;
    world.stop_feed().await;
    switch.synced(false).await;
    landline_controlplane::db::new_epoch(&world.exchange).await.unwrap();
    world.start_feed().await;
    switch.next("reset", |message| matches!(message, ToCore::Reset).then_some(())).await;
    switch.synced(true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_and_without_an_exchange_at_once() {
    let mut world = World::new().await;
    let mut switch = world.switch().await;
    let (agent, key) = switch.register("Asked About").await;
    let answer = switch.ask(Lookup::Key(Secret(key.clone()))).await;
    assert!(matches!(answer, Some(LookupAnswer::Key { agent: of, blocked: false, .. }) if of == agent), "{answer:?}");
    assert_eq!(switch.ask(Lookup::Key(Secret(format!("ll_{}", "A".repeat(43))))).await, Some(LookupAnswer::KeyUnknown));
    assert!(matches!(switch.ask(Lookup::Agent(agent)).await, Some(LookupAnswer::Agent { .. })));
    assert_eq!(switch.ask(Lookup::Agent(AgentId(Uuid::nil()))).await, Some(LookupAnswer::AgentUnknown));

    world.stop_feed().await;
    switch.synced(false).await;
    let began = Instant::now();
    assert_eq!(switch.ask(Lookup::Key(Secret(key))).await, None);
    assert!(began.elapsed() < Duration::from_millis(500));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_to_leave_reaches_its_switch_only() {
    let world = World::new().await;
    let (mut a, mut b) = (world.switch().await, world.switch().await);
    let node = a.uplink.wait_ready(PATIENCE).unwrap().node;
    assert!(world.exchange.command_feed(FeedCommand::Drain { node, deadline_ms: 1_234 }));
    let drained = |message| match message {
        ToCore::Drain { deadline_ms } => Some(deadline_ms),
        _ => None,
    };
    assert_eq!(a.next("drain", drained).await, 1_234);
    b.ask(Lookup::Key(Secret(String::new()))).await;
    assert!(std::iter::from_fn(|| b.inbox.try_recv().ok()).all(|(_, message)| drained(message).is_none()));
}
