//! What the two planes say to each other, and how both sides stay in step after any loss. Pure: bytes in, messages and
//! decisions out; QUIC is the shells' business (`dataplane/uplink`, `controlplane/src/feed`).
//!
//! One QUIC connection per switch, mutual TLS, ALPN [`ALPN_LINK`]; the first byte of each bidirectional stream is its
//! [`StreamKind`]. Messages are length-prefixed MessagePack ([`codec`]).
//!
//! | stream | opened by | upward | downward |
//! |---|---|---|---|
//! | `Control` (one) | switch | [`Hello`], then nothing | [`Down`]: welcome, snapshot, deltas, kicks |
//! | `Reports` (one) | switch | [`ReportBatch`] in sequence | [`ReportAck`] |
//! | `Records` (one) | switch | [`RecordBatch`] in order | [`RecordAck`] |
//! | `Lookup` (one per question) | switch | [`Lookup`] | [`LookupAnswer`] |
//! | `Renew` (now and then) | switch | [`RenewRequest`] | [`JoinAnswer`] |
//! | `Ask` (one per question) | exchange | [`Told`] | [`Ask`] |
//! | `Pass` (one per passed-on request) | switch | [`PassHead`], raw body until FIN | [`PassAnswer`], raw body until FIN |
//!
//! A stream that either side resets ([`limits::RESET_GONE`]) is a call that went away.
//!
//! A node without a certificate speaks ALPN [`ALPN_JOIN`] first: one stream, [`JoinRequest`] up, [`JoinAnswer`] down.

pub mod codec;
mod join;
pub mod limits;
mod message;
mod publisher;
mod subscriber;

pub use join::*;
pub use message::*;
pub use publisher::*;
pub use subscriber::*;

/// ALPN of the link proper: the client shows its node certificate.
pub const ALPN_LINK: &[u8] = b"landline-link/1";
/// ALPN of a join: the client has no certificate yet.
pub const ALPN_JOIN: &[u8] = b"landline-join/1";
/// The name in the exchange's server certificate, whatever address it is reached at: the cluster's CA is pinned and
/// signs nothing else under it.
pub const EXCHANGE_NAME: &str = "exchange.landline.internal";
