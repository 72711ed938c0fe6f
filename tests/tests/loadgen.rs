//! The load generator, run as its users run it: every scenario for about a second against a real server. What is
//! checked are counts and that everything is reported, not speeds.

use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::time::Duration;

use landline_tests::http::once;
use landline_tests::server::{Data, Server, free_port, run_command};
use landline_tests::{api, tls, tree, wait};
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(90);

fn program() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows where it is");
    let path = test.ancestors().nth(2).expect("target/<profile>/deps/test").join("landline-loadgen");
    assert!(path.is_file(), "{} is missing: `cargo build -p landline-loadgen` makes it", path.display());
    path
}

fn loadgen(words: &str) -> Command {
    let mut command = Command::new(program());
    command.env_remove("LANDLINE_URL").env_remove("LANDLINE_CA");
    if let Some(file) = tls::trusted_by_own_clients() {
        command.env("LANDLINE_CA", file);
    }
    command.args(words.split_whitespace()).stdin(Stdio::null());
    command
}

fn run(words: &str) -> Output {
    run_command(loadgen(words), LIMIT)
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs a scenario that must succeed, and gives its JSON.
fn measured(words: &str) -> Value {
    let output = run(&format!("{words} --json"));
    assert!(output.status.success(), "{words}: {}", stderr(&output));
    let result: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!(result["scenario"].as_str(), words.split(' ').next(), "{result}");
    result
}

/// Waits until a process has said this on stderr, which must stay open for what it says later.
fn until_said(child: &mut Child, words: &str) -> ChildStderr {
    let mut log = child.stderr.take().expect("piped");
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains(words) {
        let mut byte = [0];
        assert_eq!(log.read(&mut byte).expect("its stderr"), 1, "{}", String::from_utf8_lossy(&said));
        said.push(byte[0]);
    }
    log
}

fn number(result: &Value, key: &str) -> u64 {
    result[key].as_u64().unwrap_or_else(|| panic!("no {key} in {result}"))
}

/// Every key of a result has its line in the documentation.
fn assert_documented(result: &Value) {
    let page = tree::read(Path::new("docs/LOADGEN.md"));
    let known: BTreeSet<&str> = page.split('`').collect();
    for key in result.as_object().expect("an object").keys() {
        // The times of a series have one line for all: `NAME_p50_us` and so on.
        let is_time = ["p50_us", "p90_us", "p99_us", "p999_us", "max_us", "mean_us"]
            .iter()
            .find_map(|time| key.strip_suffix(time))
            .is_some_and(|series| series.is_empty() || known.contains(series.trim_end_matches('_')));
        assert!(is_time || known.contains(key.as_str()), "docs/LOADGEN.md does not explain `{key}`");
    }
}

/// Options of a short run against this server.
fn short(server: &Server) -> String {
    format!("--url {} --server-pid {} --seconds 0.7 --warmup 0.2", server.url, server.pid())
}

/// What holds for every load with calls, wherever it ran.
fn assert_whole(result: &Value, counted: &str) {
    assert!(number(result, counted) >= 5, "{result}");
    assert_eq!(number(result, "errors"), 0, "{result}");
    assert!(result[format!("{counted}_per_s")].as_f64() > Some(1.0), "{result}");
    assert!(result["server_cpu_us_per_message"].as_f64() > Some(0.0), "{result}");
    assert!(number(result, "server_rss_bytes") > 1 << 20, "{result}");
    assert!(number(result, "p50_us") <= number(result, "p99_us"), "{result}");
    assert_documented(result);
    // Nothing is on its way any more when a run ends: what was sent has ended, whatever was measured of it.
    let sent = number(result, "sent");
    assert!(sent == number(result, "ended") && sent >= number(result, counted), "{result}");
    match result["scenario"].as_str() {
        Some("stream") => {
            assert!(result["bytes_per_s"].as_f64() > Some(100.0), "{result}");
            assert!(number(result, "first_part_p50_us") > 0 && number(result, "gap_p99_us") > 0, "{result}");
        }
        Some("churn") => {
            assert!(number(result, "lines_closed") > 1 && number(result, "lines_back") > 1, "{result}");
            assert_eq!(number(result, "failed_while_up"), 0, "{result}");
        }
        Some("mixed") => {
            let kinds = ["small", "middle", "large", "stream"];
            let sum: u64 = kinds.iter().map(|kind| number(result, &format!("{kind}_calls"))).sum();
            assert_eq!((sum, number(result, "lines_at_end")), (number(result, "calls"), 20), "{result}");
        }
        Some("slow") => assert!(number(result, "unread_calls") > 0 && result["p50_ratio"].is_f64(), "{result}"),
        _ => {}
    }
}

#[test]
fn every_scenario_with_calls_counts_them_without_an_error() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    for (words, counted) in [
        ("calls --pairs 4", "calls"),
        ("calls --pairs 4 --in-flight 8 --size 20000 --threads 2", "calls"),
        ("calls --pairs 2 --in-flight 2 --via http", "calls"),
        ("calls --pairs 3 --in-flight 8 --rate 200", "calls"),
        ("calls --pairs 3 --in-flight 8 --rate 200 --arrivals poisson --via http", "calls"),
        ("stream --pairs 2 --parts 8 --size 100", "streams"),
        ("stream --pairs 2 --parts 100 --size 4096", "streams"),
        ("stream --pairs 2 --parts 8 --gap-ms 5 --via http", "streams"),
        ("oneway --pairs 2", "messages"),
        ("churn --lines 6 --pairs 3 --churn 20 --away-ms 50", "calls"),
        ("mixed --pairs 6 --in-flight 2 --lines 20", "calls"),
        ("slow --pairs 3 --slow 4", "calls"),
    ] {
        let result = measured(&format!("{words} {}", short(&server)));
        assert_whole(&result, counted);
    }
    assert_eq!(api::get(server.addr, "/connect/v1/agents")["total"], 0, "every agent of a run is deleted at its end");
    server.assert_no_panic();
}

#[test]
fn a_made_up_directory_is_registered_and_searched() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let made = measured(&format!("directory --agents 60 --threads 3 --strict --seconds 60 --url {}", server.url));
    assert_eq!((number(&made, "registrations"), number(&made, "agents")), (60, 60), "{made}");
    assert_documented(&made);
    assert_eq!(api::get(server.addr, "/connect/v1/agents")["total"], 60, "they stay");
    let facets = || api::get(server.addr, "/connect/v1/agents/facets");
    let counted = |facets: &Value| {
        let categories = facets["categories"].as_array().expect("a list").iter();
        categories.map(|facet| facet["count"].as_u64().unwrap_or_default()).sum::<u64>()
    };
    wait::eventually(wait::SOON, "all are in the index", || (counted(&facets()) == 60).then_some(()));
    let asked = measured(&format!("search --rate 20 --threads 4 --strict {}", short(&server)));
    for kind in ["search", "discover", "facets"] {
        assert!(number(&asked, &format!("{kind}_answers")) > 2, "{asked}");
        assert!(number(&asked, &format!("{kind}_p99_us")) > 0, "{asked}");
    }
    assert!(number(&asked, "found_nothing") * 3 < number(&asked, "questions"), "{asked}");
    assert_documented(&asked);

    let file = data.beside("directory.jsonl");
    measured(&format!("directory --agents 7 --dump {}", file.display()));
    let lines = std::fs::read_to_string(&file).expect("the file");
    assert_eq!(lines.lines().filter(|line| serde_json::from_str::<Value>(line).is_ok()).count(), 7);
    server.assert_no_panic();
}

#[test]
fn what_runs_plain_runs_over_tls() {
    let data = Data::new();
    let server = Server::up_secure(&data, &[]);
    assert!(server.url.starts_with("https://"), "{}", server.url);
    let words = format!("{} --ca {}", short(&server), server.data.join("tls/certificate.pem").display());
    for (load, counted) in [
        ("calls --pairs 4 --in-flight 8 --threads 2", "calls"),
        ("calls --pairs 2 --in-flight 2 --size 100000 --via http", "calls"),
        ("stream --pairs 2 --parts 400 --size 4096", "streams"),
        ("churn --lines 6 --pairs 3 --churn 20 --away-ms 50", "calls"),
        ("slow --pairs 3 --slow 4", "calls"),
        ("idle --lines 40", "lines_at_end"),
        ("storm --lines 40 --seconds 30", "lines_back"),
    ] {
        // The last of two equal options counts.
        let result = measured(&load.replacen(' ', &format!(" {words} "), 1));
        assert!(number(&result, counted) >= 1, "{load}: {result}");
        assert_eq!(number(&result, "errors"), 0, "{load}: {result}");
    }
    assert_eq!(api::get(server.addr, "/connect/v1/agents")["total"], 0, "they are deleted over TLS too");
    server.assert_no_panic();
}

#[test]
fn a_server_that_is_not_trusted_gets_no_load() {
    let (data, other) = (Data::new(), Data::new());
    let (server, stranger) = (Server::up_secure(&data, &[]), Server::up_secure(&other, &[]));
    let output = run(&format!(
        "calls --pairs 1 {} --ca {}",
        short(&server),
        stranger.data.join("tls/certificate.pem").display()
    ));
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("certificate"), "{}", stderr(&output));
}

#[test]
fn calls_at_a_rate_keep_to_it() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let result = measured(&format!("calls --pairs 4 --in-flight 64 --rate 100 --seconds 3 --url {}", server.url));
    // What is not answered at the end was due before it; a busy machine may be behind, but never ahead.
    let (calls, waiting) = (number(&result, "calls"), number(&result, "unanswered_at_end"));
    assert!(calls <= 410 && calls + waiting >= 200, "{result}");
    assert!(number(&result, "late_p50_us") < 1_000_000 && result["rate"] == 100.0, "{result}");
}

#[test]
fn idle_lines_answer_their_heartbeats() {
    let data = Data::new();
    let server = Server::up(&data, &["--heartbeat", "1s"]);
    let result = measured(&format!("idle --lines 60 --threads 2 {} --seconds 4", short(&server)));
    assert_eq!((number(&result, "lines_up"), number(&result, "lines_at_end")), (60, 60), "{result}");
    assert_eq!(number(&result, "errors"), 0, "{result}");
    assert!(number(&result, "heartbeats_answered") >= 60, "{result}");
    assert!(result["bytes_per_line"].is_f64() && result["hold_cpu_us"].is_u64(), "{result}");
    assert_documented(&result);
}

#[test]
fn an_idle_line_gives_the_body_of_a_call_back() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let kept = data.beside("agents");
    let words = format!("idle --lines 3 --agents-file {} --seconds 600 {}", kept.display(), short(&server));
    let words = words.replacen("--seconds 0.7", "", 1);
    let child = loadgen(&format!("{words} --json")).stdout(Stdio::piped()).spawn().expect("it starts");
    let agents: Vec<Value> = wait::eventually(LIMIT, "three agents with lines", || {
        let text = std::fs::read_to_string(&kept).ok()?;
        let agents: Vec<Value> = text.lines().map_while(|line| serde_json::from_str(line).ok()).collect();
        let attached = api::get(server.addr, "/connect/v1/relay/stats")["attached"].as_u64();
        (agents.len() == 3 && attached == Some(3)).then_some(agents)
    });
    let text = |agent: &Value, key: &str| agent[key].as_str().expect("text").to_owned();
    for (caller, callee) in [(0, 1), (1, 2), (2, 2)] {
        let request = api::call_request(&text(&agents[callee], "id"), &text(&agents[caller], "api_key"), "as it came");
        let answer = once(server.addr, &request);
        assert_eq!((answer.status, answer.text().as_str()), (200, "as it came"));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().expect("kill").success());
    let output = child.wait_with_output().expect("it ends");
    let result: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!((number(&result, "lines_at_end"), number(&result, "errors")), (3, 0), "{result}");
}

#[test]
fn agents_are_registered_and_a_file_holds_so_many() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let kept = data.beside("agents");
    let words = format!("register --threads 3 --strict --agents-file {} --url {}", kept.display(), server.url);
    for (more, registered, known) in [("--agents 5", 5, 0), ("--agents 20", 15, 5), ("--agents 20", 0, 20)] {
        let result = measured(&format!("{words} {more} --seconds 60 --warmup 0.1"));
        assert_eq!(
            (number(&result, "registrations"), number(&result, "agents_known")),
            (registered, known),
            "{result}"
        );
        assert_documented(&result);
    }
    assert_eq!(api::get(server.addr, "/connect/v1/agents")["total"], 20);
    let deleted = measured(&format!("register --agents 3 --seconds 60 --url {}", server.url));
    assert_eq!((number(&deleted, "registrations"), number(&deleted, "errors")), (3, 0), "{deleted}");
    assert_eq!(api::get(server.addr, "/connect/v1/agents")["total"], 20, "those that nobody keeps are deleted");
}

#[test]
fn all_lines_are_back_after_they_were_cut() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let result = measured(&format!("storm --lines 100 --threads 2 {} --seconds 30", short(&server)));
    let counts = ["lines_up", "lines_back", "lines_at_end"].map(|key| number(&result, key));
    assert_eq!((counts, number(&result, "errors")), ([100; 3], 0), "{result}");
    assert!(result["all_back_s"].as_f64() > Some(0.0) && number(&result, "attach_p50_us") > 0, "{result}");
    assert_documented(&result);
}

#[test]
fn all_lines_are_back_after_the_server_was_restarted() {
    let (data, listen) = (Data::new(), format!("127.0.0.1:{}", free_port()));
    let mut server = Server::up(&data, &["--listen", &listen]);
    let words = format!("storm --lines 40 --trigger server --url {} --seconds 60 --warmup 0.2 --json", server.url);
    let mut child = loadgen(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let _log = until_said(&mut child, "restart the server now");
    server.kill();
    // The kernel takes a killed process's rings down by itself, and its listener with them: a moment later.
    let mut again = vec!["up", "--listen", &listen, "--rate-limits", "off"];
    again.extend(server.url.starts_with("https://").then_some("--tls-self-signed"));
    let _again = wait::eventually(LIMIT, "the server again", || Server::try_start(&data, &again).ok());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{:?}", output.status);
    let result: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!((number(&result, "lines_up"), number(&result, "lines_back")), (40, 40), "{result}");
    // Nobody listened between the two.
    assert!(number(&result, "errors") > 0, "{result}");
    assert_documented(&result);
}

#[test]
fn an_interrupted_run_prints_what_it_measured() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let words = format!("calls --pairs 2 --url {} --seconds 600 --warmup 0 --json", server.url);
    let child = loadgen(&words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    wait::eventually(wait::SOON, "registered agents", || {
        (api::get(server.addr, "/connect/v1/agents")["total"].as_u64() == Some(4)).then_some(())
    });
    std::thread::sleep(Duration::from_secs(1));
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{}", stderr(&output));
    let result: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert!(result["interrupted"] == true && number(&result, "calls") > 0, "{result}");
    assert_eq!(api::get(server.addr, "/connect/v1/agents")["total"], 0, "its agents are deleted nevertheless");
}

#[test]
fn a_plot_is_drawn_and_agents_are_kept_if_that_is_wanted() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let plot = data.beside("plot.svg");
    let words = format!("calls --pairs 2 {} --keep --svg {}", short(&server), plot.display());
    let output = run(&words);
    assert!(output.status.success(), "{}", stderr(&output));
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(table.contains("calls_per_s") && table.contains("p999"), "{table}");
    let svg = std::fs::read_to_string(&plot).expect("the plot");
    assert!(svg.starts_with("<svg") && svg.contains("99 %") && svg.contains("pairs 2"), "{svg}");
    assert_eq!(api::get(server.addr, "/connect/v1/agents")["total"], 4);
}

#[test]
fn a_limit_of_registrations_is_explained() {
    let data = Data::new();
    let server = Server::up(&data, &["--rate-limits", "registration=2/min"]);
    let words = format!("calls --pairs 4 --register-timeout 1 --url {}", server.url);
    let output = run(&words);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("--rate-limits off"), "{}", stderr(&output));
    let token = server.data.join("admin-token");
    let result = measured(&format!("calls --pairs 4 {} --admin-token-file {}", short(&server), token.display()));
    assert_eq!(number(&result, "errors"), 0, "{result}");
}

#[test]
fn a_run_in_which_nothing_worked_fails_and_one_with_errors_says_which() {
    let output = run("calls --url http://127.0.0.1:1 --pairs 1");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("127.0.0.1:1"), "{}", stderr(&output));
    // One caller may have 64 calls in flight towards one line: the rest of 80 are refused.
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let words = format!("oneway --pairs 1 --in-flight 80 {}", short(&server));
    let result = measured(&words);
    assert!(number(&result["errors_by_kind"], "rate_limited") > 0 && number(&result, "messages") > 0, "{result}");
    assert!(result["first_error"].as_str().expect("the first error").contains("rate_limited"), "{result}");
    assert_eq!(run(&format!("{words} --strict")).status.code(), Some(1));
    // Larger than a body in one piece may be: every call is refused.
    let output = run(&format!("calls --pairs 1 --via http --size 2000000 {} --json", short(&server)));
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    let result: Value = serde_json::from_slice(&output.stdout).expect("the result is printed nevertheless");
    assert!(number(&result, "calls") == 0 && number(&result, "errors") > 0, "{result}");
}

/// A NATS server that ends with the test.
struct Nats(Child);

impl Drop for Nats {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A NATS server on this port, if the program is installed.
fn nats_server(port: u16, log: &Data) -> Option<Nats> {
    let mut command = Command::new("nats-server");
    command.args(["-a", "127.0.0.1", "-p", &port.to_string(), "-l"]).arg(log.beside("nats.log"));
    let Ok(child) = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn() else {
        eprintln!("skipped: nats-server is not installed (apt-get install nats-server)");
        return None;
    };
    let nats = Nats(child);
    wait::eventually(wait::SOON, "nats-server", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    Some(nats)
}

#[test]
fn the_same_work_runs_on_nats() {
    let (port, log) = (free_port(), Data::new());
    let Some(nats) = nats_server(port, &log) else { return };
    let target = format!("--target nats://127.0.0.1:{port} --server-pid {}", nats.0.id());
    for (words, counted) in [
        ("calls --pairs 4 --in-flight 4", "calls"),
        ("calls --pairs 2 --in-flight 8 --rate 200", "calls"),
        ("stream --pairs 2 --parts 8 --size 100", "streams"),
        // More than a window: parts stop unless the caller grants more.
        ("stream --pairs 2 --parts 100 --size 4096", "streams"),
        ("stream --pairs 2 --in-flight 2 --parts 8 --gap-ms 5", "streams"),
        ("oneway --pairs 3", "messages"),
        ("idle --lines 50 --threads 2", "lines_at_end"),
        ("storm --lines 100 --threads 2 --seconds 30", "lines_back"),
        ("churn --lines 6 --pairs 3 --in-flight 4 --churn 40 --away-ms 50", "calls"),
        ("mixed --pairs 6 --in-flight 2 --lines 20", "calls"),
        ("slow --pairs 3 --slow 4", "calls"),
    ] {
        // The last of two equal options counts.
        let result = measured(&words.replacen(' ', &format!(" {target} --seconds 0.7 --warmup 0.2 "), 1));
        assert_eq!(result["via"].as_str(), Some("nats"), "{words}: {result}");
        match counted {
            "lines_at_end" => assert_eq!(number(&result, counted), 50, "{result}"),
            "lines_back" => {
                let counts = ["lines_up", "lines_back", "lines_at_end"].map(|key| number(&result, key));
                assert_eq!(counts, [100; 3], "{result}");
            }
            _ => assert_whole(&result, counted),
        }
        assert_eq!(number(&result, "errors"), 0, "{words}: {result}");
        assert_documented(&result);
        // Nobody refuses what a slow agent is sent: its callers give up.
        let told = match words.split(' ').next() {
            Some("churn") => "no responders",
            Some("slow") => "timeout",
            _ => continue,
        };
        assert!(number(&result["refused_by_code"], told) > 0, "{result}");
    }
}

#[test]
fn all_lines_are_back_after_a_nats_server_was_restarted() {
    let (port, log) = (free_port(), Data::new());
    let Some(nats) = nats_server(port, &log) else { return };
    let words = format!("storm --lines 40 --trigger server --target nats://127.0.0.1:{port} --seconds 60 --warmup 0.2");
    let mut child =
        loadgen(&format!("{words} --json")).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
    let _log = until_said(&mut child, "restart the server now");
    drop(nats);
    // Dials fail meanwhile, and are made again.
    std::thread::sleep(Duration::from_millis(300));
    let _again = nats_server(port, &log);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{:?}", output.status);
    let result: Value = serde_json::from_slice(&output.stdout).expect("one JSON object");
    assert_eq!((number(&result, "lines_up"), number(&result, "lines_back")), (40, 40), "{result}");
    assert!(number(&result, "errors") > 0, "{result}");
}
