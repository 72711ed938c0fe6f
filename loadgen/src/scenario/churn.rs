//! Lines come and go while they are called. A call may fail while its agent is away, or leaves; one that fails although
//! its agent was up all the time is the relay's failure.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::ends::{End, Halves, Hook, Role, with_ends};
use super::traffic::{self, Callers, via_name};
use super::{check_descriptors, share};
use crate::args::{ChurnArgs, Via};
use crate::clock::Timer;
use crate::load::script::{Ask, Peer, Script, Wanted};
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
    let outcome = with_ends(&args.server, args.lines + args.pairs, |ends| {
        let (callees, callers) = ends.split_at(args.lines);
        measure::run(&args.run, |number, recorder| {
            let of = |ends: &[End]| -> Vec<End> {
                share(ends.len(), number, args.run.threads).map(|n| ends[n].clone()).collect()
            };
            runtime::run(load(args, of(callees), of(callers), number, recorder))?
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
    end: End,
    peer: Rc<Peer>,
    /// Where its line is hung up, while it is up.
    hook: RefCell<Option<Hook>>,
}

async fn load(
    args: &ChurnArgs,
    callees: Vec<End>,
    callers: Vec<End>,
    number: usize,
    recorder: Recorder,
) -> anyhow::Result<Tally> {
    let away = Duration::from_millis(args.away_ms);
    let mut guests = Vec::new();
    for end in callees {
        let first = end.open(Role::Callee, "a callee's dial", &recorder).await?;
        let peer = Peer::up(end.called());
        let guest = Rc::new(Guest { end, peer, hook: RefCell::new(None) });
        monoio::spawn(come_and_go(guest.clone(), first, away, recorder.clone()));
        guests.push(guest);
    }
    let asks: Rc<[Ask]> = [Ask::new(args.size, Wanted::Echo)].into();
    let mut paced = Callers::default();
    for (caller, end) in callers.into_iter().enumerate() {
        let line = end.open(Role::Caller, "a caller's dial", &recorder).await?;
        let peers = guests.iter().map(|guest| guest.peer.clone()).collect();
        let choices = Choices::new(args.run.seed, (number << 32 | caller) as u64);
        let script = Script::new(peers, asks.clone(), choices);
        paced.begin(line, script, args.in_flight, traffic::intake(Some(&args.open)), &recorder);
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
        let Some(hook) = guest.hook.take() else { continue };
        // First known to be going, then gone: a call that meets the close in between is no failure.
        guest.peer.is_up.set(false);
        hook.hang_up();
        recorder.count("lines_closed", 1);
    }
}

/// One agent: serves until its line is closed, stays away for a while, and comes back.
async fn come_and_go(guest: Rc<Guest>, first: Halves, away: Duration, recorder: Recorder) {
    let mut line = Some(first);
    loop {
        if let Some(line) = line.take() {
            guest.hook.replace(Some(line.hook()));
            guest.peer.epoch.set(guest.peer.epoch.get() + 1);
            guest.peer.is_up.set(true);
            recorder.lines(1);
            let ended = line.serve().await;
            recorder.lines(-1);
            if let (true, Err(error)) = (guest.peer.is_up.replace(false), ended) {
                recorder.failed_with("a callee that was to stay", &error);
            }
            guest.hook.take();
        }
        monoio::time::sleep(away).await;
        let dialled = Instant::now();
        match guest.end.dial(Role::Callee, None).await {
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
    report.put("via", via_name(&args.server, Via::Ws));
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
