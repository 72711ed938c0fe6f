//! `/relay/{agent_id}…` as the exchange serves it: a call that a switch passed on because its callee has no line.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HOST, HeaderValue};
use http::{HeaderMap, HeaderName, Uri, request};
use http_body_util::Full;
use landline_link::{Access, Caller};
use landline_wire::error::{Code, Problem};
use landline_wire::ids::AgentId;
use landline_wire::limits::CALL_TIMEOUT_MS;
use landline_wire::relay::{self as rules, Target};
use tokio::time::Instant;
use uuid::Uuid;

use super::audit::{Audit, Call};
use super::gate::Shut;
use super::message::{Content, wrap};
use super::passage::{self, Failure};
use super::plan::{self, Callee, ONLY, Plan, Wanted};
use crate::agents::{self, Stored};
use crate::auth;
use crate::error::{Error, Result};
use crate::extract::{RelayCaller, RequestId};
use crate::state::Exchange;

const X_LANDLINE_AS: &str = "x-landline-as";
const X_RELAY_TIMEOUT_MS: &str = "x-relay-timeout-ms";
const A2A_VERSION: HeaderName = HeaderName::from_static("a2a-version");

/// Any method, `/relay/{agent_id}` and below. Without the word of a switch there is nothing here.
pub(crate) async fn call(State(exchange): State<Exchange>, request: Request) -> Response {
    let Some(RelayCaller(caller)) = request.extensions().get::<RelayCaller>().copied() else {
        return Error::plain(Code::NotFound).into_response();
    };
    match dispatch(&exchange, caller, request).await {
        Ok(response) => response,
        Err(error) => error.into_response(),
    }
}

async fn dispatch(exchange: &Exchange, caller: Caller, request: Request) -> Result<Response> {
    let (began, ts) = (Instant::now(), exchange.clock.now_ms());
    let (parts, body) = request.into_parts();
    let target = parts.uri.path_and_query().map(|target| target.as_str()).unwrap_or_default();
    let below = target.strip_prefix("/relay/").ok_or_else(|| Error::plain(Code::NotFound))?;
    let (id, wanted) = rules::target(parts.method.as_str(), below);
    let agent: AgentId = id.parse().map_err(|bad| Error::invalid("agent_id", format!("{bad}.")))?;
    let rest = match wanted {
        Target::Call { rest } => rest,
        // Ours, and not here.
        Target::Card | Target::Stream | Target::Status => return Err(Error::plain(Code::NotFound)),
    };
    let callee = judge(exchange, caller, agent).await?;
    let new_audit = |began| {
        let call = Call {
            caller: caller.agent,
            callee: agent,
            method: header(&parts.headers, "x-a2a-method").filter(|m| rules::is_a2a_method(m)).map(str::to_owned),
            request_id: parts.extensions.get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default(),
            ts,
            began,
            reached: true,
        };
        Audit::open(exchange, call)
    };
    let as_message = as_message(&parts.headers)?;
    let wanted = Wanted { method: &parts.method, rest, as_message };
    let planned = match callee.and_then(|stored| called_directly(exchange, &stored, caller, wanted)) {
        Ok(planned) => planned,
        Err(error) => return Err(refuse(new_audit(began), error).await),
    };
    let deadline = answer_timeout(&parts.headers)?;
    let upload = exchange.direct.uploads.collect(body).await?;
    let (callee, plan) = planned;
    let pass = exchange.direct.gates.enter(&callee.origin.host, exchange.clock.now_ms()).map_err(shut)?;
    let outgoing = outgoing(&parts, &callee, &plan, upload.bytes);
    // The record's time runs from the complete request.
    let audit = new_audit(Instant::now());
    let journey = passage::Journey { exchange, origin: &callee.origin, deadline, hold: upload.hold, pass, audit };
    passage::carry(journey, outgoing).await.map_err(failed)
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// The callee as it is stored, or why this caller cannot call it: the outer failures are of a call that is nobody's, the
/// inner ones are recorded.
async fn judge(exchange: &Exchange, caller: Caller, agent: AgentId) -> Result<Result<Stored>> {
    let mut conn = exchange.db.read().acquire().await?;
    if let Some(caller) = caller.agent {
        let account = auth::store::by_agent(&mut conn, caller).await?;
        let account = account.ok_or_else(|| Error::plain(Code::TokenInvalid))?;
        if account.blocked {
            return Err(Error::plain(Code::AgentBlocked));
        }
    }
    let stored = agents::ops::stored(&mut conn, agent).await?;
    Ok(if stored.blocked { Err(Error::plain(Code::TargetBlocked)) } else { Ok(stored) })
}

/// What is asked of the agent, or why it is not called.
fn called_directly(exchange: &Exchange, stored: &Stored, caller: Caller, wanted: Wanted<'_>) -> Result<(Callee, Plan)> {
    let policy = agents::ops::policy_of(stored);
    match (policy.access, caller.agent) {
        (Access::Public, _) | (Access::Agents, Some(_)) => {}
        (Access::Listed, Some(caller)) if policy.allow.contains(&caller) => {}
        (Access::Agents | Access::Listed, None) => return Err(Error::plain(Code::TokenMissing)),
        (Access::Listed, Some(_)) => {
            let detail = "This agent takes calls only from callers that its owner listed.";
            return Err(Error::new(Code::NotAuthorized, detail));
        }
    }
    let callee =
        super::callee(exchange, stored).ok_or_else(|| not_connected(Code::AgentNotConnected.entry().meaning))?;
    let plan = callee.plan(wanted).ok_or_else(|| not_connected(ONLY))?;
    Ok((callee, plan))
}

fn not_connected(detail: &str) -> Error {
    Problem::new(Code::AgentNotConnected, detail).retry_after(5).into()
}

/// Records a call that was turned away at the agent's door; one whose caller is not known is only counted.
async fn refuse(mut audit: Audit, error: Error) -> Error {
    let problem = error.into_problem();
    if problem.code == Code::TokenMissing {
        audit.forget();
    } else {
        audit.turned_away(problem.code.status()).await;
    }
    problem.into()
}

/// Does the caller want its body sent as a message?
fn as_message(headers: &HeaderMap) -> Result<bool> {
    match headers.get(X_LANDLINE_AS).map(HeaderValue::as_bytes) {
        None => Ok(false),
        Some(b"message") => Ok(true),
        Some(_) => Err(Error::invalid("X-Landline-As", "X-Landline-As must be `message`, or absent.")),
    }
}

/// The time to the answer's head.
fn answer_timeout(headers: &HeaderMap) -> Result<Duration> {
    if !headers.contains_key(X_RELAY_TIMEOUT_MS) {
        return Ok(Duration::from_millis(CALL_TIMEOUT_MS));
    }
    let ms = header(headers, X_RELAY_TIMEOUT_MS).and_then(|text| text.parse().ok());
    ms.filter(|ms| (1..=CALL_TIMEOUT_MS).contains(ms)).map(Duration::from_millis).ok_or_else(|| {
        let detail = format!("X-Relay-Timeout-Ms must be a number from 1 to {CALL_TIMEOUT_MS}.");
        Error::invalid("X-Relay-Timeout-Ms", detail)
    })
}

fn shut(shut: Shut) -> Error {
    match shut {
        Shut::Host(wait_ms) => {
            let seconds = u32::try_from(wait_ms.div_ceil(1_000)).unwrap_or(u32::MAX).max(1);
            let detail = "The agent holds no line, and its host is called as often as it may be.";
            Problem::new(Code::RateLimited, detail).retry_after(seconds).into()
        }
        Shut::Full => Error::new(Code::Overloaded, "Too many calls without a line are in flight."),
    }
}

/// The request as the agent gets it.
fn outgoing(parts: &request::Parts, callee: &Callee, plan: &Plan, body: Bytes) -> http::Request<Full<Bytes>> {
    let mut headers = plan::headers(&parts.headers);
    let body = match &plan.wrap {
        None => body,
        Some(interface) => {
            let id = Uuid::new_v4().to_string();
            let media_type = header(&headers, "content-type");
            let content = Content { media_type, body: &body, id: &id, tenant: interface.tenant.as_deref() };
            let wrapped = wrap(interface.binding, interface.era, content);
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
            if let Ok(version) = HeaderValue::from_str(&interface.version) {
                headers.entry(A2A_VERSION).or_insert(version);
            }
            wrapped.into()
        }
    };
    if let Ok(host) = HeaderValue::from_str(&callee.origin.authority()) {
        headers.insert(HOST, host);
    }
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    let mut request = http::Request::new(Full::new(body));
    *request.method_mut() = plan.method.clone();
    *request.uri_mut() = Uri::from(plan.path.clone());
    *request.headers_mut() = headers;
    request
}

/// What the caller reads of a call that failed. Nothing of the agent's network is told: which address its name has, and
/// what answered there, is not the caller's business.
fn failed(failure: Failure) -> Error {
    match failure {
        Failure::Refused => {
            not_connected("The agent holds no line, and its URL does not lead to an address that may be called.")
        }
        Failure::Unreachable => {
            Error::new(Code::GatewayUnavailable, "The agent holds no line, and its URL cannot be reached.")
        }
        Failure::Timeout => {
            Error::new(Code::AgentTimeout, "The agent's URL did not answer in time; it may have acted.")
        }
        Failure::Broken => Error::new(Code::GatewayUnavailable, "The agent's connection was lost; it may have acted."),
        Failure::BadAnswer => Error::plain(Code::BadAnswer),
    }
}
