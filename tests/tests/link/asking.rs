//! Look-ups in a storm.

use std::collections::HashSet;

use landline_link::{Lookup, LookupAnswer, Secret};
use landline_uplink::{ToCore, ToExchange};
use landline_wire::ids::AgentId;
use landline_wire::limits::{MAX_LOOKUPS_IN_FLIGHT, MAX_PASSES};
use uuid::Uuid;

use crate::world::{Switch, World};

/// Gathers the answers to so many questions.
async fn answers(switch: &mut Switch, count: usize) -> Vec<LookupAnswer> {
    let (mut answers, mut told) = (Vec::new(), HashSet::new());
    for _ in 0..count {
        let answer = |message| match message {
            ToCore::Answer(ticket, answer) => Some((ticket, answer)),
            _ => None,
        };
        let (ticket, answer) = switch.next("answer", answer).await;
        assert!(told.insert(ticket), "told twice");
        answers.push(answer.expect("the exchange is there"));
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_question_is_asked_once_at_a_time() {
    let world = World::new().await;
    let mut switch = world.switch().await;
    let (agent, key) = switch.register("alice").await;
    let before = switch.uplink.figures();
    for _ in 0..5_000 {
        let ticket = switch.ticket();
        switch.sender.send(ToExchange::Lookup(ticket, Lookup::Key(Secret(key.clone()))));
    }
    let answers = answers(&mut switch, 5_000).await;
    assert!(answers.iter().all(|answer| matches!(answer, LookupAnswer::Key { agent: of, .. } if *of == agent)));
    let after = switch.uplink.figures();
    let (asked, joined) = (after.lookups - before.lookups, after.lookups_joined - before.lookups_joined);
    assert_eq!(asked + joined, 5_000);
    // Those that came while an answer was on its way had none of their own; a few rounds may have been needed.
    assert!(asked < 100, "{asked} of 5,000 were asked");
    switch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_questions_are_on_their_way_and_the_others_wait() {
    let world = World::new().await;
    let mut switch = world.switch().await;
    let count = 4 * MAX_LOOKUPS_IN_FLIGHT;
    for n in 0..count {
        let ticket = switch.ticket();
        let agent = AgentId(Uuid::from_u128(n as u128));
        switch.sender.send(ToExchange::Lookup(ticket, Lookup::Agent(agent)));
    }
    let answers = answers(&mut switch, count).await;
    assert!(answers.iter().all(|answer| *answer == LookupAnswer::AgentUnknown));
    assert!(switch.uplink.figures().lookups_queued > 0, "counted as Bound::LinkLookups");
    assert_eq!(switch.uplink.figures().lookups_failed, 0);
    switch.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_requests_are_passed_on_and_one_more_fails_at_once() {
    let world = World::new().await;
    let mut switch = world.switch().await;
    // Their bodies do not end, and so neither do they.
    for _ in 0..MAX_PASSES {
        switch.pass("POST", "/connect/v1/agents", &[("content-type", "application/json")]);
    }
    let last = switch.pass("POST", "/connect/v1/agents", &[]);
    let failed = |message| matches!(message, ToCore::PassFailed(of) if of == last).then_some(());
    switch.next("a request that fails", failed).await;
    let figures = switch.uplink.figures();
    assert_eq!(figures.passes_refused, 1, "counted as Bound::Passes");
    // Look-ups find a stream in any case.
    let agent = AgentId(Uuid::from_u128(1));
    assert_eq!(switch.ask(Lookup::Agent(agent)).await, Some(LookupAnswer::AgentUnknown));
    switch.stop().await;
}
