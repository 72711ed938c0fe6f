//! Lines against a relay's end of the protocol on loopback, built on the server-side machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use landline_wire::frame::{
    Call, Chunk, Frame, Ready, Request as RequestFrame, Response as ResponseFrame, decode, encode,
};
use landline_wire::handshake;
use landline_wire::header::Kind;
use landline_wire::http1::parse_head;
use landline_wire::message::{append, append_close};
use landline_wire::session::server::{Input, Session, first_frame};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::*;

const PATIENCE: Duration = Duration::from_secs(10);
const AGENT: &str = "0190b2c4-7f1e-7000-8000-000000000001";
const OTHER: &str = "0190b2c4-7f1e-7000-8000-000000000002";

/// The relay's end of one line.
struct Seat {
    stream: TcpStream,
    session: Session,
    buf: BytesMut,
}

impl Seat {
    /// Accepts a dial, checks its `auth`, and says `ready`.
    async fn take(listener: &TcpListener) -> Self {
        let (stream, _) = timeout(PATIENCE, listener.accept()).await.unwrap().unwrap();
        let mut seat = Self { stream, session: Session::new(1 << 20), buf: BytesMut::new() };
        let head = loop {
            if let Some(head) = parse_head(&mut seat.buf).unwrap() {
                break head;
            }
            assert_ne!(seat.stream.read_buf(&mut seat.buf).await.unwrap(), 0);
        };
        assert_eq!(head.path(), "/connect/ws/agent");
        let accept = handshake::accept(handshake::check(&head).unwrap());
        seat.stream.write_all(accept.as_bytes()).await.unwrap();
        let message = seat.message().await;
        assert_eq!(first_frame(&message).unwrap().token, "ll_key");
        seat.send(&Frame::Ready(Ready {
            agent_id: AGENT,
            session_id: OTHER,
            node: OTHER,
            heartbeat_s: 30,
            max_body_bytes: 1 << 20,
            max_in_flight: 256,
            window_bytes: 1 << 18,
        }))
        .await;
        seat
    }

    async fn send(&mut self, frame: &Frame<'_>) {
        let (mut message, mut out) = (BytesMut::new(), BytesMut::new());
        encode(&mut message, frame);
        append(&mut out, Kind::Binary, &message, None);
        self.stream.write_all(&out).await.unwrap();
    }

    async fn close(&mut self, code: u16) {
        let mut out = BytesMut::new();
        append_close(&mut out, code, "because", None);
        self.stream.write_all(&out).await.unwrap();
    }

    async fn input(&mut self) -> Input {
        loop {
            match self.session.next(&mut self.buf).unwrap() {
                Input::Need(_) => {
                    let read = timeout(PATIENCE, self.stream.read_buf(&mut self.buf)).await.unwrap().unwrap();
                    assert_ne!(read, 0, "the agent hung up");
                }
                input => return input,
            }
        }
    }

    async fn message(&mut self) -> Bytes {
        match self.input().await {
            Input::Frame(message) => message.into_bytes(),
            other => panic!("{other:?}"),
        }
    }

    async fn request(&mut self, id: u64, body: &[u8]) {
        self.send(&Frame::Request(RequestFrame {
            id,
            from: Some(OTHER),
            request_id: "r1",
            path: Some("/a?b"),
            deadline_ms: 60_000,
            body,
            ..RequestFrame::default()
        }))
        .await;
    }
}

async fn listen() -> (TcpListener, LineSettings) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = LineSettings::new(format!("http://{}", listener.local_addr().unwrap()), "ll_key");
    (listener, settings)
}

async fn echo(request: Request) -> Response {
    assert_eq!(request.from.map(|from| from.to_string()).as_deref(), Some(OTHER));
    assert_eq!((request.path.as_str(), request.verb.as_str()), ("/a?b", "POST"));
    Response::ok(request.body)
}

#[tokio::test]
async fn a_call_is_answered() {
    let (listener, settings) = listen().await;
    let mut line = Line::dial(settings, echo).unwrap();
    let mut seat = Seat::take(&listener).await;
    assert_eq!(line.ready().await.unwrap().agent_id, AGENT);
    seat.request(2, b"hello").await;
    let message = seat.message().await;
    let Frame::Response(response) = decode(&message).unwrap() else { panic!() };
    assert_eq!((response.id, response.status, response.body), (2, None, &b"hello"[..]));
    assert_eq!(response.headers.get("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_handler_that_panics_costs_its_own_call_only() {
    let (listener, settings) = listen().await;
    let handler = |request: Request| {
        assert_ne!(&request.body[..], b"bad at once", "on purpose");
        async move {
            assert_ne!(&request.body[..], b"bad", "on purpose");
            Response::ok(request.body)
        }
    };
    let _line = Line::dial(settings, handler).unwrap();
    let mut seat = Seat::take(&listener).await;
    for (id, body) in [(2, &b"bad"[..]), (4, b"bad at once")] {
        seat.request(id, body).await;
        let message = seat.message().await;
        let Frame::Error(error) = decode(&message).unwrap() else { panic!() };
        assert_eq!((error.id, error.code), (Some(id), "handler_failed"));
    }
    seat.request(6, b"good").await;
    assert!(matches!(decode(&seat.message().await), Ok(Frame::Response(response)) if response.id == 6));
}

#[tokio::test]
async fn one_call_too_many_is_refused_and_a_cancelled_one_makes_room() {
    let (listener, settings) = listen().await;
    let settings = LineSettings { max_in_flight: 1, ..settings };
    let _line = Line::dial(settings, |request: Request| async move {
        if request.body.is_empty() {
            std::future::pending::<()>().await;
        }
        Response::ok(request.body)
    })
    .unwrap();
    let mut seat = Seat::take(&listener).await;
    seat.request(2, b"").await;
    seat.request(4, b"x").await;
    let message = seat.message().await;
    let Frame::Error(error) = decode(&message).unwrap() else { panic!() };
    assert_eq!((error.id, error.code), (Some(4), "overloaded"));
    seat.send(&Frame::Cancel { id: 2, code: None }).await;
    seat.request(6, b"x").await;
    assert!(matches!(decode(&seat.message().await), Ok(Frame::Response(response)) if response.id == 6));
}

#[tokio::test]
async fn a_lost_line_is_dialled_again_and_a_refused_one_is_not() {
    let (listener, settings) = listen().await;
    let mut line = Line::dial(settings, echo).unwrap();
    drop(Seat::take(&listener).await);
    let mut seat = Seat::take(&listener).await;
    line.ready().await.unwrap();
    seat.close(4003).await;
    assert_eq!(line.ended().await, Ending::Closed { code: 4003, reason: "because".into() });
    assert!(timeout(Duration::from_millis(700), listener.accept()).await.is_err(), "it dialled again");
}

#[tokio::test]
async fn calls_of_our_own_get_their_answers_whole_or_in_parts() {
    let (listener, settings) = listen().await;
    let mut line = Line::dial(settings, echo).unwrap();
    let mut seat = Seat::take(&listener).await;
    line.ready().await.unwrap();
    let caller = line.caller();
    let calling = tokio::spawn(async move { caller.call(OTHER.parse().unwrap(), Response::ok("question")).await });
    let message = seat.message().await;
    let Frame::Call(Call { id, to, body, .. }) = decode(&message).unwrap() else { panic!() };
    assert_eq!((id % 2, to, body), (1, OTHER, &b"question"[..]));
    let part = ResponseFrame { id, status: Some(201), more: true, body: b"ans", ..ResponseFrame::default() };
    seat.send(&Frame::Response(part)).await;
    let message = seat.message().await;
    assert_eq!(decode(&message).unwrap(), Frame::Credit { id, bytes: 3 });
    seat.send(&Frame::Chunk(Chunk { id, more: false, body: b"wer" })).await;
    let answer = timeout(PATIENCE, calling).await.unwrap().unwrap().unwrap();
    assert_eq!((answer.status, &answer.body[..]), (201, &b"answer"[..]));
}

#[tokio::test]
async fn a_dropped_call_is_cancelled_and_a_lost_line_fails_the_others() {
    let (listener, settings) = listen().await;
    let mut line = Line::dial(settings, echo).unwrap();
    let mut seat = Seat::take(&listener).await;
    line.ready().await.unwrap();
    let caller = line.caller();
    let dropped = timeout(Duration::from_millis(50), caller.call(OTHER.parse().unwrap(), Response::ok(""))).await;
    assert!(dropped.is_err());
    let message = seat.message().await;
    let Frame::Call(call) = decode(&message).unwrap() else { panic!() };
    let message = seat.message().await;
    assert_eq!(decode(&message).unwrap(), Frame::Cancel { id: call.id, code: None });
    let calling = tokio::spawn(async move { caller.call(OTHER.parse().unwrap(), Response::ok("")).await });
    seat.message().await;
    drop(seat);
    assert_eq!(timeout(PATIENCE, calling).await.unwrap().unwrap(), Err(CallError::LineLost));
}

#[tokio::test]
async fn a_draining_line_finishes_its_calls_beside_the_new_one() {
    let (listener, settings) = listen().await;
    let _line = Line::dial(settings, |request: Request| async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Response::ok(request.body)
    })
    .unwrap();
    let mut old = Seat::take(&listener).await;
    old.request(2, b"slow").await;
    old.send(&Frame::Drain { deadline_ms: 5_000, redial_after_ms: 20 }).await;
    let mut new = Seat::take(&listener).await;
    new.request(2, b"new").await;
    assert!(matches!(decode(&old.message().await), Ok(Frame::Response(response)) if response.body == b"slow"));
    assert!(matches!(decode(&new.message().await), Ok(Frame::Response(response)) if response.body == b"new"));
}

#[tokio::test]
async fn leaving_lets_the_answers_out_and_closes_with_1000() {
    let (listener, settings) = listen().await;
    let mut line = Line::dial(settings, |request: Request| async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        Response::ok(request.body)
    })
    .unwrap();
    let mut seat = Seat::take(&listener).await;
    line.ready().await.unwrap();
    seat.request(2, b"x").await;
    // Time for the request to arrive: a call that comes after the wish to leave is refused.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let leaving = tokio::spawn(line.leave(PATIENCE));
    assert!(matches!(decode(&seat.message().await), Ok(Frame::Response(response)) if response.id == 2));
    assert_eq!(seat.input().await, Input::Close(Some(1000)));
    timeout(PATIENCE, leaving).await.unwrap().unwrap();
}

/// Says when it is dropped.
struct Alarm(tokio::sync::mpsc::UnboundedSender<()>);

impl Drop for Alarm {
    fn drop(&mut self) {
        let _ = self.0.send(());
    }
}

/// A body without end, in pieces of 50,000 bytes, that counts what was asked of it.
fn endless(asked: Arc<AtomicUsize>, alarm: Alarm) -> Streamed {
    let body = futures_util::stream::unfold(alarm, move |alarm| {
        asked.fetch_add(1, Ordering::Relaxed);
        async move { Some((Ok(Bytes::from_static(&[7; 50_000])), alarm)) }
    });
    Streamed::new(206, vec![("content-type".into(), "a/b".into())], body)
}

impl Seat {
    /// Takes chunks of a call until none comes for a while; their bytes.
    async fn chunks(&mut self, id: u64) -> usize {
        let mut bytes = 0;
        while let Ok(message) = timeout(Duration::from_millis(300), self.message()).await {
            let Ok(Frame::Chunk(chunk)) = decode(&message) else { panic!("{:?}", decode(&message)) };
            assert!(chunk.id == id && chunk.more);
            bytes += chunk.body.len();
        }
        bytes
    }
}

#[tokio::test]
async fn an_answer_in_parts_goes_as_far_as_it_has_credit_and_stalls_alone() {
    let (listener, settings) = listen().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let (alarm, mut dropped) = tokio::sync::mpsc::unbounded_channel();
    let counted = asked.clone();
    let _line = Line::dial(settings, move |request: Request| {
        let (asked, alarm) = (counted.clone(), Alarm(alarm.clone()));
        async move {
            if request.body.is_empty() { endless(asked, alarm).into() } else { Reply::from(Response::ok(request.body)) }
        }
    })
    .unwrap();
    let mut seat = Seat::take(&listener).await;
    seat.request(2, b"").await;
    let message = seat.message().await;
    let Frame::Response(head) = decode(&message).unwrap() else { panic!() };
    assert_eq!((head.id, head.status, head.more, head.body), (2, Some(206), true, &b""[..]));
    let sent = seat.chunks(2).await;
    assert!(((1 << 18) - 50_000..=1 << 18).contains(&sent), "one window: {sent}");
    let pieces = asked.load(Ordering::Relaxed);
    assert!(pieces <= (1 << 18) / 50_000 + 2, "{pieces} pieces were asked for");

    // The other calls of the line go on.
    seat.request(4, b"x").await;
    assert!(matches!(decode(&seat.message().await), Ok(Frame::Response(response)) if response.id == 4));

    seat.send(&Frame::Credit { id: 2, bytes: 100_000 }).await;
    let more = seat.chunks(2).await;
    assert!(sent + more <= (1 << 18) + 100_000 && more >= 50_000, "{more}");
    // Credit of one call is not another's, and that of none is ignored.
    seat.send(&Frame::Credit { id: 4, bytes: 100_000 }).await;
    seat.send(&Frame::Credit { id: 6, bytes: 100_000 }).await;
    assert_eq!(seat.chunks(2).await, 0);

    while dropped.try_recv().is_ok() {}
    seat.send(&Frame::Cancel { id: 2, code: None }).await;
    timeout(PATIENCE, dropped.recv()).await.expect("the body is dropped");
    assert_eq!(seat.chunks(2).await, 0);
}

#[tokio::test]
async fn an_answer_in_parts_ends_with_its_body_or_with_a_refusal() {
    let (listener, settings) = listen().await;
    let _line = Line::dial(settings, |request: Request| async move {
        let end = if request.body.is_empty() { None } else { Some(Err(Refusal::new("broke", "it broke"))) };
        let pieces = [Ok(Bytes::from_static(b"one")), Ok(Bytes::new()), Ok(Bytes::from_static(b"two"))];
        Streamed::new(200, Vec::new(), futures_util::stream::iter(pieces.into_iter().chain(end)))
    })
    .unwrap();
    let mut seat = Seat::take(&listener).await;
    for (id, body) in [(2, &b""[..]), (4, b"x")] {
        seat.request(id, body).await;
        assert!(matches!(decode(&seat.message().await), Ok(Frame::Response(head)) if head.more));
        for piece in [&b"one"[..], b"", b"two"] {
            let message = seat.message().await;
            assert_eq!(decode(&message).unwrap(), Frame::Chunk(Chunk { id, more: true, body: piece }));
        }
        let message = seat.message().await;
        match decode(&message).unwrap() {
            Frame::Chunk(last) => assert!(id == 2 && !last.more && last.body.is_empty()),
            Frame::Error(error) => assert_eq!((id, error.id, error.code), (4, Some(4), "broke")),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_whole_answer_over_the_relays_limit_goes_in_parts() {
    let (listener, settings) = listen().await;
    let large = Bytes::from((0..3 << 20).map(|at| (at % 251) as u8).collect::<Vec<_>>());
    let answer = large.clone();
    let _line = Line::dial(settings, move |_| {
        let answer = answer.clone();
        async move { Response::ok(answer) }
    })
    .unwrap();
    let mut seat = Seat::take(&listener).await;
    seat.request(2, b"").await;
    assert!(matches!(decode(&seat.message().await), Ok(Frame::Response(head)) if head.more && head.body.is_empty()));
    let mut gathered = BytesMut::new();
    loop {
        let message = seat.message().await;
        let Frame::Chunk(chunk) = decode(&message).unwrap() else { panic!() };
        gathered.extend_from_slice(chunk.body);
        if !chunk.more {
            break;
        }
        seat.send(&Frame::Credit { id: 2, bytes: chunk.body.len() as u64 }).await;
    }
    assert_eq!(gathered, large);
}

#[tokio::test]
async fn credit_that_the_protocol_does_not_know_costs_its_own_call_only() {
    let (listener, settings) = listen().await;
    let (alarm, mut dropped) = tokio::sync::mpsc::unbounded_channel();
    let _line =
        Line::dial(settings, move |_| std::future::ready(endless(Arc::default(), Alarm(alarm.clone())))).unwrap();
    let mut seat = Seat::take(&listener).await;
    seat.request(2, b"").await;
    seat.message().await;
    seat.chunks(2).await;
    seat.send(&Frame::Credit { id: 2, bytes: (1 << 31) + 1 }).await;
    let message = seat.message().await;
    let Frame::Error(error) = decode(&message).unwrap() else { panic!() };
    assert_eq!((error.id, error.code), (Some(2), "flow_control"));
    timeout(PATIENCE, dropped.recv()).await.expect("the body is dropped");
    seat.request(4, b"").await;
    assert!(matches!(decode(&seat.message().await), Ok(Frame::Response(head)) if head.id == 4));
}

#[tokio::test]
async fn an_answer_is_taken_as_it_comes_and_credit_is_granted_as_it_is_taken() {
    let (listener, settings) = listen().await;
    let mut line = Line::dial(settings, echo).unwrap();
    let mut seat = Seat::take(&listener).await;
    line.ready().await.unwrap();
    let caller = line.caller();
    let call = LineCall { verb: Some("GET".into()), path: "/a?b".into(), stream: true, ..LineCall::default() };
    let calling = tokio::spawn(async move { caller.call_parts(OTHER.parse().unwrap(), call).await });
    let message = seat.message().await;
    let Frame::Call(Call { id, verb, path, stream, .. }) = decode(&message).unwrap() else { panic!() };
    assert_eq!((verb, path, stream), (Some("GET"), Some("/a?b"), true));
    let head = ResponseFrame { id, more: true, body: b"", ..ResponseFrame::default() };
    seat.send(&Frame::Response(head)).await;
    let mut parts = timeout(PATIENCE, calling).await.unwrap().unwrap().unwrap();
    assert_eq!(parts.status, 200);
    for part in [&b"one"[..], b"two"] {
        seat.send(&Frame::Chunk(Chunk { id, more: true, body: part })).await;
    }
    assert!(timeout(Duration::from_millis(200), seat.message()).await.is_err(), "nothing is taken, nothing granted");
    assert_eq!(parts.next().await, Some(Ok(Bytes::from_static(b"one"))));
    assert_eq!(parts.next().await, Some(Ok(Bytes::from_static(b"two"))));
    let mut granted = 0;
    while granted < 6 {
        let message = seat.message().await;
        let Frame::Credit { id: of, bytes } = decode(&message).unwrap() else { panic!() };
        assert_eq!(of, id);
        granted += bytes;
    }
    assert_eq!(granted, 6);
    // Dropped before its end, it is cancelled.
    drop(parts);
    assert_eq!(decode(&seat.message().await).unwrap(), Frame::Cancel { id, code: None });
}

#[tokio::test]
async fn a_relay_that_overruns_the_window_loses_that_call_and_an_error_cuts_an_answer() {
    let (listener, settings) = listen().await;
    let mut line = Line::dial(settings, echo).unwrap();
    let mut seat = Seat::take(&listener).await;
    line.ready().await.unwrap();
    for overrun in [true, false] {
        let caller = line.caller();
        let calling = tokio::spawn(async move { caller.call_parts(OTHER.parse().unwrap(), LineCall::default()).await });
        let message = seat.message().await;
        let Frame::Call(Call { id, .. }) = decode(&message).unwrap() else { panic!() };
        let part = vec![1; 1 << 17];
        seat.send(&Frame::Response(ResponseFrame { id, more: true, body: &part, ..ResponseFrame::default() })).await;
        let mut parts = timeout(PATIENCE, calling).await.unwrap().unwrap().unwrap();
        seat.send(&Frame::Chunk(Chunk { id, more: true, body: &part })).await;
        let expected = if overrun {
            seat.send(&Frame::Chunk(Chunk { id, more: true, body: b"x" })).await;
            let message = seat.message().await;
            assert_eq!(decode(&message).unwrap(), Frame::Cancel { id, code: Some("flow_control") });
            "flow_control"
        } else {
            let error = landline_wire::frame::ErrorFrame { id: Some(id), code: "agent_error", ..Default::default() };
            seat.send(&Frame::Error(error)).await;
            "agent_error"
        };
        assert_eq!(parts.next().await.unwrap().unwrap().len(), 1 << 17);
        assert_eq!(parts.next().await.unwrap().unwrap().len(), 1 << 17);
        let Some(Err(CallError::Refused { code, .. })) = parts.next().await else { panic!() };
        assert_eq!(code, expected);
        assert_eq!(parts.next().await, None);
        drop(parts);
        // The credit that was granted on the way.
        while timeout(Duration::from_millis(200), seat.message()).await.is_ok() {}
    }
}
