//! Lines come and go, twenty a second, while the list is read and everybody on it is called.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use landline_tests::http::Conn;
use landline_tests::server::{Data, Server};
use landline_tests::sse::Listener;
use landline_tests::wait::eventually;
use landline_tests::{api, tls};
use serde_json::Value;

use super::online;

/// Agents whose lines come and go.
const LINES: usize = 16;
/// Nearly everybody who is listed and gone left no longer ago than this, in milliseconds: nine of ten.
const LEFT: i64 = 100;
/// Nobody who is listed left longer ago than this, in milliseconds: a busy machine runs none of the processes for a while.
const LEFT_AT_MOST: i64 = 1_000;
/// How long the list is read.
const TIME: Duration = Duration::from_secs(8);

fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_millis() as i64
}

/// Starts the generator; it writes its agents to a file.
fn loadgen(url: &str, agents: &Path) -> Child {
    let test = std::env::current_exe().expect("a test knows where it is");
    let program = test.ancestors().nth(2).expect("target/<profile>/deps/test").join("landline-loadgen");
    assert!(program.is_file(), "{} is missing: `cargo build -p landline-loadgen` makes it", program.display());
    let words = "churn --pairs 1 --churn 20 --away-ms 300 --rate 20 --threads 1 --warmup 0 --seconds 20";
    let mut command = Command::new(program);
    command.env_remove("LANDLINE_URL").env_remove("LANDLINE_CA").args(words.split(' '));
    command.args(["--lines", &LINES.to_string(), "--url", url, "--agents-file"]).arg(agents);
    if let Some(file) = tls::trusted_by_own_clients() {
        command.env("LANDLINE_CA", file);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it runs")
}

/// The agents whose lines come and go: the first ones of the file. The others only call, and answer nobody.
fn callees(file: &Path) -> BTreeSet<String> {
    let read = || {
        let text = fs::read_to_string(file).ok()?;
        let ids = text.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let ids: Vec<String> = ids.filter_map(|agent| agent["id"].as_str().map(str::to_owned)).collect();
        (ids.len() > LINES).then(|| ids.into_iter().take(LINES).collect())
    };
    eventually(Duration::from_secs(30), "the generator's agents", read)
}

/// A call that had no answer.
struct Unanswered {
    agent: String,
    /// When the list was asked for, and when the call had failed, unix milliseconds.
    asked_at: i64,
    failed_at: i64,
    status: u16,
}

#[test]
fn everybody_on_the_list_answers_but_who_left_a_moment_ago() {
    let data = Data::new();
    let server = Server::up(&data, &[]);
    let addr = server.addr;
    let caller = api::register(addr, "caller");
    let events = Listener::start(addr, "agents", None);
    let file = data.beside("agents");
    let mut load = loadgen(&server.url, &file);
    let outcome = std::panic::catch_unwind(|| read_and_call(addr, &caller.key, &callees(&file)));
    let _ = load.kill();
    let _ = load.wait();
    let (answered, unanswered, polls) = outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    // The last events may still be on their way.
    std::thread::sleep(Duration::from_millis(500));
    let left: Vec<(String, i64)> = events
        .events()
        .iter()
        .filter(|event| event.kind == "agent.disconnect")
        .map(|event| (event.data["agent_id"].as_str().expect("an id").to_owned(), unix_ms(&event.data["ts"])))
        .collect();
    // How long before the list was asked for it had left; `None`: it had not.
    let before = |call: &Unanswered| {
        let times = left.iter().filter(|(agent, at)| *agent == call.agent && *at <= call.failed_at).map(|(_, at)| *at);
        times.max().map(|at| call.asked_at - at)
    };
    let is_excused = |call: &&Unanswered| before(call).is_some_and(|ms| ms <= LEFT_AT_MOST);
    let (excused, failures): (Vec<_>, Vec<_>) = unanswered.iter().partition(is_excused);
    let mut times: Vec<i64> = excused.iter().filter_map(|call| before(call)).collect();
    times.sort_unstable();
    let longest = times.last().copied().unwrap_or_default();
    let nine_of_ten = times.get(times.len() * 9 / 10).copied().unwrap_or_default();
    eprintln!(
        "{polls} looks, {answered} calls answered, {} not since the agent had left, nine of ten at most {nine_of_ten} ms \
         before the look, all at most {longest}; {} lines closed",
        excused.len(),
        left.len()
    );
    for call in &failures {
        eprintln!(
            "{} gave {}, listed at {}, left {:?} ms before",
            call.agent,
            call.status,
            call.asked_at,
            before(call)
        );
    }
    assert!(failures.is_empty(), "{} of {} calls to listed agents had no answer", failures.len(), answered);
    assert!(nine_of_ten <= LEFT, "who left is listed for {nine_of_ten} ms, not a moment");
    assert!(answered > 100 && left.len() > 20, "{answered} {}", left.len());
    server.assert_no_panic();
}

/// Reads the list and calls everybody on it, again and again. Gives the calls that were answered, those that were not, and
/// how often somebody was listed.
fn read_and_call(addr: SocketAddr, key: &str, callees: &BTreeSet<String>) -> (usize, Vec<Unanswered>, usize) {
    let (mut answered, mut unanswered, mut polls) = (0, Vec::new(), 0);
    let deadline = Instant::now() + TIME;
    while Instant::now() < deadline {
        let asked_at = now_ms();
        let agents: Vec<String> = online(addr).into_iter().filter(|agent| callees.contains(agent)).collect();
        polls += usize::from(!agents.is_empty());
        // All at once: what is said of a list holds for its moment.
        let calls: Vec<_> = agents
            .into_iter()
            .map(|agent| {
                let mut conn = Conn::open(addr).expect("listens");
                conn.start(&api::call_request(&agent, key, "\"hello\"")).expect("sent");
                (agent, conn)
            })
            .collect();
        for (agent, mut conn) in calls {
            let answer = conn.answer(Duration::from_secs(10)).expect("an answer");
            if answer.status == 200 {
                assert_eq!(answer.body, b"\"hello\"");
                answered += 1;
            } else {
                unanswered.push(Unanswered { agent, asked_at, failed_at: now_ms(), status: answer.status });
            }
        }
    }
    (answered, unanswered, polls)
}

/// Unix milliseconds of a time as the API writes it: `2025-07-14T12:00:00.000Z`.
fn unix_ms(time: &Value) -> i64 {
    let text = time.as_str().expect("a time");
    let number = |range: std::ops::Range<usize>| text[range].parse::<i64>().expect("digits");
    let (year, month, day) = (number(0..4), number(5..7), number(8..10));
    // Days since 1970-01-01 in the proleptic Gregorian calendar, with years that begin in March.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + day - 1 - 719_468;
    ((days * 24 + number(11..13)) * 60 + number(14..16)) * 60_000 + number(17..19) * 1_000 + number(20..23)
}

#[test]
fn times_are_read() {
    assert_eq!(unix_ms(&"2025-07-14T12:00:00.000Z".into()), 1_752_494_400_000);
    assert_eq!(unix_ms(&"1970-01-01T00:00:00.001Z".into()), 1);
    assert_eq!(unix_ms(&"2024-02-29T23:59:59.999Z".into()), 1_709_251_199_999);
}
