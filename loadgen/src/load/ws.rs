//! Calls over a line.

use std::rc::Rc;

use anyhow::{Context, bail};
use landline_wire::frame::{Call, Frame, decode};

use super::caller::{Caller, Carrier};
use super::script::Ask;
use crate::line::{Reader, Wire};

impl Carrier for Rc<Wire> {
    fn call(&self, id: u64, peer: &str, ask: &Ask) {
        let path = ask.path.as_deref();
        self.send(&Frame::Call(Call { id, to: peer, path, body: &ask.body, ..Call::default() }));
    }

    fn grant(&self, id: u64, _peer: &str, bytes: usize) {
        self.send(&Frame::Credit { id, bytes: bytes as u64 });
    }

    fn flush(&self) {
        Wire::flush(self);
    }
}

/// Takes the answers and goes on calling until the line ends.
///
/// # Errors
/// The line ended.
pub async fn run(caller: Rc<Caller<Rc<Wire>>>, mut reader: Reader) -> anyhow::Result<()> {
    caller.pump();
    loop {
        let message = reader.recv().await?;
        match decode(&message).map_err(|why| anyhow::anyhow!("{why}"))? {
            Frame::Response(answer) => {
                caller.answer(answer.id, answer.status.unwrap_or(200) as u16, answer.body, answer.more)?;
            }
            Frame::Chunk(chunk) => caller.answer(chunk.id, 200, chunk.body, chunk.more)?,
            Frame::Error(error) => {
                let detail = error.detail.unwrap_or("no detail");
                let id = error.id.with_context(|| format!("{}: {detail}", error.code))?;
                caller.failed(id, error.code, detail)?;
            }
            Frame::Drain { .. } | Frame::Credit { .. } => {}
            other => bail!("{other:?} to a caller"),
        }
    }
}
