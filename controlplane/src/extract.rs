//! What handlers take from a request: who calls, from where, and the parts of the request, with our own errors.

use std::net::IpAddr;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use landline_link::Caller;
use landline_wire::error::{Code, Problem};
use landline_wire::ids::AgentId;
use serde_json::Value;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::state::Exchange;

/// The caller's address, as a request extension. Set by the feed from what the switch says, or by our own listener;
/// nothing that a client writes into a header counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer(pub IpAddr);

/// Whom a switch found to be calling an agent, as a request extension: such a request is a call that the exchange is to
/// dispatch. Set by the feed alone; no header leads to it, so no client can call in another's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RelayCaller(pub Caller);

/// The request's correlation id, as a request extension; echoed on the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

/// Who makes the request, as a request extension. A credential that is present but bad never gets here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// No credential.
    Anonymous,
    /// The operator.
    Admin,
    /// The holder of the registration token.
    Registrar,
    /// An agent.
    Agent(Authenticated),
}

/// An agent that showed a good credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authenticated {
    /// Who.
    pub agent: AgentId,
    /// Its name.
    pub name: String,
    /// The first characters of its API key, for display.
    pub key_prefix: String,
    /// What it showed.
    pub via: Via,
}

/// The kind of a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// The API key: the owner.
    Key {
        /// The key's generation.
        key_gen: u64,
    },
    /// A token: a caller on the owner's behalf.
    Token {
        /// The token's id.
        jti: Uuid,
        /// When it expires, unix seconds.
        exp: i64,
    },
}

impl Principal {
    /// The agent, whatever it showed.
    pub fn caller(&self) -> Result<&Authenticated> {
        match self {
            Self::Agent(agent) => Ok(agent),
            Self::Anonymous => Err(Error::plain(Code::TokenMissing)),
            Self::Admin | Self::Registrar => {
                Err(Error::new(Code::NotAuthorized, "This needs an agent's credential, and yours is the operator's."))
            }
        }
    }

    /// The agent, if it showed its API key.
    pub fn key_holder(&self) -> Result<&Authenticated> {
        let caller = self.caller()?;
        match caller.via {
            Via::Key { .. } => Ok(caller),
            Via::Token { .. } => {
                Err(Error::new(Code::NotAuthorized, "This needs the agent's API key; a token is not enough."))
            }
        }
    }

    /// The agent `id`, if it showed its own API key.
    pub fn owner_of(&self, id: AgentId) -> Result<&Authenticated> {
        let holder = self.key_holder()?;
        if holder.agent == id {
            Ok(holder)
        } else {
            Err(Error::new(Code::NotAuthorized, "The API key belongs to another agent."))
        }
    }

    /// The operator.
    pub fn admin(&self) -> Result<()> {
        match self {
            Self::Admin => Ok(()),
            Self::Anonymous => Err(Error::new(Code::TokenMissing, "This needs the admin token.")),
            _ => Err(Error::new(Code::NotAuthorized, "This needs the admin token.")),
        }
    }
}

impl FromRequestParts<Exchange> for Principal {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Exchange) -> Result<Self> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or(Self::Anonymous))
    }
}

impl FromRequestParts<Exchange> for Peer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &Exchange) -> Result<Self> {
        Ok(peer(&parts.extensions))
    }
}

/// The caller's address; unspecified if nobody said it, so that all such callers share one bucket.
pub fn peer(extensions: &http::Extensions) -> Peer {
    extensions.get::<Peer>().copied().unwrap_or(Peer(IpAddr::from([0, 0, 0, 0])))
}

/// The agent id in the path, as `{agent_id}`.
#[derive(Debug, Clone, Copy)]
pub struct AgentPath(pub AgentId);

impl FromRequestParts<Exchange> for AgentPath {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &Exchange) -> Result<Self> {
        let text = path_text(parts, state).await?;
        text.parse().map(Self).map_err(|bad| Error::invalid("agent_id", format!("{bad}.")))
    }
}

/// The one variable of the path, as text.
#[derive(Debug, Clone)]
pub struct PathText(pub String);

impl FromRequestParts<Exchange> for PathText {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &Exchange) -> Result<Self> {
        path_text(parts, state).await.map(Self)
    }
}

async fn path_text(parts: &mut Parts, state: &Exchange) -> Result<String> {
    let Path(text) =
        Path::<String>::from_request_parts(parts, state).await.map_err(|_| Error::plain(Code::NotFound))?;
    Ok(text)
}

/// The query's parameters. Each is given once; unknown ones are ignored.
#[derive(Debug, Clone, Default)]
pub struct Params(Vec<(String, String)>);

impl FromRequestParts<Exchange> for Params {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &Exchange) -> Result<Self> {
        use axum::extract::Query;
        let query = Query::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let Query(pairs) = query.map_err(|_| Error::invalid("query", "The query string cannot be read."))?;
        if let Some((name, _)) = pairs.iter().find(|(name, value)| name.contains('\0') || value.contains('\0')) {
            let name = name.replace('\0', "");
            return Err(Error::invalid(name, "The query must not contain the character U+0000."));
        }
        // Of two values nobody could say which one counts, and whoever stands between may see it otherwise.
        let twice =
            pairs.iter().enumerate().find(|(at, (name, _))| pairs[..*at].iter().any(|(other, _)| other == name));
        if let Some((_, (name, _))) = twice {
            return Err(Error::invalid(name, format!("`{name}` must be given once.")));
        }
        Ok(Self(pairs))
    }
}

/// A piece of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// At most so many items.
    pub limit: u32,
    /// After so many.
    pub offset: u32,
}

/// Items of a list, unless the caller says otherwise.
pub const DEFAULT_LIMIT: u32 = 50;
/// Items of a list at most.
pub const MAX_LIMIT: u32 = 200;

impl Params {
    /// Parameters from pairs.
    pub fn from_pairs(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }

    /// A text that is there and not empty, as forms leave it where nothing was typed.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.given(name).filter(|value| !value.is_empty())
    }

    /// A parameter that is there. An empty one is no word, no number and no time.
    pub fn given(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.trim())
    }

    /// A number within bounds.
    pub fn number(&self, name: &str, default: u32, max: u32, min: u32) -> Result<u32> {
        let Some(text) = self.given(name) else { return Ok(default) };
        match text.parse::<u32>() {
            Ok(number) if (min..=max).contains(&number) => Ok(number),
            _ => Err(Error::invalid(name, format!("`{name}` must be a number from {min} to {max}."))),
        }
    }

    /// `limit` and `offset`.
    pub fn window(&self) -> Result<Window> {
        Ok(Window {
            limit: self.number("limit", DEFAULT_LIMIT, MAX_LIMIT, 1)?,
            offset: self.number("offset", 0, i32::MAX.unsigned_abs(), 0)?,
        })
    }

    /// A `true` or `false`.
    pub fn flag(&self, name: &str) -> Result<Option<bool>> {
        match self.given(name) {
            None => Ok(None),
            Some("true" | "1") => Ok(Some(true)),
            Some("false" | "0") => Ok(Some(false)),
            Some(_) => Err(Error::invalid(name, format!("`{name}` must be true or false."))),
        }
    }

    /// An agent's id.
    pub fn agent(&self, name: &str) -> Result<Option<AgentId>> {
        self.given(name)
            .map(|text| text.parse().map_err(|bad| Error::invalid(name, format!("`{name}`: {bad}."))))
            .transpose()
    }

    /// A time: RFC 3339, or unix milliseconds.
    pub fn time_ms(&self, name: &str) -> Result<Option<i64>> {
        let Some(text) = self.given(name) else { return Ok(None) };
        let parsed = text.parse().ok().or_else(|| landline_api::time::parse_rfc3339_ms(text));
        parsed.map(Some).ok_or_else(|| Error::invalid(name, format!("`{name}` must be an RFC 3339 time.")))
    }
}

/// A JSON body: media type, size and syntax are checked; its members are the slice's business.
#[derive(Debug, Clone)]
pub struct JsonBody {
    /// The value.
    pub value: Value,
    /// The text it was read from.
    pub text: String,
}

impl FromRequest<Exchange> for JsonBody {
    type Rejection = Error;

    async fn from_request(request: Request, state: &Exchange) -> Result<Self> {
        let (parts, body) = request.into_parts();
        if !is_json(&parts) {
            return Err(Error::plain(Code::UnsupportedMediaType));
        }
        let text = collect(body, state.config.max_json_bytes).await?;
        let value = serde_json::from_str(&text).map_err(|error| {
            let problem = Problem::new(Code::InvalidQuery, format!("The body is not JSON: {error}."));
            Error::from(problem.field("body"))
        })?;
        if has_nul(&value) {
            return Err(Error::invalid("body", "The body's strings must not contain the character U+0000."));
        }
        Ok(Self { value, text })
    }
}

/// A whole number that is not negative, however it is written: JSON knows one kind of numbers, and 5.0 is 5.
pub fn whole(value: &Value) -> Option<u64> {
    // Beyond this, not every whole number has a place among the floating ones.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let written_with_point = || value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..EXACT).contains(number));
    value.as_u64().or_else(|| written_with_point().map(|number| number as u64))
}

/// Is there a U+0000 in any string? Postgres cannot store it, and nobody means it.
fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_json(parts: &Parts) -> bool {
    let Some(value) = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

async fn collect(body: Body, limit: usize) -> Result<String> {
    let bytes = match Limited::new(body, limit).collect().await {
        Ok(collected) => collected.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let detail = format!("The body is over the limit of {limit} bytes.");
            return Err(Error::new(Code::BodyTooLarge, detail));
        }
        Err(_) => return Err(Error::invalid("body", "The body broke off.")),
    };
    String::from_utf8(bytes.into()).map_err(|_| Error::invalid("body", "The body is not UTF-8."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(pairs: &[(&str, &str)]) -> Params {
        Params(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn a_window_has_defaults_and_bounds_that_name_their_parameter() {
        assert_eq!(params(&[]).window().unwrap(), Window { limit: 50, offset: 0 });
        assert_eq!(params(&[("limit", "200"), ("offset", "7")]).window().unwrap(), Window { limit: 200, offset: 7 });
        for bad in ["0", "201", "-1", "x", ""] {
            let problem = params(&[("limit", bad)]).window().unwrap_err().into_problem();
            assert_eq!((problem.code, problem.field.as_deref()), (Code::InvalidQuery, Some("limit")), "{bad}");
        }
    }

    #[test]
    fn a_whole_number_may_be_written_with_a_point() {
        let read = |text: &str| whole(&serde_json::from_str(text).unwrap());
        assert_eq!((read("5"), read("5.0"), read("5e1"), read("0.0")), (Some(5), Some(5), Some(50), Some(0)));
        for none in ["5.5", "-1", "-1.0", "1e30", "\"5\"", "true", "null"] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn a_token_is_not_the_owner() {
        let agent = AgentId::from_parts(1, [1; 10]);
        let who = |via| Principal::Agent(Authenticated { agent, name: "a".into(), key_prefix: "ll_abcde".into(), via });
        assert!(who(Via::Key { key_gen: 1 }).owner_of(agent).is_ok());
        let other = AgentId::from_parts(2, [2; 10]);
        for principal in [who(Via::Token { jti: Uuid::nil(), exp: 0 }), Principal::Admin] {
            assert_eq!(principal.owner_of(agent).unwrap_err().into_problem().code, Code::NotAuthorized);
        }
        assert_eq!(who(Via::Key { key_gen: 1 }).owner_of(other).unwrap_err().into_problem().code, Code::NotAuthorized);
        assert_eq!(Principal::Anonymous.owner_of(agent).unwrap_err().into_problem().code, Code::TokenMissing);
    }
}
