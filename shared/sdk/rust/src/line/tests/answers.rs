//! Answers in parts: sent as far as there is credit for them.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

/// A body without end, in pieces of 50,000 bytes, that counts what was asked of it.
fn endless(asked: Arc<AtomicUsize>, alarm: Alarm) -> Streamed {
    let body = futures_util::stream::unfold(alarm, move |alarm| {
        asked.fetch_add(1, Ordering::Relaxed);
        async move { Some((Ok(Bytes::from_static(&[7; 50_000])), alarm)) }
    });
    Streamed::new(206, vec![("content-type".into(), "a/b".into())], body)
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
            let said = said(request).await;
            if said.is_empty() { endless(asked, alarm).into() } else { Reply::from(Response::ok(said)) }
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
        let end = if said(request).await.is_empty() { None } else { Some(Err(Refusal::new("broke", "it broke"))) };
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
