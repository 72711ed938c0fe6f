//! A connection to a NATS server.
//!
//! A [`Client`] that will be silent stays one: it waits without a buffer. One that carries messages is split into a
//! [`Reader`] and a [`Wire`], so that it can send while it waits.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use anyhow::bail;
use bytes::BytesMut;

use super::protocol::{self, Delivery, Operation};
use crate::connection::{Buffered, Connection, Outbox, ReadHalf};
use crate::net;

/// How long the server may take to say that it is ready.
const DIAL_LIMIT: Duration = Duration::from_secs(15);

/// A connection that is up and silent.
pub struct Client(Buffered);

impl Client {
    /// Connects, subscribes, and waits until the server has taken all of it.
    ///
    /// # Errors
    /// Refused, or it took too long.
    pub async fn dial(addr: SocketAddr, source: Option<IpAddr>, subjects: &[String]) -> anyhow::Result<Self> {
        match monoio::time::timeout(DIAL_LIMIT, Self::dial_without_limit(addr, source, subjects)).await {
            Ok(result) => result,
            Err(_) => bail!("no PONG within {} s", DIAL_LIMIT.as_secs()),
        }
    }

    async fn dial_without_limit(addr: SocketAddr, source: Option<IpAddr>, subjects: &[String]) -> anyhow::Result<Self> {
        let mut io = Buffered::new(Connection::plain(net::connect(addr, source).await?));
        protocol::connect(&mut io.out);
        for (number, subject) in subjects.iter().enumerate() {
            protocol::subscribe(&mut io.out, subject, number + 1);
        }
        protocol::ping(&mut io.out);
        loop {
            match protocol::next(&mut io.buf)? {
                Some(Operation::Pong) => return Ok(Self(io)),
                Some(Operation::Ping) => protocol::pong(&mut io.out),
                Some(Operation::Error(why)) => bail!("{why}"),
                Some(_) => {}
                None => io.turn(0).await?,
            }
        }
    }

    /// Stays connected and silent. `answered` is called for each ping that was answered.
    ///
    /// # Errors
    /// The connection ended, or a message came.
    pub async fn stay(&mut self, mut answered: impl FnMut()) -> anyhow::Result<Infallible> {
        let io = &mut self.0;
        loop {
            match protocol::next(&mut io.buf)? {
                Some(Operation::Ping) => {
                    protocol::pong(&mut io.out);
                    io.write().await?;
                    answered();
                }
                Some(Operation::Message(_)) => bail!("a silent connection was sent a message"),
                Some(Operation::Error(why)) => bail!("{why}"),
                Some(_) => {}
                None => io.rest(0).await?,
            }
        }
    }

    /// Ends the connection, and waits until its descriptor is free again.
    pub async fn cut(self) {
        self.0.cut().await;
    }

    /// The two halves of a connection that carries messages.
    pub fn split(self) -> (Reader, Rc<Wire>) {
        let (half, buf, outbox) = self.0.split();
        let wire = Rc::new(Wire { outbox });
        (Reader { half, buf, wire: wire.clone() }, wire)
    }
}

/// The sending half.
pub struct Wire {
    outbox: Rc<Outbox>,
}

impl Wire {
    /// Queues a message.
    pub fn publish(&self, subject: &str, reply: Option<&str>, payload: &[u8]) {
        protocol::publish(&mut self.outbox.queue.borrow_mut(), subject, reply, payload, &[]);
    }

    /// Queues a message whose first bytes are a number instead of the payload's own.
    pub fn publish_numbered(&self, subject: &str, number: u64, payload: &[u8]) {
        let number = number.to_le_bytes();
        let rest = payload.get(number.len()..).unwrap_or_default();
        protocol::publish(&mut self.outbox.queue.borrow_mut(), subject, None, &number, rest);
    }

    /// Writes what is queued.
    pub fn flush(&self) {
        self.outbox.flush();
    }

    /// Ends the connection: NATS has no farewell.
    pub fn close(&self) {
        self.outbox.close();
    }
}

/// The receiving half.
pub struct Reader {
    half: ReadHalf,
    buf: BytesMut,
    wire: Rc<Wire>,
}

impl Reader {
    /// The next message. Pings are answered meanwhile; before it waits, everything that earlier messages led to is
    /// written at once.
    ///
    /// # Errors
    /// The connection ended.
    pub async fn recv(&mut self) -> anyhow::Result<Delivery> {
        loop {
            match protocol::next(&mut self.buf)? {
                Some(Operation::Message(delivery)) => return Ok(delivery),
                Some(Operation::Ping) => protocol::pong(&mut self.wire.outbox.queue.borrow_mut()),
                Some(Operation::Error(why)) => bail!("{why}"),
                Some(_) => {}
                None => {
                    self.wire.flush();
                    let (result, buf) = self.half.read(std::mem::take(&mut self.buf), 0).await;
                    self.buf = buf;
                    result?;
                }
            }
        }
    }
}
