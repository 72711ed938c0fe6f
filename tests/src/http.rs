//! HTTP/1.1 over a socket: what is sent is exactly what the test says, what comes back is read strictly.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::tls::Stream;

/// Longest wait for an answer unless a test says otherwise: more than any timeout of the relay.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(75);

/// An answer, complete.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header fields in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, unchunked.
    pub body: Vec<u8>,
    /// Was the body chunked, and if so in how many pieces?
    pub chunks: Option<usize>,
}

impl Answer {
    /// The first header field of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|why| panic!("no JSON ({why}): {} {}", self.status, self.text()))
    }

    /// The `code` of a problem document; empty if the answer is none.
    pub fn code(&self) -> String {
        let problem = self.header("content-type").is_some_and(|kind| kind.starts_with("application/problem+json"));
        if problem { self.json()["code"].as_str().unwrap_or_default().to_owned() } else { String::new() }
    }

    /// Passes the answer on if it has this status.
    ///
    /// # Panics
    /// If it has another.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text());
        self
    }

    /// Passes the answer on if it is a problem document with this status and code.
    ///
    /// # Panics
    /// If it is something else.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{}", self.text());
        self
    }
}

/// A request that is well-formed. For broken ones, write the bytes yourself: [`Conn::send`].
#[derive(Debug, Clone)]
pub struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    /// A request without headers and body.
    pub fn new(method: &str, path: impl Into<String>) -> Self {
        Self { method: method.into(), path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    /// `GET`.
    pub fn get(path: impl Into<String>) -> Self {
        Self::new("GET", path)
    }

    /// `POST` with a body.
    pub fn post(path: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", path).body(body)
    }

    /// `POST` with JSON.
    pub fn post_json(path: impl Into<String>, body: &Value) -> Self {
        Self::post(path, body.to_string()).header("content-type", "application/json")
    }

    /// Adds a header field.
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Adds `Authorization: Bearer`.
    pub fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The bytes on the wire.
    pub fn bytes(&self, host: &str) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nhost: {host}\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if !self.body.is_empty() || !matches!(self.method.as_str(), "GET" | "HEAD" | "DELETE") {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// One connection.
#[derive(Debug)]
pub struct Conn {
    stream: Stream,
    source: Option<IpAddr>,
    addr: SocketAddr,
    buffer: Vec<u8>,
    /// The last answer said `connection: close`: the next request needs a new connection.
    closing: bool,
}

impl Conn {
    /// Dials.
    ///
    /// # Errors
    /// Nobody listens.
    pub fn open(addr: SocketAddr) -> io::Result<Self> {
        Self::dial(None, addr)
    }

    /// Dials from an address of ours, such as `127.0.0.77`.
    ///
    /// # Errors
    /// The address is not ours, or nobody listens.
    pub fn open_from(source: IpAddr, addr: SocketAddr) -> io::Result<Self> {
        Self::dial(Some(source), addr)
    }

    fn dial(source: Option<IpAddr>, addr: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
        if let Some(source) = source {
            socket.bind(&SocketAddr::new(source, 0).into())?;
        }
        socket.connect_timeout(&addr.into(), Duration::from_secs(5))?;
        socket.set_tcp_nodelay(true)?;
        Ok(Self { stream: Stream::of(socket.into(), addr)?, source, addr, buffer: Vec::new(), closing: false })
    }

    /// Sends these bytes.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Where it leads.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// A second handle, to send from another thread while this one reads.
    ///
    /// # Panics
    /// If the process has no descriptor left.
    pub fn writer(&self) -> Stream {
        self.stream.try_clone().expect("a descriptor")
    }

    /// Sends a request without waiting. If the server said that it closes, a new connection is made first.
    ///
    /// # Errors
    /// The connection is gone.
    pub fn start(&mut self, request: &Request) -> io::Result<()> {
        if self.closing {
            *self = Self::dial(self.source, self.addr)?;
        }
        let bytes = request.bytes(&self.addr.to_string());
        self.send(&bytes)
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// The connection broke, or no answer came within [`ANSWER_LIMIT`].
    pub fn ask(&mut self, request: &Request) -> io::Result<Answer> {
        self.start(request)?;
        self.read(ANSWER_LIMIT, request.method == "HEAD")
    }

    /// Reads the next answer.
    ///
    /// # Errors
    /// The connection broke (`UnexpectedEof`), the answer is malformed (`InvalidData`), or the limit passed (`TimedOut`).
    pub fn answer(&mut self, limit: Duration) -> io::Result<Answer> {
        self.read(limit, false)
    }

    fn read(&mut self, limit: Duration, no_body: bool) -> io::Result<Answer> {
        let deadline = Instant::now() + limit;
        loop {
            let head = self.read_head(deadline)?;
            let (status, headers) = parse_head(&head)?;
            if (100..200).contains(&status) && status != 101 {
                continue;
            }
            let mut answer = Answer { status, headers, body: Vec::new(), chunks: None };
            if !(no_body || status == 101 || status == 204 || status == 304) {
                self.read_body(&mut answer, deadline)?;
            }
            self.closing = answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
            return Ok(answer);
        }
    }

    fn read_body(&mut self, answer: &mut Answer, deadline: Instant) -> io::Result<()> {
        if answer.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
            if answer.header("content-length").is_some() {
                return Err(malformed("an answer with both lengths"));
            }
            answer.chunks = Some(0);
            while let Some(piece) = self.chunk(deadline)? {
                answer.body.extend_from_slice(&piece);
                answer.chunks = answer.chunks.map(|count| count + 1);
            }
        } else if let Some(length) = answer.header("content-length") {
            let length: usize = length.parse().map_err(|_| malformed("content-length"))?;
            self.fill(length, deadline)?;
            answer.body = self.buffer.drain(..length).collect();
        } else {
            while self.more(deadline)? {}
            answer.body = std::mem::take(&mut self.buffer);
        }
        Ok(())
    }

    /// Reads a head only: its status and header fields.
    ///
    /// # Errors
    /// As [`Conn::answer`].
    pub fn head(&mut self, limit: Duration) -> io::Result<(u16, Vec<(String, String)>)> {
        let head = self.read_head(Instant::now() + limit)?;
        parse_head(&head)
    }

    /// Reads one chunk of a chunked body; `None` at its end.
    ///
    /// # Errors
    /// As [`Conn::answer`].
    pub fn chunk(&mut self, deadline: Instant) -> io::Result<Option<Vec<u8>>> {
        let end = loop {
            if let Some(end) = find(&self.buffer, b"\r\n") {
                break end;
            }
            self.must_more(deadline)?;
        };
        let line = String::from_utf8_lossy(&self.buffer[..end]).into_owned();
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| malformed("chunk size"))?;
        self.fill(end + 2 + size + 2, deadline)?;
        let all: Vec<u8> = self.buffer.drain(..end + 2 + size + 2).collect();
        if !all.ends_with(b"\r\n") {
            return Err(malformed("chunk without its end"));
        }
        Ok((size > 0).then(|| all[end + 2..end + 2 + size].to_vec()))
    }

    /// Does the peer close within the limit? What it still sends is read and dropped.
    pub fn closes(&mut self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            self.buffer.clear();
            match self.more(deadline) {
                Ok(true) => {}
                Ok(false) => return true,
                Err(error) => return matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe),
            }
        }
    }

    /// The socket, and what was read beyond the last answer.
    pub fn into_parts(self) -> (Stream, Vec<u8>) {
        (self.stream, self.buffer)
    }

    fn read_head(&mut self, deadline: Instant) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = find(&self.buffer, b"\r\n\r\n") {
                return Ok(self.buffer.drain(..end + 4).collect());
            }
            self.must_more(deadline)?;
        }
    }

    fn fill(&mut self, length: usize, deadline: Instant) -> io::Result<()> {
        while self.buffer.len() < length {
            self.must_more(deadline)?;
        }
        Ok(())
    }

    fn must_more(&mut self, deadline: Instant) -> io::Result<()> {
        if self.more(deadline)? { Ok(()) } else { Err(ErrorKind::UnexpectedEof.into()) }
    }

    /// Reads once; false at the end of the stream.
    fn more(&mut self, deadline: Instant) -> io::Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        let mut piece = [0; 16 << 10];
        match self.stream.read(&mut piece) {
            Ok(count) => {
                self.buffer.extend_from_slice(&piece[..count]);
                Ok(count > 0)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Err(ErrorKind::TimedOut.into()),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// A request on a connection of its own.
///
/// # Panics
/// If no answer comes.
#[track_caller]
pub fn once(addr: SocketAddr, request: &Request) -> Answer {
    let mut conn = Conn::open(addr).unwrap_or_else(|why| panic!("cannot dial {addr}: {why}"));
    conn.ask(request).unwrap_or_else(|why| panic!("no answer from {addr} to {request:?}: {why}"))
}

fn parse_head(head: &[u8]) -> io::Result<(u16, Vec<(String, String)>)> {
    let text = std::str::from_utf8(head).map_err(|_| malformed("head is no text"))?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).and_then(|rest| rest.get(..3));
    let status = status.and_then(|code| code.parse().ok()).ok_or_else(|| malformed("status line"))?;
    let mut headers = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        let (name, value) = line.split_once(':').ok_or_else(|| malformed("header line"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    Ok((status, headers))
}

fn malformed(what: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, format!("malformed answer: {what}"))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
