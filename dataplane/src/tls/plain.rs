//! Plaintext of one write, cut into records.

use bytes::Bytes;

use super::records::RECORD_BYTES;

/// Bytes of a piece from which a record of its own is cheaper than a copy of it.
const LARGE_BYTES: usize = 8 << 10;

/// Pieces of plaintext. Small neighbours share a record, because a record has its price whatever its size; a large piece
/// has its own, because a copy has too.
pub(crate) struct Plain<'a> {
    front: &'a [u8],
    behind: std::slice::Iter<'a, Bytes>,
    gathered: Vec<u8>,
}

impl<'a> Plain<'a> {
    /// One piece.
    pub(crate) fn one(bytes: &'a [u8]) -> Self {
        Self { front: bytes, behind: [].iter(), gathered: Vec::new() }
    }

    /// Pieces that follow each other.
    pub(crate) fn many(pieces: &'a [Bytes]) -> Self {
        Self { front: &[], behind: pieces.iter(), gathered: Vec::new() }
    }

    /// Nothing: only what waits to be said is sealed.
    pub(crate) fn nothing() -> Self {
        Self::one(&[])
    }

    /// Is nothing left?
    pub(crate) fn is_done(&self) -> bool {
        self.front.is_empty() && self.behind.as_slice().iter().all(Bytes::is_empty)
    }

    /// The next record's plaintext.
    pub(super) fn next(&mut self) -> Option<&[u8]> {
        if !self.advance() {
            return None;
        }
        let is_last = self.behind.as_slice().iter().all(Bytes::is_empty);
        if is_last || self.front.len() >= LARGE_BYTES {
            return Some(self.take(RECORD_BYTES));
        }
        let mut gathered = std::mem::take(&mut self.gathered);
        gathered.clear();
        while gathered.len() < RECORD_BYTES && self.advance() && self.front.len() < LARGE_BYTES {
            gathered.extend_from_slice(self.take(RECORD_BYTES - gathered.len()));
        }
        self.gathered = gathered;
        Some(&self.gathered)
    }

    /// Goes to the next piece that is not empty; false at the end.
    fn advance(&mut self) -> bool {
        while self.front.is_empty() {
            let Some(next) = self.behind.next() else { return false };
            self.front = next;
        }
        true
    }

    fn take(&mut self, most: usize) -> &'a [u8] {
        let (taken, left) = self.front.split_at(most.min(self.front.len()));
        self.front = left;
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths of the records that pieces of these lengths become; their bytes are checked.
    fn records(lengths: &[usize]) -> Vec<usize> {
        let mut number = 0u8;
        let mut all = Vec::new();
        let pieces: Vec<Bytes> = lengths
            .iter()
            .map(|length| {
                let piece: Vec<u8> = (0..*length)
                    .map(|_| {
                        number = number.wrapping_mul(31).wrapping_add(7);
                        number
                    })
                    .collect();
                all.extend_from_slice(&piece);
                piece.into()
            })
            .collect();
        let (mut plain, mut cut, mut found) = (Plain::many(&pieces), Vec::new(), Vec::new());
        while let Some(record) = plain.next() {
            cut.push(record.len());
            found.extend_from_slice(record);
        }
        assert_eq!(found, all, "{lengths:?}");
        cut
    }

    #[test]
    fn small_neighbours_share_a_record() {
        assert_eq!(records(&[134; 16]), [2_144]);
        assert_eq!(records(&[]), [] as [usize; 0]);
        assert_eq!(records(&[0, 3, 0, 4, 0]), [7]);
    }

    #[test]
    fn no_record_is_larger_than_allowed() {
        assert_eq!(records(&[40_000]), [RECORD_BYTES, RECORD_BYTES, 40_000 - 2 * RECORD_BYTES]);
        assert_eq!(records(&[RECORD_BYTES, 100, 100]), [RECORD_BYTES, 200]);
        assert_eq!(records(&[5_000; 4]), [RECORD_BYTES, 20_000 - RECORD_BYTES]);
    }

    #[test]
    fn a_large_piece_is_not_copied() {
        assert_eq!(records(&[100, RECORD_BYTES, 100]), [100, RECORD_BYTES, 100]);
        assert_eq!(records(&[100, 0, LARGE_BYTES, 0, 100]), [100, LARGE_BYTES, 100]);
    }

    #[test]
    fn one_piece_is_cut_as_it_is() {
        let bytes = vec![1; RECORD_BYTES + 1];
        let mut plain = Plain::one(&bytes);
        assert_eq!(plain.next().map(<[u8]>::len), Some(RECORD_BYTES));
        assert_eq!(plain.next(), Some(&[1][..]));
        assert_eq!(plain.next(), None);
        assert_eq!(Plain::nothing().next(), None);
    }
}
