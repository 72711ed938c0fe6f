//! What goes into an engine and what comes out of it.

use bytes::Bytes;
use compact_str::CompactString;
use landline_link::{CallRecord, Lookup, Report};
use landline_wire::error::Problem;
use landline_wire::ids::{AgentId, CallId};
use landline_wire::pieces::Pieces;

use crate::sse::StreamId;

/// The time, as the shell read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Monotonic microseconds; the same clock on every core of a node.
    pub us: u64,
    /// Unix milliseconds.
    pub unix_ms: i64,
}

impl Now {
    /// Monotonic milliseconds.
    pub fn ms(self) -> u64 {
        self.us / 1000
    }
}

/// A line on this core. A key of a line that is gone finds nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LineKey {
    /// Slot in [`crate::Lines`].
    pub slot: u32,
    /// The slot's generation.
    pub generation: u32,
}

/// The shell's name for an HTTP exchange that waits for a reply. Never used twice on one core.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnKey(pub u64);

/// Where a call came from, and so where its reply goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// An HTTP request on this core.
    Http {
        /// The core that holds the connection.
        core: usize,
        /// The connection's exchange.
        conn: ConnKey,
    },
    /// A `call` frame of a line.
    Line {
        /// The core that holds the line.
        core: usize,
        /// The line.
        line: LineKey,
        /// The agent's own id for the call.
        id: u64,
    },
    /// A question of the exchange, asked on the core of its callee. Nobody's call: whoever may call the agent, and it
    /// leaves no record.
    Exchange {
        /// The callee's core.
        core: usize,
        /// The question.
        ask: u64,
    },
}

impl Origin {
    /// The core that waits for the reply.
    pub fn core(self) -> usize {
        match self {
            Self::Http { core, .. } | Self::Line { core, .. } | Self::Exchange { core, .. } => core,
        }
    }
}

/// A call on its way to the core of its callee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallRequest {
    /// Where the reply goes.
    pub origin: Origin,
    /// Who calls; `None` is anonymous.
    pub caller: Option<AgentId>,
    /// Who is called.
    pub target: AgentId,
    /// Correlation id, taken or made.
    pub request_id: CompactString,
    /// A2A method, if the caller named a legal one.
    pub method: Option<CompactString>,
    /// HTTP verb; `None` is POST.
    pub verb: Option<Box<str>>,
    /// Path and query for the callee, raw.
    pub path: Option<Box<str>>,
    /// Headers for the callee: an encoded `headers` map, or empty.
    pub headers: Bytes,
    /// The caller asked for an SSE stream.
    pub stream: bool,
    /// Milliseconds to the first frame of the answer.
    pub timeout_ms: u64,
    /// When the request was complete.
    pub started: Now,
    /// The body, or its first part.
    pub body: Pieces,
    /// More parts follow with [`Mail::Part`], within the window that the call starts with.
    pub more: bool,
    /// The answer is to come as a resumable stream with this random id. For HTTP callers only.
    pub resumable: Option<StreamId>,
    /// Bytes of the whole body, if its parts add up to a known number.
    pub length: Option<u64>,
}

/// What a caller is told of its call. A [`Reply::Head`] or [`Reply::Part`] without `more`, and a [`Reply::Failed`],
/// end it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// The answer, or its first part.
    Head {
        /// The call, to return credit for a part-wise answer.
        call: CallId,
        /// HTTP status.
        status: u16,
        /// The agent's headers, checked but not yet filtered: an encoded `headers` map, or empty.
        headers: Bytes,
        /// The body or its first part.
        body: Pieces,
        /// Parts follow.
        more: bool,
    },
    /// A part of the answer.
    Part {
        /// The part.
        body: Pieces,
        /// More parts follow.
        more: bool,
        /// Bytes of the agent's window to give back when it is taken.
        cost: usize,
    },
    /// The caller may send so many more bytes of its part-wise body.
    Credit(usize),
    /// The call failed; possible after the head, too.
    Failed(Box<Problem>),
    /// The callee holds no line, but the exchange can call its own URL: pass the request on.
    Direct(Box<CallRequest>),
    /// The answer to a status question.
    Status(StatusAnswer),
}

/// News of a call that the exchange makes for a line's agent ([`Effect::Direct`]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectReply {
    /// The head of the answer; its parts follow.
    Head {
        /// HTTP status.
        status: u16,
        /// An encoded `headers` map, or empty.
        headers: Bytes,
    },
    /// A part of the answer.
    Part {
        /// The part.
        body: Pieces,
        /// More parts follow.
        more: bool,
    },
    /// The call failed.
    Failed(Problem),
}

/// What `GET /relay/{id}/status` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusAnswer {
    /// Whose line.
    pub agent: AgentId,
    /// Is there a line here?
    pub connected: bool,
    /// Calls in flight on it.
    pub in_flight: usize,
    /// Since when, unix milliseconds.
    pub since: Option<i64>,
}

/// A caller that comes back for its stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resume {
    /// Where the stream goes on.
    pub origin: Origin,
    /// Who asks; only the caller that made the call may.
    pub caller: Option<AgentId>,
    /// The agent that it called.
    pub target: AgentId,
    /// Which stream.
    pub stream: StreamId,
    /// The last event that the caller has.
    pub after: u64,
}

/// From one core's engine to another's.
#[derive(Debug)]
pub enum Mail {
    /// Place this call.
    Call(Box<CallRequest>),
    /// A part of the body of the call that this origin made.
    Part {
        /// Which call.
        origin: Origin,
        /// The part.
        body: Pieces,
        /// More parts follow.
        more: bool,
    },
    /// Is there a line?
    Status {
        /// Where the answer goes.
        origin: Origin,
        /// Who asks.
        caller: Option<AgentId>,
        /// About whom.
        target: AgentId,
    },
    /// A caller comes back for its stream.
    Resume(Resume),
    /// A reply for an origin on the receiving core.
    Reply(Origin, Reply),
    /// The caller went away: cancel its call. An [`Origin::Line`] with id `u64::MAX` means every call of that line.
    Gone(Origin),
    /// The caller's socket took so many bytes of a part-wise answer.
    Consumed(CallId, usize),
}

/// What the shell has to do.
#[derive(Debug)]
pub enum Effect {
    /// The line has output: write it, unless a write is under way.
    Flush(LineKey),
    /// Close the line's socket once its output is written.
    Close(LineKey),
    /// Close the line's socket now: its peer did not take the output in time.
    Abort(LineKey),
    /// Tell an HTTP exchange on this core.
    Reply(ConnKey, Reply),
    /// News of a question of the exchange.
    Told(u64, Reply),
    /// Give this to another core's engine.
    Mail(usize, Mail),
    /// A call of this line's agent goes to a callee without a line: pass it on, and give what comes to
    /// [`crate::Engine::direct_reply`].
    Direct(LineKey, u64, Box<CallRequest>),
    /// The agent took so many bytes of the answer to such a call.
    DirectCredit(LineKey, u64, usize),
    /// The agent cancelled such a call, or its line is gone.
    DirectGone(LineKey, u64),
    /// Ask the exchange; the answer comes back through [`crate::Engine::answer`] with this number.
    Lookup(u64, Lookup),
    /// A call ended: tell the exchange.
    Record(CallRecord),
    /// Something happened to a line: tell the exchange.
    Report(Report),
}
