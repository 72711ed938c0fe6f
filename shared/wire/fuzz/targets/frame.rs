//! Frames out of arbitrary bytes. What decodes is encoded to bytes that decode to the same, and an independent
//! MessagePack reader agrees on the shape; what that reader finds broken is refused.

use bytes::BytesMut;
use landline_wire::frame::{Frame, Headers, Malformed, decode, encode, encode_head};
use landline_wire::limits::{MAX_FRAME_KEYS, MAX_HEADERS, MAX_NESTING};
use landline_wire::session::server::first_frame;
use rmpv::Value;
use rmpv::decode::read_value_with_max_depth;

/// The target.
pub(crate) fn check(message: &[u8]) {
    let decoded = decode(message);
    let shape = shape(message);
    match &decoded {
        Ok(frame) => {
            let entries = shape.as_deref().unwrap_or_else(|why| panic!("accepted, but {why}: {frame:?}"));
            assert_agrees(frame, entries);
            round_trip(frame);
            if let Some(headers) = headers_of(frame) {
                check_headers(headers);
            }
        }
        // A type that is not known asks nothing of its other keys, so nothing but the shape can be wrong with it. The
        // other reader takes the reserved marker for nil, so a message that might hold it proves nothing.
        Err(Malformed(why)) => {
            if let Ok(entries) = &shape
                && !message.contains(&0xC1)
            {
                assert!(!entries.iter().any(|(key, value)| key == "type" && is_unknown_type(value)), "refused: {why}");
            }
        }
    }
    if let Ok(auth) = first_frame(message) {
        assert!(matches!(&decoded, Ok(Frame::Auth(same)) if *same == auth));
    }
}

fn is_unknown_type(value: &Value) -> bool {
    const KNOWN: [&str; 12] =
        ["auth", "ready", "request", "response", "chunk", "credit", "cancel", "error", "call", "ping", "pong", "drain"];
    value.as_str().is_some_and(|kind| !KNOWN.contains(&kind))
}

/// The entries of a message whose shape is legal: one map with texts as keys, none twice, not too many, not too deep.
fn shape(message: &[u8]) -> Result<Vec<(String, Value)>, &'static str> {
    let mut rest = message;
    let value = read_value_with_max_depth(&mut rest, 4 * MAX_NESTING).map_err(|_| "it is no MessagePack")?;
    if !rest.is_empty() {
        return Err("bytes follow the map");
    }
    if depth(&value) > MAX_NESTING {
        return Err("it is nested too deeply");
    }
    let Value::Map(map) = value else { return Err("it is no map") };
    if map.len() > MAX_FRAME_KEYS {
        return Err("it has too many keys");
    }
    let mut entries: Vec<(String, Value)> = Vec::new();
    for (key, value) in map {
        let key = key.as_str().ok_or("a key is no text")?.to_owned();
        if entries.iter().any(|(earlier, _)| *earlier == key) {
            return Err("a key stands twice");
        }
        entries.push((key, value));
    }
    Ok(entries)
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Map(entries) => 1 + entries.iter().map(|(k, v)| depth(k).max(depth(v))).max().unwrap_or(0),
        _ => 1,
    }
}

fn assert_agrees(frame: &Frame<'_>, entries: &[(String, Value)]) {
    let get = |key: &str| entries.iter().find(|(name, _)| name == key).map(|(_, value)| value);
    let number = |key: &str| get(key).and_then(Value::as_u64);
    let text = |key: &str| get(key).and_then(Value::as_str);
    let body = || match get("body") {
        Some(Value::Binary(bytes)) => Some(&bytes[..]),
        Some(Value::String(text)) => Some(text.as_bytes()),
        _ => None,
    };
    let more = || get("more").and_then(Value::as_bool).unwrap_or(false);
    match frame {
        Frame::Auth(auth) => assert_eq!((Some(auth.v), Some(auth.token)), (number("v"), text("token"))),
        Frame::Ready(ready) => {
            assert_eq!((Some(ready.agent_id), Some(ready.session_id)), (text("agent_id"), text("session_id")));
            assert_eq!((Some(ready.heartbeat_s), Some(ready.node)), (number("heartbeat_s"), text("node")));
        }
        Frame::Request(request) => {
            assert_eq!((Some(request.id), Some(request.body), request.more), (number("id"), body(), more()));
            assert_eq!((request.from, request.path, request.verb), (text("from"), text("path"), text("verb")));
        }
        Frame::Response(response) => {
            assert_eq!((Some(response.id), Some(response.body), response.more), (number("id"), body(), more()));
            assert_eq!(response.status, number("status"));
        }
        Frame::Chunk(chunk) => {
            assert_eq!((Some(chunk.id), Some(chunk.body), chunk.more), (number("id"), body(), more()))
        }
        Frame::Credit { id, bytes } => assert_eq!((Some(*id), Some(*bytes)), (number("id"), number("bytes"))),
        Frame::Cancel { id, code } => assert_eq!((Some(*id), *code), (number("id"), text("code"))),
        Frame::Error(error) => {
            assert_eq!((error.id, Some(error.code), error.detail), (number("id"), text("code"), text("detail")));
        }
        Frame::Call(call) => {
            assert_eq!((Some(call.id), Some(call.body), call.more), (number("id"), body(), more()));
            assert_eq!((Some(call.to), call.timeout_ms), (text("to"), number("timeout_ms")));
        }
        Frame::Ping(t) | Frame::Pong(t) => assert_eq!(t.is_empty(), get("t").is_none()),
        Frame::Drain { deadline_ms, redial_after_ms } => {
            assert_eq!(
                (Some(*deadline_ms), Some(*redial_after_ms)),
                (number("deadline_ms"), number("redial_after_ms"))
            );
        }
        Frame::Unknown(kind) => assert_eq!(Some(*kind), text("type")),
    }
}

fn round_trip(frame: &Frame<'_>) {
    let mut bytes = BytesMut::new();
    encode(&mut bytes, frame);
    assert_eq!(decode(&bytes).as_ref(), Ok(frame));
    let body = match frame {
        Frame::Request(request) => request.body,
        Frame::Response(response) => response.body,
        Frame::Chunk(chunk) => chunk.body,
        Frame::Call(call) => call.body,
        _ => return,
    };
    let mut parts = BytesMut::new();
    encode_head(&mut parts, frame, body.len());
    parts.extend_from_slice(body);
    assert_eq!(parts, bytes);
}

fn headers_of<'a>(frame: &Frame<'a>) -> Option<Headers<'a>> {
    match frame {
        Frame::Request(request) => Some(request.headers),
        Frame::Response(response) => Some(response.headers),
        Frame::Call(call) => Some(call.headers),
        _ => None,
    }
}

fn check_headers(headers: Headers<'_>) {
    let fields: Vec<_> = headers.iter().collect();
    assert_eq!(fields.len(), headers.len());
    if headers.check().is_err() {
        return;
    }
    assert!(fields.len() <= MAX_HEADERS);
    for (index, (name, value)) in fields.iter().enumerate() {
        assert!(!name.is_empty() && name.bytes().all(|b| b.is_ascii_graphic() && !b.is_ascii_uppercase() && b != b':'));
        assert!(!value.contains(['\r', '\n', '\0']));
        assert!(fields[..index].iter().all(|(earlier, _)| earlier != name));
        assert!(headers.get(name) == Some(*value));
    }
}
