//! Bodies that are not complete have a budget per core: beyond it the next one is refused, those on their way finish,
//! and every byte comes back.

use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;

use landline_tests::api::{self, Agent};
use landline_tests::frame;
use landline_tests::http::{Conn, Request};
use landline_tests::line::{Ended, Line};
use landline_tests::server::{Data, Server};
use landline_tests::wait::{SOON, eventually};
use landline_tests::ws::{Event, frame_bytes, opcode};

/// The least that may be set.
const BUDGET: usize = 16 << 20;
/// Sixteen of them fit, and what little else a core holds at a time; a seventeenth does not.
const BODY: usize = (1 << 20) - (4 << 10);
const FIT: usize = BUDGET / BODY;
/// How long a large body may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);

/// One core, so that all bodies meet one budget.
struct World {
    server: Server,
    addr: SocketAddr,
    callee: Agent,
    caller: Agent,
    measuring: JoinHandle<()>,
    _data: Data,
}

impl World {
    fn start() -> Self {
        let data = Data::new();
        let server = Server::up(&data, &["--cores", "1", "--body-budget", "16MiB"]);
        let addr = server.addr;
        let (callee, caller) = (api::register(addr, "callee"), api::register(addr, "caller"));
        let line = Line::dial(addr, &callee.key).expect("a line");
        Self { server, addr, callee, caller, measuring: std::thread::spawn(|| measure(line)), _data: data }
    }

    /// Begins a call with a body of `BODY` bytes, of which `sent` are sent.
    fn begin(&self, kind: Kind, sent: usize) -> Conn {
        let mut conn = Conn::open(self.addr).expect("listens");
        let length = match kind {
            Kind::Announced => format!("content-length: {BODY}\r\n\r\n"),
            Kind::Chunked => format!("transfer-encoding: chunked\r\n\r\n{BODY:x}\r\n"),
        };
        let (to, key) = (&self.callee.id, &self.caller.key);
        let head = format!("POST /connect/relay/{to} HTTP/1.1\r\nhost: h\r\nauthorization: Bearer {key}\r\n{length}");
        conn.send(head.as_bytes()).expect("sent");
        conn.send(&vec![b'x'; sent]).expect("sent");
        conn
    }

    /// Sends the rest; the agent must have got all of it.
    fn finish(&self, mut conn: Conn, kind: Kind) {
        conn.send(&vec![b'x'; BODY - kind.sent()]).expect("sent");
        if matches!(kind, Kind::Chunked) {
            conn.send(b"\r\n0\r\n\r\n").expect("sent");
        }
        let answer = conn.answer(LIMIT).expect("an answer").expect(200);
        assert_eq!(answer.text(), BODY.to_string());
    }

    /// One more is refused, and told when to come back.
    #[track_caller]
    fn refuses(&self, kind: Kind) {
        let answer = self.begin(kind, BODY / 8).answer(SOON).expect("an answer").expect_problem(503, "overloaded");
        assert!(answer.header("retry-after").is_some());
    }

    /// Waits until the core holds about `count` bodies.
    #[track_caller]
    fn holds(&self, count: usize) {
        let mut last = 0;
        let enough = (count * BODY)..(count * BODY + (64 << 10));
        eventually(LIMIT, &format!("{count} bodies to be held"), || {
            last = self.server.metric("landline_held_bytes") as usize;
            enough.contains(&last).then_some(())
        });
    }

    /// Nothing is held any more, and there is room for as much as ever.
    fn end(self) {
        eventually(SOON, "every byte to come back", || {
            (self.server.metric("landline_held_bytes") == 0.0).then_some(())
        });
        for kind in [Kind::Announced, Kind::Chunked] {
            let all: Vec<_> = (0..FIT).map(|_| self.begin(kind, kind.sent())).collect();
            all.into_iter().for_each(|conn| self.finish(conn, kind));
        }
        assert!(!self.measuring.is_finished(), "the agent's line lived through it");
        self.server.assert_no_panic();
    }
}

/// How a body's length is told.
#[derive(Clone, Copy)]
enum Kind {
    Announced,
    Chunked,
}

impl Kind {
    /// What is sent at first: an announced body counts whole at once, a chunked one as it comes.
    fn sent(self) -> usize {
        match self {
            Self::Announced => BODY / 2,
            Self::Chunked => BODY,
        }
    }
}

/// An agent that answers with the number of bytes that it got.
fn measure(mut line: Line) {
    while let Ok(request) = line.next(Duration::from_secs(120)) {
        if request.kind() == "request" {
            line.send(&frame::response(request.id(), request.body().len().to_string().as_bytes()));
        }
    }
}

#[test]
fn announced_bodies() {
    let world = World::start();
    let mut held: Vec<_> = (0..FIT).map(|_| world.begin(Kind::Announced, BODY / 2)).collect();
    world.holds(FIT);
    world.refuses(Kind::Announced);
    // What needs no room is served.
    let mut conn = Conn::open(world.addr).expect("listens");
    let empty = Request::get(format!("/connect/relay/{}/x", world.callee.id)).bearer(&world.caller.key);
    assert_eq!(conn.ask(&empty).expect("an answer").expect(200).text(), "0");
    // One that finishes, and one that leaves, make room for one each.
    world.finish(held.swap_remove(0), Kind::Announced);
    drop(held.swap_remove(0));
    world.holds(FIT - 2);
    held.extend((0..2).map(|_| world.begin(Kind::Announced, BODY / 2)));
    world.holds(FIT);
    world.refuses(Kind::Announced);
    held.into_iter().for_each(|conn| world.finish(conn, Kind::Announced));
    world.end();
}

#[test]
fn chunked_bodies_that_are_gathered() {
    let world = World::start();
    let mut held: Vec<_> = (0..FIT).map(|_| world.begin(Kind::Chunked, BODY)).collect();
    world.holds(FIT);
    world.refuses(Kind::Chunked);
    drop(held.swap_remove(0));
    world.holds(FIT - 1);
    held.push(world.begin(Kind::Chunked, BODY));
    world.holds(FIT);
    held.into_iter().for_each(|conn| world.finish(conn, Kind::Chunked));
    world.end();
}

#[test]
fn both_share_one_budget() {
    let world = World::start();
    let announced: Vec<_> = (0..FIT / 2).map(|_| world.begin(Kind::Announced, BODY / 2)).collect();
    let chunked: Vec<_> = (0..FIT / 2).map(|_| world.begin(Kind::Chunked, BODY)).collect();
    world.holds(FIT);
    world.refuses(Kind::Announced);
    world.refuses(Kind::Chunked);
    announced.into_iter().for_each(|conn| world.finish(conn, Kind::Announced));
    chunked.into_iter().for_each(|conn| world.finish(conn, Kind::Chunked));
    world.end();
}

/// How a message stays incomplete.
#[derive(Clone, Copy)]
enum Cut {
    /// One frame, of which a half is sent.
    InTheFrame,
    /// Two fragments, the last one to come.
    BetweenFragments,
    /// Many fragments that each fit a read buffer and are read one by one.
    BetweenSmallFragments,
}

/// A call from a line of its own, sent in part.
struct Message {
    line: Line,
    rest: Vec<u8>,
}

impl Message {
    /// `None` if the relay closed the line with 1013.
    fn begin(world: &World, key: &str, cut: Cut) -> Option<Self> {
        let mut line = Line::dial(world.addr, key).expect("a line");
        let call = frame::call(1, &world.callee.id, &vec![b'y'; BODY]);
        let (first, last) = call.split_at(call.len() - 10);
        let sender = line.ws.sender();
        let rest = match cut {
            Cut::InTheFrame => {
                let whole = frame_bytes(opcode::BINARY, true, true, &call);
                let _ = sender.raw(&whole[..whole.len() / 2]);
                whole[whole.len() / 2..].to_vec()
            }
            Cut::BetweenFragments => {
                let _ = sender.frame(opcode::BINARY, false, true, first);
                frame_bytes(opcode::CONTINUATION, true, true, last)
            }
            Cut::BetweenSmallFragments => {
                for (number, piece) in first.chunks(32 << 10).enumerate() {
                    let opcode = if number == 0 { opcode::BINARY } else { opcode::CONTINUATION };
                    let _ = sender.frame(opcode, false, true, piece);
                    // The pong says that the fragment was read, and nothing else with it.
                    let _ = sender.frame(opcode::PING, true, true, b"read?");
                    if !pongs(&mut line) {
                        return None;
                    }
                }
                frame_bytes(opcode::CONTINUATION, true, true, last)
            }
        };
        if matches!(cut, Cut::InTheFrame) {
            // A ping inside of a frame would be a part of it.
            return Self::unless_closed(line, rest);
        }
        let _ = sender.frame(opcode::PING, true, true, b"read?");
        pongs(&mut line).then_some(Self { line, rest })
    }

    fn unless_closed(mut line: Line, rest: Vec<u8>) -> Option<Self> {
        match line.next(Duration::from_millis(300)) {
            Err(Ended::Silence) => Some(Self { line, rest }),
            Err(Ended::Closed(1013, _)) => None,
            other => panic!("{other:?}"),
        }
    }

    fn finish(mut self) {
        self.line.ws.sender().raw(&self.rest).expect("the line is open");
        let answer = self.line.expect("response");
        assert_eq!((answer.id(), answer.body()), (1, BODY.to_string().as_bytes()));
        self.line.assert_alive();
    }
}

/// True at a pong, false if the line is closed with 1013.
#[track_caller]
fn pongs(line: &mut Line) -> bool {
    match line.ws.next(LIMIT) {
        Event::Pong(_) => true,
        Event::Close(1013, _) => false,
        other => panic!("{other:?}"),
    }
}

fn messages_are_bounded(cut: Cut) {
    let world = World::start();
    let callers: Vec<_> = (0..FIT + 1).map(|number| api::register(world.addr, &format!("line-{number}"))).collect();
    let mut held: Vec<_> =
        callers[..FIT].iter().map(|agent| Message::begin(&world, &agent.key, cut).expect("room")).collect();
    world.holds(FIT);
    let last = &callers[FIT].key;
    assert!(Message::begin(&world, last, cut).is_none(), "a message over the budget was taken");
    world.refuses(Kind::Announced);
    // A line that goes makes room, and the one that was refused may come again.
    drop(held.swap_remove(0));
    world.holds(FIT - 1);
    held.push(Message::begin(&world, last, cut).expect("room again"));
    held.into_iter().for_each(Message::finish);
    world.end();
}

#[test]
fn messages_of_one_large_frame() {
    messages_are_bounded(Cut::InTheFrame);
}

#[test]
fn messages_of_large_fragments() {
    messages_are_bounded(Cut::BetweenFragments);
}

#[test]
fn messages_of_small_fragments() {
    messages_are_bounded(Cut::BetweenSmallFragments);
}
