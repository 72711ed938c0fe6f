//! Bytes in the pieces in which they arrived: what is large is shared from buffer to socket and never moved together.

use bytes::{Bytes, BytesMut};

use crate::limits::{COPY_THRESHOLD_BYTES, READ_BUFFER_BYTES};

/// A message or a body. Most are one piece, which costs no allocation; one that did not fit its read buffer is two, one
/// that came in fragments may be many.
#[derive(Debug, Clone, Default)]
pub struct Pieces {
    first: Bytes,
    /// `None` in nearly all: a pointer less to carry along, and to look at when it is dropped.
    #[allow(clippy::box_collection, reason = "see above")]
    rest: Option<Box<Vec<Bytes>>>,
}

impl Pieces {
    /// Nothing.
    pub const fn new() -> Self {
        Self { first: Bytes::new(), rest: None }
    }

    fn rest(&self) -> &[Bytes] {
        self.rest.as_ref().map_or(&[], |rest| rest)
    }

    fn with_rest(first: Bytes, rest: Vec<Bytes>) -> Self {
        Self { first, rest: (!rest.is_empty()).then(|| Box::new(rest)) }
    }

    /// Bytes in all.
    pub fn len(&self) -> usize {
        self.first.len() + self.behind()
    }

    /// Nothing in it?
    pub fn is_empty(&self) -> bool {
        self.first.is_empty() && self.rest().is_empty()
    }

    /// The first piece; empty only if everything is.
    pub fn first(&self) -> &Bytes {
        &self.first
    }

    /// Bytes behind the first piece.
    pub fn behind(&self) -> usize {
        self.rest().iter().map(Bytes::len).sum()
    }

    /// The pieces behind the first.
    pub fn behind_first(&self) -> &[Bytes] {
        self.rest()
    }

    /// The pieces, none of them empty.
    pub fn iter(&self) -> impl Iterator<Item = &Bytes> {
        std::iter::once(&self.first).filter(|first| !first.is_empty()).chain(self.rest())
    }

    /// Puts a piece behind the others, shared.
    pub fn push(&mut self, piece: Bytes) {
        if piece.is_empty() {
        } else if self.first.is_empty() {
            self.first = piece;
        } else {
            self.rest.get_or_insert_default().push(piece);
        }
    }

    /// Everything in one piece: as it is if it was one, copied otherwise.
    pub fn into_bytes(mut self) -> Bytes {
        self.join_front(usize::MAX);
        self.first
    }

    /// Copies pieces together until the first has at least `bytes`, or everything.
    pub fn join_front(&mut self, bytes: usize) {
        let len = self.len();
        let Some(rest) = self.rest.as_mut().filter(|_| self.first.len() < bytes) else { return };
        let mut front = BytesMut::with_capacity(bytes.min(len));
        front.extend_from_slice(&self.first);
        let mut taken = 0;
        for piece in rest.iter_mut() {
            let missing = bytes - front.len();
            front.extend_from_slice(&piece.split_to(missing.min(piece.len())));
            if !piece.is_empty() {
                break;
            }
            taken += 1;
        }
        rest.drain(..taken);
        self.rest.take_if(|rest| rest.is_empty());
        self.first = front.freeze();
    }

    /// The pieces that a slice of the first and all that follow it make. `slice` must be of the first piece; if there are
    /// others, it must reach to its end.
    pub fn slice_ref(&self, slice: &[u8]) -> Self {
        let rest = self.rest();
        debug_assert!(rest.is_empty() || slice.as_ptr_range().end == self.first.as_ptr_range().end);
        match rest.split_first() {
            Some((first, rest)) if slice.is_empty() => Self::with_rest(first.clone(), rest.to_vec()),
            _ => Self { first: self.first.slice_ref(slice), rest: self.rest.clone() },
        }
    }

    /// Takes so many bytes, or all, from the front.
    pub fn split_to(&mut self, bytes: usize) -> Bytes {
        let taken = self.first.split_to(bytes.min(self.first.len()));
        if let Some(rest) = self.rest.as_mut().filter(|_| self.first.is_empty()) {
            self.first = rest.remove(0);
            self.rest.take_if(|rest| rest.is_empty());
        }
        taken
    }
}

impl<T: Into<Bytes>> From<T> for Pieces {
    fn from(first: T) -> Self {
        Self { first: first.into(), rest: None }
    }
}

impl IntoIterator for Pieces {
    type Item = Bytes;
    type IntoIter = std::iter::Chain<std::option::IntoIter<Bytes>, std::vec::IntoIter<Bytes>>;

    /// The pieces, none of them empty.
    fn into_iter(self) -> Self::IntoIter {
        let rest = self.rest.map_or_else(Vec::new, |rest| *rest);
        Some(self.first).filter(|first| !first.is_empty()).into_iter().chain(rest)
    }
}

/// The same bytes, however they are cut.
impl PartialEq for Pieces {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().flatten().eq(other.iter().flatten())
    }
}

impl Eq for Pieces {}

/// Collects pieces of any size. Small ones are copied next to each other, so that a message in many small fragments pins
/// no read buffers; large ones are shared.
#[derive(Debug, Default)]
pub struct Gather {
    done: Pieces,
    small: BytesMut,
    len: usize,
}

impl Gather {
    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Nothing so far?
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Puts a piece behind the others.
    pub fn push(&mut self, piece: Bytes) {
        self.len += piece.len();
        if piece.len() > COPY_THRESHOLD_BYTES {
            self.done.push(self.small.split().freeze());
            self.done.push(piece);
            return;
        }
        if self.small.len() + piece.len() > READ_BUFFER_BYTES {
            // A new buffer instead of a longer one: what was copied once is not moved again.
            self.done.push(std::mem::take(&mut self.small).freeze());
        }
        self.small.extend_from_slice(&piece);
    }

    /// All that was collected.
    pub fn finish(mut self) -> Pieces {
        self.done.push(self.small.freeze());
        self.done
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pieces(cuts: &[Vec<u8>]) -> Pieces {
        let mut pieces = Pieces::new();
        cuts.iter().for_each(|cut| pieces.push(Bytes::from(cut.clone())));
        pieces
    }

    proptest! {
        #[test]
        fn cutting_never_changes_the_bytes(
            cuts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..6),
            front in 0usize..200,
            at in 0usize..40,
        ) {
            let all = cuts.concat();
            let mut some = pieces(&cuts);
            prop_assert_eq!(some.len(), all.len());
            prop_assert!(some.iter().all(|piece| !piece.is_empty()));
            prop_assert_eq!(&some, &Pieces::from(Bytes::from(all.clone())));
            some.join_front(front);
            prop_assert!(some.first().len() >= front.min(all.len()));
            prop_assert_eq!(&some.clone().into_bytes()[..], &all[..]);
            let from = at.min(some.first().len());
            prop_assert_eq!(&some.slice_ref(&some.first()[from..]).into_bytes()[..], &all[from..]);
            let mut taken = Vec::new();
            while !some.is_empty() {
                taken.extend_from_slice(&some.split_to(at + 1));
            }
            prop_assert_eq!(taken, all);
        }

        #[test]
        fn gathering_keeps_the_bytes(cuts in prop::collection::vec((any::<u8>(), 0usize..5_000), 0..40)) {
            let mut gather = Gather::default();
            let mut all = Vec::new();
            for (byte, len) in cuts {
                all.resize(all.len() + len, byte);
                gather.push(Bytes::from(vec![byte; len]));
            }
            prop_assert_eq!(gather.len(), all.len());
            prop_assert_eq!(&gather.finish().into_bytes()[..], &all[..]);
        }
    }

    #[test]
    fn large_pieces_are_shared_and_small_ones_joined() {
        let large = Bytes::from(vec![1; COPY_THRESHOLD_BYTES + 1]);
        let mut gather = Gather::default();
        for piece in [Bytes::from_static(b"a"), Bytes::from_static(b"b"), large.clone(), Bytes::from_static(b"c")] {
            gather.push(piece);
        }
        let pieces = gather.finish();
        let lens: Vec<usize> = pieces.iter().map(Bytes::len).collect();
        assert_eq!(lens, [2, large.len(), 1]);
        assert_eq!(pieces.iter().nth(1).map(|piece| piece.as_ptr()), Some(large.as_ptr()));
    }
}
