//! The heartbeat: a line that sends nothing is pinged; one that does not answer is ended, and its calls with it.

use std::time::{Duration, Instant};

use landline_tests::api;
use landline_tests::frame;
use landline_tests::http::Conn;
use landline_tests::line::Line;
use landline_tests::server::{Data, Server};
use landline_tests::wait::{SOON, eventually};
use landline_tests::ws::Event;

#[test]
fn a_line_that_answers_pings_stays_and_one_that_does_not_is_ended() {
    let data = Data::new();
    let server = Server::up(&data, &["--heartbeat", "2s"]);
    let addr = server.addr;
    let (alive, dead, caller) =
        (api::register(addr, "alive"), api::register(addr, "dead"), api::register(addr, "caller"));
    let mut answering = Line::dial(addr, &alive.key).expect("a line");
    assert_eq!(answering.ready.number("heartbeat_s"), Some(2));
    let started = Instant::now();
    let pings =
        std::iter::from_fn(|| matches!(answering.ws.next(Duration::from_secs(5)), Event::Ping(_)).then_some(()));
    assert_eq!(pings.take(3).count(), 3, "pings come as long as they are answered");
    let took = started.elapsed();
    assert!((Duration::from_secs(4)..Duration::from_secs(12)).contains(&took), "three pings in {took:?}");

    let mut silent = Line::dial(addr, &dead.key).expect("a line");
    silent.ws.answers_pings = false;
    let started = Instant::now();
    let mut waiting = Conn::open(addr).expect("listens");
    waiting.start(&api::call_request(&dead.id, &caller.key, "{}")).expect("sent");
    silent.expect("request");
    let mut pings = 0;
    while let Event::Ping(_) = silent.ws.next(Duration::from_secs(5)) {
        pings += 1;
        assert!(pings < 5, "it is pinged for ever");
    }
    assert_eq!(pings, 2, "two missed answers end the session");
    assert!((Duration::from_secs(4)..Duration::from_secs(12)).contains(&started.elapsed()), "{:?}", started.elapsed());
    waiting.answer(SOON).expect("an answer").expect_problem(502, "gateway_unavailable");
    eventually(SOON, "the dead line to be gone", || (!api::connected(addr, &caller.key, &dead.id)).then_some(()));

    // A line that speaks is not asked whether it is there.
    let mut busy = Line::dial(addr, &dead.key).expect("a line");
    for number in 0..20 {
        busy.send(&frame::ping(number));
        assert!(matches!(busy.ws.next(SOON), Event::Message(_)), "only pongs come");
        std::thread::sleep(Duration::from_millis(300));
    }
}
