//! Batches of records on their way. Pure. A batch keeps its bytes until it is acknowledged, and goes out again on the
//! next connection: the exchange takes of it what it does not have.

use std::collections::VecDeque;

use bytes::Bytes;
use landline_link::RecordAck;
use uuid::Uuid;

/// Records to send, as one message in pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) log: Uuid,
    pub(crate) first: u64,
    pub(crate) count: u32,
    pub(crate) pieces: Vec<Bytes>,
}

impl Batch {
    /// What acknowledges it.
    pub(super) fn ack(&self) -> RecordAck {
        RecordAck { log: self.log, next: self.first + u64::from(self.count) }
    }
}

/// Batches that were not acknowledged, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Flight {
    batches: VecDeque<Batch>,
    /// How many of them went out on the present connection.
    sent: usize,
}

impl Flight {
    /// One more, after all others.
    pub(crate) fn push(&mut self, batch: Batch) {
        self.batches.push_back(batch);
    }

    /// A connection came up: everything goes out again.
    pub(crate) fn connected(&mut self) {
        self.sent = 0;
    }

    /// The next batch to send on this connection.
    pub(crate) fn next(&mut self) -> Option<Batch> {
        let batch = self.batches.get(self.sent)?.clone();
        self.sent += 1;
        Some(batch)
    }

    /// A batch and all before it are durable: how many records that are. `None` if no such batch was sent on this
    /// connection.
    pub(crate) fn acknowledge(&mut self, ack: RecordAck) -> Option<u64> {
        let at = self.batches.iter().take(self.sent).position(|batch| batch.ack() == ack)?;
        self.sent -= at + 1;
        Some(self.batches.drain(..=at).map(|batch| u64::from(batch.count)).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(log: u128, first: u64, count: u32) -> Batch {
        Batch { log: Uuid::from_u128(log), first, count, pieces: vec![] }
    }

    fn ack(log: u128, next: u64) -> RecordAck {
        RecordAck { log: Uuid::from_u128(log), next }
    }

    #[test]
    fn what_was_not_acknowledged_goes_out_again_in_order() {
        let mut flight = Flight::default();
        [batch(1, 90, 10), batch(2, 0, 5), batch(2, 5, 1)].into_iter().for_each(|batch| flight.push(batch));
        let sent: Vec<_> = std::iter::from_fn(|| flight.next()).map(|batch| batch.ack()).collect();
        assert_eq!(sent, [ack(1, 100), ack(2, 5), ack(2, 6)]);
        assert_eq!(flight.acknowledge(ack(1, 100)), Some(10));
        flight.connected();
        assert_eq!(flight.next().map(|batch| batch.first), Some(0));
        assert_eq!(flight.acknowledge(ack(2, 6)), None, "not sent on this connection");
        assert_eq!(flight.acknowledge(ack(2, 4)), None, "inside a batch");
        assert_eq!(flight.acknowledge(ack(1, 100)), None, "acknowledged before");
        assert_eq!(flight.next().map(|batch| batch.first), Some(5));
        assert_eq!(flight.acknowledge(ack(2, 6)), Some(6), "one acknowledgement for both");
        assert_eq!(flight.next(), None);
    }
}
