//! Frames into messages: `type` first, `body` last, absent optional keys left out.

use bytes::BytesMut;

use super::sink::{Count, Place, Sink};
use super::{Call, Frame, Headers, Request, Response};
use crate::header::{self, Kind, MAX_HEADER};

/// Short texts as MessagePack, one behind the other, made when this is compiled.
macro_rules! texts {
    ($($text:literal)+) => {{
        const LEN: usize = 0 $(+ 1 + $text.len())+;
        const ENCODED: [u8; LEN] = fix_strs(&[$($text),+]);
        &ENCODED
    }};
}

const fn fix_strs<const N: usize>(texts: &[&str]) -> [u8; N] {
    let (mut out, mut at, mut text) = ([0; N], 0, 0);
    while text < texts.len() {
        let bytes = texts[text].as_bytes();
        assert!(bytes.len() < 32, "longer texts have another marker");
        out[at] = 0xA0 | bytes.len() as u8;
        at += 1;
        let mut byte = 0;
        while byte < bytes.len() {
            out[at] = bytes[byte];
            at += 1;
            byte += 1;
        }
        text += 1;
    }
    out
}

/// A marker and the shortest big-endian number that holds `len`.
#[inline]
fn put_long(out: &mut impl Sink, markers: [u8; 3], len: usize) {
    if let Ok(len) = u8::try_from(len) {
        out.put(&[markers[0], len]);
    } else if let Ok(len) = u16::try_from(len) {
        let len = len.to_be_bytes();
        out.put(&[markers[1], len[0], len[1]]);
    } else {
        let len = (len as u32).to_be_bytes();
        out.put(&[markers[2], len[0], len[1], len[2], len[3]]);
    }
}

pub(super) fn put_map(out: &mut impl Sink, entries: usize) {
    match entries {
        0..=15 => out.put(&[0x80 | entries as u8]),
        // There is no map whose number of entries takes one byte.
        16..=0xFF => out.put(&[0xDE, 0, entries as u8]),
        _ => put_long(out, [0, 0xDE, 0xDF], entries),
    }
}

/// Bytes that [`put_map`] writes.
pub(super) fn map_head_len(entries: usize) -> usize {
    let mut count = Count(0);
    put_map(&mut count, entries);
    count.0
}

#[inline]
pub(super) fn put_str(out: &mut impl Sink, text: &str) {
    match text.len() {
        len @ 0..=31 => out.put(&[0xA0 | len as u8]),
        len => put_long(out, [0xD9, 0xDA, 0xDB], len),
    }
    out.put(text.as_bytes());
}

/// The shortest form, as `rmp` picks it.
#[inline]
fn put_uint(out: &mut impl Sink, number: u64) {
    match number {
        0..=0x7F => out.put(&[number as u8]),
        0x80..=0xFFFF_FFFF => put_long(out, [0xCC, 0xCD, 0xCE], number as usize),
        _ => {
            let mut bytes = [0xCF; 9];
            bytes[1..].copy_from_slice(&number.to_be_bytes());
            out.put(&bytes);
        }
    }
}

/// A map that begins with its `type`. It has as many entries as were said at its beginning.
struct Map<'o, S> {
    out: &'o mut S,
}

impl<'o, S: Sink> Map<'o, S> {
    /// `head` are the texts `type` and its value, and the name of the next key if that is always there.
    #[inline]
    fn new(out: &'o mut S, head: &[u8], entries: usize) -> Self {
        put_map(out, entries + 1);
        out.put(head);
        Self { out }
    }

    /// The value of a key whose name was written with the one before it.
    #[inline]
    fn value(&mut self, value: u64) {
        put_uint(self.out, value);
    }

    #[inline]
    fn text(&mut self, key: &[u8], value: &str) {
        self.out.put(key);
        put_str(self.out, value);
    }

    #[inline]
    fn opt_text(&mut self, key: &[u8], value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    #[inline]
    fn number(&mut self, key: &[u8], value: u64) {
        self.out.put(key);
        put_uint(self.out, value);
    }

    #[inline]
    fn opt_number(&mut self, key: &[u8], value: Option<u64>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    #[inline]
    fn flag(&mut self, key: &[u8], value: bool) {
        if value {
            self.out.put(key);
            self.out.put(&[0xC3]);
        }
    }

    #[inline]
    fn raw(&mut self, key: &[u8], value: &[u8]) {
        if !value.is_empty() {
            self.out.put(key);
            self.out.put(value);
        }
    }

    #[inline]
    fn headers(&mut self, headers: Headers<'_>) {
        if !headers.is_empty() {
            self.out.put(texts!("headers"));
            let (count, entries) = headers.raw();
            put_map(self.out, count);
            self.out.put(entries);
        }
    }

    #[inline]
    fn body_head(&mut self, len: usize) {
        self.out.put(texts!("body"));
        put_long(self.out, [0xC4, 0xC5, 0xC6], len);
    }
}

fn some<T>(option: Option<T>) -> usize {
    usize::from(option.is_some())
}

/// Appends a whole frame, its body copied.
pub fn encode(out: &mut BytesMut, frame: &Frame<'_>) {
    let body = match frame {
        Frame::Request(request) => request.body,
        Frame::Response(response) => response.body,
        Frame::Chunk(chunk) => chunk.body,
        Frame::Call(call) => call.body,
        _ => &[],
    };
    encode_head(out, frame, body.len());
    out.extend_from_slice(body);
}

/// Appends a frame up to its body's bytes, which are `body_len` and follow separately. The frame's own `body` is not
/// looked at.
pub fn encode_head(out: &mut BytesMut, frame: &Frame<'_>, body_len: usize) {
    write(out, frame, body_len);
}

/// Appends a whole message of the relay's side up to its body's bytes, which are `body_len` and follow: the header of an
/// unmasked WebSocket frame, and what [`encode_head`] writes. `more` is what the caller will append behind it: room is
/// made once.
pub fn encode_message_head(out: &mut BytesMut, frame: &Frame<'_>, body_len: usize, more: usize) {
    let most = most_of_head(frame);
    // How long the header is depends on the length of what follows it: nearly always its bounds are enough to know it.
    let gap = match (header::unmasked_len(body_len), header::unmasked_len(body_len + most)) {
        (least, greatest) if least == greatest => least,
        _ => header::unmasked_len(body_len + head_len(frame, body_len)),
    };
    let start = out.len();
    out.reserve(gap + most + more);
    out.resize(start + gap + most, 0);
    let mut place = Place::new(&mut out[start + gap..]);
    write(&mut place, frame, body_len);
    let len = place.at;
    let mut header = [0; MAX_HEADER];
    let written = header::write(Kind::Binary, len + body_len, None, &mut header);
    debug_assert_eq!(written, gap);
    out[start..start + gap].copy_from_slice(&header[..gap]);
    out.truncate(start + gap + len);
}

/// Bytes that [`encode_head`] appends at most; exactly for frames that have no body and are rare.
fn most_of_head(frame: &Frame<'_>) -> usize {
    let text = |text: Option<&str>| text.map_or(0, str::len);
    match frame {
        Frame::Request(request) => {
            let texts = text(request.from) + text(request.method) + text(request.verb) + text(request.path);
            MOST_OF_NAMES + texts + request.request_id.len() + request.headers.encoded_len()
        }
        Frame::Response(response) => MOST_OF_NAMES + response.headers.encoded_len(),
        Frame::Chunk(_) | Frame::Credit { .. } => MOST_OF_NAMES,
        other => head_len(other, 0),
    }
}

/// Bytes of all names, markers and numbers of a `request`, which has most of them, and a few.
const MOST_OF_NAMES: usize = 192;

/// Bytes that [`encode_head`] appends.
fn head_len(frame: &Frame<'_>, body_len: usize) -> usize {
    let mut count = Count(0);
    write(&mut count, frame, body_len);
    count.0
}

fn write(out: &mut impl Sink, frame: &Frame<'_>, body_len: usize) {
    match frame {
        Frame::Auth(auth) => {
            let features = usize::from(auth.parts) + usize::from(auth.shared);
            let mut map = Map::new(out, texts!("type" "auth" "v"), 2 + some(auth.client) + usize::from(features > 0));
            map.value(auth.v);
            map.text(texts!("token"), auth.token);
            map.opt_text(texts!("client"), auth.client);
            if features > 0 {
                map.out.put(texts!("features"));
                map.out.put(&[0x90 | features as u8]);
                for (name, _) in [("parts", auth.parts), ("shared", auth.shared)].iter().filter(|(_, on)| *on) {
                    put_str(map.out, name);
                }
            }
        }
        Frame::Ready(ready) => {
            let mut map = Map::new(out, texts!("type" "ready"), 7);
            map.text(texts!("agent_id"), ready.agent_id);
            map.text(texts!("session_id"), ready.session_id);
            map.text(texts!("node"), ready.node);
            map.number(texts!("heartbeat_s"), ready.heartbeat_s);
            map.number(texts!("max_body_bytes"), ready.max_body_bytes);
            map.number(texts!("max_in_flight"), ready.max_in_flight);
            map.number(texts!("window_bytes"), ready.window_bytes);
        }
        Frame::Request(request) => encode_request(out, request, body_len),
        Frame::Response(response) => encode_response(out, response, body_len),
        Frame::Chunk(chunk) => {
            let mut map = Map::new(out, texts!("type" "chunk" "id"), 2 + usize::from(chunk.more));
            map.value(chunk.id);
            map.flag(texts!("more"), chunk.more);
            map.body_head(body_len);
        }
        Frame::Credit { id, bytes } => {
            let mut map = Map::new(out, texts!("type" "credit" "id"), 2);
            map.value(*id);
            map.number(texts!("bytes"), *bytes);
        }
        Frame::Cancel { id, code } => {
            let mut map = Map::new(out, texts!("type" "cancel" "id"), 1 + some(*code));
            map.value(*id);
            map.opt_text(texts!("code"), *code);
        }
        Frame::Error(error) => {
            let mut map =
                Map::new(out, texts!("type" "error" "id"), 2 + some(error.detail) + some(error.retry_after_ms));
            match error.id {
                Some(id) => map.value(id),
                None => map.out.put(&[0xC0]),
            }
            map.text(texts!("code"), error.code);
            map.opt_text(texts!("detail"), error.detail);
            map.opt_number(texts!("retry_after_ms"), error.retry_after_ms);
        }
        Frame::Call(call) => encode_call(out, call, body_len),
        Frame::Ping(t) => Map::new(out, texts!("type" "ping"), usize::from(!t.is_empty())).raw(texts!("t"), t),
        Frame::Pong(t) => Map::new(out, texts!("type" "pong"), usize::from(!t.is_empty())).raw(texts!("t"), t),
        Frame::Drain { deadline_ms, redial_after_ms } => {
            let mut map = Map::new(out, texts!("type" "drain" "deadline_ms"), 2);
            map.value(*deadline_ms);
            map.number(texts!("redial_after_ms"), *redial_after_ms);
        }
        Frame::Unknown(kind) => {
            put_map(out, 1);
            out.put(texts!("type"));
            put_str(out, kind);
        }
    }
}

fn encode_request(out: &mut impl Sink, request: &Request<'_>, body_len: usize) {
    let entries = 4
        + some(request.from)
        + some(request.method)
        + some(request.verb)
        + some(request.path)
        + usize::from(!request.headers.is_empty())
        + usize::from(request.stream)
        + usize::from(request.more);
    let mut map = Map::new(out, texts!("type" "request" "id"), entries);
    map.value(request.id);
    map.opt_text(texts!("from"), request.from);
    map.opt_text(texts!("method"), request.method);
    map.text(texts!("request_id"), request.request_id);
    map.opt_text(texts!("verb"), request.verb);
    map.opt_text(texts!("path"), request.path);
    map.headers(request.headers);
    map.flag(texts!("stream"), request.stream);
    map.number(texts!("deadline_ms"), request.deadline_ms);
    map.flag(texts!("more"), request.more);
    map.body_head(body_len);
}

fn encode_response(out: &mut impl Sink, response: &Response<'_>, body_len: usize) {
    let entries = 2 + some(response.status) + usize::from(!response.headers.is_empty()) + usize::from(response.more);
    let mut map = Map::new(out, texts!("type" "response" "id"), entries);
    map.value(response.id);
    map.opt_number(texts!("status"), response.status);
    map.headers(response.headers);
    map.flag(texts!("more"), response.more);
    map.body_head(body_len);
}

fn encode_call(out: &mut impl Sink, call: &Call<'_>, body_len: usize) {
    let entries = 3
        + some(call.method)
        + some(call.request_id)
        + some(call.verb)
        + some(call.path)
        + usize::from(!call.headers.is_empty())
        + usize::from(call.stream)
        + some(call.timeout_ms)
        + usize::from(call.more);
    let mut map = Map::new(out, texts!("type" "call" "id"), entries);
    map.value(call.id);
    map.text(texts!("to"), call.to);
    map.opt_text(texts!("method"), call.method);
    map.opt_text(texts!("request_id"), call.request_id);
    map.opt_text(texts!("verb"), call.verb);
    map.opt_text(texts!("path"), call.path);
    map.headers(call.headers);
    map.flag(texts!("stream"), call.stream);
    map.opt_number(texts!("timeout_ms"), call.timeout_ms);
    map.flag(texts!("more"), call.more);
    map.body_head(body_len);
}
