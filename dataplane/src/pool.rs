//! Buffers of one core. An idle connection holds none: it borrows one when bytes are there.

use std::cell::{Cell, RefCell};

use bytes::BytesMut;
use landline_wire::limits::READ_BUFFER_BYTES;

use crate::tls::Records;

/// Buffers kept for the next reader: as many as can be busy at once on one core without allocating, in practice.
const MOST: usize = 64;

/// A core's buffers.
#[derive(Default)]
pub(crate) struct Pool {
    free: RefCell<Vec<BytesMut>>,
    /// The fewest that were free since they were looked at: so many were not needed.
    spare: Cell<usize>,
    records: RefCell<Vec<Records>>,
}

impl Pool {
    /// An empty buffer with room for [`READ_BUFFER_BYTES`].
    pub(crate) fn take(&self) -> BytesMut {
        let mut free = self.free.borrow_mut();
        while let Some(mut buffer) = free.pop() {
            self.spare.set(self.spare.get().min(free.len()));
            // Fails while a body that was read into it is still on its way: then its memory goes with that body.
            if buffer.try_reclaim(READ_BUFFER_BYTES) {
                return buffer;
            }
        }
        BytesMut::with_capacity(READ_BUFFER_BYTES)
    }

    /// An empty buffer with room for `bytes`, and for [`READ_BUFFER_BYTES`] in any case.
    pub(crate) fn take_for(&self, bytes: usize) -> BytesMut {
        if bytes > READ_BUFFER_BYTES { BytesMut::with_capacity(bytes) } else { self.take() }
    }

    /// Takes a buffer back. One that holds bytes, or that grew for one large message, is dropped.
    pub(crate) fn give(&self, buffer: BytesMut) {
        let mut free = self.free.borrow_mut();
        if buffer.is_empty() && free.len() < MOST && buffer.capacity() <= 2 * READ_BUFFER_BYTES {
            free.push(buffer);
        }
    }

    /// Drops half of the buffers that nobody needed since the last time. To be called about once a second.
    pub(crate) fn shrink(&self) {
        let mut free = self.free.borrow_mut();
        let unneeded = self.spare.get().min(free.len()).div_ceil(2);
        // The oldest: what was used last is warm.
        free.drain(..unneeded);
        self.spare.set(free.len());
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
}
