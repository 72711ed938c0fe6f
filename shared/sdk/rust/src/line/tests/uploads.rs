//! Calls of our own whose bodies go in parts.

use futures_util::{TryStreamExt, stream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;

const WINDOW: usize = 1 << 18;

type Called = JoinHandle<Result<CallParts, CallError>>;

/// A line that is up, its relay's end, and a call over it with this body.
async fn calling(body: impl Into<Body>) -> (Line, Seat, Called) {
    let (listener, settings) = listen().await;
    let mut line = Line::dial(settings, echo).unwrap();
    let seat = Seat::take(&listener).await;
    line.ready().await.unwrap();
    let (caller, call) = (line.caller(), LineCall { body: body.into(), ..LineCall::default() });
    let called = tokio::spawn(async move { caller.call_parts(OTHER.parse().unwrap(), call).await });
    (line, seat, called)
}

/// A body without end that says when it is dropped.
fn endless() -> (Body, mpsc::UnboundedReceiver<()>) {
    let (sender, dropped) = mpsc::unbounded_channel();
    let pieces = stream::unfold(Alarm(sender), |alarm| async move {
        Some((Ok::<_, String>(Bytes::from_static(&[7; 50_000])), alarm))
    });
    (Body::stream(pieces), dropped)
}

impl Seat {
    /// The rest of a body, granted as it comes.
    async fn rest(&mut self, id: u64) -> Bytes {
        let mut all = BytesMut::new();
        loop {
            let message = self.message().await;
            let Frame::Chunk(chunk) = decode(&message).unwrap() else { panic!("{:?}", decode(&message)) };
            assert_eq!(chunk.id, id);
            all.extend_from_slice(chunk.body);
            if !chunk.more {
                return all.freeze();
            }
            self.send(&Frame::Credit { id, bytes: chunk.body.len() as u64 }).await;
        }
    }

    async fn answer(&mut self, id: u64, more: bool) {
        self.send(&Frame::Response(ResponseFrame { id, more, body: b"answer", ..ResponseFrame::default() })).await;
    }
}

async fn outcome(called: Called) -> Result<CallParts, CallError> {
    timeout(PATIENCE, called).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_stream_and_a_whole_body_over_the_relays_limit_go_in_parts() {
    let large = Bytes::from((0..3 << 20).map(|at| (at % 251) as u8).collect::<Vec<_>>());
    let pieces = [large.slice(..10), Bytes::new(), large.slice(10..2_000_000), large.slice(2_000_000..)];
    let streamed = Body::stream(stream::iter(pieces.map(Ok::<_, String>)));
    for body in [Body::from(large.clone()), streamed] {
        let (_line, mut seat, called) = calling(body).await;
        let id = seat.call(true).await;
        assert_eq!(seat.rest(id).await, large);
        seat.answer(id, false).await;
        let mut answer = outcome(called).await.unwrap();
        assert_eq!(answer.next().await, Some(Ok(Bytes::from_static(b"answer"))));
        assert_eq!(answer.next().await, None);
    }
    let (_line, mut seat, _called) = calling(large.slice(..1 << 20)).await;
    seat.call(false).await;
}

#[tokio::test]
async fn a_body_goes_as_far_as_it_has_credit() {
    let (body, mut dropped) = endless();
    let (line, mut seat, called) = calling(body).await;
    let id = seat.call(true).await;
    let sent = seat.chunks(id).await;
    assert!((WINDOW - 50_000..=WINDOW).contains(&sent), "one window: {sent}");
    // The other calls of the line go on.
    let caller = line.caller();
    let other = tokio::spawn(async move { caller.call(OTHER.parse().unwrap(), Response::ok("x")).await });
    let second = seat.call(false).await;
    seat.answer(second, false).await;
    assert_eq!(other.await.unwrap().unwrap().body, "answer");
    seat.send(&Frame::Credit { id, bytes: 100_000 }).await;
    let more = seat.chunks(id).await;
    assert!(sent + more <= WINDOW + 100_000 && more >= 50_000, "{more}");
    // Dropped, the call is cancelled and its body too.
    called.abort();
    let message = seat.message().await;
    assert_eq!(decode(&message).unwrap(), Frame::Cancel { id, code: None });
    timeout(PATIENCE, dropped.recv()).await.expect("the body is dropped");
    assert!(seat.is_quiet().await);
}

#[tokio::test]
async fn an_answer_that_is_complete_ends_the_body_and_one_that_begins_does_not() {
    let (body, mut dropped) = endless();
    let (_line, mut seat, called) = calling(body).await;
    let id = seat.call(true).await;
    seat.chunks(id).await;
    seat.answer(id, true).await;
    let mut answer = outcome(called).await.unwrap();
    assert_eq!(answer.next().await, Some(Ok(Bytes::from_static(b"answer"))));
    seat.send(&Frame::Credit { id, bytes: WINDOW as u64 }).await;
    assert!(seat.chunks(id).await > WINDOW / 2, "the body goes on beside the answer");
    seat.part(id, b"", false).await;
    assert_eq!(answer.next().await, None);
    timeout(PATIENCE, dropped.recv()).await.expect("the body is dropped");
    seat.send(&Frame::Credit { id, bytes: WINDOW as u64 }).await;
    assert!(seat.is_quiet().await, "relays count parts of calls that are over");
}

#[tokio::test]
async fn a_refusal_ends_the_body() {
    let (body, mut dropped) = endless();
    let (_line, mut seat, called) = calling(body).await;
    let id = seat.call(true).await;
    seat.chunks(id).await;
    let error = landline_wire::frame::ErrorFrame { id: Some(id), code: "upload_timeout", ..Default::default() };
    seat.send(&Frame::Error(error)).await;
    assert!(matches!(outcome(called).await, Err(CallError::Refused { code, .. }) if code == "upload_timeout"));
    timeout(PATIENCE, dropped.recv()).await.expect("the body is dropped");
    assert!(seat.is_quiet().await);
}

#[tokio::test]
async fn a_body_that_breaks_off_or_panics_cancels_its_call() {
    let broken = || Body::stream(stream::iter([Ok(Bytes::from_static(b"one")), Err("the disk is gone")]));
    let panicking =
        || Body::stream(stream::poll_fn(|_| -> std::task::Poll<Option<Result<_, String>>> { panic!("on purpose") }));
    for (body, detail) in [(broken(), "the disk is gone"), (panicking(), "what makes it panicked")] {
        let (_line, mut seat, called) = calling(body).await;
        let id = seat.call(true).await;
        let mut message = seat.message().await;
        if detail == "the disk is gone" {
            assert_eq!(decode(&message).unwrap(), Frame::Chunk(Chunk { id, more: true, body: b"one" }));
            message = seat.message().await;
        }
        assert_eq!(decode(&message).unwrap(), Frame::Cancel { id, code: None });
        assert_eq!(outcome(called).await.unwrap_err(), CallError::BodyFailed(detail.into()));
    }
}

#[tokio::test]
async fn credit_that_the_protocol_does_not_know_fails_the_call() {
    let (body, mut dropped) = endless();
    let (_line, mut seat, called) = calling(body).await;
    let id = seat.call(true).await;
    seat.chunks(id).await;
    seat.send(&Frame::Credit { id, bytes: (1 << 31) + 1 }).await;
    let message = seat.message().await;
    assert_eq!(decode(&message).unwrap(), Frame::Cancel { id, code: Some("flow_control") });
    assert!(matches!(outcome(called).await, Err(CallError::Refused { code, .. }) if code == "flow_control"));
    timeout(PATIENCE, dropped.recv()).await.expect("the body is dropped");
}

#[tokio::test]
async fn a_lost_line_ends_a_call_and_its_body() {
    let (body, mut dropped) = endless();
    let (_line, mut seat, called) = calling(body).await;
    seat.call(true).await;
    drop(seat);
    assert_eq!(outcome(called).await.unwrap_err(), CallError::LineLost);
    timeout(PATIENCE, dropped.recv()).await.expect("the body is dropped");
}

#[tokio::test]
async fn a_request_can_be_passed_on_as_it_comes() {
    let (listener, settings) = listen().await;
    let _line = Line::dial(settings, |request: Request| async move {
        let call = LineCall { body: request.body, ..LineCall::default() };
        let answer = request.line.call_parts(OTHER.parse().unwrap(), call).await?;
        let status = answer.status;
        Ok::<_, CallError>(Streamed::new(status, Vec::new(), answer.map_err(Refusal::from)))
    })
    .unwrap();
    let mut seat = Seat::take(&listener).await;
    let request = RequestFrame { id: 2, request_id: "r1", more: true, body: b"one", ..RequestFrame::default() };
    seat.send(&Frame::Request(request)).await;
    let id = seat.call(true).await;
    let message = seat.message().await;
    assert_eq!(decode(&message).unwrap(), Frame::Chunk(Chunk { id, more: true, body: b"one" }));
    seat.part(2, b"two", false).await;
    assert_eq!(seat.rest(id).await, "two");
    seat.answer(id, true).await;
    assert!(
        matches!(decode(&seat.message().await), Ok(Frame::Response(response)) if (response.id, response.more) == (2, true))
    );
    let message = seat.message().await;
    assert_eq!(decode(&message).unwrap(), Frame::Chunk(Chunk { id: 2, more: true, body: b"answer" }));
}
