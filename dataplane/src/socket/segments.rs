//! Several buffers in one write.

use bytes::Bytes;
use monoio::buf::IoVecBuf;

/// The most segments in one write (`IOV_MAX`).
const MAX_SEGMENTS: usize = 1024;

/// Segments of one vectored write, and how far they are written.
pub(super) struct Segments {
    bytes: Vec<Bytes>,
    iovecs: Vec<libc::iovec>,
    next: usize,
}

impl Segments {
    pub(super) fn new(bytes: Vec<Bytes>) -> Self {
        let iovec = |segment: &Bytes| libc::iovec { iov_base: segment.as_ptr() as *mut _, iov_len: segment.len() };
        let iovecs = bytes.iter().filter(|segment| !segment.is_empty()).map(iovec).collect();
        Self { bytes, iovecs, next: 0 }
    }

    pub(super) fn is_done(&self) -> bool {
        self.next == self.iovecs.len()
    }

    pub(super) fn advance(&mut self, mut written: usize) {
        while let Some(iovec) = self.iovecs.get_mut(self.next) {
            if written < iovec.iov_len {
                // SAFETY: the result stays within the segment that the iovec points into.
                iovec.iov_base = unsafe { iovec.iov_base.cast::<u8>().add(written) }.cast();
                iovec.iov_len -= written;
                return;
            }
            written -= iovec.iov_len;
            self.next += 1;
        }
        debug_assert!(self.is_done() && self.bytes.len() >= self.iovecs.len());
    }
}

// SAFETY: the iovecs point into `bytes`, whose storage does not move while it is owned here; neither vector is changed
// while an operation owns the value.
unsafe impl IoVecBuf for Segments {
    fn read_iovec_ptr(&self) -> *const libc::iovec {
        self.iovecs[self.next..].as_ptr()
    }

    fn read_iovec_len(&self) -> usize {
        (self.iovecs.len() - self.next).min(MAX_SEGMENTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_write_goes_on_where_it_stopped() {
        let mut segments = Segments::new(vec![Bytes::from_static(b"abc"), Bytes::new(), Bytes::from_static(b"de")]);
        let left = |segments: &Segments| -> Vec<usize> {
            segments.iovecs[segments.next..].iter().map(|iovec| iovec.iov_len).collect()
        };
        assert_eq!(left(&segments), [3, 2]);
        segments.advance(2);
        assert_eq!(left(&segments), [1, 2]);
        segments.advance(2);
        assert_eq!(left(&segments), [1]);
        segments.advance(1);
        assert!(segments.is_done());
    }
}
