//! What a run says: a table, or one JSON object; and a plot.

use std::io::Write;

use anyhow::{Context, bail};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::args::Run;
use crate::measure::Outcome;
use crate::stats::{Errors, Latencies, STEP_MS, Sent};
use crate::svg;

/// The shares that are printed, with their names.
const SHARES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999)];

/// Offers that are later than this at the 99th percentile are the generator's failure.
const LATE_US: u64 = 1_000;
/// A generator thread that is busier than this may be what is measured.
const BUSY: f64 = 0.95;

/// The result of a run, in the order in which it is printed.
#[derive(Debug, Clone, Default)]
pub struct Report {
    entries: Vec<Entry>,
    timeline: Vec<f64>,
    worked: u64,
    errors: u64,
    first_error: Option<String>,
    notes: Vec<String>,
}

#[derive(Debug, Clone)]
enum Entry {
    Fact(String, Value),
    Times(String, Latencies),
}

impl Report {
    /// Of this scenario.
    pub fn new(scenario: &str) -> Self {
        let mut report = Self::default();
        report.put("scenario", scenario);
        report
    }

    /// Adds a fact.
    pub fn put(&mut self, key: &str, value: impl Into<Value>) {
        self.entries.push(Entry::Fact(key.to_owned(), value.into()));
    }

    /// Adds times. `name` is before each of their keys; the answers themselves have none.
    pub fn times(&mut self, name: &str, times: &Latencies) {
        self.entries.push(Entry::Times(name.to_owned(), times.clone()));
    }

    /// Adds what was answered how fast: `what` are calls or messages.
    pub fn answers(&mut self, what: &str, outcome: &Outcome) {
        let (count, seconds) = (outcome.tally.latencies.count(), outcome.elapsed.as_secs_f64());
        self.put("seconds", seconds);
        self.put(what, count);
        self.put(&format!("{what}_per_s"), count as f64 / seconds);
        self.times("", &outcome.tally.latencies);
        self.timeline = outcome.tally.timeline.per_second(outcome.elapsed);
        let whole = self.timeline.chunks_exact((1_000 / STEP_MS) as usize);
        let each: Vec<f64> = whole.map(|second| second.iter().sum::<f64>() / second.len() as f64).collect();
        self.put("per_s_each_second", each);
        self.worked(count);
    }

    /// Adds what the server used, of which `messages` is what it relayed meanwhile.
    pub fn server(&mut self, outcome: &Outcome, messages: u64) {
        let seconds = outcome.elapsed.as_secs_f64();
        let used = outcome.server;
        let per_message = used.filter(|_| messages > 0).map(|used| used.cpu_us as f64 / messages as f64);
        self.put("server_cpu_us_per_message", per_message);
        self.put("server_cores", used.map(|used| used.cpu_us as f64 / 1e6 / seconds));
        self.put("server_rss_bytes", used.map(|used| used.rss_end));
    }

    /// Adds how many calls were sent and how they ended; `name` is before each of their keys.
    pub fn calls(&mut self, name: &str, calls: &Sent) {
        if calls.sent > 0 {
            self.put(&format!("{name}sent"), calls.sent);
            self.put(&format!("{name}ended"), calls.ended);
            self.put(&format!("{name}refused_by_code"), by_kind(&calls.refused));
        }
    }

    /// Adds what went wrong, and how the generator itself did.
    pub fn end(&mut self, outcome: &Outcome, run: &Run) {
        self.calls("", &outcome.tally.calls);
        self.failures("", &outcome.tally.errors);
        let cores = outcome.own_cpu_us as f64 / 1e6 / outcome.elapsed.as_secs_f64();
        self.put("generator_cores", cores);
        let late = outcome.tally.series.get("late").map(|late| late.quantile(0.99));
        let kept_up = late.is_none_or(|late| late <= LATE_US) && (late.is_some() || cores < BUSY * run.threads as f64);
        self.put("generator_kept_up", kept_up);
        if !kept_up {
            let late = late.map(|late| format!("began 1 % of its calls more than {late} µs late, and "));
            self.notes.push(format!(
                "the generator {}used {cores:.2} cores on {} threads: it may be what was measured; give it --threads or \
                 a quieter machine",
                late.unwrap_or_default(),
                run.threads
            ));
        }
        self.put("interrupted", outcome.interrupted);
        if outcome.interrupted {
            self.notes.push(format!("ended after {:.1} of {} s", outcome.elapsed.as_secs_f64(), run.seconds));
        }
    }

    /// Adds errors; `name` is before each of their keys.
    pub fn failures(&mut self, name: &str, errors: &Errors) {
        self.put(&format!("{name}errors"), errors.total());
        self.put(&format!("{name}errors_by_kind"), by_kind(errors));
        self.put(&format!("{name}first_error"), errors.first());
        if name.is_empty() {
            self.errors += errors.total();
            self.first_error = self.first_error.take().or(errors.first().map(str::to_owned));
        }
    }

    /// So many things that were to be shown worked.
    pub fn worked(&mut self, number: u64) {
        self.worked += number;
    }

    /// Something that a reader of the figures has to know.
    pub fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Prints it, and draws it if that is wanted.
    ///
    /// # Errors
    /// Stdout is closed, or the file cannot be written.
    pub fn print(&self, run: &Run) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        if run.json {
            serde_json::to_writer(&mut out, self)?;
            writeln!(out)?;
        } else {
            write!(out, "{}", self.table())?;
        }
        out.flush()?;
        for note in &self.notes {
            eprintln!("note: {note}");
        }
        if let Some(path) = &run.svg {
            std::fs::write(path, self.plot()).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(())
    }

    /// A run in which nothing worked has failed; a strict one after any error.
    ///
    /// # Errors
    /// Says which.
    pub fn verdict(&self, strict: bool) -> anyhow::Result<()> {
        match &self.first_error {
            Some(first) if strict || self.worked == 0 => bail!("{} errors; the first: {first}", self.errors),
            None if self.worked == 0 => bail!("nothing worked: there was no answer, and no error either"),
            _ => Ok(()),
        }
    }

    fn table(&self) -> String {
        let mut text = String::new();
        for entry in &self.entries {
            let Entry::Fact(key, value) = entry else { continue };
            let value = match value {
                Value::Null | Value::Array(_) => continue,
                Value::Object(kinds) if kinds.is_empty() => continue,
                Value::Object(kinds) => {
                    kinds.iter().map(|(kind, count)| format!("{count} × {kind}")).collect::<Vec<_>>().join(", ")
                }
                Value::Number(number) if number.is_f64() => format!("{:.2}", number.as_f64().unwrap_or_default()),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            text.push_str(&format!("{key:<26} {value}\n"));
        }
        let mut head = String::new();
        for entry in &self.entries {
            let Entry::Times(name, times) = entry else { continue };
            if head.is_empty() {
                head = format!("{:<26} {:>10}", "µs", "number");
                let names = SHARES.iter().map(|(name, _)| *name).chain(["max"]);
                names.for_each(|name| head.push_str(&format!(" {name:>9}")));
                text.push_str(&format!("{head}\n"));
            }
            text.push_str(&format!("{:<26} {:>10}", if name.is_empty() { "answer" } else { name }, times.count()));
            let values = SHARES.iter().map(|(_, share)| times.quantile(*share)).chain([times.max()]);
            values.for_each(|value| text.push_str(&format!(" {value:>9}")));
            text.push('\n');
        }
        text
    }

    /// The plot, as SVG.
    pub fn plot(&self) -> String {
        let mut curves = Vec::new();
        let mut title = Vec::new();
        for entry in &self.entries {
            match entry {
                Entry::Times(name, times) if times.count() > 0 => {
                    let name = if name.is_empty() { "answer" } else { name };
                    curves.push(svg::Curve { name: name.to_owned(), points: svg::tail(times) });
                }
                Entry::Fact(key, value)
                    if ["scenario", "via", "pairs", "lines", "in_flight", "size", "rate"].contains(&key.as_str())
                        && !value.is_null() =>
                {
                    let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    title.push(if key == "scenario" { value } else { format!("{key} {value}") });
                }
                _ => {}
            }
        }
        svg::draw(&title.join(", "), &curves, &self.timeline, STEP_MS as f64 / 1_000.0)
    }
}

fn by_kind(errors: &Errors) -> serde_json::Map<String, Value> {
    errors.kinds().iter().map(|(kind, count)| (kind.clone(), Value::from(*count))).collect()
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for entry in &self.entries {
            match entry {
                Entry::Fact(key, value) => map.serialize_entry(key, value)?,
                Entry::Times(name, times) => {
                    let prefix = if name.is_empty() { String::new() } else { format!("{name}_") };
                    for (share, value) in SHARES {
                        map.serialize_entry(&format!("{prefix}{share}_us"), &times.quantile(value))?;
                    }
                    map.serialize_entry(&format!("{prefix}max_us"), &times.max())?;
                    map.serialize_entry(&format!("{prefix}mean_us"), &times.mean())?;
                }
            }
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};
    use crate::measure::ServerUse;
    use crate::stats::Tally;

    fn run() -> Run {
        let Command::Calls(args) = Cli::parse_from(["x", "calls"]).command else { panic!("calls") };
        args.run
    }

    fn outcome() -> Outcome {
        let mut tally = Tally::default();
        for micros in 1..=1_000 {
            tally.latencies.record(Duration::from_micros(micros));
            tally.timeline.add(Duration::from_millis(micros));
        }
        Outcome {
            tally,
            elapsed: Duration::from_secs(2),
            start: Duration::ZERO,
            server: Some(ServerUse { cpu_us: 10_000, rss_before: 0, rss_up: 0, rss_end: 4_096 }),
            own_cpu_us: 20_000,
            interrupted: false,
        }
    }

    fn report(outcome: &Outcome) -> Report {
        let mut report = Report::new("calls");
        report.answers("calls", outcome);
        report.server(outcome, 2 * outcome.tally.latencies.count());
        report.end(outcome, &run());
        report
    }

    #[test]
    fn a_call_is_two_messages() {
        let json = serde_json::to_value(report(&outcome())).unwrap();
        for (key, value) in [("calls", 1_000.0), ("calls_per_s", 500.0), ("p50_us", 500.0), ("max_us", 1_000.0)] {
            assert_eq!(json[key].as_f64(), Some(value), "{key}");
        }
        assert_eq!(
            (json["server_cpu_us_per_message"].as_f64(), json["server_cores"].as_f64()),
            (Some(5.0), Some(0.005))
        );
        assert_eq!((json["generator_cores"].as_f64(), json["generator_kept_up"].as_bool()), (Some(0.01), Some(true)));
        assert_eq!((json["errors"].as_u64(), json["first_error"].is_null()), (Some(0), true));
    }

    #[test]
    fn only_a_run_in_which_nothing_worked_fails_unless_it_is_strict() {
        let mut broken = outcome();
        broken.tally.errors.add("lost", || "a line was lost".into());
        assert!(report(&broken).verdict(false).is_ok());
        assert!(report(&broken).verdict(true).unwrap_err().to_string().contains("a line was lost"));
        broken.tally.latencies = Latencies::default();
        assert!(report(&broken).verdict(false).is_err());
        broken.tally.errors = Errors::default();
        assert!(report(&broken).verdict(false).is_err());
        assert!(report(&outcome()).verdict(true).is_ok());
    }

    #[test]
    fn a_generator_that_was_late_or_busy_says_so() {
        let mut late = outcome();
        late.tally.series.entry("late").or_default().record(Duration::from_millis(5));
        let mut busy = outcome();
        busy.own_cpu_us = 1_999_000;
        for outcome in [late, busy] {
            let report = report(&outcome);
            assert_eq!(serde_json::to_value(&report).unwrap()["generator_kept_up"], false);
            assert_eq!(report.notes.len(), 1);
        }
    }

    #[test]
    fn a_table_has_the_facts_and_the_times() {
        let mut broken = outcome();
        broken.tally.errors.add("rate_limited", || "too many".into());
        let table = report(&broken).table();
        let row = |name: &str| table.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
        assert!(row("calls_per_s").ends_with(" 500.00"));
        assert!(row("errors_by_kind").ends_with(" 1 × rate_limited"));
        assert_eq!(
            row("answer").split_whitespace().collect::<Vec<_>>(),
            ["answer", "1000", "500", "900", "990", "999", "1000"]
        );
    }
}
