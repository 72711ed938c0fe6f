//! `http_direct`: a call to an agent that holds no line but has a public URL of its own, dispatched by the exchange.
//!
//! The exchange stands inside of somebody's network, and a card is written by a stranger; so all that is decided here
//! starts from refusal:
//!
//! - Only an agent whose origin was proven is called, and only on that origin. A card that moves loses the proof.
//! - A URL has one reading or none ([`target`]); of addresses only public ones are called ([`guard`]), on a few ports; the
//!   address that was judged is the one that is connected to, at every call ([`connect`]). No redirect is followed.
//! - Only `POST` to the declared interface and `GET` of the card are passed, with three kinds of headers ([`plan`]).
//! - No host is called more than the [`gate`] lets through; bodies, heads and times are bounded here and below.
//!
//! Whoever comes here was judged by a switch ([`crate::extract::RelayCaller`]); who may call whom is judged here again.

mod audit;
mod connect;
mod dispatch;
mod gate;
mod guard;
mod inquiry;
mod message;
mod passage;
mod plan;
mod service;
mod target;
mod upload;

use std::time::Duration;

use landline_wire::limits::CALL_TIMEOUT_MS;

use crate::agents::{self, Stored};
use crate::config::Config;
use crate::state::Exchange;

pub(crate) use dispatch::call;
pub(crate) use inquiry::{Heard, Respondent};
pub(crate) use message::{Binding, Era};
pub(crate) use passage::Failure;
pub(crate) use service::Service;

/// Bytes of an answer: what a long stream of events has, and an end to what never ends.
const MAX_ANSWER_BYTES: u64 = 64 << 20;
/// Time for a whole call, its stream included.
const MAX_CALL: Duration = Duration::from_secs(600);
/// Time between two parts of an answer.
const MAX_SILENCE: Duration = Duration::from_millis(CALL_TIMEOUT_MS);

/// What dispatching needs of an exchange.
pub(crate) struct Direct {
    connector: connect::Connector,
    gates: gate::Gates,
    uploads: upload::Budget,
}

impl Direct {
    /// Nothing in flight.
    pub(crate) fn new(config: &Config) -> Self {
        let connector = connect::Connector::new(config.resolver.clone(), config.private_egress.clone());
        Self { connector, gates: gate::Gates::default(), uploads: upload::Budget::default() }
    }
}

/// The agent as it can be called at its own URL, if it can.
fn callee(exchange: &Exchange, agent: &Stored) -> Option<plan::Callee> {
    if agent.origin_proven { declared(exchange, agent) } else { None }
}

/// The agent as its card says that it can be called at its own URL, if that is a place that may be called at all. Whether
/// the host agrees is another question.
fn declared(exchange: &Exchange, agent: &Stored) -> Option<plan::Callee> {
    let url = agent.url.as_deref()?;
    let card = serde_json::from_str(&agent.card).ok()?;
    // An agent that declares no interface has none that could be called directly.
    plan::callee(url, &agents::card_v1(&card, "")["supportedInterfaces"], rules(exchange))
}

/// What the operator allows.
fn rules(exchange: &Exchange) -> plan::Rules<'_> {
    let config = &exchange.config;
    plan::Rules { ports: &config.egress_ports, opened: &config.private_egress, public_url: &config.public_url }
}

/// Can the exchange call this agent while it has no line, as far as its card tells?
pub(crate) fn is_eligible(exchange: &Exchange, agent: &Stored) -> bool {
    callee(exchange, agent).is_some()
}

/// Are both URLs of one origin? Not if one is none, or none that could be called.
pub(crate) fn same_origin(one: Option<&str>, other: Option<&str>) -> bool {
    let origin = |url: Option<&str>| plan::origin_of(url?).ok();
    matches!((origin(one), origin(other)), (Some(one), Some(other)) if one == other)
}

/// Endings of names that mean something else on every network (RFC 6761, RFC 6762, RFC 8375), or are used as if they did.
const LOCAL: [&str; 6] = [".localhost", ".local", ".internal", ".home.arpa", ".lan", ".test"];

/// Does a URL look as if others could reach it: a public address, or a name of the public tree? Nothing is resolved.
pub(crate) fn looks_public(url: &str) -> bool {
    match target::Target::parse(url).map(|target| target.origin.host) {
        Ok(target::Host::Ip(ip)) => guard::refused(ip, &[]).is_none(),
        Ok(target::Host::Name(name)) => name.contains('.') && !LOCAL.iter().any(|ending| name.ends_with(ending)),
        Err(_) => false,
    }
}
