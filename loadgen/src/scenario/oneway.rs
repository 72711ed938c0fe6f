//! Messages in one direction, pipelined. The relay's protocol has none without an answer, so there each is a call whose
//! answer is empty; on NATS they are published.

use std::rc::Rc;

use super::check_descriptors;
use super::ends::{End, Halves, Role, with_ends};
use super::traffic::{Traffic, pairs_of, via_name};
use crate::args::{OnewayArgs, Via};
use crate::load::caller::Caller;
use crate::load::script::{Ask, Peer, Script, Wanted};
use crate::load::slots::Intake;
use crate::load::watch;
use crate::measure::{self, Recorder};
use crate::nats::oneway::{self, Messages};
use crate::random::Choices;
use crate::report::Report;
use crate::runtime;
use crate::stats::Tally;

/// Runs the scenario.
///
/// # Errors
/// The agents could not be registered or brought up.
pub fn run(args: &OnewayArgs) -> anyhow::Result<Report> {
    check_descriptors(2 * args.pairs)?;
    let traffic = Traffic {
        via: Via::Ws,
        asks: vec![Ask::new(args.size, Wanted::Empty)],
        in_flight: args.in_flight,
        open: None,
        run: &args.run,
    };
    let outcome = with_ends(&args.server, 2 * args.pairs, |ends| {
        measure::run(&args.run, |number, recorder| {
            let pairs = pairs_of(ends, number, args.run.threads);
            match args.server.nats {
                Some(_) => runtime::run(publish(&traffic, pairs, recorder))?,
                None => runtime::run(traffic.load(pairs, number, recorder))?,
            }
        })
    })?;
    let count = outcome.tally.latencies.count();
    let mut report = Report::new("oneway");
    report.put("via", via_name(&args.server, Via::Ws));
    report.put("pairs", args.pairs);
    report.put("in_flight", args.in_flight);
    report.put("size", args.size);
    report.answers("messages", &outcome);
    report.put("bytes_per_s", (count * args.size as u64) as f64 / outcome.elapsed.as_secs_f64());
    report.put("is_answered", args.server.nats.is_none());
    // The empty answer is no message of its own here: what counts is what got across.
    report.server(&outcome, count);
    report.end(&outcome, &args.run);
    if args.server.nats.is_none() {
        report.note("the protocol has no one-way message: each is a call with an empty answer, and costs that too");
    }
    Ok(report)
}

async fn publish(traffic: &Traffic<'_>, pairs: Vec<(usize, End, End)>, recorder: Recorder) -> anyhow::Result<Tally> {
    let asks: Rc<[Ask]> = traffic.asks.clone().into();
    let mut senders = Vec::new();
    for (pair, sender, receiver) in pairs {
        let sending = sender.open(Role::Caller, "a sender's dial", &recorder).await?;
        let receiving = receiver.open(Role::Silent, "a receiver's dial", &recorder).await?;
        let (Halves::Subscriber(sending, wire, _), Halves::Subscriber(receiving, ..)) = (sending, receiving) else {
            anyhow::bail!("only subscribers publish")
        };
        let script =
            Script::new(vec![Peer::up(receiver.called())], asks.clone(), Choices::new(traffic.run.seed, pair as u64));
        let sender = Caller::new(Messages::new(wire), script, traffic.in_flight, Intake::closed(), recorder.clone());
        watch(&recorder, "a receiver", oneway::receive(sender.clone(), receiving));
        watch(&recorder, "a sender", oneway::keep(sending));
        senders.push(sender);
    }
    for sender in senders {
        sender.start();
    }
    Ok(recorder.until_over().await)
}
