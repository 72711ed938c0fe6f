//! The sessions' log against an exchange that loses acknowledgements, whose link breaks anywhere, and whose database may be
//! restored.

use std::collections::{BTreeMap, BTreeSet};

use bytes::BytesMut;
use landline_link::Credential;
use landline_link::limits::MAX_MESSAGE_BYTES;
use landline_wire::ids::AgentId;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const AGENT: AgentId = AgentId(Uuid::nil());
/// Lines above this number came and went.
const CHURNED: u64 = 1_000;

fn session(n: u64) -> SessionId {
    SessionId(Uuid::from_u128(u128::from(n)))
}

fn up(n: u64) -> Report {
    let credential = Credential::Key { key_gen: 1 };
    Report::SessionUp(SessionUp { agent: AGENT, session: session(n), at: 0, credential, shared: false })
}

fn down(n: u64) -> Report {
    Report::SessionDown { agent: AGENT, session: session(n), at: 0 }
}

/// What the exchange keeps: as its ingestion does, in memory.
#[derive(Clone, Default)]
struct Exchange {
    seq: u64,
    sessions: BTreeSet<SessionId>,
    /// The sessions named since a listing began.
    listing: Option<BTreeSet<SessionId>>,
    ended: BTreeMap<SessionId, usize>,
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
                *self.ended.entry(session).or_default() += 1;
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Event {
    Up(u64),
    Down(u64),
    /// So many lines come and go.
    Churn(usize),
    /// More wait than may.
    Bound(usize),
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
        4 => (0u64..6).prop_map(Event::Up),
        4 => (0u64..6).prop_map(Event::Down),
        2 => prop_oneof![1usize..5, 450usize..550].prop_map(Event::Churn),
        4 => (1usize..4).prop_map(Event::Work),
        1 => (0usize..700).prop_map(Event::Bound),
        1 => Just(Event::LoseAck),
        1 => Just(Event::Break),
        1 => Just(Event::Backup),
        1 => Just(Event::Restore),
    ]
}

/// The log, its exchange, and what is true.
#[derive(Default)]
struct World {
    log: Sessions,
    exchange: Exchange,
    backup: Exchange,
    live: BTreeSet<SessionId>,
    churned: u64,
}

impl World {
    /// One batch to the exchange and back. Was there one?
    fn work(&mut self) -> bool {
        let Some(bytes) = self.log.next().unwrap() else { return false };
        let ack = self.exchange.ingest(bytes);
        assert!(self.log.acknowledge(ack).expect("it was sent") > 0);
        true
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Up(n) => {
                if self.live.insert(session(n)) {
                    self.log.push(up(n));
                }
            }
            Event::Down(n) => {
                if self.live.remove(&session(n)) {
                    self.log.push(down(n));
                }
            }
            Event::Churn(count) => {
                for _ in 0..count {
                    self.churned += 1;
                    self.log.push(up(CHURNED + self.churned));
                    self.log.push(down(CHURNED + self.churned));
                }
            }
            Event::Bound(most) => {
                let before = self.log.len();
                let forgotten = self.log.bound(most);
                assert_eq!(self.log.len(), before - forgotten);
            }
            Event::Work(batches) => drop((0..batches).take_while(|_| self.work()).count()),
            Event::LoseAck => {
                if let Some(bytes) = self.log.next().unwrap() {
                    self.exchange.ingest(bytes);
                }
                self.log.connected();
            }
            Event::Break => self.log.connected(),
            Event::Backup => self.backup = self.exchange.clone(),
            Event::Restore => {
                self.exchange = self.backup.clone();
                self.log.connected();
            }
        }
    }

    fn settle(&mut self) {
        self.log.connected();
        while self.work() {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_exchange_ends_up_with_the_sessions_that_are_up(events in prop::collection::vec(event(), 0..50)) {
        let mut world = World::default();
        world.log.connected();
        events.into_iter().for_each(|event| world.step(event));
        world.settle();
        prop_assert_eq!(&world.exchange.sessions, &world.live);
        prop_assert_eq!(world.log.len(), 0, "what was added was freed");
    }

    #[test]
    fn every_end_counts_once_unless_history_was_lost(
        events in prop::collection::vec(
            event().prop_filter("no loss", |e| !matches!(e, Event::Restore | Event::Bound(_))),
            0..50,
        ),
    ) {
        let mut world = World::default();
        world.log.connected();
        events.into_iter().for_each(|event| world.step(event));
        world.settle();
        let ended = |n| world.exchange.ended.get(&session(n)).copied();
        prop_assert!((1..=world.churned).all(|n| ended(CHURNED + n) == Some(1)));
    }
}

#[test]
fn a_batch_is_sent_again_as_it_was() {
    let mut log = Sessions::default();
    log.connected();
    log.push(up(1));
    let first = log.next().unwrap().unwrap();
    log.push(up(2));
    log.connected();
    assert_eq!(log.next().unwrap().unwrap(), first);
    assert_ne!(log.next().unwrap().unwrap(), first);
    assert_eq!(log.next().unwrap(), None);
}

#[test]
fn a_link_that_flaps_does_not_fill_the_log() {
    let mut log = Sessions::default();
    (0..100).for_each(|n| log.push(up(n)));
    for _ in 0..1_000 {
        log.connected();
        log.next().unwrap();
    }
    assert_eq!(log.len(), 100 + 102);
}

#[test]
fn lines_that_come_and_go_while_nobody_listens_do_not_fill_the_log() {
    let mut log = Sessions::default();
    let mut forgotten = 0;
    for n in 0..10_000 {
        log.push(up(n));
        log.push(down(n));
        forgotten += log.bound(500);
        assert!(log.len() <= 501);
    }
    assert_eq!(forgotten + log.len(), 20_000);
}

#[test]
fn no_more_batches_fly_than_may() {
    let mut log = Sessions::default();
    log.connected();
    (0..(MAX_BATCH * 10) as u64).for_each(|n| log.push(up(n)));
    let mut flying = 0;
    while log.next().unwrap().is_some() {
        flying += 1;
    }
    assert_eq!(flying, MAX_BATCHES_IN_FLIGHT);
    assert!(log.acknowledge(99).is_none(), "what was not sent cannot be acknowledged");
    assert_eq!(log.acknowledge(2), Some(2 * MAX_BATCH));
    assert!(log.next().unwrap().is_some());
}
