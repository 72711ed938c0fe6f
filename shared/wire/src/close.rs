//! WebSocket close codes of a line (RFC 6455 section 7.4 and ours), and what a client does after each.

/// Normal closure.
pub const NORMAL: u16 = 1000;
/// The node is leaving.
pub const GOING_AWAY: u16 = 1001;
/// Broken MessagePack, not a map, a key twice, a required key missing, first frame not `auth`, unknown version, or a
/// broken WebSocket frame.
pub const PROTOCOL_ERROR: u16 = 1002;
/// A text message.
pub const UNSUPPORTED_DATA: u16 = 1003;
/// A message over `max_body_bytes` + 64 KiB.
pub const TOO_BIG: u16 = 1009;
/// Overloaded: try again later.
pub const TRY_AGAIN_LATER: u16 = 1013;
/// A newer session of the same agent took the place.
pub const REPLACED: u16 = 4000;
/// Invalid, revoked or expired token, deleted agent, or no `auth` in time.
pub const INVALID_TOKEN: u16 = 4003;
/// The agent is blocked.
pub const BLOCKED: u16 = 4010;
/// A cap was reached; the reason names it.
pub const CAP_REACHED: u16 = 4029;
/// The page's Origin is not allowed.
pub const ORIGIN: u16 = 4403;

/// May a client dial again by itself after this code? After the others its operator has to act.
pub fn redial(code: u16) -> bool {
    !matches!(code, REPLACED | INVALID_TOKEN | BLOCKED | ORIGIN)
}

/// The reason text that goes with a code when nothing more exact is known; at most 123 bytes (RFC 6455 section 5.5).
pub fn reason(code: u16) -> &'static str {
    match code {
        NORMAL => "normal",
        GOING_AWAY => "going away",
        PROTOCOL_ERROR => "protocol error",
        UNSUPPORTED_DATA => "only binary messages are spoken here",
        TOO_BIG => "message too big",
        TRY_AGAIN_LATER => "overloaded, try again later",
        REPLACED => "replaced by a newer session",
        INVALID_TOKEN => "invalid token",
        BLOCKED => "blocked",
        CAP_REACHED => "cap reached",
        ORIGIN => "origin not allowed",
        _ => "",
    }
}

/// May this code stand in a close frame (RFC 6455 section 7.4.2)?
pub fn is_valid_on_wire(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
