//! Connections that are talked on are read with a buffer in hand, which they give back when they fall silent: what comes
//! at that very moment is not lost.

use std::net::SocketAddr;
use std::time::Duration;

use landline_tests::api;
use landline_tests::frame;
use landline_tests::http::Conn;
use landline_tests::line::Line;
use landline_tests::server::{Data, Server};
use landline_tests::wait::{SOON, eventually};

/// Lines, each with a pause of its own around the second after which its buffer is taken back.
const LINES: u64 = 32;
/// Pings that make a line busy.
const QUICK: u64 = 5;

fn ping(line: &mut Line, number: u64) {
    line.send(&frame::ping(number));
    let pong = line.next(SOON).expect("a pong");
    assert_eq!((pong.kind(), pong.number("t")), ("pong", Some(number)));
}

/// Busy, silent for about a second, and again.
fn talk(addr: SocketAddr, key: &str, pause: Duration) {
    let mut line = Line::dial(addr, key).expect("a line");
    for round in 0..3 {
        for number in 0..QUICK {
            ping(&mut line, round * QUICK + number);
        }
        std::thread::sleep(pause);
    }
    ping(&mut line, 1_000);
    std::thread::sleep(Duration::from_secs(5));
    line.assert_alive();
}

fn all_is_heard(driver: &str, secure: bool) {
    let data = Data::new();
    let args = ["--driver", driver, "--cores", "2"];
    let server = if secure { Server::up_secure(&data, &args) } else { Server::up(&data, &args) };
    let busy = || server.metric("landline_busy_connections");
    let agents: Vec<_> = (0..LINES).map(|n| api::register(server.addr, &format!("talker {n}"))).collect();
    std::thread::scope(|scope| {
        let talks: Vec<_> = (0..LINES)
            .zip(&agents)
            .map(|(n, agent)| scope.spawn(move || talk(server.addr, &agent.key, Duration::from_millis(970 + 5 * n))))
            .collect();
        eventually(SOON, "lines with a buffer in hand", || (busy() > 0.0).then_some(()));
        talks.into_iter().for_each(|talk| talk.join().expect("everything was heard"));
    });
    let mut conn = Conn::open(server.addr).expect("listens");
    for pause_ms in [0, 0, 0, 0, 1_000, 0, 0, 0, 1_040, 0, 0, 0, 1_100] {
        let request = api::call_request(&agents[0].id, &agents[1].key, "{}");
        conn.start(&request).expect("sent");
        conn.answer(SOON).expect("an answer").expect_problem(404, "agent_not_connected");
        std::thread::sleep(Duration::from_millis(pause_ms));
    }
    eventually(SOON, "all buffers to be given back", || (busy() == 0.0).then_some(()));
    // Nothing came since: no request has begun, whose head would have to be complete within 10 s.
    assert!(!conn.closes(Duration::from_secs(13)), "it is kept for the next request");
    server.stop();
}

#[test]
fn with_io_uring() {
    all_is_heard("io_uring", false);
}

#[test]
fn with_epoll() {
    all_is_heard("epoll", false);
}

#[test]
fn over_tls() {
    all_is_heard("io_uring", true);
}
