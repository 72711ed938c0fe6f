//! Frames into messages: `type` first, `body` last, absent optional keys left out.

use bytes::{BufMut, BytesMut};

use super::{Call, Frame, Headers, Request, Response};

pub(super) fn put_map(out: &mut BytesMut, entries: usize) {
    match entries {
        0..=15 => out.put_u8(0x80 | entries as u8),
        16..=0xFFFF => {
            out.put_u8(0xDE);
            out.put_u16(entries as u16);
        }
        _ => {
            out.put_u8(0xDF);
            out.put_u32(entries as u32);
        }
    }
}

pub(super) fn put_str(out: &mut BytesMut, text: &str) {
    let len = text.len();
    match len {
        0..=31 => out.put_u8(0xA0 | len as u8),
        32..=0xFF => {
            out.put_u8(0xD9);
            out.put_u8(len as u8);
        }
        0x100..=0xFFFF => {
            out.put_u8(0xDA);
            out.put_u16(len as u16);
        }
        _ => {
            out.put_u8(0xDB);
            out.put_u32(len as u32);
        }
    }
    out.put_slice(text.as_bytes());
}

fn put_uint(out: &mut BytesMut, number: u64) {
    // rmp picks the shortest form; writing into a BytesMut cannot fail.
    rmp::encode::write_uint(&mut out.writer(), number).expect("memory");
}

fn put_bin_head(out: &mut BytesMut, len: usize) {
    rmp::encode::write_bin_len(&mut out.writer(), len as u32).expect("memory");
}

/// Counts the keys that will be written, then writes them: a MessagePack map begins with its length.
struct Map<'o> {
    out: &'o mut BytesMut,
}

impl<'o> Map<'o> {
    fn new(out: &'o mut BytesMut, kind: &str, entries: usize) -> Self {
        put_map(out, entries + 1);
        put_str(out, "type");
        put_str(out, kind);
        Self { out }
    }

    fn text(&mut self, key: &str, value: &str) {
        put_str(self.out, key);
        put_str(self.out, value);
    }

    fn opt_text(&mut self, key: &str, value: Option<&str>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    fn number(&mut self, key: &str, value: u64) {
        put_str(self.out, key);
        put_uint(self.out, value);
    }

    fn opt_number(&mut self, key: &str, value: Option<u64>) {
        if let Some(value) = value {
            self.number(key, value);
        }
    }

    fn flag(&mut self, key: &str, value: bool) {
        if value {
            put_str(self.out, key);
            self.out.put_u8(0xC3);
        }
    }

    fn raw(&mut self, key: &str, value: &[u8]) {
        if !value.is_empty() {
            put_str(self.out, key);
            self.out.put_slice(value);
        }
    }

    fn headers(&mut self, headers: Headers<'_>) {
        if !headers.is_empty() {
            put_str(self.out, "headers");
            let (count, entries) = headers.raw();
            put_map(self.out, count);
            self.out.put_slice(entries);
        }
    }

    fn body_head(&mut self, len: usize) {
        put_str(self.out, "body");
        put_bin_head(self.out, len);
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
    out.put_slice(body);
}

/// Appends a frame up to its body's bytes, which are `body_len` and follow separately. The frame's own `body` is not
/// looked at.
pub fn encode_head(out: &mut BytesMut, frame: &Frame<'_>, body_len: usize) {
    match frame {
        Frame::Auth(auth) => {
            let features = usize::from(auth.parts) + usize::from(auth.shared);
            let mut map = Map::new(out, "auth", 2 + some(auth.client) + usize::from(features > 0));
            map.number("v", auth.v);
            map.text("token", auth.token);
            map.opt_text("client", auth.client);
            if features > 0 {
                put_str(map.out, "features");
                map.out.put_u8(0x90 | features as u8);
                for (name, _) in [("parts", auth.parts), ("shared", auth.shared)].iter().filter(|(_, on)| *on) {
                    put_str(map.out, name);
                }
            }
        }
        Frame::Ready(ready) => {
            let mut map = Map::new(out, "ready", 7);
            map.text("agent_id", ready.agent_id);
            map.text("session_id", ready.session_id);
            map.text("node", ready.node);
            map.number("heartbeat_s", ready.heartbeat_s);
            map.number("max_body_bytes", ready.max_body_bytes);
            map.number("max_in_flight", ready.max_in_flight);
            map.number("window_bytes", ready.window_bytes);
        }
        Frame::Request(request) => encode_request(out, request, body_len),
        Frame::Response(response) => encode_response(out, response, body_len),
        Frame::Chunk(chunk) => {
            let mut map = Map::new(out, "chunk", 2 + usize::from(chunk.more));
            map.number("id", chunk.id);
            map.flag("more", chunk.more);
            map.body_head(body_len);
        }
        Frame::Credit { id, bytes } => {
            let mut map = Map::new(out, "credit", 2);
            map.number("id", *id);
            map.number("bytes", *bytes);
        }
        Frame::Cancel { id, code } => {
            let mut map = Map::new(out, "cancel", 1 + some(*code));
            map.number("id", *id);
            map.opt_text("code", *code);
        }
        Frame::Error(error) => {
            let mut map = Map::new(out, "error", 2 + some(error.detail) + some(error.retry_after_ms));
            put_str(map.out, "id");
            match error.id {
                Some(id) => put_uint(map.out, id),
                None => map.out.put_u8(0xC0),
            }
            map.text("code", error.code);
            map.opt_text("detail", error.detail);
            map.opt_number("retry_after_ms", error.retry_after_ms);
        }
        Frame::Call(call) => encode_call(out, call, body_len),
        Frame::Ping(t) => Map::new(out, "ping", usize::from(!t.is_empty())).raw("t", t),
        Frame::Pong(t) => Map::new(out, "pong", usize::from(!t.is_empty())).raw("t", t),
        Frame::Drain { deadline_ms, redial_after_ms } => {
            let mut map = Map::new(out, "drain", 2);
            map.number("deadline_ms", *deadline_ms);
            map.number("redial_after_ms", *redial_after_ms);
        }
        Frame::Unknown(kind) => {
            Map::new(out, kind, 0);
        }
    }
}

fn encode_request(out: &mut BytesMut, request: &Request<'_>, body_len: usize) {
    let entries = 4
        + some(request.from)
        + some(request.method)
        + some(request.verb)
        + some(request.path)
        + usize::from(!request.headers.is_empty())
        + usize::from(request.stream)
        + usize::from(request.more);
    let mut map = Map::new(out, "request", entries);
    map.number("id", request.id);
    map.opt_text("from", request.from);
    map.opt_text("method", request.method);
    map.text("request_id", request.request_id);
    map.opt_text("verb", request.verb);
    map.opt_text("path", request.path);
    map.headers(request.headers);
    map.flag("stream", request.stream);
    map.number("deadline_ms", request.deadline_ms);
    map.flag("more", request.more);
    map.body_head(body_len);
}

fn encode_response(out: &mut BytesMut, response: &Response<'_>, body_len: usize) {
    let entries = 2 + some(response.status) + usize::from(!response.headers.is_empty()) + usize::from(response.more);
    let mut map = Map::new(out, "response", entries);
    map.number("id", response.id);
    map.opt_number("status", response.status);
    map.headers(response.headers);
    map.flag("more", response.more);
    map.body_head(body_len);
}

fn encode_call(out: &mut BytesMut, call: &Call<'_>, body_len: usize) {
    let entries = 3
        + some(call.method)
        + some(call.request_id)
        + some(call.verb)
        + some(call.path)
        + usize::from(!call.headers.is_empty())
        + usize::from(call.stream)
        + some(call.timeout_ms)
        + usize::from(call.more);
    let mut map = Map::new(out, "call", entries);
    map.number("id", call.id);
    map.text("to", call.to);
    map.opt_text("method", call.method);
    map.opt_text("request_id", call.request_id);
    map.opt_text("verb", call.verb);
    map.opt_text("path", call.path);
    map.headers(call.headers);
    map.flag("stream", call.stream);
    map.opt_number("timeout_ms", call.timeout_ms);
    map.flag("more", call.more);
    map.body_head(body_len);
}
