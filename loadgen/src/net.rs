//! Sockets: connecting, reading, writing and cutting.

use std::io;
use std::net::{IpAddr, Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use monoio::buf::IoBufMut;
use monoio::io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt};
use monoio::net::TcpStream;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::runtime;

/// Bytes read at once, at least.
const READ_BYTES: usize = 16 << 10;

/// How long a descriptor is awaited that does not become free.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// Connects, from a source address if one is given.
///
/// # Errors
/// As the system says.
pub async fn connect(addr: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(source) = source {
        // The port is chosen at connect, so that each source has a port range of its own per destination.
        choose_port_at_connect(&socket)?;
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    socket.set_tcp_nodelay(true)?;
    // A full queue of the server makes a handshake take seconds: this thread has other work meanwhile.
    socket.set_nonblocking(true)?;
    match socket.connect(&addr.into()) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => return Err(error),
        _ => {}
    }
    socket.set_nonblocking(runtime::is_epoll())?;
    let stream = TcpStream::from_std(socket.into())?;
    stream.writable(false).await?;
    // SAFETY: the descriptor is the stream's, which outlives this use.
    let borrowed = unsafe { BorrowedFd::borrow_raw(stream.as_raw_fd()) };
    match SockRef::from(&borrowed).take_error()? {
        Some(error) => Err(error),
        None => Ok(stream),
    }
}

fn choose_port_at_connect(socket: &Socket) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: a plain integer option on a descriptor that is open.
    let set = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const on).cast(),
            size_of_val(&on) as libc::socklen_t,
        )
    };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Appends what arrives to `buf`, which gets room for `room` bytes in all.
///
/// # Errors
/// `UnexpectedEof` at the end of the stream; otherwise as the system says.
pub async fn read<S: AsyncReadRent>(stream: &mut S, mut buf: BytesMut, room: usize) -> (io::Result<()>, BytesMut) {
    let more = room.saturating_sub(buf.len()).max(READ_BYTES);
    buf.reserve(more);
    let (begin, end) = (buf.len(), buf.capacity());
    let (result, slice) = stream.read(buf.slice_mut(begin..end)).await;
    let result = match result {
        Ok(0) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the server closed the connection")),
        other => other.map(drop),
    };
    (result, slice.into_inner())
}

/// Writes all of `out` and gives it back empty.
///
/// # Errors
/// As the system says.
pub async fn write<S: AsyncWriteRent>(stream: &mut S, out: BytesMut) -> (io::Result<()>, BytesMut) {
    let (result, mut out) = stream.write_all(out).await;
    out.clear();
    (result.map(drop), out)
}

/// Ends a connection in both directions, without a farewell: whoever reads it meets its end. The socket is closed when
/// its owner has dropped it, and some time later its descriptor is free again.
pub fn cut(stream: &impl AsRawFd) -> OpenSocket {
    let descriptor = stream.as_raw_fd();
    // SAFETY: the descriptor is the stream's, which outlives this use.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    // What is cut already needs no cutting.
    let _ = SockRef::from(&borrowed).shutdown(Shutdown::Both);
    OpenSocket { descriptor, inode: inode(descriptor) }
}

/// One socket of this process. io_uring closes it when the last operation on it has ended, and the kernel hands out the
/// ends of operations twenty at a time: of many sockets that are dropped together, most stay for a while.
pub struct OpenSocket {
    descriptor: RawFd,
    inode: Option<u64>,
}

impl OpenSocket {
    /// Waits until its descriptor is free again, but not for ever.
    pub async fn until_closed(&self) {
        let deadline = Instant::now() + CLOSE_LIMIT;
        while self.inode.is_some() && inode(self.descriptor) == self.inode && Instant::now() < deadline {
            monoio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// What is behind a descriptor, whose number may long belong to another socket.
fn inode(descriptor: RawFd) -> Option<u64> {
    // SAFETY: plain data, for which zeros are legal; the call fills it or fails, whatever the descriptor is.
    unsafe {
        let mut about: libc::stat = std::mem::zeroed();
        (libc::fstat(descriptor, &raw mut about) == 0).then_some(about.st_ino)
    }
}
