//! What the uplink counts, for the switch's metrics page.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

use landline_wire::limits::MAX_UNWRITTEN_BYTES;

use crate::spool::Lanes;

/// Shared counters; written on the uplink's threads (what goes into the lanes on the cores'), read by anyone.
#[derive(Debug, Default)]
pub struct UplinkMetrics {
    pub(crate) connected: AtomicBool,
    pub(crate) connections: AtomicU64,
    /// Reports of sessions that wait.
    pub(crate) sessions_waiting: AtomicUsize,
    pub(crate) reports_acknowledged: AtomicU64,
    pub(crate) spool: SpoolMetrics,
    pub(crate) lookups: AtomicU64,
    pub(crate) lookups_failed: AtomicU64,
    pub(crate) lookups_joined: AtomicU64,
    pub(crate) lookups_queued: AtomicU64,
    pub(crate) passes: AtomicU64,
    pub(crate) passes_failed: AtomicU64,
    pub(crate) passes_refused: AtomicU64,
    pub(crate) passes_open: AtomicUsize,
    pub(crate) revision: AtomicU64,
    pub(crate) certificate_expires_s: AtomicI64,
}

/// The spool's counters; written by its thread.
#[derive(Debug, Default)]
pub(crate) struct SpoolMetrics {
    pub(crate) lanes: Lanes,
    /// Bytes that it may have on disk; set at the start.
    pub(crate) bound: AtomicU64,
    /// Records that earlier starts left.
    pub(crate) left: AtomicU64,
    /// Records that the exchange acknowledged.
    pub(crate) acknowledged: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) disk_bytes: AtomicU64,
    pub(crate) unwritten_bytes: AtomicUsize,
    pub(crate) in_flight: AtomicUsize,
    pub(crate) refused: AtomicBool,
    pub(crate) faults: AtomicU64,
}

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UplinkFigures {
    /// Is the exchange in reach, and everything it sent applied?
    pub connected: bool,
    /// Link connections that came up since the start; one less is how often it was lost.
    pub connections: u64,
    /// Records of calls and reports of sessions that wait for their acknowledgement.
    pub waiting: usize,
    /// Records and reports that the exchange has acknowledged.
    pub reports_acknowledged: u64,
    /// Bytes of records on disk.
    pub spool_disk_bytes: u64,
    /// Bytes of records that are in memory only: not yet written, or refused by the disk.
    pub spool_memory_bytes: usize,
    /// Batches of records on their way.
    pub spool_batches: usize,
    /// Does the disk take records?
    pub spool_writable: bool,
    /// How often the disk ceased to take records.
    pub spool_faults: u64,
    /// Records that were on disk and could not be read back.
    pub spool_lost: u64,
    /// Look-ups asked.
    pub lookups: u64,
    /// Look-ups that waited for the answer to the same one.
    pub lookups_joined: u64,
    /// Look-ups that had to wait for others' end first.
    pub lookups_queued: u64,
    /// Of those, without an answer: the exchange was away or too slow.
    pub lookups_failed: u64,
    /// Requests passed on.
    pub passes: u64,
    /// Of those, failed or broken off by the exchange's side.
    pub passes_failed: u64,
    /// Of those, because too many were open.
    pub passes_refused: u64,
    /// Passed-on requests that are open now.
    pub passes_open: usize,
    /// The last revision applied.
    pub revision: u64,
    /// When the node's certificate ends, unix seconds; 0 before there is one.
    pub certificate_expires_s: i64,
}

impl UplinkMetrics {
    /// May another call be made? No once so many records wait for the exchange that another could not be kept.
    pub fn has_room(&self) -> bool {
        let spool = &self.spool;
        spool.disk_bytes.load(Ordering::Relaxed) < spool.bound.load(Ordering::Relaxed)
            && spool.memory_bytes() < MAX_UNWRITTEN_BYTES
    }

    /// Records and reports that wait for their acknowledgement.
    pub(crate) fn waiting(&self) -> usize {
        self.sessions_waiting.load(Ordering::Relaxed) + self.records_waiting() as usize
    }

    /// Records that wait for their acknowledgement, wherever they are.
    pub(crate) fn records_waiting(&self) -> u64 {
        let (made, done) = self.records();
        made.saturating_sub(done)
    }

    /// Records that there ever were, and those of them that are done with.
    pub(crate) fn records(&self) -> (u64, u64) {
        let spool = &self.spool;
        // What is done is read first: what is counted meanwhile can only make the rest larger.
        let done = spool.acknowledged.load(Ordering::Acquire) + spool.lost.load(Ordering::Acquire);
        (spool.left.load(Ordering::Relaxed) + spool.lanes.records(), done)
    }

    /// Reads every counter.
    pub fn figures(&self) -> UplinkFigures {
        UplinkFigures {
            connected: self.connected.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
            waiting: self.waiting(),
            reports_acknowledged: self.reports_acknowledged.load(Ordering::Relaxed)
                + self.spool.acknowledged.load(Ordering::Relaxed),
            spool_disk_bytes: self.spool.disk_bytes.load(Ordering::Relaxed),
            spool_memory_bytes: self.spool.memory_bytes(),
            spool_batches: self.spool.in_flight.load(Ordering::Relaxed),
            spool_writable: !self.spool.refused.load(Ordering::Relaxed),
            spool_faults: self.spool.faults.load(Ordering::Relaxed),
            spool_lost: self.spool.lost.load(Ordering::Relaxed),
            lookups: self.lookups.load(Ordering::Relaxed),
            lookups_joined: self.lookups_joined.load(Ordering::Relaxed),
            lookups_queued: self.lookups_queued.load(Ordering::Relaxed),
            lookups_failed: self.lookups_failed.load(Ordering::Relaxed),
            passes: self.passes.load(Ordering::Relaxed),
            passes_failed: self.passes_failed.load(Ordering::Relaxed),
            passes_refused: self.passes_refused.load(Ordering::Relaxed),
            passes_open: self.passes_open.load(Ordering::Relaxed),
            revision: self.revision.load(Ordering::Relaxed),
            certificate_expires_s: self.certificate_expires_s.load(Ordering::Relaxed),
        }
    }
}

impl SpoolMetrics {
    /// Bytes of records that are in memory only.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.unwritten_bytes.load(Ordering::Relaxed) + self.lanes.bytes()
    }
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
