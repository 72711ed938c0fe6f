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

/// Will the same dial succeed a little later? Then the reason names a time, so that all who were refused do not come back
/// in one instant. (The reason of [`CAP_REACHED`] is the cap's name and nothing else.)
pub fn is_for_now(code: u16) -> bool {
    matches!(code, GOING_AWAY | TRY_AGAIN_LATER)
}

/// What stands between a reason and the time that it names.
const REDIAL_AFTER: &str = "; redial after ";

/// A reason that names the time after which to dial again. A reason that would be too long for a close frame (RFC 6455
/// section 5.5) is left as it is.
pub fn with_redial(reason: &str, redial_after_ms: u64) -> String {
    let named = format!("{reason}{REDIAL_AFTER}{redial_after_ms} ms");
    if named.len() <= MAX_REASON_BYTES { named } else { reason.to_owned() }
}

/// The time that a reason names.
pub fn redial_after_ms(reason: &str) -> Option<u64> {
    reason.rsplit_once(REDIAL_AFTER)?.1.strip_suffix(" ms")?.parse().ok()
}

/// Bytes of a close frame's reason: a control frame's payload without the code.
const MAX_REASON_BYTES: usize = 123;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_names_a_time_and_stays_readable() {
        let named = with_redial(reason(TRY_AGAIN_LATER), 1_234);
        assert_eq!(named, "overloaded, try again later; redial after 1234 ms");
        assert_eq!(redial_after_ms(&named), Some(1_234));
        for other in ["", "because", "; redial after  ms", "; redial after -1 ms", "x; redial after 5 s"] {
            assert_eq!(redial_after_ms(other), None, "{other}");
        }
        let long = "x".repeat(110);
        assert_eq!(with_redial(&long, 1_234), long);
        assert_eq!(redial_after_ms(&with_redial("a; redial after 1 ms", 2)), Some(2), "the last one counts");
    }

    #[test]
    fn a_time_is_named_only_where_dialling_again_makes_sense() {
        for code in 1_000..5_000 {
            assert!(!is_for_now(code) || redial(code), "{code}");
        }
    }
}
