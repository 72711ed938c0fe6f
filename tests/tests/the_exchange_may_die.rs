//! `kill -9` of the exchange under steady calls: no call fails, and afterwards every call has exactly one audit record.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use landline_tests::api;
use landline_tests::http::{Request, once};
use landline_tests::line::{EchoAgent, Line};
use landline_tests::server::Planes;
use landline_tests::steady::Steady;
use landline_tests::wait::{SOON, eventually};

/// How long the exchange stays away at least, and how many calls are made meanwhile at least.
const AWAY: Duration = Duration::from_secs(10);
const CALLS_WHILE_AWAY: u64 = 2_000;

#[test]
fn calls_go_on_without_the_exchange_and_none_is_lost_from_the_audit() {
    let mut planes = Planes::start();
    let addr = planes.addr();
    let (callee, caller) = (api::register(addr, "callee"), api::register(addr, "caller"));
    let token = api::token(addr, &caller.key);
    let agent = EchoAgent::start(addr, &callee.key);
    let card = Request::get(format!("/connect/v1/agents/{}/card", callee.id));
    let before = once(addr, &card).expect(200);

    // Both kinds of credential, each on two connections.
    let steady = Steady::start(
        addr,
        &callee.id,
        &[caller.key.as_str(), token.as_str(), caller.key.as_str(), token.as_str()],
        Duration::from_millis(4),
    );
    eventually(SOON, "the first calls", || (steady.good() >= 200).then_some(()));
    assert_eq!(steady.bad(), 0, "calls failed before anything happened");

    planes.exchange.take().expect("it runs").kill();
    let (killed, count) = (Instant::now(), steady.good());
    eventually(Duration::from_secs(90), "2,000 calls without the exchange", || {
        (killed.elapsed() >= AWAY && steady.good() - count >= CALLS_WHILE_AWAY).then_some(())
    });

    let away = once(addr, &card).expect(200);
    assert_eq!(away.json(), before.json(), "the switch's last copy of the card");
    assert!(away.header("age").is_some(), "a copy says its age: {:?}", away.headers);
    once(addr, &Request::get("/connect/v1/agents")).expect_problem(503, "exchange_unavailable");
    let original = Request::get(format!("/connect/v1/agents/{}/card?original=1", callee.id));
    once(addr, &original).expect_problem(503, "exchange_unavailable");
    let unknown = format!("ll_{}", "A".repeat(43));
    api::call(addr, &callee.id, &unknown, "{}").expect_problem(503, "exchange_unavailable");

    planes.start_exchange();
    let back = steady.good();
    eventually(Duration::from_secs(30), "the exchange to be in reach again", || {
        (once(addr, &Request::get("/connect/v1/agents")).status == 200).then_some(())
    });
    eventually(SOON, "calls after the return", || (steady.good() >= back + 100).then_some(()));
    let seen = steady.stop();
    assert!(
        seen.bad.is_empty(),
        "{} of {} calls failed: {:?}",
        seen.bad.len(),
        seen.good.len(),
        &seen.bad[..seen.bad.len().min(5)]
    );

    let mut records = HashMap::new();
    eventually(Duration::from_secs(60), "an audit record of every call", || {
        records.clear();
        for row in api::relay_log(addr, &caller) {
            *records.entry(row["request_id"].as_str().expect("request_id").to_owned()).or_insert(0) += 1;
        }
        std::thread::sleep(Duration::from_millis(200));
        (records.len() >= seen.good.len()).then_some(())
    });
    let wrong: Vec<_> = seen.good.iter().filter(|id| records.get(*id) != Some(&1)).take(5).collect();
    assert!(wrong.is_empty(), "not exactly one record: {wrong:?}");
    assert_eq!(records.len(), seen.good.len(), "records of calls that nobody made");
    assert_eq!(agent.lines.load(std::sync::atomic::Ordering::Relaxed), 1, "the line stayed up all the time");
    agent.stop();

    // What the exchange knew is as it was: the key still attaches.
    Line::dial(addr, &callee.key).expect("a line as before");
    planes.switch.as_ref().expect("it runs").assert_no_panic();
    planes.exchange.as_ref().expect("it runs").assert_no_panic();
}
