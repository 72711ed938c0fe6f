//! The agent's machine and the relay's, back to back over a wire that the input cuts. The input is a program of
//! operations; a model of what each end must see is checked as the bytes arrive.
//!
//! | byte | then | operation |
//! |---|---|---|
//! | 0 | kind, id, length, bytes | the agent sends a frame |
//! | 1 | kind, id, length, bytes | the relay sends a frame |
//! | 2, 3 | n | deliver 4 n + 1 bytes upwards, downwards |
//! | 4 | length, bytes | the relay sends a WebSocket ping |
//! | 5 | | the agent sends a WebSocket ping |
//! | 6 | length, bytes | the relay sends these bytes as a message |
//! | 7 | kind, id, length, bytes, n | the relay sends a frame in two fragments with a ping between |
//! | 8 | code | the relay closes |
//! | 9 | length, bytes | the agent's socket carries these bytes as they are |

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};
use landline_wire::frame::{Call, Chunk, ErrorFrame, Frame, Ready, Request, Response, decode, encode};
use landline_wire::header::Kind;
use landline_wire::http1::parse_head;
use landline_wire::message::{append, append_close};
use landline_wire::session::client::{Client, ClientError, Dial, Event};
use landline_wire::session::server::{Input, Session, first_frame};
use landline_wire::{close, handshake};

const TOKEN: &str = "ll_fuzz";
const MAX_BODY: usize = 1 << 20;

/// The target.
pub(crate) fn check(program: &[u8]) {
    let mut program = Program(program);
    let mut line = Line::dialled();
    while !line.is_over {
        let Some(operation) = program.byte() else { break };
        line.perform(operation % 10, &mut program);
    }
    line.deliver_down(usize::MAX);
    line.deliver_up(usize::MAX);
    assert!(line.is_hostile || line.due_up.is_empty(), "never arrived: {:?}", line.due_up);
    assert!(line.is_over || line.due_down.is_empty());
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

/// A frame, its kind, id and content taken from the program.
fn with_frame<R>(program: &mut Program<'_>, then: impl FnOnce(&Frame<'_>) -> R) -> R {
    let (kind, id) = (program.number(), u64::from(program.number()));
    let body = program.bytes();
    let text = str::from_utf8(body).unwrap_or("?");
    let more = kind & 0x80 != 0;
    let mut t = BytesMut::new();
    rmp_bin(&mut t, body);
    then(&match kind % 9 {
        0 => Frame::Chunk(Chunk { id, more, body }),
        1 => Frame::Call(Call { id, to: text, more, body, path: more.then_some(text), ..Call::default() }),
        2 => Frame::Request(Request { id, request_id: text, more, body, deadline_ms: id, ..Request::default() }),
        3 => Frame::Response(Response { id, status: more.then_some(id), more, body, ..Response::default() }),
        4 => Frame::Error(ErrorFrame { id: more.then_some(id), code: text, detail: Some(text), retry_after_ms: None }),
        5 => Frame::Credit { id, bytes: body.len() as u64 },
        6 => Frame::Cancel { id, code: more.then_some(text) },
        7 => Frame::Ping(&t),
        _ => Frame::Drain { deadline_ms: id, redial_after_ms: body.len() as u64 },
    })
}

/// A MessagePack `bin` of at most 255 bytes.
fn rmp_bin(out: &mut BytesMut, bytes: &[u8]) {
    out.extend_from_slice(&[0xC4, bytes.len() as u8]);
    out.extend_from_slice(bytes);
}

/// What the relay sent.
enum Down {
    Ready,
    Message(Bytes),
    Ping,
    Close(u16),
}

/// What the relay must see.
#[derive(Debug)]
enum Up {
    Auth,
    Frame(Bytes),
    Ping,
    Pong,
    Close(u16),
}

/// Both ends, the wire between them, and what has still to arrive.
struct Line {
    client: Client,
    session: Session,
    up: BytesMut,
    down: BytesMut,
    client_buf: BytesMut,
    session_buf: BytesMut,
    /// What the relay sent and where in the stream it ends, in order.
    due_down: VecDeque<(usize, Down)>,
    /// Bytes ever put on the way down, and ever given to the agent's machine.
    sent_down: usize,
    delivered_down: usize,
    due_up: VecDeque<Up>,
    /// The agent's socket carried bytes that were not its machine's: nothing can be said of the way up any more.
    is_hostile: bool,
    is_over: bool,
}

impl Line {
    /// The upgrade is on its way down, `ready` behind it.
    fn dialled() -> Self {
        let dial = Dial {
            host: "relay.example".into(),
            path: "/connect/ws/agent".into(),
            token: TOKEN.into(),
            client: "fuzz".into(),
            parts: true,
            shared: false,
        };
        let client = Client::new(dial, [9; 24]);
        let (mut up, mut down) = (BytesMut::new(), BytesMut::new());
        client.start(&mut up);
        let head = parse_head(&mut up).expect("HTTP").expect("a whole head");
        down.extend_from_slice(handshake::accept(handshake::check(&head).expect("an upgrade")).as_bytes());
        let mut line = Self {
            client,
            session: Session::new(MAX_BODY),
            up,
            sent_down: down.len(),
            down,
            client_buf: BytesMut::new(),
            session_buf: BytesMut::new(),
            due_down: VecDeque::new(),
            delivered_down: 0,
            due_up: VecDeque::from([Up::Auth]),
            is_hostile: false,
            is_over: false,
        };
        let ready = encoded(&Frame::Ready(Ready { agent_id: "a", ..Ready::default() }));
        line.send(Down::Ready, |down| append(down, Kind::Binary, &ready, None));
        line
    }

    fn perform(&mut self, operation: u8, program: &mut Program<'_>) {
        match operation {
            0 => with_frame(program, |frame| {
                if self.client.is_up() {
                    self.client.send(frame, &mut self.up);
                    self.due_up.push_back(Up::Frame(encoded(frame)));
                }
            }),
            1 => self.send_message(with_frame(program, encoded)),
            2 => self.deliver_up(1 + 4 * usize::from(program.number())),
            3 => self.deliver_down(1 + 4 * usize::from(program.number())),
            4 => {
                let payload = program.bytes();
                self.send(Down::Ping, |down| append(down, Kind::Ping, &payload[..payload.len().min(125)], None));
            }
            5 if self.client.is_up() => {
                self.client.ping(&mut self.up);
                self.due_up.push_back(Up::Ping);
            }
            6 => self.send_message(Bytes::copy_from_slice(program.bytes())),
            7 => self.send_fragments(with_frame(program, encoded), usize::from(program.number())),
            8 => {
                let code = 4000 + u16::from(program.number());
                self.send(Down::Close(code), |down| append_close(down, code, "why", None));
            }
            9 => {
                self.up.extend_from_slice(program.bytes());
                self.is_hostile = true;
            }
            _ => {}
        }
    }

    fn send(&mut self, what: Down, write: impl FnOnce(&mut BytesMut)) {
        let before = self.down.len();
        write(&mut self.down);
        self.sent_down += self.down.len() - before;
        self.due_down.push_back((self.sent_down, what));
    }

    fn send_message(&mut self, message: Bytes) {
        self.send(Down::Message(message.clone()), |down| append(down, Kind::Binary, &message, None));
    }

    fn send_fragments(&mut self, message: Bytes, cut: usize) {
        let (first, rest) = message.split_at(cut.min(message.len()).min(125));
        self.send(Down::Ping, |down| {
            down.extend_from_slice(&[0x02, first.len() as u8]);
            down.extend_from_slice(first);
            append(down, Kind::Ping, b"between", None);
        });
        self.send(Down::Message(message.clone()), |down| append(down, Kind::Continuation, rest, None));
    }

    fn deliver_down(&mut self, most: usize) {
        let piece = self.down.split_to(most.min(self.down.len()));
        self.delivered_down += piece.len();
        self.client_buf.extend_from_slice(&piece);
        while !self.is_over {
            let event = self.client.next(&mut self.client_buf, &mut self.up);
            let is_need = matches!(event, Ok(Event::Need(_)));
            self.check_event(event);
            if is_need {
                return;
            }
        }
    }

    /// The agent's machine stopped at `event`: it must have answered or dropped everything before it by itself.
    fn check_event(&mut self, event: Result<Event, ClientError>) {
        let taken = self.delivered_down - self.client_buf.len();
        while self.due_down.front().is_some_and(|(end, _)| *end <= taken) {
            let (end, what) = self.due_down.pop_front().expect("looked at");
            let message = match what {
                Down::Ping => {
                    self.due_up.push_back(Up::Pong);
                    continue;
                }
                Down::Ready => {
                    assert!(matches!(&event, Ok(Event::Ready(ready)) if ready.agent_id == "a"), "{event:?}");
                    return;
                }
                Down::Close(code) => {
                    assert!(matches!(event, Ok(Event::Closed { code: Some(seen), .. }) if seen == code), "{event:?}");
                    self.end(code);
                    return;
                }
                Down::Message(message) => message,
            };
            match decode(&message) {
                Ok(Frame::Ping(t)) => self.due_up.push_back(Up::Frame(encoded(&Frame::Pong(t)))),
                Ok(Frame::Pong(_) | Frame::Unknown(_)) => {}
                Ok(_) => {
                    assert_eq!(event, Ok(Event::Frame(message)));
                    assert_eq!(end, taken, "one event at a time");
                    return;
                }
                Err(_) => {
                    let Err(ClientError::Violation(violation)) = event else { panic!("no frame, but {event:?}") };
                    self.end(violation.code);
                    return;
                }
            }
        }
        assert!(matches!(event, Ok(Event::Need(_))), "{event:?} out of nothing");
    }

    fn end(&mut self, code: u16) {
        self.due_up.push_back(Up::Close(code));
        self.is_over = true;
    }

    fn deliver_up(&mut self, most: usize) {
        let piece = self.up.split_to(most.min(self.up.len()));
        self.session_buf.extend_from_slice(&piece);
        loop {
            let input = match self.session.next(&mut self.session_buf) {
                Ok(Input::Need(_)) => return,
                Ok(input) => input,
                Err(violation) => {
                    assert!(self.is_hostile && close::is_valid_on_wire(violation.code), "{violation}");
                    self.is_over = true;
                    self.session_buf.clear();
                    self.session = Session::new(MAX_BODY);
                    return;
                }
            };
            if self.is_hostile {
                if let Input::Frame(message) = &input {
                    let _ = first_frame(message.first());
                }
                continue;
            }
            match (input, self.due_up.pop_front()) {
                (Input::Frame(message), Some(Up::Auth)) => {
                    assert_eq!(first_frame(message.first()).map(|auth| (auth.token, auth.parts)), Ok((TOKEN, true)));
                }
                (Input::Frame(message), Some(Up::Frame(due))) => assert_eq!(message, due.into()),
                (Input::Ping(payload), Some(Up::Ping)) => assert!(payload.is_empty()),
                (Input::Pong, Some(Up::Pong)) => {}
                (Input::Close(Some(code)), Some(Up::Close(due))) => assert_eq!(code, due),
                (input, due) => panic!("{input:?} instead of {due:?}"),
            }
        }
    }
}
