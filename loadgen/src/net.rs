//! Sockets: connecting, reading and writing.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

use bytes::BytesMut;
use monoio::buf::IoBufMut;
use monoio::io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt};
use monoio::net::TcpStream;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use crate::runtime;

/// Bytes read at once, at least.
const READ_BYTES: usize = 16 << 10;

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
