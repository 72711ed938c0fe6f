//! What is encoded is decoded; what is broken is refused.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::pieces::Pieces;

fn round_trip(frame: &Frame<'_>) {
    let mut bytes = BytesMut::new();
    encode(&mut bytes, frame);
    assert_eq!(decode(&bytes).as_ref(), Ok(frame));
    for cut in 0..bytes.len() {
        assert!(decode(&bytes[..cut]).is_err(), "{frame:?} cut at {cut}");
    }
    bytes.extend_from_slice(&[0xC0]);
    assert_eq!(decode(&bytes), Err(Malformed("bytes after the map")));
}

#[test]
fn every_frame_survives_the_round_trip() {
    let mut headers = HeadersBuilder::default();
    headers.push("Content-Type", "application/json");
    headers.push("accept", "a");
    headers.push("Accept", "b");
    let headers = headers.encode();
    let headers = headers.as_headers();
    assert_eq!(headers.get("accept"), Some("a, b"));
    for frame in [
        Frame::Auth(Auth { v: 1, token: "ll_x", client: Some("c/1"), parts: true, shared: true }),
        Frame::Auth(Auth { v: 1, token: "ll_x", ..Auth::default() }),
        Frame::Ready(Ready {
            agent_id: "a",
            session_id: "s",
            node: "n",
            heartbeat_s: 30,
            max_body_bytes: 1 << 20,
            max_in_flight: 256,
            window_bytes: 1 << 18,
        }),
        Frame::Request(Request { id: 4, request_id: "r", deadline_ms: 60_000, body: b"x", ..Request::default() }),
        Frame::Request(Request {
            id: (1 << 53) - 2,
            from: Some("f"),
            method: Some("message/send"),
            request_id: "r",
            verb: Some("GET"),
            path: Some("/a?b"),
            headers,
            stream: true,
            deadline_ms: 1,
            more: true,
            body: &[7; 300],
        }),
        Frame::Response(Response { id: 4, status: Some(404), headers, more: true, body: b"" }),
        Frame::Response(Response { id: 4, body: b"ok", ..Response::default() }),
        Frame::Chunk(Chunk { id: 4, more: true, body: b"part" }),
        Frame::Credit { id: 4, bytes: 1 << 31 },
        Frame::Cancel { id: 4, code: Some("flow_control") },
        Frame::Error(ErrorFrame { id: None, code: "c", detail: Some("d"), retry_after_ms: Some(5) }),
        Frame::Error(ErrorFrame { id: Some(3), code: "c", ..ErrorFrame::default() }),
        Frame::Call(Call { id: 3, to: "t", body: b"", ..Call::default() }),
        Frame::Call(Call {
            id: 3,
            to: "t",
            method: Some("m"),
            request_id: Some("r"),
            verb: Some("PUT"),
            path: Some("?x"),
            headers,
            stream: true,
            timeout_ms: Some(5),
            more: true,
            body: b"b",
        }),
        Frame::Ping(&[0xCD, 1, 2]),
        Frame::Ping(&[]),
        Frame::Pong(&[0xC0]),
        Frame::Drain { deadline_ms: 1, redial_after_ms: 2 },
        Frame::Unknown("message"),
    ] {
        round_trip(&frame);
    }
}

/// A map of texts to already encoded values.
fn map(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut out = BytesMut::new();
    encode::put_map(&mut out, entries.len());
    for (key, value) in entries {
        encode::put_str(&mut out, key);
        out.extend_from_slice(value);
    }
    out.to_vec()
}

const CHUNK: &[u8] = b"\xA5chunk";
const BODY: &[u8] = b"\xC4\x01x";

#[test]
fn any_key_order_unknown_keys_nils_and_text_bodies_pass() {
    let chunk = Frame::Chunk(Chunk { id: 4, more: false, body: b"x" });
    for message in [
        map(&[("body", BODY), ("id", &[4]), ("type", CHUNK)]),
        map(&[("type", CHUNK), ("id", &[4]), ("more", &[0xC0]), ("body", BODY)]),
        map(&[("type", CHUNK), ("id", &[4]), ("new", &[0x91, 0x80]), ("body", BODY)]),
        map(&[("type", CHUNK), ("id", &[4]), ("body", b"\xA1x")]),
        map(&[("type", CHUNK), ("id", &[0xD1, 0, 4]), ("body", BODY)]),
    ] {
        assert_eq!(decode(&message).as_ref(), Ok(&chunk), "{message:?}");
    }
}

#[test]
fn what_is_broken_is_refused() {
    let deep: Vec<u8> = [vec![0x91; 9], vec![0xC0]].concat();
    let keys: Vec<String> = (0..65).map(|n| format!("k{n}")).collect();
    let many: Vec<(&str, &[u8])> = keys.iter().map(|key| (key.as_str(), &[0xC0][..])).collect();
    for (message, why) in [
        (vec![], "cut off"),
        (vec![0x93, 1, 2, 3], "not a map"),
        (vec![0x81, 1, 2], "not a text"),
        (map(&[("id", &[4])]), "a required key is missing"),
        (map(&[("type", CHUNK), ("body", BODY)]), "a required key is missing"),
        (map(&[("type", CHUNK), ("id", &[4])]), "a required key is missing"),
        (map(&[("type", CHUNK), ("id", &[4]), ("id", &[4]), ("body", BODY)]), "a key stands twice"),
        (map(&[("type", CHUNK), ("id", &[4]), ("n", &[4]), ("n", &[4]), ("body", BODY)]), "a key stands twice"),
        (map(&[("type", CHUNK), ("id", &[0xFF]), ("body", BODY)]), "not an unsigned integer"),
        (map(&[("type", CHUNK), ("id", &[0xD0, 0xFF]), ("body", BODY)]), "a negative number"),
        (map(&[("type", CHUNK), ("id", b"\xA14"), ("body", BODY)]), "not an unsigned integer"),
        (map(&[("type", CHUNK), ("id", &[4]), ("body", &[1])]), "a body that is neither bin nor str"),
        (map(&[("type", CHUNK), ("id", &[4]), ("body", BODY), ("more", &[1])]), "not a boolean"),
        (map(&[("type", CHUNK), ("id", &[4]), ("body", BODY), ("x", &deep)]), "nested too deeply"),
        (map(&[("type", b"\xA2\xFF\xFE")]), "a text that is not UTF-8"),
        (map(&[("type", &[0xC1])]), "a reserved marker"),
        (map(&many), "too many keys"),
        (vec![0xDF, 0xFF, 0xFF, 0xFF, 0xFF], "too many keys"),
        (map(&[("type", CHUNK), ("x", &[0xDD, 0xFF, 0xFF, 0xFF, 0xFF])]), "cut off"),
    ] {
        assert_eq!(decode(&message), Err(Malformed(why)), "{message:?}");
    }
}

#[test]
fn bad_headers_cost_the_call_not_the_session() {
    for (name, value, fault) in [
        ("Upper", "x", Some(HeadersFault::Name)),
        ("a b", "x", Some(HeadersFault::Name)),
        ("a", "x\r\ny", Some(HeadersFault::Value)),
        ("a", "", None),
    ] {
        let mut raw = BytesMut::new();
        encode::put_map(&mut raw, 1);
        encode::put_str(&mut raw, name);
        encode::put_str(&mut raw, value);
        let message = map(&[("type", b"\xA8response"), ("id", &[4]), ("headers", &raw), ("body", BODY)]);
        let Ok(Frame::Response(response)) = decode(&message) else { panic!("{name}") };
        assert_eq!(response.headers.check().err(), fault);
    }
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        let _ = decode(&bytes);
    }

    #[test]
    fn what_decodes_is_encoded_to_something_that_decodes_the_same(
        id in 0u64..1 << 53, status in prop::option::of(0u64..1000), more: bool, body: Vec<u8>,
    ) {
        let frame = Frame::Response(Response { id, status, headers: Headers::default(), more, body: &body });
        let mut bytes = BytesMut::new();
        encode(&mut bytes, &frame);
        prop_assert_eq!(decode(&bytes), Ok(frame));
    }
}

#[test]
fn a_body_may_go_on_in_later_pieces() {
    let body = vec![9; 5000];
    let mut whole = BytesMut::new();
    encode(&mut whole, &Frame::Response(Response { id: 2, status: Some(201), body: &body, ..Response::default() }));
    let whole = whole.freeze();
    for cut in 1..whole.len() {
        let mut message = Pieces::from(whole.slice(..cut));
        message.push(whole.slice(cut..));
        join_envelope(&mut message);
        let Ok(Frame::Response(response)) = decode_pieces(&message) else { panic!("cut at {cut}") };
        assert_eq!((response.id, response.status), (2, Some(201)));
        let (front, head) = (response.body.to_vec(), whole.len() - body.len());
        if cut >= head {
            assert_eq!(front.len(), cut - head, "a body that is cut stays cut");
        }
        let body_of = |message: &Pieces| message.slice_ref(&message.first()[message.first().len() - front.len()..]);
        assert_eq!(body_of(&message), Bytes::from(body.clone()).into());
    }
}

#[test]
fn a_message_that_is_cut_elsewhere_is_joined() {
    // The body first, and a value that nobody knows last: it is not part of the body.
    let mut message = BytesMut::new();
    message.extend_from_slice(&[0x84]);
    message.extend_from_slice(b"\xA4body\xC4\x01x\xA4type\xA5chunk\xA2id\x02\xA4junk\xC5\x20\x00");
    message.extend_from_slice(&[5; 0x2000]);
    let message = message.freeze();
    for cut in [1, 8, 20, 40, 4000] {
        let mut pieces = Pieces::from(message.slice(..cut));
        pieces.push(message.slice(cut..));
        assert!(decode_pieces(&pieces).is_err());
        join_envelope(&mut pieces);
        let Ok(Frame::Chunk(chunk)) = decode_pieces(&pieces) else { panic!("cut at {cut}") };
        assert_eq!((chunk.id, chunk.body), (2, &b"x"[..]));
    }
    let mut broken = Pieces::from(message.slice(..40));
    broken.push(message.slice(40..message.len() - 1));
    join_envelope(&mut broken);
    assert_eq!(decode_pieces(&broken), Err(Malformed("cut off")));
}
