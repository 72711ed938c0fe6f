//! A connection to a NATS server.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use anyhow::bail;
use bytes::BytesMut;

use super::protocol::{self, Delivery, Operation};
use crate::connection::{Connection, Outbox, ReadHalf};
use crate::net;

/// How long the server may take to say that it is ready.
const DIAL_LIMIT: Duration = Duration::from_secs(15);

/// Connects, subscribes if something is wanted, and waits until the server has taken all of it.
///
/// # Errors
/// Refused, or it took too long.
pub async fn dial(
    addr: SocketAddr,
    source: Option<IpAddr>,
    subject: Option<&str>,
) -> anyhow::Result<(Reader, Rc<Wire>)> {
    let (read, write) = Connection::plain(net::connect(addr, source).await?).split();
    let wire = Rc::new(Wire { outbox: Outbox::new(write) });
    protocol::connect(&mut wire.outbox.queue.borrow_mut());
    if let Some(subject) = subject {
        wire.subscribe(subject, 1);
    }
    wire.outbox.queue.borrow_mut().extend_from_slice(b"PING\r\n");
    wire.flush();
    let mut reader = Reader { half: read, buf: BytesMut::new(), wire: wire.clone() };
    match monoio::time::timeout(DIAL_LIMIT, reader.until_pong()).await {
        Ok(result) => result.map(|()| (reader, wire)),
        Err(_) => bail!("no PONG within {} s", DIAL_LIMIT.as_secs()),
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

    /// Queues a subscription.
    pub fn subscribe(&self, subject: &str, number: usize) {
        protocol::subscribe(&mut self.outbox.queue.borrow_mut(), subject, number);
    }

    /// Writes what is queued.
    pub fn flush(&self) {
        self.outbox.flush();
    }
}

/// The receiving half.
pub struct Reader {
    half: ReadHalf,
    buf: BytesMut,
    wire: Rc<Wire>,
}

impl Reader {
    async fn next(&mut self) -> anyhow::Result<Operation> {
        loop {
            match protocol::next(&mut self.buf)? {
                Some(Operation::Ping) => {
                    self.wire.outbox.queue.borrow_mut().extend_from_slice(b"PONG\r\n");
                    return Ok(Operation::Ping);
                }
                Some(Operation::Error(why)) => bail!("{why}"),
                Some(operation) => return Ok(operation),
                None => {}
            }
            self.wire.flush();
            let (result, buf) = self.half.read(std::mem::take(&mut self.buf), 0).await;
            self.buf = buf;
            result?;
        }
    }

    async fn until_pong(&mut self) -> anyhow::Result<()> {
        while self.next().await? != Operation::Pong {}
        Ok(())
    }

    /// The next message. Pings are answered meanwhile.
    ///
    /// # Errors
    /// The connection ended.
    pub async fn recv(&mut self) -> anyhow::Result<Delivery> {
        loop {
            if let Operation::Message(delivery) = self.next().await? {
                return Ok(delivery);
            }
        }
    }

    /// Stays connected and silent. `answered` is called for each ping that was answered.
    ///
    /// # Errors
    /// The connection ended, or a message came.
    pub async fn stay(&mut self, mut answered: impl FnMut()) -> anyhow::Result<()> {
        loop {
            match self.next().await? {
                Operation::Ping => {
                    self.wire.flush();
                    answered();
                }
                Operation::Message(_) => bail!("a silent connection was sent a message"),
                _ => {}
            }
        }
    }
}
