//! When is counted, by whom, and what the server and the generator spent meanwhile.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use crate::args::Run;
use crate::progress::Progress;
use crate::stats::Tally;
use crate::{interrupt, proc};

const COUNTING: u8 = 1;
const OVER: u8 = 2;

/// How long calls that are on their way at the end are awaited.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);

/// How often the main thread looks around.
const TICK: Duration = Duration::from_millis(5);

/// What progress shows of one thread: written by it alone.
#[derive(Debug, Default)]
struct Live {
    answered: AtomicU64,
    errors: AtomicU64,
    lines: AtomicI64,
}

/// The state that the threads of a run share.
#[derive(Debug, Default)]
pub struct Window {
    /// 0 until counting begins.
    phase: AtomicU8,
    began: OnceLock<Instant>,
    /// Threads whose load runs.
    ready: AtomicUsize,
    /// Threads whose work is complete before the time is over.
    complete: AtomicUsize,
    live: Mutex<Vec<Arc<Live>>>,
}

impl Window {
    /// Are calls being counted?
    pub fn is_counting(&self) -> bool {
        self.phase.load(Relaxed) == COUNTING
    }

    /// Is the run over?
    pub fn is_over(&self) -> bool {
        self.phase.load(Relaxed) == OVER
    }

    fn state(&self, run: &Run) -> String {
        let (mut answered, mut errors, mut lines) = (0, 0, 0);
        for live in self.live.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            answered += live.answered.load(Relaxed);
            errors += live.errors.load(Relaxed);
            lines += live.lines.load(Relaxed);
        }
        let when = match self.began.get() {
            Some(began) => format!("{:.0} of {:.0} s", began.elapsed().as_secs_f64(), run.seconds),
            None => "starting".to_owned(),
        };
        format!("{when}: {lines} lines, {answered} answers, {errors} errors")
    }
}

/// One thread's tally, as its tasks hold it.
#[derive(Debug, Clone)]
pub struct Recorder {
    window: Arc<Window>,
    live: Arc<Live>,
    tally: Rc<RefCell<Tally>>,
}

impl Recorder {
    fn new(window: Arc<Window>) -> Self {
        let live = Arc::<Live>::default();
        window.live.lock().unwrap_or_else(PoisonError::into_inner).push(live.clone());
        Self { window, live, tally: Rc::default() }
    }

    /// Another tally of the same run, for what is not to be counted with the rest.
    pub fn aside(&self) -> Self {
        Self { window: self.window.clone(), live: Arc::default(), tally: Rc::default() }
    }

    /// What was counted so far.
    pub fn take(&self) -> Tally {
        self.tally.take()
    }

    /// The run that is recorded.
    pub fn window(&self) -> &Window {
        &self.window
    }

    /// A call that began at `start` was answered well.
    pub fn answered(&self, start: Instant) {
        self.live.answered.store(self.live.answered.load(Relaxed) + 1, Relaxed);
        if !self.window.is_counting() {
            return;
        }
        let now = Instant::now();
        let mut tally = self.tally.borrow_mut();
        tally.latencies.record(now - start);
        if let Some(began) = self.window.began.get() {
            tally.timeline.add(now - *began);
        }
    }

    /// One more time of a named series.
    pub fn record(&self, series: &'static str, time: Duration) {
        if self.window.is_counting() {
            self.tally.borrow_mut().series.entry(series).or_default().record(time);
        }
    }

    /// So many more of a named number.
    pub fn count(&self, name: &'static str, number: u64) {
        if self.window.is_counting() {
            *self.tally.borrow_mut().counts.entry(name).or_default() += number;
        }
    }

    /// A call was sent, at any time.
    pub fn sent(&self) {
        self.tally.borrow_mut().calls.sent += 1;
    }

    /// A call that was sent has ended, at any time: with this code, or without one because it was answered.
    pub fn ended(&self, code: Option<&str>) {
        let calls = &mut self.tally.borrow_mut().calls;
        calls.ended += 1;
        if let Some(code) = code {
            calls.refused.add(code, String::new);
        }
    }

    /// Waits until every call that was sent has ended, but not for ever.
    pub async fn until_settled(&self) {
        let limit = Instant::now() + SETTLE_LIMIT;
        let is_open = || {
            let calls = &self.tally.borrow().calls;
            calls.ended < calls.sent
        };
        while is_open() && Instant::now() < limit {
            monoio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Something went wrong, at any time before the end.
    pub fn failed(&self, kind: &str, detail: impl FnOnce() -> String) {
        if !self.window.is_over() {
            self.live.errors.store(self.live.errors.load(Relaxed) + 1, Relaxed);
            self.tally.borrow_mut().errors.add(kind, detail);
        }
    }

    /// The same for an error of which only the text is known. Its root is its kind.
    pub fn failed_with(&self, who: &str, error: &anyhow::Error) {
        self.failed(&error.root_cause().to_string(), || format!("{who}: {error:#}"));
    }

    /// A line came up (1) or ended (-1): for the progress.
    pub fn lines(&self, change: i64) {
        self.live.lines.store(self.live.lines.load(Relaxed) + change, Relaxed);
    }

    /// Time since counting began.
    pub fn since_began(&self) -> Duration {
        self.window.began.get().map_or(Duration::ZERO, Instant::elapsed)
    }

    /// Says that this thread's load runs, and waits until counting begins. No answer: the run ended before.
    pub async fn until_counting(&self) -> bool {
        self.window.ready.fetch_add(1, Relaxed);
        while !self.window.is_counting() && !self.window.is_over() {
            monoio::time::sleep(Duration::from_millis(1)).await;
        }
        self.window.is_counting()
    }

    /// Says that this thread has nothing more to do: when all have, the run is over.
    pub fn complete(&self) {
        self.window.complete.fetch_add(1, Relaxed);
    }

    /// Waits for the end of the run, and of the calls that are on their way then, and takes the tally.
    pub async fn until_over(self) -> Tally {
        if !self.window.is_counting() {
            self.until_counting().await;
        }
        while !self.window.is_over() {
            monoio::time::sleep(Duration::from_millis(5)).await;
        }
        self.until_settled().await;
        self.tally.take()
    }
}

/// What the server used.
#[derive(Debug, Clone, Copy)]
pub struct ServerUse {
    /// CPU time while counting, microseconds.
    pub cpu_us: u64,
    /// Resident memory before the run, bytes.
    pub rss_before: u64,
    /// When counting began: everything is up.
    pub rss_up: u64,
    /// When it ended.
    pub rss_end: u64,
}

/// What a run saw.
#[derive(Debug)]
pub struct Outcome {
    /// All threads' tallies.
    pub tally: Tally,
    /// The counted time.
    pub elapsed: Duration,
    /// From the start of the threads until all their load ran.
    pub start: Duration,
    /// What the server used, if its process was named.
    pub server: Option<ServerUse>,
    /// CPU time of this process while counting, microseconds.
    pub own_cpu_us: u64,
    /// Somebody ended it before its time.
    pub interrupted: bool,
}

/// Runs `thread` on as many threads as the run has, each given its number.
///
/// # Errors
/// A thread could not start its load, or the server's process is not there.
pub fn run<F>(run: &Run, thread: F) -> anyhow::Result<Outcome>
where
    F: Fn(usize, Recorder) -> anyhow::Result<Tally> + Sync,
{
    let window = Arc::new(Window::default());
    let rss_before = run.server_pid.map(proc::rss_bytes).transpose()?;
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..run.threads)
            .map(|number| {
                let (window, thread) = (window.clone(), &thread);
                scope.spawn(move || thread(number, Recorder::new(window)))
            })
            .collect();
        let watched = watch(&window, run, || workers.iter().any(|worker| worker.is_finished()));
        window.phase.store(OVER, Relaxed);
        let mut tally = Tally::default();
        for worker in workers {
            tally.merge(worker.join().map_err(|_| anyhow::anyhow!("a load thread panicked"))??);
        }
        let Watched { elapsed, start, own_cpu_us, server } = watched?;
        let server = rss_before.zip(server).map(|(rss_before, server)| ServerUse { rss_before, ..server });
        Ok(Outcome { tally, elapsed, start, server, own_cpu_us, interrupted: interrupt::is_interrupted() })
    })
}

struct Watched {
    elapsed: Duration,
    start: Duration,
    own_cpu_us: u64,
    server: Option<ServerUse>,
}

/// Takes the run through its phases. `gave_up`: a thread ended before its time; its result says why.
fn watch(window: &Window, run: &Run, gave_up: impl Fn() -> bool) -> anyhow::Result<Watched> {
    let mut progress = Progress::default();
    let mut wait = |until: &dyn Fn() -> bool| {
        while !until() && !gave_up() && !interrupt::is_interrupted() {
            progress.show(|| window.state(run));
            std::thread::sleep(TICK);
        }
    };
    let started = Instant::now();
    wait(&|| window.ready.load(Relaxed) >= run.threads);
    let start = started.elapsed();
    let warm = Instant::now() + Duration::from_secs_f64(run.warmup);
    wait(&|| Instant::now() >= warm);
    let before = run.server_pid.map(|pid| anyhow::Ok((proc::cpu_us(pid)?, proc::rss_bytes(pid)?))).transpose()?;
    let own_before = proc::cpu_us(std::process::id())?;
    let began = *window.began.get_or_init(Instant::now);
    window.phase.store(COUNTING, Relaxed);
    let end = began + Duration::from_secs_f64(run.seconds);
    wait(&|| Instant::now() >= end || window.complete.load(Relaxed) >= run.threads);
    let after = run.server_pid.map(proc::cpu_us).transpose();
    let (elapsed, own_cpu_us) = (began.elapsed(), proc::cpu_us(std::process::id())? - own_before);
    // A server that was restarted meanwhile is another process: what it used cannot be told any more.
    let server = before.zip(after.ok().flatten()).and_then(|((cpu_before, rss_up), cpu_after)| {
        let rss_end = proc::rss_bytes(run.server_pid?).ok()?;
        Some(ServerUse { cpu_us: cpu_after.checked_sub(cpu_before)?, rss_before: 0, rss_up, rss_end })
    });
    Ok(Watched { elapsed, start, own_cpu_us, server })
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Cli, Command};
    use crate::runtime;

    fn two_threads(seconds: &str) -> Run {
        let words = ["x", "calls", "--threads", "2", "--warmup", "0.05", "--seconds", seconds];
        let Command::Calls(args) = Cli::parse_from(words).command else { panic!("calls") };
        args.run
    }

    #[test]
    fn only_what_falls_into_the_window_counts() {
        let outcome = run(&two_threads("0.2"), |number, recorder| {
            runtime::run(async move {
                let counter = recorder.clone();
                monoio::spawn(async move {
                    while !counter.window.is_over() {
                        counter.answered(Instant::now());
                        counter.count("seen", 2);
                        monoio::time::sleep(Duration::from_millis(1)).await;
                    }
                });
                if number == 1 {
                    recorder.failed("kind", || "one".into());
                }
                Ok(recorder.until_over().await)
            })?
        })
        .unwrap();
        let answered = outcome.tally.latencies.count();
        assert!((2..=440).contains(&answered), "{answered}");
        assert_eq!(outcome.tally.number("seen"), 2 * answered);
        assert_eq!((outcome.tally.errors.total(), outcome.tally.errors.first()), (1, Some("one")));
        assert!(outcome.server.is_none() && outcome.elapsed >= Duration::from_millis(200));
    }

    #[test]
    fn a_run_ends_when_every_thread_is_complete() {
        let outcome = run(&two_threads("60"), |_, recorder| {
            runtime::run(async move {
                assert!(recorder.until_counting().await);
                recorder.complete();
                Ok(recorder.until_over().await)
            })?
        })
        .unwrap();
        assert!(outcome.elapsed < Duration::from_secs(30), "{:?}", outcome.elapsed);
    }

    #[test]
    fn a_thread_that_cannot_start_ends_the_run_with_its_reason() {
        let error = run(&two_threads("60"), |number, recorder| {
            if number == 0 {
                anyhow::bail!("no socket");
            }
            runtime::run(async move { Ok(recorder.until_over().await) })?
        });
        assert_eq!(error.unwrap_err().to_string(), "no socket");
    }
}
