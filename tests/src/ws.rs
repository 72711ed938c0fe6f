//! WebSocket (RFC 6455), the client's side, by hand: it can also send what no honest client sends.

use std::io::{self, ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::http::{Answer, Conn, Request};
use crate::tls::Stream;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Opcodes (RFC 6455 section 5.2).
#[allow(missing_docs, reason = "the names are the RFC's")]
pub mod opcode {
    pub const CONTINUATION: u8 = 0;
    pub const TEXT: u8 = 1;
    pub const BINARY: u8 = 2;
    pub const CLOSE: u8 = 8;
    pub const PING: u8 = 9;
    pub const PONG: u8 = 10;
}

/// One frame as it stands on the wire.
pub fn frame_bytes(opcode: u8, last: bool, masked: bool, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![(u8::from(last) << 7) | opcode];
    let mask_bit = u8::from(masked) << 7;
    match payload.len() {
        length @ 0..=125 => bytes.push(mask_bit | length as u8),
        length @ 126..=65_535 => {
            bytes.push(mask_bit | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            bytes.push(mask_bit | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    if masked {
        let mask = [0x5A, 0xC3, 0x17, 0x88];
        bytes.extend_from_slice(&mask);
        bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    } else {
        bytes.extend_from_slice(payload);
    }
    bytes
}

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A binary message, complete.
    Message(Vec<u8>),
    /// A ping; it was answered already unless that was switched off.
    Ping(Vec<u8>),
    /// A pong.
    Pong(Vec<u8>),
    /// A close frame: its code (1005 if it has none) and reason.
    Close(u16, String),
    /// The connection ended without a close frame.
    Lost,
    /// Nothing came in time.
    Silence,
}

/// The half that sends; clone it freely.
#[derive(Debug, Clone)]
pub struct Sender(Arc<Mutex<Stream>>);

impl Sender {
    /// Sends one frame. `masked` is what RFC 6455 demands of a client.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn frame(&self, opcode: u8, last: bool, masked: bool, payload: &[u8]) -> io::Result<()> {
        self.raw(&frame_bytes(opcode, last, masked, payload))
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// The connection is gone.
    ///
    /// # Panics
    /// If another thread panicked while it sent.
    pub fn raw(&self, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().expect("no sender panicked").write_all(bytes)
    }

    /// Sends a binary message.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn binary(&self, payload: &[u8]) -> io::Result<()> {
        self.frame(opcode::BINARY, true, true, payload)
    }

    /// Sends a close frame.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn close(&self, code: u16) -> io::Result<()> {
        self.frame(opcode::CLOSE, true, true, &code.to_be_bytes())
    }

    /// Drops the connection without a word, as a dying process would.
    ///
    /// # Panics
    /// If another thread panicked while it sent.
    pub fn cut(&self) {
        let _ = self.0.lock().expect("no sender panicked").cut();
    }
}

/// A WebSocket.
#[derive(Debug)]
pub struct Ws {
    stream: Stream,
    buffer: Vec<u8>,
    partial: Vec<u8>,
    sender: Sender,
    /// Answer pings? On unless a test wants a dead peer.
    pub answers_pings: bool,
}

impl Ws {
    /// Dials the agents' endpoint, with more header fields if wanted. A refusal (no 101) comes back as the answer.
    ///
    /// # Errors
    /// The HTTP answer, if it is not 101.
    ///
    /// # Panics
    /// If nobody answers, or the 101 is not a right one.
    pub fn dial(addr: SocketAddr, path: &str, extra: &[(&str, &str)]) -> Result<Self, Box<Answer>> {
        let conn = Conn::open(addr).unwrap_or_else(|why| panic!("cannot dial {addr}: {why}"));
        Self::upgrade(conn, path, extra).unwrap_or_else(|why| panic!("no answer to the upgrade: {why}"))
    }

    /// As [`Ws::dial`], but a lost connection is an error and not the end of the test.
    ///
    /// # Errors
    /// The connection broke.
    pub fn upgrade(mut conn: Conn, path: &str, extra: &[(&str, &str)]) -> io::Result<Result<Self, Box<Answer>>> {
        let mut request = Request::get(path)
            .header("upgrade", "websocket")
            .header("connection", "Upgrade")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", KEY);
        for (name, value) in extra {
            request = request.header(name, *value);
        }
        let answer = conn.ask(&request)?;
        if answer.status != 101 {
            return Ok(Err(Box::new(answer)));
        }
        let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, format!("{KEY}{GUID}").as_bytes());
        assert_eq!(answer.header("sec-websocket-accept"), Some(STANDARD.encode(digest.as_ref()).as_str()));
        assert_eq!(answer.header("sec-websocket-extensions"), None, "no extension was offered");
        let (stream, buffer) = conn.into_parts();
        let sender = Sender(Arc::new(Mutex::new(stream.try_clone()?)));
        Ok(Ok(Self { stream, buffer, partial: Vec::new(), sender, answers_pings: true }))
    }

    /// The sending half.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// The next thing that comes. Pings are answered on the way and reported.
    pub fn next(&mut self, limit: Duration) -> Event {
        let deadline = Instant::now() + limit;
        loop {
            match self.parse() {
                Some(event) => return event,
                None => match self.more(deadline) {
                    Ok(true) => {}
                    Ok(false) => return Event::Lost,
                    Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                        return Event::Silence;
                    }
                    Err(_) => return Event::Lost,
                },
            }
        }
    }

    /// The next message; pings and pongs are passed over. Anything else is given back.
    ///
    /// # Errors
    /// What came in its place.
    pub fn message(&mut self, limit: Duration) -> Result<Vec<u8>, Event> {
        let deadline = Instant::now() + limit;
        loop {
            match self.next(deadline.saturating_duration_since(Instant::now())) {
                Event::Message(payload) => return Ok(payload),
                Event::Ping(_) | Event::Pong(_) => {}
                other => return Err(other),
            }
        }
    }

    /// Reads until the connection ends; the close code and reason, if a close frame came.
    pub fn end(&mut self, limit: Duration) -> Option<(u16, String)> {
        let deadline = Instant::now() + limit;
        loop {
            match self.next(deadline.saturating_duration_since(Instant::now())) {
                Event::Close(code, reason) => return Some((code, reason)),
                Event::Lost | Event::Silence => return None,
                _ => {}
            }
        }
    }

    fn parse(&mut self) -> Option<Event> {
        loop {
            let (first, payload) = take_frame(&mut self.buffer)?;
            match first & 0x0F {
                opcode::PING => {
                    if self.answers_pings {
                        let _ = self.sender.frame(opcode::PONG, true, true, &payload);
                    }
                    return Some(Event::Ping(payload));
                }
                opcode::PONG => return Some(Event::Pong(payload)),
                opcode::CLOSE => {
                    let _ = self.sender.frame(opcode::CLOSE, true, true, payload.get(..2).unwrap_or_default());
                    let code = payload.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]]));
                    let reason = String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned();
                    return Some(Event::Close(code, reason));
                }
                opcode => {
                    assert!(matches!(opcode, opcode::BINARY | opcode::CONTINUATION), "the relay sent opcode {opcode}");
                    self.partial.extend_from_slice(&payload);
                    if first & 0x80 != 0 {
                        return Some(Event::Message(std::mem::take(&mut self.partial)));
                    }
                }
            }
        }
    }

    fn more(&mut self, deadline: Instant) -> io::Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut piece = [0; 64 << 10];
        let count = self.stream.read(&mut piece)?;
        self.buffer.extend_from_slice(&piece[..count]);
        Ok(count > 0)
    }
}

/// Takes one frame off the buffer: its first byte and its payload.
fn take_frame(buffer: &mut Vec<u8>) -> Option<(u8, Vec<u8>)> {
    let (first, second) = (*buffer.first()?, *buffer.get(1)?);
    assert_eq!(second & 0x80, 0, "a server never masks");
    assert_eq!(first & 0x70, 0, "no extension was agreed on");
    let (length, header) = match second & 0x7F {
        126 => (u16::from_be_bytes(buffer.get(2..4)?.try_into().ok()?) as usize, 4),
        127 => (u64::from_be_bytes(buffer.get(2..10)?.try_into().ok()?) as usize, 10),
        short => (short as usize, 2),
    };
    if buffer.len() < header + length {
        return None;
    }
    let payload = buffer[header..header + length].to_vec();
    buffer.drain(..header + length);
    Some((first, payload))
}
