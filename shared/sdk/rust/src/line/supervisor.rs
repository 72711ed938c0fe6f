//! Holds a line through its connections: dials, waits, dials again, lets draining connections finish beside the new one.

use std::sync::Arc;
use std::time::Duration;

use landline_wire::session::redial::Redial;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::connection::{Connection, End, Signal};
use super::dial::{Target, random};
use super::types::{Ending, Handler, LineState};
use super::{Caller, LineSettings};

/// Signals that may wait for the supervisor; a connection gives three in its life.
const SIGNALS: usize = 8;

pub(super) struct Supervisor {
    pub(super) settings: LineSettings,
    pub(super) target: Target,
    pub(super) handler: Arc<Handler>,
    pub(super) caller: Caller,
    pub(super) state: watch::Sender<LineState>,
}

/// Why the wait for a connection was over.
enum Step {
    Again { closed_with: Option<u16>, reason: String },
    Drained { redial_after: Duration },
    Leave(Duration),
}

impl Supervisor {
    /// Runs until the line ends for good or is left.
    pub(super) async fn run(self, mut leave: oneshot::Receiver<Duration>) {
        let mut redial = Redial::default();
        let mut draining = JoinSet::new();
        let ending = loop {
            self.state.send_replace(LineState::Dialling);
            let (stop_sender, stop) = oneshot::channel();
            let (signal_sender, mut signals) = mpsc::channel(SIGNALS);
            let connection = Connection::new(&self.settings, &self.target, self.handler.clone(), self.caller.clone());
            let mut running = Box::pin(connection.run(signal_sender, stop));
            match self.watch(&mut running, &mut signals, &mut leave, &mut redial).await {
                Step::Leave(deadline) => {
                    let _ = stop_sender.send(deadline);
                    // The connection keeps its deadline itself; a little more is for the close handshake.
                    let _ = tokio::time::timeout(deadline + Duration::from_secs(1), running).await;
                    break Ending::Left;
                }
                Step::Drained { redial_after } => {
                    draining.spawn(async move {
                        let end = running.await;
                        drop(stop_sender);
                        end
                    });
                    self.wait(redial_after, "the node is leaving");
                    if pause(redial_after, &mut leave).await.is_some() {
                        break Ending::Left;
                    }
                }
                Step::Again { closed_with, reason } => {
                    let chance = random().map_or(0, u64::from_le_bytes);
                    let wait_ms = match closed_with {
                        Some(code) => redial.after_close_ms(code, &reason, chance),
                        None => redial.next_ms(None, chance),
                    };
                    let Some(wait_ms) = wait_ms else {
                        break Ending::Closed { code: closed_with.unwrap_or_default(), reason };
                    };
                    let wait = Duration::from_millis(wait_ms);
                    self.wait(wait, &reason);
                    if pause(wait, &mut leave).await.is_some() {
                        break Ending::Left;
                    }
                }
            }
            while draining.try_join_next().is_some() {}
        };
        self.state.send_replace(LineState::Ended(ending));
    }

    async fn watch(
        &self,
        running: &mut (impl Future<Output = End> + Unpin),
        signals: &mut mpsc::Receiver<Signal>,
        leave: &mut oneshot::Receiver<Duration>,
        redial: &mut Redial,
    ) -> Step {
        loop {
            tokio::select! {
                biased;
                Some(signal) = signals.recv() => match signal {
                    Signal::Ready(ready) => {
                        redial.succeeded();
                        self.state.send_replace(LineState::Up(ready));
                    }
                    Signal::Draining { redial_after } => return Step::Drained { redial_after },
                },
                end = &mut *running => {
                    let (closed_with, reason) = match end {
                        End::Closed(code, reason) => (Some(code), reason),
                        End::Lost(reason) => (None, reason),
                    };
                    return Step::Again { closed_with, reason };
                }
                Ok(deadline) = &mut *leave => return Step::Leave(deadline),
            }
        }
    }

    fn wait(&self, time: Duration, why: &str) {
        let for_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(for_ms, why, "line lost");
        self.state.send_replace(LineState::Waiting { for_ms, why: why.to_owned() });
    }
}

/// Waits, unless the line is left meanwhile.
async fn pause(time: Duration, leave: &mut oneshot::Receiver<Duration>) -> Option<Duration> {
    tokio::select! {
        () = tokio::time::sleep(time) => None,
        Ok(deadline) = leave => Some(deadline),
    }
}
