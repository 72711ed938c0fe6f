//! The agent that answers, as the path of each call asks for.

use std::rc::Rc;

use anyhow::bail;
use landline_wire::frame::{Chunk, ErrorFrame, Frame, Response, decode};

use super::parts::{Giver, Streams};
use super::script::Wanted;
use crate::line::{Reader, Wire};

impl Giver for Wire {
    type Call = u64;

    fn give(&self, call: &u64, body: &[u8], is_first: bool, more: bool) {
        let id = *call;
        if is_first {
            self.send(&Frame::Response(Response { id, more, body, ..Response::default() }));
        } else {
            self.send(&Frame::Chunk(Chunk { id, more, body }));
        }
    }

    fn flush(&self) {
        Self::flush(self);
    }
}

/// Answers until the line ends.
///
/// # Errors
/// The line ended.
pub async fn serve(mut reader: Reader, wire: Rc<Wire>) -> anyhow::Result<()> {
    let streams = Streams::new(wire.clone());
    loop {
        let message = reader.recv().await?;
        match decode(&message).map_err(|why| anyhow::anyhow!("{why}"))? {
            Frame::Request(request) => {
                let id = request.id;
                match Wanted::parse(request.path) {
                    Some(Wanted::Echo) => {
                        wire.send(&Frame::Response(Response { id, body: request.body, ..Response::default() }));
                    }
                    Some(Wanted::Empty) => wire.send(&Frame::Response(Response { id, ..Response::default() })),
                    Some(Wanted::Parts { count, bytes, gap_ms }) => streams.begin(id, count, bytes, gap_ms),
                    None => {
                        wire.send(&Frame::Error(ErrorFrame { id: Some(id), code: "bad_ask", ..Default::default() }))
                    }
                }
            }
            Frame::Credit { id, bytes } => streams.grant(&id, bytes as usize),
            Frame::Cancel { id, .. } => streams.cancel(&id),
            Frame::Drain { .. } => {}
            other => bail!("{other:?} to a callee"),
        }
    }
}
