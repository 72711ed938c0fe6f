//! An agent's line, made of the harness's own WebSocket and MessagePack.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::frame::{self, Frame};
use crate::http::Conn;
use crate::wait::SOON;
use crate::ws::{Event, Ws};

/// Where agents dial.
pub const ENDPOINT: &str = "/connect/ws/agent";

/// How a line ended, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// A close frame: code and reason.
    Closed(u16, String),
    /// No close frame: the connection broke.
    Lost,
    /// Nothing came in time.
    Silence,
}

impl Ended {
    /// The close code.
    ///
    /// # Panics
    /// If there was no close frame.
    #[track_caller]
    pub fn code(&self) -> u16 {
        match self {
            Self::Closed(code, _) => *code,
            other => panic!("no close frame: {other:?}"),
        }
    }
}

impl From<Event> for Ended {
    fn from(event: Event) -> Self {
        match event {
            Event::Close(code, reason) => Self::Closed(code, reason),
            Event::Silence => Self::Silence,
            _ => Self::Lost,
        }
    }
}

/// A line that is ready.
#[derive(Debug)]
pub struct Line {
    /// The WebSocket.
    pub ws: Ws,
    /// The `ready` frame.
    pub ready: Frame,
}

impl Line {
    /// Dials and authenticates.
    ///
    /// # Errors
    /// The relay closed the line.
    ///
    /// # Panics
    /// If nobody answers, or not with an upgrade.
    pub fn dial(addr: SocketAddr, token: &str) -> Result<Self, Ended> {
        let ws = Ws::dial(addr, ENDPOINT, &[]).unwrap_or_else(|answer| panic!("no upgrade: {answer:?}"));
        Self::authenticate(ws, token)
    }

    /// Dials with these features, such as `parts`.
    ///
    /// # Panics
    /// If the relay refuses.
    pub fn dial_with(addr: SocketAddr, token: &str, features: &[&str]) -> Self {
        let mut ws = Ws::dial(addr, ENDPOINT, &[]).unwrap_or_else(|answer| panic!("no upgrade: {answer:?}"));
        ws.sender().binary(&frame::auth_with(token, features)).expect("the line is open");
        let ready = Frame::read(&ws.message(SOON).unwrap_or_else(|event| panic!("no `ready`: {event:?}")));
        assert_eq!(ready.kind(), "ready", "{ready:?}");
        Self { ws, ready }
    }

    /// Authenticates on an open WebSocket.
    ///
    /// # Errors
    /// The relay closed the line.
    ///
    /// # Panics
    /// If the first frame is not `ready`.
    pub fn authenticate(mut ws: Ws, token: &str) -> Result<Self, Ended> {
        ws.sender().binary(&frame::auth(token)).map_err(|_| Ended::Lost)?;
        let ready = Frame::read(&ws.message(SOON)?);
        assert_eq!(ready.kind(), "ready", "{ready:?}");
        Ok(Self { ws, ready })
    }

    /// The next frame.
    ///
    /// # Errors
    /// The line ended, or nothing came.
    pub fn next(&mut self, limit: Duration) -> Result<Frame, Ended> {
        Ok(Frame::read(&self.ws.message(limit)?))
    }

    /// The next frame, which must be of this type.
    ///
    /// # Panics
    /// If it is another, or none comes soon.
    #[track_caller]
    pub fn expect(&mut self, kind: &str) -> Frame {
        match self.next(SOON) {
            Ok(frame) => {
                assert_eq!(frame.kind(), kind, "{frame:?}");
                frame
            }
            Err(ended) => panic!("no `{kind}`: {ended:?}"),
        }
    }

    /// As [`Line::expect`], passing over credit that is still granted for earlier calls.
    ///
    /// # Panics
    /// If another frame comes, or none.
    #[track_caller]
    pub fn expect_after_credit(&mut self, kind: &str) -> Frame {
        for _ in 0..10_000 {
            match self.next(SOON) {
                Ok(frame) if frame.kind() == "credit" => {}
                Ok(frame) => {
                    assert_eq!(frame.kind(), kind, "{frame:?}");
                    return frame;
                }
                Err(ended) => panic!("no `{kind}`: {ended:?}"),
            }
        }
        panic!("credit without end");
    }

    /// Sends a frame.
    ///
    /// # Panics
    /// If the line is gone.
    #[track_caller]
    pub fn send(&self, message: &[u8]) {
        self.ws.sender().binary(message).expect("the line is open");
    }

    /// Reads until the line ends.
    pub fn end(&mut self, limit: Duration) -> Ended {
        match self.ws.end(limit) {
            Some((code, reason)) => Ended::Closed(code, reason),
            None => Ended::Lost,
        }
    }

    /// Is the line alive? Asked by a `ping` frame.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn assert_alive(&mut self) {
        self.send(&frame::ping(4711));
        let deadline = Instant::now() + SOON;
        while Instant::now() < deadline {
            match self.next(SOON) {
                Ok(frame) if frame.kind() == "pong" && frame.number("t") == Some(4711) => return,
                Ok(_) => {}
                Err(ended) => panic!("the line is dead: {ended:?}"),
            }
        }
        panic!("no pong");
    }
}

/// What an echo agent answers.
pub fn echo_body(body: &[u8]) -> Vec<u8> {
    let echo = serde_json::to_string(&String::from_utf8_lossy(body)).expect("a string is JSON");
    format!("{{\"ack\": true, \"echo\": {echo}}}").into_bytes()
}

/// An agent on a thread of its own that echoes every call and dials again when its line is lost.
#[derive(Debug)]
pub struct EchoAgent {
    stop: Arc<AtomicBool>,
    /// Calls answered.
    pub answered: Arc<AtomicU64>,
    /// Lines made.
    pub lines: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl EchoAgent {
    /// Starts one and waits for its first line.
    ///
    /// # Panics
    /// If there is no line soon.
    pub fn start(addr: SocketAddr, token: &str) -> Self {
        let mut agent = Self { stop: Arc::default(), answered: Arc::default(), lines: Arc::default(), thread: None };
        let (stop, answered, lines) = (agent.stop.clone(), agent.answered.clone(), agent.lines.clone());
        let token = token.to_owned();
        agent.thread = Some(std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                hold(addr, &token, &stop, &answered, &lines);
                std::thread::sleep(Duration::from_millis(100));
            }
        }));
        crate::wait::eventually(SOON, "the echo agent's line", || {
            (agent.lines.load(Ordering::Relaxed) > 0).then_some(())
        });
        agent
    }

    /// Ends it and waits for its thread.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for EchoAgent {
    fn drop(&mut self) {
        self.end();
    }
}

/// Holds one line until it ends.
fn hold(addr: SocketAddr, token: &str, stop: &AtomicBool, answered: &AtomicU64, lines: &AtomicU64) {
    let Ok(conn) = Conn::open(addr) else { return };
    let Ok(Ok(ws)) = Ws::upgrade(conn, ENDPOINT, &[]) else { return };
    let Ok(mut line) = Line::authenticate(ws, token) else { return };
    lines.fetch_add(1, Ordering::Relaxed);
    while !stop.load(Ordering::Relaxed) {
        match line.next(Duration::from_millis(200)) {
            Ok(frame) if frame.kind() == "request" => {
                let answer = frame::response_with(
                    frame.id(),
                    200,
                    &[("content-type", "application/json")],
                    false,
                    &echo_body(frame.body()),
                );
                if line.ws.sender().binary(&answer).is_err() {
                    return;
                }
                answered.fetch_add(1, Ordering::Relaxed);
            }
            Ok(_) | Err(Ended::Silence) => {}
            Err(_) => return,
        }
    }
    let _ = line.ws.sender().close(1000);
    line.end(Duration::from_secs(1));
}
