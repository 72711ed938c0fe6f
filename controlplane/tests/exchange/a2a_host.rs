//! An agent's own host that speaks A2A as far as a test says, and changes when the test says so.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::agent_host::{AGENT_IP, Host, Reply, answer, card};

/// Places of a card, each with the status and text that it answers; another place is 404.
pub(crate) type Places = Vec<(&'static str, u16, String)>;

/// What an agent's host does; a test may change it at any time.
#[derive(Clone)]
pub(crate) struct Life {
    pub(crate) places: Places,
    pub(crate) call: Call,
}

/// What it does with a call.
#[derive(Clone, Copy)]
pub(crate) enum Call {
    /// As A2A has it: there is no such task.
    NoSuchTask,
    /// It gives the request back.
    Echo,
    Status(u16),
}

/// A host whose life can be changed.
pub(crate) struct Agent {
    pub(crate) host: Host,
    life: Arc<Mutex<Life>>,
}

/// Where a card is, and where it was before A2A 0.3.
pub(crate) const CARD: &str = "/.well-known/agent-card.json";
pub(crate) const OLD_CARD: &str = "/.well-known/agent.json";

impl Agent {
    /// A host that does this.
    pub(crate) async fn start(life: Life) -> Self {
        let life = Arc::new(Mutex::new(life));
        let seen = Arc::clone(&life);
        let reply = Reply::Made(Arc::new(move |request| respond(&seen.lock().unwrap(), request)));
        Self { host: Host::start(AGENT_IP, reply).await, life }
    }

    /// An agent that is what its card says, at `/rpc`.
    pub(crate) async fn honest(name: &str) -> (Self, Value) {
        let agent = Self::start(Life { places: vec![], call: Call::NoSuchTask }).await;
        let card = card(name, &agent.origin(), &[("JSONRPC", "1.0", "/rpc")]);
        agent.live(|life| life.places = vec![(CARD, 200, card.to_string())]);
        (agent, card)
    }

    /// Its origin.
    pub(crate) fn origin(&self) -> String {
        format!("http://agent.test:{}", self.host.port)
    }

    /// Changes what it does.
    pub(crate) fn live(&self, change: impl FnOnce(&mut Life)) {
        change(&mut self.life.lock().unwrap());
    }

    /// The first lines of the requests since the last time.
    pub(crate) fn lines(&self, from: usize) -> Vec<String> {
        let first = |request: &String| request.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
        self.host.requests()[from..].iter().map(first).collect()
    }
}

fn respond(life: &Life, request: &str) -> Reply {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let json = "content-type: application/json\r\n";
    if let Some((_, status, text)) = life.places.iter().find(|(place, ..)| method == "GET" && *place == path) {
        return answer(&format!("{status} X"), json, text);
    }
    match life.call {
        Call::NoSuchTask if method == "POST" => {
            let asked: Value = serde_json::from_str(body).unwrap();
            let error = json!({"code": -32_001, "message": "Task not found"});
            answer("200 OK", json, &json!({"jsonrpc": "2.0", "id": asked["id"], "error": error}).to_string())
        }
        Call::NoSuchTask if path.contains("/tasks/") => {
            let error = json!({"error": {"code": 404, "status": "NOT_FOUND", "message": "no such task"}});
            answer("404 Not Found", json, &error.to_string())
        }
        Call::NoSuchTask => answer("404 Not Found", "", "no"),
        Call::Echo => answer("200 OK", json, if method == "POST" { body } else { "{}" }),
        Call::Status(status) => answer(&format!("{status} X"), json, "{}"),
    }
}
