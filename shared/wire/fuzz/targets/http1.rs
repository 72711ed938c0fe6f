//! HTTP/1.1 out of arbitrary bytes: a connection of requests, and an answer as a client reads it. Cutting the stream
//! changes nothing, and no ambiguous head passes.

use bytes::BytesMut;
use landline_wire::handshake;
use landline_wire::http1::{BadRequest, BodyDecoder, BodyPiece, Framing, Head, parse_head, parse_response_head};
use landline_wire::relay::{self, is_path};

use super::cuts::cuttings;

/// What a connection carried, in order.
#[derive(Debug, PartialEq)]
enum Event {
    Request { method: String, target: String, fields: Vec<(String, Vec<u8>)>, framing: Framing, flags: (bool, bool) },
    Answer { status: u16, fields: Vec<(String, Vec<u8>)>, framing: Framing, keep_alive: bool },
    Body { bytes: Vec<u8>, complete: bool },
    Broken(BadRequest),
    Left(usize),
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Requests,
    Answers,
}

/// The target.
pub(crate) fn check(stream: &[u8]) {
    for side in [Side::Requests, Side::Answers] {
        let ways = cuttings(stream);
        let whole = read(&ways[0], side);
        for pieces in &ways[1..] {
            assert_eq!(read(pieces, side), whole);
        }
    }
}

fn read(pieces: &[&[u8]], side: Side) -> Vec<Event> {
    let mut connection = Connection { buf: BytesMut::new(), events: Vec::new(), body: None, side };
    for piece in pieces {
        connection.buf.extend_from_slice(piece);
        if let Err(bad) = connection.drive() {
            connection.finish_body(false);
            connection.events.push(Event::Broken(bad));
            return connection.events;
        }
    }
    connection.finish_body(false);
    connection.events.push(Event::Left(connection.buf.len()));
    connection.events
}

struct Connection {
    buf: BytesMut,
    events: Vec<Event>,
    body: Option<(BodyDecoder, Vec<u8>)>,
    side: Side,
}

impl Connection {
    /// Takes all that is complete.
    fn drive(&mut self) -> Result<(), BadRequest> {
        loop {
            let Some((decoder, bytes)) = &mut self.body else {
                match self.head()? {
                    Some(framing) => self.body = Some((BodyDecoder::new(framing), Vec::new())),
                    None => return Ok(()),
                }
                continue;
            };
            match decoder.next(&mut self.buf)? {
                BodyPiece::Data(data) => bytes.extend_from_slice(&data),
                BodyPiece::Need => return Ok(()),
                BodyPiece::End => {
                    assert!(decoder.is_done());
                    self.finish_body(true);
                }
            }
        }
    }

    fn finish_body(&mut self, complete: bool) {
        if let Some((_, bytes)) = self.body.take() {
            self.events.push(Event::Body { bytes, complete });
        }
    }

    fn head(&mut self) -> Result<Option<Framing>, BadRequest> {
        if self.side == Side::Answers {
            let Some(head) = parse_response_head(&mut self.buf)? else { return Ok(None) };
            let framing = head.framing;
            let (status, keep_alive) = (head.status, head.keep_alive);
            self.events.push(Event::Answer { status, fields: head.fields, framing, keep_alive });
            return Ok(Some(framing));
        }
        let Some(head) = parse_head(&mut self.buf)? else { return Ok(None) };
        assert_sound(&head);
        self.events.push(Event::Request {
            method: head.method().to_owned(),
            target: head.target().to_owned(),
            fields: head.fields().map(|(name, value)| (name.to_owned(), value.to_vec())).collect(),
            framing: head.framing,
            flags: (head.keep_alive, head.expects_continue),
        });
        Ok(Some(head.framing))
    }
}

/// What every accepted request head promises to those behind it.
fn assert_sound(head: &Head) {
    let named = |name: &str| head.fields().filter(|(field, _)| field.eq_ignore_ascii_case(name)).count();
    let (lengths, codings) = (named("content-length"), named("transfer-encoding"));
    match head.framing {
        Framing::None => assert_eq!((lengths, codings), (0, 0)),
        Framing::Length(_) => assert_eq!((lengths, codings), (1, 0)),
        Framing::Chunked => assert_eq!((lengths, codings), (0, 1)),
        Framing::UntilClose => panic!("a request never lasts until the connection closes"),
    }
    assert!(named("host") <= 1);
    assert!(head.fields().all(|(name, value)| {
        relay::is_token(name) && !value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | b'\0'))
    }));
    if let Ok(key) = handshake::check(head) {
        let accept = handshake::accept(key);
        let answer = parse_response_head(&mut BytesMut::from(accept.as_str())).expect("HTTP").expect("a whole head");
        assert!(handshake::is_accepted(key, answer.header("sec-websocket-accept").expect("the accept value")));
    }
    if let Some(below) = head.target().strip_prefix("/connect/relay/") {
        let (id, target) = relay::target(head.method(), below);
        assert!(below.starts_with(id));
        if let relay::Target::Call { rest } = target {
            assert!(rest.is_empty() || rest.starts_with(['/', '?']));
            assert!(!is_path(rest) || rest.bytes().all(|byte| byte.is_ascii_graphic()));
        }
    }
}
