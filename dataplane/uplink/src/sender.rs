//! How cores hand things over. Look-ups and passed-on requests wake the uplink's thread at once. Records of calls and
//! reports of sessions do not: they are gathered for a few milliseconds. A record is encoded where it was made, into the
//! core's own lane of the spool: a busy core pays that, an uncontended lock, and hardly ever a system call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossbeam_channel as crossbeam;
use landline_link::{CallRecord, Report};
use tokio::sync::{Notify, mpsc};

use crate::boundary::ToExchange;
use crate::metrics::UplinkMetrics;
use crate::spool::{Command, Lane};

/// How long reports gather before the thread takes them: it wakes at most 200 times a second for them.
const GATHER: Duration = Duration::from_millis(5);

/// A core's way to the uplink. Sending never waits for anything but the moment in which a lane is emptied, and never fails
/// (what is sent after the uplink has stopped is dropped).
#[derive(Debug, Clone)]
pub struct UplinkSender {
    urgent: mpsc::UnboundedSender<ToExchange>,
    reports: crossbeam::Sender<Report>,
    bell: Arc<Bell>,
    lane: Arc<Lane>,
    metrics: Arc<UplinkMetrics>,
}

#[derive(Debug, Default)]
struct Bell {
    rung: AtomicBool,
    notify: Notify,
}

impl UplinkSender {
    /// Hands something over.
    pub fn send(&self, message: ToExchange) {
        match message {
            ToExchange::Report(report) => self.report(report),
            urgent => {
                let _ = self.urgent.send(urgent);
            }
        }
    }

    /// Hands over the record of a call. It is delivered once, whatever becomes of link and process, in order per core.
    pub fn record(&self, record: &CallRecord) {
        self.lane.put(record);
    }

    /// The same with a lane of its own, for another core.
    pub(crate) fn for_another(&self, commands: crossbeam::Sender<Command>) -> Self {
        Self { lane: self.metrics.spool.lanes.add(commands), ..self.clone() }
    }

    fn report(&self, report: Report) {
        self.metrics.sessions_waiting.fetch_add(1, Ordering::Relaxed);
        if self.reports.send(report).is_err() {
            return;
        }
        // The report is in the queue before the bell is read, and the other side silences the bell before it empties
        // the queue: one of the two always sees the other.
        if !self.bell.rung.swap(true, Ordering::SeqCst) {
            self.bell.notify.notify_one();
        }
    }
}

/// The uplink's side of the reports.
pub(crate) struct Reports {
    queue: crossbeam::Receiver<Report>,
    bell: Arc<Bell>,
}

impl Reports {
    /// Waits for a report and for its companions, then empties the queue into `take`. May be dropped while it waits.
    pub(crate) async fn gather(&self, mut take: impl FnMut(Report)) {
        self.bell.notify.notified().await;
        tokio::time::sleep(GATHER).await;
        self.empty(&mut take);
    }

    /// Empties the queue now.
    pub(crate) fn empty(&self, mut take: impl FnMut(Report)) {
        self.bell.rung.store(false, Ordering::SeqCst);
        while let Ok(report) = self.queue.try_recv() {
            take(report);
        }
    }
}

/// Both ends.
pub(crate) fn channel(
    metrics: Arc<UplinkMetrics>,
    commands: crossbeam::Sender<Command>,
) -> (UplinkSender, mpsc::UnboundedReceiver<ToExchange>, Reports) {
    let (urgent, urgent_out) = mpsc::unbounded_channel();
    let (reports, queue) = crossbeam::unbounded();
    let bell = Arc::new(Bell::default());
    let lane = metrics.spool.lanes.add(commands);
    let sender = UplinkSender { urgent, reports, bell: Arc::clone(&bell), lane, metrics };
    (sender, urgent_out, Reports { queue, bell })
}
