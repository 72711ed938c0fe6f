//! Connections.

use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::BytesMut;
use monoio::buf::IoBufMut;
use monoio::io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt};
use monoio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use crate::runtime;

/// Bytes read at once, at least.
const READ_BYTES: usize = 16 << 10;

/// Connects, from a source address if one is given. Blocks the thread for the length of a TCP handshake.
///
/// # Errors
/// As the system says.
pub fn connect(addr: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = connect_blocking(addr, source)?;
    socket.set_nonblocking(runtime::is_epoll())?;
    TcpStream::from_std(socket.into())
}

/// As [`connect`]; the socket blocks.
///
/// # Errors
/// As the system says.
pub fn connect_blocking(addr: SocketAddr, source: Option<IpAddr>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(source) = source {
        // The port is chosen at connect, so that each source has a port range of its own per destination.
        // SAFETY: a plain integer option on a descriptor that is open.
        let set = unsafe {
            let on: libc::c_int = 1;
            libc::setsockopt(
                std::os::fd::AsRawFd::as_raw_fd(&socket),
                libc::IPPROTO_IP,
                libc::IP_BIND_ADDRESS_NO_PORT,
                (&raw const on).cast(),
                size_of_val(&on) as libc::socklen_t,
            )
        };
        if set != 0 {
            return Err(io::Error::last_os_error());
        }
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    socket.connect(&addr.into())?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
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
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
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

/// Lets this process open as many descriptors as the system grants it.
pub fn raise_descriptor_limit() {
    // SAFETY: both calls read or write one `rlimit` that lives on this stack.
    unsafe {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}
