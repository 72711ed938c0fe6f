//! The exchange: Landline's control plane. It keeps the directory of agents, their credentials, the record of calls
//! and what the switches must know; it answers every request that is not a live line or a call.
//!
//! Vertical slices with a pure middle: a slice owns its tables and is `model` (types and pure decisions), `store` (SQL),
//! `ops` (one function per use case, owns the transaction) and `http` (extract, one op, respond). Slices meet through
//! `ops` and `model` types only.
//!
//! | module | what it owns |
//! |---|---|
//! | [`router`] | every route, on one page |
//! | [`agents`] | the directory: registration, cards, lists, reliability |
//! | [`discovery`] | finding agents: the search index, search, discover, facets |
//! | [`ard`] | the directory as an ARD registry and an AI Catalog |
//! | [`a2a`] | the exchange as an A2A agent that finds agents |
//! | [`auth`] | API keys, tokens, revocation, JWKS |
//! | [`presence`] | which agent holds a line on which switch |
//! | [`pulse`] | whether agents with a URL answer there: probes, verdicts |
//! | [`relay`] | the record of calls: ingestion, recent, statistics, log |
//! | [`submissions`] | URLs where agents are said to be, and the crawler that looks |
//! | [`report`] | editions of the state report: what the directory is, counted |
//! | [`events`] | the event stream (SSE) |
//! | [`moderation`] | what the operator may do: block, feature, sessions, nodes |
//! | [`feed`] | the QUIC server of the link: nodes, snapshots and deltas, reports, passed-on requests |
//! | [`openapi`] | the API as a document for programs |
//! | [`pages`] | what people and agents read |
//! | [`db`] | the two databases behind one SQL text; the outbox |
//! | [`egress`] | where connections to the outside may lead |
//! | [`admin`] | health, readiness and metrics, on the admin address |

pub mod a2a;
pub mod admin;
pub mod agents;
pub mod ard;
pub mod auth;
pub mod clock;
pub mod config;
pub mod conventions;
pub mod db;
pub mod discovery;
pub mod egress;
pub mod error;
pub mod events;
pub mod extract;
pub mod feed;
pub mod limit;
pub mod listener;
pub mod metrics;
pub mod moderation;
pub mod openapi;
pub mod pages;
pub mod presence;
pub mod pulse;
pub mod relay;
pub mod report;
pub mod router;
pub mod secrets;
pub mod state;
pub mod submissions;

pub use state::Exchange;
