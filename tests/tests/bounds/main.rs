//! Bounds of a real switch: each has its counter among the metrics, and what needs sockets to be reached is reached.

mod attaching;
mod storm;

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use landline_tests::http::{Conn, Request, once};
use landline_tests::line::{ENDPOINT, EchoAgent, Ended, Line};
use landline_tests::server::{Data, Server};
use landline_tests::wait::{SOON, eventually};
use landline_tests::ws::Ws;
use landline_tests::{api, frame};
use landline_wire::bounds::Bound;

/// How often a bound was reached, as the switch's metrics say.
pub(crate) fn reached(server: &Server, bound: Bound) -> u64 {
    server.metric(&format!("landline_bound_reached_total{{bound=\"{}\"}}", bound.label())) as u64
}

/// The switch tells its numbers a few times a second.
#[track_caller]
pub(crate) fn is_counted(server: &Server, bound: Bound, least: u64) {
    eventually(SOON, bound.label(), || (reached(server, bound) >= least).then_some(()));
}

pub(crate) fn from(source: [u8; 4], addr: SocketAddr) -> Conn {
    Conn::open_from(IpAddr::from(source), addr).expect("it listens")
}

#[test]
fn every_bound_has_its_counter_in_the_metrics_of_a_switch() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let page = once(server.address("admin"), &Request::get("/metrics")).expect(200).text();
    let family = "landline_bound_reached_total{bound=\"";
    let counted: Vec<&str> =
        page.lines().filter_map(|line| line.strip_prefix(family)?.split_once('"').map(|(label, _)| label)).collect();
    let known: Vec<&str> = Bound::ALL.iter().map(|bound| bound.label()).collect();
    assert_eq!(counted, known);
    // What nobody reached says so.
    assert!(Bound::ALL.iter().all(|bound| reached(&server, *bound) == 0));
}

#[test]
fn sockets_and_lines() {
    let data = Data::new();
    let args = ["--max-pending", "4", "--max-pending-per-ip", "2", "--max-lines", "3", "--max-lines-per-ip", "2"];
    let server = Server::up(&data, &args);
    let addr = server.addr;
    let agents: Vec<_> = (0..4).map(|n| api::register(addr, &format!("line-{n}"))).collect();
    let dial = |agent: usize, source: u8| {
        let ws = Ws::upgrade(from([127, 0, 0, source], addr), ENDPOINT, &[]);
        Line::authenticate(ws.expect("no fault").expect("an upgrade"), &agents[agent].key)
    };
    let _two = [dial(0, 1), dial(1, 1)].map(|line| line.expect("a line"));
    assert_eq!(dial(3, 1).unwrap_err(), Ended::Closed(4029, "lines_per_ip".into()));
    let _third = dial(2, 2).expect("a line");
    assert_eq!(dial(3, 3).unwrap_err(), Ended::Closed(4029, "lines_per_node".into()));
    is_counted(&server, Bound::LinesOfAddress, 1);
    is_counted(&server, Bound::Lines, 1);

    // Sockets without a word. Over TLS a handshake is none.
    let open = |source: u8| {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from(([127, 0, 0, source], 0)).into()).expect("loopback is wide");
        socket.connect(&addr.into()).expect("it listens");
        TcpStream::from(socket)
    };
    let mut silent = vec![open(11), open(11)];
    eventually(SOON, "they are pending", || (server.metric("landline_sockets_pending") == 2.0).then_some(()));
    silent.push(open(11));
    is_counted(&server, Bound::SocketsOfAddress, 1);
    silent.extend([open(12), open(12)]);
    eventually(SOON, "they are pending", || (server.metric("landline_sockets_pending") == 4.0).then_some(()));
    silent.push(open(13));
    is_counted(&server, Bound::Sockets, 1);
}

#[test]
fn heads_and_bodies() {
    let data = Data::new();
    let server = Server::up(&data, &["--max-body", "1KiB"]);
    let agent = api::register(server.addr, "agent");
    let echo = EchoAgent::start(server.addr, &agent.key);
    let long = Request::get("/connect/v1/relay/stats").header("x-long", "x".repeat(20 << 10));
    once(server.addr, &long).expect(431);
    is_counted(&server, Bound::Head, 1);
    api::call(server.addr, &agent.id, &agent.key, &"x".repeat(2_000)).expect(413);
    is_counted(&server, Bound::Body, 1);
    echo.stop();
}

#[test]
fn anonymous_calls_of_an_address() {
    let data = Data::new();
    let server = Server::up(&data, &["--rate-limits", "relay_public=2/min"]);
    let id = "01920000-0000-7000-8000-00000000000a";
    let mut conn = from([127, 0, 0, 61], server.addr);
    let mut statuses = Vec::new();
    // Two a minute on all cores together, and at least one on each; a new minute may begin once.
    for _ in 0..5 {
        statuses.push(conn.ask(&Request::post(format!("/connect/relay/{id}"), "{}")).expect("an answer").status);
    }
    assert!(statuses.contains(&404) && statuses.contains(&429), "{statuses:?}");
    is_counted(&server, Bound::PublicCalls, 1);
}

#[test]
fn peers_that_take_their_time() {
    let data = Data::new();
    let plain = Server::up(&data, &[]);
    let secure_data = Data::new();
    let secure = Server::up_secure(&secure_data, &[]);
    let silent = TcpStream::connect(secure.addr).expect("it listens");
    let unauthenticated = Ws::upgrade(from([127, 0, 0, 1], plain.addr), ENDPOINT, &[]).expect("no fault");
    let mut head = from([127, 0, 0, 1], plain.addr);
    head.send(b"POST /connect/relay/x HTTP/1.1\r\n").expect("sent");
    assert_eq!(head.answer(Duration::from_secs(30)).expect("an answer").status, 408);
    let ended = unauthenticated.expect("an upgrade").end(Duration::from_secs(30)).expect("a close frame");
    assert_eq!(ended.0, 4003);
    is_counted(&plain, Bound::HeadTime, 1);
    is_counted(&plain, Bound::AuthTime, 1);
    is_counted(&secure, Bound::TlsTime, 1);
    drop(silent);
}

#[test]
fn a_caller_that_reads_no_more_is_cut() {
    const CALLS: usize = 24;
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let agent = api::register(server.addr, "agent");
    let mut line = Line::dial(server.addr, &agent.key).expect("a line");
    let answering = std::thread::spawn(move || {
        let answer = vec![b'z'; 1 << 20];
        while let Ok(frame) = line.next(Duration::from_secs(90)) {
            if frame.kind() == "request" {
                line.send(&frame::response(frame.id(), &answer));
            }
        }
    });
    // Far more than the kernel keeps for it.
    let mut conn = from([127, 0, 0, 1], server.addr);
    for _ in 0..CALLS {
        conn.start(&api::call_request(&agent.id, &agent.key, "{}")).expect("sent");
    }
    eventually(Duration::from_secs(90), "it is cut", || (reached(&server, Bound::WriteTime) == 1).then_some(()));
    let answers = (0..CALLS).take_while(|_| conn.answer(SOON).is_ok()).count();
    assert!(answers < CALLS, "the last are lost with it");
    drop(server);
    answering.join().expect("the agent's own thread");
}

#[test]
fn descriptors() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let agent = api::register(server.addr, "agent");
    let echo = EchoAgent::start(server.addr, &agent.key);
    let mut standing = from([127, 0, 0, 1], server.addr);
    let call = api::call_request(&agent.id, &agent.key, "{}");
    standing.ask(&call).expect("an answer").expect(200);
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("it runs").count();
    let limit = format!("--nofile={}:{}", open + 4, open + 4);
    let set = Command::new("prlimit").args(["--pid", &server.pid().to_string(), &limit]).status();
    assert!(set.expect("prlimit").success());
    let more: Vec<TcpStream> = (0..12).map(|_| TcpStream::connect(server.addr).expect("the kernel holds it")).collect();
    is_counted_over(&server, &mut standing, &call);
    // With room again those that waited are served: none of them got an error.
    drop(more);
    eventually(SOON, "a new connection is served", || {
        let answer = Conn::open(server.addr).ok()?.ask(&call).ok()?;
        (answer.status == 200).then_some(())
    });
    is_counted(&server, Bound::Descriptors, 1);
    server.assert_no_panic();
    echo.stop();
}

/// Calls go on over a connection that stands while no other can be accepted.
fn is_counted_over(server: &Server, standing: &mut Conn, call: &Request) {
    eventually(SOON, "accepting rests", || server.log().contains("accepting rests").then_some(()));
    for _ in 0..20 {
        standing.ask(call).expect("an answer").expect(200);
    }
}
