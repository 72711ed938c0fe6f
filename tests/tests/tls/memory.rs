//! What an idle line over TLS costs.

use std::time::Duration;

use landline_tests::api::{self, Agent};
use landline_tests::line::Line;
use landline_tests::server::{Data, Server};
use landline_tests::wait::eventually;

/// Enough that the process's own growth is small beside theirs.
const LINES: usize = 400;
/// More than an idle line is allowed to cost by far, buffers or not: the figure itself is printed.
const MOST_BYTES: usize = 40 << 10;

/// Private memory of a process, in bytes.
fn memory(server: &Server) -> usize {
    let text = std::fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("our own child");
    let kib = text.lines().find_map(|line| line.strip_prefix("RssAnon:")?.split_whitespace().next()?.parse().ok());
    kib.unwrap_or(0) * 1024
}

/// Waits until what the process does beside, above all bringing agents into its search index, has come to rest.
fn at_rest(server: &Server) -> usize {
    let mut last = memory(server);
    eventually(Duration::from_secs(60), "memory that stays as it is", || {
        std::thread::sleep(Duration::from_secs(2));
        let now = memory(server);
        let is_still = now.abs_diff(std::mem::replace(&mut last, now)) < 256 << 10;
        is_still.then_some(now)
    })
}

fn cost(server: &Server) -> usize {
    let agents: Vec<_> = (0..50 + LINES).map(|n| api::register(server.addr, &format!("agent-{n}"))).collect();
    let dial = |agent: &Agent| Line::dial(server.addr, &agent.key).expect("a line");
    // The first lines grow what all share.
    let _first: Vec<Line> = agents[..50].iter().map(dial).collect();
    let before = at_rest(server);
    let _lines: Vec<Line> = agents[50..].iter().map(dial).collect();
    at_rest(server).saturating_sub(before) / LINES
}

#[test]
fn an_idle_line_over_tls_holds_no_buffers() {
    let (plain_data, secure_data) = (Data::new(), Data::new());
    let args = ["--max-pending-per-ip", "1000"];
    let plain = Server::start(&plain_data, &["up", "--listen", "127.0.0.1:0", "--rate-limits", "off"]);
    let plain = cost(&plain);
    let secure = cost(&Server::up_secure(&secure_data, &args));
    eprintln!("an idle line: {plain} bytes plain, {secure} bytes over TLS");
    assert!(secure < MOST_BYTES, "{secure} bytes a line, {plain} plain");
}
