//! Many lines that are up and silent: what one costs the server.

use super::check_descriptors;
use super::ends::{End, with_ends};
use super::lines::{self, of_thread};
use super::traffic::via_name;
use crate::args::{IdleArgs, Via};
use crate::measure::{self, Outcome, Recorder};
use crate::report::Report;
use crate::runtime;
use crate::stats::Tally;

/// Runs the scenario.
///
/// # Errors
/// The agents could not be registered.
pub fn run(args: &IdleArgs) -> anyhow::Result<Report> {
    check_descriptors(args.lines)?;
    let outcome = with_ends(&args.server, args.lines, |ends| {
        measure::run(&args.run, |number, recorder| {
            runtime::run(load(args, of_thread(ends, number, args.run.threads), recorder))?
        })
    })?;
    Ok(report(args, &outcome))
}

async fn load(args: &IdleArgs, mine: Vec<(usize, End)>, recorder: Recorder) -> anyhow::Result<Tally> {
    let up = lines::hold(mine, args.sources.number(args.lines), &recorder).await;
    recorder.until_counting().await;
    let opened = up.get();
    let mut tally = recorder.until_over().await;
    tally.counts.insert("lines_up", opened as u64);
    tally.counts.insert("lines_at_end", up.get() as u64);
    Ok(tally)
}

fn report(args: &IdleArgs, outcome: &Outcome) -> Report {
    let up = outcome.tally.number("lines_up");
    let seconds = outcome.elapsed.as_secs_f64();
    let used = outcome.server;
    let mut report = Report::new("idle");
    report.put("via", via_name(&args.server, Via::Ws));
    report.put("lines", args.lines);
    report.put("sources", args.sources.number(args.lines));
    report.put("lines_up", up);
    report.put("lines_at_end", outcome.tally.number("lines_at_end"));
    report.put("open_seconds", outcome.start.as_secs_f64());
    report.put("rss_before", used.map(|used| used.rss_before));
    report.put("rss_up", used.map(|used| used.rss_up));
    // When they have been idle for a while: what it took to dial is no part of an idle line.
    report.put("rss_after", used.map(|used| used.rss_end));
    let per_line = used.filter(|_| up > 0).map(|used| (used.rss_end as f64 - used.rss_before as f64) / up as f64);
    report.put("bytes_per_line", per_line);
    report.put("hold_seconds", seconds);
    report.put("heartbeats_answered", outcome.tally.number("heartbeats"));
    report.put("hold_cpu_us", used.map(|used| used.cpu_us));
    let per_second = used.filter(|_| up > 0).map(|used| used.cpu_us as f64 / up as f64 / seconds);
    report.put("cpu_us_per_line_s", per_second);
    report.worked(outcome.tally.number("lines_at_end"));
    report.end(outcome, &args.run);
    report
}
