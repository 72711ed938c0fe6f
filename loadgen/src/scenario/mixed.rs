//! A mix: small, middle and large calls and streams, beside idle lines. Of 100 calls 80 are small (`--size`), 12 have
//! 4 KiB, 3 have 64 KiB, and 5 are answered with 20 parts of 256 bytes.

use super::check_descriptors;
use super::ends::{End, with_ends};
use super::lines::{self, of_thread};
use super::traffic::{self, Traffic, pairs_of, via_name};
use crate::args::{MixedArgs, Via};
use crate::load::script::{Ask, Wanted};
use crate::measure::{self, Recorder};
use crate::report::Report;
use crate::runtime;
use crate::stats::Tally;

/// The kinds of calls, with their shares in a hundred.
fn asks(size: usize) -> Vec<Ask> {
    let parts = Wanted::Parts { count: 20, bytes: 256, gap_ms: 0 };
    vec![
        Ask::new(size, Wanted::Echo).named("small", 80),
        Ask::new(4 << 10, Wanted::Echo).named("middle", 12),
        Ask::new(64 << 10, Wanted::Echo).named("large", 3),
        Ask::new(size, parts).named("stream", 5),
    ]
}

/// Runs the scenario.
///
/// # Errors
/// The agents could not be registered or brought up.
pub fn run(args: &MixedArgs) -> anyhow::Result<Report> {
    let shape = &args.shape;
    let callers = if args.via == Via::Http { shape.in_flight } else { 1 };
    check_descriptors(shape.pairs * (callers + 1) + args.lines)?;
    let traffic = Traffic {
        via: args.via,
        asks: asks(shape.size),
        in_flight: shape.in_flight,
        open: Some(&args.open),
        run: &args.run,
    };
    let outcome = with_ends(&args.server, 2 * shape.pairs + args.lines, |ends| {
        let (pairs, idle) = ends.split_at(2 * shape.pairs);
        measure::run(&args.run, |number, recorder| {
            let threads = args.run.threads;
            let (pairs, idle) = (pairs_of(pairs, number, threads), of_thread(idle, number, threads));
            runtime::run(load(args, &traffic, pairs, idle, number, recorder))?
        })
    })?;
    let tally = &outcome.tally;
    let mut report = Report::new("mixed");
    report.put("via", via_name(&args.server, args.via));
    report.put("pairs", shape.pairs);
    report.put("in_flight", shape.in_flight);
    report.put("size", shape.size);
    report.put("lines", args.lines);
    report.put("lines_at_end", tally.number("lines_at_end"));
    report.answers("calls", &outcome);
    traffic::report_rate(&mut report, &args.open, tally);
    for ask in &traffic.asks {
        let Some(name) = ask.name else { continue };
        let times = tally.series.get(name).cloned().unwrap_or_default();
        report.put(&format!("{name}_calls"), times.count());
        report.times(name, &times);
    }
    report.put("bytes_per_s_of_parts", tally.number("bytes") as f64 / outcome.elapsed.as_secs_f64());
    // A request each; an answer each, but of a stream each part.
    let streams = tally.series.get("stream").map_or(0, |times| times.count());
    report.server(&outcome, 2 * tally.latencies.count() - streams + tally.number("parts"));
    report.end(&outcome, &args.run);
    Ok(report)
}

async fn load(
    args: &MixedArgs,
    traffic: &Traffic<'_>,
    pairs: Vec<(usize, End, End)>,
    idle: Vec<(usize, End)>,
    number: usize,
    recorder: Recorder,
) -> anyhow::Result<Tally> {
    let up = lines::hold(idle, args.sources.number(args.lines), &recorder).await;
    let mut tally = traffic.load(pairs, number, recorder).await?;
    tally.counts.insert("lines_at_end", up.get() as u64);
    Ok(tally)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_of_a_hundred() {
        assert_eq!(asks(128).iter().map(|ask| ask.weight).sum::<usize>(), 100);
    }
}
