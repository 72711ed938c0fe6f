//! A listener of the event stream.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::{Conn, Request};
use crate::wait::eventually;

/// One event.
#[derive(Debug, Clone)]
pub struct Event {
    /// `event:`.
    pub kind: String,
    /// `id:`.
    pub id: String,
    /// `data:` as JSON.
    pub data: Value,
}

/// A listener on a thread of its own. It ends with the stream, or with the test.
#[derive(Debug, Clone)]
pub struct Listener {
    events: Arc<Mutex<Vec<Event>>>,
    raw: Arc<Mutex<Vec<u8>>>,
}

impl Listener {
    /// Listens to these topics (by comma), after an event if one is named.
    ///
    /// # Panics
    /// If the answer is no event stream.
    pub fn start(addr: SocketAddr, topics: &str, last_event_id: Option<&str>) -> Self {
        let mut conn = Conn::open(addr).expect("the server listens");
        let mut request =
            Request::get(format!("/connect/v1/events?topic={topics}")).header("accept", "text/event-stream");
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        conn.start(&request).expect("the server reads");
        let (status, headers) = conn.head(Duration::from_secs(10)).expect("a head comes at once");
        let kind = headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.as_str());
        assert!(
            status == 200 && kind.is_some_and(|kind| kind.starts_with("text/event-stream")),
            "{status} {headers:?}"
        );
        let listener = Self { events: Arc::default(), raw: Arc::default() };
        let (events, raw) = (listener.events.clone(), listener.raw.clone());
        std::thread::spawn(move || {
            let mut text = String::new();
            // A comment comes each 15 s: a stream that is silent for longer is dead.
            while let Ok(Some(piece)) = conn.chunk(Instant::now() + Duration::from_secs(40)) {
                raw.lock().expect("no reader panicked").extend_from_slice(&piece);
                text.push_str(&String::from_utf8_lossy(&piece));
                while let Some(end) = text.find("\n\n") {
                    let block: String = text.drain(..end + 2).collect();
                    events.lock().expect("no reader panicked").extend(parse(&block));
                }
            }
        });
        listener
    }

    /// What came so far.
    ///
    /// # Panics
    /// If the listener's thread panicked.
    pub fn events(&self) -> Vec<Event> {
        self.events.lock().expect("no reader panicked").clone()
    }

    /// The stream's bytes so far.
    ///
    /// # Panics
    /// If the listener's thread panicked.
    pub fn raw(&self) -> Vec<u8> {
        self.raw.lock().expect("no reader panicked").clone()
    }

    /// Waits for an event.
    ///
    /// # Panics
    /// If it does not come.
    pub fn wait(&self, what: &str, wanted: impl Fn(&Event) -> bool) -> Event {
        eventually(Duration::from_secs(15), what, || self.events().into_iter().find(|event| wanted(event)))
    }
}

fn parse(block: &str) -> Option<Event> {
    let field = |name: &str| {
        let lines = block.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        lines.map(|value| value.strip_prefix(' ').unwrap_or(value)).collect::<Vec<_>>().join("\n")
    };
    let data = field("data");
    if data.is_empty() {
        return None;
    }
    let data = serde_json::from_str(&data).unwrap_or_else(|why| panic!("data is no JSON ({why}): {block}"));
    Some(Event { kind: field("event"), id: field("id"), data })
}
