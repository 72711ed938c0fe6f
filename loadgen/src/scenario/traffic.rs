//! Pairs of a caller and a callee: what `calls`, `stream`, `oneway`, `mixed` and `slow` have in common.

use std::rc::Rc;
use std::time::Instant;

use super::ends::{End, Halves, Role};
use crate::args::{Arrivals, Open, Run, Server, Via};
use crate::load::caller::{Caller, Carrier};
use crate::load::http::HttpCaller;
use crate::load::pacer::{self, Offer};
use crate::load::script::{Ask, Peer, Script};
use crate::load::slots::Intake;
use crate::load::{watch, ws};
use crate::measure::Recorder;
use crate::nats::caller::{self, Requests};
use crate::nats::subject;
use crate::pace::Schedule;
use crate::random::Choices;
use crate::report::Report;
use crate::stats::Tally;

/// What the pairs do.
#[derive(Debug, Clone)]
pub(super) struct Traffic<'a> {
    /// How calls enter, of a relay.
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
    /// One more, which calls over this line.
    pub(super) fn begin(
        &mut self,
        line: Halves,
        script: Script,
        in_flight: usize,
        intake: Intake,
        recorder: &Recorder,
    ) {
        match line {
            Halves::Agent(reader, wire) => {
                let caller = Caller::new(wire, script, in_flight, intake, recorder.clone());
                self.add_caller(&caller);
                watch(recorder, "a caller", ws::run(caller, reader));
            }
            Halves::Subscriber(reader, wire, name) => {
                let requests = Requests::new(wire, subject::inbox(&name));
                let caller = Caller::new(requests, script, in_flight, intake, recorder.clone());
                self.add_caller(&caller);
                watch(recorder, "a caller", caller::run(caller, reader));
            }
        }
    }

    fn add_caller<C: Carrier>(&mut self, caller: &Rc<Caller<C>>) {
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
        self.keep_to(schedule, recorder);
    }

    /// Offers calls on schedule.
    pub(super) fn keep_to(&self, schedule: Schedule, recorder: &Recorder) {
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

/// How calls enter, as the report names it.
pub(super) fn via_name(server: &Server, via: Via) -> &'static str {
    if server.nats.is_some() { "nats" } else { via.name() }
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

impl Traffic<'_> {
    /// Runs one thread's pairs to the end.
    pub(super) async fn load(
        &self,
        pairs: Vec<(usize, End, End)>,
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
    async fn start(&self, pairs: Vec<(usize, End, End)>, recorder: &Recorder) -> anyhow::Result<Callers> {
        let asks: Rc<[Ask]> = self.asks.clone().into();
        let mut waiting = Vec::new();
        for (pair, caller, callee) in pairs {
            let line = callee.open(Role::Callee, "a callee's dial", recorder).await?;
            watch(recorder, "a callee", line.serve());
            let line = match self.via {
                Via::Ws => Some(caller.open(Role::Caller, "a caller's dial", recorder).await?),
                Via::Http => None,
            };
            waiting.push((pair, caller, Peer::up(callee.called()), line));
        }
        let mut callers = Callers::default();
        for (pair, end, peer, line) in waiting {
            let intake = intake(self.open);
            let script = |connection: usize| {
                let choices = Choices::new(self.run.seed, (pair << 16 | connection) as u64);
                Script::new(vec![peer.clone()], asks.clone(), choices)
            };
            match (line, &end) {
                (Some(line), _) => callers.begin(line, script(0), self.in_flight, intake, recorder),
                (None, End::Agent(relay, agent)) => {
                    // Many connections, but not all from one address: no bound per address is meant here.
                    let (source, intake) = (end.source(pair), Rc::new(intake));
                    let caller =
                        HttpCaller::new(relay.clone(), agent.clone(), source, intake.clone(), recorder.clone());
                    callers.add_connections(intake);
                    for connection in 0..self.in_flight {
                        watch(recorder, "a caller", caller.clone().run(script(connection)));
                    }
                }
                (None, End::Subscriber(..)) => anyhow::bail!("a NATS server has no calls over HTTP"),
            }
        }
        Ok(callers)
    }
}

/// The pairs of one thread: their numbers, callers and callees.
pub(super) fn pairs_of(ends: &[End], number: usize, threads: usize) -> Vec<(usize, End, End)> {
    let pair = |pair: usize| (pair, ends[2 * pair].clone(), ends[2 * pair + 1].clone());
    super::share(ends.len() / 2, number, threads).map(pair).collect()
}
