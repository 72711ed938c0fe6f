//! The text protocol of NATS, as far as a core client needs it. Pure.

use anyhow::{Context, bail, ensure};
use bytes::{Buf, Bytes, BytesMut};

/// Bytes of a control line: the server's own bound is 4 KiB, but its INFO may be longer.
const MAX_LINE: usize = 64 << 10;

/// A message for one of our subscriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// Where it was sent to.
    pub subject: Bytes,
    /// Where an answer goes.
    pub reply: Option<Bytes>,
    /// What the server itself says instead of a message, such as 503: nobody subscribes to what was asked.
    pub status: Option<u16>,
    /// What it says.
    pub payload: Bytes,
}

/// What the server sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// About itself, once connected and when something changed.
    Info,
    /// A message.
    Message(Delivery),
    /// Are you there?
    Ping,
    /// An answer to our ping.
    Pong,
    /// All is well; not sent unless asked for.
    Ok,
    /// Something is not; often the connection ends next.
    Error(String),
}

/// Takes the next operation from the front of `buf`; `None` if it is not complete.
///
/// # Errors
/// It is not NATS.
pub fn next(buf: &mut BytesMut) -> anyhow::Result<Option<Operation>> {
    let Some(end) = buf.windows(2).take(MAX_LINE).position(|pair| pair == b"\r\n") else {
        ensure!(buf.len() < MAX_LINE, "a control line without an end");
        return Ok(None);
    };
    let line = &buf[..end];
    let word = line.split(|byte| byte.is_ascii_whitespace()).next().unwrap_or_default();
    let operation = match word.to_ascii_uppercase().as_slice() {
        b"MSG" => return message(buf, end, false),
        b"HMSG" => return message(buf, end, true),
        b"PING" => Operation::Ping,
        b"PONG" => Operation::Pong,
        b"INFO" => Operation::Info,
        b"+OK" => Operation::Ok,
        b"-ERR" => Operation::Error(String::from_utf8_lossy(&line[4..]).trim().trim_matches('\'').to_owned()),
        _ => bail!("not NATS: {}", String::from_utf8_lossy(&line[..line.len().min(40)])),
    };
    buf.advance(end + 2);
    Ok(Some(operation))
}

/// `MSG subject sid [reply] bytes`, then the payload on lines of its own. In a message with headers,
/// `HMSG subject sid [reply] header-bytes bytes`, they come before the payload, and both are counted together.
fn message(buf: &mut BytesMut, end: usize, has_headers: bool) -> anyhow::Result<Option<Operation>> {
    let bytes = buf[..end].rsplit(|byte| *byte == b' ').next().unwrap_or_default();
    let bytes = length(bytes)?;
    let whole = end.checked_add(bytes).and_then(|sum| sum.checked_add(4)).context("the length of a message")?;
    if buf.len() < whole {
        buf.reserve(whole - buf.len());
        return Ok(None);
    }
    let mut taken = buf.split_to(whole).freeze();
    let line = taken.split_to(end);
    taken.advance(2);
    let mut payload = taken.split_to(bytes);
    ensure!(taken[..] == *b"\r\n", "a message without an end");
    let mut words: Vec<_> = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).skip(1).collect();
    words.pop();
    let mut status = None;
    if has_headers {
        let bytes = length(words.pop().context("a message without headers")?)?;
        ensure!(bytes <= payload.len(), "headers that are longer than their message");
        status = status_of(&payload.split_to(bytes))?;
    }
    let (subject, reply) = match words[..] {
        [subject, _] => (subject, None),
        [subject, _, reply] => (subject, Some(reply)),
        _ => bail!("a message with a strange head"),
    };
    let (subject, reply) = (line.slice_ref(subject), reply.map(|reply| line.slice_ref(reply)));
    Ok(Some(Operation::Message(Delivery { subject, reply, status, payload })))
}

fn length(digits: &[u8]) -> anyhow::Result<usize> {
    std::str::from_utf8(digits)?.parse().context("the length of a message")
}

/// The number in the first line of headers, `NATS/1.0 [status [text]]`.
fn status_of(headers: &[u8]) -> anyhow::Result<Option<u16>> {
    let rest = headers.strip_prefix(b"NATS/1.0").context("headers of an unknown version")?;
    let word = rest.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let word = word.split(|byte| *byte == b' ').find(|word| !word.is_empty());
    word.map(|word| std::str::from_utf8(word)?.parse().context("the status of a message")).transpose()
}

/// Appends the first line of a client: no acknowledgements, and no messages of our own back; but word of requests that
/// nobody subscribes to.
pub fn connect(out: &mut BytesMut) {
    let version = env!("CARGO_PKG_VERSION");
    let line = format!(
        "CONNECT {{\"verbose\":false,\"pedantic\":false,\"echo\":false,\"headers\":true,\
         \"no_responders\":true,\"lang\":\"rust\",\"version\":\"{version}\",\
         \"name\":\"landline-loadgen\",\"protocol\":1}}\r\n"
    );
    out.extend_from_slice(line.as_bytes());
}

/// Appends the question whether the server is there, which it answers when it has done what came before.
pub fn ping(out: &mut BytesMut) {
    out.extend_from_slice(b"PING\r\n");
}

/// Appends the answer to the server's.
pub fn pong(out: &mut BytesMut) {
    out.extend_from_slice(b"PONG\r\n");
}

/// Appends a subscription.
pub fn subscribe(out: &mut BytesMut, subject: &str, number: usize) {
    out.extend_from_slice(format!("SUB {subject} {number}\r\n").as_bytes());
}

/// Appends a message, whose payload is `first` and `rest`.
pub fn publish(out: &mut BytesMut, subject: &str, reply: Option<&str>, first: &[u8], rest: &[u8]) {
    out.extend_from_slice(b"PUB ");
    out.extend_from_slice(subject.as_bytes());
    if let Some(reply) = reply {
        out.extend_from_slice(b" ");
        out.extend_from_slice(reply.as_bytes());
    }
    out.extend_from_slice(format!(" {}\r\n", first.len() + rest.len()).as_bytes());
    out.extend_from_slice(first);
    out.extend_from_slice(rest);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(subject: &'static str, reply: Option<&'static str>, payload: &'static [u8]) -> Operation {
        let reply = reply.map(|reply| Bytes::from_static(reply.as_bytes()));
        let (subject, payload) = (Bytes::from_static(subject.as_bytes()), Bytes::from_static(payload));
        Operation::Message(Delivery { subject, reply, status: None, payload })
    }

    fn with_status(status: Option<u16>, subject: &'static str, payload: &'static [u8]) -> Operation {
        let Operation::Message(delivery) = delivery(subject, None, payload) else { unreachable!("it is a message") };
        Operation::Message(Delivery { status, ..delivery })
    }

    #[test]
    fn operations_are_read_whole_however_they_are_cut() {
        let stream: &[u8] = b"INFO {\"max_payload\":1048576}\r\nPING\r\npong\r\n+OK\r\nMSG a.b 1 5\r\nhe\r\no\r\n\
            MSG a.c 12 _INBOX.x.7 0\r\n\r\nHMSG a.d 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n\
            HMSG a.e 1 23 25\r\nNATS/1.0\r\nkey: word\r\n\r\nhi\r\n-ERR 'Slow Consumer'\r\n";
        let expected = [
            Operation::Info,
            Operation::Ping,
            Operation::Pong,
            Operation::Ok,
            delivery("a.b", None, b"he\r\no"),
            delivery("a.c", Some("_INBOX.x.7"), b""),
            with_status(Some(503), "a.d", b""),
            with_status(None, "a.e", b"hi"),
            Operation::Error("Slow Consumer".into()),
        ];
        for step in [1, 2, 7, stream.len()] {
            let (mut buf, mut seen) = (BytesMut::new(), Vec::new());
            for piece in stream.chunks(step) {
                buf.extend_from_slice(piece);
                while let Some(operation) = next(&mut buf).unwrap() {
                    seen.push(operation);
                }
            }
            assert_eq!(seen, expected, "in pieces of {step}");
            assert!(buf.is_empty());
        }
    }

    #[test]
    fn what_is_not_nats_is_refused() {
        for bad in [
            "HTTP/1.1 400 Bad Request\r\n",
            "MSG a 1 x\r\n",
            "MSG a 5\r\n12345\r\n",
            "MSG a 1 r 0 0\r\n\r\n",
            "MSG a 1 2\r\nabcd",
            "MSG a 1 18446744073709551615\r\n",
            "HMSG a 1 9 4\r\nabcd\r\n",
            "HMSG a 1 4 4\r\nabcd\r\n",
            "HMSG a 1 14 14\r\nNATS/1.0 abc\r\n\r\n",
        ] {
            assert!(next(&mut BytesMut::from(bad)).is_err(), "{bad:?}");
        }
        assert!(next(&mut BytesMut::from(&vec![b'x'; MAX_LINE][..])).is_err());
    }

    #[test]
    fn what_is_written_is_what_the_server_reads() {
        let mut out = BytesMut::new();
        subscribe(&mut out, "a.*", 3);
        publish(&mut out, "a.b", None, b"12", b"345");
        publish(&mut out, "a.b", Some("r.1"), b"", b"");
        assert_eq!(out, &b"SUB a.* 3\r\nPUB a.b 5\r\n12345\r\nPUB a.b r.1 0\r\n\r\n"[..]);
        let mut out = BytesMut::new();
        connect(&mut out);
        let json = out.strip_prefix(b"CONNECT ").and_then(|rest| rest.strip_suffix(b"\r\n")).unwrap();
        assert_eq!(serde_json::from_slice::<serde_json::Value>(json).unwrap()["verbose"], false);
    }
}
