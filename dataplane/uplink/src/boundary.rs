//! What crosses between the cores' threads and the uplink's thread.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use landline_link::{Ask, Lookup, LookupAnswer, Op, PassAnswer, PassHead, Report, Told, Welcome};
use landline_wire::ids::{AgentId, SessionId};

/// A core's own name for something it asked for; it comes back with the answer. Opaque to the uplink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// The core that asked.
    pub core: usize,
    /// The core's number for it, never used twice by one core.
    pub number: u64,
}

/// From a core to the uplink. Sent through a channel without a bound of its own; what is in it is bounded by its
/// senders. Look-ups: `MAX_PENDING_LOOKUPS` of a core for calls, one for each connection whose key is not known.
/// Passed-on requests: `MAX_PASSES` of a core, each at most one window of its body ahead. Reports: by how fast lines
/// come and go; records of calls have a way of their own ([`crate::Uplink::has_room`]). `Debug` shows
/// nothing of a request but its size.
pub enum ToExchange {
    /// A question; answered by [`ToCore::Answer`], always, within the look-up timeout.
    Lookup(Ticket, Lookup),
    /// Something happened to a line. Delivered once, in order per core.
    Report(Report),
    /// A request for the exchange. Body pieces follow until `PassEnd`.
    PassHead(Ticket, PassHead),
    /// A piece of its body. The core keeps at most one window of pieces unacknowledged ([`ToCore::PassCredit`]).
    PassBody(Ticket, Bytes),
    /// The body is complete.
    PassEnd(Ticket),
    /// The caller went away, in either direction.
    PassCancel(Ticket),
    /// The core has written so many bytes of the answer to its caller.
    PassCredit(Ticket, usize),
    /// What came of a question of the exchange ([`ToCore::Ask`]).
    Told(u64, Told),
}

impl fmt::Debug for ToExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup(ticket, question) => f.debug_tuple("Lookup").field(ticket).field(question).finish(),
            Self::Report(report) => f.debug_tuple("Report").field(report).finish(),
            Self::PassHead(ticket, head) => f.debug_tuple("PassHead").field(ticket).field(head).finish(),
            Self::PassBody(ticket, bytes) => f.debug_tuple("PassBody").field(ticket).field(&bytes.len()).finish(),
            Self::PassEnd(ticket) => f.debug_tuple("PassEnd").field(ticket).finish(),
            Self::PassCancel(ticket) => f.debug_tuple("PassCancel").field(ticket).finish(),
            Self::PassCredit(ticket, bytes) => f.debug_tuple("PassCredit").field(ticket).field(bytes).finish(),
            Self::Told(ask, told) => f.debug_tuple("Told").field(ask).field(told).finish(),
        }
    }
}

/// From the uplink to a core. `Debug` shows nothing of an answer but its status and size.
#[derive(Clone)]
pub enum ToCore {
    /// Answer to [`ToExchange::Lookup`]. `None`: the exchange is away or did not answer in time.
    Answer(Ticket, Option<LookupAnswer>),
    /// The link is up and what follows is current; also sent when it changes.
    Welcome(Arc<Welcome>),
    /// Forget revocations, blocks, removed agents, keys and policies: a snapshot follows.
    Reset,
    /// Changes, in order, the same to every core.
    Apply(Arc<[Op]>),
    /// The snapshot or the missing deltas are all applied: the exchange is in reach (`true`), or lost (`false`).
    Synced(bool),
    /// End this session.
    Kick {
        /// Whose.
        agent: AgentId,
        /// Which.
        session: SessionId,
        /// Close code.
        code: u16,
    },
    /// A question of the exchange to an agent of this core; answered by [`ToExchange::Told`], always.
    Ask(u64, Arc<Ask>),
    /// Leave within so many milliseconds.
    Drain {
        /// Milliseconds.
        deadline_ms: u64,
    },
    /// So many bytes of the request's body went out.
    PassCredit(Ticket, usize),
    /// Head of the answer.
    PassAnswer(Ticket, PassAnswer),
    /// A piece of the answer's body; at most one window is unacknowledged.
    PassBody(Ticket, Bytes),
    /// The answer is complete.
    PassEnd(Ticket),
    /// The exchange is away, or the answer broke off. Before `PassAnswer`: 503 `exchange_unavailable`.
    PassFailed(Ticket),
}

impl fmt::Debug for ToCore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer(ticket, answer) => f.debug_tuple("Answer").field(ticket).field(answer).finish(),
            Self::Welcome(welcome) => f.debug_tuple("Welcome").field(welcome).finish(),
            Self::Reset => f.write_str("Reset"),
            Self::Apply(ops) => f.debug_tuple("Apply").field(ops).finish(),
            Self::Synced(synced) => f.debug_tuple("Synced").field(synced).finish(),
            Self::Kick { agent, session, code } => {
                f.debug_tuple("Kick").field(agent).field(session).field(code).finish()
            }
            Self::Ask(ask, question) => f.debug_tuple("Ask").field(ask).field(question).finish(),
            Self::Drain { deadline_ms } => f.debug_tuple("Drain").field(deadline_ms).finish(),
            Self::PassCredit(ticket, bytes) => f.debug_tuple("PassCredit").field(ticket).field(bytes).finish(),
            Self::PassAnswer(ticket, head) => f.debug_tuple("PassAnswer").field(ticket).field(&head.status).finish(),
            Self::PassBody(ticket, bytes) => f.debug_tuple("PassBody").field(ticket).field(&bytes.len()).finish(),
            Self::PassEnd(ticket) => f.debug_tuple("PassEnd").field(ticket).finish(),
            Self::PassFailed(ticket) => f.debug_tuple("PassFailed").field(ticket).finish(),
        }
    }
}

/// How the uplink reaches the cores' mailboxes. Called on the uplink's thread; must not block.
pub type Deliver = Arc<dyn Fn(usize, ToCore) + Send + Sync>;
