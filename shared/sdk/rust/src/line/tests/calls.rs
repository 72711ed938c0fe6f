//! Calls of our own, and their answers.

use super::*;

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
    let part = [7; 30_000];
    for _ in 0..5 {
        seat.part(id, &part, true).await;
    }
    assert!(seat.is_quiet().await, "nothing is taken, nothing granted");
    let mut taken = 0;
    for _ in 0..5 {
        taken += parts.next().await.unwrap().unwrap().len();
    }
    // In steps of a quarter of the window: what is taken beyond them is granted with the next.
    let message = seat.message().await;
    assert_eq!((taken, decode(&message).unwrap()), (150_000, Frame::Credit { id, bytes: 90_000 }));
    assert!(seat.is_quiet().await);
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
        // A piece that was taken before the end came may have been granted.
        while let Ok(message) = timeout(Duration::from_millis(200), seat.message()).await {
            assert!(matches!(decode(&message), Ok(Frame::Credit { id: of, .. }) if of == id && !overrun));
        }
    }
}
