//! The types of the HTTP API, as serde sees them: what the exchange writes and the clients read. Pure: no clock, no I/O.
//!
//! Keys are snake_case, times are RFC 3339 in UTC with milliseconds ([`time`]), ids are UUIDs. Readers ignore members
//! that they do not know.
//!
//! | module | of what |
//! |---|---|
//! | [`agents`] | registration, the agent row, lists, reliability |
//! | [`ard`] | the directory as an ARD registry and an AI Catalog |
//! | [`auth`] | keys, tokens, revocation |
//! | [`discovery`] | finding an agent for a task |
//! | [`relay`] | the record of calls, statistics, status |
//! | [`report`] | editions of the state report |
//! | [`submissions`] | URLs to be crawled |
//! | [`events`] | the event stream's kinds |
//! | [`admin`] | what the operator sees and does |
//! | [`problem`] | the problem document, as a client reads it |
//! | `schema` | with the feature of that name: JSON Schemas of all of these |

pub mod admin;
pub mod agents;
pub mod ard;
pub mod auth;
pub mod discovery;
pub mod events;
pub mod problem;
pub mod relay;
pub mod report;
#[cfg(feature = "schema")]
pub mod schema;
pub mod submissions;
pub mod time;

use serde::{Deserialize, Serialize};

/// A piece of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "{T}Page"))]
pub struct Page<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// How many there are in all.
    pub total: u64,
    /// At most so many were asked for.
    pub limit: u32,
    /// So many were skipped.
    pub offset: u32,
}

/// A piece of a list that can also be read on from a place, whatever was added before it meanwhile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "{T}Listing"))]
pub struct Listing<T> {
    /// The items, in the list's order.
    pub items: Vec<T>,
    /// How many there are in all.
    pub total: u64,
    /// At most so many were asked for.
    pub limit: u32,
    /// So many were skipped; 0 if a cursor was given.
    pub offset: u32,
    /// The `cursor` with which the next piece begins; null at the end.
    pub next_cursor: Option<String>,
}

/// Events, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "{T}Feed"))]
pub struct Feed<T> {
    /// The events.
    pub events: Vec<T>,
}
