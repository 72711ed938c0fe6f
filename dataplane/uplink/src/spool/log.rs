//! The order of records, over disk and memory.
//!
//! What comes is appended to the newest segment. What goes is taken in the same order from three places, one after the
//! other: a tail in memory (`ahead`), the segments from where it ended (`unread`), and what the disk did not take
//! (`unwritten`). While everything that waits fits the tail, nothing is read back.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use landline_link::{MAX_RECORDS, MAX_RECORDS_BYTES, RecordAck, record_batch_head};
use uuid::Uuid;

use super::flight::Batch;
use super::folder::Folder;
use super::format::{self, SEGMENT_HEAD_BYTES};
use super::lane::Chunk;
use super::segment::{Entry, Found, Segment};

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
    folder: Folder,
    sizes: Sizes,
    id: Uuid,
    /// The place of the next record.
    next: u64,
    segments: VecDeque<Segment>,
    next_number: u64,
    /// Does the last segment take more?
    is_open: bool,
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

/// Where reading back goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    segment: u64,
    offset: u64,
    /// The place of the record that begins there.
    first: u64,
}

impl Place {
    fn start_of(segment: &Segment) -> Self {
        Self { segment: segment.number, offset: SEGMENT_HEAD_BYTES as u64, first: segment.first }
    }
}

impl Log {
    /// Opens the folder and finds what earlier starts left. Gives how many records that is. A folder that cannot be used
    /// is tried again by [`Log::retry`].
    pub(super) fn open(folder: Folder, sizes: Sizes, id: Uuid) -> (Self, u64) {
        let mut log = Self {
            folder,
            sizes,
            id,
            next: 0,
            segments: VecDeque::new(),
            next_number: 1,
            is_open: false,
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
        self.folder.make()?;
        let mut left = 0;
        for number in self.folder.numbers()? {
            self.next_number = number + 1;
            match Segment::open(&self.folder, number) {
                Ok(Some(found)) => left += self.found(found),
                outcome => {
                    let why = outcome.err().map_or_else(|| "no head".into(), |error| error.to_string());
                    tracing::error!(number, "a file of the spool cannot be read and is set aside: {why}");
                    self.folder.set_aside(number);
                }
            }
        }
        self.is_read = true;
        Ok(left)
    }

    fn found(&mut self, Found { segment, offset, torn }: Found) -> u64 {
        let number = segment.number;
        if torn > 0 {
            tracing::warn!(number, bytes = torn, "a file of the spool is cut before an entry that is not whole");
        }
        let (first, waiting) = segment.waiting();
        if waiting == 0 {
            self.remove(number);
        } else {
            self.unread.get_or_insert(Place { segment: number, offset, first });
            self.segments.push_back(segment);
        }
        waiting
    }

    /// Adds records at the end.
    pub(super) fn append(&mut self, chunk: Chunk) {
        let Chunk { mut bytes, count } = chunk;
        format::seal(&mut bytes, count, self.next);
        let entry = Entry { log: self.id, first: self.next, count, bytes: bytes.into() };
        self.next = entry.end();
        if self.refusal.is_none() && self.unwritten.is_empty() {
            match self.write(&entry) {
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
        self.folder.make()?;
        while let Some(entry) = self.taken.front().cloned() {
            self.write(&entry)?;
            self.taken.pop_front();
            self.unwritten_bytes -= entry.bytes.len();
        }
        while let Some(entry) = self.unwritten.front().cloned() {
            let place = self.write(&entry)?;
            self.unwritten.pop_front();
            self.unwritten_bytes -= entry.bytes.len();
            self.written(entry, place);
        }
        Ok(())
    }

    /// The disk is not to be written to until [`Log::retry`].
    pub(super) fn refuse(&mut self, why: &dyn std::fmt::Display) {
        let why = why.to_string();
        self.is_open = false;
        if self.refusal.as_ref() != Some(&why) {
            let path = self.folder.path().display();
            tracing::error!(%path, "records of calls cannot be kept on disk and wait in memory: {why}");
            self.refusal = Some(why);
        }
    }

    fn write(&mut self, entry: &Entry) -> io::Result<Place> {
        let full = self.segments.back().is_none_or(|segment| segment.bytes >= self.sizes.segment);
        if full || !self.is_open {
            let segment = Segment::create(&self.folder, self.next_number, self.id, entry.first)?;
            self.next_number += 1;
            self.is_open = true;
            self.segments.push_back(segment);
        }
        let segment = self.segments.back_mut().ok_or(io::ErrorKind::NotFound)?;
        let place = Place { segment: segment.number, offset: segment.bytes, first: entry.first };
        segment.append(&entry.bytes, entry.count)?;
        Ok(place)
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
        while let Some(place) = self.unread.filter(|_| self.ahead.is_empty()) {
            let Some(at) = self.segments.iter().position(|segment| segment.number >= place.segment) else {
                self.unread = None;
                return;
            };
            let segment = &self.segments[at];
            if segment.number > place.segment {
                self.unread = Some(Place::start_of(segment));
                continue;
            }
            if place.offset >= segment.bytes {
                self.unread = self.segments.get(at + 1).map(Place::start_of);
                continue;
            }
            let (ahead, bytes) = (&mut self.ahead, &mut self.ahead_bytes);
            let read = segment.read(place.offset, place.first, &mut |entry| {
                *bytes += entry.bytes.len();
                ahead.push_back(entry);
            });
            let read = match read {
                Ok(read) if read > 0 => read as u64,
                outcome => {
                    let lost = segment.end - place.first;
                    let why = outcome.err().map_or_else(|| "damaged".into(), |error| error.to_string());
                    tracing::error!(
                        number = segment.number,
                        records = lost,
                        "records of calls are lost with a file of the spool: {why}"
                    );
                    self.lost += lost;
                    segment.bytes - place.offset
                }
            };
            let first = self.ahead.back().map_or(segment.end, Entry::end);
            self.unread = Some(Place { segment: segment.number, offset: place.offset + read, first });
        }
    }

    /// The exchange has every record of a log before a place: what is on disk of them goes. Batches are acknowledged in
    /// their order, so older logs are then done with.
    pub(super) fn acknowledge(&mut self, ack: RecordAck) {
        while let Some(entry) = self.taken.pop_front_if(|entry| (entry.log, entry.end() <= ack.next) == (ack.log, true))
        {
            self.unwritten_bytes -= entry.bytes.len();
        }
        if let Some(at) = self.segments.iter().position(|segment| segment.log == ack.log) {
            for _ in 0..at {
                self.remove_front();
            }
        } else if ack.log == self.id {
            while self.segments.front().is_some_and(|segment| segment.log != self.id) {
                self.remove_front();
            }
        }
        loop {
            let may_be_open = self.is_open && self.segments.len() == 1;
            let Some(front) = self.segments.front_mut().filter(|front| front.log == ack.log) else { return };
            let is_written = may_be_open && front.bytes < self.sizes.segment;
            if front.end > ack.next || is_written {
                // Only work is saved by it; a refusal will be heard of where it matters.
                let _ = front.note_acknowledged(ack.next);
                return;
            }
            self.remove_front();
        }
    }

    fn remove_front(&mut self) {
        if let Some(segment) = self.segments.pop_front() {
            self.is_open &= !self.segments.is_empty();
            self.remove(segment.number);
        }
    }

    fn remove(&self, number: u64) {
        if let Err(error) = std::fs::remove_file(self.folder.file(number)) {
            tracing::warn!(number, %error, "a file of the spool could not be removed");
        }
    }

    /// Nothing waits: not even an empty file is left behind.
    pub(super) fn clear(&mut self) {
        while !self.segments.is_empty() {
            self.remove_front();
        }
    }

    /// Files with something that is not durable yet.
    pub(super) fn dirty(&mut self) -> Vec<Arc<File>> {
        let mut take = |segment: &mut Segment| std::mem::take(&mut segment.is_dirty).then(|| segment.file());
        self.segments.iter_mut().filter_map(&mut take).collect()
    }

    /// Bytes on disk.
    pub(super) fn disk_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// Bytes that the disk did not take.
    pub(super) fn unwritten_bytes(&self) -> usize {
        self.unwritten_bytes
    }

    /// Records on disk that were not acknowledged.
    pub(super) fn kept(&self) -> u64 {
        self.segments.iter().map(|segment| segment.waiting().1).sum()
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
