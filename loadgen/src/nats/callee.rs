//! The subscriber that answers, as the subject of each request asks for.

use std::rc::Rc;

use anyhow::{Context, bail};

use super::connection::{Reader, Wire};
use super::protocol::Delivery;
use super::subject::Told;
use crate::load::parts::{Giver, Streams};
use crate::load::script::Wanted;

impl Giver for Wire {
    /// The reply subject.
    type Call = String;

    fn give(&self, call: &String, body: &[u8], _is_first: bool, more: bool) {
        if more {
            self.publish(&format!("{call}.more"), None, body);
        } else {
            self.publish(call, None, body);
        }
    }

    fn flush(&self) {
        Self::flush(self);
    }
}

/// Answers until the connection ends. `subject` is where it is called.
///
/// # Errors
/// The connection ended.
pub async fn serve(subject: &str, mut reader: Reader, wire: Rc<Wire>) -> anyhow::Result<()> {
    let streams = Streams::new(wire.clone());
    loop {
        let Delivery { subject: to, reply, payload, .. } = reader.recv().await?;
        let reply = reply.context("a request without a reply subject")?;
        let (to, reply) = (std::str::from_utf8(&to)?, std::str::from_utf8(&reply)?);
        match Told::parse(subject, to) {
            Some(Told::Call(Wanted::Echo)) => wire.publish(reply, None, &payload),
            Some(Told::Call(Wanted::Empty)) => wire.publish(reply, None, &[]),
            Some(Told::Call(Wanted::Parts { count, bytes, gap_ms })) => {
                streams.begin(reply.to_owned(), count, bytes, gap_ms);
            }
            Some(Told::Credit(bytes)) => streams.grant(&reply.to_owned(), bytes),
            None => bail!("a message to {to}"),
        }
    }
}
