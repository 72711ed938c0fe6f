//! Two engines, three agents. Alice answers, Bob and an HTTP caller call her, and Mallory sends over her own line whatever
//! the input says, with every id she could know or guess. Whatever she does: each honest call gets exactly what Alice
//! answered to it and one record, no honest line is closed, and nothing of Mallory's is left when she is gone.
//!
//! | byte | then | operation |
//! |---|---|---|
//! | 0, 1 | | Bob, the HTTP caller calls Alice |
//! | 2 | n, flags | Alice answers her n-th open call, whole or a part |
//! | 3 | kind, id, length, bytes | Mallory sends a frame of this kind for this id |
//! | 4 | length, bytes | Mallory sends these bytes |
//! | 5 | whom, id, length, bytes | Mallory calls |
//! | 6 | | Bob calls Mallory |
//! | 7 | n | time passes, 10 n milliseconds; honest agents give signs of life |
//! | 8 | | Mallory leaves, or comes back |
//! | 9 | id | Mallory gives up a call, under an id that may be Bob's |

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::{Bytes, BytesMut};
use landline_engine::{
    Attach, CallRequest, Config, ConnKey, Effect, Engine, Flush, LineKey, Mail, Now, Origin, Principal, Reply,
};
use landline_link::{Credential, Report};
use landline_wire::frame::{Call, Chunk, ErrorFrame, Frame, Response, decode, encode};
use landline_wire::ids::{AgentId, SessionId};
use landline_wire::message::{Message, Progress, Reader, Role};

const CORES: usize = 2;
/// Less than any deadline, so that no honest call may fail for its time.
const MOST_MS: u64 = 50_000;
/// Honest calls open at the same time; with Mallory's own 64 below what a line takes.
const MOST_OPEN: usize = 48;

/// The target.
pub(crate) fn check(program: &[u8]) {
    let mut program = Program(program);
    let mut world = World::new();
    while let Some(operation) = program.byte() {
        world.perform(operation % 10, &mut program);
    }
    world.finish();
}

/// The rest of the input; past its end everything reads as zero or empty.
struct Program<'a>(&'a [u8]);

impl<'a> Program<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> u8 {
        self.byte().unwrap_or(0)
    }

    fn bytes(&mut self) -> &'a [u8] {
        let len = usize::from(self.number()).min(self.0.len());
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken
    }
}

fn encoded(frame: &Frame<'_>) -> Bytes {
    let mut out = BytesMut::new();
    encode(&mut out, frame);
    out.freeze()
}

/// An agent and its line.
struct Peer {
    agent: AgentId,
    core: usize,
    line: Option<LineKey>,
}

/// What the caller of an honest call must see next.
#[derive(Debug, PartialEq)]
struct Piece {
    is_head: bool,
    body: Vec<u8>,
    more: bool,
}

/// A call by an honest caller to Alice.
#[derive(Default)]
struct Honest {
    /// The relay's id, once Alice has it.
    id: Option<u64>,
    parts: u32,
    is_answered: bool,
    due: VecDeque<Piece>,
    records: u32,
}

struct World {
    engines: Vec<Engine>,
    now: Now,
    alice: Peer,
    bob: Peer,
    mallory: Peer,
    honest: Vec<Honest>,
    /// Honest calls by Bob's id or the HTTP exchange, and by the relay's id.
    by_bob: HashMap<u64, usize>,
    by_conn: HashMap<u64, usize>,
    by_id: HashMap<u64, usize>,
    /// Bob's calls to Mallory that have not ended.
    to_mallory: HashSet<u64>,
    /// Ids that Mallory may try: all that ever were on a line.
    ids: Vec<u64>,
    next_odd: u64,
    sessions: u64,
}

impl World {
    fn new() -> Self {
        let peer = |n: u64| {
            let agent = AgentId::from_parts(n, [n as u8; 10]);
            Peer { agent, core: agent.home_core(CORES), line: None }
        };
        let engines = (0..CORES).map(|core| Engine::new(core, CORES, Config::default(), [3; 32])).collect();
        let mut world = Self {
            engines,
            now: Now { us: 1_000_000, unix_ms: 1_700_000_000_000 },
            alice: peer(1),
            bob: peer(2),
            mallory: peer(3),
            honest: Vec::new(),
            by_bob: HashMap::new(),
            by_conn: HashMap::new(),
            by_id: HashMap::new(),
            to_mallory: HashSet::new(),
            ids: vec![0, 1, 2],
            next_odd: 1,
            sessions: 0,
        };
        world.alice.line = Some(world.attach(world.alice.agent));
        world.bob.line = Some(world.attach(world.bob.agent));
        world.mallory.line = Some(world.attach(world.mallory.agent));
        world.settle();
        world
    }

    fn attach(&mut self, agent: AgentId) -> LineKey {
        self.sessions += 1;
        let principal = Principal { agent, credential: Credential::Key { key_gen: 0 } };
        let attach = Attach { principal, session: SessionId::from_parts(self.sessions, [0; 10]), shared: false };
        self.engines[agent.home_core(CORES)].attach(attach, self.now).expect("a line")
    }

    fn perform(&mut self, operation: u8, program: &mut Program<'_>) {
        match operation {
            0 => self.bob_calls_alice(),
            1 => self.http_calls_alice(),
            2 => self.alice_answers(usize::from(program.number()), program.number() & 1 == 1),
            3 => self.mallory_meddles(program),
            4 => self.from_mallory(Bytes::copy_from_slice(program.bytes())),
            5 => self.mallory_calls(program),
            6 => self.bob_calls_mallory(),
            7 => self.time_passes(10 * u64::from(program.number())),
            8 => self.mallory_leaves_or_comes(),
            _ => {
                let id = u64::from(program.number()) | 1;
                self.from_mallory(encoded(&Frame::Cancel { id, code: None }));
            }
        }
        self.settle();
    }

    fn open_honest(&self) -> usize {
        self.honest.iter().filter(|call| !call.is_answered).count()
    }

    fn bob_calls_alice(&mut self) {
        if self.open_honest() >= MOST_OPEN {
            return;
        }
        let (index, id) = (self.honest.len(), self.next_odd());
        self.honest.push(Honest::default());
        self.by_bob.insert(id, index);
        let (to, request_id) = (self.alice.agent.to_string(), format!("h-{index}"));
        let body = index.to_le_bytes();
        let call = Call { id, to: &to, request_id: Some(&request_id), body: &body, ..Call::default() };
        self.from_bob(encoded(&Frame::Call(call)));
    }

    fn http_calls_alice(&mut self) {
        if self.open_honest() >= MOST_OPEN {
            return;
        }
        let index = self.honest.len();
        self.honest.push(Honest::default());
        self.by_conn.insert(index as u64, index);
        let request = CallRequest {
            // The connection is on the core that is not Alice's.
            origin: Origin::Http { core: 1 - self.alice.core, conn: ConnKey(index as u64) },
            caller: Some(AgentId::from_parts(9, [9; 10])),
            target: self.alice.agent,
            request_id: format!("h-{index}").into(),
            method: None,
            verb: None,
            path: None,
            headers: Bytes::new(),
            stream: false,
            timeout_ms: 60_000,
            started: self.now,
            body: Bytes::copy_from_slice(&index.to_le_bytes()),
        };
        self.engines[self.alice.core].mail(Mail::Call(Box::new(request)), self.now);
    }

    fn alice_answers(&mut self, nth: usize, more: bool) {
        let open: Vec<usize> = (0..self.honest.len()).filter(|index| !self.honest[*index].is_answered).collect();
        let Some(index) = open.get(nth % open.len().max(1)).copied() else { return };
        let call = &mut self.honest[index];
        let id = call.id.expect("every honest call reaches Alice at once");
        let body = format!("{index}.{}", call.parts).into_bytes();
        let is_head = call.parts == 0;
        call.parts += 1;
        call.is_answered = !more;
        call.due.push_back(Piece { is_head, body: body.clone(), more });
        let frame = if is_head {
            Frame::Response(Response { id, more, body: &body, ..Response::default() })
        } else {
            Frame::Chunk(Chunk { id, more, body: &body })
        };
        let message = encoded(&frame);
        self.engines[self.alice.core].message(self.alice.line.expect("her line"), message, self.now);
        self.settle();
        assert!(self.honest[index].due.is_empty(), "the answer to call {index} did not arrive");
    }

    fn mallory_meddles(&mut self, program: &mut Program<'_>) {
        let kind = program.number();
        let guess = program.number();
        let known = self.ids[usize::from(guess) % self.ids.len()];
        // Now and then an id beside one that she knows.
        let id = if kind & 0x40 == 0 { known } else { known ^ (1 << (guess % 54)) };
        let (more, body) = (kind & 0x80 != 0, program.bytes());
        let text = str::from_utf8(body).unwrap_or("?");
        self.from_mallory(encoded(&match kind % 5 {
            0 => Frame::Response(Response { id, more, body, ..Response::default() }),
            1 => Frame::Chunk(Chunk { id, more, body }),
            2 => Frame::Credit { id, bytes: 1 << (body.len() % 64) },
            3 => Frame::Cancel { id, code: more.then_some(text) },
            _ => {
                Frame::Error(ErrorFrame { id: Some(id), code: text, detail: None, retry_after_ms: more.then_some(id) })
            }
        }));
    }

    fn mallory_calls(&mut self, program: &mut Program<'_>) {
        let to = match program.number() % 4 {
            0 => self.mallory.agent,
            // Bob answers nobody.
            1 => self.bob.agent,
            _ => self.alice.agent,
        };
        let id = u64::from(program.number()) | 1;
        let call = Call { id, to: &to.to_string(), body: program.bytes(), ..Call::default() };
        self.from_mallory(encoded(&Frame::Call(call)));
    }

    fn bob_calls_mallory(&mut self) {
        let id = self.next_odd();
        if self.to_mallory.len() >= MOST_OPEN || self.mallory.line.is_none() {
            return;
        }
        self.to_mallory.insert(id);
        let to = self.mallory.agent.to_string();
        self.from_bob(encoded(&Frame::Call(Call { id, to: &to, ..Call::default() })));
    }

    fn next_odd(&mut self) -> u64 {
        self.next_odd += 2;
        self.next_odd
    }

    fn from_bob(&mut self, message: Bytes) {
        self.engines[self.bob.core].message(self.bob.line.expect("his line"), message, self.now);
    }

    fn from_mallory(&mut self, message: Bytes) {
        if let Some(line) = self.mallory.line {
            self.engines[self.mallory.core].message(line, message, self.now);
        }
    }

    fn time_passes(&mut self, ms: u64) {
        if self.now.ms() + ms > MOST_MS {
            return;
        }
        self.now = Now { us: self.now.us + 1000 * ms, unix_ms: self.now.unix_ms + ms as i64 };
        for peer in [&self.alice, &self.bob] {
            self.engines[peer.core].pong(peer.line.expect("an honest line"), self.now);
        }
        for engine in &mut self.engines {
            engine.sweep_calls(self.now);
            engine.sweep_lines(self.now);
        }
    }

    fn mallory_leaves_or_comes(&mut self) {
        match self.mallory.line.take() {
            Some(line) => self.engines[self.mallory.core].line_gone(line, self.now),
            None => self.mallory.line = Some(self.attach(self.mallory.agent)),
        }
    }

    /// Carries out all effects, as the shell would, and checks what reaches the honest.
    fn settle(&mut self) {
        loop {
            let found = (0..CORES).find_map(|core| self.engines[core].poll_effect().map(|effect| (core, effect)));
            let Some((core, effect)) = found else { return };
            match effect {
                Effect::Flush(line) => self.flush(core, line),
                Effect::Close(line) | Effect::Abort(line) => {
                    assert!(!self.is_honest(core, line), "an honest line is closed");
                    self.engines[core].line_gone(line, self.now);
                    if core == self.mallory.core && self.mallory.line == Some(line) {
                        self.mallory.line = None;
                    }
                }
                Effect::Reply(conn, reply) => {
                    let index = self.by_conn[&conn.0];
                    self.honest_reply(index, piece_of(reply));
                }
                Effect::Mail(to, mail) => self.engines[to].mail(mail, self.now),
                // Mallory is looked up when she is called and is not there: nobody answers.
                Effect::Lookup(number, _) => self.engines[core].answer(number, None, self.now),
                Effect::Report(Report::Call(record)) => {
                    if let Some(index) = record.request_id.strip_prefix("h-").and_then(|n| n.parse::<usize>().ok()) {
                        if let Some(call) = self.honest.get_mut(index) {
                            call.records += u32::from(record.from_agent_id != Some(self.mallory.agent));
                        }
                    }
                }
                Effect::Report(_) => {}
            }
        }
    }

    fn is_honest(&self, core: usize, line: LineKey) -> bool {
        [&self.alice, &self.bob].iter().any(|peer| (peer.core, peer.line) == (core, Some(line)))
    }

    fn flush(&mut self, core: usize, line: LineKey) {
        let mut stream = match self.engines[core].take_output(line) {
            Some(Flush::One(buffer)) => buffer,
            Some(Flush::Many(segments)) => BytesMut::from(&segments.concat()[..]),
            None => return,
        };
        let mut reader = Reader::new(Role::Client, 2 << 20);
        loop {
            match reader.next(&mut stream).expect("sound framing") {
                Progress::Message(Message::Binary(message)) => self.arrived(core, line, &message),
                Progress::Message(Message::Close(..)) => {
                    assert!(!self.is_honest(core, line), "an honest line is closed")
                }
                Progress::Message(_) => {}
                Progress::Need(_) => break,
            }
        }
        assert!(stream.is_empty(), "half a frame");
    }

    fn arrived(&mut self, core: usize, line: LineKey, message: &[u8]) {
        let frame = decode(message).expect("a frame");
        if (self.alice.core, self.alice.line) == (core, Some(line)) {
            self.alice_gets(&frame);
        } else if (self.bob.core, self.bob.line) == (core, Some(line)) {
            self.bob_gets(&frame);
        } else if let Frame::Request(request) = &frame {
            self.ids.push(request.id);
        }
    }

    fn alice_gets(&mut self, frame: &Frame<'_>) {
        match frame {
            Frame::Request(request) => {
                self.ids.push(request.id);
                if request.from == Some(&self.mallory.agent.to_string()) {
                    return;
                }
                let index = usize::from_le_bytes(request.body.try_into().expect("a call's number"));
                let call = &mut self.honest[index];
                assert!(call.id.replace(request.id).is_none(), "call {index} came twice");
                assert!(self.by_id.insert(request.id, index).is_none(), "an id was used twice");
            }
            Frame::Cancel { id, .. } => assert!(!self.by_id.contains_key(id), "an honest call was cancelled"),
            _ => {}
        }
    }

    fn bob_gets(&mut self, frame: &Frame<'_>) {
        let (id, piece) = match frame {
            Frame::Response(response) => (response.id, Some(Piece::new(true, response.body, response.more))),
            Frame::Chunk(chunk) => (chunk.id, Some(Piece::new(false, chunk.body, chunk.more))),
            Frame::Error(error) => (error.id.expect("an error of a call"), None),
            Frame::Request(request) => {
                self.ids.push(request.id);
                return;
            }
            _ => return,
        };
        match self.by_bob.get(&id) {
            Some(index) => self.honest_reply(*index, piece),
            None => {
                assert!(self.to_mallory.contains(&id), "an answer to a call that is not open");
                if piece.is_none_or(|piece| !piece.more) {
                    self.to_mallory.remove(&id);
                }
            }
        }
    }

    fn honest_reply(&mut self, index: usize, piece: Option<Piece>) {
        let piece = piece.unwrap_or_else(|| panic!("call {index} failed"));
        assert_eq!(Some(piece), self.honest[index].due.pop_front(), "not what Alice answered to call {index}");
    }

    /// Alice answers what is open, Mallory leaves: nothing may be left.
    fn finish(&mut self) {
        while self.open_honest() > 0 {
            self.alice_answers(0, false);
        }
        if self.mallory.line.is_some() {
            self.mallory_leaves_or_comes();
            self.settle();
        }
        assert!(self.to_mallory.is_empty(), "calls to Mallory outlive her");
        for (index, call) in self.honest.iter().enumerate() {
            assert_eq!(call.records, 1, "records of call {index}");
        }
        let left: usize = self.engines.iter().map(Engine::call_count).sum();
        assert_eq!(left, 0, "calls of nobody are left");
        assert_eq!(self.engines.iter().map(Engine::held_bytes).sum::<usize>(), 0, "bytes of nobody are held");
    }
}

impl Piece {
    fn new(is_head: bool, body: &[u8], more: bool) -> Self {
        Self { is_head, body: body.to_vec(), more }
    }
}

fn piece_of(reply: Reply) -> Option<Piece> {
    match reply {
        Reply::Head { body, more, .. } => Some(Piece::new(true, &body, more)),
        Reply::Part { body, more } => Some(Piece::new(false, &body, more)),
        Reply::Failed(_) | Reply::Status(_) => None,
    }
}
