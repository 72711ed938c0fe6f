//! Load on a relay, the same on NATS, and the floor that both are compared with. The agents here run the same client machine
//! ([`landline_wire::session::client`]) as every other client of ours.
//!
//! | module | what it holds |
//! |---|---|
//! | [`args`] | the command line |
//! | [`scenario`] | what can be run, one module each |
//! | [`load`] | callers and callees |
//! | [`measure`] | when is counted, by whom |
//! | [`stats`], [`pace`], [`random`], [`svg`], [`report`] | pure: what is counted, when calls begin, choices, plots, what is printed |
//! | [`synthetic`] | pure: a made-up directory, and what is asked of it |
//! | [`agents`] | registration over HTTP, and the file that keeps agents for the next run |
//! | [`line`], [`http`] | a line of a relay, HTTP |
//! | [`nats`] | the same work on a NATS server: connections, callers, callees |
//! | [`connection`], [`tls`] | bytes to and from a server, plain or over TLS |
//! | [`net`], [`clock`], [`runtime`] | sockets, exact timers, io_uring or epoll |
//! | [`proc`], [`progress`], [`interrupt`] | `/proc`, the line on a terminal, Ctrl-C |
//!
//! One thread owns its callers and callees wholly; threads share nothing but the window of time that is counted.

pub mod agents;
pub mod args;
pub mod clock;
pub mod connection;
pub mod http;
pub mod interrupt;
pub mod line;
pub mod load;
pub mod measure;
pub mod nats;
pub mod net;
pub mod pace;
pub mod proc;
pub mod progress;
pub mod random;
pub mod report;
pub mod runtime;
pub mod scenario;
pub mod stats;
pub mod svg;
pub mod synthetic;
pub mod tls;
