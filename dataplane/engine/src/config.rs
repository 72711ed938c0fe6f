//! What an operator may set of one core's engine.

use landline_wire::limits;

/// Settings of an engine; the defaults are the limits of the wire protocol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The node's name in `ready`.
    pub node: String,
    /// Bytes of a whole body.
    pub max_body_bytes: usize,
    /// Calls in flight towards one line.
    pub max_in_flight: usize,
    /// Of those, from one caller.
    pub max_in_flight_per_caller: usize,
    /// Calls open on the core.
    pub max_calls: usize,
    /// Bytes of events that resumable streams of the core keep.
    pub replay_budget: usize,
    /// Calls and questions that may wait for look-ups.
    pub max_pending_lookups: usize,
    /// Seconds of silence before a ping.
    pub heartbeat_s: u64,
    /// Milliseconds to the first frame of an answer, at most.
    pub call_timeout_ms: u64,
    /// Milliseconds that a known API key counts while the exchange is away.
    pub stale_key_limit_ms: u64,
    /// Body bytes that the core may hold.
    pub body_budget: usize,
    /// Does each call leave a record?
    pub audit: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            node: String::new(),
            max_body_bytes: limits::MAX_BODY_BYTES,
            max_in_flight: limits::MAX_IN_FLIGHT,
            max_in_flight_per_caller: limits::MAX_IN_FLIGHT_PER_CALLER,
            max_calls: limits::MAX_CALLS_PER_CORE,
            replay_budget: limits::REPLAY_BYTES_PER_CORE,
            max_pending_lookups: limits::MAX_PENDING_LOOKUPS,
            heartbeat_s: limits::HEARTBEAT_S,
            call_timeout_ms: limits::CALL_TIMEOUT_MS,
            stale_key_limit_ms: limits::STALE_KEY_LIMIT_MS,
            body_budget: limits::BODY_BUDGET_BYTES,
            audit: true,
        }
    }
}
