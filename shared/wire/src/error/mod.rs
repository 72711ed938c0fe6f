//! The error catalogue: one table ([`Code`]) behind every problem document, page, text and generated reference, and
//! [`Problem`], one occurrence, in the shape of RFC 9457 with the agent-first members of the HTTP API.

mod catalogue;
mod problem;

pub use catalogue::{Audience, Code, Entry, NextAction};
pub use problem::{Origin, Problem};
