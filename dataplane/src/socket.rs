//! A TCP connection that one task reads while another writes.

use std::cell::UnsafeCell;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use monoio::buf::{IoBufMut, IoVecBuf};
use monoio::io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt};
use monoio::net::TcpStream;

/// Shared handle of one connection; the descriptor is closed with the last handle.
#[derive(Clone)]
pub(crate) struct Socket {
    stream: Rc<UnsafeCell<TcpStream>>,
    fd: RawFd,
}

impl Socket {
    pub(crate) fn new(stream: TcpStream) -> Self {
        // Answers are written whole; without this each waits for the peer's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let fd = stream.as_raw_fd();
        Self { stream: Rc::new(UnsafeCell::new(stream)), fd }
    }

    /// Takes over a descriptor that another core handed over.
    pub(crate) fn adopt(fd: RawFd) -> io::Result<Self> {
        // SAFETY: the descriptor was duplicated for this core and nobody else owns it.
        let stream = unsafe { std::net::TcpStream::from_raw_fd(fd) };
        Ok(Self::new(TcpStream::from_std(stream)?))
    }

    /// A duplicate of the descriptor, to be given to another core. The original is closed with this handle, once its
    /// last operation has completed; taking the descriptor itself out would fail while one is being cancelled.
    pub(crate) fn duplicate(&self) -> io::Result<RawFd> {
        // SAFETY: `fd` is open for as long as `self` lives.
        let fd = unsafe { libc::fcntl(self.fd, libc::F_DUPFD_CLOEXEC, 0) };
        if fd < 0 { Err(io::Error::last_os_error()) } else { Ok(fd) }
    }

    /// The other end's address; `None` if it is gone.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        // SAFETY: a shared reference; see `stream_mut` for why none is exclusive meanwhile.
        let stream = unsafe { &*self.stream.get() };
        stream.peer_addr().ok().map(|peer| peer.ip().to_canonical())
    }

    /// Waits until a read would not wait. May be dropped while it waits.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        // SAFETY: a shared reference; see `stream_mut` for why none is exclusive meanwhile.
        unsafe { &*self.stream.get() }.readable(false).await
    }

    /// `TcpStream`'s operations take `&mut self` but touch nothing except the reference-counted descriptor, which they
    /// clone into the operation; the type says so by implementing monoio's `Split`, whose halves do exactly this.
    #[allow(clippy::mut_from_ref, reason = "documented above; the borrow never outlives the call that submits")]
    fn stream_mut(&self) -> &mut TcpStream {
        // SAFETY: one thread, and no two of these references are used at the same time: each is used only to submit
        // an operation.
        unsafe { &mut *self.stream.get() }
    }

    /// Appends what is there to `buf`, at most its spare capacity, which must not be empty. Never drop this while it
    /// waits: bytes that arrive would be lost.
    pub(crate) async fn read(&self, buf: BytesMut) -> (io::Result<usize>, BytesMut) {
        let (begin, end) = (buf.len(), buf.capacity());
        let (result, slice) = self.stream_mut().read(buf.slice_mut(begin..end)).await;
        (result, slice.into_inner())
    }

    /// Writes all of one buffer and gives it back.
    pub(crate) async fn write(&self, buf: BytesMut) -> (io::Result<()>, BytesMut) {
        let (result, buf) = self.stream_mut().write_all(buf).await;
        (result.map(drop), buf)
    }

    /// Writes all segments, in as few operations as the system takes.
    pub(crate) async fn write_vectored(&self, segments: Vec<Bytes>) -> io::Result<()> {
        let mut segments = Segments::new(segments);
        while !segments.is_done() {
            let (result, back) = self.stream_mut().writev(segments).await;
            segments = back;
            match result {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => segments.advance(written),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Bounds what the system keeps for a peer that reads slowly.
    pub(crate) fn limit_send_buffer(&self, bytes: usize) {
        let bytes = bytes as libc::c_int;
        let len = std::mem::size_of_val(&bytes) as libc::socklen_t;
        // SAFETY: `fd` is open for as long as `self` lives; the option's value is a plain int.
        unsafe { libc::setsockopt(self.fd, libc::SOL_SOCKET, libc::SO_SNDBUF, (&raw const bytes).cast(), len) };
    }

    /// No more reading or writing: whoever waits on the socket wakes with an end or an error.
    pub(crate) fn shutdown(&self) {
        self.shut(libc::SHUT_RDWR);
    }

    /// No more writing; what was written is still delivered.
    pub(crate) fn shutdown_write(&self) {
        self.shut(libc::SHUT_WR);
    }

    fn shut(&self, how: libc::c_int) {
        // SAFETY: `fd` is open for as long as `self` lives.
        unsafe { libc::shutdown(self.fd, how) };
    }
}

/// The most segments in one write (`IOV_MAX`).
const MAX_SEGMENTS: usize = 1024;

/// Segments of one vectored write, and how far they are written.
struct Segments {
    bytes: Vec<Bytes>,
    iovecs: Vec<libc::iovec>,
    next: usize,
}

impl Segments {
    fn new(bytes: Vec<Bytes>) -> Self {
        let iovec = |segment: &Bytes| libc::iovec { iov_base: segment.as_ptr() as *mut _, iov_len: segment.len() };
        let iovecs = bytes.iter().filter(|segment| !segment.is_empty()).map(iovec).collect();
        Self { bytes, iovecs, next: 0 }
    }

    fn is_done(&self) -> bool {
        self.next == self.iovecs.len()
    }

    fn advance(&mut self, mut written: usize) {
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
