//! Frames out of messages.

use super::raw::{NOT_UTF8, Reader};
use super::{Auth, Call, Chunk, ErrorFrame, Frame, Headers, Ready, Request, Response, usual};
use crate::limits::{COPY_THRESHOLD_BYTES, MAX_FRAME_KEYS};
use crate::pieces::Pieces;

/// The message is no frame: the session ends with 1002. Holds why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// A number that no two names of the same length, of at most eight bytes, have in common: their bytes, loaded from both
/// ends at once, in the middle twice.
const fn word(name: &[u8]) -> u64 {
    if let (Some(front), Some(back)) = (name.first_chunk(), name.last_chunk()) {
        (u32::from_be_bytes(*front) as u64) << 32 | u32::from_be_bytes(*back) as u64
    } else if let (Some(front), Some(back)) = (name.first_chunk(), name.last_chunk()) {
        (u16::from_be_bytes(*front) as u64) << 16 | u16::from_be_bytes(*back) as u64
    } else if let [only] = name {
        *only as u64
    } else {
        0
    }
}

macro_rules! keys {
    ({ $($short:ident $name:literal)* } { $($long:ident $text:literal)* }) => {
        #[derive(Clone, Copy, PartialEq)]
        pub(super) enum Key { $($short,)* $($long,)* }
        const KEYS: usize = [$($name.len(),)* $($text.len(),)*].len();
        const _: () = assert!(true $(&& $name.len() <= 8)* $(&& $text.len() > 8)*);
        #[allow(non_upper_case_globals, reason = "the keys' own names")]
        mod words {
            $(pub(super) const $short: u64 = super::word($name);)*
        }
        impl Key {
            #[inline]
            pub(super) fn parse(name: &[u8]) -> Option<Self> {
                if name.len() > 8 {
                    return match name { $($text => Some(Self::$long),)* _ => None };
                }
                match word(name) {
                    $(words::$short if name.len() == $name.len() => Some(Self::$short),)*
                    _ => None,
                }
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

/// The raw values of the known keys.
struct Fields<'a> {
    message: &'a [u8],
    /// Where each value begins and ends; one that is absent ends at 0. A nil counts as absent.
    spans: [(u32, u32); KEYS],
    /// Bytes of the body's value that are in later pieces.
    behind: usize,
}

impl<'a> Fields<'a> {
    #[inline]
    fn read(message: &'a [u8], behind: usize) -> Result<Self, Malformed> {
        let mut fields = Self { message, spans: [(0, 0); KEYS], behind };
        fields.find()?;
        Ok(fields)
    }

    fn find(&mut self) -> Result<(), Malformed> {
        if u32::try_from(self.message.len()).is_err() {
            return Err(Malformed("too long"));
        }
        let mut reader = Reader::new(self.message);
        let count = reader.map()?;
        if count > MAX_FRAME_KEYS {
            return Err(Malformed("too many keys"));
        }
        let mut unknown: Vec<&[u8]> = Vec::new();
        for _ in 0..count {
            let name = reader.text_bytes()?;
            let (key, start) = (Key::parse(name), reader.at);
            match key {
                Some(Key::Body) if self.behind > 0 => reader.skip_cut(self.behind)?,
                _ => reader.skip_value()?,
            }
            let seen = match key {
                Some(key) => {
                    let span = (start as u32, if reader.is_nil_at(start) { 0 } else { reader.at as u32 });
                    std::mem::replace(&mut self.spans[key as usize], span) != (0, 0)
                }
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
        if reader.at != self.message.len() {
            return Err(Malformed("bytes after the map"));
        }
        Ok(())
    }

    #[inline]
    fn get(&self, key: Key) -> Option<Reader<'a>> {
        let (start, end) = self.spans[key as usize];
        (end > 0).then(|| Reader::new(&self.message[start as usize..end as usize]))
    }

    #[inline]
    fn opt_text(&self, key: Key) -> Result<Option<&'a str>, Malformed> {
        self.get(key).map(|mut value| value.text()).transpose()
    }

    #[inline]
    fn text(&self, key: Key) -> Result<&'a str, Malformed> {
        self.opt_text(key)?.ok_or(Malformed("a required key is missing"))
    }

    #[inline]
    fn opt_number(&self, key: Key) -> Result<Option<u64>, Malformed> {
        self.get(key).map(|mut value| value.unsigned()).transpose()
    }

    #[inline]
    fn number(&self, key: Key) -> Result<u64, Malformed> {
        self.opt_number(key)?.ok_or(Malformed("a required key is missing"))
    }

    #[inline]
    fn flag(&self, key: Key) -> Result<bool, Malformed> {
        self.get(key).map_or(Ok(false), |mut value| value.flag())
    }

    #[inline]
    fn body(&self) -> Result<&'a [u8], Malformed> {
        self.get(Key::Body).ok_or(Malformed("a required key is missing"))?.bin(self.behind)
    }

    #[inline]
    fn headers(&self) -> Result<Headers<'a>, Malformed> {
        self.get(Key::Headers).map_or(Ok(Headers::default()), |value| Headers::from_raw(value.bytes))
    }

    /// The raw value, a nil too.
    fn raw(&self, key: Key) -> &'a [u8] {
        let (start, end) = self.spans[key as usize];
        if start == 0 { &[] } else { &self.message[start as usize..(end.max(start + 1)) as usize] }
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
    match usual::read(message) {
        Some(frame) => Ok(frame),
        None => decode_any(message),
    }
}

/// [`decode`], however unusual the message is.
pub(super) fn decode_any(message: &[u8]) -> Result<Frame<'_>, Malformed> {
    frame(&Fields::read(message, 0)?)
}

/// Reads one frame whose body may go on in later pieces: the frame's `body` is what the first one holds of it, and
/// [`Pieces::slice_ref`] makes the whole of it.
///
/// # Errors
/// As [`decode`]; also if the message is cut elsewhere than in its body, which [`join_envelope`] mends.
pub fn decode_pieces(message: &Pieces) -> Result<Frame<'_>, Malformed> {
    match message.behind() {
        0 => decode(message.first()),
        behind => frame(&Fields::read(message.first(), behind)?),
    }
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
    let kind = fields.get(Key::Type).ok_or(Malformed("a required key is missing"))?.text_bytes()?;
    match kind {
        b"auth" => auth(fields),
        b"ready" => ready(fields),
        b"request" => request(fields),
        b"response" => Ok(Frame::Response(Response {
            id: fields.number(Key::Id)?,
            status: fields.opt_number(Key::Status)?,
            headers: fields.headers()?,
            more: fields.flag(Key::More)?,
            body: fields.body()?,
        })),
        b"chunk" => {
            Ok(Frame::Chunk(Chunk { id: fields.number(Key::Id)?, more: fields.flag(Key::More)?, body: fields.body()? }))
        }
        b"credit" => Ok(Frame::Credit { id: fields.number(Key::Id)?, bytes: fields.number(Key::Bytes)? }),
        b"cancel" => Ok(Frame::Cancel { id: fields.number(Key::Id)?, code: fields.opt_text(Key::Code)? }),
        b"error" => Ok(Frame::Error(ErrorFrame {
            id: fields.opt_number(Key::Id)?,
            code: fields.text(Key::Code)?,
            detail: fields.opt_text(Key::Detail)?,
            retry_after_ms: fields.opt_number(Key::RetryAfterMs)?,
        })),
        b"call" => call(fields),
        b"ping" => Ok(Frame::Ping(fields.raw(Key::T))),
        b"pong" => Ok(Frame::Pong(fields.raw(Key::T))),
        b"drain" => Ok(Frame::Drain {
            deadline_ms: fields.number(Key::DeadlineMs)?,
            redial_after_ms: fields.number(Key::RedialAfterMs)?,
        }),
        other => std::str::from_utf8(other).map(Frame::Unknown).map_err(|_| NOT_UTF8),
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
