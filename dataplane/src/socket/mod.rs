//! A TCP connection that one task reads while another writes, plain or over TLS.

mod raw;
mod secure;
mod segments;

use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use monoio::net::TcpStream;

use crate::pool::Pool;
use crate::tls::{Machine, Plain};
use raw::Raw;
use secure::Secure;

/// Shared handle of one connection; it is closed with the last handle.
#[derive(Clone)]
pub(crate) struct Socket {
    raw: Raw,
    secure: Option<Rc<Secure>>,
}

/// A connection between two cores: what has to move is the descriptor, and the state of its TLS.
pub(crate) struct Moving {
    fd: OwnedFd,
    /// And what it understood and nobody has read.
    machine: Option<(Box<Machine>, BytesMut)>,
}

/// Did a read bring the end? One may bring neither bytes nor the end, but `WouldBlock`: over TLS only a part of a record
/// has come; one waits again.
pub(crate) fn is_end(read: &io::Result<usize>) -> bool {
    match read {
        Ok(bytes) => *bytes == 0,
        Err(error) => error.kind() != io::ErrorKind::WouldBlock,
    }
}

impl Socket {
    /// A connection that was accepted; with a machine it speaks TLS.
    pub(crate) fn new(stream: TcpStream, machine: Option<Box<Machine>>, pool: &Rc<Pool>) -> Self {
        Self::of(Raw::new(stream), machine.map(|machine| (machine, BytesMut::new())), pool)
    }

    fn of(raw: Raw, machine: Option<(Box<Machine>, BytesMut)>, pool: &Rc<Pool>) -> Self {
        let secure = machine.map(|(machine, surplus)| {
            let secure = Secure::new(raw.clone(), machine, surplus, Rc::clone(pool));
            Rc::new(secure)
        });
        Self { raw, secure }
    }

    /// Takes over a connection that another core handed over.
    pub(crate) fn adopt(moving: Moving, pool: &Rc<Pool>) -> io::Result<Self> {
        Ok(Self::of(Raw::adopt(moving.fd)?, moving.machine, pool))
    }

    /// Hands the connection to another core. Nothing may be read or written here any more.
    pub(crate) fn hand_over(&self) -> io::Result<Moving> {
        let fd = self.raw.duplicate()?;
        let machine = self.secure.as_ref().map(|secure| secure.take()).transpose()?;
        Ok(Moving { fd, machine })
    }

    /// The other end's address; `None` if it is gone.
    pub(crate) fn peer(&self) -> Option<IpAddr> {
        self.raw.peer()
    }

    /// Does it speak TLS?
    pub(crate) fn is_tls(&self) -> bool {
        self.secure.is_some()
    }

    /// Is there a handshake that is not complete? Reading goes on with it.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.secure.as_ref().is_some_and(|secure| secure.is_handshaking())
    }

    /// The time for the handshake is over.
    pub(crate) fn give_up_handshake(&self) {
        if let Some(secure) = &self.secure {
            secure.give_up_handshake();
        }
    }

    /// Waits until a read would not wait. May be dropped while it waits.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        if self.secure.as_ref().is_some_and(|secure| secure.is_readable()) {
            return Ok(());
        }
        self.raw.readable().await
    }

    /// Appends what is there to `buf`, within its spare capacity, which must not be empty; see [`is_end`]. Never drop this
    /// while it waits: bytes that arrive would be lost. With `at_hand` something is probably there, since
    /// [`Socket::readable`] has just said so.
    pub(crate) async fn read(&self, buf: BytesMut, at_hand: bool) -> (io::Result<usize>, BytesMut) {
        match &self.secure {
            None => self.raw.read(buf, usize::MAX, at_hand).await,
            Some(secure) => secure.read(buf, at_hand).await,
        }
    }

    /// Waits until a [`Socket::discard`] would not wait. May be dropped while it waits.
    pub(crate) async fn stirs(&self) -> io::Result<()> {
        self.raw.readable().await
    }

    /// Takes in what is there, not to be understood; false at the end.
    pub(crate) async fn discard(&self) -> bool {
        matches!(self.raw.read(BytesMut::with_capacity(4096), usize::MAX, true).await.0, Ok(read) if read > 0)
    }

    /// Writes all of one buffer and gives it back.
    pub(crate) async fn write(&self, buf: BytesMut) -> (io::Result<()>, BytesMut) {
        match &self.secure {
            None => self.raw.write(buf).await,
            Some(secure) => (secure.write(Plain::one(&buf)).await, buf),
        }
    }

    /// Writes what the system takes without waiting, and says how much that is. Nothing over TLS, where what is sealed has
    /// its turn; nor on an error, which the next write meets.
    pub(crate) fn write_now(&self, bytes: &[u8]) -> usize {
        match &self.secure {
            None => self.raw.write_now(bytes).unwrap_or(0),
            Some(_) => 0,
        }
    }

    /// Writes all segments, in as few operations as the system takes.
    pub(crate) async fn write_vectored(&self, segments: Vec<Bytes>) -> io::Result<()> {
        match &self.secure {
            None => self.raw.write_vectored(segments).await,
            Some(secure) => secure.write(Plain::many(&segments)).await,
        }
    }

    /// Bounds what the system keeps for a peer that reads slowly.
    pub(crate) fn limit_send_buffer(&self, bytes: usize) {
        self.raw.limit_send_buffer(bytes);
    }

    /// No more reading or writing: whoever waits on the socket wakes with an end or an error.
    pub(crate) fn shutdown(&self) {
        self.raw.shut(libc::SHUT_RDWR);
    }

    /// No more reading: whoever waits for something to be read wakes with the end.
    pub(crate) fn shutdown_read(&self) {
        self.raw.shut(libc::SHUT_RD);
    }

    /// No more writing; what was written is still delivered.
    pub(crate) fn shutdown_write(&self) {
        match &self.secure {
            None => self.raw.shut(libc::SHUT_WR),
            Some(secure) => secure.shutdown_write(),
        }
    }
}
