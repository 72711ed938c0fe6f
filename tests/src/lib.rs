//! The harness of the end-to-end tests: it starts the real program and talks to it with clients of its own.
//!
//! HTTP, WebSocket and the relay's frames are written here a second time, by hand and blocking, on purpose: a test that
//! shared the product's code would share its mistakes.
//!
//! | module | what it gives |
//! |---|---|
//! | [`server`] | the real `landline` processes in temporary data directories |
//! | [`http`], [`sse`] | HTTP/1.1 over a plain socket, exact bytes in and out; the event stream |
//! | [`ws`], [`frame`], [`line`] | WebSocket frames, MessagePack maps, and an agent made of them |
//! | [`tls`] | the same over TLS, for addresses that speak it; certificates |
//! | [`api`] | registering, calling and looking things up, as a user would |
//! | [`leak`] | a marker string in all its forms |
//! | [`jwt`] | tokens, good and forged |
//! | [`nat`] | network namespaces behind NAT |
//! | [`steady`], [`burst`] | callers that go on while something happens; one that makes many calls fast |
//! | [`wait`] | bounded waiting |
//! | [`tree`] | the project's own files, for the tests of its shape |

pub mod api;
pub mod burst;
pub mod frame;
pub mod http;
pub mod jwt;
pub mod leak;
pub mod line;
pub mod nat;
pub mod server;
pub mod sse;
pub mod steady;
pub mod tls;
pub mod tree;
pub mod wait;
pub mod ws;
