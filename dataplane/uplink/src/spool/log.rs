//! The order of records, over disk and memory.
//!
//! What comes is appended to the newest segment. What goes is taken in the same order from three places, one after the
//! other: a tail in memory (`ahead`), the segments from where it ended (`unread`), and what the disk did not take
//! (`unwritten`). While everything that waits fits the tail, nothing is read back.

use std::collections::VecDeque;
use std::io;

use bytes::Bytes;
use landline_link::{MAX_RECORDS, MAX_RECORDS_BYTES, RecordAck, record_batch_head};
use uuid::Uuid;

use super::flight::Batch;
use super::folder::Folder;
use super::format;
use super::lane::Chunk;
use super::segment::Entry;
use super::segments::{Place, Segments};

/// Bounds that a test makes smaller.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    /// Bytes after which a segment takes no more.
    pub(super) segment: u64,
    /// Bytes of the tail in memory.
    pub(super) ahead: usize,
    /// Bytes of records in one batch.
    pub(super) batch: usize,
}

impl Sizes {
    /// Segments are a small part of what the spool may have, and no larger than what is quickly read and deleted.
    pub(super) fn of(spool_bytes: u64) -> Self {
        Self { segment: (spool_bytes / 16).clamp(64 << 10, 16 << 20), ahead: 4 << 20, batch: MAX_RECORDS_BYTES }
    }
}

/// A log of this start, and those that earlier ones left.
#[derive(Debug)]
pub(super) struct Log {
    pub(super) disk: Segments,
    sizes: Sizes,
    id: Uuid,
    /// The place of the next record.
    next: u64,
    ahead: VecDeque<Entry>,
    ahead_bytes: usize,
    unread: Option<Place>,
    unwritten: VecDeque<Entry>,
    /// Of what the disk did not take, what is on its way and not acknowledged: all of it is older.
    taken: VecDeque<Entry>,
    /// Bytes of both.
    unwritten_bytes: usize,
    /// Why the disk is not written to.
    refusal: Option<String>,
    /// Records that were on disk and could not be read.
    lost: u64,
    /// Was the folder read for what earlier starts left?
    is_read: bool,
}

impl Log {
    /// Opens the folder and finds what earlier starts left. Gives how many records that is. A folder that cannot be used
    /// is tried again by [`Log::retry`].
    pub(super) fn open(folder: Folder, sizes: Sizes, id: Uuid) -> (Self, u64) {
        let mut log = Self {
            disk: Segments::new(folder, id, sizes.segment),
            sizes,
            id,
            next: 0,
            ahead: VecDeque::new(),
            ahead_bytes: 0,
            unread: None,
            unwritten: VecDeque::new(),
            taken: VecDeque::new(),
            unwritten_bytes: 0,
            refusal: None,
            lost: 0,
            is_read: false,
        };
        let found = log.find().unwrap_or_else(|error| {
            log.refuse(&error);
            0
        });
        (log, found)
    }

    fn find(&mut self) -> io::Result<u64> {
        let (begin, left) = self.disk.find()?;
        self.unread = begin;
        self.is_read = true;
        Ok(left)
    }

    /// Adds records at the end.
    pub(super) fn append(&mut self, chunk: Chunk) {
        let Chunk { mut bytes, count } = chunk;
        format::seal(&mut bytes, count, self.next);
        let entry = Entry { log: self.id, first: self.next, count, bytes: bytes.into() };
        self.next = entry.end();
        if self.refusal.is_none() && self.unwritten.is_empty() {
            match self.disk.write(&entry) {
                Ok(place) => return self.written(entry, place),
                Err(error) => self.refuse(&error),
            }
        }
        self.unwritten_bytes += entry.bytes.len();
        self.unwritten.push_back(entry);
    }

    /// Tries the disk again, if it refused or was not to be written to. Gives how many records of earlier starts were
    /// found that could not be seen before.
    pub(super) fn retry(&mut self) -> u64 {
        let found = if self.is_read { Ok(0) } else { self.find() };
        match found.and_then(|found| self.write_waiting().map(|()| found)) {
            Ok(found) => {
                if self.refusal.take().is_some() {
                    tracing::info!("records of calls are written to the spool again");
                }
                found
            }
            Err(error) => {
                self.refuse(&error);
                0
            }
        }
    }

    fn write_waiting(&mut self) -> io::Result<()> {
        self.disk.folder.make()?;
        while let Some(entry) = self.taken.front().cloned() {
            self.disk.write(&entry)?;
            self.taken.pop_front();
            self.unwritten_bytes -= entry.bytes.len();
        }
        while let Some(entry) = self.unwritten.front().cloned() {
            let place = self.disk.write(&entry)?;
            self.unwritten.pop_front();
            self.unwritten_bytes -= entry.bytes.len();
            self.written(entry, place);
        }
        Ok(())
    }

    /// The disk is not to be written to until [`Log::retry`].
    pub(super) fn refuse(&mut self, why: &dyn std::fmt::Display) {
        let why = why.to_string();
        self.disk.is_open = false;
        if self.refusal.as_ref() != Some(&why) {
            let path = self.disk.folder.path().display();
            tracing::error!(%path, "records of calls cannot be kept on disk and wait in memory: {why}");
            self.refusal = Some(why);
        }
    }

    /// An entry that is on disk stays in memory too if all before it do.
    fn written(&mut self, entry: Entry, place: Place) {
        if self.unread.is_none() && self.ahead_bytes + entry.bytes.len() <= self.sizes.ahead {
            self.ahead_bytes += entry.bytes.len();
            self.ahead.push_back(entry);
        } else {
            self.unread.get_or_insert(place);
        }
    }

    /// The next records to send: as many as one batch may have.
    pub(super) fn take(&mut self) -> Option<Batch> {
        let first = self.pop(|_| true)?;
        let (mut end, mut count, mut bytes) = (first.end(), first.count, first.records().len());
        let mut pieces = vec![Bytes::new(), first.records()];
        let (log, sizes) = (first.log, self.sizes);
        while let Some(entry) = self.pop(|next| {
            next.log == log
                && next.first == end
                && bytes + next.bytes.len() <= sizes.batch
                && (count + next.count) as usize <= MAX_RECORDS
        }) {
            end = entry.end();
            count += entry.count;
            bytes += entry.records().len();
            pieces.push(entry.records());
        }
        pieces[0] = record_batch_head(log, first.first, count, bytes);
        Some(Batch { log, first: first.first, count, pieces })
    }

    /// The next entry in order, if there is one and it will do.
    fn pop(&mut self, will_do: impl Fn(&Entry) -> bool) -> Option<Entry> {
        if self.ahead.is_empty() && self.unread.is_some() {
            self.read_ahead();
        }
        if self.ahead.is_empty() {
            let entry = self.unwritten.pop_front_if(|entry| will_do(entry))?;
            self.taken.push_back(entry.clone());
            return Some(entry);
        }
        let entry = self.ahead.pop_front_if(|entry| will_do(entry))?;
        self.ahead_bytes -= entry.bytes.len();
        Some(entry)
    }

    /// Reads some entries back.
    fn read_ahead(&mut self) {
        let Some(place) = self.unread else { return };
        let read = self.disk.read(place);
        self.lost += read.lost;
        self.unread = read.on;
        self.ahead_bytes += read.entries.iter().map(|entry| entry.bytes.len()).sum::<usize>();
        self.ahead.extend(read.entries);
    }

    /// The exchange has every record of a log before a place.
    pub(super) fn acknowledge(&mut self, ack: RecordAck) {
        let is_done = |entry: &mut Entry| entry.log == ack.log && entry.end() <= ack.next;
        while let Some(entry) = self.taken.pop_front_if(is_done) {
            self.unwritten_bytes -= entry.bytes.len();
        }
        self.disk.acknowledge(ack);
    }

    /// Bytes that the disk did not take.
    pub(super) fn unwritten_bytes(&self) -> usize {
        self.unwritten_bytes
    }

    /// Is the disk not written to?
    pub(super) fn is_refused(&self) -> bool {
        self.refusal.is_some()
    }

    /// Records that were lost since this was last asked.
    pub(super) fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }
}

#[cfg(test)]
mod tests;
