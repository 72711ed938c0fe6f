//! A stream of events whose caller loses its connection again and again: every event arrives once, in order, and the
//! agent sees one call.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use landline_tests::api;
use landline_tests::frame;
use landline_tests::http::{Conn, Request};
use landline_tests::line::Line;
use landline_tests::server::{Data, Server};

const EVENTS: usize = 100_000;
const CUTS: usize = 50;
const WINDOW: u64 = 256 << 10;

/// An agent that answers every call with `EVENTS` numbered events, as fast as its credit allows.
fn stream_events(addr: SocketAddr, key: &str) -> Arc<AtomicUsize> {
    let mut line = Line::dial(addr, key).expect("a line");
    let calls = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&calls);
    let credit = Arc::new((Mutex::new(BTreeMap::<u64, u64>::new()), Condvar::new()));
    std::thread::spawn(move || {
        while let Ok(frame) = line.next(Duration::from_secs(120)) {
            match frame.kind() {
                "request" => {
                    seen.fetch_add(1, Ordering::SeqCst);
                    let (sender, credit, id) = (line.ws.sender(), Arc::clone(&credit), frame.id());
                    std::thread::spawn(move || {
                        let first = b"data: first\n\n";
                        let fields = [("content-type", "text/event-stream")];
                        let mut left = WINDOW - first.len() as u64;
                        let mut go = sender.binary(&frame::response_with(id, 200, &fields, true, first)).is_ok();
                        for number in 0..EVENTS {
                            let event = format!("event: tick\ndata: {number}\n\n");
                            while go && left < event.len() as u64 {
                                let (granted, changed) = &*credit;
                                let mut granted = granted.lock().expect("no panic");
                                match granted.remove(&id) {
                                    Some(bytes) => left += bytes,
                                    None => drop(changed.wait_timeout(granted, Duration::from_secs(60))),
                                }
                            }
                            left -= event.len() as u64;
                            go = go && sender.binary(&frame::chunk(id, true, event.as_bytes())).is_ok();
                        }
                        let _ = sender.binary(&frame::chunk(id, false, b""));
                    });
                }
                "credit" => {
                    let (granted, changed) = &*credit;
                    let bytes = frame.number("bytes").expect("bytes");
                    *granted.lock().expect("no panic").entry(frame.id()).or_default() += bytes;
                    changed.notify_all();
                }
                _ => {}
            }
        }
    });
    calls
}

/// What a caller has of the stream.
#[derive(Default)]
struct Received {
    last_id: Option<String>,
    data: Vec<String>,
    ended: bool,
}

impl Received {
    /// Opens the stream, or goes on with it, and reads at most so many events.
    fn read(&mut self, addr: SocketAddr, path: &str, key: &str, most: usize) {
        let mut conn = Conn::open(addr).expect("listens");
        let request = match &self.last_id {
            Some(id) => Request::post(path, "").header("last-event-id", id.as_str()),
            None => Request::post(path, "go"),
        };
        conn.start(&request.bearer(key)).expect("sent");
        let (status, _) = conn.head(Duration::from_secs(20)).expect("a head");
        assert_eq!(status, 200, "after {:?}", self.last_id);
        let deadline = Instant::now() + Duration::from_secs(100);
        let (mut text, mut count) = (String::new(), 0);
        while let Some(piece) = conn.chunk(deadline).expect("a chunk") {
            text.push_str(std::str::from_utf8(&piece).expect("text"));
            while let Some(end) = text.find("\n\n") {
                let event: String = text.drain(..end + 2).collect();
                if self.take(&event) {
                    count += 1;
                }
                if self.ended || count == most {
                    return;
                }
            }
        }
    }

    fn take(&mut self, event: &str) -> bool {
        let fields: BTreeMap<_, _> = event.lines().filter_map(|line| line.split_once(": ")).collect();
        let Some(id) = fields.get("id") else { return false };
        self.last_id = Some((*id).to_owned());
        self.ended = fields.get("event") == Some(&"end");
        if !self.ended {
            self.data.push(fields.get("data").expect("data").to_string());
        }
        true
    }
}

#[test]
fn every_event_arrives_once_and_in_order_however_often_the_caller_is_cut() {
    let data = Data::new();
    let server = Server::up(&data, &["--rate-limits", "off"]);
    let addr = server.addr;
    let (agent, caller, other) =
        (api::register(addr, "streamer"), api::register(addr, "caller"), api::register(addr, "other"));
    let calls = stream_events(addr, &agent.key);
    let path = format!("/connect/relay/{}/stream", agent.id);

    let mut received = Received::default();
    // A fixed sequence, so that a failure can be repeated.
    let mut random: u64 = 0x9E37_79B9_7F4A_7C15;
    for _ in 0..CUTS {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let most = 1 + (random >> 33) as usize % (2 * EVENTS / CUTS);
        received.read(addr, &path, &caller.key, most);
        if received.ended {
            break;
        }
    }
    while !received.ended {
        received.read(addr, &path, &caller.key, usize::MAX);
    }
    let expected = std::iter::once("first".to_owned()).chain((0..EVENTS).map(|number| number.to_string()));
    assert!(received.data.iter().cloned().eq(expected), "{} events", received.data.len());
    assert_eq!(calls.load(Ordering::SeqCst), 1, "resuming is never a new call");

    // It is nobody else's, and its id is no other's.
    let id = received.last_id.clone().expect("an id");
    let foreign = Request::post(&path, "").bearer(&other.key).header("last-event-id", id.as_str());
    Conn::open(addr).expect("listens").ask(&foreign).expect("an answer").expect_problem(410, "stream_expired");
    let (stream, _) = id.split_once('.').expect("a stream and a number");
    assert_eq!(stream.len(), 32);
    let guessed = Request::post(&path, "").bearer(&caller.key).header("last-event-id", format!("{:032x}.1", 1));
    Conn::open(addr).expect("listens").ask(&guessed).expect("an answer").expect_problem(410, "stream_expired");
    let nonsense = Request::post(&path, "").bearer(&caller.key).header("last-event-id", "7");
    Conn::open(addr).expect("listens").ask(&nonsense).expect("an answer").expect_problem(422, "invalid_query");
    server.assert_no_panic();
}
