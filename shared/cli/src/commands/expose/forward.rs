//! One call: from the line to the server on this machine, and its answer back as it comes.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderValue, Method, StatusCode, header};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use landline_client::{Refusal, Reply, Request, Response, Streamed};
use landline_wire::limits::CALL_TIMEOUT_MS;
use serde_json::json;
use tokio::time::{Instant, Interval, interval_at};

use super::watch::{Board, Watched};
use crate::carry::base::{BadPath, Base};
use crate::carry::head;
use crate::carry::http::{Carrier, describe};

/// Bytes of an answer of known length that goes in one piece: it costs one frame, and callers learn its length.
const WHOLE_BYTES: u64 = 64 << 10;
/// How long callers are told to wait for a server that is not there.
const RETRY_MS: u64 = 2_000;
/// An event stream may be silent for as long as it likes, but the relay ends a call without a part for 60 s: so often a
/// part without bytes says that the server still holds the stream.
const SIGN_OF_LIFE: Duration = Duration::from_secs(20);
const _: () = assert!(SIGN_OF_LIFE.as_millis() * 2 < CALL_TIMEOUT_MS as u128, "one may be late");

pub(super) struct Forwarder {
    base: Base,
    carrier: Carrier,
    board: Board,
}

impl Forwarder {
    pub(super) fn new(base: Base, carrier: Carrier, board: Board) -> Self {
        Self { base, carrier, board }
    }

    /// Carries a call. Dropping the future, or the body that it gave, ends the request at the server.
    pub(super) async fn answer(&self, request: Request) -> Reply {
        let watched = self.board.begin(request.from, &request.verb, &request.path);
        let made = match self.request(request) {
            Ok(made) => made,
            Err(reply) => return over(watched, reply),
        };
        match self.carrier.request(made).await {
            Ok(answer) => pass_on(answer, watched).await,
            Err(error) => over(watched, failed(&error).into()),
        }
    }

    fn request(&self, request: Request) -> Result<http::Request<Body>, Reply> {
        let uri = self.base.join(&request.path).map_err(bad_path)?;
        if !landline_wire::relay::is_verb(&request.verb) {
            return Err(bad_path(BadPath::Malformed));
        }
        let verb = Method::from_bytes(request.verb.as_bytes()).map_err(|_| bad_path(BadPath::Malformed))?;
        let host = HeaderValue::from_str(self.base.authority()).map_err(|_| bad_path(BadPath::Malformed))?;
        // What comes in parts goes on as it comes, at most a window ahead of what the server has read.
        let body = request.body.into_whole().map_or_else(Body::from_stream, Body::from);
        let mut made = http::Request::new(body);
        *made.method_mut() = verb;
        *made.uri_mut() = uri;
        *made.headers_mut() = head::from_line(&request.headers);
        made.headers_mut().insert(header::HOST, host);
        Ok(made)
    }
}

/// The call ends with this reply.
fn over(mut watched: Watched, reply: Reply) -> Reply {
    match &reply {
        Reply::Whole(response) => watched.status(response.status),
        Reply::Parts(parts) => watched.status(parts.status),
        // What the relay makes of a refusal.
        Reply::Refused(_) => watched.status(StatusCode::BAD_GATEWAY.as_u16()),
    }
    watched.finished();
    reply
}

/// The caller's own fault, so it gets a 400 and not the relay's 502.
fn bad_path(why: BadPath) -> Reply {
    let problem = json!({
        "type": "about:blank",
        "title": "Bad path",
        "status": StatusCode::BAD_REQUEST.as_u16(),
        "detail": why.to_string(),
        "code": "bad_path",
    });
    Response::new(StatusCode::BAD_REQUEST.as_u16(), "application/problem+json", problem.to_string()).into()
}

/// Why the server gave no answer, without its address.
fn failed(error: &hyper_util::client::legacy::Error) -> Refusal {
    tracing::debug!(error = describe(error), "a call failed");
    if error.is_connect() {
        let refusal = Refusal::new("local_unreachable", "the server behind this agent cannot be reached");
        return Refusal { retry_after_ms: Some(RETRY_MS), ..refusal };
    }
    Refusal::new("local_failed", "the server behind this agent broke off or answered with no HTTP")
}

fn broke_off() -> Refusal {
    Refusal::new("local_failed", "the server behind this agent broke off in the middle of its answer")
}

async fn pass_on(answer: http::Response<Incoming>, mut watched: Watched) -> Reply {
    let status = answer.status().as_u16();
    if !landline_wire::relay::is_answer_status(u64::from(status)) {
        return over(watched, Refusal::new("local_failed", format!("the server answered with status {status}")).into());
    }
    watched.status(status);
    let headers = head::for_line(answer.headers());
    let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let may_be_silent = kind.starts_with("text/event-stream");
    let body = answer.into_body();
    if body.size_hint().upper().is_some_and(|bytes| bytes <= WHOLE_BYTES) {
        return match body.collect().await {
            Ok(body) => over(watched, Response { status, headers, body: body.to_bytes() }.into()),
            Err(_) => over(watched, broke_off().into()),
        };
    }
    Streamed::new(status, headers, Pieces::new(body.into_data_stream(), watched, may_be_silent)).into()
}

/// The body of an answer as it comes, and the call that it belongs to.
struct Pieces<S> {
    body: S,
    watched: Watched,
    /// For a body that may be silent.
    alive: Option<Interval>,
}

impl<S> Pieces<S> {
    fn new(body: S, watched: Watched, may_be_silent: bool) -> Self {
        let alive = may_be_silent.then(|| interval_at(Instant::now() + SIGN_OF_LIFE, SIGN_OF_LIFE));
        Self { body, watched, alive }
    }
}

impl<S: Stream<Item = Result<Bytes, E>> + Unpin, E> Stream for Pieces<S> {
    type Item = Result<Bytes, Refusal>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Poll::Ready(next) = Pin::new(&mut self.body).poll_next(context) else {
            let alive = self.alive.as_mut().map_or(Poll::Pending, |alive| alive.poll_tick(context));
            return alive.map(|_| Some(Ok(Bytes::new())));
        };
        if let Some(alive) = &mut self.alive {
            alive.reset();
        }
        Poll::Ready(match next {
            Some(Ok(bytes)) => Some(Ok(bytes)),
            Some(Err(_)) => {
                self.watched.status(StatusCode::BAD_GATEWAY.as_u16());
                self.watched.finished();
                Some(Err(broke_off()))
            }
            None => {
                self.watched.finished();
                None
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_silent_event_stream_shows_that_it_lives_and_other_bodies_wait() {
        let board = Board::start(false, String::new());
        let silent = || stream::pending::<Result<Bytes, ()>>();
        let mut events = Pieces::new(silent(), board.begin(None, "GET", "/"), true);
        for _ in 0..3 {
            let begun = Instant::now();
            assert_eq!(events.next().await, Some(Ok(Bytes::new())));
            assert_eq!(begun.elapsed(), SIGN_OF_LIFE);
        }
        let mut other = Pieces::new(silent(), board.begin(None, "GET", "/"), false);
        assert!(tokio::time::timeout(10 * SIGN_OF_LIFE, other.next()).await.is_err());
    }
}
