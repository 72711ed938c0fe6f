//! What came over a connection until its end, cut into answers by the strictest reading: whatever another reader could
//! take for an answer of its own is a fault.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long an answer may take on a busy machine.
const LIMIT: Duration = Duration::from_secs(20);

/// One answer.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Raw {
    /// The values of all fields of this name.
    pub(crate) fn all(&self, name: &str) -> Vec<&str> {
        self.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The `code` of a problem document; empty if it is none.
    pub(crate) fn code(&self) -> String {
        let document = serde_json::from_slice::<serde_json::Value>(&self.body).unwrap_or_default();
        document["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// All that came over one connection.
#[derive(Debug)]
pub(crate) struct All {
    pub(crate) answers: Vec<Raw>,
    /// The last answer stops in the middle of its body: its reader knows that it is not complete.
    pub(crate) is_cut: bool,
}

/// A connection on which bytes were sent.
pub(crate) fn send(addr: SocketAddr, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(addr).expect("listens");
    stream.set_read_timeout(Some(LIMIT)).expect("a socket");
    // Who refuses early may close before everything is sent.
    let _ = stream.write_all(bytes);
    stream
}

/// Reads to the end.
pub(crate) fn read(mut stream: TcpStream, is_head: bool) -> Result<All, String> {
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => {
            return Err(format!("{error} behind {:?}", String::from_utf8_lossy(&bytes)));
        }
        _ => {}
    }
    cut(&bytes, is_head).map_err(|why| format!("{why}: {:?}", String::from_utf8_lossy(&bytes)))
}

/// Cuts bytes into answers; the first may be one to a HEAD.
fn cut(mut rest: &[u8], is_head: bool) -> Result<All, String> {
    let mut all = All { answers: Vec::new(), is_cut: false };
    while !rest.is_empty() {
        let end = rest.windows(4).position(|four| four == b"\r\n\r\n").ok_or("no end of a head")?;
        let mut answer = head(&rest[..end])?;
        rest = &rest[end + 4..];
        let (lengths, codings) = (answer.all("content-length"), answer.all("transfer-encoding"));
        let bodiless = matches!(answer.status, 204 | 304) || (is_head && all.answers.is_empty());
        let length = match (lengths.as_slice(), codings.as_slice()) {
            // A reader that does not know these statuses would wait for a body that never comes, or take what follows.
            (_, [_, ..]) if matches!(answer.status, 204 | 304) => return Err("a body where there is none".to_owned()),
            _ if bodiless => Some(0),
            ([length], []) => Some(length.parse::<usize>().map_err(|_| format!("content-length {length}"))?),
            ([], ["chunked"]) => None,
            _ => return Err(format!("no framing or two: {lengths:?} {codings:?}")),
        };
        let (body, behind, complete) = match length {
            Some(length) if rest.len() < length => (rest.to_vec(), &rest[rest.len()..], false),
            Some(length) => (rest[..length].to_vec(), &rest[length..], true),
            None => chunks(rest)?,
        };
        (answer.body, rest, all.is_cut) = (body, behind, !complete);
        all.answers.push(answer);
    }
    Ok(all)
}

fn head(bytes: &[u8]) -> Result<Raw, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "a head that is no text")?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).and_then(|rest| rest.get(..4));
    let status: u16 = status.and_then(|code| code.strip_suffix(' ')?.parse().ok()).ok_or("no status line")?;
    if !(200..=599).contains(&status) {
        return Err(format!("status {status}"));
    }
    let mut fields = Vec::new();
    for line in lines {
        let (name, value) = line.split_once(": ").ok_or_else(|| format!("no field: {line:?}"))?;
        let is_name =
            !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !is_name || line.bytes().any(|b| b < b' ' && b != b'\t') {
            return Err(format!("no field: {line:?}"));
        }
        fields.push((name.to_owned(), value.to_owned()));
    }
    Ok(Raw { status, fields, body: Vec::new() })
}

type Body<'a> = (Vec<u8>, &'a [u8], bool);

fn chunks(mut rest: &[u8]) -> Result<Body<'_>, String> {
    let mut body = Vec::new();
    loop {
        let Some(end) = rest.windows(2).position(|two| two == b"\r\n") else {
            return Ok((body, &rest[rest.len()..], false));
        };
        let size = std::str::from_utf8(&rest[..end]).ok().and_then(|text| usize::from_str_radix(text, 16).ok());
        let size = size.ok_or_else(|| format!("chunk size {:?}", String::from_utf8_lossy(&rest[..end])))?;
        let data = &rest[end + 2..];
        if data.len() < size + 2 {
            return Ok((body, &rest[rest.len()..], false));
        }
        if &data[size..size + 2] != b"\r\n" {
            return Err("a chunk without its end".to_owned());
        }
        body.extend_from_slice(&data[..size]);
        rest = &data[size + 2..];
        if size == 0 {
            return Ok((body, rest, true));
        }
    }
}

#[test]
fn the_reading_is_strict() {
    let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    let bare = "HTTP/1.1 204 No Content\r\n\r\n";
    let all = cut([ok, chunked, bare, ok].concat().as_bytes(), false).expect("four answers");
    let seen: Vec<_> = all.answers.iter().map(|answer| (answer.status, answer.body.as_slice())).collect();
    assert_eq!((seen, all.is_cut), (vec![(200, &b"ok"[..]), (200, b"ok"), (204, b""), (200, b"ok")], false));
    for half in [&ok[..ok.len() - 1], &chunked[..chunked.len() - 5]] {
        assert!(cut(half.as_bytes(), false).expect("a cut answer").is_cut);
    }
    for fault in [
        "HTTP/1.1 200 OK\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\n\r\n",
        "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\na: b\nc: d\r\ncontent-length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokmore",
    ] {
        assert!(cut(fault.as_bytes(), false).is_err(), "{fault:?}");
    }
}
