//! The TCP connection itself.

use std::cell::UnsafeCell;
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use monoio::buf::{IoBuf, IoBufMut};
use monoio::io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt};
use monoio::net::TcpStream;

use super::segments::Segments;

/// Shared handle of one connection; the descriptor is closed with the last handle.
#[derive(Clone)]
pub(super) struct Raw {
    stream: Rc<UnsafeCell<TcpStream>>,
    fd: RawFd,
}

impl Raw {
    pub(super) fn new(stream: TcpStream) -> Self {
        // Answers are written whole; without this each waits for the peer's delayed acknowledgement.
        let _ = stream.set_nodelay(true);
        let fd = stream.as_raw_fd();
        Self { stream: Rc::new(UnsafeCell::new(stream)), fd }
    }

    /// Takes over a descriptor that another core handed over.
    pub(super) fn adopt(fd: OwnedFd) -> io::Result<Self> {
        Ok(Self::new(TcpStream::from_std(std::net::TcpStream::from(fd))?))
    }

    /// A duplicate of the descriptor, to be given to another core. The original is closed with this handle, once its
    /// last operation has completed; taking the descriptor itself out would fail while one is being cancelled.
    pub(super) fn duplicate(&self) -> io::Result<OwnedFd> {
        // SAFETY: `fd` is open for as long as `self` lives.
        let fd = unsafe { libc::fcntl(self.fd, libc::F_DUPFD_CLOEXEC, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: just made, and owned by nobody else.
        Ok(unsafe { OwnedFd::from_raw_fd(fd) })
    }

    pub(super) fn peer(&self) -> Option<IpAddr> {
        // SAFETY: a shared reference; see `stream_mut` for why none is exclusive meanwhile.
        let stream = unsafe { &*self.stream.get() };
        stream.peer_addr().ok().map(|peer| peer.ip().to_canonical())
    }

    /// Waits until a read would not wait. May be dropped while it waits.
    pub(super) async fn readable(&self) -> io::Result<()> {
        // SAFETY: a shared reference; see `stream_mut` for why none is exclusive meanwhile.
        unsafe { &*self.stream.get() }.readable(false).await
    }

    /// Waits until a write would not wait. May be dropped while it waits.
    pub(super) async fn writable(&self) -> io::Result<()> {
        // SAFETY: as in `readable`.
        unsafe { &*self.stream.get() }.writable(false).await
    }

    /// `TcpStream`'s operations take `&mut self` but touch nothing except the reference-counted descriptor, which they
    /// clone into the operation; the type says so by implementing monoio's `Split`, whose halves do exactly this.
    #[allow(clippy::mut_from_ref, reason = "documented above; the borrow never outlives the call that submits")]
    fn stream_mut(&self) -> &mut TcpStream {
        // SAFETY: one thread, and no two of these references are used at the same time: each is used only to submit
        // an operation.
        unsafe { &mut *self.stream.get() }
    }

    /// Appends what is there to `buf`, at most `room` bytes of its spare capacity; neither may be zero. Never drop this
    /// while it waits: bytes that arrive would be lost. With `at_hand` something is probably there.
    pub(super) async fn read(&self, mut buf: BytesMut, room: usize, at_hand: bool) -> (io::Result<usize>, BytesMut) {
        if at_hand && let Some(result) = self.read_now(&mut buf, room) {
            return (result, buf);
        }
        let (begin, end) = (buf.len(), buf.capacity().min(buf.len().saturating_add(room)));
        let (result, slice) = self.stream_mut().read(buf.slice_mut(begin..end)).await;
        (result, slice.into_inner())
    }

    /// What is there already; `None`: nothing. To ask the ring for it would be another turn of it.
    fn read_now(&self, buf: &mut BytesMut, room: usize) -> Option<io::Result<usize>> {
        let spare = buf.spare_capacity_mut();
        let room = spare.len().min(room);
        // SAFETY: `fd` is open for as long as `self` lives; pointer and length are those of a part of a slice.
        let read = unsafe { libc::recv(self.fd, spare.as_mut_ptr().cast(), room, libc::MSG_DONTWAIT) };
        if read >= 0 {
            // SAFETY: so many bytes of the spare capacity were just written.
            unsafe { buf.set_len(buf.len() + read as usize) };
            return Some(Ok(read as usize));
        }
        let error = io::Error::last_os_error();
        (error.kind() != io::ErrorKind::WouldBlock && error.kind() != io::ErrorKind::Interrupted).then_some(Err(error))
    }

    /// Writes all of one buffer and gives it back.
    pub(super) async fn write<B: IoBuf>(&self, buf: B) -> (io::Result<()>, B) {
        let len = buf.bytes_init();
        let (result, buf) = self.stream_mut().write(buf).await;
        match result {
            Ok(written) if written == len => (Ok(()), buf),
            // Boxed: it is rare and large.
            Ok(written) if written > 0 => Box::pin(self.write_from(buf, written)).await,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Box::pin(self.write_from(buf, 0)).await,
            Ok(_) => (Err(io::ErrorKind::WriteZero.into()), buf),
            Err(error) => (Err(error), buf),
        }
    }

    /// Writes what lies behind `from`.
    async fn write_from<B: IoBuf>(&self, buf: B, from: usize) -> (io::Result<()>, B) {
        let (result, slice) = self.stream_mut().write_all(buf.slice(from..)).await;
        (result.map(drop), slice.into_inner())
    }

    /// Writes all segments, in as few operations as the system takes.
    pub(super) async fn write_vectored(&self, segments: Vec<Bytes>) -> io::Result<()> {
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

    /// Writes what the system takes without waiting.
    pub(super) fn write_now(&self, bytes: &[u8]) -> io::Result<usize> {
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: `fd` is open for as long as `self` lives; pointer and length are those of a slice.
        let sent = unsafe { libc::send(self.fd, bytes.as_ptr().cast(), bytes.len(), flags) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(sent as usize) }
    }

    /// Bounds what the system keeps for a peer that reads slowly.
    pub(super) fn limit_send_buffer(&self, bytes: usize) {
        let bytes = bytes as libc::c_int;
        let len = std::mem::size_of_val(&bytes) as libc::socklen_t;
        // SAFETY: `fd` is open for as long as `self` lives; the option's value is a plain int.
        unsafe { libc::setsockopt(self.fd, libc::SOL_SOCKET, libc::SO_SNDBUF, (&raw const bytes).cast(), len) };
    }

    pub(super) fn shut(&self, how: libc::c_int) {
        // SAFETY: `fd` is open for as long as `self` lives.
        unsafe { libc::shutdown(self.fd, how) };
    }
}
