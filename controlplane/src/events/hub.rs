//! Rings of events and their listeners.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::Topic;
use crate::config::Config;

/// A comment goes out when nothing else did for so long: proxies and clients learn that the stream lives.
const COMMENT_EVERY: Duration = Duration::from_secs(15);
/// Events in one write, so that a listener far behind shares the thread.
const EVENTS_PER_WRITE: usize = 256;
/// First bytes of a stream: they carry the answer's head through whatever buffers on the way, and say how soon to come
/// back.
const GREETING: &[u8] = b"retry: 1000\n: landline\n\n";
const COMMENT: &[u8] = b": still here\n\n";

/// One event, as it is written.
#[derive(Debug, Clone)]
struct Event {
    id: u64,
    frame: Bytes,
}

#[derive(Debug, Default)]
struct State {
    next_id: u64,
    rings: [VecDeque<Event>; Topic::ALL.len()],
    listeners: usize,
    per_ip: HashMap<IpAddr, usize>,
}

#[derive(Debug)]
struct Shared {
    ring: usize,
    max_listeners: usize,
    max_per_ip: usize,
    state: Mutex<State>,
    /// The id after the last event; closed by sending `u64::MAX`.
    newest: watch::Sender<u64>,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The topics and their listeners; cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub(Arc<Shared>);

/// Why a listener was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// Its address has as many as it may.
    PerIp,
    /// There are as many as there may be.
    Total,
}

const CLOSED: u64 = u64::MAX;

impl Hub {
    /// Empty rings. The ids begin at the time in microseconds, above those of any earlier start.
    pub fn new(config: &Config, now_ms: i64) -> Self {
        let next_id = now_ms.max(0).unsigned_abs().saturating_mul(1_000);
        Self(Arc::new(Shared {
            ring: config.events_ring.max(1),
            max_listeners: config.events_total,
            max_per_ip: config.events_per_ip,
            state: Mutex::new(State { next_id, ..State::default() }),
            newest: watch::Sender::new(next_id),
        }))
    }

    /// Adds events of a topic, each a kind and its JSON.
    pub fn publish(&self, topic: Topic, events: impl IntoIterator<Item = (&'static str, String)>) {
        let next_id = {
            let mut state = self.0.state();
            let State { next_id, rings, .. } = &mut *state;
            let ring = &mut rings[topic as usize];
            for (kind, json) in events {
                if ring.len() >= self.0.ring {
                    ring.pop_front();
                }
                let id = *next_id;
                ring.push_back(Event { id, frame: format!("event: {kind}\nid: {id}\ndata: {json}\n\n").into() });
                *next_id += 1;
            }
            *next_id
        };
        self.0.newest.send_if_modified(|newest| {
            let grown = *newest < next_id;
            *newest = (*newest).max(next_id);
            grown
        });
    }

    /// A new listener: from `after` on, as far as the rings reach, or from now on.
    pub fn listen(&self, topics: Vec<Topic>, after: Option<u64>, ip: IpAddr) -> Result<Listener, Refused> {
        let mut state = self.0.state();
        let of_ip = state.per_ip.get(&ip).copied().unwrap_or_default();
        if of_ip >= self.0.max_per_ip {
            return Err(Refused::PerIp);
        }
        if state.listeners >= self.0.max_listeners {
            return Err(Refused::Total);
        }
        state.per_ip.insert(ip, of_ip + 1);
        state.listeners += 1;
        let from = after.map_or(state.next_id, |after| after.saturating_add(1).min(state.next_id));
        let newest = self.0.newest.subscribe();
        Ok(Listener { hub: self.clone(), topics, from, ip, newest, greeted: false })
    }

    /// Listeners now.
    pub fn listeners(&self) -> usize {
        self.0.state().listeners
    }

    /// Ends every listener's stream, now and from now on.
    pub fn close(&self) {
        self.0.newest.send_replace(CLOSED);
    }

    /// The events of these topics from an id on, in order, as they are written; and the id to read on from.
    fn since(&self, topics: &[Topic], from: u64) -> (Bytes, u64) {
        let state = self.0.state();
        let mut events: Vec<&Event> = Vec::new();
        for topic in topics {
            let ring = &state.rings[*topic as usize];
            let start = ring.partition_point(|event| event.id < from);
            events.extend(ring.range(start..).take(EVENTS_PER_WRITE));
        }
        events.sort_unstable_by_key(|event| event.id);
        events.truncate(EVENTS_PER_WRITE);
        let read_on = if events.len() < EVENTS_PER_WRITE { state.next_id } else { events[EVENTS_PER_WRITE - 1].id + 1 };
        let mut bytes = BytesMut::with_capacity(events.iter().map(|event| event.frame.len()).sum());
        for event in events {
            bytes.extend_from_slice(&event.frame);
        }
        (bytes.freeze(), read_on)
    }
}

/// A place in the rings. Dropping it makes room for another listener.
#[derive(Debug)]
pub struct Listener {
    hub: Hub,
    topics: Vec<Topic>,
    from: u64,
    ip: IpAddr,
    newest: watch::Receiver<u64>,
    greeted: bool,
}

impl Listener {
    /// The next bytes of the stream; `None` when the exchange stops.
    pub async fn next(&mut self) -> Option<Bytes> {
        if !self.greeted {
            self.greeted = true;
            return Some(Bytes::from_static(GREETING));
        }
        let comment_at = Instant::now() + COMMENT_EVERY;
        loop {
            // Marked as seen before the rings are read: what is added after that wakes us.
            if *self.newest.borrow_and_update() == CLOSED {
                return None;
            }
            let (bytes, read_on) = self.hub.since(&self.topics, self.from);
            self.from = read_on;
            if !bytes.is_empty() {
                return Some(bytes);
            }
            tokio::select! {
                changed = self.newest.changed() => changed.ok()?,
                () = sleep_until(comment_at) => return Some(Bytes::from_static(COMMENT)),
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut state = self.hub.0.state();
        state.listeners -= 1;
        if let Some(count) = state.per_ip.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                state.per_ip.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hub(ring: usize) -> Hub {
        let mut config = Config::new("/nowhere", "http://localhost");
        config.events_ring = ring;
        config.events_per_ip = 2;
        config.events_total = 3;
        Hub::new(&config, 1_000)
    }

    fn ip(n: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, n])
    }

    fn publish(hub: &Hub, topic: Topic, names: &[&str]) {
        hub.publish(topic, names.iter().map(|name| ("kind", format!("\"{name}\""))));
    }

    async fn text(listener: &mut Listener) -> String {
        String::from_utf8(listener.next().await.unwrap().to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_listener_gets_its_topics_in_order_and_nothing_older() {
        let hub = hub(100);
        publish(&hub, Topic::Relay, &["old"]);
        let mut listener = hub.listen(vec![Topic::Relay, Topic::Agents], None, ip(1)).unwrap();
        let mut other = hub.listen(vec![Topic::Agents], None, ip(1)).unwrap();
        assert!(text(&mut listener).await.starts_with("retry: "));
        text(&mut other).await;
        publish(&hub, Topic::Relay, &["a"]);
        publish(&hub, Topic::Agents, &["b"]);
        let expected = "event: kind\nid: 1000001\ndata: \"a\"\n\nevent: kind\nid: 1000002\ndata: \"b\"\n\n";
        assert_eq!(text(&mut listener).await, expected);
        assert_eq!(text(&mut other).await, "event: kind\nid: 1000002\ndata: \"b\"\n\n");
    }

    #[tokio::test]
    async fn a_resumed_listener_catches_up_as_far_as_the_ring_reaches() {
        let hub = hub(3);
        publish(&hub, Topic::Relay, &["a", "b", "c", "d"]);
        for (after, expected) in [(1_000_001, "cd"), (1_000_000, "bcd"), (0, "bcd")] {
            let mut listener = hub.listen(vec![Topic::Relay], Some(after), ip(1)).unwrap();
            text(&mut listener).await;
            let got: String = text(&mut listener).await.split('"').skip(1).step_by(2).collect();
            assert_eq!(got, expected);
        }
        let mut ahead = hub.listen(vec![Topic::Relay], Some(u64::MAX), ip(1)).unwrap();
        text(&mut ahead).await;
        publish(&hub, Topic::Relay, &["e"]);
        assert!(text(&mut ahead).await.contains("\"e\""), "an id from the future counts as now");
    }

    #[tokio::test(start_paused = true)]
    async fn a_quiet_stream_says_that_it_lives_and_ends_when_the_hub_closes() {
        let hub = hub(3);
        let mut listener = hub.listen(vec![Topic::Relay], None, ip(1)).unwrap();
        text(&mut listener).await;
        let began = Instant::now();
        assert!(text(&mut listener).await.starts_with(':'));
        assert_eq!(began.elapsed(), COMMENT_EVERY);
        hub.close();
        publish(&hub, Topic::Relay, &["late"]);
        assert_eq!(listener.next().await, None);
    }

    #[test]
    fn listeners_are_capped_and_leaving_makes_room() {
        let hub = hub(3);
        let listen = |n| hub.listen(vec![Topic::Relay], None, ip(n));
        let (_a, b) = (listen(1).unwrap(), listen(1).unwrap());
        assert_eq!(listen(1).unwrap_err(), Refused::PerIp);
        let _c = listen(2).unwrap();
        assert_eq!(listen(3).unwrap_err(), Refused::Total);
        drop(b);
        assert_eq!(hub.listeners(), 2);
        listen(1).unwrap();
    }

    #[tokio::test]
    async fn a_listener_far_behind_gets_everything_in_pieces() {
        let hub = hub(1_000);
        let mut listener = hub.listen(vec![Topic::Relay, Topic::Agents], None, ip(1)).unwrap();
        text(&mut listener).await;
        for n in 0..600 {
            publish(&hub, Topic::ALL[n % 2], &[&n.to_string()]);
        }
        let mut got = String::new();
        while got.matches("data: ").count() < 600 {
            got.push_str(&text(&mut listener).await);
        }
        let ids: Vec<u64> = got.lines().filter_map(|line| line.strip_prefix("id: ")?.parse().ok()).collect();
        assert_eq!(ids, (1_000_000..1_000_600).collect::<Vec<u64>>());
    }
}
