//! Every command of `/llms.txt`, in its order, with the real curl against a real server: each answers with the status that
//! the text says.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};

use landline_tests::http::{Request, once};
use landline_tests::line::EchoAgent;
use landline_tests::server::{Data, Server};
use landline_tests::wait::{SOON, eventually};
use serde_json::Value;

/// A line of a code block: a command, and what is said of its answer. That begins with a status.
fn parts(line: &str) -> (&str, &str) {
    line.rsplit_once("  # ").unwrap_or_else(|| panic!("no status: {line}"))
}

/// The lines of the code blocks.
fn blocks(text: &str) -> Vec<&str> {
    let mut inside = false;
    let mut found = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            inside = !inside;
        } else if inside {
            found.push(line);
        }
    }
    assert!(!inside, "a code block is not closed");
    found
}

/// Runs a command of the text in a shell. Gives the status and the body.
fn run(data: &Data, command: &str, variables: &BTreeMap<&str, String>) -> (String, String) {
    let body = data.beside("body");
    let measured = command.replacen("curl ", &format!("curl -s -w '%{{http_code}}' -o {} ", body.display()), 1);
    // A file of the server's would be written under its own name.
    let measured = measured.replacen(" -O ", " ", 1);
    let mut shell = Command::new("sh");
    shell.args(["-c", &measured]).envs(variables).stdin(Stdio::null());
    let output = shell.output().expect("a shell runs");
    // 28: the time that the text gives an endless answer is over.
    assert!(matches!(output.status.code(), Some(0 | 28)), "{command}: {output:?}");
    let status = String::from_utf8(output.stdout).expect("a status");
    (status, std::fs::read_to_string(&body).unwrap_or_default())
}

#[test]
fn every_command_answers_with_the_status_that_the_text_says() {
    let data = Data::new();
    // Commands are run as they stand, without the harness's trust in a certificate.
    let server = Server::start(&data, &["up", "--listen", "127.0.0.1:0", "--rate-limits", "off"]);
    let text = once(server.addr, &Request::get("/llms.txt")).expect(200).text();
    let (mut variables, mut agent, mut run_so_far) = (BTreeMap::new(), None, 0);
    let mut answer = Value::Null;
    for text in blocks(&text) {
        if let Some(assignments) = text.strip_prefix("export ") {
            for name in ["AGENT_ID", "API_KEY"].into_iter().filter(|name| assignments.contains(&format!("{name}=<"))) {
                let member = if name == "AGENT_ID" { "id" } else { "api_key" };
                variables.insert(name, answer[member].as_str().expect("as the text says").to_owned());
            }
            if agent.is_none() {
                // What the text supposes from here on: the agent holds its line, and the index knows it.
                agent = Some(EchoAgent::start(server.addr, &variables["API_KEY"]));
                let found = || once(server.addr, &Request::get("/connect/v1/search?tag=echo")).expect(200).json();
                eventually(SOON, "the agent to be found", || (found()["total"] == 1).then_some(()));
            }
            continue;
        }
        let (command, said) = parts(text);
        let (status, body) = run(&data, command, &variables);
        assert_eq!(said.get(..3), Some(status.as_str()), "{command}\n{body}");
        // The code that is named behind an error's status is the one that is answered.
        let code = said.split([' ', ':', ',', ';']).nth(1).filter(|word| word.contains('_')).unwrap_or_default();
        if !status.starts_with('2') {
            assert!(body.contains(code), "{command}: no {code} in {body}");
        } else if command.contains("/a2a") {
            assert!(body.contains("my-agent-1f2a8c") && !body.contains("\"error\""), "{command}: {body}");
        }
        answer = serde_json::from_str(&body).unwrap_or_default();
        run_so_far += 1;
    }
    assert!(run_so_far > 45, "{run_so_far} commands");
    server.assert_no_panic();
}
