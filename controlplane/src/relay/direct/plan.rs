//! Whether an agent can be called at its own URL, and what is asked of it there. Pure.

use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Method};
use serde_json::Value;

use super::guard;
use super::message::{Binding, Era};
use super::target::{BadUrl, Host, Origin, Target};
use crate::egress::Cidr;

/// What the operator allows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    /// Ports that may be called.
    pub(crate) ports: &'a [u16],
    /// Networks that may be called although they are not public.
    pub(crate) opened: &'a [Cidr],
    /// Our own URL, which is never called: a call would come round in a circle.
    pub(crate) public_url: &'a str,
}

impl Rules<'_> {
    /// May this origin be called, as far as that shows before its name is resolved?
    fn allow(&self, origin: &Origin) -> bool {
        let ours = Target::parse(self.public_url).map(|ours| ours.origin);
        let ours = ours.is_ok_and(|ours| (&ours.host, ours.port) == (&origin.host, origin.port));
        let public = match origin.host {
            Host::Name(_) => true,
            Host::Ip(ip) => guard::refused(ip, self.opened).is_none(),
        };
        !ours && public && self.ports.contains(&origin.port)
    }
}

/// One way to speak to an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) target: Target,
    pub(crate) binding: Binding,
    pub(crate) era: Era,
    /// `Major.Minor`.
    pub(crate) version: String,
    pub(crate) tenant: Option<String>,
}

/// An agent that can be called at its own URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Callee {
    pub(crate) origin: Origin,
    /// In the card's order of preference; at least one.
    pub(crate) interfaces: Vec<Interface>,
}

/// The agent behind a proven `url`, by the interfaces of its card (A2A v1.0 JSON). Only those count that are on the origin
/// that was proven: a card must not send us to a host that never agreed to be called.
pub(crate) fn callee(url: &str, interfaces: &Value, rules: Rules<'_>) -> Option<Callee> {
    let origin = Target::parse(url).ok()?.origin;
    if rules.allow(&origin) { named(url, interfaces) } else { None }
}

/// The same without a judgement of the place: for an agent that is not called there.
pub(crate) fn named(url: &str, interfaces: &Value) -> Option<Callee> {
    let origin = Target::parse(url).ok()?.origin;
    let list = interfaces.as_array()?.iter().filter_map(interface);
    let interfaces: Vec<Interface> = list.filter(|interface| interface.target.origin == origin).collect();
    (!interfaces.is_empty()).then_some(Callee { origin, interfaces })
}

/// One entry of a card's interfaces (A2A v1.0 JSON). `None`: it is none that we speak, or has no URL that could be called.
pub(crate) fn interface(value: &Value) -> Option<Interface> {
    let text = |name: &str| value.get(name).and_then(Value::as_str);
    let binding = match text("protocolBinding")? {
        "JSONRPC" => Binding::JsonRpc,
        "HTTP+JSON" => Binding::HttpJson,
        _ => return None,
    };
    let version = text("protocolVersion").unwrap_or("1.0").to_owned();
    let era = if version.starts_with("0.") { Era::V03 } else { Era::V1 };
    let tenant = text("tenant").filter(|tenant| !tenant.is_empty()).map(str::to_owned);
    Some(Interface { target: Target::parse(text("url")?).ok()?, binding, era, version, tenant })
}

/// What a caller asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) method: &'a Method,
    /// What followed the agent's id in the path, query included.
    pub(crate) rest: &'a str,
    /// Is the body to be wrapped as a message?
    pub(crate) as_message: bool,
}

/// What is asked of the agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) method: Method,
    pub(crate) path: PathAndQuery,
    /// The interface for which the body is wrapped; `None`: it goes as it is, if there is one.
    pub(crate) wrap: Option<Interface>,
}

/// Where an agent's card was found before A2A 0.3. The newer path is ours, with a line and without one.
const CARD_PATH: &str = "/.well-known/agent.json";

/// What cannot be asked of an agent that has no line, as a sentence for its caller.
pub(crate) const ONLY: &str = "The agent holds no line now. Without one only `POST` to the interface that its card declares \
    and `GET` of its card reach it.";

impl Callee {
    /// The request to the agent; `None`: this is not asked of an agent without a line.
    pub(crate) fn plan(&self, wanted: Wanted<'_>) -> Option<Plan> {
        if matches!(*wanted.method, Method::GET | Method::HEAD) {
            let path = PathAndQuery::from_static(CARD_PATH);
            let is_card = wanted.rest == CARD_PATH && !wanted.as_message;
            return is_card.then(|| Plan { method: wanted.method.clone(), path, wrap: None });
        }
        if *wanted.method != Method::POST {
            return None;
        }
        let (interface, path) = if wanted.as_message {
            let usable = |interface: &&Interface| interface.message_path().is_some();
            let interface = self.interfaces.iter().find(usable).filter(|_| wanted.rest.is_empty())?;
            (interface, interface.message_path()?)
        } else if wanted.rest.is_empty() {
            let speaks_rpc = |interface: &&Interface| interface.binding == Binding::JsonRpc;
            let interface = self.interfaces.iter().find(speaks_rpc).or(self.interfaces.first())?;
            (interface, interface.target.path.clone())
        } else {
            self.interfaces.iter().find_map(|interface| Some((interface, interface.at(wanted.rest)?)))?
        };
        let path = format!("{path}{}", interface.target.query).parse().ok()?;
        Some(Plan { method: Method::POST, path, wrap: wanted.as_message.then(|| interface.clone()) })
    }
}

impl Interface {
    /// The path that a caller's path is on this interface, which the relay card shows at its own path below the relay
    /// address. `None`: it is another place.
    fn at(&self, rest: &str) -> Option<String> {
        let below = rest.strip_prefix(self.target.path.trim_end_matches('/'))?;
        match self.binding {
            // As on a line, a slash at the end makes no difference.
            _ if matches!(below, "" | "/") => Some(self.target.path.clone()),
            Binding::HttpJson if is_below(below) => Some(self.below(below)),
            Binding::HttpJson | Binding::JsonRpc => None,
        }
    }

    fn below(&self, rest: &str) -> String {
        format!("{}{rest}", self.target.path.trim_end_matches('/'))
    }

    /// Where a message is sent to; `None`: the tenant can be no segment of a path.
    fn message_path(&self) -> Option<String> {
        self.operation_path("message:send")
    }

    /// Where an operation is asked for, such as `message:send` or `tasks/ID` (HTTP+JSON; JSON-RPC has one path for all of
    /// them). `None`: the tenant can be no segment of a path.
    pub(crate) fn operation_path(&self, operation: &str) -> Option<String> {
        if self.binding == Binding::JsonRpc {
            return Some(self.target.path.clone());
        }
        let version = if self.era == Era::V03 { "/v1" } else { "" };
        let tenant = self.tenant.as_ref().map(|tenant| format!("/{tenant}")).unwrap_or_default();
        (tenant.is_empty() || is_below(&tenant)).then(|| self.below(&format!("{version}{tenant}/{operation}")))
    }
}

/// Does a path stay below the base that it is put after, however a server reads it? No empty and no dot segments, and
/// nothing escaped, which could hide them.
fn is_below(rest: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:@!$&'()*+,=".contains(&byte);
    let is_segment =
        |segment: &str| !segment.is_empty() && !matches!(segment, "." | "..") && segment.bytes().all(plain);
    rest.strip_prefix('/').is_some_and(|rest| rest.split('/').all(is_segment))
}

/// Does a caller's header (name in lower case) reach an agent at its own URL?
fn passes(name: &HeaderName) -> bool {
    matches!(name.as_str(), "content-type" | "accept") || name.as_str().starts_with("a2a-")
}

/// The caller's headers that the agent gets.
pub(crate) fn headers(given: &HeaderMap) -> HeaderMap {
    given.iter().filter(|(name, _)| passes(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The origin of a URL, to compare with another; for what is bound to an origin.
///
/// # Errors
/// The URL is none that could be called.
pub(crate) fn origin_of(url: &str) -> Result<Origin, BadUrl> {
    Target::parse(url).map(|target| target.origin)
}

/// Origin and path (without a slash at its end) of a URL that may be called; `None`: it is none.
pub(crate) fn place(url: &str, rules: Rules<'_>) -> Option<(Origin, String)> {
    let Target { origin, path, .. } = Target::parse(url).ok()?;
    rules.allow(&origin).then(|| (origin, path.trim_end_matches('/').to_owned()))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
