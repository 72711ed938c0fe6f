//! What happens at each bound of a switch, as one table, and the counters that tell how often it happened. The numbers
//! are in [`crate::limits`]; a bound names its limit, and every bound is counted under its label.

/// One row.
#[derive(Debug)]
pub struct Entry {
    /// The `bound` of the metric `landline_bound_reached_total`.
    pub label: &'static str,
    /// The constant in [`crate::limits`], or the setting that it is.
    pub limit: &'static str,
    /// What has the bound: each line, each core, …
    pub of: &'static str,
    /// What happens at it, in a sentence.
    pub then: &'static str,
}

macro_rules! bounds {
    ($($variant:ident $label:literal $limit:literal $of:literal $then:literal;)*) => {
        /// A bound of the switch.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[allow(missing_docs, reason = "the table's own column says what happens at each")]
        pub enum Bound { $($variant,)* }

        impl Bound {
            /// Every bound, in the table's order.
            pub const ALL: &[Bound] = &[$(Bound::$variant,)*];
            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The bound's row.
            pub fn entry(self) -> &'static Entry {
                static TABLE: &[Entry] =
                    &[$(Entry { label: $label, limit: $limit, of: $of, then: $then },)*];
                &TABLE[self as usize]
            }
        }
    };
}

bounds! {
    LineCalls "line_calls" "MAX_IN_FLIGHT" "line"
        "The call gets 429 `rate_limited`; nothing waits.";
    CallerCalls "caller_calls" "MAX_IN_FLIGHT_PER_CALLER" "caller and line"
        "The call gets 429 `rate_limited`; nothing waits.";
    OwnCalls "own_calls" "MAX_OUTGOING" "line"
        "The `call` gets `error` `rate_limited`.";
    CoreCalls "core_calls" "MAX_CALLS_PER_CORE" "core"
        "The call gets 503 `overloaded`.";
    SharedLines "shared_lines" "MAX_SHARED_LINES" "agent and switch"
        "The session is closed with 4029 `lines_per_agent`.";
    LineQueue "line_queue" "MAX_LINE_QUEUE_BYTES" "line"
        "A call, or a call whose body is still coming, gets 503 `overloaded`.";
    LineReplies "line_replies" "MAX_LINE_QUEUE_BYTES" "line"
        "The line asks faster than it reads the answers: it is closed with 1013.";
    CoreBodies "core_bodies" "BODY_BUDGET_BYTES" "core"
        "The call gets 503 `overloaded`; a line whose message is not complete is closed with 1013.";
    Body "body" "MAX_BODY_BYTES" "call"
        "The caller gets 413 `body_too_large`; an agent's answer becomes 502 `bad_answer`.";
    Message "message" "MESSAGE_OVERHEAD_BYTES" "line"
        "The line is closed with 1009.";
    Window "window" "WINDOW_BYTES" "call and direction"
        "The call fails with 502 `flow_control`, and the other side gets `cancel`.";
    Credit "credit" "MAX_CREDIT" "call"
        "The call fails with 502 `flow_control`.";
    Strays "strays" "MAX_STRAY_FRAMES_PER_MINUTE" "line"
        "The line is closed with 1002.";
    ReplayOfCall "replay_of_call" "REPLAY_BYTES_PER_CALL" "resumable stream"
        "The oldest event that its caller took is forgotten.";
    ReplayOfCore "replay_of_core" "REPLAY_BYTES_PER_CORE" "core"
        "The complete stream that waits longest is forgotten; without one, a new call for a stream gets 503 `overloaded`.";
    Records "records" "SPOOL_BYTES" "switch"
        "The call gets 503 `overloaded`: one that could not be audited is not made.";
    PendingLookups "pending_lookups" "MAX_PENDING_LOOKUPS" "core"
        "The call gets 503 `overloaded`.";
    AbsentIds "absent_ids" "MAX_ABSENT_IDS" "core"
        "The exchange's answer is used once and not remembered.";
    CallTime "call_time" "CALL_TIMEOUT_MS" "call"
        "The call gets 504 `agent_timeout`, and its agent `cancel`.";
    UploadTime "upload_time" "UPLOAD_DEADLINE_MS" "call"
        "The caller gets 504 `upload_timeout`.";
    Heartbeat "heartbeat" "MISSED_HEARTBEATS" "line"
        "The line is closed with 1001.";
    Sockets "sockets" "MAX_UNAUTHENTICATED" "switch"
        "Accepting waits `ADMISSION_WAIT_MS` for a place; then the socket is closed without an answer.";
    SocketsOfAddress "sockets_of_address" "MAX_UNAUTHENTICATED_PER_IP" "address"
        "The socket is closed at once, without an answer.";
    Descriptors "descriptors" "ACCEPT_REST_MS" "core"
        "Descriptors or memory are short: accepting rests, and the kernel holds what comes.";
    AttachQueue "attach_queue" "MAX_WAITING_ATTACHES" "core"
        "Accepting rests until the queue is shorter; the kernel holds what comes.";
    AttachTurns "attach_turns" "ATTACHES_AT_ONCE" "core"
        "A handshake or a token's verification waits for its turn, so that calls go on.";
    TlsTime "tls_time" "TLS_HANDSHAKE_DEADLINE_MS" "connection"
        "The connection is closed.";
    AuthTime "auth_time" "AUTH_DEADLINE_MS" "connection"
        "The session is closed with 4003.";
    HeadTime "head_time" "HEAD_DEADLINE_MS" "connection"
        "The caller gets 408 `request_timeout`.";
    HttpIdle "http_idle" "HTTP_IDLE_MS" "connection"
        "The connection is closed.";
    WriteTime "write_time" "WRITE_DEADLINE_MS" "connection"
        "The connection is cut; a call that is under way ends as if its caller had left.";
    Head "head" "MAX_HEADER_BYTES" "request"
        "The caller gets 431 `header_too_large`.";
    BadCredentials "bad_credentials" "BAD_CREDENTIALS_PER_IP_PER_S" "address and core"
        "429 `rate_limited`, or close code 1013: no further credential from there is looked up or verified in this second.";
    KeyLookups "key_lookups" "MAX_KEY_LOOKUPS_PER_IP" "address and core"
        "429 `rate_limited`, or close code 1013: no further key from there is looked up until one of them was answered.";
    Remembered "remembered" "MAX_REMEMBERED_CREDENTIALS" "core"
        "The credential that was learned first is forgotten, and judged anew when it comes again.";
    UnknownKeys "unknown_keys" "MAX_UNKNOWN_KEYS" "core"
        "The key that was refused first is forgotten, and looked up when it comes again.";
    Lines "lines" "--max-lines" "switch"
        "The session is closed with 4029 `lines_per_node`.";
    LinesOfAddress "lines_of_address" "--max-lines-per-ip" "address"
        "The session is closed with 4029 `lines_per_ip`.";
    PublicCalls "public_calls" "PUBLIC_CALLS_PER_MINUTE" "address"
        "The anonymous call gets 429 `rate_limited`.";
    PublicCallers "public_callers" "MAX_PUBLIC_CALLERS" "core"
        "An anonymous call from an address that has not called in this minute gets 429 `rate_limited`.";
    MailboxLetters "mailbox_letters" "MAX_MAILBOX_LETTERS" "core"
        "A call for that core gets 503 `overloaded`.";
    MailboxBytes "mailbox_bytes" "MAX_MAILBOX_BYTES" "core"
        "A call for that core gets 503 `overloaded`.";
    Passes "passes" "MAX_PASSES" "core, and switch"
        "The request gets 503 `exchange_unavailable`.";
    LinkLookups "link_lookups" "MAX_LOOKUPS_IN_FLIGHT" "switch"
        "The question waits for its turn, within its own time.";
    Cards "cards" "MAX_CARDS" "switch"
        "The copy that was made first is forgotten.";
}

impl Bound {
    /// The label of its counter.
    pub fn label(self) -> &'static str {
        self.entry().label
    }
}

/// How often each bound was reached. Plain numbers: whoever shares them between threads brings the atomics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached([u64; Bound::COUNT]);

impl Default for Reached {
    fn default() -> Self {
        Self([0; Bound::COUNT])
    }
}

impl Reached {
    /// Counts one.
    pub fn count(&mut self, bound: Bound) {
        self.0[bound as usize] += 1;
    }

    /// Adds what another part counted.
    pub fn add(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(sum, count)| *sum += count);
    }

    /// How often this one was reached.
    pub fn of(&self, bound: Bound) -> u64 {
        self.0[bound as usize]
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_bound_has_a_label_of_its_own_and_a_limit_that_exists() {
        let limits = include_str!("limits.rs");
        let labels: HashSet<_> = Bound::ALL.iter().map(|bound| bound.label()).collect();
        assert_eq!(labels.len(), Bound::COUNT);
        for bound in Bound::ALL {
            let Entry { label, limit, of, then } = bound.entry();
            assert!(label.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase()), "{label}");
            assert!(limit.starts_with("--") || limits.contains(&format!("pub const {limit}: ")), "{limit}");
            assert!(!of.is_empty() && then.ends_with('.'), "{label}");
        }
    }

    #[test]
    fn what_is_counted_is_found_again() {
        let mut reached = Reached::default();
        reached.count(Bound::Strays);
        reached.count(Bound::Strays);
        let counts: Vec<u64> = Bound::ALL.iter().map(|bound| reached.of(*bound)).collect();
        assert_eq!((reached.of(Bound::Strays), counts.iter().sum::<u64>()), (2, 2));
    }
}
