//! WebSocket frame headers (RFC 6455 section 5.2).

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

    fn from_opcode(opcode: u8) -> Option<Self> {
        Some(match opcode {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    fn opcode(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }
}

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
/// The largest length that stands in the second byte; larger ones stand behind it, in two or eight bytes.
const MAX_SHORT: u8 = 125;
const IN_TWO_BYTES: u8 = 126;
const IN_EIGHT_BYTES: u8 = 127;

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
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    let (payload, rest) = match second & !MASKED {
        IN_TWO_BYTES => {
            let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (u64::from(u16::from_be_bytes(*length)), rest)
        }
        IN_EIGHT_BYTES => {
            let Some((length, rest)) = rest.split_first_chunk() else { return Ok(None) };
            (u64::from_be_bytes(*length), rest)
        }
        short => (u64::from(short), rest),
    };
    let (mask, rest) = if second & MASKED != 0 {
        let Some((mask, rest)) = rest.split_first_chunk() else { return Ok(None) };
        (Some(*mask), rest)
    } else {
        (None, rest)
    };
    let broken = |why| Err(Violation::new(close::PROTOCOL_ERROR, why));
    let Some(kind) = Kind::from_opcode(first & 0x0F) else { return broken("reserved opcode") };
    if first & RESERVED != 0 {
        return broken("reserved bit set");
    }
    let fin = first & FIN != 0;
    if kind.is_control() && (!fin || payload > u64::from(MAX_SHORT)) {
        return broken("control frame fragmented or over 125 bytes");
    }
    if payload >> 63 != 0 {
        return broken("frame length with its top bit set");
    }
    Ok(Some(Header { fin, kind, mask, payload, len: bytes.len() - rest.len() }))
}

/// Bytes of the header of an unmasked frame with so many bytes of payload.
pub fn unmasked_len(payload: usize) -> usize {
    match payload {
        0..=125 => 2,
        126..=0xFFFF => 4,
        _ => 10,
    }
}

/// Writes the header of a complete frame into `out` and gives its length.
pub fn write(kind: Kind, payload: usize, mask: Option<[u8; 4]>, out: &mut [u8; MAX_HEADER]) -> usize {
    let masked = if mask.is_some() { MASKED } else { 0 };
    out[0] = FIN | kind.opcode();
    let mut len = if payload <= usize::from(MAX_SHORT) {
        out[1] = masked | payload as u8;
        2
    } else if let Ok(payload) = u16::try_from(payload) {
        out[1] = masked | IN_TWO_BYTES;
        out[2..4].copy_from_slice(&payload.to_be_bytes());
        4
    } else {
        out[1] = masked | IN_EIGHT_BYTES;
        out[2..10].copy_from_slice(&(payload as u64).to_be_bytes());
        10
    };
    if let Some(mask) = mask {
        out[len..len + 4].copy_from_slice(&mask);
        len += 4;
    }
    len
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;
    use tungstenite::protocol::frame::FrameHeader;

    use super::*;

    proptest! {
        #[test]
        fn tungstenite_reads_the_same(bytes in prop::collection::vec(any::<u8>(), 0..20), length in 120u8..128, coin: bool) {
            let mut bytes = bytes;
            // Random lengths are hardly ever the special ones.
            if coin && bytes.len() > 1 {
                bytes[1] = bytes[1] & MASKED | length & !MASKED;
            }
            let mut cursor = Cursor::new(&bytes);
            let theirs = FrameHeader::parse(&mut cursor);
            match parse(&bytes) {
                Ok(None) => prop_assert!(matches!(theirs, Ok(None))),
                Ok(Some(ours)) => {
                    let (header, payload) = theirs.unwrap().unwrap();
                    prop_assert_eq!((ours.fin, ours.payload, ours.mask), (header.is_final, payload, header.mask));
                    prop_assert_eq!(ours.kind.opcode(), u8::from(header.opcode));
                    prop_assert_eq!(ours.len, cursor.position() as usize);
                    prop_assert!(!header.rsv1 && !header.rsv2 && !header.rsv3);
                }
                // A bare codec refuses less.
                Err(_) => if let Ok(theirs) = theirs {
                    let (header, payload) = theirs.expect("not complete");
                    let is_control = u8::from(header.opcode) >= 8;
                    let reserved = header.rsv1 || header.rsv2 || header.rsv3;
                    prop_assert!(reserved || payload >> 63 != 0 || is_control && (!header.is_final || payload > 125));
                }
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back_at_every_length_format() {
        for payload in [0usize, 1, 125, 126, 65_535, 65_536, 1 << 20] {
            for mask in [None, Some([1, 2, 3, 4])] {
                let mut out = [0; MAX_HEADER];
                let len = write(Kind::Binary, payload, mask, &mut out);
                let header = parse(&out[..len]).unwrap().unwrap();
                assert_eq!(len, unmasked_len(payload) + mask.map_or(0, |mask| mask.len()));
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
