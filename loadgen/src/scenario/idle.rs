//! Many lines that are up and silent: what one costs the server.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::agents::{self, Agent};
use crate::args::IdleArgs;
use crate::http::Origin;
use crate::line::Line;
use crate::report::Idle;
use crate::{measure, runtime, scenario};

/// Runs the scenario.
///
/// # Errors
/// The agents could not be registered, or a line could not be opened.
pub fn run(args: &IdleArgs) -> anyhow::Result<Idle> {
    let origin = Origin::of(&args.target)?;
    let agents = agents::obtain(&origin, &args.target, args.lines)?;
    runtime::run(hold(Rc::new(args.clone()), Rc::new(origin), Rc::new(agents)))?
}

async fn hold(args: Rc<IdleArgs>, origin: Rc<Origin>, agents: Rc<Vec<Agent>>) -> anyhow::Result<Idle> {
    let rss = || args.server_pid.map(measure::rss_bytes).transpose();
    let cpu = || args.server_pid.map(measure::cpu_us).transpose();
    let rss_before = rss()?;
    let started = Instant::now();
    let alive = Rc::new(Cell::new(0));
    let openers: Vec<_> = (0..usize::from(args.sources))
        .map(|source| monoio::spawn(open(args.clone(), origin.clone(), agents.clone(), source, alive.clone())))
        .collect();
    for opener in openers {
        opener.await?;
    }
    let open_seconds = started.elapsed().as_secs_f64();
    let lines = alive.get();
    monoio::time::sleep(Duration::from_secs_f64(args.settle)).await;
    let rss_after = rss()?;
    let cpu_before = cpu()?;
    monoio::time::sleep(Duration::from_secs_f64(args.hold)).await;
    let hold_cpu_us = cpu_before.zip(cpu()?).map(|(before, after)| after - before);
    let per_line = |(before, after): (u64, u64)| (after as f64 - before as f64) / lines.max(1) as f64;
    Ok(Idle {
        scenario: "idle",
        lines: args.lines,
        lines_at_end: alive.get(),
        open_seconds,
        rss_before,
        rss_after,
        bytes_per_line: rss_before.zip(rss_after).map(per_line),
        hold_cpu_us,
        hold_seconds: args.hold,
    })
}

/// Opens one source address's share of the lines, one after the other.
async fn open(
    args: Rc<IdleArgs>,
    origin: Rc<Origin>,
    agents: Rc<Vec<Agent>>,
    source: usize,
    alive: Rc<Cell<usize>>,
) -> anyhow::Result<()> {
    let address = scenario::source_address(&origin, source);
    for n in scenario::share(agents.len(), source, usize::from(args.sources)) {
        let line = Line::dial(&origin, &args.target.prefix, &agents[n], address);
        let mut line = line.await.with_context(|| format!("line {n} of {}", agents.len()))?;
        line.shrink();
        alive.set(alive.get() + 1);
        let alive = alive.clone();
        monoio::spawn(async move {
            // Pings are answered inside; anything else that arrives, or the end, makes this no idle line any more.
            let _ = line.recv().await;
            alive.set(alive.get() - 1);
        });
    }
    Ok(())
}
