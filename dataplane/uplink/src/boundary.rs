//! What crosses between the cores' threads and the uplink's thread.

use std::sync::Arc;

use bytes::Bytes;
use landline_link::{Lookup, LookupAnswer, Op, PassAnswer, PassHead, Report, Welcome};
use landline_wire::ids::{AgentId, SessionId};

/// A core's own name for something it asked for; it comes back with the answer. Opaque to the uplink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket {
    /// The core that asked.
    pub core: usize,
    /// The core's number for it, never used twice by one core.
    pub number: u64,
}

/// From a core to the uplink. Sent through an unbounded channel; what is in it is bounded by its senders: look-ups and
/// passed-on requests by their own limits, reports by the spool's bound ([`crate::Uplink::has_room`]).
#[derive(Debug)]
pub enum ToExchange {
    /// A question; answered by [`ToCore::Answer`], always, within the look-up timeout.
    Lookup(Ticket, Lookup),
    /// Something happened. Delivered once, in order per core.
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
}

/// From the uplink to a core.
#[derive(Debug, Clone)]
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

/// How the uplink reaches the cores' mailboxes. Called on the uplink's thread; must not block.
pub type Deliver = Arc<dyn Fn(usize, ToCore) + Send + Sync>;
