//! Requests that a switch passes on.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use landline_controlplane::extract::Peer;
use landline_link::{Lookup, LookupAnswer, Secret};
use landline_uplink::{Ticket, ToCore, ToExchange};
use landline_wire::limits::WINDOW_BYTES;

use crate::world::{PATIENCE, Switch, World, eventually};

/// Bodies and handlers that are alive now.
#[derive(Clone, Default)]
struct Alive(Arc<AtomicUsize>);

impl Alive {
    fn enter(&self) -> Guard {
        self.0.fetch_add(1, Ordering::SeqCst);
        Guard(self.clone())
    }

    async fn becomes(&self, wanted: usize) {
        let what = format!("{wanted} alive");
        eventually(&what, async || self.0.load(Ordering::SeqCst) == wanted).await;
    }
}

struct Guard(Alive);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Routes that show how bodies travel.
fn routes(alive: Alive) -> Router {
    let ticking = alive.clone();
    Router::new()
        .route("/test/echo", post(async |request: Request| Body::new(request.into_body())))
        .route("/test/peer", get(async |Extension(Peer(ip)): Extension<Peer>| ip.to_string()))
        .route(
            "/test/ticks",
            get(async move || {
                let guard = ticking.enter();
                let ticks = stream::unfold((0, guard), async |(n, guard)| {
                    if n > 0 {
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                    Some((Ok::<_, Infallible>(Bytes::from(format!("data: {n}\n\n"))), (n + 1, guard)))
                });
                ([("content-type", "text/event-stream")], Body::from_stream(ticks)).into_response()
            }),
        )
        .route(
            "/test/collect",
            post(async move |request: Request| {
                let _guard = alive.enter();
                let mut body = request.into_body().into_data_stream();
                let mut length = 0;
                while let Some(piece) = body.next().await {
                    match piece {
                        Ok(bytes) => length += bytes.len(),
                        Err(_) => return "broken".into_response(),
                    }
                }
                length.to_string().into_response()
            }),
        )
}

/// A megabyte that repeats nowhere near a window's length.
fn big(bytes: usize) -> Bytes {
    (0..bytes as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exchanges_own_routes_answer_through_the_link() {
    let world = World::with(routes(Alive::default())).await;
    let mut switch = world.switch().await;
    let (status, body) = switch.request("GET", "/connect/v1/agents?limit=1", &[], "").await;
    assert_eq!(status, 200);
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["limit"], 1);
    for target in ["/nonsense", "/a<b>`\\^{|}\"c?q=<d>"] {
        let (status, body) = switch.request("GET", target, &[], "").await;
        assert_eq!(status, 404, "{target}");
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&body).unwrap()["code"], "not_found");
    }
    let (_, peer) = switch.request("GET", "/test/peer", &[("forwarded", "for=203.0.113.9")], "").await;
    assert_eq!(peer, b"192.0.2.7", "the caller's address is what the switch says");
}

/// Sends a body within the window that the exchange's side grants, taking the answer within ours.
async fn echo(switch: &mut Switch, ticket: Ticket, body: &Bytes) -> Vec<u8> {
    let (mut sent, mut credit, mut ended) = (0, WINDOW_BYTES, false);
    let (mut back, mut outstanding) = (Vec::new(), 0);
    loop {
        while credit > 0 && sent < body.len() {
            let piece = body.slice(sent..body.len().min(sent + credit.min(60_000)));
            (sent, credit) = (sent + piece.len(), credit - piece.len());
            switch.sender.send(ToExchange::PassBody(ticket, piece));
        }
        if sent == body.len() && !ended {
            ended = true;
            switch.sender.send(ToExchange::PassEnd(ticket));
        }
        match switch.next("echo", Some).await {
            ToCore::PassCredit(of, bytes) if of == ticket => credit += bytes,
            ToCore::PassBody(of, bytes) if of == ticket => {
                back.extend_from_slice(&bytes);
                outstanding += bytes.len();
                assert!(outstanding <= WINDOW_BYTES, "the window was overrun");
                // Grants in large pieces, so that the window fills.
                if outstanding > WINDOW_BYTES / 2 || back.len() == body.len() {
                    switch.sender.send(ToExchange::PassCredit(ticket, std::mem::take(&mut outstanding)));
                }
            }
            ToCore::PassEnd(of) if of == ticket => return back,
            ToCore::PassFailed(of) if of == ticket => panic!("failed after {sent} up and {} down", back.len()),
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_travel_both_ways_within_their_windows() {
    let world = World::with(routes(Alive::default())).await;
    let mut switch = world.switch().await;
    let body = big(5 << 20);
    let ticket = switch.pass("POST", "/test/echo", &[]);
    assert_eq!(echo(&mut switch, ticket, &body).await, body);
    assert_eq!(switch.uplink.figures().passes_open, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_takes_stops_at_its_window() {
    let world = World::with(routes(Alive::default())).await;
    let mut switch = world.switch().await;
    let ticket = switch.pass("GET", "/test/ticks", &[]);
    switch.answer(ticket).await;
    // Ticks are small; what counts is that without credit no more than a window ever comes.
    let slow = switch.pass("POST", "/test/echo", &[]);
    switch.sender.send(ToExchange::PassBody(slow, big(WINDOW_BYTES)));
    switch.sender.send(ToExchange::PassBody(slow, big(WINDOW_BYTES)));
    switch.sender.send(ToExchange::PassEnd(slow));
    let mut taken = 0;
    let quiet = tokio::time::timeout(Duration::from_millis(700), async {
        loop {
            if let Some((_, ToCore::PassBody(of, bytes))) = switch.inbox.recv().await
                && of == slow
            {
                taken += bytes.len();
            }
        }
    });
    assert!(quiet.await.is_err());
    assert_eq!(taken, WINDOW_BYTES);
    switch.sender.send(ToExchange::PassCredit(slow, taken));
    assert_eq!(switch.rest(slow).await.len(), WINDOW_BYTES);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_comes_before_the_request_is_complete_is_delivered() {
    let world = World::with(routes(Alive::default())).await;
    let mut switch = world.switch().await;
    let ticket = switch.pass("POST", "/connect/v1/agents", &[("content-type", "application/json")]);
    let body = big(WINDOW_BYTES);
    switch.sender.send(ToExchange::PassBody(ticket, body.clone()));
    switch.sender.send(ToExchange::PassBody(ticket, body));
    assert_eq!(switch.answer(ticket).await.status, 413);
    assert!(!switch.rest(ticket).await.is_empty());
    eventually("nothing is open", async || switch.uplink.figures().passes_open == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_flow_at_once_and_a_caller_that_leaves_frees_them() {
    let alive = Alive::default();
    let world = World::with(routes(alive.clone())).await;
    let mut switch = world.switch().await;
    let began = Instant::now();
    let ticket = switch.pass("GET", "/test/ticks", &[]);
    let head = switch.answer(ticket).await;
    assert!(head.headers.contains(&("content-type".into(), b"text/event-stream".to_vec())), "{head:?}");
    let mut text = Vec::new();
    while !text.ends_with(b"data: 2\n\n") {
        text.extend(switch.piece(ticket).await.expect("it goes on for ever"));
    }
    assert!(began.elapsed() < Duration::from_secs(5));
    alive.becomes(1).await;
    switch.sender.send(ToExchange::PassCancel(ticket));
    alive.becomes(0).await;
    eventually("nothing is open", async || switch.uplink.figures().passes_open == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_breaks_off_is_never_taken_for_a_whole_one() {
    let alive = Alive::default();
    let world = World::with(routes(alive.clone())).await;
    let mut switch = world.switch().await;
    let ticket = switch.pass("POST", "/test/collect", &[]);
    switch.sender.send(ToExchange::PassBody(ticket, big(1_000)));
    alive.becomes(1).await;
    switch.sender.send(ToExchange::PassCancel(ticket));
    alive.becomes(0).await;
    let ticket = switch.pass("POST", "/test/collect", &[]);
    switch.sender.send(ToExchange::PassBody(ticket, big(1_000)));
    switch.sender.send(ToExchange::PassEnd(ticket));
    assert_eq!(switch.answer(ticket).await.status, 200);
    assert_eq!(switch.rest(ticket).await, b"1000");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_exchange_fails_what_is_open_and_what_comes_after_at_once() {
    let mut world = World::with(routes(Alive::default())).await;
    let mut switch = world.switch().await;
    let open = switch.pass("GET", "/test/ticks", &[]);
    switch.answer(open).await;
    world.stop_feed().await;
    let failed = |of| move |message| matches!(message, ToCore::PassFailed(ticket) if ticket == of).then_some(());
    switch.next("end of the open answer", failed(open)).await;
    eventually("the link is down", async || !switch.uplink.figures().connected).await;
    let began = Instant::now();
    let ticket = switch.pass("GET", "/test/peer", &[]);
    switch.next("refusal", failed(ticket)).await;
    assert!(began.elapsed() < Duration::from_millis(500));
    world.start_feed().await;
    switch.synced(true).await;
    assert_eq!(switch.request("GET", "/test/peer", &[], "").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_slow_answers_do_not_hinder_a_question_or_a_change() {
    let world = World::with(routes(Alive::default())).await;
    let mut switch = world.switch().await;
    let tickets: Vec<Ticket> = (0..2_000).map(|_| switch.pass("POST", "/test/collect", &[])).collect();
    eventually("all are open", async || switch.uplink.figures().passes_open == tickets.len()).await;
    let began = Instant::now();
    let answer = switch.ask(Lookup::Key(Secret(format!("ll_{}", "A".repeat(43))))).await;
    assert_eq!(answer, Some(LookupAnswer::KeyUnknown));
    assert!(began.elapsed() < Duration::from_secs(4));
    for ticket in &tickets {
        switch.sender.send(ToExchange::PassBody(*ticket, Bytes::from_static(b"four")));
        switch.sender.send(ToExchange::PassEnd(*ticket));
    }
    let mut ended = 0;
    let all = tokio::time::timeout(PATIENCE, async {
        while ended < tickets.len() {
            match switch.inbox.recv().await.unwrap().1 {
                ToCore::PassBody(_, bytes) => assert_eq!(&bytes[..], b"4"),
                ToCore::PassFailed(ticket) => panic!("{ticket:?} failed"),
                ToCore::PassEnd(_) => ended += 1,
                _ => {}
            }
        }
    });
    all.await.unwrap();
}
