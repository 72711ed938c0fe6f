//! One agent's line: the shared client machine on a socket.
//!
//! A [`Line`] that will be silent stays one: it waits without a buffer. One that carries calls is split into a
//! [`Reader`] and a [`Wire`], so that calls can be sent while an answer is awaited.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use anyhow::bail;
use bytes::{Bytes, BytesMut};
use landline_wire::frame::{Frame, Request, Response, decode};
use landline_wire::session::client::{Client, Dial, Event};

use crate::agents::Agent;
use crate::connection::{Buffered, Connection, Outbox, ReadHalf};
use crate::http::Origin;
use crate::random;

/// How long a dial may take: longer than the relay's own bound, so that it can say why it refused.
const DIAL_LIMIT: Duration = Duration::from_secs(15);

/// Where lines go.
#[derive(Debug, Clone)]
pub struct Relay {
    /// The server.
    pub origin: Origin,
    /// The API's prefix.
    pub prefix: String,
}

/// Why a line ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The close code, if there was one.
    pub code: Option<u16>,
    /// What `drain` said: milliseconds to wait before the next dial.
    pub redial_after_ms: Option<u64>,
}

/// A line that is up and silent.
pub struct Line {
    io: Buffered,
    client: Client,
}

impl Line {
    /// Dials and waits for `ready`.
    ///
    /// # Errors
    /// Refused, or ended before `ready`, or it took too long.
    pub async fn dial(relay: &Relay, agent: &Agent, source: Option<IpAddr>) -> anyhow::Result<Self> {
        match monoio::time::timeout(DIAL_LIMIT, Self::dial_without_limit(relay, agent, source)).await {
            Ok(result) => result,
            Err(_) => bail!("no ready within {} s", DIAL_LIMIT.as_secs()),
        }
    }

    async fn dial_without_limit(relay: &Relay, agent: &Agent, source: Option<IpAddr>) -> anyhow::Result<Self> {
        let dial = Dial {
            host: relay.origin.host.clone(),
            path: format!("{}/ws/agent", relay.prefix),
            token: agent.api_key.clone(),
            client: concat!("landline-loadgen/", env!("CARGO_PKG_VERSION")).into(),
            parts: false,
            shared: false,
        };
        let io = Buffered::new(Connection::open(&relay.origin, source).await?);
        let mut line = Self { io, client: Client::new(dial, random::secret()?) };
        line.client.start(&mut line.io.out);
        loop {
            match line.client.next(&mut line.io.buf, &mut line.io.out)? {
                Event::Need(room) => line.io.turn(room).await?,
                Event::Ready(_) => return Ok(line),
                Event::Closed { code, reason } => bail!("closed with {}: {reason}", code.unwrap_or(1005)),
                Event::Frame(message) => match decode(&message) {
                    Ok(Frame::Error(error)) => bail!("{}", error.code.to_owned()),
                    _ => bail!("a frame before ready"),
                },
            }
        }
    }

    /// Stays up until the line ends: answers heartbeats, for each of which `answered` is called, and gives the body of a
    /// call back.
    ///
    /// # Errors
    /// The connection was lost, or something came that is neither of them, nor a farewell.
    pub async fn stay(&mut self, mut answered: impl FnMut()) -> anyhow::Result<Ended> {
        let mut redial_after_ms = None;
        loop {
            match self.client.next(&mut self.io.buf, &mut self.io.out)? {
                Event::Need(room) => {
                    if !self.io.out.is_empty() {
                        self.io.write().await?;
                        answered();
                    }
                    self.io.rest(room).await?;
                }
                Event::Closed { code, .. } => {
                    self.io.write().await?;
                    return Ok(Ended { code, redial_after_ms });
                }
                Event::Frame(message) => match decode(&message) {
                    Ok(Frame::Drain { redial_after_ms: after, .. }) => redial_after_ms = Some(after),
                    Ok(Frame::Request(Request { id, path: None, more: false, body, .. })) => {
                        // What waits is the answer to a heartbeat: it is counted, and this answer is not.
                        if !self.io.out.is_empty() {
                            self.io.write().await?;
                            answered();
                        }
                        let echo = Response { id, body, ..Response::default() };
                        self.client.send(&Frame::Response(echo), &mut self.io.out);
                        self.io.write().await?;
                    }
                    _ => bail!("a silent line was sent a frame"),
                },
                Event::Ready(_) => bail!("a second ready"),
            }
        }
    }

    /// Ends the connection without a farewell, and waits until its descriptor is free again.
    pub async fn cut(self) {
        self.io.cut().await;
    }

    /// The two halves of a line that carries calls.
    pub fn split(self) -> (Reader, Rc<Wire>) {
        let (half, buf, outbox) = self.io.split();
        let wire = Rc::new(Wire { client: RefCell::new(self.client), outbox });
        (Reader { half, buf, wire: wire.clone() }, wire)
    }
}

/// The sending half.
pub struct Wire {
    client: RefCell<Client>,
    outbox: Rc<Outbox>,
}

impl Wire {
    /// Queues a frame. It goes out with [`Wire::flush`], or when the reader has taken all that arrived.
    pub fn send(&self, frame: &Frame<'_>) {
        self.client.borrow_mut().send(frame, &mut self.outbox.queue.borrow_mut());
    }

    /// Writes what is queued.
    pub fn flush(&self) {
        self.outbox.flush();
    }

    /// Ends the line in good order.
    pub fn close(&self) {
        self.client.borrow_mut().close(landline_wire::close::NORMAL, "", &mut self.outbox.queue.borrow_mut());
        self.flush();
    }
}

/// The receiving half.
pub struct Reader {
    half: ReadHalf,
    buf: BytesMut,
    wire: Rc<Wire>,
}

impl Reader {
    /// The next frame's message. Before it waits, everything that earlier frames led to is written at once.
    ///
    /// # Errors
    /// The line ended.
    pub async fn recv(&mut self) -> anyhow::Result<Bytes> {
        loop {
            let event = {
                let out = &mut self.wire.outbox.queue.borrow_mut();
                self.wire.client.borrow_mut().next(&mut self.buf, out)?
            };
            match event {
                Event::Frame(message) => return Ok(message),
                Event::Need(room) => {
                    self.wire.flush();
                    let (result, buf) = self.half.read(std::mem::take(&mut self.buf), room).await;
                    self.buf = buf;
                    result?;
                }
                Event::Closed { code, reason } => {
                    self.wire.flush();
                    bail!("closed with {}: {reason}", code.unwrap_or(1005));
                }
                Event::Ready(_) => bail!("a second ready"),
            }
        }
    }
}
