//! One call on its way to an agent's own host and back: connect, ask, and pass the answer on as it comes.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderMap, HeaderName, HeaderValue, Request, response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use landline_wire::limits::{MAX_HEADER_BYTES, MAX_HEADERS, READ_BUFFER_BYTES};
use landline_wire::relay::{ANSWER_HEADERS, is_answer_status, is_header_value, reaches_caller};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_util::task::AbortOnDropHandle;

use super::audit::Audit;
use super::connect::{Connector, Unreachable};
use super::gate::Pass;
use super::target::Origin;
use super::{MAX_ANSWER_BYTES, MAX_CALL, MAX_SILENCE};
use crate::error::Foreign;
use crate::state::Exchange;

/// Why a call has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The host's addresses may not be called.
    Refused,
    /// No connection.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// The connection was lost before the answer's head.
    Broken,
    /// An answer that cannot be passed on.
    BadAnswer,
}

impl Failure {
    /// The status that the caller gets.
    fn status(self) -> u16 {
        match self {
            Self::Refused => 404,
            Self::Unreachable | Self::Broken | Self::BadAnswer => 502,
            Self::Timeout => 504,
        }
    }
}

/// What a call takes with it.
pub(crate) struct Journey<'a> {
    pub(crate) exchange: &'a Exchange,
    pub(crate) origin: &'a Origin,
    /// Time to the answer's head.
    pub(crate) deadline: Duration,
    /// The request's bytes in the budget; until the answer begins.
    pub(crate) hold: Option<OwnedSemaphorePermit>,
    pub(crate) pass: Pass,
    pub(crate) audit: Audit,
}

/// Carries a request to the agent and gives the answer. The call is recorded when it fails, or when the answer's body has
/// ended.
pub(crate) async fn carry(journey: Journey<'_>, request: Request<Full<Bytes>>) -> Result<Response, Failure> {
    let Journey { exchange, origin, deadline, hold, pass, mut audit } = journey;
    let ends = Instant::now() + MAX_CALL;
    let asked =
        timeout(deadline, ask(&exchange.direct.connector, origin, request)).await.unwrap_or(Err(Failure::Timeout));
    drop(hold);
    let answer = asked.and_then(|(answer, connection)| {
        let (head, body) = answer.into_parts();
        Ok((head_for_caller(head, &audit)?, body, connection))
    });
    match answer {
        Err(failure) => {
            audit.end(failure.status()).await;
            Err(failure)
        }
        Ok((head, body, connection)) => {
            let status = head.status.as_u16();
            let answer = Answer { body, connection, pass, audit, status, ends, left: MAX_ANSWER_BYTES };
            Ok(Response::from_parts(head, Body::from_stream(stream::unfold(Some(answer), Answer::next))))
        }
    }
}

/// Drives a connection while an answer's body is read; dropped, it ends.
pub(crate) type Connection = AbortOnDropHandle<()>;

/// Connects, asks, and waits for the answer's head.
pub(crate) async fn ask(
    connector: &Connector,
    origin: &Origin,
    request: Request<Full<Bytes>>,
) -> Result<(http::Response<Incoming>, Connection), Failure> {
    let stream = connector.connect(origin).await.map_err(|error| {
        tracing::info!(host = %origin.host, "a host was not reached: {error}");
        if matches!(error, Unreachable::Refused(_)) { Failure::Refused } else { Failure::Unreachable }
    })?;
    let mut settings = http1::Builder::new();
    settings.max_headers(MAX_HEADERS).max_buf_size(READ_BUFFER_BYTES);
    let (mut sender, connection) = settings.handshake(TokioIo::new(stream)).await.map_err(|_| Failure::Broken)?;
    let connection = AbortOnDropHandle::new(tokio::spawn(async move {
        // What goes wrong is seen by whoever waits for the answer.
        let _ = connection.await;
    }));
    match sender.send_request(request).await {
        Ok(answer) => Ok((answer, connection)),
        Err(error) if error.is_parse() => Err(Failure::BadAnswer),
        Err(_) => Err(Failure::Broken),
    }
}

/// The answer's head as the caller gets it: the agent's status, the headers that may pass, and ours.
fn head_for_caller(given: response::Parts, audit: &Audit) -> Result<response::Parts, Failure> {
    if !is_answer_status(u64::from(given.status.as_u16())) {
        return Err(Failure::BadAnswer);
    }
    let mut headers = HeaderMap::new();
    let mut bytes = 0;
    for (name, value) in given.headers.iter().filter(|(name, _)| reaches_caller(name.as_str())) {
        let text = std::str::from_utf8(value.as_bytes()).ok().filter(|text| is_header_value(text));
        bytes += name.as_str().len() + text.ok_or(Failure::BadAnswer)?.len();
        headers.append(name.clone(), value.clone());
    }
    if bytes > MAX_HEADER_BYTES {
        return Err(Failure::BadAnswer);
    }
    for (name, value) in ANSWER_HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert("x-connect-route", HeaderValue::from_static("http_direct"));
    if let Ok(timing) = HeaderValue::from_str(&format!("relay;dur={:.3}", audit.so_far_ms())) {
        headers.insert("server-timing", timing);
    }
    let (mut head, ()) = http::Response::new(()).into_parts();
    (head.status, head.headers) = (given.status, headers);
    head.extensions.insert(Foreign);
    Ok(head)
}

/// An answer whose body is on its way. Dropped before its end, its caller went away.
struct Answer {
    body: Incoming,
    /// Drives the body; ends with it.
    connection: Connection,
    /// Counts as in flight until the end.
    pass: Pass,
    audit: Audit,
    status: u16,
    ends: Instant,
    left: u64,
}

/// The body that was promised does not come.
#[derive(Debug, thiserror::Error)]
#[error("the agent's answer broke off, was too long or too slow")]
struct Cut;

impl Answer {
    /// The next part of the body, and what is left. The record is written before the end is told.
    async fn next(this: Option<Self>) -> Option<(Result<Bytes, Cut>, Option<Self>)> {
        let mut this = this?;
        match this.part().await {
            Ok(Some(bytes)) => Some((Ok(bytes), Some(this))),
            Ok(None) => {
                let status = this.status;
                this.finish(status).await;
                None
            }
            Err(cut) => {
                // The head is out; the record says what became of the call.
                this.finish(502).await;
                Some((Err(cut), None))
            }
        }
    }

    async fn part(&mut self) -> Result<Option<Bytes>, Cut> {
        loop {
            let until = self.ends.min(Instant::now() + MAX_SILENCE);
            let frame = match timeout_at(until, self.body.frame()).await {
                Ok(Some(frame)) => frame.map_err(|_| Cut)?,
                Ok(None) => return Ok(None),
                Err(_) => return Err(Cut),
            };
            let Ok(bytes) = frame.into_data() else { continue };
            self.left = self.left.checked_sub(bytes.len() as u64).ok_or(Cut)?;
            if !bytes.is_empty() {
                return Ok(Some(bytes));
            }
        }
    }

    async fn finish(self, status: u16) {
        let Self { body, connection, pass, mut audit, .. } = self;
        drop((body, connection, pass));
        audit.end(status).await;
    }
}
