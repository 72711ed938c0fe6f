//! Lines from their dial to their end, with whole requests and answers.

use super::*;

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
        assert_ne!(request.verb, "PANIC", "on purpose");
        async move {
            let said = said(request).await;
            assert_ne!(&said[..], b"bad", "on purpose");
            Response::ok(said)
        }
    };
    let _line = Line::dial(settings, handler).unwrap();
    let mut seat = Seat::take(&listener).await;
    for (id, verb, body) in [(2, None, &b"bad"[..]), (4, Some("PANIC"), b"")] {
        seat.send(&Frame::Request(RequestFrame { id, verb, body, ..RequestFrame::default() })).await;
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
        let said = said(request).await;
        if said.is_empty() {
            std::future::pending::<()>().await;
        }
        Response::ok(said)
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
async fn a_line_comes_back_at_the_time_that_the_relay_named() {
    let (listener, settings) = listen().await;
    let mut line = Line::dial(settings, echo).unwrap();
    let mut states = line.state();
    let mut seat = Seat::take(&listener).await;
    line.ready().await.unwrap();
    let closed = std::time::Instant::now();
    seat.close_for(1013, &landline_wire::close::with_redial("overloaded", 1_200)).await;
    let waits = states.wait_for(|state| matches!(state, LineState::Waiting { .. }));
    let state = timeout(PATIENCE, waits).await.unwrap().unwrap().clone();
    assert!(matches!(state, LineState::Waiting { for_ms: 1_200, .. }), "{state:?}");
    let _again = Seat::take(&listener).await;
    assert!(closed.elapsed() >= Duration::from_millis(1_200));
}

#[tokio::test]
async fn a_draining_line_finishes_its_calls_beside_the_new_one() {
    let (listener, settings) = listen().await;
    let _line = Line::dial(settings, |request: Request| async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        Response::ok(said(request).await)
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
        Response::ok(said(request).await)
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
