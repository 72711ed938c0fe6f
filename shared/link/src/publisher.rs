//! The exchange's side of the revisions, one [`Publisher`] per connected node: what was sent, and whether what comes
//! next can be a delta or must be a snapshot.

use crate::limits::{MAX_OPS, MAX_OPS_BYTES};
use crate::message::{Cursor, Down, Op};

/// What the exchange has to read from its database to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// The whole state and its place: give it to [`Publisher::snapshot`].
    Snapshot,
    /// The ops after this revision: give them to [`Publisher::deltas`].
    After(u64),
    /// Nothing: all was sent.
    Nothing,
}

/// What one node was sent. Driven by its connection: [`Publisher::need`], read, [`Publisher::snapshot`] or
/// [`Publisher::deltas`], send what came out, and again, until nothing is needed; then wait for the next change.
#[derive(Debug, Clone)]
pub struct Publisher {
    /// What the node has once everything sent has arrived; `None`: it needs a snapshot.
    sent: Option<Cursor>,
    /// Was the node told that it is current, since it connected?
    told: bool,
}

/// The ops that were read do not follow what was sent: the outbox was pruned in between, or the database restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gap;

impl Publisher {
    /// A node connected and has this.
    pub fn new(have: Option<Cursor>) -> Self {
        Self { sent: have, told: false }
    }

    /// What to read, given the database's place and the oldest revision of which the ops are still kept.
    pub fn need(&mut self, current: Cursor, oldest: Option<u64>) -> Need {
        let Some(sent) = self.sent else { return Need::Snapshot };
        // A node ahead of its database has seen changes that a restored copy lost.
        if sent.epoch != current.epoch || sent.revision > current.revision {
            self.sent = None;
            return Need::Snapshot;
        }
        if sent.revision == current.revision {
            return Need::Nothing;
        }
        if oldest.is_none_or(|oldest| oldest > sent.revision + 1) {
            self.sent = None;
            return Need::Snapshot;
        }
        Need::After(sent.revision)
    }

    /// All was sent: gives the message that says so, once per connection. A snapshot's end says it too.
    pub fn current(&mut self) -> Option<Down> {
        let sent = self.sent?;
        (!std::mem::replace(&mut self.told, true)).then_some(Down::Current(sent))
    }

    /// The messages of a snapshot.
    pub fn snapshot(&mut self, place: Cursor, ops: Vec<Op>) -> Vec<Down> {
        let mut out = vec![Down::SnapshotBegin];
        out.extend((0..).zip(pieces(ops, |op| op)).map(|(part, ops)| Down::SnapshotPart { part, ops }));
        out.push(Down::SnapshotEnd { parts: out.len() as u32 - 1, place });
        (self.sent, self.told) = (Some(place), true);
        out
    }

    /// The messages of the ops that were read after what was sent, in order.
    ///
    /// # Errors
    /// [`Gap`]: nothing is sent; ask [`Publisher::need`] again, it will say snapshot.
    pub fn deltas(&mut self, rows: Vec<(u64, Op)>) -> Result<Vec<Down>, Gap> {
        let Some(sent) = &mut self.sent else { return Err(Gap) };
        let follows = rows.iter().zip(sent.revision + 1..).all(|((revision, _), expected)| *revision == expected);
        if !follows {
            self.sent = None;
            return Err(Gap);
        }
        let mut out = Vec::new();
        for piece in pieces(rows, |(_, op)| op) {
            let first = sent.revision + 1;
            let last = sent.revision + piece.len() as u64;
            sent.revision = last;
            out.push(Down::Delta { first, last, ops: piece.into_iter().map(|(_, op)| op).collect() });
        }
        Ok(out)
    }

    /// What the node has once everything sent has arrived.
    pub fn sent(&self) -> Option<Cursor> {
        self.sent
    }
}

/// Cuts ops into runs that fit a message.
fn pieces<T>(items: Vec<T>, op: impl Fn(&T) -> &Op) -> Vec<Vec<T>> {
    let mut out: Vec<Vec<T>> = Vec::new();
    let mut bytes = 0;
    for item in items {
        let size = size_estimate(op(&item));
        match out.last_mut() {
            Some(run) if run.len() < MAX_OPS && bytes + size <= MAX_OPS_BYTES => {
                bytes += size;
                run.push(item);
            }
            _ => {
                bytes = size;
                out.push(vec![item]);
            }
        }
    }
    out
}

/// Not less than an op's encoded bytes.
fn size_estimate(op: &Op) -> usize {
    // Names of variant and fields, and the fixed fields: below 96 for every variant. An id in a list has 16 bytes and 2
    // of header.
    96 + match op {
        Op::Policy { policy, .. } => 18 * policy.allow.len(),
        Op::Keys { jwks } => jwks.len(),
        Op::Revoke { .. } | Op::RevokeToken { .. } | Op::Block { .. } | Op::Remove { .. } => 0,
    }
}

#[cfg(test)]
mod tests {
    use landline_wire::ids::AgentId;
    use uuid::Uuid;

    use super::*;
    use crate::codec;
    use crate::message::{Access, Policy};

    fn at(revision: u64) -> Cursor {
        Cursor { epoch: Uuid::from_u128(1), revision }
    }

    fn block(n: u8) -> Op {
        Op::Block { agent: AgentId::from_parts(1, [n; 10]), blocked: true }
    }

    #[test]
    fn what_is_needed_follows_from_what_the_node_has_and_what_is_kept() {
        let other = Cursor { epoch: Uuid::from_u128(2), revision: 5 };
        for (have, oldest, need) in [
            (None, Some(1), Need::Snapshot),
            (Some(at(5)), None, Need::Nothing),
            (Some(at(4)), Some(5), Need::After(4)),
            (Some(at(3)), Some(5), Need::Snapshot),
            (Some(at(3)), None, Need::Snapshot),
            (Some(at(6)), Some(1), Need::Snapshot),
            (Some(other), Some(1), Need::Snapshot),
        ] {
            assert_eq!(Publisher::new(have).need(at(5), oldest), need, "{have:?} {oldest:?}");
        }
    }

    #[test]
    fn a_gap_in_what_was_read_sends_nothing_and_asks_for_a_snapshot() {
        let mut publisher = Publisher::new(Some(at(4)));
        assert_eq!(publisher.deltas(vec![(6, block(1))]), Err(Gap));
        assert_eq!(publisher.need(at(6), Some(6)), Need::Snapshot);
    }

    #[test]
    fn a_node_is_told_once_that_it_is_current() {
        let mut publisher = Publisher::new(Some(at(4)));
        assert_eq!(publisher.deltas(vec![(5, block(1))]).unwrap().len(), 1);
        assert_eq!(publisher.current(), Some(Down::Current(at(5))));
        assert_eq!(publisher.current(), None);
        let mut publisher = Publisher::new(None);
        assert_eq!(
            publisher.snapshot(at(9), vec![]),
            [Down::SnapshotBegin, Down::SnapshotEnd { parts: 0, place: at(9) }]
        );
        assert_eq!(publisher.current(), None);
    }

    #[test]
    fn every_message_fits_its_bound_however_long_the_policies_are() {
        let allow: Vec<AgentId> = (0..10_000u32).map(|n| AgentId(Uuid::from_u128(u128::from(n) << 90))).collect();
        let long = Op::Policy { agent: allow[1], policy: Policy { access: Access::Listed, allow } };
        let rows: Vec<(u64, Op)> =
            (1..=2_500).map(|revision| (revision, if revision % 50 == 0 { long.clone() } else { block(1) })).collect();
        let mut publisher = Publisher::new(Some(at(0)));
        let messages = publisher.deltas(rows.clone()).unwrap();
        assert!(messages.len() > 10);
        for message in &messages {
            codec::encode(message).unwrap();
        }
        let ops: Vec<Op> =
            messages.into_iter().flat_map(|m| if let Down::Delta { ops, .. } = m { ops } else { vec![] }).collect();
        assert!(ops.into_iter().eq(rows.into_iter().map(|(_, op)| op)));
    }

    #[test]
    fn the_size_of_an_op_is_never_underestimated() {
        let agent = AgentId(Uuid::max());
        let allow = vec![agent; 300];
        for op in [
            Op::Revoke { agent, token_gen: u64::MAX, key_gen: u64::MAX },
            Op::RevokeToken { jti: Uuid::max(), exp: i64::MIN },
            Op::Block { agent, blocked: true },
            Op::Remove { agent },
            Op::Policy { agent, policy: Policy { access: Access::Agents, allow } },
            Op::Keys { jwks: "x".repeat(70_000) },
        ] {
            assert!(codec::encode(&op).unwrap().len() <= size_estimate(&op), "{op:?}");
        }
    }
}
