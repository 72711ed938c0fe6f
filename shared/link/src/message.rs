//! The messages of the link. Revisions are the exchange's: one counter, raised in the transaction that changed
//! something, so a higher revision has seen everything below it.

use landline_wire::ids::{AgentId, NodeId, SessionId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The first byte of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
#[allow(missing_docs, reason = "the crate's table documents each")]
pub enum StreamKind {
    Control = 1,
    Reports = 2,
    Lookup = 3,
    Pass = 4,
    Renew = 5,
}

impl StreamKind {
    /// The byte that opens the stream.
    pub fn byte(self) -> u8 {
        self as u8
    }

    /// The kind that a byte opens.
    pub fn from_byte(byte: u8) -> Option<Self> {
        [Self::Control, Self::Reports, Self::Lookup, Self::Pass, Self::Renew]
            .into_iter()
            .find(|kind| kind.byte() == byte)
    }
}

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

/// A question upward.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lookup {
    /// Whose API key is this? The link is mutually authenticated and encrypted; the exchange keeps only an HMAC.
    Key(Secret),
    /// What is known of an agent: for a caller or callee without a line here, and for a line's policy.
    Agent(AgentId),
}

/// A secret text that never shows in `Debug` output.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl std::fmt::Debug for Lookup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(secret) => f.debug_tuple("Key").field(secret).finish(),
            Self::Agent(agent) => f.debug_tuple("Agent").field(agent).finish(),
        }
    }
}

/// The answer to a [`Lookup`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum LookupAnswer {
    /// No such key: 401.
    KeyUnknown,
    /// The key is good.
    Key {
        /// Whose.
        agent: AgentId,
        /// The key's generation, to compare with [`Op::Revoke`].
        key_gen: u64,
        /// Is the agent blocked?
        blocked: bool,
    },
    /// No agent has this id and none had: 404.
    AgentUnknown,
    /// The agent was deleted: 410.
    AgentGone,
    /// The agent exists.
    Agent {
        /// Is it blocked?
        blocked: bool,
        /// Who may call it.
        policy: Policy,
        /// The lowest token generation that counts, for a token seen for the first time.
        token_gen: u64,
        /// The base URL of another node that holds its line now.
        elsewhere: Option<String>,
    },
    /// The exchange could not answer (its database failed): 503.
    Failed,
}

/// Reports in sequence. A batch is sent again, unchanged, until it is acknowledged; the exchange applies each once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportBatch {
    /// Counts from 1 within a boot.
    pub seq: u64,
    /// At most [`MAX_BATCH`].
    pub reports: Vec<Report>,
}

/// Reports of one batch.
pub const MAX_BATCH: usize = 1_000;

/// Everything up to this batch is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportAck {
    /// The batch's sequence.
    pub seq: u64,
}

/// One thing that happened on a switch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// All sessions follow: those of this node that are not among them until [`Report::SessionsEnd`] are gone.
    /// Sent first on every link connection.
    SessionsBegin,
    /// A line is up (or still up, within a listing).
    SessionUp(SessionUp),
    /// All sessions of the node have been listed.
    SessionsEnd,
    /// A line is gone.
    SessionDown {
        /// Whose.
        agent: AgentId,
        /// Which.
        session: SessionId,
        /// When, unix milliseconds.
        at: i64,
    },
    /// A call ended.
    Call(CallRecord),
}

/// A line that is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionUp {
    /// Whose.
    pub agent: AgentId,
    /// Which.
    pub session: SessionId,
    /// Since when, unix milliseconds.
    pub at: i64,
    /// What it was opened with.
    pub credential: Credential,
    /// Does it stand beside other lines of the agent?
    pub shared: bool,
}

/// What a line was opened with, as far as its revocation needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Credential {
    /// An API key of this generation.
    Key {
        /// See [`Op::Revoke`].
        key_gen: u64,
    },
    /// A token.
    Token {
        /// Its `jti`.
        jti: Uuid,
        /// Its `gen`.
        token_gen: u64,
    },
}

/// How a call was routed, as published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// Over the callee's line.
    Relay,
    /// Dispatched by the exchange to the callee's URL.
    HttpDirect,
}

/// One call, with exactly what the eight published fields need and nothing else: what is not here cannot leak.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallRecord {
    /// When it began, unix milliseconds.
    pub ts: i64,
    /// The caller; `None` if anonymous.
    pub from_agent_id: Option<AgentId>,
    /// The callee.
    pub to_agent_id: AgentId,
    /// From `X-A2A-Method`.
    pub a2a_method: Option<String>,
    /// The correlation id.
    pub request_id: String,
    /// The status that the caller got.
    pub status_code: u16,
    /// Microseconds from the complete request to the end of the answer; published as `latency_ms`, with three decimals.
    pub latency_us: u64,
    /// How it was routed.
    pub route: Route,
}

/// Head of a request that the switch passes on. The body follows raw until the stream's end. `Debug` shows neither target
/// nor headers: a credential may be in both.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassHead {
    /// HTTP method.
    pub method: String,
    /// Path and query as sent.
    pub target: String,
    /// Headers as sent, without hop-by-hop ones and without `Forwarded`, `X-Forwarded-*`, `X-Real-IP`.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The caller's address: the only source of it that the exchange believes.
    pub peer: std::net::IpAddr,
    /// Did the caller come over TLS?
    pub tls: bool,
}

impl std::fmt::Debug for PassHead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PassHead")
            .field("method", &self.method)
            .field("headers", &self.headers.len())
            .finish_non_exhaustive()
    }
}

/// Head of the answer to a passed-on request. The body follows raw until the stream's end; a reset stream is a broken
/// answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassAnswer {
    /// HTTP status.
    pub status: u16,
    /// Headers, without hop-by-hop ones.
    pub headers: Vec<(String, Vec<u8>)>,
}

/// A node asks for its certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinRequest {
    /// The single-use secret of the join token.
    pub secret: Secret,
    /// Certificate signing request, DER. Its subject is ignored: the exchange names the node.
    pub csr: Vec<u8>,
}

/// The answer to a join.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum JoinAnswer {
    /// Welcome to the cluster.
    Joined {
        /// The node's new id.
        node: NodeId,
        /// The node's certificate, DER, 30 days.
        certificate: Vec<u8>,
        /// The cluster's CA certificate, DER; its SHA-256 stood in the join token.
        ca: Vec<u8>,
    },
    /// Refused, with a reason for the operator.
    Refused {
        /// Why.
        reason: String,
    },
}

/// A node asks, over the link and so with its present certificate, for the next one. Answered with [`JoinAnswer`]; the
/// node keeps its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewRequest {
    /// Certificate signing request, DER, with a new key. Its subject is ignored.
    pub csr: Vec<u8>,
}
