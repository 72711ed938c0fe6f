//! What is counted of TLS. Shared by the cores; touched by handshakes and ends of connections, not by calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::fault::Reason;

/// The counters.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    complete: AtomicU64,
    resumed: AtomicU64,
    failed: [AtomicU64; Reason::ALL.len()],
    open: AtomicU64,
}

impl Counts {
    /// A handshake is complete. What is given back counts the connection as open until it is dropped.
    pub(crate) fn complete(self: &Arc<Self>, resumed: bool) -> Open {
        self.complete.fetch_add(1, Ordering::Relaxed);
        self.resumed.fetch_add(u64::from(resumed), Ordering::Relaxed);
        self.open.fetch_add(1, Ordering::Relaxed);
        Open(Arc::clone(self))
    }

    /// A handshake failed.
    pub(crate) fn fail(&self, reason: Reason) {
        self.failed[reason as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Handshakes that were completed, and how many of them resumed a session.
    pub(crate) fn handshakes(&self) -> (u64, u64) {
        (self.complete.load(Ordering::Relaxed), self.resumed.load(Ordering::Relaxed))
    }

    /// Handshakes that failed for this reason.
    pub(crate) fn failed(&self, reason: Reason) -> u64 {
        self.failed[reason as usize].load(Ordering::Relaxed)
    }

    /// Connections that are open.
    pub(crate) fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }
}

/// One open connection, counted until it is dropped.
#[derive(Debug)]
pub(crate) struct Open(Arc<Counts>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }
}
