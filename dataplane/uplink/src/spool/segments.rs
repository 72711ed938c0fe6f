//! The segments that are on disk, oldest first: those that earlier starts left, then those of this start's log.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::sync::Arc;

use landline_link::RecordAck;
use uuid::Uuid;

use super::folder::Folder;
use super::format::SEGMENT_HEAD_BYTES;
use super::segment::{Entry, Found, Segment};

/// Where an entry begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    segment: u64,
    offset: u64,
    /// The place in its log of the record that begins there.
    first: u64,
}

impl Place {
    fn start_of(segment: &Segment) -> Self {
        Self { segment: segment.number, offset: SEGMENT_HEAD_BYTES as u64, first: segment.first }
    }
}

/// What reading gave.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) entries: Vec<Entry>,
    /// Where to read on; `None`: that was everything.
    pub(super) on: Option<Place>,
    /// Records that could not be read.
    pub(super) lost: u64,
}

/// The segments on disk.
#[derive(Debug)]
pub(super) struct Segments {
    pub(super) folder: Folder,
    /// The log of this start.
    log: Uuid,
    /// Bytes after which a segment takes no more.
    most: u64,
    pub(super) list: VecDeque<Segment>,
    next_number: u64,
    /// Does the last one take more?
    pub(super) is_open: bool,
}

impl Segments {
    pub(super) fn new(folder: Folder, log: Uuid, most: u64) -> Self {
        Self { folder, log, most, list: VecDeque::new(), next_number: 1, is_open: false }
    }

    /// Finds what earlier starts left: where it begins, and how many records it is.
    pub(super) fn find(&mut self) -> io::Result<(Option<Place>, u64)> {
        self.folder.make()?;
        let (mut begin, mut left) = (None, 0);
        for number in self.folder.numbers()? {
            self.next_number = number + 1;
            match Segment::open(&self.folder, number) {
                Ok(Some(found)) => {
                    if let Some((place, waiting)) = self.found(found) {
                        begin.get_or_insert(place);
                        left += waiting;
                    }
                }
                outcome => {
                    let why = outcome.err().map_or_else(|| "no head".into(), |error| error.to_string());
                    tracing::error!(number, "a file of the spool cannot be read and is set aside: {why}");
                    self.folder.set_aside(number);
                }
            }
        }
        Ok((begin, left))
    }

    fn found(&mut self, Found { segment, offset, torn }: Found) -> Option<(Place, u64)> {
        let number = segment.number;
        if torn > 0 {
            tracing::warn!(number, bytes = torn, "a file of the spool is cut before an entry that is not whole");
        }
        let (first, waiting) = segment.waiting();
        if waiting == 0 {
            self.remove(number);
            return None;
        }
        self.list.push_back(segment);
        Some((Place { segment: number, offset, first }, waiting))
    }

    /// Appends an entry of this start's log. After an error nothing of it counts.
    pub(super) fn write(&mut self, entry: &Entry) -> io::Result<Place> {
        let full = self.list.back().is_none_or(|segment| segment.bytes >= self.most);
        if full || !self.is_open {
            let segment = Segment::create(&self.folder, self.next_number, self.log, entry.first)?;
            self.next_number += 1;
            self.is_open = true;
            self.list.push_back(segment);
        }
        let segment = self.list.back_mut().ok_or(io::ErrorKind::NotFound)?;
        let place = Place { segment: segment.number, offset: segment.bytes, first: entry.first };
        segment.append(&entry.bytes, entry.count)?;
        Ok(place)
    }

    /// Reads the next entries from a place on.
    pub(super) fn read(&self, mut place: Place) -> Read {
        let mut read = Read::default();
        let from = self.list.iter().position(|segment| segment.number >= place.segment).unwrap_or(self.list.len());
        for segment in self.list.range(from..) {
            if segment.number > place.segment {
                place = Place::start_of(segment);
            }
            if place.offset >= segment.bytes {
                continue;
            }
            let outcome = segment.read(place.offset, place.first, &mut |entry| read.entries.push(entry));
            if let (Ok(bytes), Some(last)) = (&outcome, read.entries.last()) {
                read.on = Some(Place { offset: place.offset + *bytes as u64, first: last.end(), ..place });
                return read;
            }
            let (lost, number) = (segment.end - place.first, segment.number);
            let why = outcome.err().map_or_else(|| "damaged".into(), |error| error.to_string());
            tracing::error!(number, records = lost, "records of calls are lost with a file of the spool: {why}");
            read.lost += lost;
        }
        read
    }

    /// The exchange has every record of a log before a place: their segments go. Batches are acknowledged in their order,
    /// so older logs are then done with.
    pub(super) fn acknowledge(&mut self, ack: RecordAck) {
        if let Some(at) = self.list.iter().position(|segment| segment.log == ack.log) {
            (0..at).for_each(|_| self.remove_front());
        } else if ack.log == self.log {
            self.clear();
        }
        loop {
            let may_be_open = self.is_open && self.list.len() == 1;
            let Some(front) = self.list.front_mut().filter(|front| front.log == ack.log) else { return };
            if front.end > ack.next || (may_be_open && front.bytes < self.most) {
                // Only work is saved by it; a refusal will be heard of where it matters.
                let _ = front.note_acknowledged(ack.next);
                return;
            }
            self.remove_front();
        }
    }

    /// Nothing waits: all of them go.
    pub(super) fn clear(&mut self) {
        (0..self.list.len()).for_each(|_| self.remove_front());
    }

    fn remove_front(&mut self) {
        if let Some(segment) = self.list.pop_front() {
            self.is_open &= !self.list.is_empty();
            self.remove(segment.number);
        }
    }

    fn remove(&self, number: u64) {
        if let Err(error) = std::fs::remove_file(self.folder.file(number)) {
            tracing::warn!(number, %error, "a file of the spool could not be removed");
        }
    }

    /// Files with something that is not durable yet.
    pub(super) fn dirty(&mut self) -> Vec<Arc<File>> {
        let mut take = |segment: &mut Segment| std::mem::take(&mut segment.is_dirty).then(|| segment.file());
        self.list.iter_mut().filter_map(&mut take).collect()
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.list.iter().map(|segment| segment.bytes).sum()
    }

    /// Records on disk that were not acknowledged.
    pub(super) fn kept(&self) -> u64 {
        self.list.iter().map(|segment| segment.waiting().1).sum()
    }
}
