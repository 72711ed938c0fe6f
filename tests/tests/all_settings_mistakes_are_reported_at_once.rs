//! Every setting is a flag, a variable and a key of one file; all mistakes in them are reported in one go.

use std::fs;
use std::time::Duration;

use landline_tests::api;
use landline_tests::http::{Request, once};
use landline_tests::server::{Data, Server, command, run, run_command};
use serde_json::json;

#[test]
fn one_start_names_every_mistake_of_every_layer() {
    let data = Data::new();
    let file = data.beside("landline.toml");
    fs::write(&file, "listne = \"127.0.0.1:0\"\nheartbeat = \"soon\"\naudit_days = 0\nfree_beer = true\n")
        .expect("written");
    let mut command = command(&["up", "--listen", "nowhere", "--driver", "carrier-pigeon", "--data", &data.text()]);
    command.arg("--config").arg(&file).env("LANDLINE_CORES", "many").env("LANDLINE_REGISTRATON", "open");
    let output = run_command(command, Duration::from_secs(20));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    assert!(output.stdout.is_empty());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    for word in [
        "--listen",
        "nowhere",
        "--driver",
        "carrier-pigeon",
        "LANDLINE_CORES",
        "many",
        "LANDLINE_REGISTRATON",
        "LANDLINE_REGISTRATION",
        "listne",
        "listen",
        "heartbeat",
        "soon",
        "audit_days",
        "free_beer",
    ] {
        assert!(said.contains(word), "no {word:?} in:\n{said}");
    }
    assert!(!data.path().join("exchange.db").exists(), "nothing was made");
}

#[test]
fn a_secret_in_a_setting_is_not_repeated() {
    let data = Data::new();
    let mut command = command(&["up", "--listen", "127.0.0.1:0", "--data", &data.text()]);
    command.env("LANDLINE_DATABASE", "mysql://user:hunter2secret@host/db");
    let output = run_command(command, Duration::from_secs(20));
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("LANDLINE_DATABASE") && !said.contains("hunter2secret"), "{said}");
}

#[test]
fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
    let data = Data::new();
    let file = data.beside("settings.toml");
    fs::write(&file, "public_url = \"https://file.test\"\nregistration = \"closed\"\nlisten = \"127.0.0.1:0\"\n")
        .expect("written");
    let start = |flags: &[&str], variables: &[(&str, &str)]| {
        let mut all = vec!["up", "--rate-limits", "off"];
        let (data_text, file_text) = (data.text(), file.to_str().expect("UTF-8").to_owned());
        all.extend(["--data", data_text.as_str(), "--config", file_text.as_str()]);
        all.extend(flags);
        let mut command = command(&all);
        command.envs(variables.iter().copied());
        Server::spawn(command, &data).unwrap_or_else(|why| panic!("{why}"))
    };
    let register = |server: &Server| {
        once(server.addr, &Request::post_json("/connect/v1/agents", &json!({"card": api::card("x-1")})))
    };
    let variables = [("LANDLINE_PUBLIC_URL", "https://variable.test"), ("LANDLINE_REGISTRATION", "")];

    let server = start(&[], &[]);
    assert_eq!(server.run_json()["public_url"], "https://file.test");
    assert!(register(&server).status >= 400, "closed, by the file");
    server.stop();
    let server = start(&[], &variables);
    assert_eq!(server.run_json()["public_url"], "https://variable.test");
    assert!(register(&server).status >= 400, "an empty variable counts as unset");
    server.stop();
    let server = start(&["--public-url", "https://flag.test", "--registration", "open"], &variables);
    assert_eq!(server.run_json()["public_url"], "https://flag.test");
    assert_eq!(register(&server).status, 201);
    let problem = once(server.addr, &Request::get("/connect/v1/agents/nothing")).json();
    assert!(problem["type"].as_str().is_some_and(|kind| kind.starts_with("https://flag.test/errors/")), "{problem}");
    server.stop();
}

#[test]
fn registration_can_need_a_token_or_be_closed() {
    let data = Data::new();
    let body = |name: &str| json!({"card": api::card(name)});
    let register = |server: &Server, name: &str, token: Option<&str>| {
        let request = Request::post_json("/connect/v1/agents", &body(name));
        once(server.addr, &token.map_or(request.clone(), |token| request.bearer(token)))
    };
    let server = Server::up(&data, &["--registration", "token"]);
    let token = fs::read_to_string(data.path().join("registration-token")).expect("made at start").trim().to_owned();
    register(&server, "without", None).expect(401);
    register(&server, "wrong", Some("wrong")).expect(401);
    register(&server, "with", Some(&token)).expect(201);
    register(&server, "operator", Some(&server.admin_token())).expect(201);
    assert!(!server.log().contains(&token), "the token is not logged");
    server.stop();

    let server = Server::up(&data, &["--registration", "closed"]);
    assert!(matches!(register(&server, "anyone", None).status, 401 | 403));
    assert!(matches!(register(&server, "token", Some(&token)).status, 401 | 403));
    register(&server, "by-the-operator", Some(&server.admin_token())).expect(201);
    server.stop();
}

#[test]
fn help_names_every_command_and_every_setting_of_up() {
    let output = run(&["--help"]);
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    for name in ["up", "exchange", "switch", "agent", "call", "status", "backup", "restore", "node"] {
        assert!(said.lines().any(|line| line.trim_start().starts_with(&format!("{name} "))), "no {name} in:\n{said}");
    }
    let said = String::from_utf8_lossy(&run(&["up", "--help"]).stdout).into_owned();
    for flag in [
        "--listen",
        "--data",
        "--admin",
        "--link",
        "--registration",
        "--public-url",
        "--database",
        "--rate-limits",
        "--config",
        "127.0.0.1:7300",
        "./landline-data",
        "LANDLINE_LISTEN",
        "ready http://",
        "SIGTERM",
    ] {
        assert!(said.contains(flag), "no {flag:?} in:\n{said}");
    }
}
