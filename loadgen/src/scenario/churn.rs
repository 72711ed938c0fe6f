//! Lines come and go while they are called. A call may fail while its agent is away, or leaves; one that fails although
//! its agent was up all the time is the relay's failure.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::traffic::{self, Callers, dial};
use super::{check_descriptors, share};
use crate::agents::{self, Agent};
use crate::args::ChurnArgs;
use crate::clock::Timer;
use crate::http::Origin;
use crate::line::{Line, Reader, Relay, Wire};
use crate::load::caller::Caller;
use crate::load::script::{Ask, Peer, Script, Wanted};
use crate::load::{callee, watch, ws};
use crate::measure::{self, Outcome, Recorder};
use crate::pace::Schedule;
use crate::random::Choices;
use crate::report::Report;
use crate::runtime;
use crate::stats::Tally;

/// Runs the scenario.
///
/// # Errors
/// The agents could not be registered or brought up.
pub fn run(args: &ChurnArgs) -> anyhow::Result<Report> {
    check_descriptors(args.lines + args.pairs)?;
    let args = &spread(args);
    let origin = Origin::of(&args.server)?;
    let outcome = agents::with_agents(&origin, &args.server, args.lines + args.pairs, |agents| {
        let (callees, callers) = agents.split_at(args.lines);
        measure::run(&args.run, |number, recorder| {
            let relay = Rc::new(Relay { origin: origin.clone(), prefix: args.server.prefix.clone() });
            let of = |agents: &[Agent]| -> Vec<Agent> {
                share(agents.len(), number, args.run.threads).map(|n| agents[n].clone()).collect()
            };
            runtime::run(load(args, relay, of(callees), of(callers), number, recorder))?
        })
    })?;
    Ok(report(args, &outcome))
}

/// Every thread needs somebody to call.
fn spread(args: &ChurnArgs) -> ChurnArgs {
    let mut args = args.clone();
    args.run.threads = args.run.threads.min(args.lines);
    args
}

/// An agent whose line comes and goes.
struct Guest {
    agent: Agent,
    peer: Rc<Peer>,
    /// Its line while it is up.
    wire: RefCell<Option<Rc<Wire>>>,
}

async fn load(
    args: &ChurnArgs,
    relay: Rc<Relay>,
    callees: Vec<Agent>,
    callers: Vec<Agent>,
    number: usize,
    recorder: Recorder,
) -> anyhow::Result<Tally> {
    let away = Duration::from_millis(args.away_ms);
    let mut guests = Vec::new();
    for agent in callees {
        let first = dial(&relay, &agent, "a callee's dial", &recorder).await?;
        let peer = Peer::up(agent.id.to_string());
        let guest = Rc::new(Guest { agent, peer, wire: RefCell::new(None) });
        monoio::spawn(come_and_go(guest.clone(), relay.clone(), first, away, recorder.clone()));
        guests.push(guest);
    }
    let asks: Rc<[Ask]> = [Ask::new(args.size, Wanted::Echo)].into();
    let mut paced = Callers::default();
    for (caller, agent) in callers.into_iter().enumerate() {
        let (reader, wire) = dial(&relay, &agent, "a caller's dial", &recorder).await?;
        let peers = guests.iter().map(|guest| guest.peer.clone()).collect();
        let choices = Choices::new(args.run.seed, (number << 32 | caller) as u64);
        let script = Script::new(peers, asks.clone(), choices);
        let caller = Caller::new(wire, script, args.in_flight, traffic::intake(Some(&args.open)), recorder.clone());
        paced.add_caller(&caller);
        watch(&recorder, "a caller", ws::run(caller, reader));
    }
    paced.pace(Some(&args.open), &args.run, number, &recorder);
    let schedule = Schedule::even(args.churn / args.run.threads as f64, 0.5);
    let choices = Choices::new(args.run.seed, u64::MAX - number as u64);
    let churn = churn(schedule, guests, choices, recorder.clone());
    let failed = recorder.clone();
    monoio::spawn(async move {
        if let Err(error) = churn.await {
            failed.failed_with("the churn", &error);
        }
    });
    let mut tally = recorder.until_over().await;
    paced.note_unanswered(&mut tally);
    Ok(tally)
}

/// Closes lines on schedule.
async fn churn(
    mut schedule: Schedule,
    guests: Vec<Rc<Guest>>,
    mut choices: Choices,
    recorder: Recorder,
) -> anyhow::Result<()> {
    let (timer, began) = (Timer::new()?, Instant::now());
    loop {
        timer.until(began + schedule.next()).await?;
        schedule.advance();
        // Some may be away already: the next one that is up then. If none is, nothing is closed.
        let first = choices.below(guests.len());
        let guest = (0..guests.len()).map(|n| &guests[(first + n) % guests.len()]).find(|guest| guest.peer.is_up.get());
        let Some(guest) = guest else { continue };
        let Some(wire) = guest.wire.take() else { continue };
        // First known to be going, then gone: a call that meets the close in between is no failure.
        guest.peer.is_up.set(false);
        wire.close();
        recorder.count("lines_closed", 1);
    }
}

/// One agent: serves until its line is closed, stays away for a while, and comes back.
async fn come_and_go(
    guest: Rc<Guest>,
    relay: Rc<Relay>,
    first: (Reader, Rc<Wire>),
    away: Duration,
    recorder: Recorder,
) {
    let mut line = Some(first);
    loop {
        if let Some((reader, wire)) = line.take() {
            guest.wire.replace(Some(wire.clone()));
            guest.peer.epoch.set(guest.peer.epoch.get() + 1);
            guest.peer.is_up.set(true);
            recorder.lines(1);
            let ended = callee::serve(reader, wire).await;
            recorder.lines(-1);
            if let (true, Err(error)) = (guest.peer.is_up.replace(false), ended) {
                recorder.failed_with("a callee that was to stay", &error);
            }
            guest.wire.take();
        }
        monoio::time::sleep(away).await;
        let dialled = Instant::now();
        match Line::dial(&relay, &guest.agent, None).await {
            Ok(up) => {
                recorder.record("attach", dialled.elapsed());
                line = Some(up.split());
            }
            Err(error) => recorder.failed_with("a dial", &error),
        }
        if recorder.window().is_over() {
            return;
        }
    }
}

fn report(args: &ChurnArgs, outcome: &Outcome) -> Report {
    let tally = &outcome.tally;
    let (answered, failed) = (tally.latencies.count(), tally.number("failed_while_up"));
    let mut report = Report::new("churn");
    report.put("via", "ws");
    report.put("pairs", args.pairs);
    report.put("in_flight", args.in_flight);
    report.put("size", args.size);
    report.put("lines", args.lines);
    report.put("churn", args.churn);
    report.put("away_ms", args.away_ms);
    report.answers("calls", outcome);
    traffic::report_rate(&mut report, &args.open, tally);
    report.put("lines_closed", tally.number("lines_closed"));
    report.put("lines_back", tally.series.get("attach").map_or(0, |attach| attach.count()));
    report.put("failed_while_up", failed);
    report.put("failed_while_up_share", failed as f64 / (answered + failed).max(1) as f64);
    report.put("failed_while_away", tally.number("failed_while_away"));
    report.times("attach", tally.series.get("attach").unwrap_or(&Default::default()));
    report.server(outcome, 2 * answered);
    report.end(outcome, &args.run);
    report
}
