//! Where the fuzz targets start, beside the frames: messages in unusual but legal spellings, WebSocket streams, HTTP
//! requests, and programs for the two session machines.

use bytes::BytesMut;
use landline_wire::frame::encode;
use landline_wire::header::Kind;
use landline_wire::message::{append, append_close};
use landline_wire::{close, handshake};

use super::frames;

const KEY: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// A file of the golden folder: name within its target's folder, and bytes.
pub(crate) type Seed = (&'static str, Vec<u8>);

/// Legal spellings that our encoder never chooses: other key order, unknown keys, nils, text bodies, wide integers.
pub(crate) fn spellings() -> Vec<Seed> {
    vec![
        ("spelling_order", b"\x83\xA4body\xC4\x01x\xA2id\x04\xA4type\xA5chunk".to_vec()),
        ("spelling_unknown_keys", b"\x85\xA4type\xA5chunk\xA2id\x04\xA2k1\x91\x80\xA2k2\xC0\xA4body\xC4\x01x".to_vec()),
        ("spelling_nil", b"\x84\xA4type\xA5chunk\xA2id\x04\xA4more\xC0\xA4body\xC4\x01x".to_vec()),
        ("spelling_text_body", b"\x83\xA4type\xA5chunk\xA2id\x04\xA4body\xA1x".to_vec()),
        (
            "spelling_wide",
            b"\xDF\0\0\0\x03\xD9\x04type\xDA\0\x05chunk\xA2id\xD3\0\0\0\0\0\0\0\x04\xA4body\xC6\0\0\0\x01x".to_vec(),
        ),
        ("unknown_type", b"\x82\xA4type\xA7message\xA4body\xC4\x01x".to_vec()),
    ]
}

fn stream(build: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut out = BytesMut::new();
    build(&mut out);
    out.to_vec()
}

/// WebSocket streams: masked as an agent sends them, unmasked as the relay does.
pub(crate) fn streams() -> Vec<Seed> {
    vec![
        (
            "masked_frames",
            stream(|out| {
                for sample in frames::all().iter().filter(|sample| ["auth", "response"].contains(&sample.name)) {
                    let mut frame = BytesMut::new();
                    encode(&mut frame, &sample.frame);
                    append(out, Kind::Binary, &frame, Some(KEY));
                }
            }),
        ),
        (
            "unmasked_frames",
            stream(|out| {
                append(out, Kind::Binary, b"\x82\xA4type\xA6cancel\xA2id\x04", None);
                append(out, Kind::Ping, b"life", None);
                append(out, Kind::Binary, &[b'x'; 200], None);
            }),
        ),
        (
            "fragments_with_a_ping_between",
            stream(|out| {
                out.extend_from_slice(b"\x02\x02ab");
                append(out, Kind::Ping, b"?", None);
                out.extend_from_slice(b"\x00\x02cd\x80\x01e");
            }),
        ),
        (
            "fragments_of_300_bytes",
            stream(|out| {
                out.extend_from_slice(b"\x02\x7E\x00\xC8");
                out.extend_from_slice(&[b'a'; 200]);
                append(out, Kind::Continuation, &[b'b'; 100], None);
            }),
        ),
        ("text", stream(|out| append(out, Kind::Text, b"{}", Some(KEY)))),
        ("close", stream(|out| append_close(out, close::REPLACED, close::reason(close::REPLACED), None))),
        ("close_masked", stream(|out| append_close(out, close::NORMAL, "", Some(KEY)))),
        (
            "lengths_16_and_64_bits",
            stream(|out| {
                out.extend_from_slice(b"\x82\x7E\x00\x7E");
                out.extend_from_slice(&[1; 126]);
                out.extend_from_slice(b"\x82\x7F\x00\x00\x00\x00\x00\x00\x00\x02no");
            }),
        ),
    ]
}

/// HTTP/1.1: requests as they arrive at the front door, and answers as a client reads them.
pub(crate) fn requests() -> Vec<Seed> {
    vec![
        ("get", b"GET /connect/v1/agents?limit=5 HTTP/1.1\r\nHost: h\r\nAccept: */*\r\n\r\n".to_vec()),
        ("call_then_next", b"POST /connect/relay/01920000-0000-7000-8000-00000000000a HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nokGET / HTTP/1.1\r\nHost: h\r\n\r\n".to_vec()),
        ("chunked", b"POST /x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nWiki\r\n5;ext=\"v\"\r\npedia\r\n0\r\nTrailer: x\r\n\r\n".to_vec()),
        ("expect_close", b"\r\nPUT /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc".to_vec()),
        ("http10", b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n".to_vec()),
        ("upgrade", handshake::request("h", "/connect/ws/agent", "dGhlIHNhbXBsZSBub25jZQ==").into_bytes()),
        ("accept", handshake::accept("dGhlIHNhbXBsZSBub25jZQ==").into_bytes()),
        ("answer", b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno".to_vec()),
        ("answer_chunked", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_vec()),
    ]
}

/// Programs for the session target (its operations are listed there): each frame once downwards, then some mixtures.
pub(crate) fn programs() -> Vec<Seed> {
    let mut down = Vec::new();
    for sample in frames::all().iter().filter(|sample| sample.name != "chunk_more") {
        let mut frame = BytesMut::new();
        encode(&mut frame, &sample.frame);
        down.extend_from_slice(&[6, frame.len() as u8]);
        down.extend_from_slice(&frame);
        down.extend_from_slice(&[3, 40]);
    }
    vec![
        ("every_frame_down", down),
        (
            "both_ways",
            b"\x00\x00\x05\x01\x02\x01\x00\x07\x04\x02hi\x02\x09\x03\x01\x05\x04\x00\x03\x20\x02\x20".to_vec(),
        ),
        ("fragments", b"\x07\x01\x10\x03\x02\x07\x00\x03\x00\x01\x09\x03\xFF".to_vec()),
        ("closed_by_the_relay", b"\x00\x02\x01\x08\x00\x03\xFF\x02\xFF".to_vec()),
        ("hostile_agent", b"\x00\x00\x03\x02\x80\x09\x03\x82\x01x".to_vec()),
    ]
}
