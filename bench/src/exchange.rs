//! Calls from line to line through the engines of one core or two, as the shell drives them but without sockets.

use bytes::{Buf, Bytes, BytesMut};
use crossbeam_channel::{Receiver, Sender, unbounded};
use landline_engine::{
    Attach, CallRequest, Config, ConnKey, Effect, Engine, Flush, LineKey, Mail, Now, Origin, Principal,
};
use landline_link::Credential;
use landline_wire::frame::{Call, Chunk, Frame, Request, Response, decode, encode};
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

/// One core: its engine, and the queue that other cores' letters come by. The product's mailbox rings a bell beside the
/// queue when its core sleeps; here no core does.
struct Core {
    engine: Engine,
    letters: (Sender<Mail>, Receiver<Mail>),
}

/// A line, and where it lives.
#[derive(Clone, Copy)]
struct Place {
    core: usize,
    line: LineKey,
}

/// Engines with two agents that call each other, among many.
#[allow(missing_debug_implementations, reason = "an engine shows nothing of itself")]
pub struct Exchange {
    cores: Vec<Core>,
    /// Who is called.
    target: AgentId,
    /// Caller and callee.
    ends: [Place; 2],
    sessions: [Session; 2],
    next_id: u64,
}

impl Default for Exchange {
    fn default() -> Self {
        Self::new()
    }
}

fn agent(n: u64) -> AgentId {
    let mut random = [7; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    AgentId::from_parts(n, random)
}

impl Exchange {
    /// On one core, with 10,000 other lines.
    pub fn new() -> Self {
        Self::of(1, agent(CROWD + 1))
    }

    /// Caller and callee live on different cores.
    ///
    /// # Panics
    /// All agents have the same home: they do not.
    pub fn across() -> Self {
        let caller = agent(CROWD).home_core(2);
        let target = (CROWD + 1..).map(agent).find(|agent| agent.home_core(2) != caller);
        Self::of(2, target.expect("agents with another home"))
    }

    fn of(cores: usize, target: AgentId) -> Self {
        let core = |core| Core { engine: Engine::new(core, cores, Config::default(), [1; 32]), letters: unbounded() };
        let mut cores: Vec<Core> = (0..cores).map(core).collect();
        for n in 0..CROWD {
            attach(&mut cores, agent(n));
        }
        let ends = [agent(CROWD), target].map(|agent| attach(&mut cores, agent));
        let sessions = [Session::new(1 << 20), Session::new(1 << 20)];
        Self { cores, target, ends, sessions, next_id: 1 }
    }

    /// One of the many others, each in its turn.
    pub fn other(n: usize) -> AgentId {
        agent(n as u64 % CROWD)
    }

    /// Has an agent a line on the first core? What every call asks first.
    pub fn is_connected(&self, agent: AgentId) -> bool {
        self.cores[0].engine.lines().least_busy(agent).is_some()
    }

    /// The bytes of `calls` calls of 128 bytes, as the caller's socket gives them.
    pub fn calls(&mut self, calls: usize) -> BytesMut {
        let (mut stream, to, body) = (BytesMut::new(), self.target.to_string(), body(128));
        for _ in 0..calls {
            masked(&mut stream, &Frame::Call(Call { id: self.next_id, to: &to, body: &body, ..Call::default() }));
            self.next_id += 2;
        }
        stream
    }

    /// The engine takes in what the caller's socket gave, and gives what the callee's socket takes.
    pub fn forward(&mut self, stream: &mut BytesMut) -> BytesMut {
        self.digest(0, stream);
        self.output(1)
    }

    /// The callee's socket took this buffer, and gives it back.
    pub fn sent_forward(&mut self, buffer: BytesMut) {
        self.recycle(1, buffer);
    }

    /// The bytes of the callee's answers to all requests in `stream`; `more`: they are first parts.
    pub fn answers(&mut self, stream: &[u8], more: bool) -> BytesMut {
        let (mut reader, mut answers) = (Reader::new(Role::Client, 1 << 20), BytesMut::new());
        let mut stream = BytesMut::from(stream);
        while let Ok(Progress::Message(Message::Binary(message))) = reader.next(&mut stream) {
            let Ok(Frame::Request(request)) = decode(message.first()) else { panic!("a request") };
            let response = Response { id: request.id, more, body: request.body, ..Response::default() };
            masked(&mut answers, &Frame::Response(response));
        }
        answers
    }

    /// The engine takes in what the callee's socket gave, and gives what the caller's socket takes.
    pub fn back(&mut self, stream: &mut BytesMut) -> BytesMut {
        self.digest(1, stream);
        self.output(0)
    }

    /// The caller's socket took this buffer, and gives it back.
    pub fn sent_back(&mut self, buffer: BytesMut) {
        self.recycle(0, buffer);
    }

    /// Begins an answer in parts: the bytes of one further part of `len` bytes, and of the caller's credit for it.
    ///
    /// # Panics
    /// The request is none.
    pub fn stream(&mut self, len: usize) -> (BytesMut, BytesMut) {
        let own_id = self.next_id;
        let mut call = self.calls(1);
        let request = self.forward(&mut call);
        let mut read = BytesMut::from(&request[..]);
        let mut reader = Reader::new(Role::Client, 1 << 20);
        let Ok(Progress::Message(Message::Binary(message))) = reader.next(&mut read) else { panic!("a message") };
        let Ok(Frame::Request(Request { id, .. })) = decode(message.first()) else { panic!("a request") };
        let mut begun = self.answers(&request, true);
        self.sent_forward(request);
        let told = self.back(&mut begun);
        self.sent_back(told);
        let (mut part, mut credit) = (BytesMut::new(), BytesMut::new());
        masked(&mut part, &Frame::Chunk(Chunk { id, more: true, body: &body(len) }));
        masked(&mut credit, &Frame::Credit { id: own_id, bytes: len as u64 });
        (part, credit)
    }

    /// The engine takes in the caller's credit; what it grants the callee for it goes nowhere.
    pub fn credit(&mut self, stream: &mut BytesMut) {
        self.digest(0, stream);
        let Place { core, line } = self.ends[1];
        if let Some(Flush::One(buffer)) = self.cores[core].engine.take_output(line) {
            self.recycle(1, buffer);
        }
    }

    /// An HTTP caller's request, answered by the callee's agent.
    pub fn call_over_http(&mut self, body: Bytes) {
        self.place(body);
        let out = self.output(1);
        let mut answers = self.answers(&out, false);
        self.sent_forward(out);
        self.digest(1, &mut answers);
    }

    /// An HTTP caller's request whose caller goes away: a slot of the call table is taken and given back.
    pub fn call_given_up(&mut self, body: Bytes) {
        let origin = self.place(body);
        self.cores[0].engine.gone_at(self.ends[1].core, origin, NOW);
        settle(&mut self.cores);
        let out = self.output(1);
        self.sent_forward(out);
    }

    fn place(&mut self, body: Bytes) -> Origin {
        let origin = Origin::Http { core: 0, conn: ConnKey(1) };
        self.cores[0].engine.place(request(origin, self.target, body), NOW);
        settle(&mut self.cores);
        origin
    }

    fn digest(&mut self, end: usize, stream: &mut BytesMut) {
        let Place { core, line } = self.ends[end];
        loop {
            if let Some(message) = self.sessions[end].short(stream) {
                let end = message.end;
                self.cores[core].engine.short_message(line, &stream[message], NOW);
                stream.advance(end);
                continue;
            }
            match self.sessions[end].next(stream) {
                Ok(Input::Frame(message)) => self.cores[core].engine.message(line, message, NOW),
                Ok(Input::Need(_)) => break,
                other => panic!("{other:?}"),
            }
        }
        settle(&mut self.cores);
    }

    fn output(&mut self, end: usize) -> BytesMut {
        let Place { core, line } = self.ends[end];
        let Some(Flush::One(buffer)) = self.cores[core].engine.take_output(line) else { panic!("one buffer") };
        buffer
    }

    fn recycle(&mut self, end: usize, buffer: BytesMut) {
        let Place { core, line } = self.ends[end];
        self.cores[core].engine.recycle(line, buffer);
    }
}

fn attach(cores: &mut [Core], agent: AgentId) -> Place {
    let core = agent.home_core(cores.len());
    let principal = Principal { agent, credential: Credential::Key { key_gen: 0 } };
    let session = SessionId(agent.0);
    let attach = Attach { principal, session, shared: false, parts: false };
    let line = cores[core].engine.attach(attach, NOW).expect("a line");
    settle(cores);
    cores[core].engine.take_output(line);
    Place { core, line }
}

/// Carries out all effects: letters are delivered, the rest goes nowhere.
fn settle(cores: &mut [Core]) {
    loop {
        for core in 0..cores.len() {
            while let Some(effect) = cores[core].engine.poll_effect() {
                if let Effect::Mail(to, mail) = effect {
                    cores[to].letters.0.send(mail).expect("the queue is there");
                }
            }
        }
        let mut quiet = true;
        for Core { engine, letters: (_, queue) } in cores.iter_mut() {
            while let Ok(mail) = queue.try_recv() {
                engine.mail(mail, NOW);
                quiet = false;
            }
        }
        if quiet {
            return;
        }
    }
}

fn masked(out: &mut BytesMut, frame: &Frame<'_>) {
    let mut message = BytesMut::new();
    encode(&mut message, frame);
    append(out, Kind::Binary, &message, Some(MASK));
}

fn request(origin: Origin, target: AgentId, body: Bytes) -> CallRequest {
    CallRequest {
        origin,
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
