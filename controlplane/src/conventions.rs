//! What holds for every request, in the order in which it happens: a request id, CORS, the credential, the rate limit;
//! then the handler; then the problem document, the headers and the metrics.

use std::net::IpAddr;
use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, ORIGIN, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use landline_wire::error::{Code, Problem};
use landline_wire::limits::MAX_REQUEST_ID_CHARS;
use uuid::Uuid;

use crate::auth;
use crate::config::Class;
use crate::error::{Error, Result, render};
use crate::extract::{Principal, RelayCaller, RequestId, peer};
use crate::limit::Who;
use crate::state::Exchange;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The middleware around every route.
pub async fn apply(State(exchange): State<Exchange>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let request_id = request_id(request.headers());
    let path = request.uri().path().to_owned();
    let instance = path.strip_prefix(&exchange.config.prefix).filter(|rest| rest.starts_with('/')).unwrap_or(&path);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let allowed_origin = allowed_origin(&exchange, request.headers());
    request.extensions_mut().insert(RequestId(request_id.clone()));

    let response = if is_preflight(&request) {
        preflight(allowed_origin.is_some())
    } else {
        let credential = request.headers().get(AUTHORIZATION).cloned();
        let ip = peer(request.extensions()).0;
        // A call that a switch admitted was judged and counted there.
        let judged = request.extensions().get::<RelayCaller>().is_some() && instance.starts_with("/relay/");
        let admitted = match judged {
            true => Ok(Principal::Anonymous),
            false => admit(&exchange, credential, ip, &method, instance).await,
        };
        match admitted {
            Ok(principal) => {
                request.extensions_mut().insert(principal);
                let response = next.run(request).await;
                if method == Method::OPTIONS { options(response) } else { response }
            }
            Err(error) => error.into_response(),
        }
    };

    let mut response = render(response, &method, &exchange.config.origin(), instance, &request_id);
    finish(response.headers_mut(), &request_id, allowed_origin);
    exchange.metrics.request(&method, route.as_deref(), response.status(), began.elapsed());
    response
}

/// The caller's own id if it is one, otherwise a new one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(X_REQUEST_ID).and_then(|value| value.to_str().ok());
    let good = |id: &&str| {
        (1..=MAX_REQUEST_ID_CHARS).contains(&id.len())
            && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    given.filter(good).map_or_else(|| Uuid::new_v4().simple().to_string(), str::to_owned)
}

/// Who calls, if this request may go on at all.
async fn admit(
    exchange: &Exchange,
    credential: Option<HeaderValue>,
    ip: IpAddr,
    method: &Method,
    instance: &str,
) -> Result<Principal> {
    let principal = match credential {
        None => Principal::Anonymous,
        Some(value) => auth::ops::authenticate(exchange, &value, ip, instance).await?,
    };
    limit(exchange, &principal, Who::address(ip), method, instance)?;
    Ok(principal)
}

/// Counts the request against its class. The operator is exempt.
fn limit(exchange: &Exchange, principal: &Principal, address: Who, method: &Method, instance: &str) -> Result<()> {
    let (class, who) = match (method.as_str(), instance, principal) {
        (_, _, Principal::Admin) => return Ok(()),
        ("POST", "/v1/agents" | "/v1/submissions", _) => (Class::Registration, address),
        (_, _, Principal::Agent(agent)) => (Class::Authenticated, Who::Agent(agent.agent)),
        ("GET" | "HEAD", "/v1/search", _)
        | ("POST", "/v1/discover" | "/ard/search" | "/ard/explore" | "/a2a" | "/a2a/", _) => {
            (Class::Discovery, address)
        }
        _ => (Class::Anonymous, address),
    };
    exchange.limiter.check(class, who, exchange.clock.now_ms()).map_err(|wait_ms| {
        exchange.metrics.limited(class);
        rate_limited(class.as_str(), wait_ms)
    })
}

/// 429 with the time to come back.
pub fn rate_limited(class: &str, wait_ms: u64) -> Error {
    let seconds = u32::try_from(wait_ms.div_ceil(1_000)).unwrap_or(u32::MAX).max(1);
    Problem::new(Code::RateLimited, format!("Too many requests of the class `{class}`.")).retry_after(seconds).into()
}

fn allowed_origin(exchange: &Exchange, headers: &HeaderMap) -> Option<HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    exchange.config.cors_origins.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes()).then(|| origin.clone())
}

fn is_preflight(request: &Request) -> bool {
    request.method() == Method::OPTIONS && request.headers().contains_key("access-control-request-method")
}

/// The answer to a preflight: without an allowed origin it allows nothing.
fn preflight(allowed: bool) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    if allowed {
        let headers = response.headers_mut();
        let mut set = |name, value| headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        set("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE");
        set(
            "access-control-allow-headers",
            "authorization, content-type, if-none-match, last-event-id, x-request-id, x-a2a-method, a2a-version, \
             a2a-extensions",
        );
        set("access-control-max-age", "600");
    }
    response
}

/// The answer to `OPTIONS`: what the path allows. The router adds the list, in `Allow`, to whatever is answered instead of
/// a method that the path does not have.
fn options(response: Response) -> Response {
    match response.status() {
        StatusCode::METHOD_NOT_ALLOWED => StatusCode::NO_CONTENT.into_response(),
        _ => response,
    }
}

fn finish(headers: &mut HeaderMap, request_id: &str, allowed_origin: Option<HeaderValue>) {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert(X_REQUEST_ID, value);
    }
    headers.entry("x-content-type-options").or_insert(HeaderValue::from_static("nosniff"));
    if let Some(origin) = allowed_origin {
        headers.insert("access-control-allow-origin", origin);
        headers.insert("access-control-expose-headers", HeaderValue::from_static("x-request-id, etag, retry-after"));
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_id_is_taken_if_it_is_one_and_made_otherwise() {
        let id = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(X_REQUEST_ID, HeaderValue::from_str(text).unwrap());
            request_id(&headers)
        };
        assert_eq!(id("a.b_c-9"), "a.b_c-9");
        for bad in ["", "a b", "ä", &"x".repeat(65)] {
            assert_ne!(id(bad), bad);
            assert_eq!(id(bad).len(), 32);
        }
    }
}
