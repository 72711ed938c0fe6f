//! Callers that go on calling while something happens to the servers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::api;
use crate::http::Conn;
use crate::line::echo_body;

/// What one caller saw.
#[derive(Debug, Default, Clone)]
pub struct Seen {
    /// Request ids of the calls that were answered as they should.
    pub good: Vec<String>,
    /// What was wrong with the others.
    pub bad: Vec<String>,
    /// The slowest good call.
    pub slowest: Duration,
}

/// Callers at work.
#[derive(Debug)]
pub struct Steady {
    stop: Arc<AtomicBool>,
    good: Arc<AtomicU64>,
    bad: Arc<AtomicU64>,
    threads: Vec<JoinHandle<Seen>>,
}

impl Steady {
    /// One caller for each credential, each with a connection of its own, one call after the other with a pause between.
    pub fn start(addr: SocketAddr, to: &str, credentials: &[&str], pause: Duration) -> Self {
        let mut steady = Self { stop: Arc::default(), good: Arc::default(), bad: Arc::default(), threads: Vec::new() };
        for (index, credential) in credentials.iter().enumerate() {
            let caller = Caller {
                addr,
                to: to.to_owned(),
                credential: (*credential).to_owned(),
                name: format!("steady-{}-{index}", std::process::id()),
                pause,
            };
            let (stop, good, bad) = (steady.stop.clone(), steady.good.clone(), steady.bad.clone());
            steady.threads.push(std::thread::spawn(move || caller.run(&stop, &good, &bad)));
        }
        steady
    }

    /// Good calls so far.
    pub fn good(&self) -> u64 {
        self.good.load(Ordering::Relaxed)
    }

    /// Failed calls so far.
    pub fn bad(&self) -> u64 {
        self.bad.load(Ordering::Relaxed)
    }

    /// Ends them; what they saw together.
    ///
    /// # Panics
    /// If a caller panicked.
    pub fn stop(mut self) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Seen::default();
        for thread in self.threads.drain(..) {
            let seen = thread.join().expect("a caller");
            all.good.extend(seen.good);
            all.bad.extend(seen.bad);
            all.slowest = all.slowest.max(seen.slowest);
        }
        all
    }
}

impl Drop for Steady {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

struct Caller {
    addr: SocketAddr,
    to: String,
    credential: String,
    name: String,
    pause: Duration,
}

impl Caller {
    fn run(self, stop: &AtomicBool, good: &AtomicU64, bad: &AtomicU64) -> Seen {
        let mut seen = Seen::default();
        let mut conn = None;
        for number in 0..1_000_000_u32 {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let request_id = format!("{}-{number}", self.name);
            let started = Instant::now();
            match self.call(&mut conn, &request_id) {
                Ok(()) => {
                    seen.slowest = seen.slowest.max(started.elapsed());
                    seen.good.push(request_id);
                    good.fetch_add(1, Ordering::Relaxed);
                }
                Err(why) => {
                    conn = None;
                    seen.bad.push(format!("{request_id} after {:?}: {why}", started.elapsed()));
                    bad.fetch_add(1, Ordering::Relaxed);
                }
            }
            std::thread::sleep(self.pause);
        }
        seen
    }

    fn call(&self, conn: &mut Option<Conn>, request_id: &str) -> Result<(), String> {
        let mut open = match conn.take() {
            Some(open) => open,
            None => Conn::open(self.addr).map_err(|why| format!("dial: {why}"))?,
        };
        let body = format!("{{\"call\": \"{request_id}\"}}");
        let request = api::call_request(&self.to, &self.credential, &body).header("x-request-id", request_id);
        let answer = open.ask(&request).map_err(|why| format!("{why}"))?;
        if answer.status != 200 || answer.body != echo_body(body.as_bytes()) {
            return Err(format!("{} {}", answer.status, answer.text()));
        }
        *conn = Some(open);
        Ok(())
    }
}
