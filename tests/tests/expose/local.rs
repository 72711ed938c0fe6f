//! An ordinary HTTP server on this machine, written by hand: what it read is kept, what it answers depends on the path.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::{Value, json};

use landline_tests::wait::{SOON, eventually};

/// Bytes of `/large`: more than a window of the relay.
pub(crate) const LARGE: usize = 3 << 20;

/// A request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Received {
    fn path(&self) -> &str {
        self.line.split(' ').nth(1).and_then(|target| target.split('?').next()).unwrap_or_default()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Default)]
struct Shared {
    received: Mutex<Vec<Received>>,
    /// Events that `/sse` may send; with the first `/held` may read its body.
    events: Mutex<usize>,
    more: Condvar,
    /// Clients that left `/endless` or `/hang` before their end, or any path before that of their body.
    left: Mutex<Vec<String>>,
}

#[derive(Clone)]
pub(crate) struct Local {
    pub(crate) addr: SocketAddr,
    shared: Arc<Shared>,
}

impl Local {
    /// A server whose card bears this name.
    pub(crate) fn start(name: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let local = Self { addr: listener.local_addr().expect("an address"), shared: Arc::default() };
        let (served, name) = (local.clone(), name.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (served, name) = (served.clone(), name.clone());
                std::thread::spawn(move || served.serve(stream, &name));
            }
        });
        local
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// What arrived, without the questions for the card.
    pub(crate) fn received(&self) -> Vec<Received> {
        let all = self.shared.received.lock().expect("no thread panicked");
        all.iter().filter(|received| !received.line.contains(".well-known")).cloned().collect()
    }

    /// Lets `/sse` send one more event, or `/held` go on.
    pub(crate) fn event(&self) {
        *self.shared.events.lock().expect("no thread panicked") += 1;
        self.shared.more.notify_all();
    }

    /// Waits until a client has left this path.
    pub(crate) fn wait_left(&self, path: &str) {
        eventually(SOON, "the server to see that its client left", || {
            self.shared.left.lock().expect("no thread panicked").iter().any(|left| left == path).then_some(())
        });
    }

    fn serve(&self, stream: TcpStream, name: &str) {
        stream.set_nodelay(true).expect("a socket");
        let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
        while let Some(mut received) = read_head(&mut reader) {
            let path = received.path().to_owned();
            let body = match path.as_str() {
                // Both answer before the body: one closes, so that what is unread resets the connection, one reads on.
                "/early" | "/early-reads-on" => Some(Vec::new()),
                "/held" => {
                    self.wait_events(1);
                    read_body(&mut reader, &received)
                }
                _ => read_body(&mut reader, &received),
            };
            let Some(body) = body else { return self.left(&path) };
            received.body = body;
            self.shared.received.lock().expect("no thread panicked").push(received.clone());
            if self.answer(&received, stream.try_clone().expect("a socket"), name).is_none() {
                return;
            }
            if path == "/early-reads-on" && read_body(&mut reader, &received).is_none() {
                return self.left(&path);
            }
        }
    }

    fn left(&self, path: &str) {
        self.shared.left.lock().expect("no thread panicked").push(path.to_owned());
    }

    fn wait_events(&self, number: usize) {
        let mut events = self.shared.events.lock().expect("no thread panicked");
        while *events < number {
            events = self.shared.more.wait(events).expect("no thread panicked");
        }
    }

    /// Answers; `None` closes the connection.
    fn answer(&self, received: &Received, mut stream: TcpStream, name: &str) -> Option<()> {
        let (verb, path) = (received.line.split(' ').next()?, received.path());
        let mut say = |text: &str| stream.write_all(text.as_bytes()).ok();
        match path {
            "/.well-known/agent-card.json" => {
                let card = card(name, self.addr).to_string();
                say(&head("200 OK", "application/json", &format!("content-length: {}\r\n", card.len())))?;
                say(&card)
            }
            "/404" => say("HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\ncontent-length: 7\r\n\r\nnothing"),
            "/304" => say("HTTP/1.1 304 Not Modified\r\netag: \"e\"\r\n\r\n"),
            "/204" => say("HTTP/1.1 204 No Content\r\n\r\n"),
            "/302" => say("HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n"),
            "/100" => say("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"),
            "/early" | "/early-reads-on" => {
                say("HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\ncontent-length: 6\r\n\r\nenough")?;
                (path != "/early").then_some(())
            }
            "/chunked" => {
                say(&head("200 OK", "text/plain", "transfer-encoding: chunked\r\n"))?;
                say("3\r\none\r\n3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n")
            }
            "/until-close" => {
                say(&head("200 OK", "text/plain", "connection: close\r\n"))?;
                say("until the end")?;
                None
            }
            "/large" => {
                say(&head("200 OK", "application/octet-stream", &format!("content-length: {LARGE}\r\n")))?;
                stream.write_all(&pattern(LARGE)).ok()
            }
            "/cut" => {
                say(&head("200 OK", "text/plain", "content-length: 200000\r\n"))?;
                stream.write_all(&pattern(100_000)).ok()?;
                None
            }
            "/sse" => self.sse(stream),
            "/endless" => {
                say(&head("200 OK", "text/event-stream", "transfer-encoding: chunked\r\n"))?;
                while say("3\r\n:\n\n\r\n").is_some() {
                    std::thread::sleep(Duration::from_millis(20));
                }
                self.left(path);
                None
            }
            "/hang" => {
                let _ = stream.read(&mut [0; 1]);
                self.left(path);
                None
            }
            _ => {
                let body = json!({"line": received.line, "length": received.body.len(), "sum": sum(&received.body)});
                let body = body.to_string();
                say(&head("200 OK", "application/json", &format!("a2a-x: y\r\ncontent-length: {}\r\n", body.len())))?;
                if verb == "HEAD" { Some(()) } else { say(&body) }
            }
        }
    }

    /// Three events, each when the test says so.
    fn sse(&self, mut stream: TcpStream) -> Option<()> {
        let mut say = |text: &str| stream.write_all(text.as_bytes()).ok();
        say(&head("200 OK", "text/event-stream", "cache-control: no-store\r\ntransfer-encoding: chunked\r\n"))?;
        for number in 1..=3 {
            self.wait_events(number);
            let event = format!("data: {number}\n\n");
            say(&format!("{:x}\r\n{event}\r\n", event.len()))?;
        }
        say("0\r\n\r\n")
    }
}

/// Bytes in which a lost or doubled piece shows.
pub(crate) fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at % 251) as u8).collect()
}

/// A check over a body that depends on the order.
pub(crate) fn sum(body: &[u8]) -> u64 {
    body.iter().fold(7, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte)) % (1 << 52))
}

fn head(status: &str, kind: &str, more: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\nset-cookie: never=passes\r\n{more}\r\n")
}

fn card(name: &str, addr: SocketAddr) -> Value {
    json!({
        "name": name,
        "description": "An ordinary server of the end-to-end tests.",
        "version": "3.2.1",
        "supportedInterfaces": [
            {"url": format!("http://{addr}/"), "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
            {"url": format!("http://localhost:{}/rest", addr.port()), "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"},
            {"url": format!("http://{addr}"), "protocolBinding": "GRPC", "protocolVersion": "1.0"},
        ],
        "capabilities": {"streaming": true},
        "defaultInputModes": ["text/plain"],
        "defaultOutputModes": ["text/plain"],
        "skills": [{"id": "weather", "name": "Weather", "description": "Says how it will be.", "tags": ["weather"]}],
    })
}

fn read_line(reader: &mut BufReader<TcpStream>) -> Option<String> {
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    Some(line.trim_end().to_owned())
}

/// A request without its body.
fn read_head(reader: &mut BufReader<TcpStream>) -> Option<Received> {
    let line = read_line(reader)?;
    let mut headers = Vec::new();
    while let Some((name, value)) = read_line(reader)?.split_once(':') {
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Some(Received { line, headers, body: Vec::new() })
}

/// The body that follows a head; `None` if it is cut.
fn read_body(reader: &mut BufReader<TcpStream>, head: &Received) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    if head.header("transfer-encoding").is_none() {
        body.resize(head.header("content-length").map_or(0, |length| length.parse().expect("a length")), 0);
        reader.read_exact(&mut body).ok()?;
        return Some(body);
    }
    loop {
        let size = usize::from_str_radix(&read_line(reader)?, 16).ok()?;
        let begin = body.len();
        body.resize(begin + size, 0);
        reader.read_exact(&mut body[begin..]).ok()?;
        if !read_line(reader)?.is_empty() {
            return None;
        }
        if size == 0 {
            return Some(body);
        }
    }
}
