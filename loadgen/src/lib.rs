//! Load on a relay, and the floor that it is compared with. The agents here run the same client machine
//! ([`landline_wire::session::client`]) as every other client of ours.
//!
//! | module | what it holds |
//! |---|---|
//! | [`args`] | the command line |
//! | [`agents`] | registration over HTTP, and the file that keeps agents for the next run |
//! | [`connection`], [`net`] | bytes to and from the server, plain or over TLS |
//! | [`line`] | one agent's line |
//! | [`measure`] | the window that counts, latencies, the server's CPU and memory from `/proc` |
//! | [`report`] | what a run prints |
//! | [`scenario`] | calls, idle lines, the raw floor |
//!
//! All loops are closed: a new call starts when an answer has come. Latencies are therefore those at the rate that the
//! server takes, not at a chosen one.

pub mod agents;
pub mod args;
pub mod connection;
pub mod http;
pub mod line;
pub mod measure;
pub mod net;
pub mod report;
pub mod runtime;
pub mod scenario;
