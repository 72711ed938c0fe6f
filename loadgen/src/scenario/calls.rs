//! Callers and callees. Each callee echoes what it is asked; each caller keeps so many calls in flight, or calls at a
//! rate, and checks every answer.

use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::ensure;

use super::traffic::{self, Callers, Traffic, pairs_of};
use super::{check_descriptors, share};
use crate::agents;
use crate::args::{CallsArgs, Via};
use crate::http::Origin;
use crate::line::Relay;
use crate::load::caller::Caller;
use crate::load::script::{Ask, Peer, Script, Wanted};
use crate::load::watch;
use crate::measure::{self, Outcome, Recorder};
use crate::nats::{self, Requests, connection};
use crate::random::{self, Choices};
use crate::report::Report;
use crate::runtime;
use crate::stats::Tally;

/// Runs the scenario.
///
/// # Errors
/// The agents could not be registered or brought up.
pub fn run(args: &CallsArgs) -> anyhow::Result<Report> {
    let shape = &args.shape;
    let callers = if args.via == Via::Http { shape.in_flight } else { 1 };
    check_descriptors(shape.pairs * (callers + 1))?;
    let outcome = match args.target {
        Some(addr) => on_nats(args, addr)?,
        None => on_relay(args)?,
    };
    let mut report = Report::new("calls");
    report.put("via", if args.target.is_some() { "nats" } else { args.via.name() });
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

fn on_relay(args: &CallsArgs) -> anyhow::Result<Outcome> {
    let origin = Origin::of(&args.server)?;
    let traffic = Traffic {
        relay: Relay { origin: origin.clone(), prefix: args.server.prefix.clone() },
        via: args.via,
        asks: vec![Ask::new(args.shape.size, Wanted::Echo)],
        in_flight: args.shape.in_flight,
        open: Some(&args.open),
        run: &args.run,
    };
    agents::with_agents(&origin, &args.server, 2 * args.shape.pairs, |agents| {
        measure::run(&args.run, |number, recorder| {
            runtime::run(traffic.load(pairs_of(agents, number, args.run.threads), number, recorder))?
        })
    })
}

fn on_nats(args: &CallsArgs, addr: SocketAddr) -> anyhow::Result<Outcome> {
    let run: String = random::secret::<4>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    measure::run(&args.run, |number, recorder| runtime::run(nats_load(args, addr, &run, number, recorder))?)
}

async fn nats_load(
    args: &CallsArgs,
    addr: SocketAddr,
    run: &str,
    number: usize,
    recorder: Recorder,
) -> anyhow::Result<Tally> {
    let asks: Rc<[Ask]> = [Ask::new(args.shape.size, Wanted::Echo)].into();
    let mut waiting = Vec::new();
    for pair in share(args.shape.pairs, number, args.run.threads) {
        ensure!(!recorder.window().is_over(), "ended before all connections were up");
        let subject = format!("loadgen.{run}.{pair}");
        let (reader, wire) = connection::dial(addr, None, Some(&subject)).await?;
        watch(&recorder, "a callee", nats::echo(wire, reader));
        let (reader, wire) = connection::dial(addr, None, None).await?;
        let choices = Choices::new(args.run.seed, pair as u64);
        let script = Script::new(vec![Peer::up(subject)], asks.clone(), choices);
        waiting.push((Requests::new(wire, run, pair), reader, script));
    }
    let mut callers = Callers::default();
    for (requests, reader, script) in waiting {
        let intake = traffic::intake(Some(&args.open));
        let caller = Caller::new(requests, script, args.shape.in_flight, intake, recorder.clone());
        callers.add_caller(&caller);
        watch(&recorder, "a caller", nats::run(caller, reader));
    }
    callers.pace(Some(&args.open), &args.run, number, &recorder);
    let mut tally = recorder.until_over().await;
    callers.note_unanswered(&mut tally);
    Ok(tally)
}
