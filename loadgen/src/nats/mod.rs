//! The same work on a NATS server: core NATS, publish and subscribe, request and reply.

pub mod connection;
pub mod protocol;

use std::rc::Rc;

use anyhow::{Context, bail};

use crate::load::caller::{Caller, Carrier};
use crate::load::script::Ask;
use connection::{Reader, Wire};
use protocol::Delivery;

/// Sends calls as requests: each has a reply subject of its own below the caller's inbox.
pub struct Requests {
    wire: Rc<Wire>,
    inbox: String,
}

impl Requests {
    /// Requests of the caller with this number; subscribes to its inbox.
    pub fn new(wire: Rc<Wire>, run: &str, number: usize) -> Self {
        let inbox = format!("_INBOX.{run}.{number}");
        wire.subscribe(&format!("{inbox}.*"), 1);
        Self { wire, inbox }
    }
}

impl Carrier for Requests {
    fn call(&self, id: u64, peer: &str, ask: &Ask) {
        self.wire.publish(peer, Some(&format!("{}.{id}", self.inbox)), &ask.body);
    }

    fn grant(&self, _id: u64, _bytes: usize) {}

    fn flush(&self) {
        self.wire.flush();
    }
}

/// Takes the replies and goes on calling.
///
/// # Errors
/// The connection ended.
pub async fn run(caller: Rc<Caller<Requests>>, mut reader: Reader) -> anyhow::Result<()> {
    caller.pump();
    loop {
        let Delivery { subject, payload, .. } = reader.recv().await?;
        let id = subject.rsplit(|byte| *byte == b'.').next().and_then(|id| std::str::from_utf8(id).ok()?.parse().ok());
        caller.answer(id.context("a reply to an unknown subject")?, 200, &payload, false)?;
    }
}

/// Answers every request with its own payload.
///
/// # Errors
/// The connection ended.
pub async fn echo(wire: Rc<Wire>, mut reader: Reader) -> anyhow::Result<()> {
    loop {
        let Delivery { reply, payload, .. } = reader.recv().await?;
        let Some(reply) = reply else { bail!("a request without a reply subject") };
        wire.publish(std::str::from_utf8(&reply)?, None, &payload);
    }
}

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

    fn grant(&self, _id: u64, _bytes: usize) {}

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
