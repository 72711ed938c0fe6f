//! As much of an HTTP/1.1 client as registration and callers need.

use std::io::ErrorKind;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use bytes::BytesMut;
use landline_wire::http1::{BodyDecoder, BodyPiece, ResponseHead, parse_response_head};
use serde_json::Value;

use crate::args::Target;
use crate::tls::{self, Stream, Trust};

/// How long an answer to a registration may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);

/// Where a server is.
#[derive(Debug, Clone)]
pub struct Origin {
    /// Its address.
    pub addr: SocketAddr,
    /// The authority for `Host`.
    pub host: String,
    /// Over TLS: whom to trust.
    pub trust: Option<Trust>,
}

impl Origin {
    /// The server of a target.
    ///
    /// # Errors
    /// As [`Origin::parse`].
    pub fn of(target: &Target) -> anyhow::Result<Self> {
        Self::parse(&target.url, target.ca.as_deref())
    }

    /// Reads `http://HOST[:PORT]`, or `https://` with a file of certificates to trust.
    ///
    /// # Errors
    /// Another scheme, a path, a name that does not resolve, or nobody to trust.
    pub fn parse(url: &str, ca: Option<&Path>) -> anyhow::Result<Self> {
        let (scheme, host) = url.split_once("://").unwrap_or_default();
        let implied = match scheme {
            "http" => 80,
            "https" => 443,
            _ => bail!("the URL must begin with http:// or https://"),
        };
        let host = host.trim_end_matches('/');
        if host.contains('/') {
            bail!("the URL must have no path: give the API's prefix with --prefix");
        }
        let has_port =
            host.rsplit(':').next().is_some_and(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
        let full = if has_port { host.to_owned() } else { format!("{host}:{implied}") };
        let addr = full.to_socket_addrs().with_context(|| format!("cannot resolve {full}"))?.next();
        let name = full.rsplit_once(':').map_or("", |(name, _)| name);
        let trust = match (scheme, ca) {
            ("https", Some(ca)) => Some(Trust::of(ca, name)?),
            ("https", None) => bail!("https needs --ca FILE: whom to trust"),
            _ => None,
        };
        Ok(Self { addr: addr.with_context(|| format!("{full} has no address"))?, host: host.to_owned(), trust })
    }
}

/// An answer on its way in.
#[derive(Debug, Default)]
pub struct Answer {
    head: Option<(ResponseHead, BodyDecoder)>,
    body: Vec<u8>,
}

/// What [`Answer::next`] found.
#[derive(Debug)]
pub enum Piece {
    /// So many bytes of the body.
    Data(usize),
    /// The answer is complete: its head and its whole body.
    End(ResponseHead, Vec<u8>),
}

impl Answer {
    /// Takes the next piece from `buf`; `None` if more has to be read.
    ///
    /// # Errors
    /// It is no HTTP.
    pub fn next(&mut self, buf: &mut BytesMut) -> anyhow::Result<Option<Piece>> {
        if self.head.is_none() {
            let Some(head) = parse_response_head(buf)? else { return Ok(None) };
            let decoder = BodyDecoder::new(head.framing);
            self.head = Some((head, decoder));
        }
        let Some((_, decoder)) = &mut self.head else { return Ok(None) };
        match decoder.next(buf)? {
            BodyPiece::Data(data) => {
                self.body.extend_from_slice(&data);
                Ok(Some(Piece::Data(data.len())))
            }
            BodyPiece::Need => Ok(None),
            BodyPiece::End => {
                let body = std::mem::take(&mut self.body);
                Ok(self.head.take().map(|(head, _)| Piece::End(head, body)))
            }
        }
    }
}

/// A request, ready to send.
pub fn request(verb: &str, host: &str, path: &str, bearer: Option<&str>, content_type: &str, body: &[u8]) -> Vec<u8> {
    let authorization = bearer.map(|token| format!("authorization: Bearer {token}\r\n")).unwrap_or_default();
    let mut request = format!(
        "{verb} {path} HTTP/1.1\r\nhost: {host}\r\n{authorization}content-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    request.extend_from_slice(body);
    request
}

/// The `code` of a problem document, or the status: what kind of refusal this is.
pub fn refusal(status: u16, body: &[u8]) -> String {
    let problem = serde_json::from_slice::<Value>(body).ok();
    let code = problem.as_ref().and_then(|problem| problem["code"].as_str());
    code.map_or_else(|| format!("HTTP {status}"), str::to_owned)
}

/// A connection that blocks its thread: for registration.
pub struct Blocking {
    stream: Box<dyn Stream>,
    buf: BytesMut,
}

impl Blocking {
    /// Connects.
    ///
    /// # Errors
    /// As the system says, or the server is not trusted.
    pub fn connect(origin: &Origin) -> anyhow::Result<Self> {
        Ok(Self { stream: tls::connect_blocking(origin, ANSWER_LIMIT)?, buf: BytesMut::new() })
    }

    /// Sends a request and waits for its answer.
    ///
    /// # Errors
    /// The connection broke, or the answer is no HTTP, or it does not come.
    pub fn exchange(&mut self, request: &[u8]) -> anyhow::Result<(ResponseHead, Vec<u8>)> {
        self.stream.write_all(request)?;
        let mut answer = Answer::default();
        let mut chunk = [0; 16 << 10];
        loop {
            while let Some(piece) = answer.next(&mut self.buf)? {
                if let Piece::End(head, body) = piece {
                    return Ok((head, body));
                }
            }
            let read = match self.stream.read(&mut chunk) {
                // A thread that has a ring of its own is interrupted by its completions.
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                result => result.context("no answer")?,
            };
            if read == 0 {
                bail!("the server closed the connection before its answer was complete");
            }
            self.buf.extend_from_slice(&chunk[..read]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_an_authority() {
        let origin = Origin::parse("http://127.0.0.1:7300/", None).unwrap();
        assert_eq!((origin.addr, origin.host.as_str()), ("127.0.0.1:7300".parse().unwrap(), "127.0.0.1:7300"));
        assert_eq!(Origin::parse("http://127.0.0.1", None).unwrap().addr.port(), 80);
        for bad in ["https://127.0.0.1", "127.0.0.1:1", "http://127.0.0.1:1/connect"] {
            assert!(Origin::parse(bad, None).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_answer_in_pieces_is_put_together_and_the_next_one_too() {
        let stream = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\nHTTP/1.1 404 Not Found\r\ncontent-length: 1\r\n\r\nx";
        let (mut answer, mut buf, mut seen) = (Answer::default(), BytesMut::new(), Vec::new());
        for byte in stream {
            buf.extend_from_slice(&[*byte]);
            while let Some(piece) = answer.next(&mut buf).unwrap() {
                if let Piece::End(head, body) = piece {
                    seen.push((head.status, body));
                }
            }
        }
        assert_eq!(seen, [(200, b"hi".to_vec()), (404, b"x".to_vec())]);
    }

    #[test]
    fn a_refusal_is_named_by_its_code_or_its_status() {
        assert_eq!(refusal(429, br#"{"code":"rate_limited"}"#), "rate_limited");
        assert_eq!(refusal(502, b"<html>"), "HTTP 502");
    }
}
