//! A made-up directory is registered, agent by agent over HTTP, or written to a file.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;

use crate::agents::{self, Agent, Registration};
use crate::args::DirectoryArgs;
use crate::http::{Blocking, Origin};
use crate::measure;
use crate::report::Report;
use crate::runtime;
use crate::scenario::register::load;
use crate::synthetic::Synthetic;

/// Runs the scenario.
///
/// # Errors
/// There is no server, a file cannot be written, or a registration was refused.
pub fn run(args: &DirectoryArgs) -> anyhow::Result<Report> {
    let synthetic = Synthetic::new(args.run.seed);
    let mut report = Report::new("directory");
    report.put("agents", args.agents);
    if let Some(path) = &args.dump {
        dump(path, &synthetic, args.agents)?;
        report.worked(args.agents as u64);
        return Ok(report);
    }
    let origin = Origin::of(&args.server)?;
    let registration = Registration::begin(&origin, &args.server)?;
    let (next, made) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let outcome = measure::run(&args.run, |_, recorder| {
        let number = || Some(next.fetch_add(1, Relaxed)).filter(|number| *number < args.agents);
        let keep = |agent| made.lock().unwrap_or_else(PoisonError::into_inner).push(agent);
        let register =
            |connection: &mut Blocking, number| registration.register_body(connection, &synthetic.registration(number));
        runtime::run(load(register, Blocking::connect(&origin)?, number, keep, recorder))?
    });
    let made: Vec<Agent> = made.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = &args.server.agents_file {
        agents::keep(path, &made)?;
    }
    let outcome = outcome?;
    report.put("threads", args.run.threads);
    report.answers("registrations", &outcome);
    report.server(&outcome, outcome.tally.latencies.count());
    report.end(&outcome, &args.run);
    Ok(report)
}

/// One registration in each line.
fn dump(path: &Path, synthetic: &Synthetic, agents: usize) -> anyhow::Result<()> {
    let file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut file = BufWriter::new(file);
    for number in 0..agents {
        writeln!(file, "{}", synthetic.registration(number))?;
    }
    file.flush().with_context(|| format!("cannot write {}", path.display()))
}
