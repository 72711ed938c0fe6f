//! The event stream: what happens, as it happens, over server-sent events.
//!
//! Each topic has a ring of its last events; a listener is a place in it. So a slow listener costs nothing and misses
//! what fell out of the ring, and a reconnecting one (`Last-Event-ID`) resumes from it. Ids rise over restarts: they
//! begin at the start time in microseconds. Every kind is a closed struct of [`landline_api::events`] or
//! [`landline_api::relay`].
//!
//! | route | |
//! |---|---|
//! | `GET /v1/events?topic=relay,agents` | the stream |

mod http;
mod hub;
mod operations;

use landline_api::events::{Change, Presence};
use landline_api::time::rfc3339_ms;
use landline_link::CallRecord;
use landline_wire::ids::AgentId;

pub(crate) use http::events;
pub use hub::{Hub, Listener, Refused};
pub(crate) use operations::operations;

use crate::presence;
use crate::relay;
use crate::state::Exchange;

/// What a listener can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Calls.
    Relay,
    /// Agents: connected, disconnected, registered, updated, removed.
    Agents,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Topic; 2] = [Topic::Relay, Topic::Agents];

    /// The name in the query.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Agents => "agents",
        }
    }
}

/// Publishes calls: of more than the ring holds the newest, since no listener would see the others.
pub(crate) fn publish_calls(exchange: &Exchange, calls: &[&CallRecord]) {
    let newest = &calls[calls.len().saturating_sub(exchange.config.events_ring)..];
    let json = newest.iter().filter_map(|call| serde_json::to_string(&relay::event(call)).ok());
    let events: Vec<_> = json.map(|json| ("relay.request", json)).collect();
    exchange.events.publish(Topic::Relay, events);
}

/// Publishes that agents became reachable over a line, or ceased to be.
pub(crate) fn publish_presence(exchange: &Exchange, changes: &[presence::Change]) {
    let events = changes.iter().filter_map(|change| {
        let kind = if change.connected { "agent.connect" } else { "agent.disconnect" };
        let data = Presence { ts: rfc3339_ms(change.at), agent_id: change.agent, name: change.name.clone() };
        Some((kind, serde_json::to_string(&data).ok()?))
    });
    exchange.events.publish(Topic::Agents, events);
}

/// A change of the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Directory {
    Registered,
    Updated,
    Removed,
}

/// Publishes a change of the directory, to the index of searches too.
pub(crate) fn publish_change(exchange: &Exchange, what: Directory, agent: AgentId, name: &str, at: i64) {
    let kind = match what {
        Directory::Registered => "agent.registered",
        Directory::Updated => "agent.updated",
        Directory::Removed => "agent.removed",
    };
    let data = Change { ts: rfc3339_ms(at), agent_id: agent, name: name.to_owned() };
    exchange.events.publish(Topic::Agents, serde_json::to_string(&data).ok().map(|json| (kind, json)));
    exchange.search.ring();
}
