//! The agent wire protocol and everything that both ends of it must agree on, as pure code.
//!
//! Bytes and time go in, decisions come out: nothing here reads a socket, a clock or the environment. The crate holds
//! the WebSocket framing, the relay frames, the session machines of both ends, ids, limits and the error catalogue.
//! The protocol on one page is `docs/RELAY_WIRE_PROTOCOL.md`.
//!
//! | module | what it decides |
//! |---|---|
//! | [`ids`] | agent, session, node and call ids, and how a call id packs core, slot and generation |
//! | [`address`] | whose an address is, for bounds per address |
//! | [`limits`] | every bound, with its reason |
//! | [`bounds`] | what happens at each bound of a switch, and how often it did |
//! | [`error`] | the error catalogue: one table behind every problem document, page and text |
//! | [`close`] | WebSocket close codes and what a client does after each |
//! | [`mask`], [`header`], [`message`], [`handshake`] | RFC 6455: masking, frame headers, messages, the upgrade |
//! | [`pieces`] | messages and bodies without moving their bytes |
//! | [`http1`] | HTTP/1.1 heads and body framing, strict |
//! | [`relay`] | which paths, verbs and headers cross the relay |
//! | [`frame`] | the MessagePack frames: decode, encode |
//! | [`session`] | one line's protocol machine: the relay's side and the agent's side |
//!
//! The cfg `landline_planted_bug` puts one fault into each of four modules. It is set only to check that the fuzz target
//! of each finds it (`fuzz/run --planted`).

pub mod address;
pub mod bounds;
pub mod close;
pub mod error;
pub mod frame;
pub mod handshake;
pub mod header;
pub mod http1;
pub mod ids;
pub mod limits;
pub mod mask;
pub mod message;
pub mod pieces;
pub mod relay;
pub mod session;
