//! Calls, answers and their parts as ordinary clients write them, read in one go.
//!
//! Nearly every message is one of them: `type` first, then keys that belong to that frame, each once and none nil. Whatever
//! is not is left to [`super::decode`], which says of every message what it is or what is wrong with it; of those that
//! are read here it says the same.

use super::decode::Key;
use super::{Call, Chunk, Frame, Headers, Request, Response};

/// A frame, if the message is a usual one.
#[inline]
pub(super) fn read(message: &[u8]) -> Option<Frame<'_>> {
    let (marker, rest) = message.split_first()?;
    let mut values = Values { rest: rest.strip_prefix(b"\xA4type")?, seen: bit(Key::Type) };
    let others = usize::from(marker & 0x0F).checked_sub(1).filter(|_| marker & 0xF0 == 0x80)?;
    match values.name()? {
        b"call" => call(values, others),
        b"response" => response(values, others),
        b"chunk" => chunk(values, others),
        b"request" => request(values, others),
        _ => None,
    }
}

const fn bit(key: Key) -> u64 {
    1 << key as u32
}

/// What is left of a message.
struct Values<'a> {
    rest: &'a [u8],
    /// The keys that were read.
    seen: u64,
}

impl<'a> Values<'a> {
    #[inline]
    fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    #[inline]
    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    #[inline]
    fn number<const BYTES: usize>(&mut self) -> Option<[u8; BYTES]> {
        let (number, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*number)
    }

    /// A text of at most 31 bytes.
    #[inline]
    fn name(&mut self) -> Option<&'a [u8]> {
        let marker = self.byte().filter(|marker| marker & 0xE0 == 0xA0)?;
        self.take(usize::from(marker & 0x1F))
    }

    /// The next key, if it is a known one that was not read before.
    #[inline]
    fn key(&mut self) -> Option<Key> {
        let key = Key::parse(self.name()?)?;
        let before = self.seen;
        self.seen |= bit(key);
        (before != self.seen).then_some(key)
    }

    #[inline]
    fn text(&mut self) -> Option<&'a str> {
        let len = match self.byte()? {
            marker @ 0xA0..=0xBF => usize::from(marker & 0x1F),
            0xD9 => usize::from(self.byte()?),
            0xDA => u16::from_be_bytes(self.number()?).into(),
            _ => return None,
        };
        std::str::from_utf8(self.take(len)?).ok()
    }

    #[inline]
    fn unsigned(&mut self) -> Option<u64> {
        Some(match self.byte()? {
            number @ 0..=0x7F => number.into(),
            0xCC => self.byte()?.into(),
            0xCD => u16::from_be_bytes(self.number()?).into(),
            0xCE => u32::from_be_bytes(self.number()?).into(),
            0xCF => u64::from_be_bytes(self.number()?),
            _ => return None,
        })
    }

    #[inline]
    fn flag(&mut self) -> Option<bool> {
        match self.byte()? {
            0xC3 => Some(true),
            0xC2 => Some(false),
            _ => None,
        }
    }

    fn headers(&mut self) -> Option<Headers<'a>> {
        let map = self.rest;
        let count = self.byte().filter(|marker| marker & 0xF0 == 0x80)? & 0x0F;
        for _ in 0..2 * count {
            self.text()?;
        }
        Some(Headers::of(&map[..map.len() - self.rest.len()], 1, count.into()))
    }

    #[inline]
    fn body(&mut self) -> Option<&'a [u8]> {
        let len = match self.byte()? {
            0xC4 => self.byte()?.into(),
            0xC5 => u16::from_be_bytes(self.number()?).into(),
            0xC6 => u32::from_be_bytes(self.number()?) as usize,
            _ => return None,
        };
        self.take(len)
    }

    /// Was everything read, and all of these keys among it?
    #[inline]
    fn is_whole(&self, required: u64) -> bool {
        self.rest.is_empty() && self.seen & required == required
    }
}

fn call<'a>(mut values: Values<'a>, others: usize) -> Option<Frame<'a>> {
    let mut call = Call::default();
    for _ in 0..others {
        match values.key()? {
            Key::Id => call.id = values.unsigned()?,
            Key::To => call.to = values.text()?,
            Key::Method => call.method = Some(values.text()?),
            Key::RequestId => call.request_id = Some(values.text()?),
            Key::Verb => call.verb = Some(values.text()?),
            Key::Path => call.path = Some(values.text()?),
            Key::Headers => call.headers = values.headers()?,
            Key::TimeoutMs => call.timeout_ms = Some(values.unsigned()?),
            Key::Stream => call.stream = values.flag()?,
            Key::More => call.more = values.flag()?,
            Key::Body => call.body = values.body()?,
            _ => return None,
        }
    }
    values.is_whole(bit(Key::Id) | bit(Key::To) | bit(Key::Body)).then_some(Frame::Call(call))
}

fn response<'a>(mut values: Values<'a>, others: usize) -> Option<Frame<'a>> {
    let mut response = Response::default();
    for _ in 0..others {
        match values.key()? {
            Key::Id => response.id = values.unsigned()?,
            Key::Status => response.status = Some(values.unsigned()?),
            Key::Headers => response.headers = values.headers()?,
            Key::More => response.more = values.flag()?,
            Key::Body => response.body = values.body()?,
            _ => return None,
        }
    }
    values.is_whole(bit(Key::Id) | bit(Key::Body)).then_some(Frame::Response(response))
}

fn chunk<'a>(mut values: Values<'a>, others: usize) -> Option<Frame<'a>> {
    let mut chunk = Chunk::default();
    for _ in 0..others {
        match values.key()? {
            Key::Id => chunk.id = values.unsigned()?,
            Key::More => chunk.more = values.flag()?,
            Key::Body => chunk.body = values.body()?,
            _ => return None,
        }
    }
    values.is_whole(bit(Key::Id) | bit(Key::Body)).then_some(Frame::Chunk(chunk))
}

fn request<'a>(mut values: Values<'a>, others: usize) -> Option<Frame<'a>> {
    let mut request = Request::default();
    for _ in 0..others {
        match values.key()? {
            Key::Id => request.id = values.unsigned()?,
            Key::From => request.from = Some(values.text()?),
            Key::Method => request.method = Some(values.text()?),
            Key::RequestId => request.request_id = values.text()?,
            Key::Verb => request.verb = Some(values.text()?),
            Key::Path => request.path = Some(values.text()?),
            Key::Headers => request.headers = values.headers()?,
            Key::DeadlineMs => request.deadline_ms = values.unsigned()?,
            Key::Stream => request.stream = values.flag()?,
            Key::More => request.more = values.flag()?,
            Key::Body => request.body = values.body()?,
            _ => return None,
        }
    }
    let required = bit(Key::Id) | bit(Key::RequestId) | bit(Key::DeadlineMs) | bit(Key::Body);
    values.is_whole(required).then_some(Frame::Request(request))
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use proptest::prelude::*;

    use super::*;
    use crate::frame::decode::decode_any;
    use crate::frame::{HeadersBuilder, encode};

    proptest! {
        /// Broken in any place, at most two: what is read here is what the decoder of all messages reads.
        #[test]
        fn it_agrees_with_the_decoder_of_all_messages(
            kind in 0..4,
            flags in any::<(bool, bool)>(),
            (id, number) in any::<(u64, Option<u64>)>(),
            text in prop::option::of("[a-zé]{0,40}"),
            fields in prop::collection::vec(("[a-d]|[a-z]{40}", "[ -~]{0,40}|[a-z]{300}"), 0..4),
            body in prop::collection::vec(any::<u8>(), 0..300),
            breaks in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        ) {
            let (text, body, (stream, more)) = (text.as_deref(), &body[..], flags);
            let mut headers = HeadersBuilder::default();
            fields.iter().for_each(|(name, value)| headers.push(name, value));
            let (headers, verb, path) = (headers.encode(), text, text);
            let headers = headers.as_headers();
            let frame = match kind {
                0 => Frame::Call(Call { id, to: "t", method: text, verb, path, headers, timeout_ms: number, stream, more, body, request_id: text }),
                1 => Frame::Response(Response { id, status: number, headers, more, body }),
                2 => Frame::Chunk(Chunk { id, more, body }),
                _ => Frame::Request(Request { id, from: text, method: text, request_id: "r", verb, path, headers, deadline_ms: 7, stream, more, body }),
            };
            let mut message = BytesMut::new();
            encode(&mut message, &frame);
            prop_assert_eq!(read(&message), Some(frame));
            for (place, byte) in breaks {
                // The bodies' own bytes are the least interesting ones.
                let end = message.len() - body.len();
                message[place.index(end)] = byte;
            }
            if let Some(frame) = read(&message) {
                prop_assert_eq!(decode_any(&message), Ok(frame));
            }
        }
    }

    #[test]
    fn what_is_not_usual_is_left_to_the_decoder_of_all_messages() {
        for message in [
            &b"\x83\xA4type\xA5chunk\xA2id\xC0\xA4body\xC4\x00"[..],
            b"\x84\xA4type\xA5chunk\xA2id\x04\xA2id\x04\xA4body\xC4\x00",
            b"\x84\xA4type\xA5chunk\xA2id\x04\xA3new\x04\xA4body\xC4\x00",
            b"\x83\xA2id\x04\xA4type\xA5chunk\xA4body\xC4\x00",
            b"\x82\xA4type\xA5chunk\xA2id\x04",
            b"\x83\xA4type\xA5chunk\xA2id\x04\xA4body\xC4\x00x",
            b"\x80\xA4type\xA5chunk",
            b"",
        ] {
            assert_eq!(read(message), None, "{message:?}");
        }
    }
}
