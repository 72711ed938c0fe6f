//! The names that this registry gives, and where its things are. Pure.
//!
//! A URN begins with a domain that vouches for it, and the only one that we can vouch for is our own. So every agent's
//! URN is of our domain and the agent's id, wherever the agent lives, and does not change for as long as the id is its.

use http::Uri;
use landline_wire::ids::AgentId;

use crate::agents::normal_url;
use crate::config::Config;

/// The publisher of a registry that has no domain, as the standard has it for development.
const NO_DOMAIN: &str = "agent.localhost";

/// Where this registry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    /// The origin that is given out, without a slash at its end.
    pub(crate) public_url: String,
    /// The base of the API: the origin and the prefix.
    pub(crate) api: String,
    /// The domain of our URNs.
    pub(crate) domain: String,
}

impl Place {
    /// The place that the settings say.
    pub(crate) fn of(config: &Config) -> Self {
        let host = config.public_url.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
        let domain = host.as_deref().and_then(domain_of).unwrap_or_else(|| NO_DOMAIN.into());
        Self { public_url: config.public_url.clone(), api: config.issuer(), domain }
    }

    /// The registry's base, to which `/search` is added.
    pub(crate) fn registry_url(&self) -> String {
        format!("{}/ard", self.api)
    }

    /// Where an agent is called, whatever its card says.
    pub(crate) fn relay_url(&self, id: AgentId) -> String {
        format!("{}/relay/{id}", self.api)
    }

    /// An agent's URN.
    pub(crate) fn agent_urn(&self, id: AgentId) -> String {
        format!("urn:air:{}:agent:{id}", self.domain)
    }

    /// The agent of a URN of ours.
    pub(crate) fn agent_of(&self, urn: &str) -> Option<AgentId> {
        let id = urn.strip_prefix("urn:air:")?.strip_prefix(&self.domain)?.strip_prefix(":agent:")?;
        id.parse::<AgentId>().ok().filter(|agent| agent.to_string() == id)
    }

    /// The URN of something else of ours.
    pub(crate) fn urn(&self, kind: &str, name: &str) -> String {
        format!("urn:air:{}:{kind}:{name}", self.domain)
    }
}

/// The domain that a host's name is. `None`: an address, or a name that is none in public.
fn domain_of(host: &str) -> Option<String> {
    let host = host.to_ascii_lowercase();
    let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    let last = host.rsplit('.').next().unwrap_or_default();
    (is_name && host.contains('.') && last.starts_with(|first: char| first.is_ascii_alphabetic())).then_some(host)
}

/// The URN of a registry by its base URL: the same for every registry that names it. `None`: it is no URL.
pub(crate) fn registry_urn(base: &str) -> Option<String> {
    let uri: Uri = normal_url(base)?.parse().ok()?;
    let (authority, host) = (uri.authority()?.as_str(), uri.host()?);
    let port = uri.port().map(|port| port.to_string()).unwrap_or_default();
    // Without a domain, the address tells one registry from another.
    let (domain, place) = match domain_of(host) {
        Some(domain) => (domain, format!("{port}{}", uri.path())),
        None => (NO_DOMAIN.to_owned(), format!("{authority}{}", uri.path())),
    };
    let name: Vec<&str> = place.split(|c: char| !(c.is_ascii_alphanumeric() || c == '.' || c == '_')).collect();
    let name = name.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-");
    Some(format!("urn:air:{domain}:registry:{}", if name.is_empty() { "public" } else { &name }))
}

/// Does a text have the form of a URN of the standard: `urn:air:<publisher>:<name>`, with any number of names?
pub(crate) fn is_urn(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("urn:air:") else { return false };
    let mut parts = rest.split(':');
    let publisher = parts.next().unwrap_or_default();
    let plain = |part: &str, more: &[u8]| {
        !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || more.contains(&byte))
    };
    let names: Vec<&str> = parts.collect();
    plain(publisher, b".-") && !names.is_empty() && names.iter().all(|name| plain(name, b"._-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(public_url: &str) -> Place {
        Place::of(&Config::new("/nowhere", public_url))
    }

    #[test]
    fn a_urn_is_of_our_own_domain_and_leads_back_to_its_agent() {
        let id = AgentId::from_parts(7, [0xab; 10]);
        let ours = place("https://Relay.Example:8443");
        assert_eq!(ours.agent_urn(id), format!("urn:air:relay.example:agent:{id}"));
        assert_eq!(ours.agent_of(&ours.agent_urn(id)), Some(id));
        for other in [
            format!("urn:air:other.example:agent:{id}"),
            format!("urn:air:relay.example:agent:{}", id.to_string().to_uppercase()),
            format!("urn:air:relay.example:registry:{id}"),
            "urn:air:relay.example:agent:".to_owned(),
            id.to_string(),
        ] {
            assert_eq!(ours.agent_of(&other), None, "{other}");
        }
    }

    #[test]
    fn what_has_no_domain_is_named_as_the_standard_says() {
        for url in ["http://127.0.0.1:7300", "http://localhost", "http://[::1]:80", "http://relay", "http://1.2"] {
            assert_eq!(place(url).domain, "agent.localhost", "{url}");
        }
        assert_eq!(place("http://agent.test").domain, "agent.test");
    }

    #[test]
    fn a_registry_has_one_name_whoever_names_it() {
        for (base, urn) in [
            ("https://relay.example/connect/ard", "urn:air:relay.example:registry:connect-ard"),
            ("https://RELAY.example/connect/ard/", "urn:air:relay.example:registry:connect-ard"),
            ("https://relay.example:8443", "urn:air:relay.example:registry:8443"),
            ("https://relay.example", "urn:air:relay.example:registry:public"),
            ("http://127.0.0.1:7300/connect/ard", "urn:air:agent.localhost:registry:127.0.0.1-7300-connect-ard"),
            ("http://[::1]:7300/a~b", "urn:air:agent.localhost:registry:1-7300-a-b"),
        ] {
            assert_eq!(registry_urn(base).as_deref(), Some(urn), "{base}");
            assert!(is_urn(urn), "{urn}");
        }
        assert_eq!(registry_urn("nonsense"), None);
    }

    #[test]
    fn what_is_no_urn_is_none() {
        for bad in ["urn:air:a.example", "urn:air::a", "urn:air:a_b:c", "urn:air:a:", "urn:ai:a:b", "urn:air:a:b c", ""]
        {
            assert!(!is_urn(bad), "{bad}");
        }
    }
}
