//! Requests in parts: taken as they come, with credit for what the handler took.

use tokio::sync::mpsc;

use super::*;

const WINDOW: usize = 1 << 18;

type Held = std::pin::Pin<Box<dyn Future<Output = Result<Response, Refusal>> + Send>>;
/// Bodies, and where the answers to their calls go.
type Bodies = mpsc::UnboundedReceiver<(Body, mpsc::Sender<Response>)>;

/// A handler that gives the body away and answers when it is told to.
fn given_away() -> (impl Fn(Request) -> Held, Bodies) {
    let (sender, bodies) = mpsc::unbounded_channel();
    let handler = move |request: Request| -> Held {
        let sender = sender.clone();
        Box::pin(async move {
            let (answer, mut answers) = mpsc::channel(1);
            sender.send((request.body, answer)).unwrap();
            answers.recv().await.ok_or(Refusal::new("dropped", "the test ended"))
        })
    };
    (handler, bodies)
}

impl Seat {
    /// Begins a request whose body comes in parts.
    async fn begin(&mut self, id: u64, body: &[u8]) {
        let request = RequestFrame { id, request_id: "r1", more: true, body, ..RequestFrame::default() };
        self.send(&Frame::Request(request)).await;
    }

    /// The credit that came until nothing comes for a while, and in how many frames.
    async fn credit(&mut self, id: u64) -> (usize, usize) {
        let (mut bytes, mut frames) = (0, 0);
        while let Ok(message) = timeout(Duration::from_millis(200), self.message()).await {
            let Ok(Frame::Credit { id: of, bytes: more }) = decode(&message) else { panic!("{:?}", decode(&message)) };
            assert_eq!(of, id);
            (bytes, frames) = (bytes + more as usize, frames + 1);
        }
        (bytes, frames)
    }
}

fn refused(code: &str) -> CallError {
    CallError::Refused { code: code.into(), detail: String::new(), retry_after_ms: None }
}

#[tokio::test]
async fn a_request_in_parts_is_one_body() {
    let (listener, settings) = listen().await;
    let _line = Line::dial(settings, |request: Request| async move { Response::ok(said(request).await) }).unwrap();
    let mut seat = Seat::take(&listener).await;
    let large = [5; 3_000];
    for (id, first, rest) in [(2, &b"one"[..], &[&b""[..], b"two", &large, b"three", b""][..]), (4, b"", &[b"whole"])] {
        seat.begin(id, first).await;
        let (last, middle) = rest.split_last().unwrap();
        for part in middle {
            seat.part(id, part, true).await;
        }
        seat.part(id, last, false).await;
        let message = seat.message().await;
        let Frame::Response(response) = decode(&message).unwrap() else { panic!() };
        assert_eq!((response.id, response.body), (id, &[&[first][..], rest].concat().concat()[..]));
    }
}

#[tokio::test]
async fn a_slow_handler_holds_one_window_and_grants_what_it_took_in_few_frames() {
    let (listener, settings) = listen().await;
    let (handler, mut bodies) = given_away();
    let _line = Line::dial(settings, handler).unwrap();
    let mut seat = Seat::take(&listener).await;
    seat.begin(2, b"").await;
    let (mut body, answer) = timeout(PATIENCE, bodies.recv()).await.unwrap().unwrap();
    let part: Vec<u8> = (0..1 << 10).map(|at| (at % 251) as u8).collect();
    for _ in 0..WINDOW / part.len() {
        seat.part(2, &part, true).await;
    }
    assert!(seat.is_quiet().await, "nothing is taken, nothing granted");
    // Other calls go on meanwhile.
    seat.begin(4, b"").await;
    let (_, other) = timeout(PATIENCE, bodies.recv()).await.unwrap().unwrap();
    other.send(Response::ok("other")).await.unwrap();
    assert!(matches!(decode(&seat.message().await), Ok(Frame::Response(response)) if response.id == 4));
    // Many small parts are few pieces.
    let (mut taken, mut pieces) = (Vec::new(), 0);
    while taken.len() < WINDOW {
        taken.extend_from_slice(&body.next().await.unwrap().unwrap());
        pieces += 1;
    }
    assert!(pieces < 10 && taken == part.repeat(WINDOW / part.len()), "{pieces} pieces");
    let (granted, frames) = seat.credit(2).await;
    assert!(granted > WINDOW * 3 / 4 && (1..=4).contains(&frames), "{granted} in {frames} frames");
    for _ in 0..granted / part.len() {
        seat.part(2, &part, true).await;
    }
    seat.part(2, b"", false).await;
    let rest = body.collect(WINDOW).await.unwrap();
    assert_eq!(rest.len(), granted / part.len() * part.len());
    seat.credit(2).await;
    answer.send(Response::ok("done")).await.unwrap();
    assert!(matches!(decode(&seat.message().await), Ok(Frame::Response(response)) if response.id == 2));
}

#[tokio::test]
async fn a_body_may_be_larger_than_is_collected() {
    let (listener, settings) = listen().await;
    let _line = Line::dial(settings, |request: Request| async move {
        let said = request.body.collect(1_000).await?;
        Ok::<_, CallError>(Response::ok(said))
    })
    .unwrap();
    let mut seat = Seat::take(&listener).await;
    // In parts it is known before the end, whole at once.
    seat.begin(2, &[1; 600]).await;
    seat.part(2, &[1; 600], true).await;
    let message = seat.message().await;
    assert!(
        matches!(decode(&message), Ok(Frame::Error(error)) if (error.id, error.code) == (Some(2), "body_too_large"))
    );
    seat.request(4, &[1; 1_001]).await;
    let message = seat.message().await;
    assert!(
        matches!(decode(&message), Ok(Frame::Error(error)) if (error.id, error.code) == (Some(4), "body_too_large"))
    );
    seat.request(6, &[1; 1_000]).await;
    assert!(matches!(decode(&seat.message().await), Ok(Frame::Response(response)) if response.id == 6));
}

#[tokio::test]
async fn an_early_answer_ends_the_body_and_the_rest_is_ignored() {
    let (listener, settings) = listen().await;
    let (handler, mut bodies) = given_away();
    let _line = Line::dial(settings, handler).unwrap();
    let mut seat = Seat::take(&listener).await;
    seat.begin(2, b"begun").await;
    let (mut body, answer) = timeout(PATIENCE, bodies.recv()).await.unwrap().unwrap();
    answer.send(Response::new(413, "text/plain", "enough")).await.unwrap();
    let message = seat.message().await;
    assert!(matches!(decode(&message), Ok(Frame::Response(response)) if response.status == Some(413)));
    assert_eq!(body.next().await, Some(Ok(Bytes::from_static(b"begun"))));
    assert_eq!(timeout(PATIENCE, body.next()).await.unwrap(), Some(Err(CallError::Answered)));
    assert_eq!(body.next().await, None);
    // What was on its way does no harm: not even more than the window, since nobody counts it any more.
    for _ in 0..3 {
        seat.part(2, &vec![1; WINDOW], true).await;
    }
    assert!(seat.is_quiet().await, "an answered call is spoken of no more: relays count that");
}

#[tokio::test]
async fn nothing_is_granted_for_a_call_that_is_answered() {
    let (listener, settings) = listen().await;
    let _line = Line::dial(settings, |mut request: Request| async move {
        request.body.next().await.unwrap()?;
        Ok::<_, CallError>(Response::ok("at once"))
    })
    .unwrap();
    let mut seat = Seat::take(&listener).await;
    // What was taken and the answer come to the connection at the same time: either may be first.
    for id in (2..130).step_by(2) {
        seat.begin(id, &[1; WINDOW / 2]).await;
        let mut message = seat.message().await;
        if let Ok(Frame::Credit { id: of, .. }) = decode(&message) {
            assert_eq!(of, id);
            message = seat.message().await;
        }
        assert!(matches!(decode(&message), Ok(Frame::Response(response)) if response.id == id));
    }
    assert!(seat.is_quiet().await);
}

#[tokio::test]
async fn a_dropped_body_is_not_granted() {
    let (listener, settings) = listen().await;
    let (handler, mut bodies) = given_away();
    let _line = Line::dial(settings, handler).unwrap();
    let mut seat = Seat::take(&listener).await;
    seat.begin(2, b"").await;
    let (body, answer) = timeout(PATIENCE, bodies.recv()).await.unwrap().unwrap();
    drop(body);
    for _ in 0..4 {
        seat.part(2, &vec![1; WINDOW / 4], true).await;
    }
    assert!(seat.is_quiet().await);
    answer.send(Response::ok("done")).await.unwrap();
    assert!(matches!(decode(&seat.message().await), Ok(Frame::Response(response)) if response.id == 2));
}

#[tokio::test]
async fn a_cancel_in_the_middle_drops_the_handler_and_ends_the_body() {
    let (listener, settings) = listen().await;
    let (handler, mut bodies) = given_away();
    let _line = Line::dial(settings, handler).unwrap();
    let mut seat = Seat::take(&listener).await;
    seat.begin(2, b"begun").await;
    let (mut body, answer) = timeout(PATIENCE, bodies.recv()).await.unwrap().unwrap();
    seat.send(&Frame::Cancel { id: 2, code: None }).await;
    timeout(PATIENCE, answer.closed()).await.expect("the handler is dropped");
    assert_eq!(body.next().await, Some(Ok(Bytes::from_static(b"begun"))));
    assert_eq!(body.next().await, Some(Err(refused("cancelled"))));
    assert_eq!(body.next().await, None);
    assert!(seat.is_quiet().await);
}

#[tokio::test]
async fn a_relay_that_overruns_the_window_of_a_request_loses_that_call_only() {
    let (listener, settings) = listen().await;
    let (handler, mut bodies) = given_away();
    let _line = Line::dial(settings, handler).unwrap();
    let mut seat = Seat::take(&listener).await;
    seat.begin(2, &[1; WINDOW / 2]).await;
    let (mut body, answer) = timeout(PATIENCE, bodies.recv()).await.unwrap().unwrap();
    seat.part(2, &[1; WINDOW / 2], true).await;
    seat.part(2, b"x", true).await;
    let message = seat.message().await;
    assert_eq!(decode(&message).unwrap(), Frame::Cancel { id: 2, code: Some("flow_control") });
    timeout(PATIENCE, answer.closed()).await.expect("the handler is dropped");
    assert_eq!(body.next().await.unwrap().unwrap().len(), WINDOW / 2);
    assert_eq!(body.next().await.unwrap().unwrap().len(), WINDOW / 2);
    assert!(matches!(body.next().await, Some(Err(CallError::Refused { code, .. })) if code == "flow_control"));
    // A first part that is too large never becomes a call.
    seat.begin(4, &vec![1; WINDOW + 1]).await;
    let message = seat.message().await;
    assert_eq!(decode(&message).unwrap(), Frame::Cancel { id: 4, code: Some("flow_control") });
    seat.begin(6, b"").await;
    let (_, answer) = timeout(PATIENCE, bodies.recv()).await.unwrap().unwrap();
    answer.send(Response::ok("fine")).await.unwrap();
    assert!(matches!(decode(&seat.message().await), Ok(Frame::Response(response)) if response.id == 6));
}

#[tokio::test]
async fn a_lost_line_ends_bodies() {
    let (listener, settings) = listen().await;
    let (handler, mut bodies) = given_away();
    let _line = Line::dial(settings, handler).unwrap();
    let mut seat = Seat::take(&listener).await;
    seat.begin(2, b"begun").await;
    let (mut body, answer) = timeout(PATIENCE, bodies.recv()).await.unwrap().unwrap();
    drop(seat);
    timeout(PATIENCE, answer.closed()).await.expect("the handler is dropped");
    assert_eq!(body.next().await, Some(Ok(Bytes::from_static(b"begun"))));
    assert_eq!(timeout(PATIENCE, body.next()).await.unwrap(), Some(Err(CallError::LineLost)));
}
