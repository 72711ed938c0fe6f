//! What agents and callers say to each other stays between them: no log, no database, no feed and no error holds any of
//! it, in any form.

use std::collections::BTreeSet;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

use landline_tests::api::{self, Agent};
use landline_tests::http::{Answer, Conn, Request};
use landline_tests::line::Line;
use landline_tests::server::{Data, Server};
use landline_tests::sse::Listener;
use landline_tests::wait::{SOON, eventually};
use landline_tests::{frame, leak};
use serde_json::json;

const CALLER: &str = "127.0.0.77";
const BODY: &str = "marker{body}-5f1c2a9e77";
const ANSWER: &str = "marker{answer}-a86d03b1c4";
const PATH: &str = "marker-path-0d9be2744f";
const QUERY: &str = "marker-query-c17f5e6a20";
const HEADER: &str = "marker{header}-e42a9c08d6";
const BACK: &str = "marker{back}-61b7fd3a95";
const SECRET: &str = "marker{agent-authorization}-39c0aa";
const CONTROL: &str = "marker/control-8b4e";

/// An agent that answers with markers: a good answer, an error, a broken answer, none at all.
fn answer_with_markers(mut line: Line) -> JoinHandle<()> {
    std::thread::spawn(move || {
        while let Ok(request) = line.next(Duration::from_secs(60)) {
            if request.kind() != "request" {
                continue;
            }
            let body = String::from_utf8_lossy(request.body()).into_owned();
            let id = request.id();
            assert_eq!(request.header("x-marker"), Some(HEADER), "the agent gets what the feed must not");
            assert_eq!(request.header("authorization"), Some(SECRET));
            assert!(request.text("path").is_some_and(|path| path.contains(PATH) && path.contains(QUERY)));
            match body.strip_suffix(BODY).expect("the body's marker") {
                "fail " => line.send(&frame::error(id, "refused", "no")),
                "broken " => {
                    line.send(&frame::response_with(id, 999, &[("content-type", BACK)], false, ANSWER.as_bytes()))
                }
                "silent " => {}
                "die " => return line.ws.sender().cut(),
                _ => line.send(&frame::response_with(id, 200, &[("x-a2a-marker", BACK)], false, ANSWER.as_bytes())),
            }
        }
    })
}

/// A call from the marked address, with markers everywhere.
fn marked(conn: &mut Conn, to: &str, credential: &str, body: &str) -> Answer {
    let request = Request::post(format!("/connect/relay/{to}/{PATH}?{QUERY}=1"), format!("{body} {BODY}"))
        .bearer(credential)
        .header("x-marker", HEADER)
        .header("x-agent-authorization", SECRET)
        .header("x-relay-timeout-ms", "1500")
        .header("x-a2a-method", CONTROL);
    conn.ask(&request).expect("an answer")
}

/// Calls with every outcome; the errors.
fn make_calls(addr: SocketAddr, from: &Agent, token: &str, to: &Agent) -> Vec<Answer> {
    let caller: IpAddr = CALLER.parse().expect("an address");
    let mut conn = Conn::open_from(caller, addr).expect("all of 127.0.0.0/8 is ours");
    for credential in [from.key.as_str(), token] {
        let good = marked(&mut conn, &to.id, credential, "good").expect(200);
        assert_eq!((good.text().as_str(), good.header("x-a2a-marker")), (ANSWER, Some(BACK)));
    }
    let nobody = "0192f6a0-0000-7000-8000-000000000000";
    let mut errors = vec![
        marked(&mut conn, &to.id, &from.key, "fail").expect_problem(502, "agent_error"),
        marked(&mut conn, &to.id, &from.key, "broken").expect_problem(502, "bad_answer"),
        marked(&mut conn, &to.id, &from.key, "silent").expect_problem(504, "agent_timeout"),
        marked(&mut conn, nobody, &from.key, "good").expect_problem(404, "not_found"),
        marked(&mut conn, &to.id, &format!("{}x", from.key), "good").expect_problem(401, "token_invalid"),
        marked(&mut conn, &to.id, &format!("{token}x"), "good").expect_problem(401, "token_invalid"),
        marked(&mut conn, &to.id, &from.key, "die").expect_problem(502, "gateway_unavailable"),
    ];
    eventually(SOON, "the line to be gone", || (!api::connected(addr, &from.key, &to.id)).then_some(()));
    errors.push(marked(&mut conn, &to.id, &from.key, "good").expect_problem(404, "agent_not_connected"));
    for (method, path) in [("GET", "/connect/v1/agents/nothing"), ("GET", "/nothing"), ("POST", "/connect/v1/agents")] {
        let request = Request::new(method, format!("{path}?{QUERY}=1")).header("x-marker", HEADER).bearer(&from.key);
        let request = if method == "POST" { request.body(BODY) } else { request };
        let answer = conn.ask(&request).expect("an answer");
        assert!(answer.status >= 400, "{}", answer.text());
        errors.push(answer);
    }
    errors
}

/// Every file below a folder, with its bytes; the secrets themselves aside.
fn everything_stored(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("the data directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(everything_stored(&path));
        } else {
            found.push((path.display().to_string(), fs::read(&path).expect("a readable file")));
        }
    }
    found
}

#[test]
fn nothing_that_agents_and_callers_say_is_kept_or_shown() {
    let data = Data::new();
    let server = Server::up(&data, &["--log-level", "debug"]);
    let addr = server.addr;
    let (from, to) = (api::register(addr, "marked-caller"), api::register(addr, "marked-callee"));
    let token = api::token(addr, &from.key);
    let feed = Listener::start(addr, "relay,agents", None);
    let agent = answer_with_markers(Line::dial(addr, &to.key).expect("a line"));
    let errors = make_calls(addr, &from, &token, &to);
    agent.join().expect("the agent's own assertions");

    let rows = eventually(SOON, "all audit rows", || {
        let rows = api::recent(addr, 200);
        (rows.len() >= 7).then_some(rows)
    });
    let statuses: Vec<i64> = rows.iter().rev().filter_map(|row| row["status_code"].as_i64()).collect();
    assert_eq!(
        statuses,
        [200, 200, 502, 502, 504, 502, 404],
        "one row for each call of a known caller to a known agent"
    );
    feed.wait("the last row", |event| event.data["status_code"] == json!(404));
    assert_the_eight_keys(&rows, &feed);

    let recent = serde_json::to_vec(&rows).expect("JSON");
    let log = api::relay_log(addr, &from);
    let mut places = vec![
        ("the log".to_owned(), server.log().into_bytes()),
        ("relay/recent".to_owned(), recent.clone()),
        ("relay/log".to_owned(), serde_json::to_vec(&log).expect("JSON")),
        ("the feed".to_owned(), feed.raw()),
    ];
    for (number, error) in errors.iter().enumerate() {
        places.push((
            format!("error {number} ({})", error.code()),
            format!("{:?}\n{}", error.headers, error.text()).into(),
        ));
    }
    let (log_path, path) = (server.log_path().to_owned(), data.path());
    places.extend(everything_stored(&path));
    server.stop();
    places.extend(everything_stored(&path));
    places.push(("the log after its end".into(), fs::read(log_path).expect("the log")));

    let markers = [BODY, ANSWER, PATH, QUERY, HEADER, BACK, SECRET, CALLER, &from.key, &to.key, &token];
    let mut leaks = BTreeSet::new();
    for (place, bytes) in &places {
        for marker in markers {
            leaks.extend(leak::found(bytes, marker).into_iter().map(|form| format!("{place}: {marker} ({form})")));
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");

    // The control: what may be kept is found by the same search, in the feed and in the database.
    assert!(!leak::found(&recent, CONTROL).is_empty());
    assert!(!leak::found(&feed.raw(), CONTROL).is_empty());
    let in_database = |(place, bytes): &(String, Vec<u8>)| {
        !place.ends_with("recent") && place.contains("/data/") && !leak::found(bytes, CONTROL).is_empty()
    };
    assert!(places.iter().any(in_database), "the control is in no file of the database");
}

fn assert_the_eight_keys(rows: &[serde_json::Value], feed: &Listener) {
    let eight =
        ["a2a_method", "from_agent_id", "latency_ms", "request_id", "route", "status_code", "to_agent_id", "ts"];
    let keys = |value: &serde_json::Value| {
        let mut keys: Vec<String> = value.as_object().expect("an object").keys().cloned().collect();
        keys.sort_unstable();
        keys
    };
    for row in rows {
        assert_eq!(keys(row), eight);
    }
    for event in feed.events().iter().filter(|event| event.kind == "relay.request") {
        assert_eq!(keys(&event.data), eight);
    }
}
