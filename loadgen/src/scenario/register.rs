//! Agents are registered, one request each: what the control plane's writes cost.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::agents::{self, Agent, Registration};
use crate::args::RegisterArgs;
use crate::http::{Blocking, Origin};
use crate::measure::{self, Recorder};
use crate::report::Report;
use crate::runtime;
use crate::stats::Tally;

/// Runs the scenario.
///
/// # Errors
/// The agents file cannot be read or written, or there is no server.
pub fn run(args: &RegisterArgs) -> anyhow::Result<Report> {
    let origin = Origin::of(&args.server)?;
    let known = match &args.server.agents_file {
        Some(path) => agents::load(path)?.len(),
        None => 0,
    };
    let wanted = args.agents.saturating_sub(known);
    let registration = Registration::begin(&origin, &args.server)?;
    let (next, made) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let outcome = measure::run(&args.run, |_, recorder| {
        let number = || Some(next.fetch_add(1, Relaxed)).filter(|number| *number < wanted);
        let keep = |agent| made.lock().unwrap_or_else(PoisonError::into_inner).push(agent);
        let register = |connection: &mut Blocking, number| registration.register_one(connection, number);
        runtime::run(load(register, Blocking::connect(&origin)?, number, keep, recorder))?
    });
    // What was registered is kept or deleted, however the run ended.
    let made: Vec<Agent> = made.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = &args.server.agents_file {
        agents::keep(path, &made)?;
    }
    agents::delete_unless_kept(&origin, &args.server, &made);
    let outcome = outcome?;
    let mut report = Report::new("register");
    report.put("threads", args.run.threads);
    report.put("agents_known", known);
    report.answers("registrations", &outcome);
    report.server(&outcome, outcome.tally.latencies.count());
    report.end(&outcome, &args.run);
    if wanted == 0 {
        report.worked(known as u64);
    }
    Ok(report)
}

/// One connection over which `register` registers one number after the other. Nothing else runs on its thread, so it may
/// block.
pub(super) async fn load(
    register: impl Fn(&mut Blocking, usize) -> anyhow::Result<Agent>,
    mut connection: Blocking,
    number: impl Fn() -> Option<usize>,
    keep: impl Fn(Agent),
    recorder: Recorder,
) -> anyhow::Result<Tally> {
    recorder.until_counting().await;
    while !recorder.window().is_over() {
        let Some(number) = number() else { break };
        let start = Instant::now();
        match register(&mut connection, number) {
            Ok(agent) => {
                recorder.answered(start);
                keep(agent);
            }
            Err(error) => {
                recorder.failed_with("a registration", &error);
                break;
            }
        }
    }
    recorder.complete();
    Ok(recorder.until_over().await)
}
