//! Every bound of the protocol and of the switch, with its unit and its reason. Defaults; an operator may lower or
//! raise those that `landline --help` names.

/// Protocol version of the `auth` frame.
pub const WIRE_VERSION: u64 = 1;

/// Bytes of one call's body: what fits a large prompt with an image, and bounds what one call may hold.
pub const MAX_BODY_BYTES: usize = 1 << 20;
/// Bytes a WebSocket message may have beyond its body: frame keys, headers and path.
pub const MESSAGE_OVERHEAD_BYTES: usize = 64 << 10;
/// Bytes of a request head (request line and headers); also of the headers of a relay frame.
pub const MAX_HEADER_BYTES: usize = 16 << 10;
/// Header fields of one request or answer.
pub const MAX_HEADERS: usize = 64;
/// Bytes of the path and query that cross the relay.
pub const MAX_PATH_BYTES: usize = 8 << 10;
/// Characters of an `X-A2A-Method` that reaches the audit row.
pub const MAX_METHOD_CHARS: usize = 64;
/// Characters of a caller's `X-Request-Id`.
pub const MAX_REQUEST_ID_CHARS: usize = 64;
/// Characters of an agent's error `code` that reach its caller.
pub const MAX_ERROR_CODE_CHARS: usize = 64;
/// Characters of an agent's error `detail` that reach its caller.
pub const MAX_ERROR_DETAIL_CHARS: usize = 512;
/// Nesting of a MessagePack value.
pub const MAX_NESTING: usize = 8;
/// Keys of one frame's map: twice what any frame has, so unknown keys pass and a quadratic duplicate check stays cheap.
pub const MAX_FRAME_KEYS: usize = 64;
/// Bytes of an API key or JWT in an `auth` frame.
pub const MAX_TOKEN_BYTES: usize = 4 << 10;

/// Calls in flight towards one line.
pub const MAX_IN_FLIGHT: usize = 256;
/// Of those, calls that one caller may hold: a quarter, so that no caller takes a line for itself.
pub const MAX_IN_FLIGHT_PER_CALLER: usize = 64;
/// Calls of its own that one line may have open: beyond, `rate_limited`.
pub const MAX_OUTGOING: usize = 4_096;
/// Calls open on one core: the slots that a call's id can name.
pub const MAX_CALLS_PER_CORE: usize = 1 << 20;
/// Lines of one agent that stand side by side with the feature `shared`.
pub const MAX_SHARED_LINES: usize = 8;
/// Credit that a part-wise stream starts with, in body bytes, per direction.
pub const WINDOW_BYTES: usize = 256 << 10;
/// Bytes of events that a resumable stream keeps for a caller that comes back.
pub const REPLAY_BYTES_PER_CALL: usize = 1 << 20;
/// Bytes of events that one core keeps in all.
pub const REPLAY_BYTES_PER_CORE: usize = 64 << 20;
/// Milliseconds that a caller may stay away from its stream before the agent is told to stop, and that a complete stream
/// is kept.
pub const RESUME_MS: u64 = 30_000;
/// Credit beyond this is a fault of the peer.
pub const MAX_CREDIT: u64 = 1 << 31;
/// Bytes that may wait for one line's socket; at the bound further calls get 503 `overloaded`, and a line whose own
/// answers overflow it is closed with 1013: it reads slower than it asks.
pub const MAX_LINE_QUEUE_BYTES: usize = 8 << 20;
/// Body bytes that one core holds at once; over it calls get 503 `overloaded`, and a line whose message is not complete is
/// closed with 1013.
pub const BODY_BUDGET_BYTES: usize = 256 << 20;
/// Frames for a call that ended before its sender could know, which count for nothing: a window in parts of 1 KiB.
pub const LATE_FRAMES_PER_CALL: u32 = 256;
/// Frames for unknown or foreign call ids in one minute that end a session (1002).
pub const MAX_STRAY_FRAMES_PER_MINUTE: u32 = 1_000;

/// Milliseconds from accept to a valid `auth` frame.
pub const AUTH_DEADLINE_MS: u64 = 10_000;
/// Milliseconds from the first byte of a request head to its last.
pub const HEAD_DEADLINE_MS: u64 = 10_000;
/// Bytes that a client may send before its TLS handshake is complete: several times the largest honest hello, and what a
/// half-open one may hold.
pub const MAX_TLS_HANDSHAKE_BYTES: usize = 16 << 10;
/// Milliseconds from accept to a complete TLS handshake; as long as a request head may take.
pub const TLS_HANDSHAKE_DEADLINE_MS: u64 = 10_000;
/// Milliseconds that a peer which reads nothing may hold back the end of a TLS stream.
pub const TLS_CLOSE_DEADLINE_MS: u64 = 10_000;
/// Milliseconds for an upload: 504 `upload_timeout`.
pub const UPLOAD_DEADLINE_MS: u64 = 60_000;
/// Milliseconds that a caller over HTTP may take for the next write of its answer: beyond them it reads no more.
pub const WRITE_DEADLINE_MS: u64 = 60_000;
/// Milliseconds that an HTTP connection may idle between requests.
pub const HTTP_IDLE_MS: u64 = 75_000;
/// Milliseconds from a call to the first frame of its answer, and from part to part after it.
pub const CALL_TIMEOUT_MS: u64 = 60_000;
/// Seconds without a frame after which a line is pinged.
pub const HEARTBEAT_S: u64 = 30;
/// Pings in a row without an answer that end a session.
pub const MISSED_HEARTBEATS: u8 = 2;
/// Milliseconds that a look-up of an id without a line is believed.
pub const ABSENT_CACHE_MS: u64 = 5_000;
/// Milliseconds that a known API key counts while the exchange is away.
pub const STALE_KEY_LIMIT_MS: u64 = 15 * 60_000;
/// Milliseconds that a switch waits for a look-up at the exchange: then 503 `exchange_unavailable`.
pub const LOOKUP_TIMEOUT_MS: u64 = 5_000;

/// Sockets of one switch that have not authenticated.
pub const MAX_UNAUTHENTICATED: usize = 2_000;
/// Of those, from one address.
pub const MAX_UNAUTHENTICATED_PER_IP: usize = 64;
/// Unknown keys and tokens that do not verify, per second, address and core: what a stranger may make us work in vain.
pub const BAD_CREDENTIALS_PER_IP_PER_S: u32 = 20;
/// Keys from one address that one core looks up at a time: as many as sockets that may wait for it.
pub const MAX_KEY_LOOKUPS_PER_IP: u32 = 64;
/// Look-ups of one switch that are on their way to the exchange at a time: they share the link's streams with requests.
pub const MAX_LOOKUPS_IN_FLIGHT: usize = 512;
/// Keys, and verified tokens, that one core remembers.
pub const MAX_REMEMBERED_CREDENTIALS: usize = 200_000;
/// Unknown keys that one core remembers.
pub const MAX_UNKNOWN_KEYS: usize = 10_000;
/// Milliseconds that an unknown key stays known as unknown.
pub const UNKNOWN_KEY_MS: u64 = 60_000;
/// TLS handshakes and verifications of tokens that one core works on before it looks at its other sockets again: at about
/// 100 µs each, what a call may have to wait for a storm of them.
pub const ATTACHES_AT_ONCE: usize = 8;
/// Handshakes and verifications that may wait for their turn on one core before it accepts no further connection.
pub const MAX_WAITING_ATTACHES: usize = 128;
/// Milliseconds that a socket waits for a place while [`MAX_UNAUTHENTICATED`] have not spoken. Short: if they speak at
/// all, a place is free at once; if they do not, whoever comes should know soon.
pub const ADMISSION_WAIT_MS: u64 = 250;
/// Milliseconds that accepting rests when descriptors or memory are short.
pub const ACCEPT_REST_MS: u64 = 100;
/// Anonymous relay calls to public agents per minute and address.
pub const PUBLIC_CALLS_PER_MINUTE: u32 = 600;
/// Addresses whose anonymous calls one core counts at a time.
pub const MAX_PUBLIC_CALLERS: usize = 65_536;
/// Bytes of audit records that wait on a switch's disk for the exchange. At the bound new calls get 503 `overloaded`: a
/// call that could not be audited is not made. A record has about 80 bytes, so these are some 50 million calls.
pub const SPOOL_BYTES: u64 = 4 << 30;
/// Bytes of audit records that wait in memory while the disk takes none; at the bound new calls get 503 `overloaded`.
pub const MAX_UNWRITTEN_BYTES: usize = 64 << 20;
/// Bytes that the spool leaves free on its file system: with less, records wait in memory.
pub const MIN_FREE_DISK_BYTES: u64 = 256 << 20;
/// Reports of lines that wait for the exchange. At the bound they are replaced by a listing of the lines that are up.
pub const MAX_SESSION_REPORTS: usize = 200_000;
/// Calls that may wait on one core for a look-up at the exchange. Their bodies count in the core's budget.
pub const MAX_PENDING_LOOKUPS: usize = 16_384;
/// Ids without a line that one core remembers as looked up.
pub const MAX_ABSENT_IDS: usize = 65_536;
/// Letters that may wait for one core before it gets no further calls: it is behind by more than it can make up.
pub const MAX_MAILBOX_LETTERS: usize = 65_536;
/// Bytes of large bodies that may wait for one core in letters.
pub const MAX_MAILBOX_BYTES: usize = 64 << 20;
/// Requests that are passed on to the exchange at a time. Each may hold one stream window on each side, so 1 GiB per
/// direction at the very worst.
pub const MAX_PASSES: usize = 4_096;
/// Copies of agents' cards that a switch keeps for when the exchange is away.
pub const MAX_CARDS: usize = 2_000;

/// Bytes up to which a body is copied next to its frame header; above, it is shared and written vectored. Copying
/// below about 2 KiB is cheaper than an atomic reference count and pins no read buffer.
pub const COPY_THRESHOLD_BYTES: usize = 2 << 10;
/// Bytes of a pooled read buffer.
pub const READ_BUFFER_BYTES: usize = 64 << 10;

const _: () = assert!(MAX_IN_FLIGHT_PER_CALLER * 4 <= MAX_IN_FLIGHT);
const _: () = assert!(TLS_HANDSHAKE_DEADLINE_MS <= HEAD_DEADLINE_MS);
const _: () = assert!(WINDOW_BYTES <= MAX_BODY_BYTES);
const _: () = assert!(MAX_HEADER_BYTES + MAX_PATH_BYTES + MAX_TOKEN_BYTES < MESSAGE_OVERHEAD_BYTES);
const _: () = assert!(MAX_BODY_BYTES + MESSAGE_OVERHEAD_BYTES <= MAX_LINE_QUEUE_BYTES);
const _: () = assert!(ATTACHES_AT_ONCE < MAX_WAITING_ATTACHES && MAX_WAITING_ATTACHES < MAX_UNAUTHENTICATED);
const _: () = assert!(MAX_MAILBOX_BYTES <= BODY_BUDGET_BYTES);
const _: () = assert!(READ_BUFFER_BYTES >= 2 * MAX_HEADER_BYTES, "a whole request head fits one read buffer");
