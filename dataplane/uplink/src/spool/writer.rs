//! The spool's thread: gathers what the cores put into their lanes, writes it to the log, hands batches to the link, and
//! forgets what was acknowledged.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender};
use landline_link::RecordAck;
use landline_link::limits::MAX_RECORD_BATCHES_IN_FLIGHT;
use landline_wire::limits::MIN_FREE_DISK_BYTES;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::flight::Batch;
use super::folder::Folder;
use super::log::{Log, Sizes};
use super::sync::Syncer;
use crate::metrics::UplinkMetrics;

/// How long records gather before they are written: an audit row is that much later, and that much is lost with a killed
/// process.
const GATHER: Duration = Duration::from_millis(5);
/// How often the disk is looked at, and what still waits is made durable.
const TICK: Duration = Duration::from_secs(1);

/// What the thread is told.
#[derive(Debug)]
pub(crate) enum Command {
    /// A lane has its first record.
    Rung,
    /// Records are durable at the exchange.
    Acknowledged(RecordAck),
    /// Write what is left and end.
    Stop,
}

/// The running thread.
#[derive(Debug)]
pub(crate) struct Spool {
    commands: Sender<Command>,
    thread: JoinHandle<u64>,
}

impl Spool {
    /// Records are durable at the exchange.
    pub(crate) fn acknowledged(&self, ack: RecordAck) {
        let _ = self.commands.send(Command::Acknowledged(ack));
    }

    /// Writes what is left and ends the thread. Gives how many records are neither on disk nor at the exchange.
    pub(crate) fn stop(self) -> u64 {
        let _ = self.commands.send(Command::Stop);
        self.thread.join().unwrap_or(0)
    }
}

/// Opens the folder and starts the thread. Batches come out of the channel, so many at a time as may fly.
///
/// # Errors
/// The system refuses a thread.
pub(crate) fn start(
    data_dir: &Path,
    spool_bytes: u64,
    boot: Uuid,
    metrics: Arc<UplinkMetrics>,
    (commands, taken): (Sender<Command>, Receiver<Command>),
) -> std::io::Result<(Spool, mpsc::UnboundedReceiver<Batch>)> {
    let folder = Folder::of(data_dir);
    let syncer = Syncer::start(folder.clone())?;
    let (log, left) = Log::open(folder.clone(), Sizes::of(spool_bytes), boot);
    metrics.spool.left.store(left, Ordering::Relaxed);
    if left > 0 {
        tracing::info!(records = left, "records of calls that an earlier start left are delivered now");
    }
    let (batches, out) = mpsc::unbounded_channel();
    let writer = Writer {
        log,
        folder,
        syncer,
        metrics,
        commands: taken,
        batches,
        flying: VecDeque::new(),
        gather_at: None,
        tick_at: Instant::now(),
        made: 0,
    };
    let thread = std::thread::Builder::new().name("spool".into()).spawn(move || writer.run())?;
    Ok((Spool { commands, thread }, out))
}

struct Writer {
    log: Log,
    folder: Folder,
    syncer: Syncer,
    metrics: Arc<UplinkMetrics>,
    commands: Receiver<Command>,
    batches: mpsc::UnboundedSender<Batch>,
    /// What acknowledges each batch that was handed out.
    flying: VecDeque<RecordAck>,
    gather_at: Option<Instant>,
    tick_at: Instant,
    /// Records that there had ever been at the last tick.
    made: u64,
}

impl Writer {
    fn run(mut self) -> u64 {
        loop {
            let wake_at = self.gather_at.map_or(self.tick_at, |at| at.min(self.tick_at));
            match self.commands.recv_deadline(wake_at) {
                Ok(Command::Rung) => {
                    self.gather_at.get_or_insert_with(|| Instant::now() + GATHER);
                }
                Ok(Command::Acknowledged(ack)) => self.acknowledged(ack),
                Ok(Command::Stop) | Err(RecvTimeoutError::Disconnected) => return self.end(),
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = Instant::now();
            if self.gather_at.is_some_and(|at| at <= now) {
                self.gather();
            }
            if self.tick_at <= now {
                self.tick_at = now + TICK;
                self.tick();
            }
            self.hand_out();
            self.publish();
        }
    }

    fn gather(&mut self) {
        self.gather_at = None;
        let log = &mut self.log;
        self.metrics.spool.lanes.take(|chunk| log.append(chunk));
    }

    fn acknowledged(&mut self, ack: RecordAck) {
        if let Some(at) = self.flying.iter().position(|flying| *flying == ack) {
            self.flying.drain(..=at);
        }
        self.log.acknowledge(ack);
    }

    /// Keeps the exchange busy, and no more: what waits longer is merged into larger batches.
    fn hand_out(&mut self) {
        while self.flying.len() < MAX_RECORD_BATCHES_IN_FLIGHT {
            let Some(batch) = self.log.take() else { return };
            self.flying.push_back(batch.ack());
            if self.batches.send(batch).is_err() {
                return;
            }
        }
    }

    fn tick(&mut self) {
        let spare = if self.log.is_refused() { MIN_FREE_DISK_BYTES / 4 } else { 0 };
        match self.folder.free_bytes() {
            Ok(free) if free < MIN_FREE_DISK_BYTES + spare => {
                self.log.refuse(&format_args!("the file system has less than {} MiB left", MIN_FREE_DISK_BYTES >> 20));
            }
            // Whatever the trouble is, trying tells.
            _ if self.log.is_refused() => self.retry(),
            _ => {}
        }
        // In the ordinary course of things records are acknowledged, and their files deleted, before this.
        let (made, done) = self.metrics.records();
        if done < self.made && self.syncer.is_free() {
            self.syncer.sync(self.log.disk.dirty());
        }
        self.made = made;
    }

    fn retry(&mut self) {
        let found = self.log.retry();
        self.metrics.spool.left.fetch_add(found, Ordering::Relaxed);
    }

    fn publish(&mut self) {
        let spool = &self.metrics.spool;
        let was_refused = spool.refused.swap(self.log.is_refused(), Ordering::Relaxed);
        spool.faults.fetch_add(u64::from(!was_refused && self.log.is_refused()), Ordering::Relaxed);
        spool.lost.fetch_add(self.log.take_lost(), Ordering::Relaxed);
        spool.disk_bytes.store(self.log.disk.bytes(), Ordering::Relaxed);
        spool.unwritten_bytes.store(self.log.unwritten_bytes(), Ordering::Relaxed);
        spool.in_flight.store(self.flying.len(), Ordering::Relaxed);
    }

    fn end(mut self) -> u64 {
        self.gather();
        if self.log.is_refused() {
            self.retry();
        }
        let waiting = self.metrics.records_waiting();
        let lost = waiting.saturating_sub(self.log.disk.kept());
        if waiting == 0 {
            self.log.disk.clear();
        }
        for file in self.log.disk.dirty() {
            if let Err(error) = file.sync_data() {
                tracing::error!(%error, "the spool could not be made durable");
            }
        }
        self.publish();
        lost
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;
