//! Where cores put records: a lane for each, with its own lock, which nobody else wants but for a moment every few
//! milliseconds.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use crossbeam_channel::Sender;
use landline_link::{CallRecord, MAX_RECORDS};

use super::format::ENTRY_HEAD_BYTES;
use super::writer::Command;

/// Bytes of records after which a chunk is full: a fraction of what is read back at once.
const CHUNK_BYTES: usize = 64 << 10;

/// Encoded records, behind room for the head of the entry that they become.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    pub(super) bytes: Vec<u8>,
    pub(super) count: u32,
}

impl Chunk {
    fn is_full(&self) -> bool {
        self.bytes.len() >= CHUNK_BYTES || self.count as usize >= MAX_RECORDS
    }
}

#[derive(Debug, Default)]
struct Waiting {
    full: Vec<Chunk>,
    last: Chunk,
}

/// One core's lane.
#[derive(Debug)]
pub(crate) struct Lane {
    waiting: Mutex<Waiting>,
    /// Records that were ever put in; written under the lock.
    records: AtomicU64,
    /// Bytes that were not taken yet; written under the lock.
    bytes: AtomicUsize,
    writer: Sender<Command>,
}

impl Lane {
    /// Puts a record in, and wakes the writer if it was the first.
    pub(crate) fn put(&self, record: &CallRecord) {
        let first = {
            let mut waiting = self.lock();
            let last = &mut waiting.last;
            let first = last.count == 0;
            if first {
                last.bytes.resize(ENTRY_HEAD_BYTES, 0);
            }
            let before = last.bytes.len();
            record.encode_into(&mut last.bytes);
            last.count += 1;
            let bytes = self.bytes.load(Ordering::Relaxed) + last.bytes.len() - before;
            self.bytes.store(bytes, Ordering::Relaxed);
            self.records.store(self.records.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            if last.is_full() {
                let full = std::mem::take(last);
                waiting.full.push(full);
            }
            first && waiting.full.is_empty()
        };
        if first {
            // The writer is gone only when the switch is leaving.
            let _ = self.writer.send(Command::Rung);
        }
    }

    fn take(&self, mut into: impl FnMut(Chunk)) {
        let Waiting { full, last } = {
            let mut waiting = self.lock();
            self.bytes.store(0, Ordering::Relaxed);
            std::mem::take(&mut *waiting)
        };
        full.into_iter().chain((last.count > 0).then_some(last)).for_each(&mut into);
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// All lanes of a switch.
#[derive(Debug, Default)]
pub(crate) struct Lanes(Mutex<Vec<Arc<Lane>>>);

impl Lanes {
    /// One more.
    pub(crate) fn add(&self, writer: Sender<Command>) -> Arc<Lane> {
        let (waiting, records, bytes) = Default::default();
        let lane = Arc::new(Lane { waiting, records, bytes, writer });
        self.lock().push(Arc::clone(&lane));
        lane
    }

    /// Empties every lane, each in its order.
    pub(super) fn take(&self, mut into: impl FnMut(Chunk)) {
        for lane in self.lock().iter() {
            lane.take(&mut into);
        }
    }

    /// Records that were ever put in.
    pub(crate) fn records(&self) -> u64 {
        self.lock().iter().map(|lane| lane.records.load(Ordering::Relaxed)).sum()
    }

    /// Bytes that were not taken yet.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().iter().map(|lane| lane.bytes.load(Ordering::Relaxed)).sum()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Lane>>> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
