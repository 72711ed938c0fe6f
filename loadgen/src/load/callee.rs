//! The agent that answers, as the path of each call asks for.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use anyhow::bail;
use landline_wire::frame::{Chunk, ErrorFrame, Frame, Response, decode};
use landline_wire::limits::WINDOW_BYTES;

use super::script::Wanted;
use crate::line::{Reader, Wire};

/// An answer in parts that is not complete.
struct Stream {
    left: usize,
    bytes: usize,
    credit: usize,
    begun: bool,
    /// Parts go out by the clock: credit alone sends none.
    trickles: bool,
}

type Streams = Rc<RefCell<HashMap<u64, Stream>>>;

/// Answers until the line ends.
///
/// # Errors
/// The line ended.
pub async fn serve(mut reader: Reader, wire: Rc<Wire>) -> anyhow::Result<()> {
    let streams = Streams::default();
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
                    Some(Wanted::Parts { count, bytes, gap_ms }) => {
                        let trickles = gap_ms > 0;
                        let stream = Stream { left: count, bytes, credit: WINDOW_BYTES, begun: false, trickles };
                        streams.borrow_mut().insert(id, stream);
                        if trickles {
                            monoio::spawn(trickle(streams.clone(), id, Duration::from_millis(gap_ms), wire.clone()));
                        } else {
                            send_parts(&streams, id, usize::MAX, &wire);
                        }
                    }
                    None => {
                        wire.send(&Frame::Error(ErrorFrame { id: Some(id), code: "bad_ask", ..Default::default() }))
                    }
                }
            }
            Frame::Credit { id, bytes } => {
                let may_send = streams.borrow_mut().get_mut(&id).is_some_and(|stream| {
                    stream.credit += bytes as usize;
                    !stream.trickles
                });
                if may_send {
                    send_parts(&streams, id, usize::MAX, &wire);
                }
            }
            Frame::Cancel { id, .. } => drop(streams.borrow_mut().remove(&id)),
            Frame::Drain { .. } => {}
            other => bail!("{other:?} to a callee"),
        }
    }
}

/// One part each `gap`.
async fn trickle(streams: Streams, id: u64, gap: Duration, wire: Rc<Wire>) {
    while streams.borrow().contains_key(&id) {
        send_parts(&streams, id, 1, &wire);
        wire.flush();
        monoio::time::sleep(gap).await;
    }
}

/// Queues as many parts as there is credit for, `most` at most.
fn send_parts(streams: &Streams, id: u64, most: usize, wire: &Wire) {
    let mut streams = streams.borrow_mut();
    let Some(stream) = streams.get_mut(&id) else { return };
    let part = vec![b'x'; stream.bytes];
    for _ in 0..most {
        if stream.left == 0 || stream.credit < stream.bytes {
            break;
        }
        stream.left -= 1;
        stream.credit -= stream.bytes;
        let more = stream.left > 0;
        let body = part.as_slice();
        if std::mem::replace(&mut stream.begun, true) {
            wire.send(&Frame::Chunk(Chunk { id, more, body }));
        } else {
            wire.send(&Frame::Response(Response { id, more, body, ..Response::default() }));
        }
    }
    if stream.left == 0 {
        streams.remove(&id);
    }
}
