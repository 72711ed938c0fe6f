//! A server on this machine that keeps the raw bytes of each request, and answers with raw bytes.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What `/control` is answered with.
pub(super) const CONTROL: &[u8] = b"the control's own answer";

/// One request as it stood on the wire.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    /// Request line and fields, up to the empty line.
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Recorded {
    pub(super) fn line(&self) -> &str {
        self.head.split("\r\n").next().unwrap_or_default()
    }

    /// The values of all fields of this name.
    pub(super) fn all(&self, name: &str) -> Vec<&str> {
        let fields = self.head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }
}

pub(super) struct Recorder {
    pub(super) addr: SocketAddr,
    recorded: Arc<Mutex<Vec<Recorded>>>,
}

impl Recorder {
    /// A server whose answer to `/row/N` is the Nth of these; anything else gets `ok`.
    pub(super) fn start(answers: Vec<&'static [u8]>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = listener.local_addr().expect("an address");
        let (recorded, answers) = (Arc::<Mutex<Vec<Recorded>>>::default(), Arc::new(answers));
        let kept = Arc::clone(&recorded);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (kept, answers) = (Arc::clone(&kept), Arc::clone(&answers));
                std::thread::spawn(move || serve(stream, &kept, &answers));
            }
        });
        Self { addr, recorded }
    }

    /// What came since the last time, without the controls.
    pub(super) fn take(&self) -> Vec<Recorded> {
        let all = std::mem::take(&mut *self.recorded.lock().expect("no thread panicked"));
        let control = format!("GET {}/control HTTP/1.1", super::BASE);
        all.into_iter().filter(|recorded| recorded.line() != control).collect()
    }

    pub(super) fn forget(&self) {
        self.take();
    }
}

fn serve(mut stream: TcpStream, kept: &Mutex<Vec<Recorded>>, answers: &[&'static [u8]]) {
    stream.set_nodelay(true).expect("a socket");
    let mut buffer = Vec::new();
    while let Some(recorded) = next(&mut stream, &mut buffer) {
        let path = recorded.line().split(' ').nth(1).unwrap_or_default().to_owned();
        kept.lock().expect("no thread panicked").push(recorded);
        let row = path.rsplit_once("/row/").and_then(|(_, number)| number.parse::<usize>().ok());
        let control = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", CONTROL.len());
        let answer = match row {
            Some(number) => answers[number].to_vec(),
            None if path.ends_with("/control") => [control.as_bytes(), CONTROL].concat(),
            None => b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok".to_vec(),
        };
        if stream.write_all(&answer).is_err() {
            return;
        }
        // An answer whose end only the end of the connection tells. Others stay open, so that what stands behind them
        // could be taken for the next answer.
        if row.is_some() && ends_with_connection(&answer) {
            return;
        }
    }
}

/// Rows say so by a field.
fn ends_with_connection(answer: &[u8]) -> bool {
    let close = b"connection: close";
    answer.windows(close.len()).any(|window| window == close)
}

/// The next request, cut by its framing; whatever no request begins with ends the reading as one of its own.
fn next(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Recorded> {
    stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
    let end = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        more(stream, buffer)?;
    };
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let mut recorded = Recorded { head, body: Vec::new() };
    if recorded.all("transfer-encoding") == ["chunked"] {
        recorded.body = chunks(stream, buffer)?;
    } else {
        let length = recorded.all("content-length").first().map_or(0, |length| length.parse().expect("a length"));
        recorded.body = exactly(stream, buffer, length)?;
    }
    Some(recorded)
}

fn exactly(stream: &mut TcpStream, buffer: &mut Vec<u8>, length: usize) -> Option<Vec<u8>> {
    while buffer.len() < length {
        more(stream, buffer)?;
    }
    Some(buffer.drain(..length).collect())
}

/// A body in chunks. Nothing but the plainest form is understood: no extension, no trailer (RFC 9112 section 7.1).
fn chunks(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = loop {
            if let Some(end) = buffer.windows(2).position(|two| two == b"\r\n") {
                break end;
            }
            more(stream, buffer)?;
        };
        let line = exactly(stream, buffer, end + 2)?;
        let size = usize::from_str_radix(std::str::from_utf8(&line[..end]).expect("a size"), 16).expect("a size");
        let mut chunk = exactly(stream, buffer, size + 2)?;
        assert_eq!(chunk.split_off(size), b"\r\n", "a chunk ends where it says");
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(&chunk);
    }
}

fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut piece = [0; 16 << 10];
    let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
    buffer.extend_from_slice(&piece[..count]);
    Some(())
}
