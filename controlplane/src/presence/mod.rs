//! Which agent holds a line, on which switch, since when: what the switches report, reconciled.
//!
//! Owns `sessions`. Invariants: a session is open (`ended_at` null) only if its switch said so and has not said otherwise,
//! and its credential counted when it was reported; of several switches' sessions of one agent the one that was reported
//! last stands, unless all of them are shared. A switch's new boot ends all sessions of its older ones. Sessions of a
//! switch that was not heard of for [`SILENCE_MS`] are ended; if it comes back it lists them again.

mod leaving;
mod model;
pub mod ops;
pub(crate) mod store;

pub(crate) use leaving::{Departures, Leaving, Noted};
pub use model::{Change, uptime};

/// Milliseconds without a sign of a switch after which its lines are taken for gone.
pub const SILENCE_MS: i64 = 120_000;
