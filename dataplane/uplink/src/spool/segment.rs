//! One file of a log.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;

use uuid::Uuid;

use super::folder::Folder;
use super::format::{self, ACKNOWLEDGED_AT, SEGMENT_HEAD_BYTES, SegmentHead};

/// A segment on disk.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) log: Uuid,
    /// The place of its first record.
    pub(super) first: u64,
    /// The place after its last record.
    pub(super) end: u64,
    /// Records before this place were acknowledged.
    acknowledged: u64,
    /// Bytes that are good; what follows is torn.
    pub(super) bytes: u64,
    /// Was it written to since it was last made durable?
    pub(super) is_dirty: bool,
    file: Arc<File>,
}

/// A segment of an earlier start, and where its first record is that was not acknowledged.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) segment: Segment,
    pub(super) offset: u64,
    /// Bytes behind the last good entry.
    pub(super) torn: u64,
}

impl Segment {
    /// Makes the file. `first` is the place of the record that comes first.
    pub(super) fn create(folder: &Folder, number: u64, log: Uuid, first: u64) -> io::Result<Self> {
        let path = folder.file(number);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        let head = SegmentHead { log, first, acknowledged: first }.encode();
        if let Err(error) = file.write_all_at(&head, 0) {
            let _ = std::fs::remove_file(path);
            return Err(error);
        }
        let bytes = SEGMENT_HEAD_BYTES as u64;
        Ok(Self { number, log, first, end: first, acknowledged: first, bytes, is_dirty: true, file: Arc::new(file) })
    }

    /// Opens a file of an earlier start and reads it through. `None`: it is no segment.
    pub(super) fn open(folder: &Folder, number: u64) -> io::Result<Option<Found>> {
        let mut file = OpenOptions::new().read(true).write(true).open(folder.file(number))?;
        let length = file.metadata()?.len();
        let mut head = [0; SEGMENT_HEAD_BYTES];
        let head = match file.read_exact(&mut head) {
            Ok(()) => SegmentHead::decode(&head),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => None,
            Err(error) => return Err(error),
        };
        let Some(head) = head else { return Ok(None) };
        let start = SEGMENT_HEAD_BYTES as u64;
        let SegmentHead { log, first, acknowledged } = head;
        let file = Arc::new(file);
        let mut segment =
            Self { number, log, first, end: first, acknowledged: first, bytes: length, is_dirty: false, file };
        let (mut offset, mut at) = (start, start);
        let mut entries = Vec::new();
        while segment.read(at, segment.end, &mut |entry| entries.push((entry.count, entry.bytes.len() as u64)))? > 0 {
            for (count, bytes) in entries.drain(..) {
                at += bytes;
                segment.end += u64::from(count);
                if segment.end <= acknowledged {
                    segment.acknowledged = segment.end;
                    offset = at;
                }
            }
        }
        segment.bytes = at;
        Ok(Some(Found { segment, offset, torn: length - at }))
    }

    /// Appends an entry of so many records. After an error nothing of it counts.
    pub(super) fn append(&mut self, entry: &[u8], count: u32) -> io::Result<()> {
        self.file.write_all_at(entry, self.bytes).inspect_err(|_| {
            let _ = self.file.set_len(self.bytes);
        })?;
        self.bytes += entry.len() as u64;
        self.end += u64::from(count);
        self.is_dirty = true;
        Ok(())
    }

    /// Reads some whole entries from an offset on, the first of them beginning at the place `first`. Gives how many bytes
    /// they take: none at the end, and where the file is damaged.
    pub(super) fn read(&self, offset: u64, mut first: u64, take: &mut dyn FnMut(Entry)) -> io::Result<usize> {
        let length = self.bytes.saturating_sub(offset).min(READ_BYTES as u64) as usize;
        let mut buffer = vec![0; length];
        let mut filled = 0;
        while filled < length {
            match self.file.read_at(&mut buffer[filled..], offset + filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        buffer.truncate(filled);
        let buffer = bytes::Bytes::from(buffer);
        let mut at = 0;
        while let Some(head) = format::entry(&buffer[at..], first) {
            let bytes = buffer.slice(at..at + head.bytes);
            take(Entry { log: self.log, first: head.first, count: head.count, bytes });
            first += u64::from(head.count);
            at += head.bytes;
        }
        Ok(at)
    }

    /// The place of the first record that waits, and how many do.
    pub(super) fn waiting(&self) -> (u64, u64) {
        (self.acknowledged, self.end - self.acknowledged)
    }

    /// Notes that records before a place need not be sent again.
    pub(super) fn note_acknowledged(&mut self, place: u64) -> io::Result<()> {
        self.acknowledged = place.clamp(self.acknowledged, self.end);
        self.file.write_all_at(&format::acknowledged(place), ACKNOWLEDGED_AT)
    }

    /// For making it durable elsewhere.
    pub(super) fn file(&self) -> Arc<File> {
        Arc::clone(&self.file)
    }
}

/// Bytes read at once: several of the largest entries.
const READ_BYTES: usize = 256 << 10;

/// Some records of a log, as they are on disk.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) log: Uuid,
    pub(super) first: u64,
    pub(super) count: u32,
    /// With the head.
    pub(super) bytes: bytes::Bytes,
}

impl Entry {
    /// The place after its last record.
    pub(super) fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }

    /// The records alone.
    pub(super) fn records(&self) -> bytes::Bytes {
        self.bytes.slice(format::ENTRY_HEAD_BYTES..)
    }
}
