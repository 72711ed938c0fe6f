//! The relay frames: one MessagePack map each, `type` first and `body` last (`docs/RELAY_WIRE_PROTOCOL.md`).
//!
//! Decoding borrows: texts and the body are slices of the message, and a body is forwarded as a slice of the buffer it
//! was read into. Encoding writes everything up to the body's bytes; who sends decides whether they are copied behind
//! it or written from where they are.

mod decode;
mod encode;
mod headers;
mod raw;
mod sink;
mod usual;

pub use decode::{Malformed, decode, decode_pieces, join_envelope};
pub use encode::{encode, encode_head, encode_message_head};
pub use headers::{EncodedHeaders, Headers, HeadersBuilder, HeadersFault};

/// A decoded frame. Fields are documented in `docs/RELAY_WIRE_PROTOCOL.md`.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame<'a> {
    /// First frame of an agent.
    Auth(Auth<'a>),
    /// The relay accepted.
    Ready(Ready<'a>),
    /// A call for this agent.
    Request(Request<'a>),
    /// The answer, or its first part.
    Response(Response<'a>),
    /// Continues a request, call or response.
    Chunk(Chunk<'a>),
    /// The receiver of a stream grants more body bytes.
    Credit {
        /// The call.
        id: u64,
        /// So many more.
        bytes: u64,
    },
    /// Stop this call.
    Cancel {
        /// The call.
        id: u64,
        /// Why.
        code: Option<&'a str>,
    },
    /// This call, or the session, failed.
    Error(ErrorFrame<'a>),
    /// Call another agent over the same socket.
    Call(Call<'a>),
    /// For clients whose library hides WebSocket pings. Holds the raw MessagePack value of `t`, empty if absent.
    Ping(&'a [u8]),
    /// Answer to a ping, with its `t`.
    Pong(&'a [u8]),
    /// The node is leaving.
    Drain {
        /// Calls in flight must end within so many milliseconds.
        deadline_ms: u64,
        /// Dial again after so many milliseconds.
        redial_after_ms: u64,
    },
    /// A type that this version does not know: ignored.
    Unknown(&'a str),
}

/// `auth`
#[derive(Clone, PartialEq, Default)]
pub struct Auth<'a> {
    /// Protocol version.
    pub v: u64,
    /// API key or JWT.
    pub token: &'a str,
    /// Name and version of the client software.
    pub client: Option<&'a str>,
    /// The client takes requests in parts.
    pub parts: bool,
    /// The line may stand beside others of its agent.
    pub shared: bool,
}

impl std::fmt::Debug for Auth<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The token never shows.
        f.debug_struct("Auth").field("v", &self.v).field("client", &self.client).finish_non_exhaustive()
    }
}

/// `ready`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ready<'a> {
    /// Who the relay says the agent is.
    pub agent_id: &'a str,
    /// This line.
    pub session_id: &'a str,
    /// The node that holds it.
    pub node: &'a str,
    /// Seconds of silence after which the relay pings.
    pub heartbeat_s: u64,
    /// Bytes of a whole body.
    pub max_body_bytes: u64,
    /// Calls in flight towards this line.
    pub max_in_flight: u64,
    /// Starting credit of a part-wise stream.
    pub window_bytes: u64,
}

/// `request`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request<'a> {
    /// The relay's even id of the call.
    pub id: u64,
    /// The caller; absent if anonymous.
    pub from: Option<&'a str>,
    /// A2A method.
    pub method: Option<&'a str>,
    /// Correlation id.
    pub request_id: &'a str,
    /// HTTP verb; absent means POST.
    pub verb: Option<&'a str>,
    /// What followed the agent's id in the caller's URL, raw.
    pub path: Option<&'a str>,
    /// The caller's end-to-end headers.
    pub headers: Headers<'a>,
    /// The caller asked for an SSE stream.
    pub stream: bool,
    /// Milliseconds to the first frame of the answer, from receipt.
    pub deadline_ms: u64,
    /// Chunks follow.
    pub more: bool,
    /// The body or its first part.
    pub body: &'a [u8],
}

/// `response`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Response<'a> {
    /// The call.
    pub id: u64,
    /// HTTP status; absent means 200.
    pub status: Option<u64>,
    /// Headers for the caller.
    pub headers: Headers<'a>,
    /// Chunks follow.
    pub more: bool,
    /// The answer or its first part.
    pub body: &'a [u8],
}

/// `chunk`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Chunk<'a> {
    /// The call.
    pub id: u64,
    /// More chunks follow.
    pub more: bool,
    /// The part.
    pub body: &'a [u8],
}

/// `error`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ErrorFrame<'a> {
    /// The call; `None`: the session.
    pub id: Option<u64>,
    /// Stable code.
    pub code: &'a str,
    /// For people.
    pub detail: Option<&'a str>,
    /// Milliseconds to wait before another try.
    pub retry_after_ms: Option<u64>,
}

/// `call`
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Call<'a> {
    /// The agent's own odd id.
    pub id: u64,
    /// The callee's agent id.
    pub to: &'a str,
    /// A2A method.
    pub method: Option<&'a str>,
    /// Correlation id.
    pub request_id: Option<&'a str>,
    /// HTTP verb; absent means POST.
    pub verb: Option<&'a str>,
    /// Path and query for the callee, raw.
    pub path: Option<&'a str>,
    /// Headers for the callee.
    pub headers: Headers<'a>,
    /// Ask the callee for an SSE stream.
    pub stream: bool,
    /// Milliseconds to the first frame of the answer.
    pub timeout_ms: Option<u64>,
    /// Chunks follow.
    pub more: bool,
    /// The body or its first part.
    pub body: &'a [u8],
}

#[cfg(test)]
mod tests;
