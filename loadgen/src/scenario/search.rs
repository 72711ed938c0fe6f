//! Searches, discoveries and facets, each at a rate: what finding an agent takes in a directory of some size.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::json;

use crate::args::SearchArgs;
use crate::http::{Blocking, Origin, refusal, request};
use crate::measure::{self, Recorder};
use crate::report::Report;
use crate::runtime;
use crate::stats::Tally;
use crate::synthetic::Synthetic;

/// What is asked, in turns.
const KINDS: [&str; 3] = ["search", "discover", "facets"];

/// Makes the requests.
struct Questions {
    host: String,
    prefix: String,
    admin: Option<String>,
    synthetic: Synthetic,
    limit: u32,
}

impl Questions {
    /// The request with this number, as bytes.
    fn request(&self, number: usize) -> Vec<u8> {
        let prefix = &self.prefix;
        let (verb, path, body) = match number % KINDS.len() {
            0 => {
                let words = escape(&self.synthetic.search(number));
                ("GET", format!("{prefix}/v1/search?q={words}&limit={}", self.limit), Vec::new())
            }
            1 => {
                let body = json!({"task": self.synthetic.task(number)}).to_string().into_bytes();
                ("POST", format!("{prefix}/v1/discover"), body)
            }
            _ => ("GET", format!("{prefix}/v1/agents/facets"), Vec::new()),
        };
        request(verb, &self.host, &path, self.admin.as_deref(), "application/json", &body)
    }
}

/// Words as a value of a query string.
fn escape(words: &str) -> String {
    words.replace(' ', "%20")
}

/// Runs the scenario.
///
/// # Errors
/// There is no server, or the admin token cannot be read.
pub fn run(args: &SearchArgs) -> anyhow::Result<Report> {
    let origin = Origin::of(&args.server)?;
    let admin = args.server.admin_token_file.as_ref().map(|path| {
        let token = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        anyhow::Ok(token.trim().to_owned())
    });
    let questions = Questions {
        host: origin.host.clone(),
        prefix: args.server.prefix.clone(),
        admin: admin.transpose()?,
        synthetic: Synthetic::new(args.run.seed),
        limit: args.limit,
    };
    let next = AtomicUsize::new(0);
    let outcome = measure::run(&args.run, |_, recorder| {
        runtime::run(ask(&questions, args.rate, &next, Blocking::connect(&origin)?, recorder))?
    })?;
    let mut report = Report::new("search");
    report.put("threads", args.run.threads);
    report.put("rate", args.rate);
    report.answers("questions", &outcome);
    for (name, times) in &outcome.tally.series {
        if KINDS.contains(name) {
            report.put(&format!("{name}_answers"), times.count());
            report.times(name, times);
        }
    }
    if let Some(late) = outcome.tally.series.get("late") {
        report.put("late_p50_us", late.quantile(0.5));
        report.put("late_p99_us", late.quantile(0.99));
    }
    report.put("found_nothing", outcome.tally.number("found_nothing"));
    report.server(&outcome, outcome.tally.latencies.count());
    report.end(&outcome, &args.run);
    Ok(report)
}

/// One connection. Whichever is free takes the next question; its time counts from when it was meant to be asked.
/// Nothing else runs on its thread, so it may block.
async fn ask(
    questions: &Questions,
    rate: f64,
    next: &AtomicUsize,
    mut connection: Blocking,
    recorder: Recorder,
) -> anyhow::Result<Tally> {
    // What is answered before counting begins warms up and is not counted.
    let interval = Duration::from_secs_f64(1.0 / (rate * KINDS.len() as f64));
    recorder.until_counting().await;
    let began = Instant::now();
    while !recorder.window().is_over() {
        let number = next.fetch_add(1, Relaxed);
        let due = began + interval * u32::try_from(number).unwrap_or(u32::MAX);
        let request = questions.request(number);
        if let Some(wait) = due.checked_duration_since(Instant::now()) {
            std::thread::sleep(wait);
        }
        recorder.record("late", due.elapsed());
        match answer(&mut connection, &request) {
            Ok(found) => {
                recorder.answered(due);
                recorder.record(KINDS[number % KINDS.len()], due.elapsed());
                recorder.count("found_nothing", u64::from(!found));
            }
            Err(error) => {
                recorder.failed_with("a question", &error);
                break;
            }
        }
    }
    recorder.complete();
    Ok(recorder.until_over().await)
}

/// Asks and reads. Does the answer hold an agent, or a facet?
fn answer(connection: &mut Blocking, request: &[u8]) -> anyhow::Result<bool> {
    let (head, body) = connection.exchange(request)?;
    if head.status != 200 {
        bail!("answered with {} {}", head.status, refusal(head.status, &body));
    }
    let has = |what: &[u8]| body.windows(what.len()).any(|part| part == what);
    Ok(has(b"\"id\":") || has(b"\"agent_id\":") || has(b"\"value\":"))
}
