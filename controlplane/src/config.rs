//! What the operator decides, as plain data. Parsing flags, files and the environment is the command line's business;
//! only [`RateLimits`] has a textual form of its own.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use landline_link::Secret;
use landline_wire::error::Origin;

use crate::discovery::Weights;
use crate::egress::{Cidr, Resolver};

/// The settings of an exchange.
#[derive(Debug, Clone)]
pub struct Config {
    /// `sqlite://PATH` or `postgres://…`. Empty: `exchange.db` in the data directory.
    pub database_url: String,
    /// Where secrets and (by default) the database are kept.
    pub data_dir: PathBuf,
    /// Base of every URL that is given out, without a trailing slash.
    pub public_url: String,
    /// API prefix with its leading slash, such as `/connect`.
    pub prefix: String,
    /// Who may register agents.
    pub registration: Registration,
    /// Requests per time and kind.
    pub rate_limits: RateLimits,
    /// Origins whose pages may read answers (CORS). Exact matches, such as `https://app.example`.
    pub cors_origins: Vec<String>,
    /// Days that call records, ended lines and hourly figures are kept.
    pub audit_retention_days: u32,
    /// Events per topic that a reconnecting listener can catch up with.
    pub events_ring: usize,
    /// Listeners of the event stream from one address.
    pub events_per_ip: usize,
    /// Listeners of the event stream in all.
    pub events_total: usize,
    /// Bytes of a JSON body.
    pub max_json_bytes: usize,
    /// Connections to the database that read (SQLite) or connections in all (Postgres).
    pub database_connections: u32,
    /// Networks that are not public and may be called all the same when an agent's card names them (`http_direct`): for
    /// tests and labs.
    pub private_egress: Vec<Cidr>,
    /// Ports that may be called when an agent's card names them.
    pub egress_ports: Vec<u16>,
    /// How the hosts of agents' cards become addresses.
    pub resolver: Resolver,
    /// What each signal counts when agents are ranked for a task.
    pub rank_weights: Weights,
    /// What makes vectors of texts, for discovery by meaning; `None`: words alone count.
    pub embeddings: Option<Embeddings>,
    /// Whether and how agents with a URL are probed.
    pub probes: Probes,
    /// Base URLs of other ARD registries that searches are passed on to; at most [`MAX_ARD_UPSTREAMS`].
    pub ard_upstreams: Vec<String>,
}

/// Other registries of one exchange: each is asked at every search that does not refuse it.
pub const MAX_ARD_UPSTREAMS: usize = 8;

/// An endpoint that makes vectors of texts: the `/embeddings` of OpenAI's API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Embeddings {
    /// The API's base, such as `http://127.0.0.1:11434/v1`. It may be in any network.
    pub url: String,
    /// The model's name there.
    pub model: String,
    /// What it is asked with, as `Authorization: Bearer`.
    pub key: Option<Secret>,
}

/// Whether and how agents with a URL are probed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probes {
    /// Are they probed at all?
    pub on: bool,
    /// Milliseconds between two probes of an agent that answers; its verdict counts for twice as long.
    pub interval_ms: i64,
    /// Milliseconds of failing probes, or without any sign of life, after which an agent is listed as `dormant`.
    pub dormant_after_ms: i64,
}

impl Default for Probes {
    fn default() -> Self {
        Self { on: true, interval_ms: 300_000, dormant_after_ms: 24 * 3_600_000 }
    }
}

impl Config {
    /// The defaults for a data directory and a public URL.
    pub fn new(data_dir: impl Into<PathBuf>, public_url: impl Into<String>) -> Self {
        Self {
            database_url: String::new(),
            data_dir: data_dir.into(),
            public_url: public_url.into().trim_end_matches('/').to_owned(),
            prefix: "/connect".into(),
            registration: Registration::Open,
            rate_limits: RateLimits::default(),
            cors_origins: Vec::new(),
            audit_retention_days: 30,
            events_ring: 1_000,
            events_per_ip: 16,
            events_total: 1_000,
            max_json_bytes: 256 << 10,
            database_connections: 4,
            private_egress: Vec::new(),
            egress_ports: vec![80, 443, 8080, 8443],
            resolver: Resolver::system(),
            rank_weights: Weights::default(),
            embeddings: None,
            probes: Probes::default(),
            ard_upstreams: Vec::new(),
        }
    }

    /// Where problem documents point.
    pub fn origin(&self) -> Origin {
        Origin { public_url: self.public_url.clone(), prefix: self.prefix.clone() }
    }

    /// The `iss` of our tokens: the public URL and the prefix.
    pub fn issuer(&self) -> String {
        format!("{}{}", self.public_url, self.prefix)
    }
}

/// Who may register agents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Registration {
    /// Anyone.
    Open,
    /// Who brings this token as `Authorization: Bearer`, and the operator.
    Token(Secret),
    /// The operator, with the admin token.
    Closed,
}

/// A kind of request that has a rate of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// `POST /v1/agents`, per address.
    Registration,
    /// What asks the search index, without a credential, per address: `GET /v1/search`, `POST /v1/discover`, searches of
    /// the registry, and messages to the exchange's own agent.
    Discovery,
    /// Claims, per address.
    Claims,
    /// Anonymous calls to public agents, per address; enforced by the switch.
    RelayPublic,
    /// Everything else without a credential, per address.
    Anonymous,
    /// Orders, per agent.
    Orders,
    /// Requests with a credential, per agent.
    Authenticated,
}

impl Class {
    /// Every class, in the order of the documentation.
    pub const ALL: [Class; 7] = [
        Class::Registration,
        Class::Discovery,
        Class::Claims,
        Class::RelayPublic,
        Class::Anonymous,
        Class::Orders,
        Class::Authenticated,
    ];

    /// The name in settings and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Discovery => "discovery",
            Self::Claims => "claims",
            Self::RelayPublic => "relay_public",
            Self::Anonymous => "anonymous",
            Self::Orders => "orders",
            Self::Authenticated => "authenticated",
        }
    }
}

/// So many requests per so much time: the size of a bucket and the time in which an empty one fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Requests.
    pub requests: u32,
    /// Milliseconds.
    pub per_ms: u32,
}

/// Rates per class. Textual form: `off`, or `class=n/unit,…` with the units `s`, `min`, `h`, or `class=off`; classes that
/// are not named keep their defaults, and an empty text counts as unset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RateLimits([Option<Rate>; Class::ALL.len()]);

impl RateLimits {
    /// No limits.
    pub fn off() -> Self {
        Self([None; Class::ALL.len()])
    }

    /// The rate of a class; `None` is without limit.
    pub fn rate(&self, class: Class) -> Option<Rate> {
        self.0[class as usize]
    }

    /// The same limits with another rate for a class.
    pub fn with(mut self, class: Class, rate: Option<Rate>) -> Self {
        self.0[class as usize] = rate;
        self
    }
}

impl Default for RateLimits {
    fn default() -> Self {
        let rate = |requests, per_ms| Some(Rate { requests, per_ms });
        Self([
            rate(10, 60_000),
            rate(60, 3_600_000),
            rate(3, 3_600_000),
            rate(600, 60_000),
            rate(600, 60_000),
            rate(30, 60_000),
            rate(1_200, 60_000),
        ])
    }
}

/// A rate limit setting that cannot be read; says which part and what is accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rate limits: `{part}`: {expected}")]
pub struct BadRateLimits {
    part: String,
    expected: &'static str,
}

const UNITS: [(&str, u32); 6] =
    [("s", 1_000), ("second", 1_000), ("min", 60_000), ("minute", 60_000), ("h", 3_600_000), ("hour", 3_600_000)];

impl FromStr for RateLimits {
    type Err = BadRateLimits;

    fn from_str(text: &str) -> Result<Self, BadRateLimits> {
        if text.trim() == "off" {
            return Ok(Self::off());
        }
        let mut limits = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let bad = |expected| BadRateLimits { part: part.to_owned(), expected };
            let (name, value) = part.split_once('=').ok_or_else(|| bad("expected class=n/unit, or `off` alone"))?;
            let class = Class::ALL.into_iter().find(|class| class.as_str() == name.trim()).ok_or_else(|| {
                bad("classes are registration, discovery, claims, relay_public, anonymous, orders, authenticated")
            })?;
            limits.0[class as usize] = match value.trim() {
                "off" => None,
                value => Some(parse_rate(value).ok_or_else(|| bad("expected n/unit with n from 1 and s, min or h"))?),
            };
        }
        Ok(limits)
    }
}

fn parse_rate(text: &str) -> Option<Rate> {
    let (requests, unit) = text.split_once('/')?;
    let requests = requests.trim().parse().ok().filter(|requests| *requests > 0)?;
    let (_, per_ms) = UNITS.into_iter().find(|(name, _)| *name == unit.trim())?;
    Some(Rate { requests, per_ms })
}

impl fmt::Display for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, class) in Class::ALL.into_iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match self.rate(class) {
                None => write!(f, "{comma}{}=off", class.as_str())?,
                Some(rate) => {
                    let unit = UNITS.iter().find(|(_, ms)| *ms == rate.per_ms).map_or("?", |(name, _)| name);
                    write!(f, "{comma}{}={}/{unit}", class.as_str(), rate.requests)?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_and_what_is_not_named_keeps_its_default() {
        let limits: RateLimits = "registration=2/s, discovery=off".parse().unwrap();
        assert_eq!(limits.rate(Class::Registration), Some(Rate { requests: 2, per_ms: 1_000 }));
        assert_eq!(limits.rate(Class::Discovery), None);
        assert_eq!(limits.rate(Class::Anonymous), RateLimits::default().rate(Class::Anonymous));
        assert_eq!("".parse(), Ok(RateLimits::default()));
        assert_eq!("off".parse(), Ok(RateLimits::off()));
        assert_eq!(limits.to_string().parse(), Ok(limits));
    }

    #[test]
    fn a_mistake_is_named() {
        for text in ["registration", "nonsense=1/s", "claims=0/s", "claims=1/week", "claims=x/s", "off,claims=1/s"] {
            let message = text.parse::<RateLimits>().unwrap_err().to_string();
            assert!(message.contains(text.split(',').next().unwrap()), "{message}");
        }
    }
}
