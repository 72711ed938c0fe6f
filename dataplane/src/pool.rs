//! Buffers of one core. An idle connection holds none: it borrows one when bytes are there.

use std::cell::{Cell, RefCell};

use bytes::BytesMut;
use landline_wire::limits::READ_BUFFER_BYTES;

use crate::tls::Records;

/// Buffers kept for the next reader: as many as can be busy at once on one core without allocating, in practice.
const MOST: usize = 64;
/// A buffer of up to so many bytes serves whoever reads small messages; a larger one would be pinned by them.
const SMALL: usize = 2 * READ_BUFFER_BYTES;
/// Bytes of larger buffers that are kept, in all.
const MOST_LARGE_BYTES: usize = 4 << 20;

/// A core's buffers, by size: those of an ordinary read, and larger ones, each of a power of two.
#[derive(Default)]
pub(crate) struct Pool {
    /// Of some the memory may still be part of a body that is on its way: when they are taken it is seen which.
    free: RefCell<Vec<BytesMut>>,
    /// The fewest that were free since they were looked at: so many were not needed.
    spare: Cell<usize>,
    large: RefCell<Vec<BytesMut>>,
    /// Was one of those needed since they were looked at?
    large_needed: Cell<bool>,
    records: RefCell<Vec<Records>>,
}

impl Pool {
    /// An empty buffer with room for [`READ_BUFFER_BYTES`].
    pub(crate) fn take(&self) -> BytesMut {
        let mut free = self.free.borrow_mut();
        while let Some(mut buffer) = free.pop() {
            self.spare.set(self.spare.get().min(free.len()));
            if buffer.try_reclaim(SMALL + 1) {
                self.keep_large(buffer);
            } else if buffer.try_reclaim(READ_BUFFER_BYTES) {
                return buffer;
            }
            // Otherwise a body that was read into it is still on its way, and its memory goes with that body.
        }
        BytesMut::with_capacity(READ_BUFFER_BYTES)
    }

    /// An empty buffer with room for `bytes`, and for [`READ_BUFFER_BYTES`] in any case.
    pub(crate) fn take_for(&self, bytes: usize) -> BytesMut {
        if bytes <= READ_BUFFER_BYTES {
            return self.take();
        }
        self.large_needed.set(true);
        let mut large = self.large.borrow_mut();
        let fits = |buffer: &BytesMut| (bytes..=4 * bytes).contains(&buffer.capacity());
        match large.iter().position(fits) {
            Some(at) => large.swap_remove(at),
            None => BytesMut::with_capacity(bytes.next_power_of_two()),
        }
    }

    /// Takes a buffer back. One that holds bytes is dropped, and what is too much.
    pub(crate) fn give(&self, buffer: BytesMut) {
        if !buffer.is_empty() {
            return;
        }
        if buffer.capacity() > SMALL {
            return self.keep_large(buffer);
        }
        let mut free = self.free.borrow_mut();
        if free.len() < MOST {
            free.push(buffer);
        }
    }

    fn keep_large(&self, mut buffer: BytesMut) {
        // Of a buffer that was used it shows only when it is asked for how large it is.
        let mut size = buffer.capacity().next_power_of_two();
        while buffer.try_reclaim(size) {
            size *= 2;
        }
        let mut large = self.large.borrow_mut();
        let kept: usize = large.iter().map(BytesMut::capacity).sum();
        if kept + buffer.capacity() <= MOST_LARGE_BYTES {
            large.push(buffer);
        }
    }

    /// Drops half of the buffers that nobody needed since the last time. To be called about once a second.
    pub(crate) fn shrink(&self) {
        let mut free = self.free.borrow_mut();
        let unneeded = self.spare.get().min(free.len()).div_ceil(2);
        // The oldest: what was used last is warm.
        free.drain(..unneeded);
        self.spare.set(free.len());
        if !self.large_needed.replace(false) {
            let mut large = self.large.borrow_mut();
            let unneeded = large.len().div_ceil(2);
            large.drain(..unneeded);
        }
    }

    /// An empty buffer for records.
    pub(crate) fn take_records(&self) -> Records {
        self.records.borrow_mut().pop().unwrap_or_else(Records::roomy)
    }

    /// Takes an empty buffer for records back.
    pub(crate) fn give_records(&self, records: Records) {
        let mut kept = self.records.borrow_mut();
        if records.is_roomy() && kept.len() < MOST {
            kept.push(records);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_needs_goes_by_and_by() {
        let pool = Pool::default();
        let fill = |many: usize| (0..many).for_each(|_| pool.give(BytesMut::with_capacity(READ_BUFFER_BYTES)));
        fill(MOST + 1);
        assert_eq!(pool.free.borrow().len(), MOST);
        pool.shrink();
        let few: Vec<BytesMut> = (0..4).map(|_| pool.take()).collect();
        few.into_iter().for_each(|buffer| pool.give(buffer));
        (0..20).for_each(|_| {
            let needed = [pool.take(), pool.take()];
            needed.into_iter().for_each(|buffer| pool.give(buffer));
            pool.shrink();
        });
        assert_eq!(pool.free.borrow().len(), 2, "two are in use again and again");
        (0..20).for_each(|_| pool.shrink());
        assert_eq!(pool.free.borrow().len(), 0);
    }

    #[test]
    fn a_large_buffer_comes_back_to_large_messages_only() {
        let pool = Pool::default();
        let mut buffer = pool.take_for(520_000);
        assert_eq!(buffer.capacity(), 1 << 19);
        buffer.extend_from_slice(&[7; 520_000]);
        let body = buffer.split_to(520_000).freeze();
        let place = body.as_ptr();
        pool.give(buffer);
        drop(body);
        // Whose memory it is, is seen only when it is taken.
        assert_eq!(pool.take().capacity(), READ_BUFFER_BYTES);
        let again = pool.take_for(200_000);
        assert_eq!(again.as_ptr(), place);
        pool.give(again);
        assert_eq!((pool.take_for(500_000).as_ptr(), pool.take().capacity()), (place, READ_BUFFER_BYTES));
    }

    #[test]
    fn large_buffers_are_bounded_and_go_when_nobody_needs_them() {
        let pool = Pool::default();
        let taken: Vec<BytesMut> = (0..20).map(|_| pool.take_for(1 << 20)).collect();
        taken.into_iter().for_each(|buffer| pool.give(buffer));
        assert_eq!(pool.large.borrow().len(), MOST_LARGE_BYTES >> 20);
        (0..5).for_each(|_| pool.shrink());
        assert!(pool.large.borrow().is_empty());
    }
}
