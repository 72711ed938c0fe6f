//! The uplink as the switch holds it.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use landline_link::Welcome;
use tokio::sync::oneshot;
use tokio::task::LocalSet;
use uuid::Uuid;

use crate::boundary::Deliver;
use crate::config::{StartError, UplinkConfig};
use crate::identity::Store;
use crate::metrics::{UplinkFigures, UplinkMetrics};
use crate::run::{Run, Shared};
use crate::sender::{UplinkSender, channel};
use crate::spool::{self, Command};

/// The running uplink: one thread (and the spool's) that dials the exchange for as long as this exists. Dropping it ends the thread
/// without waiting for reports; [`Uplink::stop`] waits.
#[derive(Debug)]
pub struct Uplink {
    sender: UplinkSender,
    metrics: Arc<UplinkMetrics>,
    commands: crossbeam_channel::Sender<Command>,
    ready: Arc<Ready>,
    stop: oneshot::Sender<Duration>,
    thread: JoinHandle<Left>,
}

/// Records of calls that were not delivered when the uplink stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Left {
    /// On disk: the next start delivers them.
    pub kept: u64,
    /// The disk refused them.
    pub lost: u64,
}

/// Why the exchange has not welcomed this node yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReady {
    /// It said no: the join token is spent or expired, or the node was revoked. Trying goes on, but only an operator can
    /// help.
    #[error("the exchange refuses this node: {0}")]
    Refused(String),
    /// It was not reached in time; with what went wrong last. Trying goes on.
    #[error("the exchange was not reached: {0}")]
    Unreached(String),
}

impl Uplink {
    /// Starts the thread and returns at once; see [`Uplink::wait_ready`]. `deliver` is called on that thread, for cores
    /// `0..cores`, and must not block.
    ///
    /// # Errors
    /// [`StartError`]: what no amount of trying would mend.
    pub fn start(config: UplinkConfig, deliver: Deliver, cores: usize) -> Result<Self, StartError> {
        let store = Store::open(&config.data_dir)?;
        let identity = store.load()?;
        if identity.is_none() && config.join_token.is_none() {
            return Err(StartError::NoJoinToken);
        }
        let system = |error: std::io::Error| StartError::System(error.to_string());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(system)?;
        let metrics = Arc::new(UplinkMetrics::default());
        let ready = Arc::new(Ready::default());
        let commands = crossbeam_channel::unbounded();
        let bell = commands.0.clone();
        let (sender, urgent, reports) = channel(Arc::clone(&metrics), bell.clone());
        let (stop, stopped) = oneshot::channel();
        metrics.spool.bound.store(config.spool_bytes, Ordering::Relaxed);
        let boot = Uuid::new_v4();
        let (spool, batches) =
            spool::start(&config.data_dir, config.spool_bytes, boot, Arc::clone(&metrics), commands).map_err(system)?;
        let (thread_metrics, thread_ready) = (Arc::clone(&metrics), Arc::clone(&ready));
        let thread = std::thread::Builder::new()
            .name("uplink".into())
            .spawn(move || {
                let shared = Shared::new(config, boot, deliver, cores, thread_metrics, thread_ready);
                let run = Run { shared: shared.into(), store, identity, urgent, reports, spool, batches, stopped };
                LocalSet::new().block_on(&runtime, run.until_stopped())
            })
            .map_err(system)?;
        Ok(Self { sender, metrics, commands: bell, ready, stop, thread })
    }

    /// A way to the exchange, one for each core.
    pub fn sender(&self) -> UplinkSender {
        self.sender.for_another(self.commands.clone())
    }

    /// See [`UplinkMetrics::has_room`].
    pub fn has_room(&self) -> bool {
        self.metrics.has_room()
    }

    /// The counters, for the metrics page. They may be read after the uplink has stopped.
    pub fn metrics(&self) -> Arc<UplinkMetrics> {
        Arc::clone(&self.metrics)
    }

    /// [`UplinkMetrics::figures`] of now.
    pub fn figures(&self) -> UplinkFigures {
        self.metrics.figures()
    }

    /// Blocks until the exchange has welcomed this node, refused it, or the time is over.
    ///
    /// # Errors
    /// [`NotReady`]; the uplink goes on trying, and the call can be repeated.
    pub fn wait_ready(&self, timeout: Duration) -> Result<Arc<Welcome>, NotReady> {
        self.ready.wait(timeout)
    }

    /// Waits until every report is acknowledged, but not longer than `deadline`, then leaves in order and ends the
    /// threads. Blocks. Gives the records that were not delivered.
    pub fn stop(self, deadline: Duration) -> Left {
        let _ = self.stop.send(deadline);
        drop(self.sender);
        self.thread.join().unwrap_or_else(|_| Left { kept: 0, lost: self.metrics.records_waiting() })
    }
}

/// Where the welcome is waited for.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    welcome: Option<Arc<Welcome>>,
    refused: Option<String>,
    last_fault: Option<String>,
}

impl Ready {
    pub(crate) fn welcomed(&self, welcome: Arc<Welcome>) {
        self.change(|state| {
            state.welcome = Some(welcome);
            state.refused = None;
        });
    }

    pub(crate) fn refused(&self, reason: String) {
        self.change(|state| {
            state.welcome = None;
            state.refused = Some(reason);
        });
    }

    pub(crate) fn fault(&self, reason: String) {
        self.change(|state| state.last_fault = Some(reason));
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
        self.changed.notify_all();
    }

    fn wait(&self, timeout: Duration) -> Result<Arc<Welcome>, NotReady> {
        let until = Instant::now() + timeout;
        let mut state = self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        loop {
            if let Some(welcome) = &state.welcome {
                return Ok(Arc::clone(welcome));
            }
            if let Some(reason) = &state.refused {
                return Err(NotReady::Refused(reason.clone()));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let fault = state.last_fault.clone().unwrap_or_else(|| "it did not answer".into());
                return Err(NotReady::Unreached(fault));
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }
}
