//! The control stream: what a switch has, and the state and its changes that it is sent. Revisions are the exchange's:
//! one counter, raised in the transaction that changed something, so a higher revision has seen everything below it.

use landline_wire::ids::{AgentId, NodeId, SessionId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Who may call an agent; enforced by the switch that holds the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub enum Access {
    /// Any registered caller.
    #[default]
    Agents,
    /// Only the agent ids of the policy's allow list.
    Listed,
    /// Anonymous callers too.
    Public,
}

/// One agent's access policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct Policy {
    /// Who may call.
    pub access: Access,
    /// The callers that `Access::Listed` admits.
    pub allow: Vec<AgentId>,
}

/// First message of the control stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// A new random id at each start of the switch; report sequences count within it.
    pub boot: Uuid,
    /// The base URL at which callers reach this switch; named to callers whose target has its line here.
    pub public_url: String,
    /// Software version, for the operator.
    pub version: String,
    /// What the switch has: the epoch and the last revision it applied. `None` at first: a snapshot is sent.
    pub have: Option<Cursor>,
}

/// A place in the stream of revisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// Identity of the revision counter; a restored database has a new one, and everything is sent again.
    pub epoch: Uuid,
    /// The last revision applied.
    pub revision: u64,
}

/// Messages of the control stream from exchange to switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Down {
    /// First: how this node is to present itself.
    Welcome(Welcome),
    /// The state begins anew: forget revocations, blocks, removed agents, keys and policies, then apply the ops that
    /// follow until [`Down::SnapshotEnd`], all at once. Lines stay; the switch reports its sessions again and is told which to end.
    SnapshotBegin,
    /// A piece of the snapshot.
    SnapshotPart {
        /// Counts from 0.
        part: u32,
        /// At most [`crate::limits::MAX_OPS`].
        ops: Vec<Op>,
    },
    /// The snapshot is complete.
    SnapshotEnd {
        /// How many parts it had.
        parts: u32,
        /// The place that it is of.
        place: Cursor,
    },
    /// The ops of the revisions `first..=last`, in order. `first` is the applied revision + 1, or something was lost.
    Delta {
        /// First revision of the delta.
        first: u64,
        /// Last revision of the delta.
        last: u64,
        /// The changes.
        ops: Vec<Op>,
    },
    /// Everything up to this place has been sent: sent once after the deltas that a returning switch had missed, and
    /// whenever a switch that missed nothing is to be told so.
    Current(Cursor),
    /// End this session now: the answer to a session report that is no longer (or never was) good.
    Kick {
        /// Whose session.
        agent: AgentId,
        /// Which session.
        session: SessionId,
        /// With this close code.
        code: u16,
    },
    /// Leave: send `drain` to every line, take no new ones, and end within so many milliseconds.
    Drain {
        /// Milliseconds.
        deadline_ms: u64,
    },
}

/// What a switch needs to know of its cluster before it serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    /// The node's id, as in its certificate.
    pub node: NodeId,
    /// Base of every URL that is given out.
    pub public_url: String,
    /// API prefix, such as `/connect`.
    pub prefix: String,
    /// The `iss` of our tokens.
    pub issuer: String,
}

/// One change that the switches must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Op {
    /// Tokens of the agent below `token_gen` and API keys below `key_gen` are dead; lines held with them close (4003).
    Revoke {
        /// Whose credentials.
        agent: AgentId,
        /// The lowest `gen` of a token that still counts.
        token_gen: u64,
        /// The lowest generation of an API key that still counts.
        key_gen: u64,
    },
    /// One token is dead; a line held with it closes (4003).
    RevokeToken {
        /// The token's `jti`.
        jti: Uuid,
        /// When it would have expired, in unix seconds: the entry can be forgotten then.
        exp: i64,
    },
    /// The agent is blocked (its lines close with 4010) or no longer blocked.
    Block {
        /// Who.
        agent: AgentId,
        /// Blocked now?
        blocked: bool,
    },
    /// The agent was deleted: credentials are dead, its lines close (4003), calls to it get 410.
    Remove {
        /// Who.
        agent: AgentId,
    },
    /// The agent's access policy changed.
    Policy {
        /// Whose.
        agent: AgentId,
        /// What it is now.
        policy: Policy,
    },
    /// The public keys that verify our tokens: the whole set, as a JWKS document.
    Keys {
        /// RFC 7517 JSON.
        jwks: String,
    },
}
