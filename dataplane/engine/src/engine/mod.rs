//! The engine: state of one core, and the inputs that change it.

mod absent;
mod answer;
mod attach;
mod feed;
mod outgoing;
mod place;
mod redial;
mod stream;
mod sweep;
mod upload;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::BytesMut;
use landline_link::LookupAnswer;
use landline_wire::bounds::{Bound, Reached};
use landline_wire::error::{Code, Origin as ProblemOrigin, Problem};
use landline_wire::frame::Frame;
use landline_wire::header::Kind;
use landline_wire::ids::{AgentId, CallId, SessionId};

use crate::call::CallTable;
use crate::config::Config;
use crate::counter::Counter;
use crate::credentials::Credentials;
use crate::line::Lines;
use crate::map::Map;
use crate::offer::Body;
use crate::output::Flush;
use crate::sse::StreamId;
use crate::types::{Effect, LineKey, Mail, Now, Origin, Reply};

use absent::Waiting;
pub use attach::Attach;
use redial::Redials;
use stream::Stream;
pub use upload::Gathering;

/// What one core counted since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Lines that became ready.
    pub attached: u64,
    /// Calls placed on a line.
    pub calls: u64,
    /// Calls that ended, whatever the outcome.
    pub ended: u64,
    /// Requests refused before they reached a line.
    pub refused: u64,
    /// Frames for calls that were not open on their session.
    pub strays: u64,
    /// Sessions that ended for a broken protocol.
    pub violations: u64,
    /// Tokens whose signature was looked at.
    pub tokens_verified: u64,
    /// Body bytes relayed towards agents.
    pub bytes_in: u64,
    /// Body bytes relayed back.
    pub bytes_out: u64,
    /// How often each bound was reached.
    pub reached: Reached,
}

/// One core's brain. See the crate's page for how it is driven.
pub struct Engine {
    core: usize,
    cores: usize,
    config: Config,
    /// Who may do what.
    pub credentials: Credentials,
    lines: Lines,
    /// Lines by the `jti` of the token that opened them: what a single token's revocation names.
    by_token: Map<[u8; 16], Vec<LineKey>>,
    calls: CallTable,
    /// Calls whose body comes in parts, by where they came from.
    uploads: Map<Origin, CallId>,
    /// Resumable streams of calls that are or were held here.
    streams: Map<StreamId, Stream>,
    /// Those that are complete, in the order in which they became so; some may be gone.
    complete_streams: VecDeque<StreamId>,
    replay_bytes: usize,
    /// Where problem documents inside of streams point.
    origin: ProblemOrigin,
    /// Ids without a line here, as the exchange answered, until when that is believed.
    absent: Map<AgentId, (LookupAnswer, u64)>,
    waiting: Map<AgentId, Vec<Waiting>>,
    asked: Map<u64, AgentId>,
    waiting_count: usize,
    next_lookup: u64,
    /// Line output and request bodies that the core holds, bytes.
    held: usize,
    /// Bytes that the shell holds for bodies that are not complete: they count in the same budget.
    unfinished: Arc<AtomicUsize>,
    redials: Redials,
    draining: bool,
    spool_full: bool,
    effects: VecDeque<Effect>,
    /// Correlation ids that are made here.
    made_ids: Counter,
    stats: Stats,
}

impl Engine {
    /// An engine for core `core` of `cores`. `salt` is random and the same on no two starts.
    pub fn new(core: usize, cores: usize, config: Config, salt: [u8; 32]) -> Self {
        Self {
            core,
            cores,
            credentials: Credentials::new(salt, config.stale_key_limit_ms),
            calls: CallTable::new(core, config.max_calls),
            config,
            lines: Lines::default(),
            by_token: Map::default(),
            uploads: Map::default(),
            streams: Map::default(),
            complete_streams: VecDeque::new(),
            replay_bytes: 0,
            origin: ProblemOrigin { public_url: String::new(), prefix: String::new() },
            absent: Map::default(),
            waiting: Map::default(),
            asked: Map::default(),
            waiting_count: 0,
            next_lookup: 0,
            held: 0,
            unfinished: Arc::default(),
            redials: Redials::default(),
            draining: false,
            spool_full: false,
            effects: VecDeque::new(),
            made_ids: Counter::default(),
            stats: Stats::default(),
        }
    }

    /// What to do next, in order; `None` when there is nothing.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        let effect = self.effects.pop_front()?;
        if let Effect::Flush(line) = &effect
            && let Some(line) = self.lines.get_mut(*line)
        {
            line.flush_asked = false;
        }
        Some(effect)
    }

    /// Everything that waits for a line's socket; `None` if nothing does.
    pub fn take_output(&mut self, key: LineKey) -> Option<Flush> {
        let line = self.lines.get_mut(key)?;
        self.held = self.held.saturating_sub(line.output.len());
        line.output.take()
    }

    /// What waits for a line's socket, if it is one buffer; see [`Engine::take_output`].
    pub fn take_buffer(&mut self, key: LineKey) -> Option<BytesMut> {
        let line = self.lines.get_mut(key)?;
        let waits = line.output.len();
        let buffer = line.output.take_buffer()?;
        self.held = self.held.saturating_sub(waits);
        Some(buffer)
    }

    /// Gives a written buffer back to its line.
    pub fn recycle(&mut self, key: LineKey, buffer: BytesMut) {
        if let Some(line) = self.lines.get_mut(key) {
            line.output.recycle(buffer);
        }
    }

    /// Carries out what another core's engine asked for.
    pub fn mail(&mut self, mail: Mail, now: Now) {
        match mail {
            Mail::Call(request) => self.place(*request, now),
            Mail::Part { origin, body, more } => self.part(origin, body, more, now),
            Mail::Resume(resume) => self.resume(resume, now),
            Mail::Status { origin, caller, target } => self.status(origin, caller, target, now),
            Mail::Reply(origin, reply) => self.deliver(origin, reply, now),
            Mail::Gone(origin) => self.gone_here(origin, now),
            Mail::Consumed(call, bytes) => self.consumed(call, bytes, now),
        }
    }

    /// Lines, closing ones included.
    pub fn line_count(&self) -> usize {
        self.lines.len()
    }

    /// Open calls.
    pub fn call_count(&self) -> usize {
        self.calls.len()
    }

    /// Bytes that wait for lines' sockets.
    pub fn held_bytes(&self) -> usize {
        self.held
    }

    /// Bytes that the shell holds for bodies that are not complete; it writes them.
    pub fn unfinished(&self) -> Arc<AtomicUsize> {
        Arc::clone(&self.unfinished)
    }

    /// Would so many more bytes be over the budget?
    fn is_over_budget(&self, more: usize) -> bool {
        self.held + self.unfinished.load(Ordering::Relaxed) + more > self.config.body_budget
    }

    /// The most body bytes that one call holds. A scan of all calls: for about once a second.
    pub fn largest_call(&self) -> usize {
        self.calls.largest_held()
    }

    /// What was counted.
    pub fn stats(&self) -> Stats {
        let mut stats = self.stats;
        stats.reached.add(self.credentials.reached());
        stats.tokens_verified = self.credentials.tokens_verified();
        stats
    }

    /// Counts that a bound was reached, and gives the problem that its caller is told.
    fn at_bound(&mut self, bound: Bound, code: Code, detail: impl Into<String>) -> Problem {
        self.stats.reached.count(bound);
        Problem::new(code, detail)
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// All lines, for the operator.
    pub fn lines(&self) -> &Lines {
        &self.lines
    }

    /// The node's name in `ready`, as the exchange gave it.
    pub fn set_node(&mut self, node: &str) {
        self.config.node = node.to_owned();
    }

    /// Where problem documents inside of streams point, as the exchange said.
    pub fn set_origin(&mut self, origin: ProblemOrigin) {
        self.origin = origin;
    }

    /// Do so many reports wait for the exchange that another could not be kept? Then no call is placed: one that could
    /// not be audited is not made.
    pub fn set_spool_full(&mut self, full: bool) {
        self.spool_full = full;
    }

    /// The core that holds an agent's lines.
    pub fn home(&self, agent: AgentId) -> usize {
        agent.home_core(self.cores)
    }

    /// The problem of a call whose bytes are too many for the core.
    fn over_budget(&mut self) -> Problem {
        self.at_bound(Bound::CoreBodies, Code::Overloaded, "The relay holds as many bytes as it may.")
    }

    fn send(&mut self, key: LineKey, frame: &Frame<'_>, body: Body<'_>) {
        let Some(line) = self.lines.get_mut(key) else { return };
        let before = line.output.len();
        line.output.push(frame, body);
        self.held += line.output.len() - before;
        self.flush(key);
    }

    fn send_control(&mut self, key: LineKey, kind: Kind, payload: &[u8]) {
        let Some(line) = self.lines.get_mut(key) else { return };
        let before = line.output.len();
        line.output.push_control(kind, payload);
        self.held += line.output.len() - before;
        self.flush(key);
    }

    fn flush(&mut self, key: LineKey) {
        // A burst asks once.
        let asked = self.lines.get_mut(key).map(|line| std::mem::replace(&mut line.flush_asked, true));
        if asked == Some(false) {
            self.effects.push_back(Effect::Flush(key));
        }
    }

    /// Sends a reply to wherever its call came from.
    fn reply(&mut self, origin: Origin, reply: Reply, now: Now) {
        if origin.core() == self.core {
            self.deliver(origin, reply, now);
        } else {
            self.effects.push_back(Effect::Mail(origin.core(), Mail::Reply(origin, reply)));
        }
    }

    /// Gives a reply to an origin on this core.
    fn deliver(&mut self, origin: Origin, reply: Reply, now: Now) {
        match origin {
            Origin::Http { conn, .. } => self.effects.push_back(Effect::Reply(conn, reply)),
            Origin::Line { line, id, .. } => self.deliver_to_line(line, id, reply, now),
            Origin::Exchange { ask, .. } => self.effects.push_back(Effect::Told(ask, reply)),
        }
    }

    /// The line that this session is, if it is here.
    fn line_of_session(&self, agent: AgentId, session: SessionId) -> Option<LineKey> {
        let mut keys = self.lines.of(agent).iter().copied();
        keys.find(|key| self.lines.get(*key).is_some_and(|line| line.session == session))
    }

    /// Gives `call`'s caller credit back to the agent that streams the answer.
    pub fn consumed_at(&mut self, call: CallId, bytes: usize, now: Now) {
        if call.core() == self.core {
            self.consumed(call, bytes, now);
        } else {
            self.effects.push_back(Effect::Mail(call.core(), Mail::Consumed(call, bytes)));
        }
    }
}
