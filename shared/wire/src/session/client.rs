//! The agent's side of a line: upgrade, `auth`, `ready`, then frames. The SDK, `loadgen` and the tests' agents all run
//! this machine.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};

use crate::close;
use crate::frame::{Auth, Frame, decode, encode};
use crate::handshake;
use crate::header::{self, Kind, MAX_HEADER};
use crate::http1::parse_response_head;
use crate::limits::{MAX_BODY_BYTES, MESSAGE_OVERHEAD_BYTES, WIRE_VERSION};
use crate::mask;
use crate::message::{self, Message, Progress, Reader, Role, Violation};

/// Bytes of a body that a client takes, whatever the relay says.
const MAX_ACCEPTED_BODY: usize = 64 << 20;

/// How to dial.
#[derive(Clone)]
pub struct Dial {
    /// Authority for the Host header, such as `relay.example:443`.
    pub host: String,
    /// Path of the WebSocket, such as `/connect/ws/agent`.
    pub path: String,
    /// API key or JWT.
    pub token: String,
    /// Name and version of the client software.
    pub client: String,
    /// Take requests in parts.
    pub parts: bool,
    /// Stand beside other lines of the same agent.
    pub shared: bool,
}

impl std::fmt::Debug for Dial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dial").field("host", &self.host).field("path", &self.path).finish_non_exhaustive()
    }
}

/// The relay's `ready`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// Who the relay says we are.
    pub agent_id: String,
    /// This line.
    pub session_id: String,
    /// The node that holds it.
    pub node: String,
    /// Seconds of silence after which the relay pings.
    pub heartbeat_s: u64,
    /// Bytes of a whole body.
    pub max_body_bytes: u64,
    /// Calls in flight towards us.
    pub max_in_flight: u64,
    /// Starting credit of a part-wise stream.
    pub window_bytes: u64,
}

/// What the relay's bytes mean.
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing complete: the buffer should have room for so many bytes in all.
    Need(usize),
    /// The line is up.
    Ready(Ready),
    /// A message that decodes to a frame other than `ready`, `ping` and `pong`.
    Frame(Bytes),
    /// The relay ended the session.
    Closed {
        /// Its code, if it gave one.
        code: Option<u16>,
        /// Its reason.
        reason: String,
    },
}

/// The dial or the session failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// The answer to the upgrade was another status than 101.
    #[error("the relay answered the upgrade with HTTP {0}")]
    Refused(u16),
    /// The answer to the upgrade was no acceptance of it.
    #[error("not a WebSocket relay: {0}")]
    NotARelay(&'static str),
    /// The relay broke the protocol.
    #[error(transparent)]
    Violation(#[from] Violation),
}

enum Phase {
    Upgrade { key: String },
    Auth,
    Up,
}

/// One dial and the session that it becomes.
pub struct Client {
    dial: Dial,
    phase: Phase,
    reader: Reader,
    masks: Masks,
    scratch: BytesMut,
}

impl Client {
    /// A client about to dial. `random` is 16 bytes for the upgrade's key and 8 for the masks, from the system's
    /// generator.
    pub fn new(dial: Dial, random: [u8; 24]) -> Self {
        let mut seed = [0; 8];
        seed.copy_from_slice(&random[16..]);
        let mut key = [0; 16];
        key.copy_from_slice(&random[..16]);
        Self {
            dial,
            phase: Phase::Upgrade { key: STANDARD.encode(key) },
            reader: Reader::new(Role::Client, MAX_BODY_BYTES + MESSAGE_OVERHEAD_BYTES),
            masks: Masks(u64::from_le_bytes(seed) | 1),
            scratch: BytesMut::new(),
        }
    }

    /// Appends the upgrade request: the first bytes to send.
    pub fn start(&self, out: &mut BytesMut) {
        if let Phase::Upgrade { key } = &self.phase {
            out.extend_from_slice(handshake::request(&self.dial.host, &self.dial.path, key).as_bytes());
        }
    }

    /// Takes what is next at the front of `buf`; answers that the protocol wants at once (`auth`, pongs, the echo of a
    /// close) are appended to `out`. Call again until [`Event::Need`].
    ///
    /// # Errors
    /// [`ClientError`]; the session is over. After a [`ClientError::Violation`] `out` ends with a close frame to send first.
    pub fn next(&mut self, buf: &mut BytesMut, out: &mut BytesMut) -> Result<Event, ClientError> {
        if let Phase::Upgrade { key } = &self.phase {
            let Some(head) = parse_response_head(buf).map_err(|_| ClientError::NotARelay("no HTTP answer"))? else {
                return Ok(Event::Need(buf.len() + 1));
            };
            if head.status != 101 {
                return Err(ClientError::Refused(head.status));
            }
            if !handshake::is_accepted(key, head.header("sec-websocket-accept").unwrap_or_default()) {
                return Err(ClientError::NotARelay("its Sec-WebSocket-Accept does not fit"));
            }
            self.phase = Phase::Auth;
            let Dial { token, client, parts, shared, .. } = self.dial.clone();
            let auth = Auth { v: WIRE_VERSION, token: &token, client: Some(&client), parts, shared };
            self.send(&Frame::Auth(auth), out);
        }
        loop {
            match self.reader.next(buf) {
                Ok(Progress::Need(bytes)) => return Ok(Event::Need(bytes)),
                Ok(Progress::Message(message)) => match self.take(message, out) {
                    Ok(None) => {}
                    Ok(Some(event)) => return Ok(event),
                    Err(violation) => return Err(self.end(violation, out)),
                },
                Err(violation) => return Err(self.end(violation, out)),
            }
        }
    }

    fn end(&mut self, violation: Violation, out: &mut BytesMut) -> ClientError {
        self.close(violation.code, violation.why, out);
        violation.into()
    }

    fn take(&mut self, message: Message, out: &mut BytesMut) -> Result<Option<Event>, Violation> {
        match message {
            Message::Ping(payload) => {
                let key = self.masks.next();
                message::append(out, Kind::Pong, &payload, Some(key));
                Ok(None)
            }
            Message::Pong(_) => Ok(None),
            Message::Close(code, reason) => {
                self.close(code.unwrap_or(close::NORMAL), "", out);
                let reason = String::from_utf8_lossy(&reason).into_owned();
                Ok(Some(Event::Closed { code, reason }))
            }
            Message::Text(_) => Err(Violation::new(close::UNSUPPORTED_DATA, "a text message")),
            Message::Binary(message) => self.take_frame(message.into_bytes(), out),
        }
    }

    fn take_frame(&mut self, message: Bytes, out: &mut BytesMut) -> Result<Option<Event>, Violation> {
        let malformed = |why: &'static str| Violation::new(close::PROTOCOL_ERROR, why);
        let frame = decode(&message).map_err(|why| malformed(why.0))?;
        match (&self.phase, frame) {
            (_, Frame::Ping(t)) => {
                let t = t[..t.len().min(if cfg!(landline_planted_bug) { 5 } else { t.len() })].to_vec();
                self.send(&Frame::Pong(&t), out);
                Ok(None)
            }
            (_, Frame::Pong(_)) => Ok(None),
            (Phase::Auth, Frame::Ready(ready)) => {
                let ready = Ready {
                    agent_id: ready.agent_id.to_owned(),
                    session_id: ready.session_id.to_owned(),
                    node: ready.node.to_owned(),
                    heartbeat_s: ready.heartbeat_s,
                    max_body_bytes: ready.max_body_bytes,
                    max_in_flight: ready.max_in_flight,
                    window_bytes: ready.window_bytes,
                };
                // The relay says how much a body may have; bounded, so that no relay makes us hold what it likes.
                let most = usize::try_from(ready.max_body_bytes).unwrap_or(MAX_ACCEPTED_BODY).min(MAX_ACCEPTED_BODY);
                self.reader.set_max_message(most + MESSAGE_OVERHEAD_BYTES);
                self.phase = Phase::Up;
                Ok(Some(Event::Ready(ready)))
            }
            (Phase::Up, Frame::Unknown(_)) => Ok(None),
            (Phase::Up, _) | (_, Frame::Error(_)) => Ok(Some(Event::Frame(message))),
            _ => Err(malformed("a frame before ready")),
        }
    }

    /// Is the line up?
    pub fn is_up(&self) -> bool {
        matches!(self.phase, Phase::Up)
    }

    /// Appends a frame, masked.
    pub fn send(&mut self, frame: &Frame<'_>, out: &mut BytesMut) {
        self.scratch.clear();
        encode(&mut self.scratch, frame);
        let key = self.masks.next();
        let mut head = [0; MAX_HEADER];
        let len = header::write(Kind::Binary, self.scratch.len(), Some(key), &mut head);
        out.extend_from_slice(&head[..len]);
        let start = out.len();
        out.extend_from_slice(&self.scratch);
        mask::apply(&mut out[start..], key);
        if self.scratch.capacity() > MESSAGE_OVERHEAD_BYTES {
            // One large message must not cost an idle line its memory for ever.
            self.scratch = BytesMut::new();
        }
    }

    /// Appends a WebSocket ping.
    pub fn ping(&mut self, out: &mut BytesMut) {
        let key = self.masks.next();
        message::append(out, Kind::Ping, &[], Some(key));
    }

    /// Appends a close frame. Nothing may be sent after it.
    pub fn close(&mut self, code: u16, reason: &str, out: &mut BytesMut) {
        let key = self.masks.next();
        // A received code may be one that must not be sent (1005, 1006): answer those as normal.
        let code = if close::is_valid_on_wire(code) { code } else { close::NORMAL };
        message::append_close(out, code, reason, Some(key));
    }
}

/// Mask keys: xorshift64*, seeded by the caller from the system's generator. Masks protect intermediaries from
/// scripted browsers (RFC 6455 section 10.3); a native client's need to be varied, not secret.
struct Masks(u64);

impl Masks {
    fn next(&mut self) -> [u8; 4] {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        ((self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32) as u32).to_le_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http1::parse_head;
    use crate::session::server::{Input, Session, first_frame};

    fn dial() -> Dial {
        Dial {
            host: "h".into(),
            path: "/connect/ws/agent".into(),
            token: "ll_secret".into(),
            client: "test/1".into(),
            parts: false,
            shared: false,
        }
    }

    /// Both machines against each other, up to `ready`.
    fn connected() -> (Client, Session) {
        let mut client = Client::new(dial(), [7; 24]);
        let (mut up, mut down, mut out) = (BytesMut::new(), BytesMut::new(), BytesMut::new());
        client.start(&mut up);
        let head = parse_head(&mut up).unwrap().unwrap();
        let key = handshake::check(&head).unwrap();
        down.extend_from_slice(handshake::accept(key).as_bytes());
        assert!(matches!(client.next(&mut down, &mut out), Ok(Event::Need(_))));
        let mut session = Session::new(1 << 20);
        let Ok(Input::Frame(message)) = session.next(&mut out) else { panic!("no auth") };
        assert_eq!(first_frame(message.first()).unwrap().token, "ll_secret");
        let mut ready = BytesMut::new();
        encode(&mut ready, &Frame::Ready(crate::frame::Ready { agent_id: "a", ..Default::default() }));
        message::append(&mut down, Kind::Binary, &ready, None);
        assert!(matches!(client.next(&mut down, &mut out), Ok(Event::Ready(ready)) if ready.agent_id == "a"));
        (client, session)
    }

    #[test]
    fn the_two_ends_understand_each_other() {
        let (mut client, mut session) = connected();
        let mut up = BytesMut::new();
        client.send(&Frame::Chunk(crate::frame::Chunk { id: 2, more: false, body: b"hi" }), &mut up);
        let Ok(Input::Frame(message)) = session.next(&mut up) else { panic!() };
        assert!(matches!(decode(message.first()), Ok(Frame::Chunk(chunk)) if chunk.body == b"hi"));
    }

    #[test]
    fn pings_of_both_kinds_are_answered_and_a_close_is_echoed() {
        let (mut client, mut session) = connected();
        let (mut down, mut up) = (BytesMut::new(), BytesMut::new());
        message::append(&mut down, Kind::Ping, b"life", None);
        let mut ping = BytesMut::new();
        encode(&mut ping, &Frame::Ping(&[5]));
        message::append(&mut down, Kind::Binary, &ping, None);
        message::append_close(&mut down, close::REPLACED, "replaced", None);
        let event = client.next(&mut down, &mut up).unwrap();
        assert_eq!(event, Event::Closed { code: Some(close::REPLACED), reason: "replaced".into() });
        assert_eq!(session.next(&mut up).unwrap(), Input::Pong);
        let Ok(Input::Frame(message)) = session.next(&mut up) else { panic!() };
        assert_eq!(decode(message.first()), Ok(Frame::Pong(&[5])));
        assert_eq!(session.next(&mut up).unwrap(), Input::Close(Some(close::REPLACED)));
    }

    #[test]
    fn a_refused_upgrade_says_its_status() {
        let mut client = Client::new(dial(), [1; 24]);
        let mut down = BytesMut::from("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n");
        assert_eq!(client.next(&mut down, &mut BytesMut::new()), Err(ClientError::Refused(503)));
    }
}
