//! A thousand listeners of the event stream, and no more: one more is refused, all of them hear what happens, and
//! places that are given up are free again.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use landline_tests::api;
use landline_tests::http::{Conn, Request};
use landline_tests::server::{Data, Server};
use landline_tests::wait::{SOON, eventually};

/// `docs/EVENT_STREAM.md` names both bounds.
const IN_ALL: usize = 1_000;
const PER_ADDRESS: usize = 16;
/// How long one event may take to all of them on a busy machine.
const HEARD: Duration = Duration::from_secs(60);

fn address(number: usize) -> IpAddr {
    IpAddr::from([127, 0, 1, 1 + number as u8])
}

/// Asks for the stream.
fn ask(addr: SocketAddr, from: IpAddr) -> Conn {
    let mut conn = Conn::open_from(from, addr).expect("all of 127.0.0.0/8 is ours");
    conn.start(&Request::get("/connect/v1/events?topic=agents")).expect("sent");
    conn
}

/// The listener at this place, if there is room for it.
fn listen(addr: SocketAddr, number: usize) -> Option<Conn> {
    let mut conn = ask(addr, address(number / PER_ADDRESS));
    let (status, headers) = conn.head(SOON).expect("a head");
    let kind = headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_str());
    let is_stream = kind.is_some_and(|kind| kind.starts_with("text/event-stream"));
    assert!((status == 200 && is_stream) || matches!(status, 429 | 503), "listener {number}: {status} {headers:?}");
    (status == 200).then_some(conn)
}

/// Reads one listener's stream up to the registration of this agent.
fn hears(conn: &mut Conn, id: &str) {
    let (mut text, deadline) = (String::new(), Instant::now() + HEARD);
    loop {
        let begun = text.find("event: agent.registered\n").map(|at| &text[at..]);
        if begun.is_some_and(|event| event.find("\n\n").is_some_and(|end| event[..end].contains(id))) {
            return;
        }
        let piece = conn.chunk(deadline).expect("the event comes in time").expect("the stream goes on");
        text.push_str(&String::from_utf8_lossy(&piece));
    }
}

#[test]
fn one_more_is_refused_and_the_others_hear_what_happens() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let addr = server.addr;
    let mut listeners: Vec<Conn> =
        (0..IN_ALL).map(|number| listen(addr, number).unwrap_or_else(|| panic!("no room for {number}"))).collect();

    // From an address that has none yet, so that only the bound of all of them is met.
    let unused = address(IN_ALL / PER_ADDRESS + 1);
    let refused = ask(addr, unused).answer(SOON).expect("an answer").expect_problem(503, "overloaded");
    let seconds = refused.json()["retry_after_seconds"].as_u64().expect("when to come back");
    assert_eq!(refused.header("retry-after"), Some(seconds.to_string().as_str()));
    let mut other = Conn::open_from(unused, addr).expect("listens");
    other.ask(&Request::get("/connect/v1/agents?limit=1")).expect("an answer").expect(200);

    let first = api::register(addr, "first");
    listeners.iter_mut().for_each(|conn| hears(conn, &first.id));

    // Each place that is given up is free again, and no more than those.
    const LEAVE: usize = 100;
    listeners.truncate(IN_ALL - LEAVE);
    for number in IN_ALL - LEAVE..IN_ALL {
        listeners.push(eventually(SOON, "a place", || listen(addr, number)));
    }
    ask(addr, unused).answer(SOON).expect("an answer").expect_problem(503, "overloaded");
    let second = api::register(addr, "second");
    listeners.iter_mut().for_each(|conn| hears(conn, &second.id));
    drop(listeners);
    let again: Vec<Conn> = (0..IN_ALL).map(|number| eventually(SOON, "a place", || listen(addr, number))).collect();
    drop(again);
    server.assert_no_panic();
}
