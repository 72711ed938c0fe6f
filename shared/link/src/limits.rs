//! Bounds and times of the link that both of its ends must agree on. What the agents see is bounded in
//! `landline_wire::limits`.

use std::time::Duration;

use landline_wire::limits::{
    MAX_BODY_BYTES, MAX_HEADER_BYTES, MAX_LOOKUPS_IN_FLIGHT, MAX_PASSES, MAX_PATH_BYTES, WINDOW_BYTES,
};

use crate::message::MAX_RECORDS_BYTES;

/// Bytes of one message, its length prefix not counted.
pub const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// Bytes of a [`crate::PassHead`] or [`crate::PassAnswer`]: a request's path and headers twice over.
pub const MAX_HEAD_BYTES: usize = 64 << 10;
/// Bytes of a message that a stranger may send: a join's request.
pub const MAX_JOIN_BYTES: usize = 16 << 10;
/// Bytes up to which ops are gathered into one message: half of what a message may have, since it is an estimate.
pub const MAX_OPS_BYTES: usize = MAX_MESSAGE_BYTES / 2;
/// Ops of one message.
pub const MAX_OPS: usize = 1_000;
/// Report batches on their way and not acknowledged: enough to fill the exchange's commit time, few enough that a
/// reconnect repeats little.
pub const MAX_BATCHES_IN_FLIGHT: usize = 4;
/// Batches of records on their way and not acknowledged: what the exchange commits together while more is coming.
pub const MAX_RECORD_BATCHES_IN_FLIGHT: usize = 8;

/// Bytes of the body of an [`crate::Ask`].
pub const MAX_ASK_BYTES: usize = 16 << 10;
/// Bytes of an agent's answer to it that are kept: a card has at most this many.
pub const MAX_TOLD_BYTES: usize = 256 << 10;
/// Questions to one switch at a time; what is beyond waits at the exchange.
pub const MAX_ASKS: u32 = 64;

/// Streams of one node at a time. Twice the passed-on requests: look-ups must find one even when every pass is taken by
/// a slow reader.
pub const MAX_STREAMS: u32 = 8_192;
/// Bytes that a stream may carry unread. The connection as a whole has no window: one slow reader must not stop the
/// stream of revocations.
pub const STREAM_WINDOW_BYTES: u32 = WINDOW_BYTES as u32;
/// Bytes of the largest datagram upward, where the way allows it: jumbo frames, and loopback. Records come by the
/// megabyte, and a datagram has its price whatever its size.
pub const MAX_DATAGRAM_BYTES: u16 = 9_000 - 48;

/// The side that says nothing sends a QUIC ping after this time.
pub const KEEP_ALIVE: Duration = Duration::from_secs(1);
/// Silence after which the other side counts as gone. It is counted from the first ping that got no answer, so that a
/// dead exchange is noticed within [`KEEP_ALIVE`] more; one that was restarted answers the ping with a reset, at once.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for a handshake, a join, and for the first message of a stream.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Stream reset: the caller, or the answer, went away.
pub const RESET_GONE: u32 = 1;
/// Stream reset: the head could not be read, or the stream is not expected.
pub const RESET_BROKEN: u32 = 2;

/// Connection close: leaving in order.
pub const CLOSE_DONE: u32 = 0;
/// Connection close: the exchange does not know this node; it has to join again.
pub const CLOSE_UNKNOWN_NODE: u32 = 1;
/// Connection close: this node was revoked.
pub const CLOSE_REVOKED: u32 = 2;
/// Connection close: a newer connection of the same node took the place.
pub const CLOSE_REPLACED: u32 = 3;
/// Connection close: what was said breaks the protocol.
pub const CLOSE_PROTOCOL: u32 = 4;
/// Connection close: the exchange failed inside; try again.
pub const CLOSE_FAILED: u32 = 5;

const _: () = assert!(2 * (MAX_HEADER_BYTES + MAX_PATH_BYTES) <= MAX_HEAD_BYTES);
const _: () = assert!(2 * MAX_PASSES <= MAX_STREAMS as usize);
const _: () = assert!(MAX_PASSES + MAX_LOOKUPS_IN_FLIGHT < MAX_STREAMS as usize, "look-ups find a stream");
const _: () = assert!(2 * MAX_RECORDS_BYTES <= MAX_MESSAGE_BYTES);
const _: () = assert!(MAX_BODY_BYTES <= MAX_MESSAGE_BYTES);
const _: () = assert!(2 * MAX_TOLD_BYTES <= MAX_MESSAGE_BYTES);
