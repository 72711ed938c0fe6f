//! The two-bot demo, step by step: two agents in two private networks, neither with a listening socket, call each other.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use landline_tests::api;
use landline_tests::http::{Request, once};
use landline_tests::nat::{Nat, Side};
use landline_tests::server::{Data, Server};
use landline_tests::sse::Listener;
use landline_tests::tree;
use landline_tests::wait::{SOON, eventually};
use serde_json::{Value, json};

/// What the runbook's Dockerfile says, as far as it can be performed without Docker.
struct Image {
    packages: Vec<String>,
    script_path: String,
    entry_point: Vec<String>,
}

impl Image {
    fn of_runbook() -> Self {
        let text = tree::read(Path::new("docs/runbooks/two-bot-nat-demo.md"));
        let line = |start: &str| {
            let found = text.lines().map(str::trim).find(|line| line.starts_with(start));
            found.unwrap_or_else(|| panic!("the runbook has no `{start}`")).to_owned()
        };
        let pip = line("RUN pip install");
        let packages =
            pip.split_whitespace().skip(3).filter(|word| !word.starts_with('-')).map(str::to_owned).collect();
        let curl = line("curl -O http");
        let url = curl.split_whitespace().last().expect("a URL");
        let script_path = url.splitn(4, '/').nth(3).map(|path| format!("/{path}")).expect("a path in the URL");
        let entry = line("ENTRYPOINT");
        let entry_point: Value = serde_json::from_str(entry.trim_start_matches("ENTRYPOINT").trim()).expect("JSON");
        let words = entry_point.as_array().expect("a list").iter().map(|word| word.as_str().expect("text").to_owned());
        Self { packages, script_path, entry_point: words.collect() }
    }
}

/// The Python that `tests/run` made by the runbook's pip line.
fn python() -> PathBuf {
    let path = std::env::var_os("LANDLINE_TEST_PYTHON")
        .map_or_else(|| tree::root().join("target/test-venv/bin/python"), PathBuf::from);
    assert!(path.is_file(), "{} is missing: tests/run makes it", path.display());
    path
}

/// A bot: what `docker run -d --name NAME -e BOT_NAME=NAME` starts.
struct Bot {
    name: &'static str,
    side: Side,
    child: Child,
    log: PathBuf,
}

impl Bot {
    fn start(nat: &Nat, side: Side, name: &'static str, home: &Path, script: &Path) -> Self {
        let own_tmp = home.join(format!("tmp-{name}"));
        fs::create_dir_all(&own_tmp).expect("a directory");
        let log = home.join(format!("{name}.log"));
        // Its own /tmp: a mount namespace in which the private directory lies over /tmp. Python and the script are
        // opened before, through /proc, so that it also works where the project itself lies below /tmp.
        let shell = "mkdir -p \"$OWN/.venv\" \"$OWN/.app\" && mount --bind \"$VENV\" \"$OWN/.venv\" && \
                     mount --bind \"$APP\" \"$OWN/.app\" && mount --rbind \"$OWN\" /tmp && cd /tmp/.app && \
                     exec /tmp/.venv/bin/python minimal_agent.py";
        let venv = python().parent().and_then(Path::parent).expect("venv/bin/python").to_owned();
        let child = nat
            .inside(side, "unshare")
            .args(["--mount", "--propagation", "private", "sh", "-euc", shell])
            .env_remove("LANDLINE_URL")
            .env_remove("TMPDIR")
            .env("OWN", &own_tmp)
            .env("VENV", venv)
            .env("APP", script.parent().expect("a directory"))
            .env("BOT_NAME", name)
            .env("LOG_LEVEL", "INFO")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log).expect("a log"))
            .spawn()
            .expect("unshare");
        Self { name, side, child, log }
    }

    /// `docker exec NAME sh -c 'cat /tmp/NAME-*.json'`.
    fn identity(&self) -> Option<Value> {
        let output = Command::new("nsenter")
            .args(["-t", &self.child.id().to_string(), "-m", "sh", "-c", &format!("cat /tmp/{}-*.json", self.name)])
            .output()
            .expect("nsenter");
        serde_json::from_slice(&output.stdout).ok()
    }

    fn file_mode(&self) -> String {
        let output = Command::new("nsenter")
            .args(["-t", &self.child.id().to_string(), "-m", "sh", "-c"])
            .arg(format!("stat -c %a /tmp/{}-*.json", self.name))
            .output()
            .expect("nsenter");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// `docker stop`.
    fn stop(&mut self) {
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let status = eventually(SOON, "the bot's end", || self.child.try_wait().expect("our child"));
        assert!(status.success(), "{}: {status}\n{}", self.name, self.log());
    }
}

impl Drop for Bot {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of {}:\n{}", self.name, self.log());
        }
    }
}

/// Runs a step of the runbook as it stands there, in bash.
fn step(script: &str, variables: &[(&str, &str)]) -> String {
    let output = Command::new("bash").args(["-euc", script]).envs(variables.iter().copied()).output().expect("bash");
    assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

const CALL: &str = r#"curl -sS -X POST "http://$HOST/connect/relay/$TO" \
-H "Authorization: Bearer $KEY" \
-H "Content-Type: application/json" \
-d "{\"hello\": \"from $WHO\"}""#;

/// The NAT must be one: what nobody asked for does not get in, although there is a route.
fn assert_nothing_unasked_gets_in(nat: &Nat) {
    for side in [Side::Left, Side::Right] {
        let mut listener = nat
            .inside(side, "python3")
            .args(["-m", "http.server", "8099", "--bind", "0.0.0.0"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("python3");
        let url = format!("http://{}:8099/", side.address());
        let probe = ["-s", "-o", "/dev/null", "--noproxy", "*", "--max-time", "1", url.as_str()];
        let reached = |command: &mut Command| command.args(probe).status().expect("curl").success();
        eventually(SOON, "the control's listener", || reached(&mut nat.inside(side, "curl")).then_some(()));
        assert!(!nat.listening(side).is_empty(), "the control: `ss` would see a listening socket");
        assert!(!reached(&mut Command::new("curl")), "the outside reaches into {side:?}: this is no NAT");
        let _ = listener.kill();
        let _ = listener.wait();
        eventually(SOON, "no listener", || nat.listening(side).is_empty().then_some(()));
    }
}

#[test]
fn two_bots_behind_nat_call_each_other() {
    let image = Image::of_runbook();
    assert_eq!(image.packages, ["msgspec", "httpx", "httpx-ws"], "the runbook's pip line is what tests/run installs");
    assert_eq!(image.entry_point, ["python", "minimal_agent.py"]);

    let nat = Nat::build();
    assert_nothing_unasked_gets_in(&nat);
    let data = Data::new();
    let server = Server::up(&data, &["--listen", &format!("{}:0", nat.server())]);
    let (addr, host) = (server.addr, server.addr.to_string());
    let feed = Listener::start(addr, "relay,agents", None);

    // Steps 1 and 2: the image's script comes from the server, which wrote its own address into it.
    let script = data.beside("app").join("minimal_agent.py");
    fs::create_dir_all(data.beside("app")).expect("a directory");
    fs::write(&script, once(addr, &Request::get(&image.script_path)).expect(200).body).expect("the script");

    // Step 3: both run, and neither listens anywhere.
    let home = data.beside(".");
    let mut alice = Bot::start(&nat, Side::Left, "alice", &home, &script);
    let mut bob = Bot::start(&nat, Side::Right, "bob", &home, &script);

    // Step 4: their identities.
    let identity = |bot: &Bot| {
        let found = eventually(Duration::from_secs(20), "an identity file", || bot.identity());
        (found["id"].as_str().expect("id").to_owned(), found["api_key"].as_str().expect("api_key").to_owned())
    };
    let ((alice_id, alice_key), (bob_id, bob_key)) = (identity(&alice), identity(&bob));
    assert_eq!((alice.file_mode(), bob.file_mode()), ("600".into(), "600".into()));
    for (id, key) in [(&alice_id, &bob_key), (&bob_id, &alice_key)] {
        feed.wait("agent.connect", |event| event.kind == "agent.connect" && event.data["agent_id"] == json!(id));
        eventually(SOON, "the line", || api::connected(addr, key, id).then_some(()));
    }
    for (bot, id, key) in [(&alice, &alice_id, &alice_key), (&bob, &bob_id, &bob_key)] {
        assert_eq!(nat.listening(bot.side), "", "{} listens", bot.name);
        let log = bot.log();
        assert!(log.contains(id.as_str()) && log.contains(&key[..8]) && !log.contains(key.as_str()), "{log}");
    }

    // Steps 5 and 7: a call each way, by the runbook's line with only the host changed.
    let variables = [("HOST", host.as_str()), ("TO", &alice_id), ("KEY", &bob_key), ("WHO", "bob")];
    assert_eq!(step(CALL, &variables), r#"{"ack": true, "echo": "{\"hello\": \"from bob\"}"}"#);
    let variables = [("HOST", host.as_str()), ("TO", &bob_id), ("KEY", &alice_key), ("WHO", "alice")];
    assert_eq!(step(CALL, &variables), r#"{"ack": true, "echo": "{\"hello\": \"from alice\"}"}"#);

    // Step 6: both rows, in the ring and in the stream.
    for (from, to) in [(&bob_id, &alice_id), (&alice_id, &bob_id)] {
        let row = eventually(SOON, "the audit row", || {
            api::recent(addr, 10)
                .into_iter()
                .find(|row| row["from_agent_id"] == json!(from) && row["to_agent_id"] == json!(to))
        });
        assert_eq!((&row["status_code"], &row["route"]), (&json!(200), &json!("relay")), "{row}");
        let event = feed.wait("relay.request", |event| {
            event.kind == "relay.request"
                && event.data["from_agent_id"] == json!(from)
                && event.data["to_agent_id"] == json!(to)
        });
        assert_eq!(event.data, row, "the stream and the ring tell the same");
    }

    clean_up(addr, &feed, [(&mut alice, &alice_id, &alice_key), (&mut bob, &bob_id, &bob_key)]);
    server.assert_no_panic();
    server.stop();
}

/// The runbook's last part: stop both, see both disconnect, delete both.
fn clean_up(addr: SocketAddr, feed: &Listener, bots: [(&mut Bot, &String, &String); 2]) {
    let host = addr.to_string();
    for (bot, id, key) in bots {
        bot.stop();
        feed.wait("agent.disconnect", |event| event.kind == "agent.disconnect" && event.data["agent_id"] == json!(id));
        let script = r#"curl -sS -o /dev/null -w '%{http_code}' -X DELETE "http://$HOST/connect/v1/agents/$ID" -H "Authorization: Bearer $KEY""#;
        let variables = [("HOST", host.as_str()), ("ID", id.as_str()), ("KEY", key.as_str())];
        assert_eq!(step(script, &variables), "204");
        once(addr, &Request::get(format!("/connect/v1/agents/{id}"))).expect_problem(410, "gone");
    }
}
