//! Pairs of a caller and a callee on a relay: what `calls`, `stream`, `oneway`, `mixed` and `slow` have in common.

use std::rc::Rc;
use std::time::Instant;

use anyhow::{Context, ensure};

use super::source_address;
use crate::agents::Agent;
use crate::args::{Arrivals, Open, Run, Via};
use crate::line::{Line, Reader, Relay, Wire};
use crate::load::caller::{Caller, Carrier};
use crate::load::http::HttpCaller;
use crate::load::pacer::{self, Offer};
use crate::load::script::{Ask, Peer, Script};
use crate::load::slots::Intake;
use crate::load::{callee, watch, ws};
use crate::measure::Recorder;
use crate::pace::Schedule;
use crate::random::Choices;
use crate::report::Report;
use crate::stats::Tally;

/// What the pairs do.
#[derive(Debug, Clone)]
pub(super) struct Traffic<'a> {
    pub(super) relay: Relay,
    pub(super) via: Via,
    pub(super) asks: Vec<Ask>,
    pub(super) in_flight: usize,
    /// At a rate, or in a closed loop.
    pub(super) open: Option<&'a Open>,
    pub(super) run: &'a Run,
}

/// The callers of one thread.
#[derive(Default)]
pub(super) struct Callers {
    offers: Vec<Offer>,
    unanswered: Vec<Rc<dyn Fn() -> usize>>,
}

impl Callers {
    /// One more.
    pub(super) fn add_caller<C: Carrier>(&mut self, caller: &Rc<Caller<C>>) {
        let (offered, asked) = (caller.clone(), caller.clone());
        self.offers.push(Rc::new(move |at: Instant| offered.offer(at)));
        self.unanswered.push(Rc::new(move || asked.unanswered()));
    }

    /// One more, whose connections share this intake.
    fn add_connections(&mut self, intake: Rc<Intake>) {
        let due = intake.clone();
        self.offers.push(Rc::new(move |at: Instant| intake.offer(at)));
        self.unanswered.push(Rc::new(move || due.waiting()));
    }

    /// Offers calls at the thread's share of the rate, if there is one.
    pub(super) fn pace(&self, open: Option<&Open>, run: &Run, number: usize, recorder: &Recorder) {
        let Some((open, rate)) = open.and_then(|open| Some((open, open.rate?))) else { return };
        let rate = rate / run.threads as f64;
        let schedule = match open.arrivals {
            Arrivals::Even => Schedule::even(rate, number as f64 / run.threads as f64),
            Arrivals::Poisson => Schedule::poisson(rate, Choices::new(run.seed, u64::MAX - number as u64)),
        };
        let (pacer, recorder) = (pacer::run(schedule, self.offers.clone(), recorder.clone()), recorder.clone());
        monoio::spawn(async move {
            if let Err(error) = pacer.await {
                recorder.failed_with("the pacer", &error);
            }
        });
    }

    /// Adds what was due and is not answered.
    pub(super) fn note_unanswered(&self, tally: &mut Tally) {
        let unanswered = self.unanswered.iter().map(|count| count() as u64).sum::<u64>();
        *tally.counts.entry("unanswered").or_default() += unanswered;
    }
}

/// An intake as the options want it.
pub(super) fn intake(open: Option<&Open>) -> Intake {
    if open.is_some_and(|open| open.rate.is_some()) { Intake::open() } else { Intake::closed() }
}

/// Adds what is to be known of calls at a rate.
pub(super) fn report_rate(report: &mut Report, open: &Open, tally: &Tally) {
    report.put("rate", open.rate);
    if open.rate.is_some() {
        report.put("unanswered_at_end", tally.number("unanswered"));
        if let Some(late) = tally.series.get("late") {
            report.put("late_p50_us", late.quantile(0.5));
            report.put("late_p99_us", late.quantile(0.99));
        }
    }
}

/// Dials for a pair; says who could not.
pub(super) async fn dial(
    relay: &Relay,
    agent: &Agent,
    who: &'static str,
    recorder: &Recorder,
) -> anyhow::Result<(Reader, Rc<Wire>)> {
    ensure!(!recorder.window().is_over(), "ended before all lines were up");
    Ok(Line::dial(relay, agent, None).await.context(who)?.split())
}

impl Traffic<'_> {
    /// Runs one thread's pairs to the end.
    pub(super) async fn load(
        &self,
        pairs: Vec<(usize, Agent, Agent)>,
        number: usize,
        recorder: Recorder,
    ) -> anyhow::Result<Tally> {
        let callers = self.start(pairs, &recorder).await?;
        callers.pace(self.open, self.run, number, &recorder);
        let mut tally = recorder.until_over().await;
        callers.note_unanswered(&mut tally);
        Ok(tally)
    }

    /// Brings the pairs up. The callers start when every line is up, so that none calls an agent that is not there yet.
    async fn start(&self, pairs: Vec<(usize, Agent, Agent)>, recorder: &Recorder) -> anyhow::Result<Callers> {
        let relay = Rc::new(self.relay.clone());
        let asks: Rc<[Ask]> = self.asks.clone().into();
        let mut waiting = Vec::new();
        for (pair, caller, callee) in pairs {
            let (reader, wire) = dial(&relay, &callee, "a callee's dial", recorder).await?;
            watch(recorder, "a callee", callee::serve(reader, wire));
            let line = match self.via {
                Via::Ws => Some(dial(&relay, &caller, "a caller's dial", recorder).await?),
                Via::Http => None,
            };
            waiting.push((pair, caller, Peer::up(callee.id.to_string()), line));
        }
        let mut callers = Callers::default();
        for (pair, agent, peer, line) in waiting {
            let intake = intake(self.open);
            let script = |connection: usize| {
                let choices = Choices::new(self.run.seed, (pair << 16 | connection) as u64);
                Script::new(vec![peer.clone()], asks.clone(), choices)
            };
            if let Some((reader, wire)) = line {
                let caller = Caller::new(wire, script(0), self.in_flight, intake, recorder.clone());
                callers.add_caller(&caller);
                watch(recorder, "a caller", ws::run(caller, reader));
                continue;
            }
            // Many connections, but not all from one address: no bound per address is meant here.
            let source = source_address(relay.origin.addr, pair);
            let intake = Rc::new(intake);
            let caller = HttpCaller::new(relay.clone(), agent, source, intake.clone(), recorder.clone());
            callers.add_connections(intake);
            for connection in 0..self.in_flight {
                watch(recorder, "a caller", caller.clone().run(script(connection)));
            }
        }
        Ok(callers)
    }
}

/// The pairs of one thread: their numbers, callers and callees.
pub(super) fn pairs_of(agents: &[Agent], number: usize, threads: usize) -> Vec<(usize, Agent, Agent)> {
    let pair = |pair: usize| (pair, agents[2 * pair].clone(), agents[2 * pair + 1].clone());
    super::share(agents.len() / 2, number, threads).map(pair).collect()
}
