//! The log against an exchange that loses acknowledgements, a link that breaks, a disk that refuses, and a process that
//! is killed anywhere.

use std::collections::BTreeMap;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;

use bytes::BytesMut;
use landline_link::limits::MAX_MESSAGE_BYTES;
use landline_link::{CallRecord, RecordBatch, Route, codec};
use landline_wire::ids::AgentId;
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::spool::flight::Flight;
use crate::spool::format::ENTRY_HEAD_BYTES;

/// Small enough that a few records roll segments and spill out of memory.
const SIZES: Sizes = Sizes { segment: 600, ahead: 700, batch: 500 };

fn chunk(numbers: std::ops::Range<u64>) -> Chunk {
    let mut bytes = vec![0; ENTRY_HEAD_BYTES];
    let count = (numbers.end - numbers.start) as u32;
    for number in numbers {
        let record = CallRecord {
            ts: 0,
            from_agent_id: None,
            to_agent_id: AgentId(Uuid::nil()),
            a2a_method: None,
            request_id: number.to_string().into(),
            status_code: 200,
            latency_us: 1,
            route: Route::Relay,
        };
        record.encode_into(&mut bytes);
    }
    Chunk { bytes, count }
}

/// What the exchange keeps: for each log, the place it has reached and the records in the order of their arrival.
#[derive(Default)]
struct Exchange(BTreeMap<Uuid, (u64, Vec<u64>)>);

impl Exchange {
    fn apply(&mut self, batch: &Batch) -> RecordAck {
        let bytes = batch.pieces.concat();
        let batch: RecordBatch = codec::decode(&mut BytesMut::from(&bytes[..]), MAX_MESSAGE_BYTES).unwrap().unwrap();
        let (next, records) = self.0.entry(batch.log).or_default();
        let end = batch.first + batch.records.len() as u64;
        for (place, record) in (batch.first..).zip(&batch.records) {
            if place >= *next {
                records.push(record.request_id.parse().unwrap());
            }
        }
        *next = end.max(*next);
        RecordAck { log: batch.log, next: end }
    }
}

#[derive(Debug, Clone)]
enum Event {
    Append(u64),
    /// The exchange takes up to so many batches and acknowledges them.
    Work(usize),
    /// It takes one, but the acknowledgement is lost with the connection.
    LoseAck,
    Refuse,
    Retry,
    Kill,
    /// Killed in the middle of a write: so many bytes of an entry are there.
    Tear(usize),
    /// The power is cut: so many bytes at the end never reached the disk.
    Cut(u64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        8 => (1u64..12).prop_map(Event::Append),
        6 => (1usize..5).prop_map(Event::Work),
        1 => Just(Event::LoseAck),
        1 => Just(Event::Refuse),
        2 => Just(Event::Retry),
        1 => Just(Event::Kill),
        1 => (1usize..60).prop_map(Event::Tear),
        1 => (1u64..300).prop_map(Event::Cut),
    ]
}

struct World {
    dir: TempDir,
    log: Log,
    flight: Flight,
    exchange: Exchange,
    /// What was appended to each log, and whether its end may be missing.
    appended: BTreeMap<Uuid, (Vec<u64>, bool)>,
    numbers: u64,
    starts: u128,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (log, left) = Log::open(Folder::of(dir.path()), SIZES, Uuid::from_u128(1));
        assert_eq!(left, 0);
        let (flight, exchange, appended) = Default::default();
        Self { dir, log, flight, exchange, appended, numbers: 0, starts: 1 }
    }

    fn append(&mut self, count: u64) {
        let numbers = self.numbers..self.numbers + count;
        self.numbers = numbers.end;
        self.appended.entry(self.log.id).or_default().0.extend(numbers.clone());
        self.log.append(chunk(numbers));
    }

    fn fly(&mut self) -> Option<Batch> {
        if let Some(batch) = self.log.take() {
            self.flight.push(batch);
        }
        self.flight.next()
    }

    fn work(&mut self) -> bool {
        let Some(batch) = self.fly() else { return false };
        let ack = self.exchange.apply(&batch);
        assert!(self.flight.acknowledge(ack).is_some());
        self.log.acknowledge(ack);
        true
    }

    fn restart(&mut self) {
        let may_miss = self.log.unwritten_bytes > 0 || self.log.refusal.is_some();
        self.appended.entry(self.log.id).or_default().1 |= may_miss;
        self.starts += 1;
        self.log = Log::open(Folder::of(self.dir.path()), SIZES, Uuid::from_u128(self.starts)).0;
        self.flight = Flight::default();
    }

    /// The file that is written to.
    fn last_file(&self) -> Option<std::path::PathBuf> {
        self.log.disk.list.back().filter(|_| self.log.disk.is_open).map(|last| self.log.disk.folder.file(last.number))
    }

    fn step(&mut self, event: Event) {
        match event {
            Event::Append(count) => self.append(count),
            Event::Work(batches) => drop((0..batches).take_while(|_| self.work()).count()),
            Event::LoseAck => {
                if let Some(batch) = self.fly() {
                    self.exchange.apply(&batch);
                }
                self.flight.connected();
            }
            Event::Refuse => self.log.refuse(&"for the test"),
            Event::Retry => drop(self.log.retry()),
            Event::Kill => self.restart(),
            Event::Tear(bytes) => {
                let torn = chunk(0..9).bytes;
                if let Some(path) = self.last_file() {
                    let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
                    file.write_all(&torn[..bytes.min(torn.len())]).unwrap();
                }
                self.restart();
            }
            Event::Cut(bytes) => {
                if let Some(path) = self.last_file() {
                    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
                    file.set_len(file.metadata().unwrap().len().saturating_sub(bytes)).unwrap();
                    self.appended.entry(self.log.id).or_default().1 = true;
                }
                self.restart();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn each_record_arrives_once_and_in_order_whatever_happens(events in prop::collection::vec(event(), 0..60)) {
        let mut world = World::new();
        events.into_iter().for_each(|event| world.step(event));
        world.log.retry();
        world.flight.connected();
        while world.work() {}
        prop_assert_eq!(world.log.disk.kept(), 0);
        for (log, (appended, may_miss)) in &world.appended {
            let arrived = world.exchange.0.get(log).map_or(&[][..], |(_, records)| records);
            if *may_miss {
                prop_assert!(appended.starts_with(arrived), "{:?} of {:?}", arrived, appended);
            } else {
                prop_assert_eq!(arrived, appended);
            }
        }
        world.log.disk.clear();
        let files = world.log.disk.folder.numbers().unwrap();
        prop_assert!(files.is_empty(), "what was delivered is deleted: {:?}", files);
    }
}

#[test]
fn memory_is_bounded_and_everything_is_read_back() {
    let mut world = World::new();
    (0..2_000).for_each(|_| world.append(3));
    assert!(world.log.ahead_bytes <= SIZES.ahead, "{}", world.log.ahead_bytes);
    assert!(world.log.disk.list.len() > 100);
    assert_eq!((world.log.unwritten_bytes(), world.log.disk.kept()), (0, 6_000));
    while world.work() {
        // A whole segment may be read at once.
        assert!(world.log.ahead_bytes <= SIZES.ahead + SIZES.segment as usize * 2, "{}", world.log.ahead_bytes);
    }
    assert_eq!(world.exchange.0[&world.log.id].1, (0..6_000).collect::<Vec<_>>());
    assert!(world.log.disk.list.len() <= 1, "delivered segments are deleted");
}

#[test]
fn what_waits_goes_in_large_batches() {
    let mut log = World::new().log;
    (0..20).for_each(|number| log.append(chunk(number..number + 1)));
    let batches: Vec<_> = std::iter::from_fn(|| log.take()).collect();
    assert!(batches.len() <= 5, "{} batches", batches.len());
    assert!(batches.iter().all(|batch| batch.pieces[1..].iter().map(Bytes::len).sum::<usize>() <= SIZES.batch));
}

#[test]
fn a_file_that_is_no_segment_is_set_aside_and_the_others_are_delivered() {
    let mut world = World::new();
    (0..40).for_each(|_| world.append(5));
    let numbers = world.log.disk.folder.numbers().unwrap();
    let middle = world.log.disk.folder.file(numbers[numbers.len() / 2]);
    let missing = world.log.disk.list[numbers.len() / 2].waiting().1;
    std::fs::write(&middle, b"nonsense").unwrap();
    world.restart();
    while world.work() {}
    let arrived = &world.exchange.0[&Uuid::from_u128(1)].1;
    assert_eq!(arrived.len() as u64, 200 - missing);
    assert!(arrived.is_sorted());
    assert!(!middle.exists() && middle.with_extension("damaged").exists());
}

#[test]
fn a_file_that_breaks_while_it_waits_is_counted_as_lost() {
    let mut world = World::new();
    (0..40).for_each(|_| world.append(5));
    let damaged = &world.log.disk.list[6];
    let (path, all) = (world.log.disk.folder.file(damaged.number), damaged.waiting().1);
    let mut bytes = std::fs::read(&path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    while world.work() {}
    let (lost, arrived) = (world.log.take_lost(), world.exchange.0[&world.log.id].1.len() as u64);
    assert!(lost > 0 && lost <= all, "{lost}");
    assert_eq!(lost + arrived, 200);
}

#[test]
fn only_the_owner_may_look() {
    let mut world = World::new();
    world.append(1);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(world.log.disk.folder.path()), 0o700);
    assert_eq!(mode(&world.last_file().unwrap()), 0o600);
}
