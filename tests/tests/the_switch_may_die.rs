//! `kill -9` of the switch: callers get a clear error at once, and agents are back by themselves.

use std::io::ErrorKind;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use landline_tests::api;
use landline_tests::http::{Conn, Request, once};
use landline_tests::line::{Ended, Line};
use landline_tests::server::{Data, Planes, command};
use landline_tests::wait::{SOON, eventually};
use serde_json::Value;

/// `landline agent echo`, the real agent.
struct Agent(Child);

impl Agent {
    fn start(planes: &Planes, home: &Data) -> (Self, String) {
        let url = format!("http://{}", planes.addr());
        let identity = home.beside("identity.json");
        let mut command = command(&["agent", "echo", "--name", "stayer", "--url", &url, "--identity"]);
        let child = command.arg(&identity).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        let agent = Self(child);
        let id = eventually(SOON, "the agent's identity", || {
            let value: Value = serde_json::from_slice(&std::fs::read(&identity).ok()?).ok()?;
            value["id"].as_str().map(str::to_owned)
        });
        (agent, id)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn callers_hear_of_it_at_once_and_agents_come_back_by_themselves() {
    let mut planes = Planes::start();
    let (addr, home) = (planes.addr(), Data::new());
    let (agent, agent_id) = Agent::start(&planes, &home);
    let (silent, caller) = (api::register(addr, "silent"), api::register(addr, "caller"));
    eventually(SOON, "the agent's line", || api::connected(addr, &caller.key, &agent_id).then_some(()));
    let before = api::call(addr, &agent_id, &caller.key, "before").expect(200);

    // A call in flight on a line that never answers.
    let mut line = Line::dial(addr, &silent.key).expect("a line");
    let mut waiting = Conn::open(addr).expect("listens");
    waiting.start(&api::call_request(&silent.id, &caller.key, "{}")).expect("sent");
    line.expect("request");

    planes.switch.take().expect("it runs").kill();
    let killed = Instant::now();
    let heard = waiting.answer(SOON).expect_err("there is nobody to answer");
    assert!(
        matches!(heard.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset),
        "the caller hears of it by a closed connection: {heard}"
    );
    assert_eq!(line.end(SOON), Ended::Lost);
    // The kernel takes down a killed process's io_uring, and what it accepted for it, in its own time.
    let refused = eventually(Duration::from_secs(1), "nobody to listen", || Conn::open(addr).err());
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    assert!(killed.elapsed() < Duration::from_secs(2), "it took {:?}", killed.elapsed());

    planes.start_switch(&[]);
    // The redial pause grows to 30 s at most; the first ones are short.
    eventually(Duration::from_secs(45), "the agent to be back", || {
        let status = once(addr, &Request::get(format!("/connect/relay/{agent_id}/status")).bearer(&caller.key));
        (status.status == 200 && status.json()["connected"] == true).then_some(())
    });
    assert_eq!(api::call(addr, &agent_id, &caller.key, "before").expect(200).body, before.body);
    api::call(addr, &silent.id, &caller.key, "{}").expect_problem(404, "agent_not_connected");
    drop(agent);
}
