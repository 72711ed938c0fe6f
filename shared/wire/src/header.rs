//! WebSocket frame headers (RFC 6455 section 5.2), on tungstenite's codec.

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::close;
use crate::message::Violation;

/// Bytes of the longest header: two, eight of length, four of mask.
pub const MAX_HEADER: usize = 14;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes on with a fragmented message.
    Continuation,
    /// UTF-8 text.
    Text,
    /// Bytes.
    Binary,
    /// The end of the connection.
    Close,
    /// A question for life.
    Ping,
    /// The answer to a ping.
    Pong,
}

impl Kind {
    /// Control frames are never fragmented and have at most 125 bytes.
    pub fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }

    fn opcode(self) -> OpCode {
        match self {
            Self::Continuation => OpCode::Data(Data::Continue),
            Self::Text => OpCode::Data(Data::Text),
            Self::Binary => OpCode::Data(Data::Binary),
            Self::Close => OpCode::Control(Control::Close),
            Self::Ping => OpCode::Control(Control::Ping),
            Self::Pong => OpCode::Control(Control::Pong),
        }
    }
}

/// A parsed header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Last frame of its message?
    pub fin: bool,
    /// What it carries.
    pub kind: Kind,
    /// The mask, on frames from a client.
    pub mask: Option<[u8; 4]>,
    /// Bytes of payload.
    pub payload: u64,
    /// Bytes of the header itself.
    pub len: usize,
}

/// Reads a header from the front of `bytes`; `None` if it is not complete.
///
/// # Errors
/// A [`Violation`] with 1002 for a reserved opcode or bit, a fragmented or oversized control frame, or a length above
/// 2^63.
pub fn parse(bytes: &[u8]) -> Result<Option<Header>, Violation> {
    let mut cursor = Cursor::new(bytes);
    let parsed =
        FrameHeader::parse(&mut cursor).map_err(|_| Violation::new(close::PROTOCOL_ERROR, "reserved opcode"))?;
    let Some((header, payload)) = parsed else { return Ok(None) };
    if header.rsv1 || header.rsv2 || header.rsv3 {
        return Err(Violation::new(close::PROTOCOL_ERROR, "reserved bit set"));
    }
    let kind = match header.opcode {
        OpCode::Data(Data::Continue) => Kind::Continuation,
        OpCode::Data(Data::Text) => Kind::Text,
        OpCode::Data(Data::Binary) => Kind::Binary,
        OpCode::Control(Control::Close) => Kind::Close,
        OpCode::Control(Control::Ping) => Kind::Ping,
        OpCode::Control(Control::Pong) => Kind::Pong,
        OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)) => {
            return Err(Violation::new(close::PROTOCOL_ERROR, "reserved opcode"));
        }
    };
    if kind.is_control() && (!header.is_final || payload > 125) {
        return Err(Violation::new(close::PROTOCOL_ERROR, "control frame fragmented or over 125 bytes"));
    }
    if payload >> 63 != 0 {
        return Err(Violation::new(close::PROTOCOL_ERROR, "frame length with its top bit set"));
    }
    Ok(Some(Header { fin: header.is_final, kind, mask: header.mask, payload, len: cursor.position() as usize }))
}

/// Writes the header of a complete frame into `out` and gives its length.
pub fn write(kind: Kind, payload: usize, mask: Option<[u8; 4]>, out: &mut [u8; MAX_HEADER]) -> usize {
    let header = FrameHeader { is_final: true, opcode: kind.opcode(), mask, ..FrameHeader::default() };
    let len = header.len(payload as u64);
    let mut room = &mut out[..];
    header.format(payload as u64, &mut room).expect("a header is at most fourteen bytes");
    len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_at_every_length_format() {
        for payload in [0usize, 1, 125, 126, 65_535, 65_536, 1 << 20] {
            for mask in [None, Some([1, 2, 3, 4])] {
                let mut out = [0; MAX_HEADER];
                let len = write(Kind::Binary, payload, mask, &mut out);
                let header = parse(&out[..len]).unwrap().unwrap();
                assert_eq!(header, Header { fin: true, kind: Kind::Binary, mask, payload: payload as u64, len });
                for cut in 0..len {
                    assert_eq!(parse(&out[..cut]).unwrap(), None, "{payload} cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn broken_headers_are_refused_with_1002() {
        for bytes in [
            &[0x83u8, 0x00][..],                     // reserved opcode
            &[0xC2, 0x00],                           // reserved bit
            &[0x09, 0x00],                           // fragmented ping
            &[0x89, 126, 0, 126],                    // ping of 126 bytes
            &[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], // length with its top bit set
        ] {
            assert_eq!(parse(bytes).unwrap_err().code, close::PROTOCOL_ERROR, "{bytes:?}");
        }
    }
}
