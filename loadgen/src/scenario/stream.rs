//! Answers in many parts, as agents give them that think aloud.

use super::check_descriptors;
use super::ends::with_ends;
use super::traffic::{Traffic, pairs_of, via_name};
use crate::args::{StreamArgs, Via};
use crate::load::script::{Ask, Wanted};
use crate::report::Report;
use crate::{measure, runtime};

/// Runs the scenario.
///
/// # Errors
/// The agents could not be registered or brought up.
pub fn run(args: &StreamArgs) -> anyhow::Result<Report> {
    let callers = if args.via == Via::Http { args.in_flight } else { 1 };
    check_descriptors(args.pairs * (callers + 1))?;
    let wanted = Wanted::Parts { count: args.parts, bytes: args.size, gap_ms: args.gap_ms };
    let traffic = Traffic {
        via: args.via,
        asks: vec![Ask::new(0, wanted)],
        in_flight: args.in_flight,
        open: None,
        run: &args.run,
    };
    let outcome = with_ends(&args.server, 2 * args.pairs, |ends| {
        measure::run(&args.run, |number, recorder| {
            runtime::run(traffic.load(pairs_of(ends, number, args.run.threads), number, recorder))?
        })
    })?;
    let (parts, bytes) = (outcome.tally.number("parts"), outcome.tally.number("bytes"));
    let seconds = outcome.elapsed.as_secs_f64();
    let mut report = Report::new("stream");
    report.put("via", via_name(&args.server, args.via));
    report.put("pairs", args.pairs);
    report.put("in_flight", args.in_flight);
    report.put("parts", args.parts);
    report.put("size", args.size);
    report.put("gap_ms", args.gap_ms);
    report.answers("streams", &outcome);
    report.put("parts_per_s", parts as f64 / seconds);
    report.put("bytes_per_s", bytes as f64 / seconds);
    for name in ["first_part", "gap"] {
        report.times(name, outcome.tally.series.get(name).unwrap_or(&Default::default()));
    }
    // Each part is a message, and so is each request. Over HTTP what arrives in one read counts as one part.
    report.server(&outcome, parts + outcome.tally.latencies.count());
    // A stream that is longer than the run is no failure: its parts came.
    report.worked(parts);
    report.end(&outcome, &args.run);
    Ok(report)
}
