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

mod world;

use bytes::Bytes;
use landline_engine::{CallRequest, ConnKey, Engine, LineKey, Mail, Now, Origin};
use landline_wire::frame::{Call, Chunk, ErrorFrame, Frame, Response};
use landline_wire::ids::AgentId;

use world::{Honest, Piece, World, encoded};

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

impl World {
    fn perform(&mut self, operation: u8, program: &mut Program<'_>) {
        match operation {
            0 => self.bob_calls_alice(),
            1 => self.http_calls_alice(),
            2 => self.alice_answers(usize::from(program.number()), program.number() & 1 == 1),
            3 => self.mallory_meddles(program),
            4 => self.mallory_sends(Bytes::copy_from_slice(program.bytes())),
            5 => self.mallory_calls(program),
            6 => self.bob_calls_mallory(),
            7 => self.time_passes(10 * u64::from(program.number())),
            8 => self.mallory_leaves_or_comes(),
            _ => {
                let id = u64::from(program.number()) | 1;
                self.mallory_sends(encoded(&Frame::Cancel { id, code: None }));
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
        self.bob_sends(encoded(&Frame::Call(call)));
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
            body: Bytes::copy_from_slice(&index.to_le_bytes()).into(),
            more: false,
            resumable: None,
            length: None,
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
        hand_over(&mut self.engines[self.alice.core], self.alice.line.expect("her line"), message, self.now);
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
        self.mallory_sends(encoded(&match kind % 5 {
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
        self.mallory_sends(encoded(&Frame::Call(call)));
    }

    fn bob_calls_mallory(&mut self) {
        let id = self.next_odd();
        if self.to_mallory.len() >= MOST_OPEN || self.mallory.line.is_none() {
            return;
        }
        self.to_mallory.insert(id);
        let to = self.mallory.agent.to_string();
        self.bob_sends(encoded(&Frame::Call(Call { id, to: &to, ..Call::default() })));
    }

    fn next_odd(&mut self) -> u64 {
        self.next_odd += 2;
        self.next_odd
    }

    fn bob_sends(&mut self, message: Bytes) {
        hand_over(&mut self.engines[self.bob.core], self.bob.line.expect("his line"), message, self.now);
    }

    fn mallory_sends(&mut self, message: Bytes) {
        if let Some(line) = self.mallory.line {
            hand_over(&mut self.engines[self.mallory.core], line, message, self.now);
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
}

/// A message is taken in where it was read, or as something of its own: it makes no difference.
fn hand_over(engine: &mut Engine, line: LineKey, message: Bytes, now: Now) {
    if message.len().is_multiple_of(2) {
        engine.short_message(line, &message, now);
    } else {
        engine.message(line, message.into(), now);
    }
}
