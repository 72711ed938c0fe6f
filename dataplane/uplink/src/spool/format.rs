//! The bytes of a segment: a head, then entries until the end of the file. Integers are big-endian.
//!
//! | part | bytes |
//! |---|---|
//! | head | magic (8), log (16), place of the first record (8), acknowledged (8 and their complement), CRC-32C of the first 32 (4), zero (4) |
//! | entry | CRC-32C of all that follows in it (4), bytes of the records (4), how many (4), place of the first (8), records |
//!
//! `acknowledged` is written over as acknowledgements come: the place after the last record that need not be sent again.
//! It saves work only: where it cannot be read, everything is sent again. Everything else is written once.

use uuid::Uuid;

use super::checksum::checksum;

pub(super) const SEGMENT_HEAD_BYTES: usize = 56;
pub(super) const ENTRY_HEAD_BYTES: usize = 20;
/// Where the acknowledged place stands in a segment.
pub(super) const ACKNOWLEDGED_AT: u64 = 32;

const MAGIC: [u8; 8] = *b"LLSPOOL\x01";

/// What a segment's head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentHead {
    pub(super) log: Uuid,
    /// The place of its first record.
    pub(super) first: u64,
    /// Records before this place were acknowledged.
    pub(super) acknowledged: u64,
}

impl SegmentHead {
    pub(super) fn encode(self) -> [u8; SEGMENT_HEAD_BYTES] {
        let mut bytes = [0; SEGMENT_HEAD_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..24].copy_from_slice(self.log.as_bytes());
        bytes[24..32].copy_from_slice(&self.first.to_be_bytes());
        bytes[32..48].copy_from_slice(&acknowledged(self.acknowledged));
        let crc = checksum(&bytes[..32]);
        bytes[48..52].copy_from_slice(&crc.to_be_bytes());
        bytes
    }

    /// `None`: these are not the bytes of a head.
    pub(super) fn decode(bytes: &[u8; SEGMENT_HEAD_BYTES]) -> Option<Self> {
        let good = bytes[..8] == MAGIC && word(bytes, 48) == checksum(&bytes[..32]);
        let first = long(bytes, 24);
        let acknowledged = if long(bytes, 32) == !long(bytes, 40) { long(bytes, 32) } else { first };
        good.then(|| Self { log: Uuid::from_slice(&bytes[8..24]).unwrap_or_default(), first, acknowledged })
    }
}

/// An acknowledged place as it is written.
pub(super) fn acknowledged(place: u64) -> [u8; 16] {
    ((u128::from(place) << 64) | u128::from(!place)).to_be_bytes()
}

/// What an entry's head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EntryHead {
    /// Bytes of the whole entry.
    pub(super) bytes: usize,
    pub(super) count: u32,
    /// The place of its first record.
    pub(super) first: u64,
}

/// Completes an entry: `bytes` are the records behind room for the head.
pub(super) fn seal(bytes: &mut [u8], count: u32, first: u64) {
    let length = (bytes.len() - ENTRY_HEAD_BYTES) as u32;
    bytes[4..8].copy_from_slice(&length.to_be_bytes());
    bytes[8..12].copy_from_slice(&count.to_be_bytes());
    bytes[12..20].copy_from_slice(&first.to_be_bytes());
    let crc = checksum(&bytes[4..]);
    bytes[..4].copy_from_slice(&crc.to_be_bytes());
}

/// The entry at the front of `bytes`, if it is whole, as it was written, and begins at the place `first`.
pub(super) fn entry(bytes: &[u8], first: u64) -> Option<EntryHead> {
    if bytes.len() < ENTRY_HEAD_BYTES {
        return None;
    }
    let end = (word(bytes, 4) as usize).checked_add(ENTRY_HEAD_BYTES)?;
    let whole = bytes.get(..end)?;
    let head = EntryHead { bytes: end, count: word(bytes, 8), first: long(bytes, 12) };
    let good = head.count > 0 && head.first == first && word(bytes, 0) == checksum(&whole[4..]);
    good.then_some(head)
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |word| u32::from_be_bytes(*word))
}

fn long(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |long| u64::from_be_bytes(*long))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealed(records: &[u8], count: u32, first: u64) -> Vec<u8> {
        let mut bytes = [&[0; ENTRY_HEAD_BYTES], records].concat();
        seal(&mut bytes, count, first);
        bytes
    }

    #[test]
    fn a_head_comes_back_and_a_changed_one_does_not() {
        let head = SegmentHead { log: Uuid::from_u128(7), first: 300, acknowledged: 310 };
        let bytes = head.encode();
        assert_eq!(SegmentHead::decode(&bytes), Some(head));
        for at in (0..32).chain(48..52) {
            let mut changed = bytes;
            changed[at] ^= 1;
            assert_eq!(SegmentHead::decode(&changed), None, "byte {at}");
        }
        for at in 32..48 {
            let mut changed = bytes;
            changed[at] ^= 1;
            assert_eq!(SegmentHead::decode(&changed), Some(SegmentHead { acknowledged: 300, ..head }), "byte {at}");
        }
    }

    proptest! {
        #[test]
        fn an_entry_is_read_only_whole_unchanged_and_in_its_place(
            records in proptest::collection::vec(any::<u8>(), 1..300),
            count in 1u32..9,
            first in any::<u64>(),
            cut in any::<prop::sample::Index>(),
            flip in any::<prop::sample::Index>(),
        ) {
            let bytes = sealed(&records, count, first);
            let more = [&bytes[..], b"next"].concat();
            prop_assert_eq!(entry(&more, first), Some(EntryHead { bytes: bytes.len(), count, first }));
            prop_assert_eq!(entry(&bytes[..cut.index(bytes.len())], first), None);
            prop_assert_eq!(entry(&bytes, first.wrapping_add(1)), None);
            let mut changed = bytes.clone();
            changed[flip.index(bytes.len())] ^= 0x10;
            prop_assert_eq!(entry(&changed, first), None);
        }
    }
}
