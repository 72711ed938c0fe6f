//! One agent's line: the shared client machine on a socket. One task reads and writes in turns, so everything that the
//! bytes of one read lead to goes out in one write.

use std::net::IpAddr;

use anyhow::bail;
use bytes::{Bytes, BytesMut};
use landline_wire::frame::Frame;
use landline_wire::session::client::{Client, Dial, Event};

use crate::agents::{Agent, random};
use crate::connection::Connection;
use crate::http::Origin;

/// A line that is up.
pub struct Line {
    stream: Connection,
    client: Client,
    buf: BytesMut,
    out: BytesMut,
}

impl Line {
    /// Dials and waits for `ready`.
    ///
    /// # Errors
    /// Refused, or ended before `ready`.
    pub async fn dial(origin: &Origin, prefix: &str, agent: &Agent, source: Option<IpAddr>) -> anyhow::Result<Self> {
        let dial = Dial {
            host: origin.host.clone(),
            path: format!("{prefix}/ws/agent"),
            token: agent.api_key.clone(),
            client: concat!("landline-loadgen/", env!("CARGO_PKG_VERSION")).into(),
            parts: false,
            shared: false,
        };
        let stream = Connection::open(origin, source)?;
        let client = Client::new(dial, random()?);
        let mut line = Self { stream, client, buf: BytesMut::new(), out: BytesMut::new() };
        line.client.start(&mut line.out);
        match line.event().await? {
            Event::Ready(_) => Ok(line),
            other => bail!("{other:?} instead of ready"),
        }
    }

    /// Queues a frame; it goes out when all that has arrived was taken, see [`Line::recv`].
    pub fn send(&mut self, frame: &Frame<'_>) {
        self.client.send(frame, &mut self.out);
    }

    /// The next frame's message. Writes what is queued before it waits.
    ///
    /// # Errors
    /// The line ended.
    pub async fn recv(&mut self) -> anyhow::Result<Bytes> {
        match self.event().await? {
            Event::Frame(message) => Ok(message),
            other => bail!("the line ended: {other:?}"),
        }
    }

    async fn event(&mut self) -> anyhow::Result<Event> {
        loop {
            let room = match self.client.next(&mut self.buf, &mut self.out)? {
                Event::Need(room) => room,
                event => return Ok(event),
            };
            if !self.out.is_empty() {
                let (result, out) = self.stream.write(std::mem::take(&mut self.out)).await;
                self.out = out;
                result?;
            }
            let (result, buf) = self.stream.read(std::mem::take(&mut self.buf), room).await;
            self.buf = buf;
            result?;
        }
    }

    /// Gives the buffers' memory back: for a line that will be silent. What has arrived stays.
    pub fn shrink(&mut self) {
        self.stream.shrink();
        self.out = BytesMut::new();
        if self.buf.is_empty() {
            self.buf = BytesMut::new();
        }
    }
}
