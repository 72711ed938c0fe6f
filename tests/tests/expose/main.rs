//! An ordinary HTTP server becomes an agent with `landline expose`, and a plain client reaches it with `landline dial`:
//! what arrives at either end is what it would be without us in between.

mod local;
mod program;
mod uploads;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use landline_tests::api;
use landline_tests::http::{Answer, Conn, Request, once};
use landline_tests::server::{Data, Server};
use landline_tests::wait::{SOON, eventually};
use local::{LARGE, Local, pattern, sum};
use program::Program;

/// A relay, a server that is exposed, and a place for identities.
struct World {
    data: Data,
    relay: Server,
    local: Local,
}

impl World {
    fn start(name: &str) -> Self {
        let data = Data::new();
        // What arrives at the local server is counted: the relay asks nothing of its own.
        let relay = Server::up(&data, &["--probes=off"]);
        Self { data, relay, local: Local::start(name) }
    }

    fn identity(&self, name: &str) -> String {
        self.data.beside(name).to_str().expect("UTF-8").to_owned()
    }

    fn expose(&self, identity: &str, more: &[&str]) -> Program {
        let (target, file) = (self.local.url(), self.identity(identity));
        let args = ["expose", &target, "--url", &self.relay.url, "--identity", &file];
        Program::exposed(&self.data, &[&args, more].concat())
    }

    fn dial(&self, agent: &str) -> (Program, SocketAddr) {
        let file = self.identity("dialler.json");
        let args = ["dial", agent, "--listen", "127.0.0.1:0", "--url", &self.relay.url, "--identity", &file];
        Program::dialled(&self.data, &args)
    }
}

/// What a caller sees of an answer, with the hop that told its length left out.
fn seen(answer: &Answer) -> (u16, Option<&str>, Option<&str>, &[u8]) {
    (answer.status, answer.header("content-type"), answer.header("location"), &answer.body)
}

fn ask(addr: SocketAddr, request: &Request) -> Answer {
    once(addr, request)
}

#[test]
fn answers_are_the_same_directly_over_the_relay_and_over_a_dialled_port() {
    let world = World::start("Weather");
    let exposed = world.expose("weather.json", &["--public"]);
    let (_dialled, port) = world.dial("weather");
    let below = format!("/connect/relay/{}", exposed.id());
    for (verb, path, body) in [
        ("GET", "/", ""),
        ("GET", "/tasks/1:cancel?a=%2F..&b=c%20d&&=", ""),
        ("GET", "/a//b/%E2%82%AC/%2e", ""),
        ("POST", "/", "{\"jsonrpc\": broken"),
        ("POST", "/message:send", "{}"),
        ("POST", "/empty", ""),
        ("PUT", "/x", "y"),
        ("PATCH", "/x", "y"),
        ("DELETE", "/x?y", ""),
        ("OPTIONS", "/x", ""),
        ("PROPFIND", "/x", "y"),
        ("HEAD", "/x", ""),
        ("GET", "/404", ""),
        ("GET", "/304", ""),
        ("GET", "/204", ""),
        ("GET", "/302", ""),
        ("GET", "/100", ""),
        ("GET", "/chunked", ""),
        ("GET", "/until-close", ""),
        ("GET", "/large", ""),
    ] {
        let request = |path: String| Request::new(verb, path).header("content-type", "text/x").body(body);
        let direct = ask(world.local.addr, &request(path.to_owned()));
        let relayed = ask(world.relay.addr, &request(format!("{below}{path}")));
        let dialled = ask(port, &request(path.to_owned()));
        assert_eq!(seen(&relayed), seen(&direct), "{verb} {path} over the relay");
        assert_eq!(seen(&dialled), seen(&direct), "{verb} {path} over the port");
        assert!(relayed.header("set-cookie").is_none() && dialled.header("set-cookie").is_none());
        if path == "/large" {
            assert_eq!((direct.body.len(), direct.body), (LARGE, pattern(LARGE)));
        }
    }
    let lines: Vec<String> = world.local.received().into_iter().map(|received| received.line).collect();
    for three in lines.chunks(3) {
        assert!(three.iter().all(|line| *line == three[0]), "the same request line thrice: {three:?}");
    }
    assert_eq!(lines.len(), 3 * 20);
    exposed.stop();
}

#[test]
fn a_body_of_a_mebibyte_arrives_and_headers_arrive_as_they_should() {
    let world = World::start("Weather");
    let exposed = world.expose("weather.json", &[]);
    let (_dialled, port) = world.dial(exposed.id());
    let body = pattern(1 << 20);
    let request = Request::post("/count", body.clone())
        .header("authorization", "Bearer of-the-agent")
        .header("origin", format!("http://{port}"))
        .header("cookie", "of=localhost")
        .header("connection", "keep-alive, x-hop")
        .header("x-hop", "1")
        .header("a2a-version", "1.0")
        .header("accept-encoding", "identity");
    let answer = ask(port, &request).expect(200);
    assert_eq!(answer.json()["sum"], sum(&body));
    assert_eq!(answer.header("a2a-x"), Some("y"));
    let received = world.local.received().pop().expect("it arrived");
    assert_eq!(received.header("host"), Some(world.local.addr.to_string().as_str()));
    assert_eq!(received.header("authorization"), Some("Bearer of-the-agent"), "the agent's, not the relay's");
    assert_eq!(received.header("a2a-version"), Some("1.0"));
    for name in ["origin", "cookie", "x-hop", "connection", "x-agent-authorization", "x-forwarded-for", "user-agent"] {
        assert_eq!(received.header(name), None, "{name}");
    }
    assert_eq!(received.body, body);
    assert_eq!(received.header("content-length"), Some("1048576"), "a whole body has a length");
}

#[test]
fn events_arrive_one_by_one_and_who_leaves_ends_the_request_at_the_server() {
    let world = World::start("Weather");
    let exposed = world.expose("weather.json", &["--public"]);
    let (_dialled, port) = world.dial(exposed.id());
    let mut conn = Conn::open(port).expect("the port");
    conn.start(&Request::get("/sse").header("accept", "text/event-stream")).expect("sent");
    let (status, headers) = conn.head(SOON).expect("a head before the first event");
    assert_eq!(status, 200);
    assert!(headers.contains(&("content-type".into(), "text/event-stream".into())), "{headers:?}");
    for number in 1..=3 {
        world.local.event();
        let piece = conn.chunk(Instant::now() + SOON).expect("an event").expect("not the end");
        assert_eq!(String::from_utf8_lossy(&piece), format!("data: {number}\n\n"));
    }
    assert_eq!(conn.chunk(Instant::now() + SOON).expect("the end"), None);

    // In the middle of a stream, and before its head; over the port, and straight from the relay.
    for path in ["/endless", "/hang"] {
        let mut conn = Conn::open(port).expect("the port");
        conn.start(&Request::get(path)).expect("sent");
        if path == "/endless" {
            conn.chunk(Instant::now() + SOON).err();
            conn.head(SOON).ok();
        }
        eventually(SOON, "the request at the server", || {
            world.local.received().iter().any(|received| received.line.contains(path)).then_some(())
        });
        drop(conn);
        world.local.wait_left(path);
    }
    eventually(SOON, "the lines of the calls", || {
        let log = exposed.log();
        (log.contains(" GET /endless left ") && log.contains(" GET /hang left ")).then_some(())
    });
    assert!(exposed.log().lines().any(|line| line.contains(" GET /sse 200 ") && line.ends_with(" ms")));
    let broken = ask(world.relay.addr, &Request::get(format!("/connect/relay/{}/302?secret=x", exposed.id())));
    assert_eq!(broken.status, 302);
    eventually(SOON, "its line", || exposed.log().contains(" anonymous GET /302 302 ").then_some(()));
    assert!(!exposed.log().contains("secret"), "queries are not shown");
}

#[test]
fn an_answer_that_breaks_off_is_not_taken_for_a_complete_one() {
    let world = World::start("Weather");
    let exposed = world.expose("weather.json", &["--public"]);
    let mut conn = Conn::open(world.relay.addr).expect("the relay");
    let failed = conn.ask(&Request::get(format!("/connect/relay/{}/cut", exposed.id())));
    assert!(failed.is_err(), "{:?}", failed.map(|answer| answer.body.len()));
}

#[test]
fn hostile_paths_end_at_the_door() {
    let world = World::start("Weather");
    let exposed = world.expose("weather.json", &["--public"]);
    let (_dialled, port) = world.dial(exposed.id());
    let below = format!("/connect/relay/{}", exposed.id());
    for path in [
        "/..",
        "/../",
        "/../secret",
        "/a/../../secret",
        "/a//../../secret",
        "/./../secret",
        "/%2e%2e/secret",
        "/%2E%2e/secret",
        "/.%2e/secret",
        "/..%2fsecret",
        "/a%2f..%2f..%2fsecret",
        "/a%2fb/../../secret",
        "/%252e%252e/secret",
        "/%25252e%25252e%25252fsecret",
        "/..;/secret",
        "/%2e%2e;x/secret",
        "/..%20/secret",
        "/..\\secret",
        "/..%5csecret",
        "/a\\..\\..\\secret",
        "//evil.example/x",
        "///evil.example/x",
        "/%2fevil.example/x",
        "/%5c%5cevil.example/x",
        "/\\evil.example/x",
        "/%c0%ae%c0%ae/secret",
        "/%uff0e%uff0e/secret",
        "/%EF%BC%8E%EF%BC%8E/secret",
        "/..%00/secret",
        "/x%0d%0aHost:%20evil.example",
    ] {
        let relayed = ask(world.relay.addr, &Request::get(format!("{below}{path}")));
        assert_eq!(relayed.status, 400, "{path}: {}", relayed.text());
        let dialled = ask(port, &Request::get(path));
        assert_eq!(dialled.status, 400, "{path}: {}", dialled.text());
    }
    // No path of HTTP has a `#`: whoever cuts it off and whoever keeps it would disagree.
    assert_eq!(ask(world.relay.addr, &Request::get(format!("{below}/a#b"))).status, 400);
    let received = world.local.received();
    assert!(received.is_empty(), "{received:?}");
    ask(port, &Request::get("/fine")).expect(200);
}

#[test]
fn a_server_that_is_away_is_said_so_and_called_again_when_it_is_back() {
    let data = Data::new();
    let relay = Server::up(&data, &[]);
    let away = format!("127.0.0.1:{}", landline_tests::server::free_port());
    let file = data.beside("away.json").to_str().expect("UTF-8").to_owned();
    let target = format!("http://{away}");
    let exposed = Program::exposed(
        &data,
        &["expose", &target, "--url", &relay.url, "--identity", &file, "--name", "away", "--public"],
    );
    let request = Request::get(format!("/connect/relay/{}/x", exposed.id()));
    let answer = ask(relay.addr, &request).expect_problem(502, "agent_error");
    assert!(answer.text().contains("local_unreachable") && !answer.text().contains(&away), "{}", answer.text());
    assert!(answer.header("retry-after").is_some());
    let listener = std::net::TcpListener::bind(&away).expect("the same port");
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        // It has a card now, and whatever else it is asked for, it is back.
        let card = r#"{"name":"Late","description":"Started after it was exposed.","version":"4.5.6"}"#;
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut head = [0; 4096];
            let read = stream.read(&mut head).unwrap_or(0);
            let is_card = head[..read].starts_with(b"GET /.well-known/agent-card.json");
            let body = if is_card { card } else { "back" };
            let length = body.len();
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}");
        }
    });
    assert_eq!(ask(relay.addr, &request).expect(200).body, b"back");
    eventually(Duration::from_secs(20), "the late server's card", || {
        let row = api::get(relay.addr, &format!("/connect/v1/agents/{}", exposed.id()));
        (row["version"] == "4.5.6" && row["name"] == "away").then_some(())
    });
}

#[test]
fn a_relay_that_restarts_finds_the_agent_again() {
    let data = Data::new();
    let listen = format!("127.0.0.1:{}", landline_tests::server::free_port());
    let relay = Server::up(&data, &["--listen", &listen]);
    let (addr, local) = (relay.addr, Local::start("Weather"));
    let file = data.beside("weather.json").to_str().expect("UTF-8").to_owned();
    let target = local.url();
    let exposed = Program::exposed(&data, &["expose", &target, "--url", &relay.url, "--identity", &file, "--public"]);
    let request = Request::get(format!("/connect/relay/{}/x", exposed.id()));
    ask(addr, &request).expect(200);
    relay.stop();
    let _relay = Server::up(&data, &["--listen", &listen]);
    eventually(Duration::from_secs(45), "the line to be up again", || {
        (ask(addr, &request).status == 200).then_some(())
    });
}

#[test]
fn the_identity_is_kept_and_the_entry_follows_the_server_and_the_flags() {
    let world = World::start("Weather");
    let other = api::register(world.relay.addr, "other-agent");
    let friend = api::register(world.relay.addr, "friend");
    let first = world.expose("weather.json", &[]);
    let id = first.id().to_owned();
    let mode = std::fs::metadata(world.identity("weather.json")).expect("an identity").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let row = api::get(world.relay.addr, &format!("/connect/v1/agents/{id}"));
    assert_eq!((&row["name"], &row["version"], &row["access"]), (&"Weather".into(), &"3.2.1".into(), &"agents".into()));
    assert_eq!(row["skills"][0]["name"], "Weather");
    let card = api::get(world.relay.addr, &format!("/connect/v1/agents/{id}/card"));
    let interfaces = card["supportedInterfaces"].as_array().expect("interfaces");
    assert_eq!(interfaces.len(), 2, "{card}");
    assert_eq!(interfaces[0]["url"], first.said[2]);
    assert_eq!(interfaces[1]["url"], format!("{}/rest", first.said[2]));
    let path = format!("/connect/relay/{id}/x");
    let call = |key: &str| ask(world.relay.addr, &Request::get(path.as_str()).bearer(key)).status;
    let anonymous = || ask(world.relay.addr, &Request::get(path.as_str())).status;
    assert_eq!((call(&other.key), anonymous()), (200, 401));

    // A second server with the same name: another agent, another name.
    let second = world.expose("second.json", &[]);
    let row = api::get(world.relay.addr, &format!("/connect/v1/agents/{}", second.id()));
    let name = row["name"].as_str().expect("a name");
    assert!(second.id() != id && name.starts_with("Weather-") && name.len() == "Weather-123456".len(), "{name}");
    second.stop();
    let again = world.expose("second.json", &[]);
    let row = api::get(world.relay.addr, &format!("/connect/v1/agents/{}", again.id()));
    assert_eq!(row["name"], name, "the name is kept, not asked for anew");

    first.stop();
    let listed = world.expose("weather.json", &["--allow", &friend.id]);
    assert_eq!(listed.id(), id);
    assert_eq!((call(&friend.key), call(&other.key), anonymous()), (200, 403, 401));
    listed.stop();
    let public = world.expose("weather.json", &["--public"]);
    assert_eq!((call(&other.key), anonymous()), (200, 200));
    public.stop();
    let closed = world.expose("weather.json", &[]);
    assert_eq!((call(&other.key), anonymous()), (200, 401));
    closed.stop();
}

#[test]
fn a_dialled_port_serves_programs_and_no_page() {
    let world = World::start("Weather");
    let exposed = world.expose("weather.json", &[]);
    let (dialled, port) = world.dial("Weather");
    let mode = std::fs::metadata(world.identity("dialler.json")).expect("an identity").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let answer = ask(port, &Request::get("/.well-known/agent-card.json")).expect(200);
    let card = answer.json();
    assert_eq!(card["name"], "Weather");
    assert_eq!(card["supportedInterfaces"][0]["url"], format!("http://{port}"));
    assert_eq!(card["supportedInterfaces"][1]["url"], format!("http://{port}/rest"));
    assert!(card.get("securityRequirements").is_none() && answer.header("etag").is_some());
    assert!(!answer.text().contains("/relay/"), "{card}");

    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost:1"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        for path in ["/x", "/.well-known/agent-card.json"] {
            ask(port, &Request::get(path).header(name, value)).expect_problem(403, "foreign_request");
        }
    }
    for host in ["evil.example", "127.0.0.1", "localhost:1", "relay.example:7300"] {
        let mut conn = Conn::open(port).expect("the port");
        conn.send(format!("GET /x HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).expect("sent");
        let answer = conn.answer(Duration::from_secs(10)).expect("an answer");
        answer.expect_problem(403, "foreign_request");
    }
    assert!(world.local.received().is_empty(), "none of them went on");
    let own = Request::get("/x").header("origin", format!("http://{port}")).header("sec-fetch-site", "same-origin");
    ask(port, &own).expect(200);

    // The relay's own refusals pass as they are.
    exposed.stop();
    ask(port, &Request::get("/x")).expect_problem(404, "agent_not_connected");
    let refused =
        Program::try_start(&world.data, &["dial", "Weather", "--listen", "0.0.0.0:0", "--url", &world.relay.url]);
    assert!(refused.is_err_and(|log| log.contains("loopback")));
    dialled.stop();
}
