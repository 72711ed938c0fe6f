//! The port: every request goes to the agent, with the credential; the card comes back pointing here.

use std::sync::Arc;

use anyhow::{Context, Result};
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, COOKIE, ETAG, HOST, LAST_MODIFIED, ORIGIN, REFERER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use http_body_util::{BodyExt, Limited};
use landline_wire::ids::AgentId;
use serde_json::json;

use super::guard::Names;
use crate::carry::base::Base;
use crate::carry::card::{self, Card};
use crate::carry::head;
use crate::carry::http::{Carrier, describe};

const AGENT_AUTHORIZATION: HeaderName = HeaderName::from_static("x-agent-authorization");
const CARD_PATH: &str = "/.well-known/agent-card.json";
/// The scheme that the relay adds to cards: this port fulfils it.
const RELAY_SCHEME: &str = "landline";
/// Bytes of a card that are read; the directory takes no larger ones.
const MAX_CARD_BYTES: usize = 512 << 10;
/// The card changes with the agent's; a minute is what a client may miss.
const CARD_CACHE: &str = "max-age=60";

pub(super) struct Port {
    carrier: Carrier,
    /// Where the agent is called.
    relay: Base,
    api: Base,
    agent: AgentId,
    credential: HeaderValue,
    names: Names,
}

impl Port {
    pub(super) fn new(
        carrier: Carrier,
        relay: Base,
        api: Base,
        agent: AgentId,
        api_key: &str,
        names: Names,
    ) -> Result<Self> {
        let mut credential = HeaderValue::from_str(&format!("Bearer {api_key}")).context("the API key is broken")?;
        credential.set_sensitive(true);
        Ok(Self { carrier, relay, api, agent, credential, names })
    }

    /// Passes a request on, and the answer back as it comes.
    async fn carry(&self, request: Request) -> Response {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let uri = match self.relay.join(target) {
            Ok(uri) => uri,
            Err(why) => return problem(StatusCode::BAD_REQUEST, "bad_path", &why.to_string()),
        };
        let (parts, body) = request.into_parts();
        let mut made = http::Request::new(body);
        *made.method_mut() = parts.method;
        *made.uri_mut() = uri;
        *made.headers_mut() = self.headers(parts.headers);
        match self.carrier.request(made).await {
            Ok(answer) => {
                let (mut parts, body) = answer.into_parts();
                head::strip_connection(&mut parts.headers);
                Response::from_parts(parts, Body::new(body))
            }
            Err(error) => unreachable_relay(&error),
        }
    }

    /// What the agent gets: the client's own credential under the name for it; nothing of the page or the connection
    /// that the request came from.
    fn headers(&self, mut headers: HeaderMap) -> HeaderMap {
        head::strip_connection(&mut headers);
        let gone: Vec<HeaderName> =
            headers.keys().filter(|name| name.as_str().starts_with("sec-fetch-")).cloned().collect();
        for name in gone.into_iter().chain([ORIGIN, REFERER, COOKIE]) {
            headers.remove(name);
        }
        if let Some(mut own) = headers.remove(AUTHORIZATION) {
            own.set_sensitive(true);
            headers.insert(AGENT_AUTHORIZATION, own);
        }
        headers.insert(AUTHORIZATION, self.credential.clone());
        if let Ok(host) = HeaderValue::from_str(self.relay.authority()) {
            headers.insert(HOST, host);
        }
        headers
    }

    /// The agent's card with its interfaces at this port.
    async fn card(&self) -> Response {
        let directory = format!("/v1/agents/{}/card", self.agent);
        // The relay's own card of the agent, else the directory's.
        for (base, path) in [(&self.relay, CARD_PATH), (&self.api, directory.as_str())] {
            let Ok(uri) = base.join(path) else { continue };
            match self.fetch(uri).await {
                Ok(Some((card, changed))) => return self.here(card, changed),
                Ok(None) => {}
                Err(error) => return unreachable_relay(&error),
            }
        }
        problem(StatusCode::BAD_GATEWAY, "no_card", "The relay gives no card of this agent.")
    }

    async fn fetch(&self, uri: Uri) -> Result<Option<(Card, Option<HeaderValue>)>, hyper_util::client::legacy::Error> {
        let mut request = http::Request::new(Body::empty());
        *request.uri_mut() = uri;
        *request.headers_mut() = self.headers(HeaderMap::new());
        let answer = self.carrier.request(request).await?;
        if answer.status() != StatusCode::OK {
            return Ok(None);
        }
        let changed = answer.headers().get(LAST_MODIFIED).cloned();
        let body = Limited::new(answer.into_body(), MAX_CARD_BYTES).collect().await;
        let card = body.ok().and_then(|body| serde_json::from_slice(&body.to_bytes()).ok());
        Ok(card.map(|card| (card, changed)))
    }

    fn here(&self, mut given: Card, changed: Option<HeaderValue>) -> Response {
        let relayed = format!("/relay/{}", self.agent);
        card::point(&mut given, |url| {
            // Below the agent's place at a relay the path is the agent's; any other address is not reached from here.
            let path = url.rsplit_once(&relayed).map_or("", |(_, path)| path);
            Some(format!("{}{}", self.names.url, path.trim_end_matches('/')))
        });
        card::fulfil(&mut given, RELAY_SCHEME);
        let text = serde_json::Value::from(given).to_string();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
        let tag: String = digest.as_ref()[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        let head = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, CARD_CACHE)];
        let mut response = (head, [(ETAG, format!("\"{tag}\""))], text).into_response();
        if let Some(changed) = changed {
            response.headers_mut().insert(LAST_MODIFIED, changed);
        }
        response
    }
}

/// Every request to the port.
pub(super) async fn handle(State(port): State<Arc<Port>>, request: Request) -> Response {
    if let Err(why) = port.names.check(request.uri(), request.headers()) {
        return problem(StatusCode::FORBIDDEN, "foreign_request", why);
    }
    if !landline_wire::relay::is_verb(request.method().as_str()) {
        return problem(StatusCode::METHOD_NOT_ALLOWED, "bad_verb", "This method is not carried.");
    }
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if reads && request.uri().path() == CARD_PATH {
        return port.card().await;
    }
    port.carry(request).await
}

fn unreachable_relay(error: &hyper_util::client::legacy::Error) -> Response {
    tracing::warn!(error = describe(error), "the relay gave no answer");
    problem(StatusCode::BAD_GATEWAY, "relay_unreachable", "The relay cannot be reached, or broke off.")
}

/// This port's own refusals, in the form of the relay's.
fn problem(status: StatusCode, code: &str, detail: &str) -> Response {
    let document = json!({
        "type": "about:blank",
        "title": status.canonical_reason(),
        "status": status.as_u16(),
        "detail": detail,
        "code": code,
    });
    (status, [(CONTENT_TYPE, "application/problem+json")], document.to_string()).into_response()
}
