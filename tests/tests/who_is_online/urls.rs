//! Agents with a URL: on the list while they answer there, and never with a URL that is not theirs.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use landline_tests::api;
use landline_tests::server::{Data, Server};
use landline_tests::wait::{SOON, eventually};
use serde_json::{Value, json};

use super::online;

/// Time between two probes; a verdict counts for twice as long.
const INTERVAL: Duration = Duration::from_secs(2);
const TTL: Duration = Duration::from_secs(4);
/// What a poll of the list may take on a busy machine.
const GRACE: Duration = Duration::from_millis(500);

/// A host of its own within loopback; 8080 is one of the few ports that are called at all.
fn host(n: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(127, 78, 0, n), 8080))
}

pub(super) fn card(name: &str, host: SocketAddr) -> Value {
    let mut card = api::card(name);
    card["supportedInterfaces"] =
        json!([{"url": format!("http://{host}/rpc"), "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]);
    card
}

/// An agent in a process of its own; killed with the test.
pub(super) struct Process(Child);

impl Process {
    pub(super) fn start(host: SocketAddr, what: &str) -> Self {
        let python = std::env::var_os("LANDLINE_TEST_PYTHON").unwrap_or_else(|| "python3".into());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/who_is_online/agent.py");
        let mut command = Command::new(python);
        command.args([script, &host.ip().to_string(), &host.port().to_string(), what]).stdin(Stdio::null());
        let process = Self(command.spawn().expect("python3 runs"));
        eventually(SOON, "the agent to listen", || TcpStream::connect(host).ok());
        process
    }

    /// Sends a signal by name.
    pub(super) fn signal(&self, name: &str) {
        let pid = self.0.id().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().expect("kill runs").success());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn server(data: &Data) -> Server {
    let interval = format!("{}s", INTERVAL.as_secs());
    Server::up(data, &["--allow-private-egress", "127.78.0.0/16", "--probe-interval", &interval])
}

pub(super) fn pulse(addr: SocketAddr, id: &str) -> Value {
    api::get(addr, &format!("/connect/v1/agents/{id}/pulse"))
}

#[test]
fn an_agent_that_stops_answering_is_off_the_list_within_its_time() {
    let (data, host) = (Data::new(), host(1));
    let server = server(&data);
    let addr = server.addr;
    let agent = Process::start(host, &card("honest", host).to_string());
    let bot = api::register_with(addr, &json!({"card": card("honest", host)}));
    let caller = api::register(addr, "caller");
    let is_online = || online(addr).contains(&bot.id);
    let comes = || eventually(2 * SOON, "the agent to be online", || is_online().then_some(()));
    let goes = |since: Instant| {
        eventually(TTL + SOON, "the agent to be off the list", || (!is_online()).then_some(()));
        assert!(since.elapsed() <= TTL + GRACE, "still listed {:?} after it stopped", since.elapsed());
        assert_eq!(api::get(addr, &format!("/connect/v1/agents/{}", bot.id))["online"], false);
    };
    comes();
    let answer = api::call(addr, &bot.id, &caller.key, r#"{"jsonrpc":"2.0","id":"1","method":"GetTask"}"#).expect(200);
    assert_eq!(answer.header("x-connect-route"), Some("http_direct"), "what is listed can be called");

    // It hangs: whoever asks it waits.
    let stopped = Instant::now();
    agent.signal("STOP");
    goes(stopped);
    agent.signal("CONT");
    comes();
    // It is gone: nobody is there to be asked.
    let killed = Instant::now();
    drop(agent);
    goes(killed);
    eventually(2 * SOON, "a probe that says so", || {
        (pulse(addr, &bot.id)["pulse"]["verdict"] == "unreachable").then_some(())
    });
    let again = Process::start(host, &card("honest", host).to_string());
    comes();
    drop(again);
    server.assert_no_panic();
}

#[test]
fn who_lies_about_its_url_never_gets_on_the_list() {
    let data = Data::new();
    let server = server(&data);
    let addr = server.addr;
    let _honest = Process::start(host(2), &card("honest", host(2)).to_string());
    let _other = Process::start(host(3), &card("another", host(3)).to_string());
    let _echo = Process::start(host(4), "echo");
    let _pages = Process::start(host(5), "pages");
    // Its own name at the honest one's host; a host whose card names another; one that gives everything back; one that
    // has a page for everything; one where nobody is; and the relay itself.
    let mut elsewhere = card("mallory-2", host(2));
    elsewhere["supportedInterfaces"][0]["url"] = json!(format!("http://{}/mallory", host(2)));
    let itself = card("mallory-7", addr);
    let liars: Vec<api::Agent> = [
        elsewhere,
        card("mallory-3", host(3)),
        card("mallory-4", host(4)),
        card("mallory-5", host(5)),
        card("mallory-6", host(6)),
        itself,
    ]
    .into_iter()
    .map(|card| api::register_with(addr, &json!({ "card": card })))
    .collect();
    let honest = api::register_with(addr, &json!({"card": card("honest", host(2))}));
    let probes = |bot: &api::Agent| pulse(addr, &bot.id)["probes"].as_array().expect("a list").len();
    // The list is looked at all the time, until everybody was asked three times.
    let mut looks = 0;
    eventually(Duration::from_secs(60), "three probes of each", || {
        let online = online(addr);
        looks += 1;
        for liar in &liars {
            assert!(!online.contains(&liar.id), "{} is listed: {}", liar.name, pulse(addr, &liar.id));
        }
        (liars.iter().all(|liar| probes(liar) >= 3) && online.contains(&honest.id)).then_some(())
    });
    assert!(looks > 10, "{looks}");
    let reasons: Vec<String> =
        liars.iter().map(|liar| pulse(addr, &liar.id)["reason"].as_str().unwrap_or_default().to_owned()).collect();
    let expected = ["card_is_another", "card_is_another", "no_card", "no_card", "no_connection", "no_interface"];
    assert_eq!(reasons, expected);
    let caller = api::register(addr, "caller");
    for liar in &liars {
        api::call(addr, &liar.id, &caller.key, "{}").expect_problem(404, "agent_not_connected");
    }
    server.assert_no_panic();
}
