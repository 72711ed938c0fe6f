//! Addresses to listen on: checked before anything else is done, port 0 turned into a port.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use anyhow::{Context, Error, Result};
use socket2::{Domain, Protocol, Socket, Type};

/// A port that is ours until we listen on it: bound, not listening, so that nobody connects to what does not serve yet.
/// The switch itself shares its port between cores (`SO_REUSEPORT`), which would hide that another process has it; this
/// socket does not share, so a taken port is found before anything else is done.
#[derive(Debug)]
pub struct Reserved {
    address: SocketAddr,
    _socket: Socket,
}

impl Reserved {
    /// Reserves an address. Port 0 becomes a free port.
    ///
    /// # Errors
    /// The address is taken or not ours; says what to do.
    pub fn new(flag: &str, wanted: SocketAddr) -> Result<Self> {
        let socket = bind(wanted).map_err(|error| explain(flag, wanted, error))?;
        let address = socket.local_addr()?.as_socket().context("no IP address")?;
        Ok(Self { address, _socket: socket })
    }

    /// The address, with its actual port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets the address go, to be listened on at once.
    pub fn release(self) -> SocketAddr {
        self.address
    }
}

fn bind(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // As every server does: connections of an earlier run that linger do not count, listeners do.
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    Ok(socket)
}

/// A listener of our own, for requests of this machine or a private network.
///
/// # Errors
/// As [`Reserved::new`].
pub fn listen(flag: &str, address: SocketAddr) -> Result<TcpListener> {
    let listener = TcpListener::bind(address).map_err(|error| explain(flag, address, error))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// What an error of an address means, and what to do.
pub fn explain(flag: &str, address: SocketAddr, error: io::Error) -> Error {
    let advice = match error.kind() {
        io::ErrorKind::AddrInUse => format!(
            "{address} is taken by another process: stop it, or choose another with {flag} (port 0 takes a free one)"
        ),
        io::ErrorKind::AddrNotAvailable => {
            format!("{address} is no address of this machine: correct {flag}, or use 0.0.0.0 for all")
        }
        io::ErrorKind::PermissionDenied => format!("{address} needs privileges: use a port from 1024 on with {flag}"),
        _ => format!("cannot listen on {address} ({flag})"),
    };
    Error::new(error).context(advice)
}

/// The URL of an address.
pub fn url(address: SocketAddr, tls: bool) -> String {
    format!("http{}://{address}", if tls { "s" } else { "" })
}

/// The address at which this machine reaches a listener: loopback for one that listens everywhere.
pub fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_found_even_if_its_owner_shares_it() {
        let owner = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        owner.set_reuse_port(true).unwrap();
        owner.set_reuse_address(true).unwrap();
        owner.bind(&"127.0.0.1:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        owner.listen(1).unwrap();
        let taken = owner.local_addr().unwrap().as_socket().unwrap();
        let message = format!("{:#}", Reserved::new("--listen", taken).unwrap_err());
        assert!(message.contains(&taken.to_string()) && message.contains("--listen"), "{message}");
        assert!(listen("--admin", taken).is_err());
    }

    #[test]
    fn port_0_becomes_a_port_that_can_be_listened_on_after_release() {
        let reserved = Reserved::new("--listen", "127.0.0.1:0".parse().unwrap()).unwrap();
        let address = reserved.address();
        assert_ne!(address.port(), 0);
        assert_eq!(reserved.release(), address);
        assert!(listen("--listen", address).is_ok());
    }

    #[test]
    fn what_listens_everywhere_is_reached_on_loopback() {
        for (given, reached) in [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("10.0.0.1:1", "10.0.0.1:1")] {
            assert_eq!(reachable(given.parse().unwrap()), reached.parse().unwrap());
        }
    }
}
