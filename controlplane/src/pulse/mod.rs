//! Pulse: whether the URL that an agent's card names is answered there by that agent, found out by asking.
//!
//! Owns `pulse` (one row per agent with a URL), `probes` (its last probes, a ring), `pulse_spans` (when it was callable)
//! and `pulse_lead` (which exchange asks). Invariants: of several exchanges on one database one asks at a time; a probe
//! that was begun for a card that has changed since counts for nothing; an agent is callable only while its origin is
//! proven, and a proof that a probe gave is taken back by the first probe that finds another card there, and by every
//! change of the card.
//!
//! | module | what it does |
//! |---|---|
//! | `model` | verdicts, the score, what is fresh |
//! | `judge` | what an answer means; pure |
//! | `schedule` | when to ask next; pure |
//! | `probe` | asks one agent |
//! | [`ops`] | what follows from a probe; the pulse of agents, for their rows |
//! | `hosts` | regard for other people's hosts |
//! | `run` | the loop |

mod hosts;
mod judge;
mod line;
mod model;
pub mod ops;
mod probe;
mod run;
mod schedule;
pub(crate) mod store;

pub(crate) use hosts::Hosts;
pub(crate) use model::{Pulse, Verdict};
pub(crate) use run::run;
