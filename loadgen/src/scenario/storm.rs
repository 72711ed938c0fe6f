//! All lines come back at once: how long until they are, and how long each dial takes meanwhile.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use landline_wire::session::redial::Redial;

use super::check_descriptors;
use super::ends::{End, Line, with_ends};
use super::lines::{self, of_thread};
use super::traffic::via_name;
use crate::args::{StormArgs, Trigger, Via};
use crate::line::Ended;
use crate::measure::{self, Outcome, Recorder};
use crate::random::Choices;
use crate::report::Report;
use crate::runtime;
use crate::stats::Tally;

/// Lines that are cut in one turn of the runtime.
const SLICE: usize = 256;
/// Milliseconds after a failed dial, without jitter: so many, and up to twice as many more.
const AGAIN_MS: u64 = 100;

/// Runs the scenario.
///
/// # Errors
/// The agents could not be registered.
pub fn run(args: &StormArgs) -> anyhow::Result<Report> {
    check_descriptors(args.lines)?;
    let outcome = with_ends(&args.server, args.lines, |ends| {
        measure::run(&args.run, |number, recorder| {
            let mine = of_thread(ends, number, args.run.threads);
            runtime::run(load(args.clone(), mine, number, recorder))?
        })
    })?;
    Ok(report(args, &outcome))
}

/// The moments at which a thread's lines are cut: in slices, each when the sockets of the last one are closed, some
/// milliseconds apart. Cut in one turn of the runtime, all lines would dial while the old sockets are still there, and run
/// out of descriptors.
#[derive(Default)]
struct Signal {
    /// Lines below this number are cut.
    cut: Cell<usize>,
    /// Lines whose sockets are closed.
    gone: Cell<usize>,
    waiting: RefCell<Vec<Option<Waker>>>,
}

impl Signal {
    /// The number of one more line that may be cut.
    fn join(&self) -> usize {
        let mut waiting = self.waiting.borrow_mut();
        waiting.push(None);
        waiting.len() - 1
    }

    async fn give(&self) {
        let lines = self.waiting.borrow().len();
        while self.cut.get() < lines {
            let slice = self.cut.get()..lines.min(self.cut.get() + SLICE);
            self.cut.set(slice.end);
            self.waiting.borrow_mut()[slice].iter_mut().filter_map(Option::take).for_each(Waker::wake);
            while self.gone.get() < self.cut.get() {
                monoio::time::sleep(Duration::from_millis(1)).await;
            }
        }
    }

    async fn wait(&self, number: usize) -> Instant {
        poll_fn(|context| {
            if number < self.cut.get() {
                return Poll::Ready(Instant::now());
            }
            self.waiting.borrow_mut()[number] = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

/// What the lines of one thread share.
struct Storm {
    args: StormArgs,
    signal: Signal,
    recorder: Recorder,
    up: Cell<usize>,
    /// Lines that the storm has not taken, or not given back.
    outstanding: Cell<usize>,
}

async fn load(args: StormArgs, mine: Vec<(usize, End)>, number: usize, recorder: Recorder) -> anyhow::Result<Tally> {
    let storm = Rc::new(Storm {
        args,
        signal: Signal::default(),
        recorder: recorder.clone(),
        up: Cell::new(0),
        outstanding: Cell::new(0),
    });
    let opening = storm.clone();
    lines::for_each(mine, move |(line, end)| {
        let storm = opening.clone();
        async move {
            if storm.recorder.window().is_over() {
                return;
            }
            match storm.dial(&end, line).await {
                Ok(up) => drop(monoio::spawn(storm.clone().live(line, end, up))),
                Err(error) => storm.recorder.failed_with("a first dial", &error),
            }
        }
    })
    .await;
    let counting = recorder.until_counting().await;
    let taken = storm.outstanding.get();
    match storm.args.trigger {
        Trigger::Cut => storm.signal.give().await,
        Trigger::Server if counting && number == 0 => eprintln!("the lines are up: restart the server now"),
        Trigger::Server => {}
    }
    if taken == 0 {
        recorder.complete();
    }
    let mut tally = recorder.until_over().await;
    tally.counts.insert("lines_up", taken as u64);
    tally.counts.insert("lines_at_end", storm.up.get() as u64);
    Ok(tally)
}

impl Storm {
    async fn dial(&self, end: &End, line: usize) -> anyhow::Result<Line> {
        lines::dial(end, line, self.args.sources.number(self.args.lines)).await
    }

    /// One line's life: up, lost, back.
    async fn live(self: Rc<Self>, number: usize, end: End, line: Line) {
        self.outstanding.set(self.outstanding.get() + 1);
        let mut choices = Choices::new(self.args.run.seed, number as u64);
        let (lost, ended) = self.until_lost(line, Some(self.signal.join())).await;
        if self.recorder.window().is_over() {
            return;
        }
        self.recorder.record("lost", self.recorder.since_began());
        let Some(line) = self.until_back(number, &end, lost, ended, &mut choices).await else { return };
        self.outstanding.set(self.outstanding.get() - 1);
        if self.outstanding.get() == 0 {
            self.recorder.complete();
        }
        let _ = self.until_lost(line, None).await;
        self.recorder.failed("lost again", || "a line that was back was lost again".into());
    }

    /// Holds a line until the storm takes it, if it still is to, or the server ends it.
    async fn until_lost(&self, mut line: Line, number: Option<usize>) -> (Instant, Option<Ended>) {
        self.up.set(self.up.get() + 1);
        self.recorder.lines(1);
        let lost = monoio::select! {
            ended = line.stay(|| {}) => (Instant::now(), ended.ok()),
            at = self.signal.wait(number.unwrap_or_default()), if number.is_some() => (at, None),
        };
        self.recorder.lines(-1);
        self.up.set(self.up.get() - 1);
        line.cut().await;
        if number.is_some() {
            self.signal.gone.set(self.signal.gone.get() + 1);
        }
        lost
    }

    /// Dials until the line is back, or the run is over.
    async fn until_back(
        &self,
        number: usize,
        end: &End,
        lost: Instant,
        ended: Option<Ended>,
        choices: &mut Choices,
    ) -> Option<Line> {
        let (mut redial, mut failures) = (Redial::default(), 0_u32);
        let mut asked = ended.and_then(|ended| ended.redial_after_ms);
        while !self.recorder.window().is_over() {
            let wait = match (self.args.jitter, failures) {
                (true, _) => asked.take().or_else(|| redial.next_ms(None, choices.next()))?,
                (false, 0) => 0,
                (false, _) => AGAIN_MS + choices.next() % (2 * AGAIN_MS),
            };
            monoio::time::sleep(Duration::from_millis(wait)).await;
            let dialled = Instant::now();
            match self.dial(end, number).await {
                Ok(line) => {
                    self.recorder.record("attach", dialled.elapsed());
                    self.recorder.record("back_at", self.recorder.since_began());
                    self.recorder.answered(lost);
                    return Some(line);
                }
                Err(error) => {
                    failures += 1;
                    self.recorder.failed_with("a dial", &error);
                }
            }
        }
        None
    }
}

fn report(args: &StormArgs, outcome: &Outcome) -> Report {
    let tally = &outcome.tally;
    let (up, back) = (tally.number("lines_up"), tally.latencies.count());
    let mut report = Report::new("storm");
    report.put("via", via_name(&args.server, Via::Ws));
    report.put("trigger", if args.trigger == Trigger::Cut { "cut" } else { "server" });
    report.put("jitter", args.jitter);
    report.put("lines", args.lines);
    report.put("sources", args.sources.number(args.lines));
    report.put("lines_up", up);
    report.put("lines_at_end", tally.number("lines_at_end"));
    report.answers("lines_back", outcome);
    let span = tally.series.get("back_at").zip(tally.series.get("lost"));
    let all_back = span.filter(|_| back == up).map(|(back_at, lost)| (back_at.max() - lost.min()) as f64 / 1e6);
    report.put("all_back_s", all_back);
    let lost = tally.series.get("lost").map(|lost| (lost.max() - lost.min()) as f64 / 1e6);
    report.put("all_lost_s", lost);
    report.times("attach", tally.series.get("attach").unwrap_or(&Default::default()));
    let per_line = outcome.server.filter(|_| back > 0).map(|used| used.cpu_us as f64 / back as f64);
    report.put("server_cpu_us_per_line", per_line);
    report.put("server_rss_bytes", outcome.server.map(|used| used.rss_end));
    report.end(outcome, &args.run);
    if back < up {
        report.note(format!("{} lines were not back after {:.1} s", up - back, outcome.elapsed.as_secs_f64()));
    }
    report
}
