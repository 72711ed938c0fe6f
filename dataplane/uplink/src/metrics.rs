//! What the uplink counts, for the switch's metrics page.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};

/// Shared counters; written on the uplink's thread (the spool's length on the cores' too), read by anyone.
#[derive(Debug, Default)]
pub struct UplinkMetrics {
    pub(crate) connected: AtomicBool,
    pub(crate) connections: AtomicU64,
    pub(crate) spooled: AtomicUsize,
    pub(crate) reports_acknowledged: AtomicU64,
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

/// The counters at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UplinkFigures {
    /// Is the exchange in reach, and everything it sent applied?
    pub connected: bool,
    /// Link connections that came up since the start; one less is how often it was lost.
    pub connections: u64,
    /// Reports that wait for their acknowledgement.
    pub spooled: usize,
    /// Reports that the exchange has acknowledged.
    pub reports_acknowledged: u64,
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
    /// Reads every counter.
    pub fn figures(&self) -> UplinkFigures {
        UplinkFigures {
            connected: self.connected.load(Ordering::Relaxed),
            connections: self.connections.load(Ordering::Relaxed),
            spooled: self.spooled.load(Ordering::Relaxed),
            reports_acknowledged: self.reports_acknowledged.load(Ordering::Relaxed),
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

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}
