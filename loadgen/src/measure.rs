//! What is counted, when, and what the server spent on it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use hdrhistogram::Histogram;

const COUNTING: u8 = 1;
const OVER: u8 = 2;

/// How long a thread may take to bring its lines up.
const START_DEADLINE: Duration = Duration::from_secs(60);

/// The state that the threads of a run share.
#[derive(Debug, Default)]
pub struct Window {
    /// 0 until counting begins.
    phase: AtomicU8,
    ready: AtomicUsize,
}

impl Window {
    /// Are calls being counted?
    pub fn is_counting(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == COUNTING
    }

    /// Is the run over?
    pub fn is_over(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == OVER
    }
}

/// What one thread counted.
#[derive(Debug)]
pub struct Tally {
    /// Microseconds from a call to its answer.
    pub latencies: Histogram<u64>,
    /// Answers that were not what was expected, and lines that ended.
    pub errors: u64,
    /// The first of them.
    pub first_error: Option<String>,
}

impl Default for Tally {
    fn default() -> Self {
        let latencies = Histogram::new_with_bounds(1, 120_000_000, 3).expect("constant bounds are legal");
        Self { latencies, errors: 0, first_error: None }
    }
}

/// One thread's tally, as its tasks hold it.
#[derive(Debug, Clone)]
pub struct Recorder {
    window: Arc<Window>,
    tally: Rc<RefCell<Tally>>,
}

impl Recorder {
    /// An empty tally.
    pub fn new(window: Arc<Window>) -> Self {
        Self { window, tally: Rc::default() }
    }

    /// A call that began at `start` was answered well.
    pub fn answered(&self, start: Instant) {
        if self.window.is_counting() {
            let micros = start.elapsed().as_micros().clamp(1, 120_000_000) as u64;
            self.tally.borrow_mut().latencies.saturating_record(micros);
        }
    }

    /// Something went wrong, at any time before the end.
    pub fn failed(&self, why: impl std::fmt::Display) {
        if !self.window.is_over() {
            let mut tally = self.tally.borrow_mut();
            tally.errors += 1;
            tally.first_error.get_or_insert_with(|| why.to_string());
        }
    }

    /// Says that this thread's load runs, waits for the end of the run, and takes the tally.
    pub async fn until_over(self) -> Tally {
        self.window.ready.fetch_add(1, Ordering::Relaxed);
        while !self.window.is_over() {
            monoio::time::sleep(Duration::from_millis(10)).await;
        }
        self.tally.take()
    }
}

/// What a run saw.
#[derive(Debug)]
pub struct Outcome {
    /// All threads' tallies.
    pub tally: Tally,
    /// The counted time.
    pub elapsed: Duration,
    /// CPU time of the server in it, microseconds.
    pub server_cpu_us: Option<u64>,
}

/// Runs `thread` on `threads` threads, each given its number; counts for `seconds` after `warmup`.
///
/// # Errors
/// A thread could not start its load, or the server's process is not there.
pub fn run<F>(threads: usize, warmup: f64, seconds: f64, server: Option<u32>, thread: F) -> anyhow::Result<Outcome>
where
    F: Fn(usize, Recorder) -> anyhow::Result<Tally> + Sync,
{
    let window = Arc::new(Window::default());
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|number| {
                let (window, thread) = (window.clone(), &thread);
                scope.spawn(move || thread(number, Recorder::new(window)))
            })
            .collect();
        let started = Instant::now();
        while window.ready.load(Ordering::Relaxed) < threads && !workers.iter().any(|worker| worker.is_finished()) {
            if started.elapsed() > START_DEADLINE {
                // The threads hang in their start; only the process's end can end them.
                eprintln!("the load did not start within {} s", START_DEADLINE.as_secs());
                std::process::exit(1);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let sample = sample(&window, warmup, seconds, server);
        window.phase.store(OVER, Ordering::Relaxed);
        let mut tally = Tally::default();
        for worker in workers {
            let part = worker.join().map_err(|_| anyhow::anyhow!("a load thread panicked"))??;
            tally.latencies.add(part.latencies).context("equal bounds")?;
            tally.errors += part.errors;
            tally.first_error = tally.first_error.or(part.first_error);
        }
        let (elapsed, server_cpu_us) = sample?;
        Ok(Outcome { tally, elapsed, server_cpu_us })
    })
}

fn sample(window: &Window, warmup: f64, seconds: f64, server: Option<u32>) -> anyhow::Result<(Duration, Option<u64>)> {
    std::thread::sleep(Duration::from_secs_f64(warmup));
    let before = server.map(cpu_us).transpose()?;
    let start = Instant::now();
    window.phase.store(COUNTING, Ordering::Relaxed);
    std::thread::sleep(Duration::from_secs_f64(seconds));
    let after = server.map(cpu_us).transpose()?;
    Ok((start.elapsed(), before.zip(after).map(|(before, after)| after - before)))
}

/// CPU time (user and system) that a process has used, microseconds; of the system's clock tick exactly.
///
/// # Errors
/// There is no such process.
pub fn cpu_us(pid: u32) -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).with_context(|| format!("no process {pid}"))?;
    // The second field is the command in parentheses and may hold anything: count from its end. See proc(5).
    let fields: Vec<_> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok());
    let (Some(user), Some(system)) = (ticks(11), ticks(12)) else { bail!("/proc/{pid}/stat reads strangely") };
    // SAFETY: no pointers; a constant of the system.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) } as u64;
    Ok((user + system) * 1_000_000 / per_second)
}

/// Resident memory of a process, bytes.
///
/// # Errors
/// There is no such process.
pub fn rss_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).with_context(|| format!("no process {pid}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS in /proc")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse().context("VmRSS")?;
    Ok(kib << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_works_uses_cpu_and_memory() {
        let pid = std::process::id();
        let (before, start) = (cpu_us(pid).unwrap(), Instant::now());
        let mut sum = 0u64;
        while cpu_us(pid).unwrap() < before + 30_000 {
            sum = std::hint::black_box(sum.wrapping_add(1));
            assert!(start.elapsed() < Duration::from_secs(20), "no CPU time is seen");
        }
        assert!(rss_bytes(pid).unwrap() > 1 << 20);
        assert!(cpu_us(u32::MAX).is_err() && rss_bytes(u32::MAX).is_err());
    }

    #[test]
    fn only_what_falls_into_the_window_counts() {
        let outcome = run(2, 0.05, 0.1, None, |number, recorder| {
            crate::runtime::run(async move {
                let counter = recorder.clone();
                monoio::spawn(async move {
                    while !counter.window.is_over() {
                        counter.answered(Instant::now());
                        monoio::time::sleep(Duration::from_millis(1)).await;
                    }
                });
                if number == 1 {
                    recorder.failed("one");
                }
                Ok(recorder.until_over().await)
            })?
        })
        .unwrap();
        assert!((2..=220).contains(&outcome.tally.latencies.len()), "{}", outcome.tally.latencies.len());
        assert_eq!((outcome.tally.errors, outcome.tally.first_error.as_deref()), (1, Some("one")));
        assert!(outcome.server_cpu_us.is_none());
    }
}
