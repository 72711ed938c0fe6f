//! Callers and callees. Each callee echoes what it is asked; each caller keeps so many calls in flight, or calls at a
//! rate, and checks every answer.

use super::check_descriptors;
use super::ends::with_ends;
use super::traffic::{self, Traffic, pairs_of, via_name};
use crate::args::{CallsArgs, Via};
use crate::load::script::{Ask, Wanted};
use crate::report::Report;
use crate::{measure, runtime};

/// Runs the scenario.
///
/// # Errors
/// The agents could not be registered or brought up.
pub fn run(args: &CallsArgs) -> anyhow::Result<Report> {
    let shape = &args.shape;
    let callers = if args.via == Via::Http { shape.in_flight } else { 1 };
    check_descriptors(shape.pairs * (callers + 1))?;
    let traffic = Traffic {
        via: args.via,
        asks: vec![Ask::new(shape.size, Wanted::Echo)],
        in_flight: shape.in_flight,
        open: Some(&args.open),
        run: &args.run,
    };
    let outcome = with_ends(&args.server, 2 * shape.pairs, |ends| {
        measure::run(&args.run, |number, recorder| {
            runtime::run(traffic.load(pairs_of(ends, number, args.run.threads), number, recorder))?
        })
    })?;
    let mut report = Report::new("calls");
    report.put("via", via_name(&args.server, args.via));
    report.put("pairs", shape.pairs);
    report.put("in_flight", shape.in_flight);
    report.put("size", shape.size);
    report.answers("calls", &outcome);
    traffic::report_rate(&mut report, &args.open, &outcome.tally);
    // A call is two messages: its request and its answer.
    report.server(&outcome, 2 * outcome.tally.latencies.count());
    report.end(&outcome, &args.run);
    Ok(report)
}
