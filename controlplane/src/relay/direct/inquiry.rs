//! Small questions of our own to an agent's host: its card, and a call that changes nothing. They go the way of the calls
//! that are dispatched, so they meet the same guard; they are nobody's call and leave no record.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Method, Request, Uri};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::message::{Binding, Era};
use super::passage::{self, Failure};
use super::plan::{self, Callee, Interface};
use super::target::Origin;
use crate::agents::{self, Stored};
use crate::state::Exchange;

/// Time for a connection that is tried for its own sake.
const CONNECT: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read: a card has at most this many when it is registered.
const MAX_HEARD_BYTES: usize = 256 << 10;

/// A host that somebody named, an agent's card or a submission; proven or not.
#[derive(Debug, Clone)]
pub(crate) struct Respondent {
    origin: Origin,
    /// The interfaces of the card on this origin; none if there is no card yet.
    interfaces: Vec<Interface>,
    /// The path of the URL, without a slash at its end.
    path: String,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(crate) struct Inquiry {
    pub(crate) method: Method,
    pub(crate) path: PathAndQuery,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// Bytes of the answer that are read.
    most: usize,
    /// Which part of us asks, and the document that says why.
    by: (&'static str, &'static str),
}

impl Inquiry {
    /// The same, for an answer of at most so many bytes.
    pub(crate) fn reading(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// The same, asked by this part of us, which a document explains.
    pub(crate) fn asked_by(self, part: &'static str, document: &'static str) -> Self {
        Self { by: (part, document), ..self }
    }
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The status.
    pub(crate) status: u16,
    /// The media type, in lower case, without parameters; empty if there is none.
    pub(crate) media_type: String,
    /// The body, or its first bytes as far as they are read.
    pub(crate) body: Bytes,
}

impl Respondent {
    /// The host of an agent. `None`: its card names no interface that could be called, or a place that must not be.
    pub(crate) fn of(exchange: &Exchange, agent: &Stored) -> Option<Self> {
        let Callee { origin, interfaces } = super::declared(exchange, agent)?;
        let (_, path) = plan::place(agent.url.as_deref()?, super::rules(exchange))?;
        Some(Self { origin, interfaces, path })
    }

    /// The host of a URL, of which no card is known. `None`: it is a place that must not be called.
    pub(crate) fn at(exchange: &Exchange, url: &str) -> Option<Self> {
        let (origin, path) = plan::place(url, super::rules(exchange))?;
        Some(Self { origin, interfaces: Vec::new(), path })
    }

    /// Does a card, as it was given, declare an interface that we speak? Whoever declares none is not asked over its line: what
    /// it would make of a question is its own business.
    pub(crate) fn is_declared(card: &str) -> bool {
        let given = agents::card_v1(&serde_json::from_str(card).unwrap_or_default(), "");
        given["supportedInterfaces"].as_array().into_iter().flatten().any(|value| plan::interface(value).is_some())
    }

    /// An agent over its line, where it is called by the paths that its card has below `base`. `None`: the card names no
    /// interface that could be called.
    pub(crate) fn over_line(base: &str, card: &Value) -> Option<Self> {
        let Callee { origin, interfaces } = plan::named(base, &card["supportedInterfaces"])?;
        Some(Self { origin, interfaces, path: String::new() })
    }

    /// Does the host take a connection?
    pub(crate) async fn is_reachable(&self, exchange: &Exchange) -> bool {
        let connect = exchange.direct.connector.connect(&self.origin);
        matches!(timeout(CONNECT, connect).await, Ok(Ok(_)))
    }

    /// Host and port, to tell hosts apart.
    pub(crate) fn host(&self) -> String {
        format!("{}:{}", self.origin.host, self.origin.port)
    }

    /// The path of the URL, without a slash at its end.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Does a card (as it was fetched) name every interface that we would call, and are all of them below `scope`? A card
    /// that stands below a path speaks for what is below that path.
    pub(crate) fn is_named_by(&self, card: &Value, scope: &str) -> bool {
        let given = agents::card_v1(card, "");
        let given: Vec<Interface> =
            given["supportedInterfaces"].as_array().into_iter().flatten().filter_map(plan::interface).collect();
        self.interfaces.iter().all(|ours| {
            let below =
                ours.target.path.strip_prefix(scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
            below && given.iter().any(|theirs| (&theirs.target, theirs.binding) == (&ours.target, ours.binding))
        })
    }

    /// The question for a document.
    pub(crate) fn document(&self, path: &str) -> Option<Inquiry> {
        Some(inquiry(Method::GET, path.parse().ok()?, Bytes::new()))
    }

    /// The question that is a JSON document.
    pub(crate) fn post(&self, path: &str, json: Vec<u8>) -> Option<Inquiry> {
        let mut inquiry = inquiry(Method::POST, path.parse().ok()?, json.into());
        inquiry.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Some(inquiry)
    }

    /// The call that changes nothing: the task `id`, which nobody has, asked for at the first interface of the card. With
    /// how that interface is spoken to.
    pub(crate) fn task(&self, id: &str) -> Option<(Inquiry, Binding, Era)> {
        let interface = self.interfaces.iter().find(|interface| interface.operation_path("tasks").is_some())?;
        let path = format!("{}{}", interface.operation_path(&format!("tasks/{id}"))?, interface.target.query);
        let mut inquiry = match interface.binding {
            Binding::HttpJson => self.document(&path)?,
            Binding::JsonRpc => self.post(&path, get_task(interface, id).to_string().into_bytes())?,
        };
        let version = HeaderValue::from_str(&interface.version).ok()?;
        inquiry.headers.insert(HeaderName::from_static("a2a-version"), version);
        Some((inquiry, interface.binding, interface.era))
    }

    /// Asks, and reads the answer, all within the deadline. No redirect is followed.
    ///
    /// # Errors
    /// There is no answer.
    pub(crate) async fn ask(
        &self,
        exchange: &Exchange,
        inquiry: Inquiry,
        deadline: Duration,
    ) -> Result<Heard, Failure> {
        let most = inquiry.most;
        let request = self.request(exchange, inquiry);
        let hear = async {
            let (answer, connection) = passage::ask(&exchange.direct.connector, &self.origin, request).await?;
            let (head, mut body) = answer.into_parts();
            let mut read = Vec::new();
            while read.len() < most {
                let Some(frame) = body.frame().await else { break };
                let Ok(bytes) = frame.map_err(|_| Failure::Broken)?.into_data() else { continue };
                read.extend_from_slice(&bytes[..bytes.len().min(most - read.len())]);
            }
            drop(connection);
            let media_type = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
            let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
            Ok(Heard { status: head.status.as_u16(), media_type, body: read.into() })
        };
        timeout(deadline, hear).await.unwrap_or(Err(Failure::Timeout))
    }

    fn request(&self, exchange: &Exchange, inquiry: Inquiry) -> Request<Full<Bytes>> {
        let Inquiry { method, path, mut headers, body, by: (part, document), .. } = inquiry;
        if let Ok(host) = HeaderValue::from_str(&self.origin.authority()) {
            headers.insert(HOST, host);
        }
        // Whoever reads its logs finds out who asks, and why.
        let agent = format!("landline-{part} (+{}/docs/{document})", exchange.config.public_url);
        if let Ok(agent) = HeaderValue::from_str(&agent) {
            headers.insert(USER_AGENT, agent);
        }
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
        let mut request = Request::new(Full::new(body));
        (*request.method_mut(), *request.uri_mut(), *request.headers_mut()) = (method, Uri::from(path), headers);
        request
    }
}

fn inquiry(method: Method, path: PathAndQuery, body: Bytes) -> Inquiry {
    let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static("application/json"))]);
    Inquiry { method, path, headers, body, most: MAX_HEARD_BYTES, by: ("pulse", "PULSE") }
}

fn get_task(interface: &Interface, id: &str) -> Value {
    let mut params = json!({ "id": id });
    let method = match interface.era {
        Era::V1 => "GetTask",
        Era::V03 => "tasks/get",
    };
    if let (Era::V1, Some(tenant)) = (interface.era, &interface.tenant) {
        params["tenant"] = tenant.as_str().into();
    }
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}
