//! What one call costs the engine: finding a line, and whole calls from the request to the answer, without sockets.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use criterion::{Criterion, criterion_group, criterion_main};
use landline_bench::body;
use landline_engine::{Attach, CallRequest, Config, ConnKey, Effect, Engine, Flush, LineKey, Now, Origin, Principal};
use landline_link::Credential;
use landline_wire::frame::{Call, Frame, Response, decode, encode};
use landline_wire::ids::{AgentId, SessionId};
use landline_wire::message::{Message, Progress, Reader, Role};

const NOW: Now = Now { us: 1_000_000, unix_ms: 1_700_000_000_000 };
/// Lines that stand beside the two of a call.
const CROWD: u64 = 10_000;

struct Exchange {
    engine: Engine,
    caller: LineKey,
    callee: LineKey,
    call: Bytes,
    target: AgentId,
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

impl Exchange {
    fn new() -> Self {
        let mut engine = Engine::new(0, 1, Config::default(), [1; 32]);
        for n in 0..CROWD {
            attach(&mut engine, n);
        }
        let (caller, callee) = (attach(&mut engine, CROWD), attach(&mut engine, CROWD + 1));
        let target = agent(CROWD + 1);
        let mut call = BytesMut::new();
        encode(&mut call, &Frame::Call(Call { id: 1, to: &target.to_string(), body: &body(128), ..Call::default() }));
        Self { engine, caller, callee, call: call.freeze(), target }
    }

    /// The callee's agent answers the request that waits for its socket.
    fn answer(&mut self) {
        let message = self.received(self.callee);
        let Ok(Frame::Request(request)) = decode(&message) else { panic!("a request") };
        let mut answer = BytesMut::new();
        encode(&mut answer, &Frame::Response(Response { id: request.id, body: request.body, ..Response::default() }));
        self.engine.message(self.callee, answer.freeze().into(), NOW);
    }

    fn received(&mut self, line: LineKey) -> Bytes {
        let Some(Flush::One(mut buf)) = self.engine.take_output(line) else { panic!("one buffer") };
        let mut reader = Reader::new(Role::Client, 1 << 20);
        let Ok(Progress::Message(Message::Binary(message))) = reader.next(&mut buf) else { panic!("a message") };
        message.into_bytes()
    }
}

/// Takes all effects; gives how many calls were recorded and replied to over HTTP.
fn settle(engine: &mut Engine) -> (usize, usize) {
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

fn calls(c: &mut Criterion) {
    let mut exchange = Exchange::new();
    c.bench_function("line_of_an_agent_among_10000", |b| {
        b.iter(|| exchange.engine.lines().least_busy(black_box(exchange.target)).is_some())
    });
    c.bench_function("call_from_line_to_line", |b| {
        b.iter(|| {
            exchange.engine.message(exchange.caller, exchange.call.clone().into(), NOW);
            exchange.answer();
            assert_eq!(settle(&mut exchange.engine), (1, 0));
            exchange.received(exchange.caller)
        })
    });
    let payload = Bytes::from(body(128));
    c.bench_function("call_from_http_to_line", |b| {
        b.iter(|| {
            exchange.engine.place(request(exchange.target, payload.clone()), NOW);
            exchange.answer();
            assert_eq!(settle(&mut exchange.engine), (1, 1));
        })
    });
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

criterion_group! {
    name = engine;
    config = landline_bench::criterion();
    targets = calls
}
criterion_main!(engine);
