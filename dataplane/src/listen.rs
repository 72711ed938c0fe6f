//! Listening sockets: one per core on the same port.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, SockAddr, Socket, Type};

/// Connections that wait to be accepted, per core.
const BACKLOG: i32 = 4096;

/// Binds one socket per core. With `SO_REUSEPORT` a second process could bind the same port unnoticed, so the port is
/// first taken without it.
///
/// # Errors
/// The address is taken or not ours.
pub(crate) fn bind(address: SocketAddr, cores: usize) -> io::Result<(SocketAddr, Vec<TcpListener>)> {
    let probe = socket(address, false)?;
    let bound = probe.local_addr()?.as_socket().ok_or_else(|| io::Error::other("not an internet address"))?;
    drop(probe);
    let listeners: io::Result<Vec<TcpListener>> = (0..cores).map(|_| socket(bound, true).map(Into::into)).collect();
    Ok((bound, listeners?))
}

fn socket(address: SocketAddr, shared: bool) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if shared {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_an_error_although_ports_are_shared_between_cores() {
        let (address, listeners) = bind("127.0.0.1:0".parse().unwrap(), 2).unwrap();
        assert_eq!(listeners.len(), 2);
        assert_eq!(bind(address, 2).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(listeners);
        assert!(bind(address, 1).is_ok());
    }
}
