//! Lines against a relay's end of the protocol on loopback, built on the server-side machine.

mod answers;
mod calls;
mod holding;
mod requests;
mod uploads;

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use landline_wire::frame::{
    Call, Chunk, Frame, Ready, Request as RequestFrame, Response as ResponseFrame, decode, encode,
};
use landline_wire::handshake;
use landline_wire::header::Kind;
use landline_wire::http1::parse_head;
use landline_wire::message::{append, append_close};
use landline_wire::session::server::{Input, Session, first_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);
const AGENT: &str = "0190b2c4-7f1e-7000-8000-000000000001";
const OTHER: &str = "0190b2c4-7f1e-7000-8000-000000000002";

/// The relay's end of one line.
struct Seat {
    stream: TcpStream,
    session: Session,
    buf: BytesMut,
}

impl Seat {
    /// Accepts a dial, checks its `auth`, and says `ready`.
    async fn take(listener: &TcpListener) -> Self {
        let (stream, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
        let mut seat = Self { stream, session: Session::new(1 << 20), buf: BytesMut::new() };
        let head = loop {
            if let Some(head) = parse_head(&mut seat.buf).unwrap() {
                break head;
            }
            assert_ne!(seat.stream.read_buf(&mut seat.buf).await.unwrap(), 0);
        };
        assert_eq!(head.path(), "/connect/ws/agent");
        let accept = handshake::accept(handshake::check(&head).unwrap());
        seat.stream.write_all(accept.as_bytes()).await.unwrap();
        let message = seat.message().await;
        let auth = first_frame(&message).unwrap();
        assert_eq!((auth.token, auth.parts), ("ll_key", true));
        seat.send(&Frame::Ready(Ready {
            agent_id: AGENT,
            session_id: OTHER,
            node: OTHER,
            heartbeat_s: 30,
            max_body_bytes: 1 << 20,
            max_in_flight: 256,
            window_bytes: 1 << 18,
        }))
        .await;
        seat
    }

    async fn send(&mut self, frame: &Frame<'_>) {
        let (mut message, mut out) = (BytesMut::new(), BytesMut::new());
        encode(&mut message, frame);
        append(&mut out, Kind::Binary, &message, None);
        self.stream.write_all(&out).await.unwrap();
    }

    async fn close(&mut self, code: u16) {
        self.close_for(code, "because").await;
    }

    async fn close_for(&mut self, code: u16, reason: &str) {
        let mut out = BytesMut::new();
        append_close(&mut out, code, reason, None);
        self.stream.write_all(&out).await.unwrap();
    }

    async fn input(&mut self) -> Input {
        loop {
            match self.session.next(&mut self.buf).unwrap() {
                Input::Need(_) => {
                    let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buf)).await.unwrap().unwrap();
                    assert_ne!(read, 0, "the agent hung up");
                }
                input => return input,
            }
        }
    }

    async fn message(&mut self) -> Bytes {
        match self.input().await {
            Input::Frame(message) => message.into_bytes(),
            other => panic!("{other:?}"),
        }
    }

    /// Takes chunks of a call until none comes for a while; their bytes.
    async fn chunks(&mut self, id: u64) -> usize {
        let mut bytes = 0;
        while let Ok(message) = timeout(Duration::from_millis(300), self.message()).await {
            let Ok(Frame::Chunk(chunk)) = decode(&message) else { panic!("{:?}", decode(&message)) };
            assert!(chunk.id == id && chunk.more);
            bytes += chunk.body.len();
        }
        bytes
    }

    /// The id of a call that the agent makes; `more` is what it must say of its body.
    async fn call(&mut self, more: bool) -> u64 {
        let message = self.message().await;
        let Frame::Call(call) = decode(&message).unwrap() else { panic!("{:?}", decode(&message)) };
        assert_eq!((call.to, call.more), (OTHER, more));
        call.id
    }

    async fn part(&mut self, id: u64, body: &[u8], more: bool) {
        self.send(&Frame::Chunk(Chunk { id, more, body })).await;
    }

    /// Nothing comes for a while.
    async fn is_quiet(&mut self) -> bool {
        timeout(Duration::from_millis(200), self.input()).await.is_err()
    }

    async fn request(&mut self, id: u64, body: &[u8]) {
        self.send(&Frame::Request(RequestFrame {
            id,
            from: Some(OTHER),
            request_id: "r1",
            path: Some("/a?b"),
            deadline_ms: 60_000,
            body,
            ..RequestFrame::default()
        }))
        .await;
    }
}

async fn listen() -> (TcpListener, LineSettings) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = LineSettings::new(format!("http://{}", listener.local_addr().unwrap()), "ll_key");
    (listener, settings)
}

/// The body of a request.
async fn said(request: Request) -> Bytes {
    request.body.collect(1 << 24).await.unwrap()
}

async fn echo(request: Request) -> Response {
    assert_eq!(request.from.map(|from| from.to_string()).as_deref(), Some(OTHER));
    assert_eq!((request.path.as_str(), request.verb.as_str()), ("/a?b", "POST"));
    Response::ok(said(request).await)
}

/// Says when it is dropped.
struct Alarm(tokio::sync::mpsc::UnboundedSender<()>);

impl Drop for Alarm {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}
