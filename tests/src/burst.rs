//! A caller that makes many calls over one line, as fast as they are answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rmpv::Value;

use crate::api::Agent;
use crate::frame;
use crate::line::{EchoAgent, Line};

/// Calls in flight: what one caller may have.
const WINDOW: u64 = 64;

/// How calls of a burst ended.
#[derive(Debug, Default)]
pub struct Ended {
    /// The request ids of the calls that were answered, each with when.
    pub answered: Vec<(String, Instant)>,
    /// The codes of the others.
    pub refused: Vec<String>,
}

/// The caller at work, and the agent that it calls.
#[derive(Debug)]
pub struct Burst {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    refused: Arc<AtomicU64>,
    thread: Option<JoinHandle<Ended>>,
    _callee: EchoAgent,
}

impl Burst {
    /// Begins: request ids are `name`, a number, and as much filling as makes them as long as they may be.
    ///
    /// # Panics
    /// If one of the lines is refused.
    pub fn start(addr: SocketAddr, name: &str, caller: &Agent, callee: &Agent) -> Self {
        let (stop, answered, refused) = (Arc::default(), Arc::default(), Arc::default());
        let counts = (Arc::clone(&stop), Arc::clone(&answered), Arc::clone(&refused));
        let echo = EchoAgent::start(addr, &callee.key);
        let line = Line::dial(addr, &caller.key).expect("a line");
        let (name, to) = (name.to_owned(), callee.id.clone());
        let thread = std::thread::spawn(move || call(line, &name, &to, counts));
        Self { stop, answered, refused, thread: Some(thread), _callee: echo }
    }

    /// Calls that were answered so far.
    pub fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Calls that were refused so far.
    pub fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Waits until so many calls were answered.
    ///
    /// # Panics
    /// If that takes too long.
    #[track_caller]
    pub fn wait(&self, count: u64) {
        crate::wait::eventually(Duration::from_secs(120), &format!("{count} answers"), || {
            (self.answered() >= count).then_some(())
        });
    }

    /// Makes no further call, and gives how they ended.
    ///
    /// # Panics
    /// If the caller panicked.
    pub fn end(mut self) -> Ended {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().expect("it ends once").join().expect("the caller")
    }
}

impl Drop for Burst {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}

fn request_id(name: &str, number: u64) -> String {
    format!("{name}-{number:-<width$}", width = 63 - name.len())
}

fn call(
    mut line: Line,
    name: &str,
    to: &str,
    (stop, answered, refused): (Arc<AtomicBool>, Arc<AtomicU64>, Arc<AtomicU64>),
) -> Ended {
    let mut ended = Ended::default();
    let (mut sent, mut open) = (0, 0);
    loop {
        while open < WINDOW && !stop.load(Ordering::Relaxed) {
            // A caller's call ids are odd.
            let message = frame::map(&[
                ("type", "call".into()),
                ("id", (2 * sent + 1).into()),
                ("to", to.into()),
                ("request_id", request_id(name, sent).into()),
                ("body", Value::Binary(b"{}".to_vec())),
            ]);
            if line.ws.sender().binary(&message).is_err() {
                return ended;
            }
            sent += 1;
            open += 1;
        }
        if open == 0 {
            return ended;
        }
        match line.next(Duration::from_secs(1)) {
            Ok(frame) if frame.kind() == "response" => {
                ended.answered.push((request_id(name, frame.id() / 2), Instant::now()));
                answered.fetch_add(1, Ordering::Relaxed);
                open -= 1;
            }
            Ok(frame) if frame.kind() == "error" => {
                ended.refused.push(frame.text("code").unwrap_or_default().to_owned());
                refused.fetch_add(1, Ordering::Relaxed);
                open -= 1;
                // Refused at once: not a race to be refused again.
                std::thread::sleep(Duration::from_millis(1));
            }
            Ok(_) => {}
            Err(_) => return ended,
        }
    }
}
