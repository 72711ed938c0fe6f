//! Messages in one direction, pipelined. The relay's protocol has none without an answer, so there each is a call whose
//! answer is empty; on NATS they are published.

use std::net::SocketAddr;
use std::rc::Rc;

use anyhow::ensure;

use super::traffic::{Traffic, pairs_of};
use super::{check_descriptors, share};
use crate::agents;
use crate::args::{OnewayArgs, Via};
use crate::http::Origin;
use crate::line::Relay;
use crate::load::caller::Caller;
use crate::load::script::{Ask, Peer, Script, Wanted};
use crate::load::slots::Intake;
use crate::load::watch;
use crate::measure::{self, Outcome, Recorder};
use crate::nats::{self, Messages, connection};
use crate::random::{self, Choices};
use crate::report::Report;
use crate::runtime;
use crate::stats::Tally;

/// Runs the scenario.
///
/// # Errors
/// The agents could not be registered or brought up.
pub fn run(args: &OnewayArgs) -> anyhow::Result<Report> {
    check_descriptors(2 * args.pairs)?;
    let outcome = match args.target {
        Some(addr) => on_nats(args, addr)?,
        None => on_relay(args)?,
    };
    let count = outcome.tally.latencies.count();
    let mut report = Report::new("oneway");
    report.put("via", if args.target.is_some() { "nats" } else { "ws" });
    report.put("pairs", args.pairs);
    report.put("in_flight", args.in_flight);
    report.put("size", args.size);
    report.answers("messages", &outcome);
    report.put("bytes_per_s", (count * args.size as u64) as f64 / outcome.elapsed.as_secs_f64());
    report.put("is_answered", args.target.is_none());
    // The empty answer is no message of its own here: what counts is what got across.
    report.server(&outcome, count);
    report.end(&outcome, &args.run);
    if args.target.is_none() {
        report.note("the protocol has no one-way message: each is a call with an empty answer, and costs that too");
    }
    Ok(report)
}

fn on_relay(args: &OnewayArgs) -> anyhow::Result<Outcome> {
    let origin = Origin::of(&args.server)?;
    let traffic = Traffic {
        relay: Relay { origin: origin.clone(), prefix: args.server.prefix.clone() },
        via: Via::Ws,
        asks: vec![Ask::new(args.size, Wanted::Empty)],
        in_flight: args.in_flight,
        open: None,
        run: &args.run,
    };
    agents::with_agents(&origin, &args.server, 2 * args.pairs, |agents| {
        measure::run(&args.run, |number, recorder| {
            runtime::run(traffic.load(pairs_of(agents, number, args.run.threads), number, recorder))?
        })
    })
}

fn on_nats(args: &OnewayArgs, addr: SocketAddr) -> anyhow::Result<Outcome> {
    let run: String = random::secret::<4>()?.iter().map(|byte| format!("{byte:02x}")).collect();
    measure::run(&args.run, |number, recorder| runtime::run(nats_load(args, addr, &run, number, recorder))?)
}

async fn nats_load(
    args: &OnewayArgs,
    addr: SocketAddr,
    run: &str,
    number: usize,
    recorder: Recorder,
) -> anyhow::Result<Tally> {
    let asks: Rc<[Ask]> = [Ask::new(args.size, Wanted::Empty)].into();
    let mut senders = Vec::new();
    for pair in share(args.pairs, number, args.run.threads) {
        ensure!(!recorder.window().is_over(), "ended before all connections were up");
        let subject = format!("loadgen.{run}.{pair}");
        let (receiving, _) = connection::dial(addr, None, Some(&subject)).await?;
        let (mut sending, wire) = connection::dial(addr, None, None).await?;
        let choices = Choices::new(args.run.seed, pair as u64);
        let script = Script::new(vec![Peer::up(subject)], asks.clone(), choices);
        let sender = Caller::new(Messages::new(wire), script, args.in_flight, Intake::closed(), recorder.clone());
        watch(&recorder, "a receiver", nats::receive(sender.clone(), receiving));
        // The sender's own connection brings nothing but pings.
        watch(&recorder, "a sender", async move { sending.stay(|| {}).await });
        senders.push(sender);
    }
    for sender in senders {
        sender.start();
    }
    Ok(recorder.until_over().await)
}
