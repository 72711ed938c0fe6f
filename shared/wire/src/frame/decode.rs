//! Frames out of messages.

use super::raw::{NOT_UTF8, Reader, is_nil};
use super::{Auth, Call, Chunk, ErrorFrame, Frame, Headers, Ready, Request, Response};
use crate::limits::{COPY_THRESHOLD_BYTES, MAX_FRAME_KEYS};
use crate::pieces::Pieces;

/// The message is no frame: the session ends with 1002. Holds why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// The first eight bytes of a name as a number, so that a short name is found by one comparison of words.
const fn word(name: &[u8]) -> u64 {
    let (mut word, mut at) = (0, 0);
    while at < name.len() && at < 8 {
        word = word << 8 | name[at] as u64;
        at += 1;
    }
    word
}

macro_rules! keys {
    ({ $($short:ident $name:literal)* } { $($long:ident $text:literal)* }) => {
        #[derive(Clone, Copy, PartialEq)]
        enum Key { $($short,)* $($long,)* }
        const KEYS: usize = [$($name.len(),)* $($text.len(),)*].len();
        const _: () = assert!(true $(&& $name.len() <= 8)* $(&& $text.len() > 8)*);
        impl Key {
            fn parse(name: &[u8]) -> Option<Self> {
                if name.len() > 8 {
                    return match name { $($text => Some(Self::$long),)* _ => None };
                }
                // The length tells apart what begins with a NUL.
                let found = word(name);
                $(if found == const { word($name) } && name.len() == $name.len() {
                    return Some(Self::$short);
                })*
                None
            }
        }
    };
}

keys! {
    {
        Type b"type" Id b"id" Body b"body" Status b"status" Headers b"headers" More b"more" To b"to" From b"from"
        Method b"method" Verb b"verb" Path b"path" Stream b"stream" Bytes b"bytes" Code b"code" Detail b"detail"
        T b"t" V b"v" Token b"token" Client b"client" Features b"features" AgentId b"agent_id" Node b"node"
    }
    {
        RequestId b"request_id" DeadlineMs b"deadline_ms" TimeoutMs b"timeout_ms" RetryAfterMs b"retry_after_ms"
        SessionId b"session_id" HeartbeatS b"heartbeat_s" MaxBodyBytes b"max_body_bytes"
        MaxInFlight b"max_in_flight" WindowBytes b"window_bytes" RedialAfterMs b"redial_after_ms"
    }
}

/// The raw values of the known keys. A nil counts as absent.
struct Fields<'a> {
    values: [Option<&'a [u8]>; KEYS],
    /// Bytes of the body's value that are in later pieces.
    behind: usize,
}

impl<'a> Fields<'a> {
    fn read(message: &'a [u8], behind: usize) -> Result<Self, Malformed> {
        let mut reader = Reader::new(message);
        let count = reader.map()?;
        if count > MAX_FRAME_KEYS {
            return Err(Malformed("too many keys"));
        }
        let mut values = [None; KEYS];
        let mut unknown: Vec<&[u8]> = Vec::new();
        for _ in 0..count {
            let name = reader.text_bytes()?;
            let key = Key::parse(name);
            let value = match key {
                Some(Key::Body) if behind > 0 => reader.skip_cut(behind)?,
                _ => reader.skip(2)?,
            };
            let seen = match key {
                Some(key) => values[key as usize].replace(value).is_some(),
                None if unknown.contains(&name) && !cfg!(landline_planted_bug) => true,
                None if std::str::from_utf8(name).is_err() => return Err(NOT_UTF8),
                None => {
                    unknown.push(name);
                    false
                }
            };
            if seen {
                return Err(Malformed("a key stands twice"));
            }
        }
        if reader.at != message.len() {
            return Err(Malformed("bytes after the map"));
        }
        Ok(Self { values, behind })
    }

    fn get(&self, key: Key) -> Option<Reader<'a>> {
        self.values[key as usize].filter(|value| !is_nil(value)).map(Reader::new)
    }

    fn opt_text(&self, key: Key) -> Result<Option<&'a str>, Malformed> {
        self.get(key).map(|mut value| value.text()).transpose()
    }

    fn text(&self, key: Key) -> Result<&'a str, Malformed> {
        self.opt_text(key)?.ok_or(Malformed("a required key is missing"))
    }

    fn opt_number(&self, key: Key) -> Result<Option<u64>, Malformed> {
        self.get(key).map(|mut value| value.unsigned()).transpose()
    }

    fn number(&self, key: Key) -> Result<u64, Malformed> {
        self.opt_number(key)?.ok_or(Malformed("a required key is missing"))
    }

    fn flag(&self, key: Key) -> Result<bool, Malformed> {
        self.get(key).map_or(Ok(false), |mut value| value.flag())
    }

    fn body(&self) -> Result<&'a [u8], Malformed> {
        self.get(Key::Body).ok_or(Malformed("a required key is missing"))?.bin(self.behind)
    }

    fn headers(&self) -> Result<Headers<'a>, Malformed> {
        self.get(Key::Headers).map_or(Ok(Headers::default()), |value| Headers::from_raw(value.bytes))
    }

    fn raw(&self, key: Key) -> &'a [u8] {
        self.values[key as usize].unwrap_or_default()
    }

    fn features(&self) -> Result<(bool, bool), Malformed> {
        let (mut parts, mut shared) = (false, false);
        if let Some(mut list) = self.get(Key::Features) {
            for _ in 0..list.array()? {
                match list.text()? {
                    "parts" => parts = true,
                    "shared" => shared = true,
                    _ => {}
                }
            }
        }
        Ok((parts, shared))
    }
}

/// Reads one frame.
///
/// # Errors
/// [`Malformed`]: broken MessagePack, not a map, a key twice, a required key missing, or a known key with a value of
/// another type. All of them end the session with 1002.
pub fn decode(message: &[u8]) -> Result<Frame<'_>, Malformed> {
    frame(&Fields::read(message, 0)?)
}

/// Reads one frame whose body may go on in later pieces: the frame's `body` is what the first one holds of it, and
/// [`Pieces::slice_ref`] makes the whole of it.
///
/// # Errors
/// As [`decode`]; also if the message is cut elsewhere than in its body, which [`join_envelope`] mends.
pub fn decode_pieces(message: &Pieces) -> Result<Frame<'_>, Malformed> {
    frame(&Fields::read(message.first(), message.behind())?)
}

/// Joins the pieces of a message as far as they have to be for [`decode_pieces`]: until only the body is cut, or, where
/// the body is not the last key, until nothing is.
pub fn join_envelope(message: &mut Pieces) {
    let is_cut_badly = |message: &Pieces| {
        let behind = message.behind();
        behind > 0 && Fields::read(message.first(), behind).is_err()
    };
    if is_cut_badly(message) {
        // An envelope is short: nearly always only its own bytes have to move.
        message.join_front(message.first().len().saturating_add(COPY_THRESHOLD_BYTES));
        if is_cut_badly(message) {
            message.join_front(usize::MAX);
        }
    }
}

fn frame<'a>(fields: &Fields<'a>) -> Result<Frame<'a>, Malformed> {
    match fields.text(Key::Type)? {
        "auth" => auth(fields),
        "ready" => ready(fields),
        "request" => request(fields),
        "response" => Ok(Frame::Response(Response {
            id: fields.number(Key::Id)?,
            status: fields.opt_number(Key::Status)?,
            headers: fields.headers()?,
            more: fields.flag(Key::More)?,
            body: fields.body()?,
        })),
        "chunk" => {
            Ok(Frame::Chunk(Chunk { id: fields.number(Key::Id)?, more: fields.flag(Key::More)?, body: fields.body()? }))
        }
        "credit" => Ok(Frame::Credit { id: fields.number(Key::Id)?, bytes: fields.number(Key::Bytes)? }),
        "cancel" => Ok(Frame::Cancel { id: fields.number(Key::Id)?, code: fields.opt_text(Key::Code)? }),
        "error" => Ok(Frame::Error(ErrorFrame {
            id: fields.opt_number(Key::Id)?,
            code: fields.text(Key::Code)?,
            detail: fields.opt_text(Key::Detail)?,
            retry_after_ms: fields.opt_number(Key::RetryAfterMs)?,
        })),
        "call" => call(fields),
        "ping" => Ok(Frame::Ping(fields.raw(Key::T))),
        "pong" => Ok(Frame::Pong(fields.raw(Key::T))),
        "drain" => Ok(Frame::Drain {
            deadline_ms: fields.number(Key::DeadlineMs)?,
            redial_after_ms: fields.number(Key::RedialAfterMs)?,
        }),
        other => Ok(Frame::Unknown(other)),
    }
}

fn auth<'a>(fields: &Fields<'a>) -> Result<Frame<'a>, Malformed> {
    let (parts, shared) = fields.features()?;
    Ok(Frame::Auth(Auth {
        v: fields.number(Key::V)?,
        token: fields.text(Key::Token)?,
        client: fields.opt_text(Key::Client)?,
        parts,
        shared,
    }))
}

fn ready<'a>(fields: &Fields<'a>) -> Result<Frame<'a>, Malformed> {
    Ok(Frame::Ready(Ready {
        agent_id: fields.text(Key::AgentId)?,
        session_id: fields.text(Key::SessionId)?,
        node: fields.text(Key::Node)?,
        heartbeat_s: fields.number(Key::HeartbeatS)?,
        max_body_bytes: fields.number(Key::MaxBodyBytes)?,
        max_in_flight: fields.number(Key::MaxInFlight)?,
        window_bytes: fields.number(Key::WindowBytes)?,
    }))
}

fn request<'a>(fields: &Fields<'a>) -> Result<Frame<'a>, Malformed> {
    Ok(Frame::Request(Request {
        id: fields.number(Key::Id)?,
        from: fields.opt_text(Key::From)?,
        method: fields.opt_text(Key::Method)?,
        request_id: fields.text(Key::RequestId)?,
        verb: fields.opt_text(Key::Verb)?,
        path: fields.opt_text(Key::Path)?,
        headers: fields.headers()?,
        stream: fields.flag(Key::Stream)?,
        deadline_ms: fields.number(Key::DeadlineMs)?,
        more: fields.flag(Key::More)?,
        body: fields.body()?,
    }))
}

fn call<'a>(fields: &Fields<'a>) -> Result<Frame<'a>, Malformed> {
    Ok(Frame::Call(Call {
        id: fields.number(Key::Id)?,
        to: fields.text(Key::To)?,
        method: fields.opt_text(Key::Method)?,
        request_id: fields.opt_text(Key::RequestId)?,
        verb: fields.opt_text(Key::Verb)?,
        path: fields.opt_text(Key::Path)?,
        headers: fields.headers()?,
        stream: fields.flag(Key::Stream)?,
        timeout_ms: fields.opt_number(Key::TimeoutMs)?,
        more: fields.flag(Key::More)?,
        body: fields.body()?,
    }))
}
