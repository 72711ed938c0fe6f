//! A call from line to line through one engine, as the shell drives it but without sockets.

use bytes::{Bytes, BytesMut};
use landline_engine::{Attach, CallRequest, Config, ConnKey, Effect, Engine, Flush, LineKey, Now, Origin, Principal};
use landline_link::Credential;
use landline_wire::frame::{Call, Frame, Response, decode, encode};
use landline_wire::header::Kind;
use landline_wire::ids::{AgentId, SessionId};
use landline_wire::message::{Message, Progress, Reader, Role, append};
use landline_wire::session::server::{Input, Session};

use crate::body;

/// The time, which stands still.
pub const NOW: Now = Now { us: 1_000_000, unix_ms: 1_700_000_000_000 };
/// Lines that stand beside the two of a call.
const CROWD: u64 = 10_000;
/// A mask that is none of its own bytes.
const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];

/// An engine with two agents that call each other, among many.
#[allow(missing_debug_implementations, reason = "an engine shows nothing of itself")]
pub struct Exchange {
    /// The engine.
    pub engine: Engine,
    /// Who is called.
    pub target: AgentId,
    caller: LineKey,
    callee: LineKey,
    sessions: [Session; 2],
    next_id: u64,
}

impl Default for Exchange {
    fn default() -> Self {
        Self::new()
    }
}

fn agent(n: u64) -> AgentId {
    AgentId::from_parts(n, [7; 10])
}

fn attach(engine: &mut Engine, n: u64) -> LineKey {
    let principal = Principal { agent: agent(n), credential: Credential::Key { key_gen: 0 } };
    let attach = Attach { principal, session: SessionId::from_parts(n, [9; 10]), shared: false, parts: false };
    let key = engine.attach(attach, NOW).expect("a line");
    settle(engine);
    engine.take_output(key);
    key
}

/// Takes all effects; gives how many calls were recorded and replied to over HTTP.
pub fn settle(engine: &mut Engine) -> (usize, usize) {
    let (mut records, mut replies) = (0, 0);
    while let Some(effect) = engine.poll_effect() {
        match effect {
            Effect::Report(_) => records += 1,
            Effect::Reply(..) => replies += 1,
            _ => {}
        }
    }
    (records, replies)
}

impl Exchange {
    /// With 10,000 other lines.
    pub fn new() -> Self {
        let mut engine = Engine::new(0, 1, Config::default(), [1; 32]);
        for n in 0..CROWD {
            attach(&mut engine, n);
        }
        let (caller, callee) = (attach(&mut engine, CROWD), attach(&mut engine, CROWD + 1));
        let session = || Session::new(1 << 20);
        Self { engine, target: agent(CROWD + 1), caller, callee, sessions: [session(), session()], next_id: 1 }
    }

    /// The bytes of `calls` calls of 128 bytes, as the caller's socket gives them.
    pub fn calls(&mut self, calls: usize) -> BytesMut {
        let (mut stream, to, body) = (BytesMut::new(), self.target.to_string(), body(128));
        for _ in 0..calls {
            let mut call = BytesMut::new();
            encode(&mut call, &Frame::Call(Call { id: self.next_id, to: &to, body: &body, ..Call::default() }));
            append(&mut stream, Kind::Binary, &call, Some(MASK));
            self.next_id += 2;
        }
        stream
    }

    /// The engine takes in what the caller's socket gave, and gives what the callee's socket takes.
    pub fn forward(&mut self, stream: &mut BytesMut) -> BytesMut {
        self.digest(0, stream);
        self.output(self.callee)
    }

    /// The callee's socket took this buffer, and gives it back.
    pub fn sent_forward(&mut self, buffer: BytesMut) {
        self.engine.recycle(self.callee, buffer);
    }

    /// The caller's socket took this buffer, and gives it back.
    pub fn sent_back(&mut self, buffer: BytesMut) {
        self.engine.recycle(self.caller, buffer);
    }

    /// The bytes of the callee's answers to all requests in `stream`.
    pub fn answers(&mut self, stream: &[u8]) -> BytesMut {
        let (mut reader, mut answers) = (Reader::new(Role::Client, 1 << 20), BytesMut::new());
        let mut stream = BytesMut::from(stream);
        while let Ok(Progress::Message(Message::Binary(message))) = reader.next(&mut stream) {
            let Ok(Frame::Request(request)) = decode(message.first()) else { panic!("a request") };
            let mut answer = BytesMut::new();
            let response = Response { id: request.id, body: request.body, ..Response::default() };
            encode(&mut answer, &Frame::Response(response));
            append(&mut answers, Kind::Binary, &answer, Some(MASK));
        }
        answers
    }

    /// The engine takes in what the callee's socket gave, and gives what the caller's socket takes.
    pub fn back(&mut self, stream: &mut BytesMut) -> BytesMut {
        self.digest(1, stream);
        self.output(self.caller)
    }

    fn digest(&mut self, side: usize, stream: &mut BytesMut) {
        let line = [self.caller, self.callee][side];
        loop {
            match self.sessions[side].next(stream) {
                Ok(Input::Frame(message)) => self.engine.message(line, message, NOW),
                Ok(Input::Need(_)) => break,
                other => panic!("{other:?}"),
            }
        }
        settle(&mut self.engine);
    }

    fn output(&mut self, line: LineKey) -> BytesMut {
        let Some(Flush::One(buffer)) = self.engine.take_output(line) else { panic!("one buffer") };
        buffer
    }

    /// An HTTP caller's request, answered by the callee's agent.
    pub fn call_over_http(&mut self, body: Bytes) {
        let request = request(self.target, body);
        self.engine.place(request, NOW);
        settle(&mut self.engine);
        let out = self.output(self.callee);
        let mut answers = self.answers(&out);
        self.sent_forward(out);
        self.digest(1, &mut answers);
    }
}

fn request(target: AgentId, body: Bytes) -> CallRequest {
    CallRequest {
        origin: Origin::Http { core: 0, conn: ConnKey(1) },
        caller: Some(agent(CROWD)),
        target,
        request_id: "r-1".into(),
        method: None,
        verb: None,
        path: None,
        headers: Bytes::new(),
        stream: false,
        timeout_ms: 60_000,
        started: NOW,
        body: body.into(),
        more: false,
        resumable: None,
        length: None,
    }
}
