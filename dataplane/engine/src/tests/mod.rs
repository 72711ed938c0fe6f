//! A node of engines without sockets: letters are carried by hand, time is a number, and what lines were sent is read
//! back as frames.

mod answers;
mod asks;
mod attaching;
mod bounds;
mod credentials;
mod feed;
mod limits;
mod pieces;
mod simulation;
mod streams;
mod uploads;

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use landline_link::{CallRecord, Credential, Lookup, LookupAnswer, Op, Policy, Report};
use landline_wire::bounds::Bound;
use landline_wire::error::Problem;
use landline_wire::frame::{Chunk, Frame, Response, decode, encode};
use landline_wire::ids::{AgentId, SessionId};
use landline_wire::limits::COPY_THRESHOLD_BYTES;
use landline_wire::message::{Message, Progress, Reader, Role};

use crate::types::{CallRequest, ConnKey, Effect, LineKey, Now, Origin, Reply};
use crate::{Attach, Config, Engine, Flush, Principal};

/// An owned frame, as far as the tests look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sent {
    Ready,
    Request { id: u64, from: Option<String>, path: Option<String>, body: Vec<u8> },
    Response { id: u64, status: u64, more: bool, body: Vec<u8> },
    Chunk { id: u64, more: bool, body: Vec<u8> },
    Credit { id: u64, bytes: u64 },
    Cancel { id: u64, code: Option<String> },
    Error { id: Option<u64>, code: String },
    Drain(u64),
    Ping,
    Close(u16),
    Other,
}

/// A line of the test: where it is, and what it was sent.
pub(super) struct TestLine {
    pub(super) core: usize,
    pub(super) key: LineKey,
    reader: Reader,
    stream: BytesMut,
    pub(super) sent: Vec<Sent>,
    pub(super) closing: bool,
}

pub(super) struct Node {
    pub(super) engines: Vec<Engine>,
    pub(super) now: Now,
    pub(super) lines: Vec<TestLine>,
    pub(super) replies: HashMap<u64, Vec<Reply>>,
    /// News of the exchange's questions, by their numbers.
    pub(super) told: HashMap<u64, Vec<Reply>>,
    pub(super) reports: Vec<Report>,
    pub(super) records: Vec<CallRecord>,
    pub(super) lookups: Vec<(usize, u64, Lookup)>,
    /// Calls of lines that are passed on: core, line, id, request.
    pub(super) directs: Vec<(usize, LineKey, u64, CallRequest)>,
    /// Credit for their answers (`Some`), and their end.
    pub(super) direct_news: Vec<(u64, Option<usize>)>,
    next: u64,
    /// Do new lines take parts?
    pub(super) parts: bool,
    /// This line's socket takes nothing.
    pub(super) stalled: Option<usize>,
    /// The next call asks for a stream with this id.
    pub(super) resumable: Option<crate::StreamId>,
    /// The call of the stream that is read, for its credit.
    pub(super) streamed: Option<landline_wire::ids::CallId>,
}

/// Agent ids that differ in their random part, so that they spread over cores.
pub(super) fn agent(n: u64) -> AgentId {
    let mut random = [0u8; 10];
    random[2..].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    AgentId::from_parts(1_000 + n, random)
}

impl Node {
    pub(super) fn new(cores: usize) -> Self {
        Self::with(cores, Config::default())
    }

    pub(super) fn with(cores: usize, config: Config) -> Self {
        let mut node = Self {
            engines: (0..cores).map(|core| Engine::new(core, cores, config.clone(), [7; 32])).collect(),
            now: Now { us: 1_000_000, unix_ms: 1_700_000_000_000 },
            lines: Vec::new(),
            replies: HashMap::new(),
            told: HashMap::new(),
            reports: Vec::new(),
            records: Vec::new(),
            lookups: Vec::new(),
            directs: Vec::new(),
            direct_news: Vec::new(),
            next: 0,
            parts: false,
            stalled: None,
            resumable: None,
            streamed: None,
        };
        node.all(|engine, now| {
            engine.credentials.reset();
            engine.synced(true, now);
        });
        node
    }

    /// Does something on every core.
    pub(super) fn all(&mut self, mut act: impl FnMut(&mut Engine, Now)) {
        let now = self.now;
        self.engines.iter_mut().for_each(|engine| act(engine, now));
        self.run();
    }

    pub(super) fn apply(&mut self, op: Op) {
        self.all(|engine, now| engine.apply(std::slice::from_ref(&op), now));
    }

    pub(super) fn pass_ms(&mut self, ms: u64) {
        self.now.us += ms * 1000;
        self.now.unix_ms += ms as i64;
        self.all(|engine, now| {
            engine.sweep_calls(now);
            engine.sweep_lines(now);
        });
    }

    pub(super) fn attach(&mut self, agent: AgentId) -> usize {
        self.try_attach(agent, Credential::Key { key_gen: 1 }, false).expect("attached")
    }

    pub(super) fn try_attach(&mut self, agent: AgentId, credential: Credential, shared: bool) -> Result<usize, u16> {
        let core = agent.home_core(self.engines.len());
        self.next += 1;
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.next.wrapping_mul(0x2545_F491_4F6C_DD1D).rotate_left(32).to_be_bytes());
        let session = SessionId::from_parts(self.next, random);
        let attach = Attach { principal: Principal { agent, credential }, session, shared, parts: self.parts };
        let key = self.engines[core].attach(attach, self.now).map_err(|violation| violation.code)?;
        let reader = Reader::new(Role::Client, 16 << 20);
        let stream = BytesMut::new();
        self.lines.push(TestLine { core, key, reader, stream, sent: Vec::new(), closing: false });
        self.run();
        Ok(self.lines.len() - 1)
    }

    /// A call over HTTP from a connection on `core`; its replies gather under the number that is given.
    pub(super) fn call(&mut self, core: usize, caller: Option<AgentId>, target: AgentId, body: &[u8]) -> u64 {
        self.place(core, caller, target, body, false)
    }

    /// The same, with a body whose parts follow.
    pub(super) fn upload(&mut self, core: usize, caller: Option<AgentId>, target: AgentId) -> u64 {
        self.place(core, caller, target, b"", true)
    }

    fn place(&mut self, core: usize, caller: Option<AgentId>, target: AgentId, body: &[u8], more: bool) -> u64 {
        self.next += 1;
        let conn = self.next;
        self.place_from(Origin::Http { core, conn: ConnKey(conn) }, caller, target, body, more);
        conn
    }

    /// The exchange asks an agent; what it is told gathers under the number that is given.
    pub(super) fn ask(&mut self, target: AgentId, body: &[u8]) -> u64 {
        self.next += 1;
        let ask = self.next;
        let core = target.home_core(self.engines.len());
        self.place_from(Origin::Exchange { core, ask }, None, target, body, false);
        ask
    }

    fn place_from(&mut self, origin: Origin, caller: Option<AgentId>, target: AgentId, body: &[u8], more: bool) {
        let request = CallRequest {
            origin,
            caller,
            target,
            request_id: format!("r{}", self.next).into(),
            method: None,
            verb: None,
            path: None,
            headers: Bytes::new(),
            stream: false,
            timeout_ms: 60_000,
            started: self.now,
            body: Bytes::copy_from_slice(body).into(),
            more,
            resumable: self.resumable.take(),
            length: None,
        };
        let home = target.home_core(self.engines.len());
        self.engines[home].place(request, self.now);
        self.run();
    }

    /// The line's agent sends a frame.
    pub(super) fn send(&mut self, line: usize, frame: &Frame<'_>) {
        let mut message = BytesMut::new();
        encode(&mut message, frame);
        let (core, key) = (self.lines[line].core, self.lines[line].key);
        // As the shell does it.
        if message.len() <= COPY_THRESHOLD_BYTES {
            self.engines[core].short_message(key, &message, self.now);
        } else {
            self.engines[core].message(key, message.freeze().into(), self.now);
        }
        self.run();
    }

    pub(super) fn respond(&mut self, line: usize, id: u64, body: &[u8]) {
        self.send(line, &Frame::Response(Response { id, body, ..Response::default() }));
    }

    pub(super) fn chunk(&mut self, line: usize, id: u64, body: &[u8], more: bool) {
        self.send(line, &Frame::Chunk(Chunk { id, more, body }));
    }

    /// The line's socket is gone.
    pub(super) fn lose(&mut self, line: usize) {
        let (core, key) = (self.lines[line].core, self.lines[line].key);
        self.engines[core].line_gone(key, self.now);
        self.run();
    }

    /// Frames that the line was sent since the last look.
    pub(super) fn take(&mut self, line: usize) -> Vec<Sent> {
        std::mem::take(&mut self.lines[line].sent)
    }

    /// The one request that the line was sent since the last look.
    pub(super) fn request(&mut self, line: usize) -> (u64, Vec<u8>) {
        let sent = self.take(line);
        let mut requests = sent.iter().filter_map(|sent| match sent {
            Sent::Request { id, body, .. } => Some((*id, body.clone())),
            _ => None,
        });
        let first = requests.next().unwrap_or_else(|| panic!("no request in {sent:?}"));
        assert!(requests.next().is_none(), "more than one request in {sent:?}");
        first
    }

    pub(super) fn reply(&mut self, conn: u64) -> Vec<Reply> {
        self.replies.remove(&conn).unwrap_or_default()
    }

    /// The problem that the call ended with.
    pub(super) fn problem(&mut self, conn: u64) -> Problem {
        match self.reply(conn).pop() {
            Some(Reply::Failed(problem)) => *problem,
            other => panic!("no problem but {other:?}"),
        }
    }

    /// How often a bound was reached, on all cores.
    pub(super) fn reached(&self, bound: Bound) -> u64 {
        self.engines.iter().map(|engine| engine.stats().reached.of(bound)).sum()
    }

    /// Statuses of the audit records so far.
    pub(super) fn audited(&self) -> Vec<u16> {
        self.records.iter().map(|record| record.status_code).collect()
    }

    pub(super) fn answer_lookups(&mut self, answer: Option<LookupAnswer>) {
        for (core, number, _) in std::mem::take(&mut self.lookups) {
            self.engines[core].answer(number, answer.clone(), self.now);
        }
        self.run();
    }

    /// Carries effects until every engine is quiet.
    pub(super) fn run(&mut self) {
        let mut quiet = false;
        while !quiet {
            quiet = true;
            for core in 0..self.engines.len() {
                while let Some(effect) = self.engines[core].poll_effect() {
                    quiet = false;
                    self.carry(core, effect);
                }
            }
        }
    }

    fn carry(&mut self, core: usize, effect: Effect) {
        match effect {
            Effect::Mail(to, mail) => self.engines[to].mail(mail, self.now),
            Effect::Reply(conn, reply) => self.replies.entry(conn.0).or_default().push(reply),
            Effect::Told(ask, reply) => self.told.entry(ask).or_default().push(reply),
            Effect::Lookup(number, lookup) => self.lookups.push((core, number, lookup)),
            Effect::Record(record) => self.records.push(record),
            Effect::Report(report) => self.reports.push(report),
            Effect::Direct(key, id, request) => self.directs.push((core, key, id, *request)),
            Effect::DirectCredit(_, id, bytes) => self.direct_news.push((id, Some(bytes))),
            Effect::DirectGone(_, id) => self.direct_news.push((id, None)),
            Effect::Flush(key) => self.flush(core, key),
            Effect::Close(key) | Effect::Abort(key) => {
                self.flush(core, key);
                if let Some(line) = self.lines.iter_mut().find(|line| (line.core, line.key) == (core, key)) {
                    line.closing = true;
                }
            }
        }
    }

    fn flush(&mut self, core: usize, key: LineKey) {
        let Some(at) = self.lines.iter().position(|line| (line.core, line.key) == (core, key)) else { return };
        if self.stalled == Some(at) {
            return;
        }
        let line = &mut self.lines[at];
        while let Some(output) = self.engines[core].take_output(key) {
            match output {
                Flush::One(buffer) => line.stream.extend_from_slice(&buffer),
                Flush::Many(segments) => segments.iter().for_each(|segment| line.stream.extend_from_slice(segment)),
            }
        }
        while let Ok(Progress::Message(message)) = line.reader.next(&mut line.stream) {
            line.sent.push(match &message {
                Message::Binary(message) => owned(message.first()),
                Message::Close(code, _) => Sent::Close(code.unwrap_or(0)),
                Message::Ping(_) => Sent::Ping,
                _ => Sent::Other,
            });
        }
    }
}

fn owned(message: &[u8]) -> Sent {
    let text = |text: Option<&str>| text.map(str::to_owned);
    match decode(message).expect("the engine sends frames") {
        Frame::Ready(_) => Sent::Ready,
        Frame::Request(r) => Sent::Request { id: r.id, from: text(r.from), path: text(r.path), body: r.body.to_vec() },
        Frame::Response(r) => {
            Sent::Response { id: r.id, status: r.status.unwrap_or(200), more: r.more, body: r.body.to_vec() }
        }
        Frame::Chunk(c) => Sent::Chunk { id: c.id, more: c.more, body: c.body.to_vec() },
        Frame::Credit { id, bytes } => Sent::Credit { id, bytes },
        Frame::Cancel { id, code } => Sent::Cancel { id, code: text(code) },
        Frame::Error(e) => Sent::Error { id: e.id, code: e.code.to_owned() },
        Frame::Drain { redial_after_ms, .. } => Sent::Drain(redial_after_ms),
        _ => Sent::Other,
    }
}

/// What the exchange knows of an agent that holds no line.
pub(super) fn known_agent() -> LookupAnswer {
    known(false)
}

/// The same, of one that can be called at its own URL.
pub(super) fn agent_with_url() -> LookupAnswer {
    known(true)
}

fn known(direct: bool) -> LookupAnswer {
    LookupAnswer::Agent { blocked: false, policy: Policy::default(), token_gen: 0, elsewhere: None, direct }
}
