//! An HTTP connection that carries no request is kept for 75 s, and no longer.

use std::time::{Duration, Instant};

use landline_tests::http::{Conn, Request};
use landline_tests::server::{Data, Server};
use landline_tests::wait::{SOON, eventually};
use landline_wire::bounds::Bound;

#[test]
fn an_http_connection_may_idle_for_75_seconds() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let mut used = Conn::open(server.addr).expect("listens");
    used.ask(&Request::get("/connect/v1/relay/stats")).expect("an answer").expect(200);
    let mut unused = Conn::open(server.addr).expect("listens");
    let started = Instant::now();
    assert!(!used.closes(Duration::from_secs(70)), "it is kept for the next request");
    for conn in [&mut used, &mut unused] {
        assert!(conn.closes(Duration::from_secs(20)), "not for ever");
    }
    let took = started.elapsed();
    assert!((Duration::from_secs(73)..Duration::from_secs(85)).contains(&took), "{took:?}");
    let metric = format!("landline_bound_reached_total{{bound=\"{}\"}}", Bound::HttpIdle.label());
    eventually(SOON, "both are counted", || (server.metric(&metric) == 2.0).then_some(()));
    server.assert_no_panic();
}
