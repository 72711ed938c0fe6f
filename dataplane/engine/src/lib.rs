//! One core's brain: who holds a line here, which calls are open, who may do what, and what has to happen next. Pure:
//! no socket, no clock, no environment.
//!
//! # How it is driven
//! Each core owns one [`Engine`]. The shell (`dataplane/src`) feeds it what happened ([`Engine::attach`],
//! [`Engine::message`], [`Engine::place`], [`Engine::mail`], [`Engine::answer`], [`Engine::apply`], [`Engine::sweep`])
//! together with the time, then takes [`Effect`]s with [`Engine::poll_effect`] until there are none and carries them
//! out. Bytes for a line's socket wait in the engine ([`Engine::take_output`]) so that everything that arrives while a
//! write is under way joins the next one.
//!
//! # Invariants
//! - A line lives on core [`AgentId::home_core`](landline_wire::ids::AgentId::home_core); so does every call to it.
//! - A call's id names its slot and the slot's generation, and the slot knows its line: a frame that comes over another
//!   line, or too late, finds nothing.
//! - Every call that was placed ends in exactly one reply that ends it and one audit record.

mod call;
mod config;
mod counter;
mod credentials;
mod engine;
mod line;
mod map;
mod offer;
mod output;
mod sse;
mod types;
mod watch;

pub use call::{Call, CallTable, Phase};
pub use config::Config;
pub use counter::Counter;
pub use credentials::{Credentials, Principal, Verdict};
pub use engine::{Attach, Engine, Gathering, Stats};
pub use line::{Line, Lines};
pub use map::{Map, Set};
pub use offer::Body;
pub use output::{Flush, Output};
pub use sse::{StreamId, parse_event_id};
pub use types::{CallRequest, ConnKey, DirectReply, Effect, LineKey, Mail, Now, Origin, Reply, Resume, StatusAnswer};

#[cfg(test)]
mod tests;
