//! WebSocket messages out of arbitrary bytes, read from both ends. Cutting the stream changes nothing; a reader
//! written from RFC 6455 as plainly as possible finds the same; what was read can be written and read again.

use bytes::{Bytes, BytesMut};
use landline_wire::close;
use landline_wire::header::{self, Kind};
use landline_wire::message::{Message, Progress, Reader, Role, append, append_close};
use landline_wire::pieces::Pieces;

use super::cuts::cuttings;

/// Small enough for fragments to overflow it, large enough for sixteen-bit lengths.
const MAX_MESSAGE: usize = 300;

/// What a stream held: its messages, then the code it was closed for or the bytes that are still incomplete.
#[derive(Debug, PartialEq)]
struct Outcome {
    messages: Vec<Message>,
    end: Result<usize, u16>,
}

/// The target.
pub(crate) fn check(stream: &[u8]) {
    if let Ok(Some(head)) = header::parse(stream) {
        assert!(head.len <= header::MAX_HEADER && head.len <= stream.len());
    }
    for role in [Role::Server, Role::Client] {
        let expected = plain(stream, role);
        for pieces in cuttings(stream) {
            assert_eq!(read(&pieces, role), expected, "{role:?}");
            let (messages, end) = read_cutting(&pieces, role);
            assert_eq!((&messages, end), (&expected.messages, expected.end.err()), "{role:?}, each frame cut");
        }
        write_again(&expected.messages, role);
    }
}

fn read(pieces: &[&[u8]], role: Role) -> Outcome {
    let mut reader = Reader::new(role, MAX_MESSAGE);
    let mut buf = BytesMut::new();
    let mut messages = Vec::new();
    for piece in pieces {
        buf.extend_from_slice(piece);
        loop {
            match reader.next(&mut buf) {
                Ok(Progress::Message(message)) => messages.push(message),
                Ok(Progress::Need(room)) => {
                    assert!(room > buf.len() || room == header::MAX_HEADER, "asks for {room}, has {}", buf.len());
                    break;
                }
                Err(violation) => return Outcome { messages, end: Err(violation.code) },
            }
        }
    }
    Outcome { messages, end: Ok(buf.len()) }
}

/// Reads with buffers that are always too short: a frame that is not complete goes on in the next.
fn read_cutting(pieces: &[&[u8]], role: Role) -> (Vec<Message>, Option<u16>) {
    let mut reader = Reader::new(role, MAX_MESSAGE);
    let mut buf = BytesMut::new();
    let mut messages = Vec::new();
    for piece in pieces {
        buf.extend_from_slice(piece);
        loop {
            match reader.next(&mut buf) {
                Ok(Progress::Message(message)) => messages.push(message),
                Ok(Progress::Need(_)) => break,
                Err(violation) => return (messages, Some(violation.code)),
            }
        }
        reader.cut(&mut buf);
    }
    (messages, None)
}

/// RFC 6455 sections 5.2 to 5.5, with the whole stream at hand.
fn plain(stream: &[u8], role: Role) -> Outcome {
    let mut messages = Vec::new();
    let mut gathered: Option<(u8, Vec<u8>)> = None;
    let mut at = 0;
    let end = loop {
        let rest = &stream[at..];
        let Some(frame) = plain_frame(rest) else { break Ok(rest.len()) };
        let control = frame.opcode >= 8;
        let held = if control { 0 } else { gathered.as_ref().map_or(0, |(_, data)| data.len()) };
        if frame.is_broken() || frame.key.is_some() != (role == Role::Server) {
            break Err(close::PROTOCOL_ERROR);
        }
        if frame.len > (MAX_MESSAGE - held) as u64 {
            break Err(close::TOO_BIG);
        }
        let (start, stop) = (frame.head, frame.head + frame.len as usize);
        let Some(payload) = rest.get(start..stop) else { break Ok(rest.len()) };
        at += stop;
        let key = frame.key.unwrap_or_default();
        let data: Vec<u8> = payload.iter().enumerate().map(|(i, byte)| byte ^ key[i % 4]).collect();
        match (frame.opcode, &mut gathered) {
            (8, _) => match plain_close(data) {
                Some(message) => messages.push(message),
                None => break Err(close::PROTOCOL_ERROR),
            },
            (9, _) => messages.push(Message::Ping(data.into())),
            (10, _) => messages.push(Message::Pong(data.into())),
            (0, None) | (1 | 2, Some(_)) => break Err(close::PROTOCOL_ERROR),
            (0, Some((_, whole))) => {
                whole.extend(data);
                if frame.fin {
                    let (opcode, whole) = gathered.take().expect("matched");
                    messages.push(plain_message(opcode, whole));
                }
            }
            (opcode, None) if frame.fin => messages.push(plain_message(opcode, data)),
            (opcode, none) => *none = Some((opcode, data)),
        }
    };
    Outcome { messages, end }
}

struct PlainFrame {
    fin: bool,
    reserved: bool,
    opcode: u8,
    key: Option<[u8; 4]>,
    len: u64,
    head: usize,
}

impl PlainFrame {
    fn is_broken(&self) -> bool {
        let known = matches!(self.opcode, 0..=2 | 8..=10);
        let bad_control = self.opcode >= 8 && (!self.fin || self.len > 125);
        !known || self.reserved || bad_control || self.len >> 63 != 0
    }
}

fn plain_frame(bytes: &[u8]) -> Option<PlainFrame> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let wide = match second & 0x7F {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mut len = u64::from(second & 0x7F);
    if wide > 0 {
        len = bytes.get(2..2 + wide)?.iter().fold(0, |len, byte| len << 8 | u64::from(*byte));
    }
    let mut head = 2 + wide;
    let mut key = None;
    if second & 0x80 != 0 {
        key = Some(bytes.get(head..head + 4)?.try_into().expect("four bytes"));
        head += 4;
    }
    Some(PlainFrame { fin: first & 0x80 != 0, reserved: first & 0x70 != 0, opcode: first & 0x0F, key, len, head })
}

fn plain_message(opcode: u8, data: Vec<u8>) -> Message {
    let data = Pieces::from(Bytes::from(data));
    if opcode == 1 { Message::Text(data) } else { Message::Binary(data) }
}

fn plain_close(data: Vec<u8>) -> Option<Message> {
    match data.as_slice() {
        [] => Some(Message::Close(None, Bytes::new())),
        [_] => None,
        [high, low, reason @ ..] => {
            let code = u16::from(*high) << 8 | u16::from(*low);
            // RFC 6455 section 7.4 and the registry behind it: 1004 to 1006 and 1015 never stand on the wire.
            let legal = matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) && str::from_utf8(reason).is_ok();
            legal.then(|| Message::Close(Some(code), Bytes::copy_from_slice(reason)))
        }
    }
}

fn write_again(messages: &[Message], role: Role) {
    let key = (role == Role::Server).then_some([0xA5, 1, 0, 0x7F]);
    let mut stream = BytesMut::new();
    for message in messages {
        match message {
            Message::Text(data) => append(&mut stream, Kind::Text, &data.clone().into_bytes(), key),
            Message::Binary(data) => append(&mut stream, Kind::Binary, &data.clone().into_bytes(), key),
            Message::Ping(data) => append(&mut stream, Kind::Ping, data, key),
            Message::Pong(data) => append(&mut stream, Kind::Pong, data, key),
            Message::Close(None, _) => append(&mut stream, Kind::Close, &[], key),
            Message::Close(Some(code), reason) => {
                append_close(&mut stream, *code, str::from_utf8(reason).expect("checked when read"), key);
            }
        }
    }
    assert_eq!(read(&[&stream], role), Outcome { messages: messages.to_vec(), end: Ok(0) });
}
