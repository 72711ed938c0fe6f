//! Whatever is lost, repeated, cut off, pruned or restored on the way, a switch ends up with the exchange's state.

use std::collections::{BTreeMap, VecDeque};

use landline_link::{Cursor, Down, Effect, Need, Op, Publisher, Subscriber, Welcome};
use landline_wire::ids::{AgentId, NodeId};
use proptest::prelude::*;
use uuid::Uuid;

/// What ops add up to: whether each agent is blocked.
type State = BTreeMap<AgentId, bool>;

fn agent(n: u8) -> AgentId {
    AgentId(Uuid::from_u128(u128::from(n)))
}

fn apply(state: &mut State, op: &Op) {
    if let Op::Block { agent, blocked } = op {
        state.insert(*agent, *blocked);
    }
}

/// The exchange's database: state, outbox, counter.
#[derive(Clone)]
struct Database {
    place: Cursor,
    state: State,
    outbox: VecDeque<(u64, Op)>,
}

impl Database {
    fn change(&mut self, who: u8, blocked: bool) {
        let op = Op::Block { agent: agent(who), blocked };
        self.place.revision += 1;
        apply(&mut self.state, &op);
        self.outbox.push_back((self.place.revision, op));
    }

    /// Sends what a node needs, as the feed does.
    fn publish(&self, publisher: &mut Publisher, limit: usize) -> Vec<Down> {
        let mut out = Vec::new();
        loop {
            match publisher.need(self.place, self.outbox.front().map(|(revision, _)| *revision)) {
                Need::Nothing => {
                    out.extend(publisher.current());
                    return out;
                }
                Need::Snapshot => {
                    let ops = self.state.iter().map(|(agent, blocked)| Op::Block { agent: *agent, blocked: *blocked });
                    out.extend(publisher.snapshot(self.place, ops.collect()));
                }
                Need::After(revision) => {
                    let rows = self.outbox.iter().filter(|(at, _)| *at > revision).take(limit).cloned().collect();
                    out.extend(publisher.deltas(rows).unwrap_or_default());
                }
            }
        }
    }
}

/// The switch, and the connection it has.
struct Node {
    subscriber: Subscriber,
    state: State,
    synced: bool,
    publisher: Publisher,
    wire: VecDeque<Down>,
}

impl Node {
    fn connect(&mut self) {
        self.publisher = Publisher::new(self.subscriber.connect());
        self.synced = false;
        self.wire.clear();
        self.wire.push_back(Down::Welcome(Welcome {
            node: NodeId(Uuid::nil()),
            public_url: String::new(),
            prefix: String::new(),
            issuer: String::new(),
        }));
    }

    /// Takes one message; a fault ends the connection, and the next one begins.
    fn receive(&mut self, message: Down) {
        match self.subscriber.take(message) {
            Err(_) => self.connect(),
            Ok(effects) => {
                for effect in effects {
                    match effect {
                        Effect::Reset => self.state.clear(),
                        Effect::Apply(ops) => ops.iter().for_each(|op| apply(&mut self.state, op)),
                        Effect::Synced => self.synced = true,
                        Effect::Welcome(_) | Effect::Kick { .. } | Effect::Drain { .. } => {}
                    }
                }
            }
        }
    }
}

#[derive(Debug, Clone)]
enum Event {
    /// The exchange changes something.
    Change(u8, bool),
    /// The exchange sends what is new, reading so many ops at once.
    Publish(usize),
    /// So many messages arrive.
    Deliver(u8),
    /// The next message is lost.
    Lose,
    /// The next message arrives twice.
    Repeat,
    /// The connection breaks, with everything on it.
    Break,
    /// The outbox forgets all but its last so many ops.
    Prune(usize),
    /// A copy of the database is made.
    Backup,
    /// The database is replaced by the copy, under a new epoch.
    Restore,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        6 => (0u8..5, any::<bool>()).prop_map(|(who, blocked)| Event::Change(who, blocked)),
        5 => (1usize..4).prop_map(Event::Publish),
        5 => (1u8..6).prop_map(Event::Deliver),
        1 => Just(Event::Lose),
        1 => Just(Event::Repeat),
        1 => Just(Event::Break),
        1 => (0usize..4).prop_map(Event::Prune),
        1 => Just(Event::Backup),
        1 => Just(Event::Restore),
    ]
}

fn run(events: Vec<Event>) -> (Database, Node) {
    let mut epochs = 1;
    let mut database = Database {
        place: Cursor { epoch: Uuid::from_u128(epochs), revision: 0 },
        state: State::new(),
        outbox: VecDeque::new(),
    };
    let mut backup = database.clone();
    let mut node = Node {
        subscriber: Subscriber::new(),
        state: State::new(),
        synced: false,
        publisher: Publisher::new(None),
        wire: VecDeque::new(),
    };
    node.connect();
    for event in events {
        match event {
            Event::Change(who, blocked) => database.change(who, blocked),
            Event::Publish(limit) => {
                let sent = database.publish(&mut node.publisher, limit);
                node.wire.extend(sent);
            }
            Event::Deliver(count) => {
                for _ in 0..count {
                    let Some(message) = node.wire.pop_front() else { break };
                    node.receive(message);
                }
            }
            Event::Lose => drop(node.wire.pop_front()),
            Event::Repeat => {
                if let Some(message) = node.wire.pop_front() {
                    node.receive(message.clone());
                    node.receive(message);
                }
            }
            Event::Break => node.connect(),
            Event::Prune(kept) => drop(database.outbox.drain(..database.outbox.len().saturating_sub(kept))),
            Event::Backup => backup = database.clone(),
            Event::Restore => {
                epochs += 1;
                database = backup.clone();
                database.place.epoch = Uuid::from_u128(epochs);
            }
        }
    }
    (database, node)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_history_ends_in_the_exchanges_state(events in prop::collection::vec(event(), 0..60)) {
        let (database, mut node) = run(events);
        // The storm is over: from here on nothing is lost. What the last loss left behind is noticed by the next
        // connection at the latest.
        node.connect();
        for _ in 0..3 {
            let sent = database.publish(&mut node.publisher, 2);
            node.wire.extend(sent);
            while let Some(message) = node.wire.pop_front() {
                node.receive(message);
            }
        }
        prop_assert!(node.synced);
        prop_assert_eq!(&node.state, &database.state);
        prop_assert_eq!(node.subscriber.have(), Some(database.place));
    }

    #[test]
    fn a_switch_that_says_it_is_in_step_is(events in prop::collection::vec(event(), 0..60)) {
        let (mut database, mut node) = run(events);
        // Whatever happened before: as soon as the switch has the exchange's place, it has its state.
        database.change(0, true);
        let sent = database.publish(&mut node.publisher, 3);
        node.wire.extend(sent);
        while let Some(message) = node.wire.pop_front() {
            node.receive(message);
            if node.subscriber.have() == Some(database.place) {
                prop_assert_eq!(&node.state, &database.state);
            }
        }
    }
}

#[test]
fn a_switch_is_never_seen_between_two_snapshots() {
    let mut subscriber = Subscriber::new();
    subscriber.connect();
    let place = |revision| Cursor { epoch: Uuid::nil(), revision };
    let welcome =
        Welcome { node: NodeId(Uuid::nil()), public_url: String::new(), prefix: String::new(), issuer: String::new() };
    subscriber.take(Down::Welcome(welcome.clone())).unwrap();
    let ops = vec![Op::Block { agent: agent(1), blocked: true }];
    assert_eq!(subscriber.take(Down::SnapshotBegin), Ok(vec![]));
    assert_eq!(subscriber.take(Down::SnapshotPart { part: 0, ops: ops.clone() }), Ok(vec![]));
    assert_eq!(
        subscriber.take(Down::SnapshotEnd { parts: 1, place: place(1) }),
        Ok(vec![Effect::Reset, Effect::Apply(ops), Effect::Synced])
    );
    // A second one that is cut off changes nothing, not even what the next connection asks for.
    subscriber.take(Down::SnapshotBegin).unwrap();
    assert_eq!(subscriber.connect(), Some(place(1)));
    assert!(subscriber.take(Down::SnapshotBegin).is_err(), "the welcome comes first");
    assert_eq!(subscriber.connect(), None, "after a fault a snapshot is asked for");
}
