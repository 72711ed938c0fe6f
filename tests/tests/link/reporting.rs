//! What the switches report.

use std::collections::BTreeSet;
use std::time::Duration;

use landline_controlplane::{presence, relay};
use landline_link::{CallRecord, Credential, Report, Route, SessionUp};
use landline_uplink::{Left, ToCore, ToExchange, UplinkSender};
use landline_wire::ids::{AgentId, SessionId};
use uuid::Uuid;

use crate::world::{World, eventually};

fn call(number: usize, to: AgentId) -> CallRecord {
    CallRecord {
        ts: 1_700_000_000_000 + number as i64,
        from_agent_id: None,
        to_agent_id: to,
        a2a_method: None,
        request_id: format!("call-{number}").into(),
        status_code: 200,
        latency_us: 1_000,
        route: Route::Relay,
    }
}

fn up(agent: AgentId, session: u128, key_gen: u64) -> Report {
    let (session, at) = (SessionId(Uuid::from_u128(session)), 1_700_000_000_000);
    Report::SessionUp(SessionUp { agent, session, at, credential: Credential::Key { key_gen }, shared: false })
}

fn down(agent: AgentId, session: u128) -> Report {
    Report::SessionDown { agent, session: SessionId(Uuid::from_u128(session)), at: 1_700_000_001_000 }
}

fn report(sender: &UplinkSender, report: Report) {
    sender.send(ToExchange::Report(report));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_is_recorded_once_however_often_the_link_breaks() {
    let mut world = World::new().await;
    let mut switch = world.switch().await;
    let (agent, _) = switch.register("Often Called").await;
    for round in 0..5 {
        for number in round * 30..round * 30 + 20 {
            switch.sender.record(&call(number, agent));
        }
        world.stop_feed().await;
        for number in round * 30 + 20..(round + 1) * 30 {
            switch.sender.record(&call(number, agent));
        }
        world.start_feed().await;
        if round % 2 == 0 {
            switch.synced(true).await;
        }
    }
    let (_, left) = switch.stop().await;
    assert_eq!(left, Left::default(), "stopping waits for the records");
    let recorded = relay::ops::recent(&world.exchange, 200).await.unwrap();
    let ids: BTreeSet<_> = recorded.iter().map(|event| event.request_id.clone()).collect();
    assert_eq!((recorded.len(), ids.len()), (150, 150));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_calls_is_gathered_into_few_batches() {
    let world = World::new().await;
    let mut switch = world.switch().await;
    let (agent, _) = switch.register("Busy").await;
    for number in 0..20_000 {
        switch.sender.record(&call(number, agent));
    }
    assert!(switch.uplink.has_room());
    let arrived = async || switch.uplink.figures().waiting == 0;
    eventually("all reports are acknowledged", arrived).await;
    let stats = relay::ops::stats(&world.exchange).await.unwrap();
    assert_eq!(stats.sample, 1_000);
    assert!(switch.uplink.figures().reports_acknowledged >= 20_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_survive_the_link_and_end_while_it_is_down() {
    let mut world = World::new().await;
    let mut switch = world.switch().await;
    let (staying, _) = switch.register("Staying").await;
    let (leaving, _) = switch.register("Leaving").await;
    report(&switch.sender, up(staying, 1, 1));
    report(&switch.sender, up(leaving, 2, 1));
    let exchange = world.exchange.clone();
    let attached = async |wanted| presence::ops::attached(&exchange).await.unwrap() == wanted;
    eventually("both are attached", async || attached(2).await).await;

    world.stop_feed().await;
    switch.synced(false).await;
    report(&switch.sender, down(leaving, 2));
    assert!(attached(2).await, "nobody could tell the exchange");
    world.start_feed().await;
    eventually("one is left", async || attached(1).await).await;
    switch.synced(true).await;
    report(&switch.sender, down(staying, 1));
    eventually("none is left", async || attached(0).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_must_not_be_is_ended_and_only_that_one() {
    let world = World::new().await;
    let mut switch = world.switch().await;
    let (agent, _) = switch.register("Genuine").await;
    let nobody = AgentId(Uuid::from_u128(99));
    report(&switch.sender, up(agent, 1, 1));
    report(&switch.sender, up(nobody, 2, 1));
    let kicked = |message| match message {
        ToCore::Kick { agent, session, code } => Some((agent, session, code)),
        _ => None,
    };
    // The kick goes to the core that holds the agent's lines, whichever it is.
    let found = tokio::time::timeout(Duration::from_secs(10), async {
        loop {
            let (core, message) = switch.inbox.recv().await.unwrap();
            if let Some(found) = kicked(message) {
                return (core, found);
            }
        }
    });
    let (core, found) = found.await.unwrap();
    assert_eq!(found, (nobody, SessionId(Uuid::from_u128(2)), 4003));
    assert_eq!(core, nobody.home_core(crate::world::CORES));
    assert_eq!(presence::ops::attached(&world.exchange).await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_of_two_switches_keeps_the_line() {
    let world = World::new().await;
    let (mut a, b) = (world.switch().await, world.switch().await);
    let (agent, _) = a.register("Moving").await;
    report(&a.sender, up(agent, 1, 1));
    eventually("it is attached", async || presence::ops::attached(&world.exchange).await.unwrap() == 1).await;
    report(&b.sender, up(agent, 2, 1));
    let mut kicked = None;
    eventually("the older line is ended", async || {
        while let Ok((_, message)) = a.inbox.try_recv() {
            if let ToCore::Kick { session, code, .. } = message {
                kicked = Some((session, code));
            }
        }
        kicked.is_some()
    })
    .await;
    assert_eq!(kicked, Some((SessionId(Uuid::from_u128(1)), 4000)));
    assert_eq!(presence::ops::lines(&world.exchange).await.unwrap(), 1);
}
