//! Messages without a reply.

use std::rc::Rc;

use anyhow::bail;

use super::connection::{Reader, Wire};
use super::protocol::Delivery;
use crate::load::caller::{Caller, Carrier};
use crate::load::script::Ask;

/// Sends calls as messages without a reply. The call's id is in the first bytes.
pub struct Messages {
    wire: Rc<Wire>,
}

impl Messages {
    /// Over this connection.
    pub fn new(wire: Rc<Wire>) -> Self {
        Self { wire }
    }
}

impl Carrier for Messages {
    fn call(&self, id: u64, peer: &str, ask: &Ask) {
        self.wire.publish_numbered(peer, id, &ask.body);
    }

    fn grant(&self, _id: u64, _peer: &str, _bytes: usize) {}

    fn flush(&self) {
        self.wire.flush();
    }
}

/// Takes messages, and tells their sender, who is in the same thread, that they have arrived: a window, so that no
/// sender runs away from its receiver. Nothing of it crosses the network.
///
/// # Errors
/// The connection ended.
pub async fn receive(sender: Rc<Caller<Messages>>, mut reader: Reader) -> anyhow::Result<()> {
    loop {
        let Delivery { payload, .. } = reader.recv().await?;
        let Some(id) = payload.first_chunk() else { bail!("a message without a number") };
        sender.answer(u64::from_le_bytes(*id), 200, &[], false)?;
        sender.carrier().flush();
    }
}

/// Keeps a sender's connection up: it brings nothing but pings.
///
/// # Errors
/// The connection ended, or a message came.
pub async fn keep(mut reader: Reader) -> anyhow::Result<()> {
    reader.recv().await?;
    bail!("a sender was sent a message")
}
