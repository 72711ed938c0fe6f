//! The record of calls: what the switches report of each, once each, and what is published of it; and the calls that the
//! exchange makes itself, to agents without a line ([`direct`]).
//!
//! Owns `calls`, `agent_hours`, `agent_callers`, `record_cursors` and `report_cursors`. Invariants: a record is stored once, in one
//! transaction with the place that its log has reached, and a batch of reports likewise with its sequence; a record has
//! nothing but the eight published fields.
//!
//! | route | |
//! |---|---|
//! | `GET /v1/relay/recent` | the last calls |
//! | `GET /v1/relay/stats` | latency, rate, attached agents |
//! | `GET /v1/relay/log` | an agent's own calls |
//! | `/relay/{agent_id}` and below | a call that a switch passed on |

pub(crate) mod counts;
pub(crate) mod direct;
pub(crate) mod http;
mod ingest;
mod model;
mod operations;
pub mod ops;
mod record;
pub(crate) mod store;
pub(crate) mod sweep;

pub(crate) use counts::QUARTER_MS;
pub use model::{Figures, percentile};
pub(crate) use model::{event, milliseconds};
pub(crate) use operations::operations;
