//! The HTTP API, as far as clients need it.

use std::time::Duration;

use bytes::Bytes;
use landline_api::agents::{Agent, Register, Registered};
use landline_api::problem::ProblemDocument;
use landline_api::relay::{RelayStats, RelayStatus};
use landline_wire::ids::AgentId;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Method, RequestBuilder};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::CLIENT_NAME;
use crate::error::Error;
use crate::trust::{Trust, install_crypto};

/// Set by the relay on the answers of agents, so that an agent's own errors are told from the relay's.
const ROUTE_HEADER: &str = "x-connect-route";
/// A little more than a call may take at the relay, so that its own answer arrives first.
const CALL_TIMEOUT: Duration = Duration::from_secs(70);
const API_TIMEOUT: Duration = Duration::from_secs(30);

/// A client of one server. Cheap to clone; connections are shared.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    prefix: String,
    credential: Option<String>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base).finish_non_exhaustive()
    }
}

/// A call to an agent.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// HTTP method.
    pub verb: Method,
    /// What follows the agent's id in the URL: empty, or from `/` or `?` on.
    pub path: String,
    /// `X-A2A-Method`, for the audit record.
    pub a2a_method: Option<String>,
    /// `Content-Type` of the body.
    pub content_type: String,
    /// The body.
    pub body: Bytes,
    /// Lowers the relay's timeout.
    pub timeout: Option<Duration>,
}

impl Outgoing {
    /// A `POST` of JSON text.
    pub fn json(body: impl Into<Bytes>) -> Self {
        Self {
            verb: Method::POST,
            path: String::new(),
            a2a_method: None,
            content_type: "application/json".into(),
            body: body.into(),
            timeout: None,
        }
    }
}

/// An agent's answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The agent's status.
    pub status: u16,
    /// The headers that reach callers.
    pub headers: HeaderMap,
    /// The body, complete.
    pub body: Bytes,
}

/// An agent's answer whose body is read as it comes.
#[derive(Debug)]
pub struct Parts {
    /// The agent's status.
    pub status: u16,
    response: reqwest::Response,
}

impl Parts {
    /// The next piece of the body; `None` at its end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        Ok(self.response.chunk().await?)
    }
}

impl Client {
    /// A client for a base URL such as `https://relay.example`.
    ///
    /// # Errors
    /// [`Error::BadUrl`] for another text; [`Error::Transport`] if TLS cannot be set up.
    pub fn new(base: &str) -> Result<Self, Error> {
        Self::trusting(base, &Trust::platform())
    }

    /// As [`Client::new`], for a server that not only the platform's authorities may vouch for.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn trusting(base: &str, trust: &Trust) -> Result<Self, Error> {
        let base = base.trim_end_matches('/');
        let url = reqwest::Url::parse(base).map_err(|_| Error::BadUrl(base.to_owned()))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(Error::BadUrl(base.to_owned()));
        }
        install_crypto();
        let builder = reqwest::Client::builder().user_agent(CLIENT_NAME).connect_timeout(Duration::from_secs(10));
        let http = match trust.own() {
            Some(config) => builder.tls_backend_preconfigured(config.clone()).build()?,
            None => builder.build()?,
        };
        Ok(Self { http, base: base.to_owned(), prefix: "/connect".into(), credential: None })
    }

    /// The same client with an API key, token or admin token.
    pub fn with_credential(mut self, credential: impl Into<String>) -> Self {
        self.credential = Some(credential.into());
        self
    }

    /// The same client for a server whose API begins elsewhere than at `/connect`.
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// The base URL.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Enters the directory. `registration_token` is needed where registration is not open.
    ///
    /// # Errors
    /// A problem such as `name_taken`, with free names in its suggestions.
    pub async fn register(&self, card: &Value, registration_token: Option<&str>) -> Result<Registered, Error> {
        self.register_as(&Register { card: card.clone(), ..Register::default() }, registration_token).await
    }

    /// Enters the directory with everything that an entry may have, such as who may call.
    ///
    /// # Errors
    /// As [`Client::register`].
    pub async fn register_as(&self, entry: &Register, registration_token: Option<&str>) -> Result<Registered, Error> {
        let mut request = self.api(Method::POST, "/v1/agents").json(entry);
        if let Some(token) = registration_token {
            request = request.bearer_auth(token);
        }
        json_answer(request.send().await?).await
    }

    /// An agent's row in the directory.
    pub async fn agent(&self, id: AgentId) -> Result<Agent, Error> {
        self.get(&format!("/v1/agents/{id}")).await
    }

    /// Is the agent reachable through this server, and how?
    pub async fn status(&self, id: AgentId) -> Result<RelayStatus, Error> {
        self.get(&format!("/relay/{id}/status")).await
    }

    /// Figures over the server's last calls.
    pub async fn stats(&self) -> Result<RelayStats, Error> {
        self.get("/v1/relay/stats").await
    }

    /// Takes an agent out of the directory; needs its own key.
    pub async fn delete(&self, id: AgentId) -> Result<(), Error> {
        let response = self.api(Method::DELETE, &format!("/v1/agents/{id}")).send().await?;
        if response.status().is_success() { Ok(()) } else { Err(refusal(response).await) }
    }

    /// `GET` below the API's prefix.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        json_answer(self.api(Method::GET, path).send().await?).await
    }

    /// `POST` of JSON below the API's prefix; an empty answer is `null`.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Error> {
        self.send(Method::POST, path, body).await
    }

    /// `PUT`, `PATCH` or another method with JSON below the API's prefix; an empty answer is `null`.
    pub async fn send(&self, method: Method, path: &str, body: &Value) -> Result<Value, Error> {
        let response = self.api(method, path).json(body).send().await?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        let text = response.bytes().await?;
        if text.is_empty() { Ok(Value::Null) } else { parse(&text) }
    }

    /// Calls an agent and waits for the whole answer, whatever its status.
    ///
    /// # Errors
    /// The relay's own problems. An agent that answers 500 is an [`Answer`], not an error.
    pub async fn call(&self, to: AgentId, call: Outgoing) -> Result<Answer, Error> {
        let response = self.begin(to, call).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Answer { status, headers, body: response.bytes().await? })
    }

    /// Calls an agent and gives the answer's body as it comes.
    ///
    /// # Errors
    /// As [`Client::call`], until the answer has begun.
    pub async fn call_parts(&self, to: AgentId, call: Outgoing) -> Result<Parts, Error> {
        let response = self.begin(to, call).await?;
        Ok(Parts { status: response.status().as_u16(), response })
    }

    async fn begin(&self, to: AgentId, call: Outgoing) -> Result<reqwest::Response, Error> {
        let url = format!("{}{}/relay/{to}{}", self.base, self.prefix, call.path);
        let mut request = self.authorized(self.http.request(call.verb, url)).header(CONTENT_TYPE, call.content_type);
        if let Some(method) = call.a2a_method {
            request = request.header("x-a2a-method", method);
        }
        if let Some(timeout) = call.timeout {
            request = request.header("x-relay-timeout-ms", timeout.as_millis().to_string());
        }
        // An answer in parts may last: only its beginning is waited for here.
        let response = tokio::time::timeout(CALL_TIMEOUT, request.body(call.body).send()).await;
        let response = response.map_err(|_| Error::Answer("it did not come in time".into()))??;
        if response.status().is_success() || response.headers().contains_key(ROUTE_HEADER) {
            return Ok(response);
        }
        Err(refusal(response).await)
    }

    fn api(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("{}{}{path}", self.base, self.prefix);
        self.authorized(self.http.request(method, url)).header(ACCEPT, "application/json").timeout(API_TIMEOUT)
    }

    fn authorized(&self, request: RequestBuilder) -> RequestBuilder {
        match self.credential.as_deref().map(|credential| HeaderValue::from_str(&format!("Bearer {credential}"))) {
            Some(Ok(mut value)) => {
                value.set_sensitive(true);
                request.header(AUTHORIZATION, value)
            }
            // A credential that cannot stand in a header is no credential of ours: the server says so by its 401.
            Some(Err(_)) => request.header(AUTHORIZATION, "Bearer -"),
            None => request,
        }
    }
}

async fn json_answer<T: DeserializeOwned>(response: reqwest::Response) -> Result<T, Error> {
    if !response.status().is_success() {
        return Err(refusal(response).await);
    }
    parse(&response.bytes().await?)
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(text).map_err(|error| Error::Answer(error.to_string()))
}

async fn refusal(response: reqwest::Response) -> Error {
    let status = response.status().as_u16();
    match response.bytes().await.map(|text| serde_json::from_slice::<ProblemDocument>(&text)) {
        Ok(Ok(problem)) => Error::Problem(Box::new(problem)),
        _ => Error::Status(status),
    }
}

/// The card of an agent that gives back what it is told.
pub fn echo_card(name: &str) -> Value {
    json!({
        "name": name,
        "description": "Answers every call with what the call said.",
        "version": env!("CARGO_PKG_VERSION"),
        "capabilities": { "streaming": false, "push_notifications": false },
        "skills": [{
            "id": "echo",
            "name": "Echo",
            "description": "Gives the body of a call back.",
            "tags": ["echo"],
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_http_and_https_are_base_urls_and_the_key_does_not_show() {
        for bad in ["", "relay.example", "ws://relay.example", "http://", "file:///etc"] {
            assert!(matches!(Client::new(bad), Err(Error::BadUrl(_))), "{bad}");
        }
        let client = Client::new("http://127.0.0.1:7300/").unwrap().with_credential("ll_secret");
        assert_eq!(client.base(), "http://127.0.0.1:7300");
        assert!(!format!("{client:?}").contains("ll_secret"));
    }
}
