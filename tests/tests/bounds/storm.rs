//! Storms of bad credentials: what they cost is bounded, and calls go on.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use landline_tests::api;
use landline_tests::jwt::{self, Key};
use landline_tests::line::{ENDPOINT, EchoAgent, Ended, Line};
use landline_tests::server::{Data, Planes, Server};
use landline_tests::steady::Steady;
use landline_tests::ws::Ws;
use landline_wire::bounds::Bound;
use landline_wire::close;
use landline_wire::limits::BAD_CREDENTIALS_PER_IP_PER_S;

use crate::{from, is_counted};

/// Addresses that the storm comes from.
const ADDRESSES: usize = 2;
/// Clients at each.
const CLIENTS: usize = 4;
/// Attaches of each client.
const ATTACHES: usize = 60;
/// All of them.
const ALL: usize = ADDRESSES * CLIENTS * ATTACHES;

/// Dials again and again from every address with what `credential` gives; how often each close code came.
fn storm(addr: SocketAddr, credential: impl Fn(usize) -> String + Sync) -> BTreeMap<u16, usize> {
    let dial = |client: usize, number: usize| {
        let source = [127, 0, 8, 1 + (client % ADDRESSES) as u8];
        let ws = Ws::upgrade(from(source, addr), ENDPOINT, &[]).expect("no fault").expect("an upgrade");
        match Line::authenticate(ws, &credential(client * ATTACHES + number)) {
            Err(Ended::Closed(code, _)) => code,
            other => panic!("a bad credential: {other:?}"),
        }
    };
    let mut codes = BTreeMap::new();
    std::thread::scope(|scope| {
        let dial = &dial;
        let clients: Vec<_> = (0..ADDRESSES * CLIENTS)
            .map(|client| scope.spawn(move || (0..ATTACHES).map(|number| dial(client, number)).collect::<Vec<u16>>()))
            .collect();
        for code in clients.into_iter().flat_map(|client| client.join().expect("a storm")) {
            *codes.entry(code).or_insert(0) += 1;
        }
    });
    codes
}

/// The most that these addresses may have made the switch's core do in vain in this time.
fn most(took: Duration) -> f64 {
    f64::from(BAD_CREDENTIALS_PER_IP_PER_S) * ADDRESSES as f64 * (took.as_secs_f64() + 2.0)
}

#[test]
fn bad_credentials_cost_a_bounded_number_of_look_ups_and_verifications_and_calls_go_on() {
    let data = Data::new();
    let server = Server::up(&data, &["--cores", "1"]);
    let addr = server.addr;
    let (agent, caller) = (api::register(addr, "agent"), api::register(addr, "caller"));
    let echo = EchoAgent::start(addr, &agent.key);
    let steady = Steady::start(addr, &agent.id, &[&caller.key, &agent.key], Duration::from_millis(5));
    while steady.good() < 50 {
        std::thread::sleep(Duration::from_millis(10));
    }

    // Keys that differ, all unknown.
    let (before, began) = (server.metric("landline_lookups_total"), Instant::now());
    let codes = storm(addr, |n| format!("ll_{n:043}"));
    let (asked, took) = (server.metric("landline_lookups_total") - before, began.elapsed());
    assert!(asked > 0.0 && asked <= most(took), "{asked} look-ups in {took:?}: {codes:?}");
    assert_eq!(codes.values().sum::<usize>(), ALL);
    assert!(codes.keys().all(|code| [1013, 4003].contains(code)), "{codes:?}");

    // Tokens that differ, all signed by somebody else under our key's name.
    let token = api::token(addr, &agent.key);
    let (head, claims) = jwt::read(&token);
    let stranger = Key::fresh();
    let forged: Vec<String> = (0..ALL)
        .map(|n| {
            let mut claims = claims.clone();
            claims["jti"] = format!("01920000-0000-7000-8000-{n:012}").into();
            stranger.sign(&claims, &head["kid"])
        })
        .collect();
    // Keys and tokens share what an address may try in a second: this storm has one of its own.
    std::thread::sleep(Duration::from_millis(1_100));
    let (before, began) = (server.metric("landline_tokens_verified_total"), Instant::now());
    let codes = storm(addr, |n| forged[n].clone());
    std::thread::sleep(Duration::from_millis(200));
    let (verified, took) = (server.metric("landline_tokens_verified_total") - before, began.elapsed());
    assert!(verified > 0.0 && verified <= most(took), "{verified} verified in {took:?}: {codes:?}");
    // However slow the storm was here, one more connection that asks and asks reaches the bound.
    let mut conn = from([127, 0, 8, 1], addr);
    let refused = (0..ALL).find(|n| {
        let answer = conn.ask(&api::call_request(&agent.id, &forged[*n], "{}")).expect("an answer");
        answer.status == 429
    });
    assert!(refused.is_some());
    is_counted(&server, Bound::BadCredentials, 1);

    // One key, everywhere: known as unknown after the first answer.
    let before = server.metric("landline_lookups_total");
    let codes = storm(addr, |_| "ll_the-same-rotated-key".to_owned());
    let asked = server.metric("landline_lookups_total") - before;
    assert!(asked <= 32.0, "{asked} look-ups for one key: {codes:?}");

    let seen = steady.stop();
    assert!(seen.bad.is_empty(), "{:?}", &seen.bad[..seen.bad.len().min(5)]);
    Line::dial(addr, &api::register(addr, "good").key).expect("a good one from elsewhere").assert_alive();
    server.assert_no_panic();
    echo.stop();
}

#[test]
fn whoever_is_refused_for_now_is_told_a_time_of_its_own() {
    let mut planes = Planes::start();
    planes.exchange.take().expect("it runs").kill();
    let switch = planes.switch.as_ref().expect("it runs");
    // Keys that nobody knows here, and that nobody can be asked about.
    let times: BTreeSet<u64> = (0..12)
        .map(|n| match Line::dial(switch.addr, &format!("ll_{n:043}")) {
            Err(Ended::Closed(1013, reason)) => close::redial_after_ms(&reason).expect("a time"),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(times.len() > 6 && times.iter().all(|time| *time < 500), "{times:?}");
    switch.assert_no_panic();
}
