//! The ordinary relay: what is written in an afternoon with tokio and tokio-tungstenite. A map of lines, a channel and a
//! writing task for each, every message decoded and encoded by the same code as in the switch. It is kept cheap where an
//! ordinary one would pay: a call's id names the caller's line, so that there is no table of calls.

use std::collections::HashMap;
use std::net::TcpListener;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use anyhow::{Context, bail, ensure};
use bytes::{Bytes, BytesMut};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use landline_wire::frame::{Auth, Call, ErrorFrame, Frame, Request, Response, decode, encode};
use tokio::net::TcpStream;
use tokio::runtime;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::direct::ready;

/// Bits of the caller's own id in a request's; above them is the number of the caller's line, below a zero: the ids of
/// requests are even. Together 53.
const CALL_BITS: u32 = 36;
/// Lines that have room above.
const MAX_LINES: usize = 1 << 16;
/// Milliseconds that a callee is told it has. Nothing here keeps count.
const DEADLINE_MS: u64 = 60_000;

type Letters = UnboundedSender<Message>;

/// Serves until it is killed.
///
/// # Errors
/// The runtime could not be made.
pub(crate) fn serve(listener: TcpListener, threads: u16, batched: bool) -> anyhow::Result<()> {
    let mut builder = match threads {
        1 => runtime::Builder::new_current_thread(),
        _ => runtime::Builder::new_multi_thread(),
    };
    let runtime = builder.worker_threads(threads.into()).enable_io().build()?;
    listener.set_nonblocking(true)?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let relay = Arc::new(Relay::default());
        loop {
            let (stream, _) = listener.accept().await.context("accept")?;
            let relay = relay.clone();
            // A line that ends badly is a line that ended.
            tokio::spawn(async move { line(stream, &relay, batched).await.is_ok() });
        }
    })
}

#[derive(Default)]
struct Relay {
    lines: RwLock<Lines>,
}

#[derive(Default)]
struct Lines {
    numbers: HashMap<String, usize>,
    letters: Vec<Option<Letters>>,
}

impl Relay {
    fn read(&self) -> RwLockReadGuard<'_, Lines> {
        self.lines.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Lines> {
        self.lines.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, agent: &str, letters: Letters) -> anyhow::Result<usize> {
        let mut lines = self.write();
        let free = lines.letters.iter().position(Option::is_none);
        let number = free.unwrap_or_else(|| {
            lines.letters.push(None);
            lines.letters.len() - 1
        });
        ensure!(number < MAX_LINES, "too many lines");
        lines.letters[number] = Some(letters);
        lines.numbers.insert(agent.to_owned(), number);
        Ok(number)
    }

    fn leave(&self, agent: &str, number: usize) {
        let mut lines = self.write();
        lines.letters[number] = None;
        // The agent may have dialled again.
        if lines.numbers.get(agent) == Some(&number) {
            lines.numbers.remove(agent);
        }
    }

    /// A message of the line `number`.
    fn take(&self, message: &[u8], agent: &str, number: usize) -> anyhow::Result<()> {
        match decode(message).map_err(|why| anyhow::anyhow!("{why}"))? {
            Frame::Call(call) => self.call(&call, agent, number),
            Frame::Response(answer) => {
                let (caller, id) = origin(answer.id);
                self.send(caller, &Frame::Response(Response { id, ..answer }));
            }
            Frame::Error(error) => {
                let (caller, id) = origin(error.id.unwrap_or_default());
                self.send(caller, &Frame::Error(ErrorFrame { id: Some(id), ..error }));
            }
            other => bail!("{other:?} is nothing that this relay carries"),
        }
        Ok(())
    }

    fn call(&self, call: &Call<'_>, agent: &str, number: usize) {
        let callee = self.read().numbers.get(call.to).copied();
        let Some(callee) = callee else {
            let error = ErrorFrame { id: Some(call.id), code: "agent_not_connected", ..ErrorFrame::default() };
            return self.send(number, &Frame::Error(error));
        };
        let request = Request {
            id: request_id(number, call.id),
            from: Some(agent),
            method: call.method,
            request_id: call.request_id.unwrap_or("r"),
            verb: call.verb,
            path: call.path,
            headers: call.headers,
            deadline_ms: call.timeout_ms.unwrap_or(DEADLINE_MS),
            body: call.body,
            ..Request::default()
        };
        self.send(callee, &Frame::Request(request));
    }

    fn send(&self, number: usize, frame: &Frame<'_>) {
        if let Some(letters) = self.read().letters.get(number).and_then(Option::as_ref) {
            // A line that is ending takes no more.
            let _ = letters.send(Message::Binary(bytes_of(frame)));
        }
    }
}

fn bytes_of(frame: &Frame<'_>) -> Bytes {
    let mut bytes = BytesMut::with_capacity(256);
    encode(&mut bytes, frame);
    bytes.freeze()
}

fn request_id(number: usize, call: u64) -> u64 {
    ((number as u64) << CALL_BITS | call >> 1) << 1
}

/// The caller's line, and its own (odd) id of the call.
fn origin(request: u64) -> (usize, u64) {
    let both = request >> 1;
    ((both >> CALL_BITS) as usize, (both & ((1 << CALL_BITS) - 1)) << 1 | 1)
}

async fn line(stream: TcpStream, relay: &Relay, batched: bool) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let (mut sink, mut messages) = tokio_tungstenite::accept_async(stream).await?.split();
    let first = binary(&mut messages).await?.context("hung up before it authenticated")?;
    // Whoever dials is believed: the token is the agent's id.
    let Ok(Frame::Auth(Auth { token: agent, .. })) = decode(&first) else { bail!("the first frame must be auth") };
    sink.send(Message::Binary(bytes_of(&Frame::Ready(ready(agent))))).await?;
    let (letters, waiting) = unbounded_channel();
    let number = relay.enter(agent, letters)?;
    tokio::spawn(deliver(sink, waiting, batched));
    let ended = serve_line(&mut messages, relay, agent, number).await;
    relay.leave(agent, number);
    ended
}

async fn serve_line(
    messages: &mut SplitStream<WebSocketStream<TcpStream>>,
    relay: &Relay,
    agent: &str,
    number: usize,
) -> anyhow::Result<()> {
    while let Some(message) = binary(messages).await? {
        relay.take(&message, agent, number)?;
    }
    Ok(())
}

/// The next frame's bytes; pings are answered below.
async fn binary(messages: &mut SplitStream<WebSocketStream<TcpStream>>) -> anyhow::Result<Option<Bytes>> {
    while let Some(message) = messages.next().await {
        if let Message::Binary(bytes) = message? {
            return Ok(Some(bytes));
        }
    }
    Ok(None)
}

/// Writes what others have for this line: ordinarily each message at once, or everything that waits before one flush.
async fn deliver(
    mut sink: SplitSink<WebSocketStream<TcpStream>, Message>,
    mut letters: UnboundedReceiver<Message>,
    batched: bool,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    while let Some(letter) = letters.recv().await {
        if !batched {
            sink.send(letter).await?;
            continue;
        }
        sink.feed(letter).await?;
        while let Ok(letter) = letters.try_recv() {
            sink.feed(letter).await?;
        }
        sink.flush().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_s_id_leads_back_to_its_caller() {
        for (number, call) in [(0, 1), (1, 3), (MAX_LINES - 1, (1 << (CALL_BITS + 1)) - 1)] {
            let id = request_id(number, call);
            assert!(id.is_multiple_of(2) && id < 1 << 53, "{id}");
            assert_eq!(origin(id), (number, call));
        }
    }

    #[test]
    fn an_agent_that_dialled_again_is_reached_on_its_new_line() {
        let relay = Relay::default();
        let (old, _) = unbounded_channel();
        let (new, mut waiting) = unbounded_channel();
        let old = relay.enter("callee", old).unwrap();
        let new = relay.enter("callee", new).unwrap();
        relay.leave("callee", old);
        relay.call(&Call { id: 1, to: "callee", body: b"hello", ..Call::default() }, "caller", 7);
        let message = waiting.try_recv().unwrap().into_data();
        let Ok(Frame::Request(request)) = decode(&message) else { panic!("a request") };
        assert_eq!((request.from, request.body, origin(request.id)), (Some("caller"), &b"hello"[..], (7, 1)));
        relay.leave("callee", new);
        assert!(relay.read().numbers.is_empty());
    }
}
