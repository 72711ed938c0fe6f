//! An agent that is called without a relay: HTTP/1.1 on one thread, the body of a POST given back.

use std::net::TcpListener;

use anyhow::{Context, bail};
use bytes::{Bytes, BytesMut};
use landline_wire::frame::{Frame, Ready, encode};
use landline_wire::handshake;
use landline_wire::header::Kind;
use landline_wire::http1::{BodyDecoder, BodyPiece, Framing, Head, answer_head, parse_head};
use landline_wire::limits::{MAX_BODY_BYTES, MAX_IN_FLIGHT, WINDOW_BYTES};
use landline_wire::message;
use monoio::net::TcpStream;

use crate::ring;

/// Serves until it is killed.
///
/// # Errors
/// io_uring is refused.
pub(crate) fn serve(listener: TcpListener) -> anyhow::Result<()> {
    ring::run(async move {
        let listener = monoio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = listener.accept().await.context("accept")?;
            stream.set_nodelay(true)?;
            // A caller that hangs up ends its connection and nothing else.
            monoio::spawn(async move { connection(stream).await.is_ok() });
        }
    })?
}

async fn connection(mut stream: TcpStream) -> anyhow::Result<()> {
    let (mut buf, mut out) = (BytesMut::new(), BytesMut::new());
    loop {
        let head = loop {
            match parse_head(&mut buf)? {
                Some(head) => break head,
                None => buf = more(&mut stream, buf).await?,
            }
        };
        if let Ok(key) = handshake::check(&head) {
            return line(stream, key).await;
        }
        let body = body(&mut stream, &mut buf, &head).await?;
        answer_head(&mut out, 200, [], Framing::Length(body.len() as u64), true);
        out.extend_from_slice(&body);
        let (result, back) = ring::write(&mut stream, out).await;
        result?;
        out = back;
    }
}

async fn more(stream: &mut TcpStream, buf: BytesMut) -> std::io::Result<BytesMut> {
    let (result, buf) = ring::read(stream, buf).await;
    result.map(|()| buf)
}

async fn body(stream: &mut TcpStream, buf: &mut BytesMut, head: &Head) -> anyhow::Result<Bytes> {
    let mut decoder = BodyDecoder::new(head.framing);
    let mut whole = BytesMut::new();
    loop {
        match decoder.next(buf)? {
            BodyPiece::Data(piece) => whole.extend_from_slice(&piece),
            BodyPiece::End => return Ok(whole.freeze()),
            BodyPiece::Need => *buf = more(stream, std::mem::take(buf)).await?,
        }
        if whole.len() > MAX_BODY_BYTES {
            bail!("the body is too long");
        }
    }
}

/// A line of an agent that nobody calls here: it is told that it is up.
async fn line(mut stream: TcpStream, key: &str) -> anyhow::Result<()> {
    let mut out = BytesMut::from(handshake::accept(key).as_bytes());
    let mut frame = BytesMut::new();
    encode(&mut frame, &Frame::Ready(ready("")));
    message::append(&mut out, Kind::Binary, &frame, None);
    let (result, _) = ring::write(&mut stream, out).await;
    result?;
    loop {
        // Its `auth`, and then its end.
        more(&mut stream, BytesMut::new()).await?;
    }
}

/// What a line is told that asks for nothing but to be up.
pub(crate) fn ready(agent_id: &str) -> Ready<'_> {
    Ready {
        agent_id,
        session_id: "",
        node: "peer",
        heartbeat_s: 30,
        max_body_bytes: MAX_BODY_BYTES as u64,
        max_in_flight: MAX_IN_FLIGHT as u64,
        window_bytes: WINDOW_BYTES as u64,
    }
}
