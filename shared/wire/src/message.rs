//! WebSocket messages out of a byte stream, and back (RFC 6455 sections 5.4 to 5.6), without a socket.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::close;
use crate::header::{self, Kind, MAX_HEADER};
use crate::mask;

/// The peer broke the protocol: the session ends with this close code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{why} (close code {code})")]
pub struct Violation {
    /// Close code.
    pub code: u16,
    /// What was wrong; also the close frame's reason.
    pub why: &'static str,
}

impl Violation {
    /// A violation with a close code and its reason.
    pub fn new(code: u16, why: &'static str) -> Self {
        Self { code, why }
    }
}

/// Which end reads: it decides whether frames have to be masked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The relay reads masked frames.
    Server,
    /// The agent reads unmasked frames.
    Client,
}

/// A complete message. Payloads are slices of the buffer that they were read into, unless they came in fragments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text; not checked for UTF-8 here, since the relay refuses text altogether.
    Text(Bytes),
    /// Bytes.
    Binary(Bytes),
    /// Answer with a pong of the same payload.
    Ping(Bytes),
    /// Sign of life.
    Pong(Bytes),
    /// The peer ends the session, with a code if it gave one.
    Close(Option<u16>, Bytes),
}

/// What [`Reader::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum Progress {
    /// A complete message.
    Message(Message),
    /// Nothing complete; the buffer should have room for so many bytes in all before the next read.
    Need(usize),
}

/// Cuts a byte stream into messages. An idle reader holds no buffer.
#[derive(Debug)]
pub struct Reader {
    role: Role,
    max_message: usize,
    fragments: Option<Box<Fragments>>,
}

#[derive(Debug)]
struct Fragments {
    kind: Kind,
    data: BytesMut,
}

impl Reader {
    /// A reader for one end; a message may have at most `max_message` bytes.
    pub fn new(role: Role, max_message: usize) -> Self {
        Self { role, max_message, fragments: None }
    }

    /// From now on a message may have so many bytes.
    pub fn set_max_message(&mut self, max_message: usize) {
        self.max_message = max_message;
    }

    /// Bytes of a fragmented message that are held until it is complete.
    pub fn held(&self) -> usize {
        self.fragments.as_ref().map_or(0, |fragments| fragments.data.len())
    }

    /// Takes the next message from the front of `buf`; what is not complete stays there.
    ///
    /// # Errors
    /// A [`Violation`]: 1002 for broken framing, 1009 for a message over the bound, found at its header, before its
    /// bytes are waited for. After an error the reader must not be used again.
    pub fn next(&mut self, buf: &mut BytesMut) -> Result<Progress, Violation> {
        loop {
            let Some(head) = header::parse(buf)? else { return Ok(Progress::Need(MAX_HEADER)) };
            if head.mask.is_some() != (self.role == Role::Server) {
                return Err(Violation::new(close::PROTOCOL_ERROR, "masking does not fit the direction"));
            }
            let gathered = self.held();
            let held = if head.kind.is_control() || cfg!(landline_planted_bug) { 0 } else { gathered };
            if head.payload > self.max_message.saturating_sub(held) as u64 {
                return Err(Violation::new(close::TOO_BIG, close::reason(close::TOO_BIG)));
            }
            let whole = head.len + head.payload as usize;
            if buf.len() < whole {
                return Ok(Progress::Need(whole));
            }
            buf.advance(head.len);
            let mut payload = buf.split_to(head.payload as usize);
            if let Some(key) = head.mask {
                mask::apply(&mut payload, key);
            }
            if let Some(message) = self.take(head.kind, head.fin, payload)? {
                return Ok(Progress::Message(message));
            }
        }
    }

    fn take(&mut self, kind: Kind, fin: bool, payload: BytesMut) -> Result<Option<Message>, Violation> {
        match kind {
            Kind::Ping => Ok(Some(Message::Ping(payload.freeze()))),
            Kind::Pong => Ok(Some(Message::Pong(payload.freeze()))),
            Kind::Close => close_message(payload.freeze()).map(Some),
            Kind::Text | Kind::Binary => {
                if self.fragments.is_some() {
                    return Err(Violation::new(close::PROTOCOL_ERROR, "a new message inside a fragmented one"));
                }
                if fin {
                    return Ok(Some(data_message(kind, payload.freeze())));
                }
                // Copied, so that a message in many small fragments pins no read buffer.
                self.fragments = Some(Box::new(Fragments { kind, data: BytesMut::from(&payload[..]) }));
                Ok(None)
            }
            Kind::Continuation => {
                let Some(fragments) = &mut self.fragments else {
                    return Err(Violation::new(close::PROTOCOL_ERROR, "continuation of nothing"));
                };
                fragments.data.extend_from_slice(&payload);
                if !fin {
                    return Ok(None);
                }
                let whole = self.fragments.take().expect("just used");
                Ok(Some(data_message(whole.kind, whole.data.freeze())))
            }
        }
    }
}

fn data_message(kind: Kind, payload: Bytes) -> Message {
    if kind == Kind::Text { Message::Text(payload) } else { Message::Binary(payload) }
}

fn close_message(payload: Bytes) -> Result<Message, Violation> {
    match payload.len() {
        0 => Ok(Message::Close(None, Bytes::new())),
        1 => Err(Violation::new(close::PROTOCOL_ERROR, "close frame of one byte")),
        _ => {
            let code = u16::from_be_bytes([payload[0], payload[1]]);
            let reason = payload.slice(2..);
            if !close::is_valid_on_wire(code) || std::str::from_utf8(&reason).is_err() {
                return Err(Violation::new(close::PROTOCOL_ERROR, "invalid close code or reason"));
            }
            Ok(Message::Close(Some(code), reason))
        }
    }
}

/// Appends a whole frame to `out`, masked if a mask is given (clients must, servers must not).
pub fn append(out: &mut BytesMut, kind: Kind, payload: &[u8], key: Option<[u8; 4]>) {
    let mut head = [0; MAX_HEADER];
    let len = header::write(kind, payload.len(), key, &mut head);
    out.reserve(len + payload.len());
    out.put_slice(&head[..len]);
    let start = out.len();
    out.put_slice(payload);
    if let Some(key) = key {
        mask::apply(&mut out[start..], key);
    }
}

/// Appends a close frame. The reason is cut at 123 bytes, on a character boundary.
pub fn append_close(out: &mut BytesMut, code: u16, reason: &str, key: Option<[u8; 4]>) {
    let mut end = reason.len().min(123);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let mut payload = Vec::with_capacity(2 + end);
    payload.extend_from_slice(&code.to_be_bytes());
    payload.extend_from_slice(&reason.as_bytes()[..end]);
    append(out, Kind::Close, &payload, key);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read_all(bytes: &[u8], step: usize) -> Result<Vec<Message>, Violation> {
        let mut reader = Reader::new(Role::Server, 1 << 20);
        let mut buf = BytesMut::new();
        let mut messages = Vec::new();
        for piece in bytes.chunks(step.max(1)) {
            buf.extend_from_slice(piece);
            while let Progress::Message(message) = reader.next(&mut buf)? {
                messages.push(message);
            }
        }
        Ok(messages)
    }

    proptest! {
        #[test]
        fn messages_survive_any_cutting_of_the_stream(
            payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..8),
            key: [u8; 4],
            step in 1usize..97,
        ) {
            let mut stream = BytesMut::new();
            for payload in &payloads {
                append(&mut stream, Kind::Binary, payload, Some(key));
            }
            let expected: Vec<_> = payloads.into_iter().map(|p| Message::Binary(p.into())).collect();
            prop_assert_eq!(read_all(&stream, step).unwrap(), expected);
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>, step in 1usize..20) {
            let _ = read_all(&bytes, step);
        }
    }

    fn fragment(kind_bits: u8, payload: &[u8]) -> Vec<u8> {
        let mut out = vec![kind_bits, 0x80 | payload.len() as u8, 0, 0, 0, 0];
        out.extend_from_slice(payload);
        out
    }

    #[test]
    fn fragments_are_joined_and_a_ping_may_stand_between_them() {
        let bytes = [fragment(0x02, b"ab"), fragment(0x89, b"?"), fragment(0x00, b"cd"), fragment(0x80, b"e")].concat();
        let messages = read_all(&bytes, 3).unwrap();
        assert_eq!(messages, [Message::Ping(Bytes::from_static(b"?")), Message::Binary(Bytes::from_static(b"abcde"))]);
    }

    #[test]
    fn faults_have_their_close_codes() {
        let unmasked = [0x82u8, 1, 0];
        for (bytes, code) in [
            (unmasked.to_vec(), 1002),
            (fragment(0x80, b"x"), 1002),
            ([fragment(0x02, b"x"), fragment(0x82, b"y")].concat(), 1002),
            (fragment(0x88, &[1]), 1002),
            (fragment(0x88, &1005u16.to_be_bytes()), 1002),
            (vec![0x82, 0xFF, 0, 0, 0, 0, 0, 0x50, 0, 0, 1, 2, 3, 4], 1009),
        ] {
            assert_eq!(read_all(&bytes, bytes.len()).unwrap_err().code, code, "{bytes:?}");
        }
        let mut small = Reader::new(Role::Server, 4);
        let mut buf = BytesMut::from(&[fragment(0x02, b"abc"), fragment(0x80, b"de")].concat()[..]);
        assert_eq!(small.next(&mut buf).unwrap_err().code, 1009);
    }
}
