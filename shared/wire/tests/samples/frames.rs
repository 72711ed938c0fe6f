//! One sample per frame and form.

use landline_wire::frame::{Auth, Call, Chunk, ErrorFrame, Frame, HeadersBuilder, Ready, Request, Response};

const ALICE: &str = "01920000-0000-7000-8000-00000000000a";
const BOB: &str = "01920000-0000-7000-8000-00000000000b";
const SESSION: &str = "01920000-0000-7000-8000-0000000000c1";
const NODE: &str = "01920000-0000-7000-8000-0000000000d1";

/// A frame, its file name, and its content as an independent reader renders it: bodies in quotes after a `b`.
pub(crate) struct Sample {
    pub(crate) name: &'static str,
    pub(crate) frame: Frame<'static>,
    pub(crate) content: String,
}

fn sample(name: &'static str, frame: Frame<'static>, content: impl Into<String>) -> Sample {
    Sample { name, frame, content: content.into() }
}

/// All samples, in the order of the protocol's table.
pub(crate) fn all() -> Vec<Sample> {
    [session(), requests(), answers(), calls(), signs_of_life()].into_iter().flatten().collect()
}

fn session() -> Vec<Sample> {
    vec![
        sample(
            "auth",
            Frame::Auth(Auth { v: 1, token: "ll_example", ..Auth::default() }),
            r#"{"type": "auth", "v": 1, "token": "ll_example"}"#,
        ),
        sample(
            "auth_full",
            Frame::Auth(Auth { v: 1, token: "ll_example", client: Some("demo/1.0"), parts: true, shared: true }),
            r#"{"type": "auth", "v": 1, "token": "ll_example", "client": "demo/1.0", "features": ["parts", "shared"]}"#,
        ),
        sample(
            "ready",
            Frame::Ready(Ready {
                agent_id: ALICE,
                session_id: SESSION,
                node: NODE,
                heartbeat_s: 30,
                max_body_bytes: 1 << 20,
                max_in_flight: 256,
                window_bytes: 256 << 10,
            }),
            format!(
                r#"{{"type": "ready", "agent_id": "{ALICE}", "session_id": "{SESSION}", "node": "{NODE}", "heartbeat_s": 30, "max_body_bytes": 1048576, "max_in_flight": 256, "window_bytes": 262144}}"#
            ),
        ),
        sample(
            "drain",
            Frame::Drain { deadline_ms: 30_000, redial_after_ms: 1_250 },
            r#"{"type": "drain", "deadline_ms": 30000, "redial_after_ms": 1250}"#,
        ),
    ]
}

fn headers(fields: &[(&str, &str)]) -> landline_wire::frame::Headers<'static> {
    let mut builder = HeadersBuilder::default();
    for (name, value) in fields {
        builder.push(name, value);
    }
    // A sample lives as long as the test.
    Box::leak(Box::new(builder.encode())).as_headers()
}

fn requests() -> Vec<Sample> {
    vec![
        sample(
            "request",
            Frame::Request(Request {
                id: 4,
                request_id: "r-1",
                deadline_ms: 60_000,
                body: br#"{"hello": "from bob"}"#,
                ..Request::default()
            }),
            r#"{"type": "request", "id": 4, "request_id": "r-1", "deadline_ms": 60000, "body": b"{\"hello\": \"from bob\"}"}"#,
        ),
        sample(
            "request_full",
            Frame::Request(Request {
                id: (1 << 53) - 2,
                from: Some(BOB),
                method: Some("message/send"),
                request_id: "r-2",
                verb: Some("PUT"),
                path: Some("/tasks/7?full=1"),
                headers: headers(&[("Content-Type", "application/json"), ("Accept", "a"), ("accept", "b")]),
                stream: true,
                deadline_ms: 1,
                more: true,
                body: b"part 1",
            }),
            format!(
                r#"{{"type": "request", "id": 9007199254740990, "from": "{BOB}", "method": "message/send", "request_id": "r-2", "verb": "PUT", "path": "/tasks/7?full=1", "headers": {{"content-type": "application/json", "accept": "a, b"}}, "stream": true, "deadline_ms": 1, "more": true, "body": b"part 1"}}"#
            ),
        ),
    ]
}

fn answers() -> Vec<Sample> {
    vec![
        sample(
            "response",
            Frame::Response(Response { id: 4, body: b"ok", ..Response::default() }),
            r#"{"type": "response", "id": 4, "body": b"ok"}"#,
        ),
        sample(
            "response_full",
            Frame::Response(Response {
                id: 4,
                status: Some(404),
                headers: headers(&[("content-type", "text/plain"), ("x-a2a-note", "")]),
                more: true,
                body: b"",
            }),
            r#"{"type": "response", "id": 4, "status": 404, "headers": {"content-type": "text/plain", "x-a2a-note": ""}, "more": true, "body": b""}"#,
        ),
        sample(
            "chunk_more",
            Frame::Chunk(Chunk { id: 4, more: true, body: &[7; 300] }),
            format!(r#"{{"type": "chunk", "id": 4, "more": true, "body": b"{}"}}"#, "\\x07".repeat(300)),
        ),
        sample(
            "chunk_last",
            Frame::Chunk(Chunk { id: 4, more: false, body: b"" }),
            r#"{"type": "chunk", "id": 4, "body": b""}"#,
        ),
        sample("credit", Frame::Credit { id: 4, bytes: 65_536 }, r#"{"type": "credit", "id": 4, "bytes": 65536}"#),
        sample("cancel", Frame::Cancel { id: 4, code: None }, r#"{"type": "cancel", "id": 4}"#),
        sample(
            "cancel_code",
            Frame::Cancel { id: 4, code: Some("flow_control") },
            r#"{"type": "cancel", "id": 4, "code": "flow_control"}"#,
        ),
        sample(
            "error",
            Frame::Error(ErrorFrame { id: Some(3), code: "agent_not_connected", ..ErrorFrame::default() }),
            r#"{"type": "error", "id": 3, "code": "agent_not_connected"}"#,
        ),
        sample(
            "error_session",
            Frame::Error(ErrorFrame {
                id: None,
                code: "rate_limited",
                detail: Some("come back later"),
                retry_after_ms: Some(1_500),
            }),
            r#"{"type": "error", "id": null, "code": "rate_limited", "detail": "come back later", "retry_after_ms": 1500}"#,
        ),
    ]
}

fn calls() -> Vec<Sample> {
    vec![
        sample(
            "call",
            Frame::Call(Call { id: 3, to: ALICE, body: b"hello", ..Call::default() }),
            format!(r#"{{"type": "call", "id": 3, "to": "{ALICE}", "body": b"hello"}}"#),
        ),
        sample(
            "call_full",
            Frame::Call(Call {
                id: (1 << 53) - 1,
                to: ALICE,
                method: Some("message/send"),
                request_id: Some("r-3"),
                verb: Some("GET"),
                path: Some("?q=1"),
                headers: headers(&[("accept", "*/*")]),
                stream: true,
                timeout_ms: Some(5_000),
                more: true,
                body: b"part 1",
            }),
            format!(
                r#"{{"type": "call", "id": 9007199254740991, "to": "{ALICE}", "method": "message/send", "request_id": "r-3", "verb": "GET", "path": "?q=1", "headers": {{"accept": "*/*"}}, "stream": true, "timeout_ms": 5000, "more": true, "body": b"part 1"}}"#
            ),
        ),
    ]
}

fn signs_of_life() -> Vec<Sample> {
    vec![
        sample("ping", Frame::Ping(&[]), r#"{"type": "ping"}"#),
        sample("ping_t", Frame::Ping(&[0xCE, 0x67, 0x8A, 0xBC, 0xDE]), r#"{"type": "ping", "t": 1737145566}"#),
        sample("pong_t", Frame::Pong(&[0xA2, b't', b'1']), r#"{"type": "pong", "t": "t1"}"#),
    ]
}
