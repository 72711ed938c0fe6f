//! The engines, the agents, the mail between the cores, and what the honest have still to see.

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::{Bytes, BytesMut};
use landline_engine::{Attach, Config, Effect, Engine, Flush, LineKey, Now, Principal, Reply};
use landline_link::Credential;
use landline_wire::frame::{Frame, decode, encode};
use landline_wire::ids::{AgentId, SessionId};
use landline_wire::message::{Message, Progress, Reader, Role};

const CORES: usize = 2;

pub(super) fn encoded(frame: &Frame<'_>) -> Bytes {
    let mut out = BytesMut::new();
    encode(&mut out, frame);
    out.freeze()
}

/// An agent and its line.
pub(super) struct Peer {
    pub(super) agent: AgentId,
    pub(super) core: usize,
    pub(super) line: Option<LineKey>,
}

/// What the caller of an honest call must see next.
#[derive(Debug, PartialEq)]
pub(super) struct Piece {
    pub(super) is_head: bool,
    pub(super) body: Vec<u8>,
    pub(super) more: bool,
}

/// A call by an honest caller to Alice.
#[derive(Default)]
pub(super) struct Honest {
    /// The relay's id, once Alice has it.
    pub(super) id: Option<u64>,
    pub(super) parts: u32,
    pub(super) is_answered: bool,
    pub(super) due: VecDeque<Piece>,
    pub(super) records: u32,
}

pub(super) struct World {
    pub(super) engines: Vec<Engine>,
    pub(super) now: Now,
    pub(super) alice: Peer,
    pub(super) bob: Peer,
    pub(super) mallory: Peer,
    pub(super) honest: Vec<Honest>,
    /// Honest calls by Bob's id or the HTTP exchange, and by the relay's id.
    pub(super) by_bob: HashMap<u64, usize>,
    pub(super) by_conn: HashMap<u64, usize>,
    pub(super) by_id: HashMap<u64, usize>,
    /// Bob's calls to Mallory that have not ended.
    pub(super) to_mallory: HashSet<u64>,
    /// Ids that Mallory may try: all that ever were on a line.
    pub(super) ids: Vec<u64>,
    pub(super) next_odd: u64,
    pub(super) sessions: u64,
}

impl World {
    pub(super) fn new() -> Self {
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

    pub(super) fn attach(&mut self, agent: AgentId) -> LineKey {
        self.sessions += 1;
        let principal = Principal { agent, credential: Credential::Key { key_gen: 0 } };
        // Every other line takes parts, so that both ways of an upload are walked.
        let parts = self.sessions.is_multiple_of(2);
        let session = SessionId::from_parts(self.sessions, [0; 10]);
        let attach = Attach { principal, session, shared: false, parts };
        self.engines[agent.home_core(CORES)].attach(attach, self.now).expect("a line")
    }

    /// Carries out all effects, as the shell would, and checks what reaches the honest.
    pub(super) fn settle(&mut self) {
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
                Effect::Direct(..) | Effect::DirectCredit(..) | Effect::DirectGone(..) => {
                    panic!("nobody is called directly")
                }
                Effect::Told(..) => panic!("the exchange asks nothing"),
                Effect::Record(record) => {
                    let number = record.request_id.strip_prefix("h-").and_then(|n| n.parse::<usize>().ok());
                    let call = number.and_then(|index| self.honest.get_mut(index));
                    if let Some(call) = call.filter(|_| record.from_agent_id != Some(self.mallory.agent)) {
                        call.records += 1;
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
                Progress::Message(Message::Binary(message)) => self.arrived(core, line, message.first()),
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
    pub(super) fn finish(&mut self) {
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
    pub(super) fn new(is_head: bool, body: &[u8], more: bool) -> Self {
        Self { is_head, body: body.to_vec(), more }
    }
}

fn piece_of(reply: Reply) -> Option<Piece> {
    match reply {
        Reply::Head { body, more, .. } => Some(Piece::new(true, &body.into_bytes(), more)),
        Reply::Part { body, more, .. } => Some(Piece::new(false, &body.into_bytes(), more)),
        Reply::Credit(_) | Reply::Direct(_) | Reply::Failed(_) | Reply::Status(_) => None,
    }
}
