//! Storms of bad credentials: what they cost is bounded, and calls go on.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use landline_tests::api;
use landline_tests::jwt::{self, Key};
use landline_tests::line::{ENDPOINT, EchoAgent, Ended, Line};
use landline_tests::server::{Data, Server};
use landline_tests::steady::Steady;
use landline_tests::ws::Ws;
use landline_wire::bounds::Bound;
use landline_wire::limits::BAD_CREDENTIALS_PER_IP_PER_S;

use crate::{from, is_counted};

/// Addresses that the storm comes from.
const ADDRESSES: usize = 8;
/// Attaches from each.
const ATTACHES: usize = 150;

/// Dials again and again from every address with what `credential` gives; how often each close code came.
fn storm(addr: SocketAddr, credential: impl Fn(usize) -> String + Sync) -> BTreeMap<u16, usize> {
    let dial = |source: usize, number: usize| {
        let ws = Ws::upgrade(from([127, 0, 8, 1 + source as u8], addr), ENDPOINT, &[]);
        match Line::authenticate(ws.expect("no fault").expect("an upgrade"), &credential(source * ATTACHES + number)) {
            Err(Ended::Closed(code, _)) => code,
            other => panic!("a bad credential: {other:?}"),
        }
    };
    let mut codes = BTreeMap::new();
    std::thread::scope(|scope| {
        let sources: Vec<_> = (0..ADDRESSES)
            .map(|source| scope.spawn(move || (0..ATTACHES).map(|number| dial(source, number)).collect::<Vec<u16>>()))
            .collect();
        for code in sources.into_iter().flat_map(|source| source.join().expect("a storm")) {
            *codes.entry(code).or_insert(0) += 1;
        }
    });
    codes
}

/// The most that an address may have made the switch's two cores do in vain in this time.
fn most(took: Duration) -> f64 {
    f64::from(BAD_CREDENTIALS_PER_IP_PER_S) * 2.0 * ADDRESSES as f64 * (took.as_secs_f64() + 2.0)
}

#[test]
fn bad_credentials_cost_a_bounded_number_of_look_ups_and_verifications_and_calls_go_on() {
    let data = Data::new();
    let server = Server::up(&data, &["--cores", "2"]);
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
    assert_eq!(codes.values().sum::<usize>(), ADDRESSES * ATTACHES);
    assert!(codes.keys().all(|code| [1013, 4003].contains(code)), "{codes:?}");

    // Tokens that differ, all signed by somebody else under our key's name.
    let token = api::token(addr, &agent.key);
    let (head, claims) = jwt::read(&token);
    let stranger = Key::fresh();
    let forged: Vec<String> = (0..ADDRESSES * ATTACHES)
        .map(|n| {
            let mut claims = claims.clone();
            claims["jti"] = format!("01920000-0000-7000-8000-{n:012}").into();
            stranger.sign(&claims, &head["kid"])
        })
        .collect();
    let (before, began) = (server.metric("landline_tokens_verified_total"), Instant::now());
    let codes = storm(addr, |n| forged[n].clone());
    std::thread::sleep(Duration::from_millis(200));
    let (verified, took) = (server.metric("landline_tokens_verified_total") - before, began.elapsed());
    assert!(verified > 0.0 && verified <= most(took), "{verified} verified in {took:?}: {codes:?}");
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
