//! Bodies out of a byte stream: of a known length, or in chunks (RFC 9112 section 7.1).

use bytes::{Buf, Bytes, BytesMut};

use super::{BadRequest, Framing};
use crate::limits::MAX_HEADER_BYTES;

/// Bytes of a chunk-size line, extensions included: more is refused.
const MAX_SIZE_LINE: usize = 256;

/// What [`BodyDecoder::next`] found.
#[derive(Debug, PartialEq, Eq)]
pub enum BodyPiece {
    /// Bytes of the body, a slice of the read buffer.
    Data(Bytes),
    /// More has to be read.
    Need,
    /// The body is complete; what is left in the buffer is the next request's.
    End,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Length(u64),
    UntilClose,
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers(usize),
    End,
}

/// Takes a body from the front of a buffer, piece by piece.
#[derive(Debug)]
pub struct BodyDecoder {
    state: State,
}

impl BodyDecoder {
    /// A decoder for a body of this framing.
    pub fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::End,
            Framing::Length(len) => State::Length(len),
            Framing::Chunked => State::ChunkSize,
            Framing::UntilClose => State::UntilClose,
        };
        Self { state }
    }

    /// Is the body complete?
    pub fn is_done(&self) -> bool {
        self.state == State::End
    }

    /// Takes the next piece.
    ///
    /// # Errors
    /// [`BadRequest::Malformed`] if chunks are broken.
    pub fn next(&mut self, buf: &mut BytesMut) -> Result<BodyPiece, BadRequest> {
        loop {
            match self.state {
                State::End => return Ok(BodyPiece::End),
                State::Length(left) => {
                    if buf.is_empty() {
                        return Ok(BodyPiece::Need);
                    }
                    let data = take(buf, left);
                    let left = left - data.len() as u64;
                    self.state = if left == 0 { State::End } else { State::Length(left) };
                    return Ok(BodyPiece::Data(data));
                }
                State::UntilClose => {
                    if buf.is_empty() {
                        return Ok(BodyPiece::Need);
                    }
                    return Ok(BodyPiece::Data(buf.split().freeze()));
                }
                State::ChunkData(left) => {
                    if buf.is_empty() {
                        return Ok(BodyPiece::Need);
                    }
                    let data = take(buf, left);
                    let left = left - data.len() as u64;
                    self.state = if left == 0 { State::ChunkEnd } else { State::ChunkData(left) };
                    return Ok(BodyPiece::Data(data));
                }
                State::ChunkSize => match take_line(buf, MAX_SIZE_LINE)? {
                    None => return Ok(BodyPiece::Need),
                    Some(line) => {
                        let size = chunk_size(&line)?;
                        self.state = if size == 0 { State::Trailers(0) } else { State::ChunkData(size) };
                    }
                },
                State::ChunkEnd => {
                    if buf.len() < 2 {
                        if cfg!(landline_planted_bug) {
                            buf.clear();
                        }
                        return Ok(BodyPiece::Need);
                    }
                    if &buf[..2] != b"\r\n" {
                        return Err(BadRequest::Malformed("a chunk is longer than its size says"));
                    }
                    buf.advance(2);
                    self.state = State::ChunkSize;
                }
                State::Trailers(seen) => match take_line(buf, MAX_HEADER_BYTES)? {
                    None => return Ok(BodyPiece::Need),
                    Some(line) if line.is_empty() => self.state = State::End,
                    Some(line) if seen + line.len() > MAX_HEADER_BYTES => return Err(BadRequest::HeadTooLarge),
                    // Trailer fields are read and forgotten: nothing behind the relay is told of them.
                    Some(line) => self.state = State::Trailers(seen + line.len()),
                },
            }
        }
    }
}

fn take(buf: &mut BytesMut, most: u64) -> Bytes {
    let len = most.min(buf.len() as u64) as usize;
    buf.split_to(len).freeze()
}

/// Takes a line that ends with CR LF, without them.
fn take_line(buf: &mut BytesMut, most: usize) -> Result<Option<BytesMut>, BadRequest> {
    match buf.iter().position(|&b| b == b'\n') {
        Some(end) if end > 0 && buf[end - 1] == b'\r' && end <= most => {
            let mut line = buf.split_to(end + 1);
            line.truncate(end - 1);
            if line.contains(&b'\r') {
                return Err(BadRequest::Malformed("a bare CR in the chunked body's framing"));
            }
            Ok(Some(line))
        }
        None if buf.len() <= most => Ok(None),
        _ => Err(BadRequest::Malformed("a line of the chunked body's framing is too long or ends without CR LF")),
    }
}

fn chunk_size(line: &[u8]) -> Result<u64, BadRequest> {
    let digits = line.iter().take_while(|b| b.is_ascii_hexdigit()).count();
    let rest = &line[digits..];
    let extension_ok = rest.is_empty() || rest.iter().find(|b| !matches!(b, b' ' | b'\t')) == Some(&b';');
    if digits == 0 || digits > 15 || !extension_ok {
        return Err(BadRequest::Malformed("a chunk size must be a hexadecimal number"));
    }
    let text = std::str::from_utf8(&line[..digits]).unwrap_or_default();
    u64::from_str_radix(text, 16).map_err(|_| BadRequest::Malformed("a chunk size must be a hexadecimal number"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(framing: Framing, input: &[u8], step: usize) -> Result<(Vec<u8>, bool, Vec<u8>), BadRequest> {
        let mut decoder = BodyDecoder::new(framing);
        let (mut buf, mut out) = (BytesMut::new(), Vec::new());
        let mut pieces = input.chunks(step);
        loop {
            match decoder.next(&mut buf)? {
                BodyPiece::Data(data) => out.extend_from_slice(&data),
                BodyPiece::End => {
                    let rest = buf.iter().copied().chain(pieces.flatten().copied()).collect();
                    return Ok((out, true, rest));
                }
                BodyPiece::Need => match pieces.next() {
                    Some(piece) => buf.extend_from_slice(piece),
                    None => return Ok((out, false, buf.to_vec())),
                },
            }
        }
    }

    #[test]
    fn legal_chunks_at_every_cut() {
        let input = b"4\r\nWiki\r\n5;ext=\"v\"\r\npedia\r\n00E\r\n in\r\n\r\nchunks.\r\n0\r\nTrailer: x\r\n\r\nGET /";
        for step in 1..input.len() {
            let (body, done, rest) = decode(Framing::Chunked, input, step).unwrap();
            assert_eq!(
                (body.as_slice(), done, rest.as_slice()),
                (&b"Wikipedia in\r\n\r\nchunks."[..], true, &b"GET /"[..])
            );
        }
    }

    #[test]
    fn broken_chunks_are_refused() {
        for input in [
            &b"x\r\n"[..],
            b"\r\n",
            b"-1\r\nx",
            b"4\nWiki\n",
            b"4\r\nWikiX\r\n",
            b"1 1\r\nx",
            b"0x4\r\nWiki",
            b"ffffffffffffffff\r\n",
            b"4\r\r\nWiki",
        ] {
            assert!(decode(Framing::Chunked, input, 64).is_err(), "{input:?}");
        }
        assert!(decode(Framing::Chunked, &[b'1'; 400], 64).is_err());
    }

    proptest! {
        #[test]
        fn a_length_takes_exactly_its_bytes(body: Vec<u8>, extra: Vec<u8>, step in 1usize..50) {
            let input = [body.clone(), extra.clone()].concat();
            let (out, done, rest) = decode(Framing::Length(body.len() as u64), &input, step).unwrap();
            prop_assert_eq!((out, done, rest), (body, true, extra));
        }

        #[test]
        fn arbitrary_chunks_never_panic(bytes: Vec<u8>, step in 1usize..20) {
            let _ = decode(Framing::Chunked, &bytes, step);
        }
    }
}
