//! What a run prints.

use std::io::Write;

use anyhow::bail;
use serde::Serialize;
use serde_json::Value;

use crate::measure::Outcome;

/// Result of a run of calls, or of their raw floor.
#[derive(Debug, Clone, Serialize)]
pub struct Calls {
    /// What ran: `ws`, `http` or `raw`.
    pub scenario: &'static str,
    /// Pairs of a caller and a callee.
    pub pairs: usize,
    /// Calls in flight per pair.
    pub in_flight: usize,
    /// Bytes of a body.
    pub size: usize,
    /// Seconds that were counted.
    pub seconds: f64,
    /// Calls answered in that time.
    pub calls: u64,
    /// Calls per second.
    pub calls_per_s: f64,
    /// Median latency, microseconds.
    pub p50_us: u64,
    /// 99th percentile.
    pub p99_us: u64,
    /// The slowest.
    pub max_us: u64,
    /// Wrong answers and ended lines, from the first call on.
    pub errors: u64,
    /// The first of them.
    pub first_error: Option<String>,
    /// CPU time of the server per relayed message (a call is two), microseconds.
    pub server_cpu_us_per_message: Option<f64>,
    /// Share of one core that the server used.
    pub server_cores: Option<f64>,
}

impl Calls {
    /// Puts an outcome into figures.
    pub fn new(scenario: &'static str, pairs: usize, in_flight: usize, size: usize, outcome: Outcome) -> Self {
        let Outcome { tally, elapsed, server_cpu_us } = outcome;
        let (calls, seconds) = (tally.latencies.len(), elapsed.as_secs_f64());
        let per_message = |cpu: u64| (calls > 0).then(|| cpu as f64 / (2 * calls) as f64);
        Self {
            scenario,
            pairs,
            in_flight,
            size,
            seconds,
            calls,
            calls_per_s: calls as f64 / seconds,
            p50_us: tally.latencies.value_at_quantile(0.5),
            p99_us: tally.latencies.value_at_quantile(0.99),
            max_us: tally.latencies.max(),
            errors: tally.errors,
            first_error: tally.first_error,
            server_cpu_us_per_message: server_cpu_us.and_then(per_message),
            server_cores: server_cpu_us.map(|cpu| cpu as f64 / 1e6 / seconds),
        }
    }

    /// A run with errors or without calls has failed.
    ///
    /// # Errors
    /// Says which.
    pub fn verdict(&self) -> anyhow::Result<()> {
        match (self.calls, &self.first_error) {
            (_, Some(first)) => bail!("{} errors; the first: {first}", self.errors),
            (0, None) => bail!("no call was answered"),
            _ => Ok(()),
        }
    }
}

/// Result of a run of idle lines.
#[derive(Debug, Clone, Serialize)]
pub struct Idle {
    /// `idle`
    pub scenario: &'static str,
    /// Lines that were opened.
    pub lines: usize,
    /// Lines that were still up at the end.
    pub lines_at_end: usize,
    /// Seconds from the first dial to the last `ready`.
    pub open_seconds: f64,
    /// Resident memory of the server before, bytes.
    pub rss_before: Option<u64>,
    /// And with all lines up.
    pub rss_after: Option<u64>,
    /// The difference per line.
    pub bytes_per_line: Option<f64>,
    /// CPU time of the server while the lines were held, microseconds.
    pub hold_cpu_us: Option<u64>,
    /// How long they were held, seconds.
    pub hold_seconds: f64,
}

impl Idle {
    /// A run that lost lines has failed.
    ///
    /// # Errors
    /// Says how many.
    pub fn verdict(&self) -> anyhow::Result<()> {
        match self.lines - self.lines_at_end {
            0 => Ok(()),
            lost => bail!("{lost} of {} lines were lost", self.lines),
        }
    }
}

/// Prints a result on stdout: one line of JSON, or a table.
///
/// # Errors
/// Stdout is closed.
pub fn print(result: &impl Serialize, json: bool) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, result)?;
        writeln!(out)?;
        return Ok(());
    }
    let Value::Object(fields) = serde_json::to_value(result)? else { bail!("a result is a record") };
    for (name, value) in fields {
        let text = match value {
            Value::Null => continue,
            Value::Number(number) if number.is_f64() => format!("{:.2}", number.as_f64().unwrap_or_default()),
            Value::String(text) => text,
            other => other.to_string(),
        };
        writeln!(out, "{name:<26} {text}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::measure::Tally;

    #[test]
    fn a_call_is_two_messages() {
        let mut tally = Tally::default();
        for micros in 1..=1_000 {
            tally.latencies.record(micros).unwrap();
        }
        let outcome = Outcome { tally, elapsed: Duration::from_secs(2), server_cpu_us: Some(10_000) };
        let calls = Calls::new("ws", 1, 1, 128, outcome);
        assert_eq!((calls.calls, calls.calls_per_s, calls.p50_us, calls.max_us), (1_000, 500.0, 500, 1_000));
        assert_eq!((calls.server_cpu_us_per_message, calls.server_cores), (Some(5.0), Some(0.005)));
        assert!(calls.verdict().is_ok());
    }

    #[test]
    fn errors_and_silence_fail_a_run() {
        let silent = || Outcome { tally: Tally::default(), elapsed: Duration::from_secs(1), server_cpu_us: None };
        assert!(Calls::new("ws", 1, 1, 1, silent()).verdict().is_err());
        let mut broken = silent();
        broken.tally.latencies.record(1).unwrap();
        broken.tally.errors = 1;
        broken.tally.first_error = Some("x".into());
        assert!(Calls::new("ws", 1, 1, 1, broken).verdict().is_err());
    }
}
