//! A relay, an agent and a caller.

use std::fmt::Debug;
use std::net::SocketAddr;

use landline_tests::api::{self, Agent};
use landline_tests::frame::{self, Frame};
use landline_tests::line::Line;
use landline_tests::server::{Data, Server};
use landline_tests::wait::SOON;

use super::raw::Raw;

pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) addr: SocketAddr,
    pub(crate) agent: Agent,
    pub(crate) caller: Agent,
    pub(crate) line: Line,
    calls: u64,
    _data: Data,
}

impl World {
    pub(crate) fn start() -> Self {
        let data = Data::new();
        let server = Server::up(&data, &[]);
        let addr = server.addr;
        let (agent, caller) = (api::register(addr, "agent"), api::register(addr, "caller"));
        let line = Line::dial(addr, &agent.key).expect("a line");
        Self { server, addr, agent, caller, line, calls: 0, _data: data }
    }

    /// A raw request whose answer ends the connection, to show where an earlier answer on it ended.
    pub(crate) fn control(&self) -> String {
        let (id, key) = (&self.agent.id, &self.caller.key);
        format!(
            "GET /connect/relay/{id}/status HTTP/1.1\r\nhost: h\r\nconnection: close\r\nauthorization: Bearer {key}\
             \r\n\r\n"
        )
    }

    /// Is this the answer to [`World::control`]?
    pub(crate) fn is_control(&self, answer: &Raw) -> bool {
        let document = serde_json::from_slice::<serde_json::Value>(&answer.body).unwrap_or_default();
        answer.status == 200 && document["agent_id"] == self.agent.id.as_str()
    }

    /// A call of our own is the next thing that the agent hears: nothing else reached it before.
    pub(crate) fn hears_nothing_else(&mut self) -> Outcome {
        self.calls += 1;
        let body = format!("control {}", self.calls);
        let (addr, to, key) = (self.addr, self.agent.id.clone(), self.caller.key.clone());
        let sent = body.clone();
        let caller = std::thread::spawn(move || api::call(addr, &to, &key, &sent));
        let request = self.request()?;
        same("the next call that the agent hears", String::from_utf8_lossy(request.body()).as_ref(), body.as_str())?;
        self.line.send(&frame::response(request.id(), b"heard"));
        same("its answer", caller.join().expect("a call").text().as_str(), "heard")
    }

    /// The next call that the agent hears.
    pub(crate) fn request(&mut self) -> Result<Frame, String> {
        for _ in 0..1_000 {
            let frame = self.line.next(SOON).map_err(|ended| format!("the agent hears nothing: {ended:?}"))?;
            match frame.kind() {
                "request" => return Ok(frame),
                // What is left of the rows before.
                "credit" | "cancel" => {}
                other => return Err(format!("the agent hears `{other}`")),
            }
        }
        Err("credit without end".to_owned())
    }

    /// A line anew, after a row that ended it or left something on it.
    pub(crate) fn redial(&mut self) {
        self.line = Line::dial(self.addr, &self.agent.key).expect("a line");
    }
}

/// Nothing, or what is wrong.
pub(crate) type Outcome = Result<(), String>;

/// Both are the same.
pub(crate) fn same<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> Outcome {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?} instead of {expected:?}")) }
}

/// Ends a test once, with every row that ended otherwise than it should.
#[track_caller]
pub(crate) fn nothing(wrong: &[String]) {
    assert!(wrong.is_empty(), "\n  {}", wrong.join("\n  "));
}

/// What a row of a request expects when it reaches the agent: keys of the `request` frame, and of its headers.
#[derive(Debug, Default, Clone)]
pub(crate) struct Arrives {
    pub(crate) verb: Option<String>,
    pub(crate) path: Option<String>,
    /// Header fields and their values; `None`: it must not be there.
    pub(crate) headers: Vec<(&'static str, Option<&'static str>)>,
}

impl Arrives {
    pub(crate) fn check(&self, request: &Frame, credential: &str) -> Outcome {
        same("verb", request.text("verb"), self.verb.as_deref())?;
        same("path", request.text("path"), self.path.as_deref())?;
        for (field, value) in &self.headers {
            same(field, request.header(field), *value)?;
        }
        same("the caller's credential", format!("{request:?}").contains(credential), false)
    }
}

/// Fields that never reach an agent, by name and with a value each.
pub(crate) const NEVER: [(&str, &str); 18] = [
    ("cookie", "a=b"),
    ("forwarded", "for=203.0.113.9"),
    ("via", "1.1 evil"),
    ("x-real-ip", "203.0.113.9"),
    ("x-forwarded-for", "203.0.113.9"),
    ("x-forwarded-host", "evil.example"),
    ("x-forwarded-proto", "https"),
    ("x-relay-anything", "1"),
    ("x-landline-from", "somebody"),
    ("keep-alive", "timeout=5"),
    ("te", "trailers"),
    ("trailer", "x-later"),
    ("upgrade", "h2c"),
    ("proxy-authorization", "Basic YTpi"),
    ("proxy-connection", "keep-alive"),
    ("connection", "x-hop"),
    ("x-hop", "named by connection"),
    ("expect", "200-maybe"),
];
