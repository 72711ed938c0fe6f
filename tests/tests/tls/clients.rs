//! The program's own clients, with a server whose certificate no authority signed.

use std::time::Duration;

use landline_tests::api;
use landline_tests::line::EchoAgent;
use landline_tests::server::{Data, Server, command, run, run_command};

#[test]
fn clients_on_this_machine_know_the_certificate_and_others_are_told() {
    let data = Data::new();
    let server = Server::up_secure(&data, &[]);
    let (agent, caller) = (api::register(server.addr, "agent"), api::register(server.addr, "caller"));
    let echo = EchoAgent::start(server.addr, &agent.key);
    let ca = server.data.join("tls/certificate.pem");
    let ca = ca.to_str().unwrap();
    assert_eq!(server.run_json()["ca"], ca);
    let data_dir = data.text();
    let call = ["call", &agent.id, "\"hi\"", "--key", &caller.key];
    for (place, works) in [
        (["--data", &data_dir].as_slice(), true),
        (&["--url", &server.url, "--ca", ca], true),
        (&["--url", &server.url], false),
    ] {
        let out = run(&[&call, place].concat());
        assert_eq!(out.status.success(), works, "{place:?}: {}", String::from_utf8_lossy(&out.stderr));
    }
    let mut by_variable = command(&[&call[..], &["--url", &server.url]].concat());
    by_variable.env("LANDLINE_CA", ca);
    assert!(run_command(by_variable, Duration::from_secs(30)).status.success());
    echo.stop();
}

#[test]
fn an_agent_of_ours_holds_its_line_over_tls() {
    let data = Data::new();
    let server = Server::up_secure(&data, &[]);
    let identity = data.beside("echo.json");
    let ca = server.data.join("tls/certificate.pem");
    let args = ["agent", "echo", "--url", &server.url, "--ca", ca.to_str().unwrap()];
    let mut agent = command(&args).arg("--identity").arg(&identity).spawn().unwrap();
    let text = landline_tests::wait::eventually(Duration::from_secs(20), "the identity", || {
        std::fs::read_to_string(&identity).ok().filter(|text| text.ends_with('}'))
    });
    let id = serde_json::from_str::<serde_json::Value>(&text).unwrap()["id"].as_str().unwrap().to_owned();
    let caller = api::register(server.addr, "caller");
    landline_tests::wait::eventually(Duration::from_secs(20), "an answer over the line", || {
        let answer = api::call(server.addr, &id, &caller.key, "hello");
        (answer.status == 200 && answer.text().contains("hello")).then_some(())
    });
    agent.kill().unwrap();
    agent.wait().unwrap();
}
