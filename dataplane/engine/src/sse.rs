//! Server-sent events (WHATWG HTML, section 9.2): an agent's own are cut out of its answer, and ours are written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use landline_wire::limits::MAX_BODY_BYTES;

/// A stream's id: 128 random bits, so that nobody guesses another's.
pub type StreamId = [u8; 16];

/// An event of an agent is longer than a whole body may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooLong;

/// Cuts an agent's event stream into events. Its own ids and its comments are left out.
#[derive(Debug, Default)]
pub(crate) struct EventParser {
    /// A line that is not complete.
    line: Vec<u8>,
    /// The lines of the event so far.
    event: Vec<u8>,
    has_fields: bool,
    after_cr: bool,
    begun: bool,
}

impl EventParser {
    /// Takes the next bytes and gives the events that they complete, each as its lines with a line feed behind each.
    ///
    /// # Errors
    /// [`TooLong`]; the stream cannot go on.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Vec<u8>>, TooLong> {
        let mut events = Vec::new();
        for &byte in bytes {
            // A line ends with CR LF, LF or CR; the LF of a CR LF ends nothing more.
            if std::mem::take(&mut self.after_cr) && byte == b'\n' {
                continue;
            }
            match byte {
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    self.end_line(&mut events);
                }
                _ => self.line.push(byte),
            }
            if self.line.len() + self.event.len() > MAX_BODY_BYTES {
                return Err(TooLong);
            }
        }
        Ok(events)
    }

    fn end_line(&mut self, events: &mut Vec<Vec<u8>>) {
        let mut line = std::mem::take(&mut self.line);
        if !std::mem::replace(&mut self.begun, true) && line.starts_with(b"\xEF\xBB\xBF") {
            line.drain(..3);
        }
        if line.is_empty() {
            if std::mem::take(&mut self.has_fields) {
                events.push(std::mem::take(&mut self.event));
            }
            return;
        }
        let name = &line[..line.iter().position(|&b| b == b':').unwrap_or(line.len())];
        if name.is_empty() || name == b"id" {
            return;
        }
        self.has_fields = true;
        self.event.extend_from_slice(&line);
        self.event.push(b'\n');
    }
}

/// A part of an answer that is no event stream, as the lines of one event. Bytes that are no text come in base64.
pub(crate) fn lines_of(part: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(part.len() + 16);
    match std::str::from_utf8(part) {
        Ok(text) => data_lines(text, &mut lines),
        Err(_) => {
            lines.extend_from_slice(b"event: binary\n");
            data_lines(&STANDARD.encode(part), &mut lines);
        }
    }
    lines
}

/// The lines of an event of ours.
pub(crate) fn named_lines(kind: &str, data: &str) -> Vec<u8> {
    let mut lines = format!("event: {kind}\n").into_bytes();
    data_lines(data, &mut lines);
    lines
}

fn data_lines(text: &str, out: &mut Vec<u8>) {
    // CR LF and CR are line ends of the format too: each would cut the data.
    for line in text.replace("\r\n", "\n").split(['\n', '\r']) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line.as_bytes());
        out.push(b'\n');
    }
}

/// An event with its id, ready to be sent.
pub(crate) fn event(stream: &StreamId, seq: u64, lines: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(lines.len() + 64);
    out.extend_from_slice(b"id: ");
    out.extend_from_slice(event_id(stream, seq).as_bytes());
    out.extend_from_slice(b"\n");
    out.extend_from_slice(lines);
    out.extend_from_slice(b"\n");
    out.freeze()
}

/// The id of an event: the stream's in hexadecimal, a dot, its number.
pub(crate) fn event_id(stream: &StreamId, seq: u64) -> String {
    format!("{:032x}.{seq}", u128::from_be_bytes(*stream))
}

/// Reads an id that a caller sent back.
pub fn parse_event_id(text: &str) -> Option<(StreamId, u64)> {
    let (stream, seq) = text.split_once('.')?;
    if stream.len() != 32 || !stream.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    Some((u128::from_str_radix(stream, 16).ok()?.to_be_bytes(), seq.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(text: &[u8], step: usize) -> Vec<String> {
        let mut parser = EventParser::default();
        let events = text.chunks(step).flat_map(|piece| parser.push(piece).unwrap());
        events.map(|event| String::from_utf8(event).unwrap()).collect()
    }

    #[test]
    fn events_are_cut_at_every_line_end_and_every_piece() {
        let text = b"\xEF\xBB\xBFdata: one\n\n: comment\n\nid: 7\nevent: x\r\ndata: two\r\ndata: more\r\n\r\ndata\r\rdata: cut";
        for step in 1..text.len() {
            assert_eq!(parse(text, step), ["data: one\n", "event: x\ndata: two\ndata: more\n", "data\n"], "{step}");
        }
    }

    #[test]
    fn ids_are_read_back_and_nothing_else_is() {
        let stream = [0xAB; 16];
        assert_eq!(parse_event_id(&event_id(&stream, 12)), Some((stream, 12)));
        for bad in ["", "x.1", &"a".repeat(32), &format!("{}.x", "a".repeat(32)), &format!("+{}.1", "a".repeat(31))] {
            assert_eq!(parse_event_id(bad), None, "{bad}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_come_in_base64() {
        assert_eq!(lines_of(b"a\r\nb\rc"), b"data: a\ndata: b\ndata: c\n");
        assert_eq!(lines_of(&[0xFF, 0]), b"event: binary\ndata: /wA=\n");
    }

    proptest! {
        #[test]
        fn what_is_written_is_parsed_as_one_event(text: String) {
            let mut stream = lines_of(text.as_bytes());
            stream.push(b'\n');
            prop_assert_eq!(parse(&stream, 3).len(), 1);
        }
    }
}
