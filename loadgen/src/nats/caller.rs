//! Calls as requests.

use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;

use super::connection::{Reader, Wire};
use super::protocol::Delivery;
use super::subject;
use crate::load::caller::{Caller, Carrier};
use crate::load::script::Ask;

/// How often open calls are looked at.
const SWEEP: Duration = Duration::from_millis(250);
/// A call of which nothing was heard in so many sweeps is given up: on NATS nobody says that a callee has left.
const PATIENCE: u8 = 8;

/// The status of a request that nobody subscribes to.
const NO_RESPONDERS: u16 = 503;

/// Sends calls as requests: each has a reply subject of its own below the caller's inbox.
pub struct Requests {
    wire: Rc<Wire>,
    inbox: String,
}

impl Requests {
    /// Over this connection, which is subscribed to all below the inbox.
    pub fn new(wire: Rc<Wire>, inbox: String) -> Self {
        Self { wire, inbox }
    }

    fn reply(&self, id: u64) -> String {
        format!("{}.{id}", self.inbox)
    }
}

impl Carrier for Requests {
    fn call(&self, id: u64, peer: &str, ask: &Ask) {
        let reply = self.reply(id);
        match &ask.path {
            None => self.wire.publish(peer, Some(&reply), &ask.body),
            Some(path) => self.wire.publish(&subject::of_call(peer, path), Some(&reply), &ask.body),
        }
    }

    fn grant(&self, id: u64, peer: &str, bytes: usize) {
        self.wire.publish(&subject::of_credit(peer, bytes), Some(&self.reply(id)), &[]);
    }

    fn flush(&self) {
        self.wire.flush();
    }
}

/// Takes the replies and goes on calling. A call that nobody answers has failed after two seconds of silence.
///
/// # Errors
/// The connection ended.
pub async fn run(caller: Rc<Caller<Requests>>, mut reader: Reader) -> anyhow::Result<()> {
    caller.pump();
    monoio::spawn(give_up(caller.clone()));
    loop {
        let Delivery { subject: to, status, payload, .. } = reader.recv().await?;
        let answer = subject::of_answer(&caller.carrier().inbox, std::str::from_utf8(&to)?);
        let (id, more) = answer.context("a reply to an unknown subject")?;
        if !caller.is_open(id) {
            // It was given up before.
            continue;
        }
        match status {
            None => caller.answer(id, 200, &payload, more)?,
            Some(NO_RESPONDERS) => caller.failed(id, "no responders", "nobody subscribes to it")?,
            Some(other) => caller.failed(id, &format!("status {other}"), "instead of an answer")?,
        }
    }
}

async fn give_up(caller: Rc<Caller<Requests>>) {
    let detail = format!("nothing was heard of it in {} s", (SWEEP * u32::from(PATIENCE)).as_secs());
    loop {
        monoio::time::sleep(SWEEP).await;
        caller.give_up(PATIENCE, "timeout", &detail);
    }
}
