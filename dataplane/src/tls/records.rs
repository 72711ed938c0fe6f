//! Records on their way to the socket.

/// Bytes of one record's plaintext (RFC 8446 section 5.1).
pub(crate) const RECORD_BYTES: usize = 16 << 10;
/// Bytes that sealing adds to a record at most: header, explicit nonce, tag and content type, with room to spare.
pub(super) const RECORD_OVERHEAD: usize = 64;
/// Records of one write: enough that a large body costs few writes, few enough that a slow peer pins little.
const RECORDS_AT_ONCE: usize = 4;
/// Bytes of a buffer for them.
const BUFFER_BYTES: usize = RECORDS_AT_ONCE * (RECORD_BYTES + RECORD_OVERHEAD);

/// A buffer that fills with records. Its bytes are initialised once and stay so: making room costs nothing.
#[derive(Debug, Default)]
pub(crate) struct Records {
    bytes: Vec<u8>,
    filled: usize,
}

impl Records {
    /// A buffer with room for a whole write.
    pub(crate) fn roomy() -> Self {
        Self { bytes: vec![0; BUFFER_BYTES], filled: 0 }
    }

    /// Has it the size of [`Records::roomy`], so that it is worth keeping?
    pub(crate) fn is_roomy(&self) -> bool {
        self.bytes.len() == BUFFER_BYTES
    }

    /// Is there nothing to write?
    pub(crate) fn is_empty(&self) -> bool {
        self.filled == 0
    }

    /// Does another full record fit?
    pub(super) fn has_room(&self) -> bool {
        self.bytes.len() - self.filled >= RECORD_BYTES + RECORD_OVERHEAD
    }

    /// What is to be written.
    pub(crate) fn filled(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Room for at least so many bytes behind what is there.
    pub(super) fn room(&mut self, least: usize) -> &mut [u8] {
        if self.bytes.len() < self.filled + least {
            self.bytes.resize(self.filled + least, 0);
        }
        &mut self.bytes[self.filled..]
    }

    /// So many bytes of the room were filled.
    pub(super) fn fill(&mut self, bytes: usize) {
        self.filled += bytes;
        debug_assert!(self.filled <= self.bytes.len());
    }

    /// Appends bytes as they are.
    pub(crate) fn append(&mut self, bytes: &[u8]) {
        self.room(bytes.len())[..bytes.len()].copy_from_slice(bytes);
        self.fill(bytes.len());
    }

    /// The buffer, all of it, and how much of it is to be written.
    pub(crate) fn into_parts(self) -> (Vec<u8>, usize) {
        (self.bytes, self.filled)
    }

    /// An empty one of a buffer that was written.
    pub(crate) fn reuse(bytes: Vec<u8>) -> Self {
        Self { bytes, filled: 0 }
    }
}
