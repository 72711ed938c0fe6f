//! Heads of requests and responses.

use std::mem::MaybeUninit;

use bytes::{Buf, BytesMut};

use super::BadRequest;
use crate::limits::{MAX_HEADER_BYTES, MAX_HEADERS};

/// How a body is delimited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// No body.
    None,
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked,
    /// Responses only: until the connection closes.
    UntilClose,
}

type Span = (u16, u16);

/// A request head, in a buffer of its own.
#[derive(Debug, Clone)]
pub struct Head {
    raw: Raw,
    method: Span,
    target: Span,
    path: Span,
    fields: Vec<(Span, Span)>,
    /// Is it HTTP/1.1 (not 1.0, which knows no chunks)?
    pub is_11: bool,
    /// How the body that follows is delimited.
    pub framing: Framing,
    /// May the connection carry another request?
    pub keep_alive: bool,
    /// Does the client wait for `100 Continue` before it sends the body?
    pub expects_continue: bool,
}

/// A head's bytes, with names in lower case. Nearly every head is text as a whole, and is looked at as that once.
#[derive(Debug, Clone)]
enum Raw {
    Text(String),
    /// Some field's value is not UTF-8.
    Bytes(Vec<u8>),
}

impl Raw {
    fn bytes(&self, span: Span) -> &[u8] {
        let all = match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        };
        &all[span.0 as usize..span.1 as usize]
    }

    fn text(&self, span: Span) -> Option<&str> {
        match self {
            Self::Text(text) => text.get(span.0 as usize..span.1 as usize),
            Self::Bytes(_) => std::str::from_utf8(self.bytes(span)).ok(),
        }
    }
}

impl Head {
    /// The method, as sent.
    pub fn method(&self) -> &str {
        self.text(self.method)
    }

    /// The request target, as sent.
    pub fn target(&self) -> &str {
        self.text(self.target)
    }

    /// The target's path, without the query.
    pub fn path(&self) -> &str {
        self.text(self.path)
    }

    /// All fields in order: name in lower case, value without surrounding white space.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.fields.iter().map(|(name, value)| (self.text(*name), self.raw.bytes(*value)))
    }

    /// Where the values of all fields of this name (given in lower case) are.
    fn values<'h, 'n>(&'h self, name: &'n str) -> impl Iterator<Item = Span> + use<'h, 'n> {
        let is_it = move |field: Span| self.raw.bytes(field) == name.as_bytes();
        self.fields.iter().filter(move |(field, _)| is_it(*field)).map(|(_, value)| *value)
    }

    /// The first field of this name (given in lower case), if its value is visible text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.values(name).next().and_then(|value| self.raw.text(value))
    }

    /// All fields of this name (given in lower case) whose values are visible text.
    pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values(name).filter_map(|value| self.raw.text(value))
    }

    /// Is there a field of this name (given in lower case), whatever its value?
    pub fn has(&self, name: &str) -> bool {
        self.values(name).next().is_some()
    }

    fn text(&self, span: Span) -> &str {
        self.raw.text(span).unwrap_or_default()
    }
}

/// Takes a request head from the front of `buf`; `None` if it is not complete.
///
/// # Errors
/// [`BadRequest`]: malformed, ambiguous, or over the limits.
pub fn parse_head(buf: &mut BytesMut) -> Result<Option<Head>, BadRequest> {
    // An empty line before a request line is skipped (RFC 9112 section 2.2).
    while buf.starts_with(b"\r\n") {
        buf.advance(2);
    }
    if buf.is_empty() {
        return Ok(None);
    }
    let window = &buf[..buf.len().min(MAX_HEADER_BYTES)];
    let mut slots = [const { MaybeUninit::uninit() }; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    let (len, minor, method, target, fields) = match request.parse_with_uninit_headers(window, &mut slots) {
        Ok(httparse::Status::Partial) if buf.len() >= MAX_HEADER_BYTES => return Err(BadRequest::HeadTooLarge),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(BadRequest::HeadTooLarge),
        Err(_) => return Err(BadRequest::Malformed("the request head is not HTTP/1.1")),
        Ok(httparse::Status::Complete(len)) => {
            let base = window.as_ptr() as usize;
            let span = |part: &[u8]| {
                let start = part.as_ptr() as usize - base;
                (start as u16, (start + part.len()) as u16)
            };
            let method = span(request.method.unwrap_or_default().as_bytes());
            let target = span(request.path.unwrap_or_default().as_bytes());
            let fields: Vec<_> =
                request.headers.iter().map(|field| (span(field.name.as_bytes()), span(field.value))).collect();
            (len, request.version.unwrap_or(0), method, target, fields)
        }
    };
    let mut raw = window[..len].to_vec();
    buf.advance(len);
    for (name, _) in &fields {
        raw[name.0 as usize..name.1 as usize].make_ascii_lowercase();
    }
    let query = raw[target.0 as usize..target.1 as usize].iter().position(|byte| *byte == b'?');
    let mut head = Head {
        raw: String::from_utf8(raw).map_or_else(|error| Raw::Bytes(error.into_bytes()), Raw::Text),
        method,
        target,
        path: (target.0, query.map_or(target.1, |query| target.0 + query as u16)),
        fields,
        is_11: minor == 1,
        framing: Framing::None,
        keep_alive: false,
        expects_continue: false,
    };
    judge(&mut head)?;
    Ok(Some(head))
}

/// The fields that say where a message ends and what becomes of its connection, gathered in one go.
#[derive(Default)]
struct Told<'h> {
    hosts: usize,
    lengths: usize,
    length: &'h [u8],
    codings: usize,
    coding: &'h [u8],
    close: bool,
    keep_alive: bool,
    expects: Option<&'h [u8]>,
}

impl<'h> Told<'h> {
    fn by(head: &'h Head) -> Self {
        let mut told = Self::default();
        for (name, value) in &head.fields {
            let value = head.raw.bytes(*value);
            match head.raw.bytes(*name) {
                b"host" => told.hosts += 1,
                b"content-length" => (told.lengths, told.length) = (told.lengths + 1, value),
                b"transfer-encoding" => (told.codings, told.coding) = (told.codings + 1, value),
                b"connection" => {
                    for option in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                        told.close |= option.eq_ignore_ascii_case(b"close");
                        told.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                b"expect" => _ = told.expects.get_or_insert(value),
                _ => {}
            }
        }
        told
    }
}

fn judge(head: &mut Head) -> Result<(), BadRequest> {
    let told = Told::by(head);
    if told.hosts > 1 || (told.hosts == 0 && head.is_11) {
        return Err(BadRequest::Malformed("exactly one Host header is expected"));
    }
    if !head.target().starts_with('/') && head.target() != "*" {
        return Err(BadRequest::Malformed("the request target must be a path"));
    }
    let framing = request_framing(&told, head.is_11)?;
    let keep_alive = if head.is_11 { !told.close } else { told.keep_alive };
    let expects = told.expects.is_some_and(|value| value.eq_ignore_ascii_case(b"100-continue"));
    (head.framing, head.keep_alive, head.expects_continue) = (framing, keep_alive, head.is_11 && expects);
    Ok(())
}

fn request_framing(told: &Told<'_>, is_11: bool) -> Result<Framing, BadRequest> {
    match (told.lengths, told.codings) {
        (0, 0) => Ok(Framing::None),
        (1, 0) => parse_length(told.length).map(Framing::Length),
        (0, 1) if is_11 && told.coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
        (0, _) => Err(BadRequest::Malformed("the only transfer coding understood is one `chunked`")),
        _ => Err(BadRequest::Malformed("exactly one of Content-Length or Transfer-Encoding is expected")),
    }
}

fn parse_length(value: &[u8]) -> Result<u64, BadRequest> {
    let bad = BadRequest::Malformed("Content-Length must be a decimal number");
    if value.is_empty() || value.len() > 18 || !value.iter().all(u8::is_ascii_digit) {
        return Err(bad);
    }
    std::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(bad)
}

/// A response head, for clients.
#[derive(Debug, Clone)]
pub struct ResponseHead {
    /// Status code.
    pub status: u16,
    /// Fields in order, names in lower case.
    pub fields: Vec<(String, Vec<u8>)>,
    /// How the body is delimited, unless the request was HEAD.
    pub framing: Framing,
    /// May the connection carry another request?
    pub keep_alive: bool,
}

impl ResponseHead {
    /// The first field of this name (given in lower case), if its value is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).and_then(|(_, value)| std::str::from_utf8(value).ok())
    }
}

/// Takes a response head from the front of `buf`; `None` if it is not complete.
///
/// # Errors
/// [`BadRequest`] if it is not HTTP or over the limits.
pub fn parse_response_head(buf: &mut BytesMut) -> Result<Option<ResponseHead>, BadRequest> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut slots);
    let window = &buf[..buf.len().min(MAX_HEADER_BYTES)];
    let (len, minor, status, fields) = match response.parse(window) {
        Ok(httparse::Status::Partial) if buf.len() >= MAX_HEADER_BYTES => return Err(BadRequest::HeadTooLarge),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(BadRequest::Malformed("the response head is not HTTP/1.1")),
        Ok(httparse::Status::Complete(len)) => {
            let fields: Vec<_> =
                response.headers.iter().map(|f| (f.name.to_ascii_lowercase(), f.value.to_vec())).collect();
            (len, response.version.unwrap_or(0), response.code.unwrap_or(0), fields)
        }
    };
    let _ = buf.split_to(len);
    let mut head = ResponseHead { status, fields, framing: Framing::UntilClose, keep_alive: minor == 1 };
    head.keep_alive &= !head.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    head.framing = if status < 200 || status == 204 || status == 304 {
        Framing::None
    } else if head.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
        Framing::Chunked
    } else if let Some(length) = head.fields.iter().find(|(name, _)| name == "content-length") {
        Framing::Length(parse_length(&length.1)?)
    } else {
        Framing::UntilClose
    };
    Ok(Some(head))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &str) -> Result<Option<Head>, BadRequest> {
        parse_head(&mut BytesMut::from(text))
    }

    #[test]
    fn a_head_gives_its_parts_and_leaves_the_rest() {
        let mut buf =
            BytesMut::from("POST /connect/relay/x?q=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nA: b \r\n\r\nokGET");
        let head = parse_head(&mut buf).unwrap().unwrap();
        assert_eq!((head.method(), head.target(), head.path()), ("POST", "/connect/relay/x?q=1", "/connect/relay/x"));
        assert_eq!(head.framing, Framing::Length(2));
        assert_eq!(head.header("a"), Some("b"));
        assert!(head.keep_alive);
        assert_eq!(&buf[..], b"okGET");
    }

    #[test]
    fn ambiguity_is_refused() {
        for fields in [
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length: 1\r\nContent-Length: 2\r\n",
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: 1, 1\r\n",
            "Content-Length: \r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Host: twice\r\n",
            "Bad Name: x\r\n",
            "Space : x\r\n",
            " folded: x\r\n",
        ] {
            let text = format!("POST / HTTP/1.1\r\nHost: h\r\n{fields}\r\n");
            assert!(matches!(parse(&text), Err(BadRequest::Malformed(_))), "{fields:?}");
        }
        for text in ["GET / HTTP/1.1\r\n\r\n", "GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "\x16\x03\x01\x02\r\n\r\n"]
        {
            assert!(matches!(parse(text), Err(BadRequest::Malformed(_))), "{text:?}");
        }
        assert!(parse("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn an_endless_head_is_431_before_its_end() {
        let long = format!("GET / HTTP/1.1\r\nHost: h\r\nA: {}", "x".repeat(MAX_HEADER_BYTES));
        assert_eq!(parse(&long).unwrap_err(), BadRequest::HeadTooLarge);
        let many = format!("GET / HTTP/1.1\r\nHost: h\r\n{}\r\n", "a: b\r\n".repeat(MAX_HEADERS));
        assert_eq!(parse(&many).unwrap_err(), BadRequest::HeadTooLarge);
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            let _ = parse_head(&mut BytesMut::from(&bytes[..]));
            let _ = parse_response_head(&mut BytesMut::from(&bytes[..]));
        }
    }
}
