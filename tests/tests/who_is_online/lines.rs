//! Agents behind NAT: asked over their lines whether they answer, without a trace in the feed.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use landline_tests::api;
use landline_tests::line::{EchoAgent, Line};
use landline_tests::server::{Data, Server};
use landline_tests::wait::{SOON, eventually};
use serde_json::{Value, json};

use super::urls::{Process, card, pulse};

/// A probe waits for 10 seconds, and then for its turn.
const VERDICT: Duration = Duration::from_secs(40);

fn verdict(addr: SocketAddr, id: &str, wanted: &str, reason: Option<&str>) -> Value {
    let said = || {
        let pulse = pulse(addr, id);
        (pulse["pulse"]["verdict"] == wanted && pulse["reason"].as_str() == reason).then_some(pulse)
    };
    eventually(VERDICT, wanted, said)
}

/// `landline expose`, until it is dropped.
struct Exposed(Child);

impl Exposed {
    fn start(relay: &Server, data: &Data, local: SocketAddr) -> Self {
        let mut command = Command::new(landline_tests::server::program());
        command.args(["expose", &format!("http://{local}"), "--url", &relay.url, "--identity"]);
        command.arg(data.beside("exposed.json")).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().expect("landline runs"))
    }
}

impl Drop for Exposed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn an_agent_behind_nat_is_asked_over_its_line_and_leaves_no_record() {
    let data = Data::new();
    let server = Server::up(&data, &["--probe-interval", "2s"]);
    let addr = server.addr;
    let local = SocketAddr::from(([127, 78, 0, 20], 8080));
    let agent = Process::start(local, &card("homely", local).to_string());
    let _exposed = Exposed::start(&server, &data, local);
    let id = eventually(SOON, "the agent to attach", || {
        let list = api::get(addr, "/connect/v1/agents/online");
        list["items"][0]["id"].as_str().map(str::to_owned)
    });
    let said = verdict(addr, &id, "callable", None);
    assert!(said["probes"][0]["latency_ms"].as_f64().is_some_and(|ms| ms > 0.0), "{said}");

    // These two hold lines and declare an interface, and are no A2A agents; the third declares none, and is left alone.
    let declares = |name: &str, n: u8| json!({"card": card(name, SocketAddr::from(([192, 168, 7, n], 8080)))});
    let echo = api::register_with(addr, &declares("echo", 1));
    let _echo = EchoAgent::start(addr, &echo.key);
    let silent = api::register_with(addr, &declares("silent", 2));
    let mut held = Line::dial(addr, &silent.key).expect("a line");
    let plain = api::register(addr, "plain");
    let _plain = EchoAgent::start(addr, &plain.key);
    let request = held.expect("request");
    assert_eq!(request.text("path"), Some("/.well-known/agent-card.json"));
    eventually(VERDICT, "the echo to be judged", || {
        (pulse(addr, &echo.id)["pulse"]["verdict"] == "protocol_error").then_some(())
    });

    // The agent behind `expose` hangs: the line is up, and it is online, but it does not answer.
    agent.signal("STOP");
    verdict(addr, &id, "timeout", Some("no_answer"));
    assert_eq!(api::get(addr, &format!("/connect/v1/agents/{id}"))["online"], true, "its line is up");
    agent.signal("CONT");
    verdict(addr, &id, "callable", None);

    assert_eq!(pulse(addr, &plain.id)["pulse"]["verdict"], "unknown");
    let feed = api::get(addr, "/connect/v1/relay/recent");
    assert_eq!(feed["events"], json!([]), "probes are nobody's calls");
    server.assert_no_panic();
}
