//! The spool against an exchange that loses acknowledgements, whose link breaks anywhere, and whose database may be
//! restored.

use std::collections::{BTreeMap, BTreeSet};

use bytes::BytesMut;
use landline_link::limits::MAX_MESSAGE_BYTES;
use landline_link::{CallRecord, Credential, Route};
use landline_wire::ids::AgentId;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const AGENT: AgentId = AgentId(Uuid::nil());

fn session(n: u8) -> SessionId {
    SessionId(Uuid::from_u128(u128::from(n)))
}

fn up(n: u8) -> Report {
    let credential = Credential::Key { key_gen: 1 };
    Report::SessionUp(SessionUp { agent: AGENT, session: session(n), at: 0, credential, shared: false })
}

fn down(n: u8) -> Report {
    Report::SessionDown { agent: AGENT, session: session(n), at: 0 }
}

fn call(number: u64) -> Report {
    Report::Call(CallRecord {
        ts: 0,
        from_agent_id: None,
        to_agent_id: AGENT,
        a2a_method: None,
        request_id: number.to_string().into(),
        status_code: 200,
        latency_us: 1,
        route: Route::Relay,
    })
}

/// What the exchange keeps: as `relay::ops::ingest` does, in memory.
#[derive(Clone, Default)]
struct Exchange {
    seq: u64,
    sessions: BTreeSet<SessionId>,
    /// The sessions named since a listing began.
    listing: Option<BTreeSet<SessionId>>,
    calls: BTreeMap<String, usize>,
}

impl Exchange {
    fn ingest(&mut self, bytes: Bytes) -> u64 {
        let batch: ReportBatch = codec::decode(&mut BytesMut::from(&bytes[..]), MAX_MESSAGE_BYTES).unwrap().unwrap();
        assert!(batch.reports.len() <= MAX_BATCH);
        if batch.seq > self.seq {
            self.seq = batch.seq;
            batch.reports.into_iter().for_each(|report| self.apply(report));
        }
        batch.seq
    }

    fn apply(&mut self, report: Report) {
        match report {
            Report::SessionsBegin => self.listing = Some(BTreeSet::new()),
            Report::SessionsEnd => {
                if let Some(listed) = self.listing.take() {
                    self.sessions.retain(|session| listed.contains(session));
                }
            }
            Report::SessionUp(up) => {
                self.sessions.insert(up.session);
                self.listing.iter_mut().for_each(|listed| {
                    listed.insert(up.session);
                });
            }
            Report::SessionDown { session, .. } => {
                self.sessions.remove(&session);
            }
            Report::Call(record) => *self.calls.entry(record.request_id.to_string()).or_default() += 1,
        }
    }
}

#[derive(Debug, Clone)]
enum Event {
    Up(u8),
    Down(u8),
    Calls(usize),
    /// The exchange takes up to so many batches and acknowledges them.
    Work(usize),
    /// It takes one, but the acknowledgement is lost with the connection.
    LoseAck,
    Break,
    Backup,
    Restore,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0u8..6).prop_map(Event::Up),
        4 => (0u8..6).prop_map(Event::Down),
        2 => prop_oneof![1usize..5, 900usize..1_100].prop_map(Event::Calls),
        4 => (1usize..4).prop_map(Event::Work),
        1 => Just(Event::LoseAck),
        1 => Just(Event::Break),
        1 => Just(Event::Backup),
        1 => Just(Event::Restore),
    ]
}

/// The spool, its exchange, and what is true.
#[derive(Default)]
struct World {
    spool: Spool,
    exchange: Exchange,
    backup: Exchange,
    live: BTreeSet<SessionId>,
    calls: u64,
    length: usize,
}

impl World {
    fn push(&mut self, report: Report) {
        self.length += 1;
        self.spool.push(report);
    }

    fn connect(&mut self) {
        self.length += self.spool.connected();
    }

    /// One batch to the exchange and back. Was there one?
    fn work(&mut self) -> bool {
        let Some(bytes) = self.spool.next().unwrap() else { return false };
        let ack = self.exchange.ingest(bytes);
        let Acknowledged { freed, listed } = self.spool.acknowledge(ack).expect("it was sent");
        self.length = self.length + listed - freed;
        true
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Up(n) => {
                if self.live.insert(session(n)) {
                    self.push(up(n));
                }
            }
            Event::Down(n) => {
                if self.live.remove(&session(n)) {
                    self.push(down(n));
                }
            }
            Event::Calls(count) => {
                for _ in 0..count {
                    self.calls += 1;
                    self.push(call(self.calls));
                }
            }
            Event::Work(batches) => drop((0..batches).take_while(|_| self.work()).count()),
            Event::LoseAck => {
                if let Some(bytes) = self.spool.next().unwrap() {
                    self.exchange.ingest(bytes);
                }
                self.connect();
            }
            Event::Break => self.connect(),
            Event::Backup => self.backup = self.exchange.clone(),
            Event::Restore => {
                self.exchange = self.backup.clone();
                self.connect();
            }
        }
    }

    fn settle(&mut self) {
        self.connect();
        while self.work() {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_exchange_ends_up_with_the_sessions_that_are_up(events in prop::collection::vec(event(), 0..50)) {
        let mut world = World::default();
        world.connect();
        events.into_iter().for_each(|event| world.step(event));
        world.settle();
        prop_assert_eq!(&world.exchange.sessions, &world.live);
        prop_assert_eq!(world.length, 0, "what was added was freed");
    }

    #[test]
    fn every_call_counts_once_unless_the_database_was_restored(
        events in prop::collection::vec(event().prop_filter("no restore", |e| !matches!(e, Event::Restore)), 0..50),
    ) {
        let mut world = World::default();
        world.connect();
        events.into_iter().for_each(|event| world.step(event));
        world.settle();
        prop_assert_eq!(world.exchange.calls.len() as u64, world.calls);
        prop_assert!(world.exchange.calls.values().all(|count| *count == 1));
    }
}

#[test]
fn a_batch_is_sent_again_as_it_was() {
    let mut spool = Spool::default();
    spool.connected();
    spool.push(call(1));
    let first = spool.next().unwrap().unwrap();
    spool.push(call(2));
    spool.connected();
    assert_eq!(spool.next().unwrap().unwrap(), first);
    assert_ne!(spool.next().unwrap().unwrap(), first);
    assert_eq!(spool.next().unwrap(), None);
}

#[test]
fn a_link_that_flaps_does_not_fill_the_spool() {
    let mut spool = Spool::default();
    (0..100).for_each(|n| spool.push(up(n)));
    let mut added = 0;
    for _ in 0..1_000 {
        added += spool.connected();
        spool.next().unwrap();
    }
    assert_eq!(added, 102);
}

#[test]
fn no_more_batches_fly_than_may() {
    let mut spool = Spool::default();
    spool.connected();
    for number in 0..(MAX_BATCH * 10) as u64 {
        spool.push(call(number));
    }
    let mut flying = 0;
    while spool.next().unwrap().is_some() {
        flying += 1;
    }
    assert_eq!(flying, MAX_BATCHES_IN_FLIGHT);
    assert!(spool.acknowledge(99).is_none(), "what was not sent cannot be acknowledged");
    assert_eq!(spool.acknowledge(2).map(|done| done.freed), Some(2 * MAX_BATCH));
    assert!(spool.next().unwrap().is_some());
}
