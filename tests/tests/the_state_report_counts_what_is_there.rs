//! `landline report`, beside a server that runs: what it counts, what it refuses, and what the site then shows.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use landline_tests::api;
use landline_tests::http::{Request, once};
use landline_tests::line::EchoAgent;
use landline_tests::server::{Data, Server, run};
use landline_tests::wait::{SOON, eventually};
use serde_json::{Value, json};

/// Runs the command, and gives whether it succeeded and what it said.
fn report(data: &Data, args: &[&str]) -> (Option<i32>, String) {
    let text = data.text();
    let done = run(&[&["report", "--data", &text], args].concat());
    assert!(done.stdout.is_empty(), "what it has to say goes to stderr");
    (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
}

/// An agent's own host for as long as the test runs: it has the agent's card, and no task.
fn host(name: &'static str) -> SocketAddr {
    // 8080 is one of the few ports that are called at all; the address is of loopback and nobody else's.
    let listener = TcpListener::bind("127.79.0.1:8080").expect("an address of its own");
    let addr = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut request = [0; 8_192];
            let read = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..read]);
            let body = if request.starts_with("GET /.well-known/agent-card.json ") {
                card(name, addr)
            } else {
                let id = request.split("\r\n\r\n").nth(1).and_then(|body| serde_json::from_str::<Value>(body).ok());
                json!({"jsonrpc": "2.0", "id": id.map(|body| body["id"].clone()),
                    "error": {"code": -32001, "message": "Task not found"}})
            };
            let body = body.to_string();
            let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n";
            let _ = write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len());
        }
    });
    addr
}

/// The month before one that is written `YYYY-MM`.
fn month_before(month: &str) -> String {
    let (year, number) = month.split_once('-').expect("a month");
    let (year, number): (u32, u32) = (year.parse().expect("a year"), number.parse().expect("a number"));
    if number == 1 { format!("{}-12", year - 1) } else { format!("{year}-{:02}", number - 1) }
}

fn card(name: &str, host: SocketAddr) -> Value {
    let mut card = api::card(name);
    card["supportedInterfaces"] =
        json!([{"url": format!("http://{host}/rpc"), "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]);
    card
}

/// Publishes an edition of three agents, and another revision of it.
fn is_shown_once_published(addr: SocketAddr, data: &Data, month: &str) {
    let site = |path: &str| once(addr, &Request::get(path));
    site(&format!("/state-of-a2a/{month}")).expect_problem(404, "not_found");
    let (code, said) = report(data, &["--publish"]);
    assert_eq!(code, Some(0), "{said}");
    let page = site(&format!("/state-of-a2a/{month}")).expect(200).text();
    assert!(page.contains("At a glance") && page.contains("http://relay.test"), "{page}");
    assert!(site("/state-of-a2a/").expect(200).text().contains(&format!("/state-of-a2a/{month}")));
    let served = || site(&format!("/state-of-a2a/{month}.json")).expect(200).json();
    assert_eq!((&served()["revision"], served()["figures"]["directory"]["listed"].as_u64()), (&json!(1), Some(3)));
    site(&format!("/state-of-a2a/{month}-reach.svg")).expect(200);
    let (code, said) = report(data, &["--publish"]);
    assert!(code == Some(1) && said.contains("revision 1"), "{said}");
    let (code, said) = report(data, &["--publish", "--force"]);
    assert_eq!((code, &served()["revision"]), (Some(0), &json!(2)), "{said}");
}

#[test]
fn an_edition_is_counted_beside_the_server_and_shown_by_it() {
    let data = Data::new();
    let host = host("url");
    let server = Server::up(&data, &["--allow-private-egress", "127.79.0.1/32", "--public-url", "http://relay.test"]);
    let addr = server.addr;
    let (line, _idle) = (api::register(addr, "line"), api::register(addr, "idle"));
    let url = api::register_with(addr, &json!({"card": card("url", host)}));
    let echo = EchoAgent::start(addr, &line.key);
    api::call(addr, &line.id, &url.key, "{}").expect(200);
    eventually(SOON, "the call's record", || (!api::recent(addr, 5).is_empty()).then_some(()));
    eventually(2 * SOON, "a probe that is answered", || {
        let row = api::get(addr, &format!("/connect/v1/agents/{}", url.id));
        (row["pulse"]["verdict"] == "callable").then_some(())
    });

    // Files first, then the site.
    let out = data.beside("editions");
    let folder = out.to_str().expect("UTF-8");
    let (code, said) = report(&data, &["--out", folder]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("3 agents are listed, 3 of them self-registered"), "{said}");
    let names: Vec<String> = fs::read_dir(&out)
        .expect("the folder")
        .map(|item| item.expect("an entry").file_name().into_string().expect("UTF-8"))
        .collect();
    assert_eq!(names.len(), 8, "{names:?}");
    let figures_file = names.iter().find(|name| name.ends_with(".json")).expect("the figures");
    let read = || serde_json::from_slice::<Value>(&fs::read(out.join(figures_file)).expect("a file")).expect("JSON");
    let edition = read();
    let counted = |edition: &Value, figure: &str| {
        let share = edition.pointer(&format!("/figures/{figure}")).unwrap_or_else(|| panic!("no {figure}"));
        (share["count"].as_u64(), share["of"].as_u64().expect("a denominator"))
    };
    assert_eq!(
        (&edition["schema"], &edition["revision"], &edition["server"]),
        (&json!(1), &json!(1), &json!("http://relay.test"))
    );
    assert_eq!(counted(&edition, "reach/attached"), (Some(1), 3));
    assert_eq!(counted(&edition, "reach/discoverable"), (Some(1), 1));
    assert_eq!(counted(&edition, "reach/responsive"), (Some(1), 1));
    assert_eq!(counted(&edition, "reach/online"), (Some(2), 3));
    assert_eq!(counted(&edition, "calls/answered"), (Some(1), 1));
    assert_eq!(edition["figures"]["probes"]["card_fetches"]["sample"], 1);
    let month = edition["edition"].as_str().expect("a month").to_owned();

    let (code, said) = report(&data, &["--out", folder]);
    assert!(code == Some(1) && said.contains("is there: --force"), "{said}");
    let (code, said) = report(&data, &["--out", folder, "--force", "--format", "json"]);
    assert_eq!((code, &read()["revision"]), (Some(0), &json!(2)), "{said}");

    // An edition of the month before is what the next one is compared with.
    let last = month_before(&month);
    let (code, said) = report(&data, &["--out", folder, "--edition", &last]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = report(&data, &["--out", folder, "--force"]);
    assert_eq!((code, &read()["previous"]["edition"]), (Some(0), &json!(last)), "{said}");

    is_shown_once_published(addr, &data, &month);
    echo.stop();
    server.assert_no_panic();
    server.stop();
}

#[test]
fn what_cannot_be_counted_is_refused_with_the_reason() {
    let data = Data::new();
    let (code, said) = report(&data, &[]);
    assert!(code == Some(1) && said.contains("is not the data directory of an exchange"), "{said}");
    let (code, said) = report(&data, &["--edition", "november"]);
    assert!(code == Some(1) && said.contains("YYYY-MM"), "{said}");
    let (code, said) = report(&data, &["--format", "pdf"]);
    assert!(code == Some(2) && said.contains("possible values: json, md, svg"), "{said}");
    let server = Server::up(&data, &[]);
    let (code, said) = report(&data, &["--edition", "2020-01"]);
    assert!(code == Some(1) && said.contains("2020-01") && said.contains("this month or the one before"), "{said}");
    // Where a folder should be is a file.
    let blocked = data.beside("blocked");
    fs::write(&blocked, "x").expect("a file");
    let (code, said) = report(&data, &["--out", blocked.to_str().expect("UTF-8")]);
    assert!(code == Some(1) && said.contains("blocked"), "{said}");
    server.stop();
}
