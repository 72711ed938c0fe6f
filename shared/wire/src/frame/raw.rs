//! MessagePack values as slices, with bounds on nesting and size. Markers are `rmp`'s.

use rmp::Marker;

use super::Malformed;
use crate::limits::MAX_NESTING;

/// A text is none.
pub(super) const NOT_UTF8: Malformed = Malformed("a text that is not UTF-8");

/// A place in a message.
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    #[inline]
    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.bytes.len()).ok_or(Malformed("cut off"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    #[inline]
    fn number(&mut self, bytes: usize) -> Result<u64, Malformed> {
        Ok(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    #[inline]
    fn marker(&mut self) -> Result<u8, Malformed> {
        let marker = *self.bytes.get(self.at).ok_or(Malformed("cut off"))?;
        self.at += 1;
        Ok(marker)
    }

    /// Entries of the map that begins here.
    #[inline]
    pub(super) fn map(&mut self) -> Result<usize, Malformed> {
        match Marker::from_u8(self.marker()?) {
            Marker::FixMap(len) => Ok(usize::from(len)),
            Marker::Map16 => Ok(self.number(2)? as usize),
            Marker::Map32 => Ok(self.number(4)? as usize),
            _ => Err(Malformed("not a map")),
        }
    }

    /// Elements of the array that begins here.
    pub(super) fn array(&mut self) -> Result<usize, Malformed> {
        match Marker::from_u8(self.marker()?) {
            Marker::FixArray(len) => Ok(usize::from(len)),
            Marker::Array16 => Ok(self.number(2)? as usize),
            Marker::Array32 => Ok(self.number(4)? as usize),
            _ => Err(Malformed("not an array")),
        }
    }

    /// The text that begins here.
    pub(super) fn text(&mut self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.text_bytes()?).map_err(|_| NOT_UTF8)
    }

    /// The bytes of the text that begins here, which may be no UTF-8.
    #[inline]
    pub(super) fn text_bytes(&mut self) -> Result<&'a [u8], Malformed> {
        let len = match self.marker()? {
            // First, as nearly all of them are.
            marker @ 0xA0..=0xBF => usize::from(marker & 0x1F),
            marker => self.long_text_len(marker)?,
        };
        self.take(len)
    }

    #[cold]
    fn long_text_len(&mut self, marker: u8) -> Result<usize, Malformed> {
        match Marker::from_u8(marker) {
            Marker::Str8 => Ok(self.number(1)? as usize),
            Marker::Str16 => Ok(self.number(2)? as usize),
            Marker::Str32 => Ok(self.number(4)? as usize),
            _ => Err(Malformed("not a text")),
        }
    }

    /// The bytes that begin here; a text counts as its bytes. The last `behind` of them are elsewhere.
    pub(super) fn bin(&mut self, behind: usize) -> Result<&'a [u8], Malformed> {
        let len = self.bin_len()?;
        self.take(len.checked_sub(behind).ok_or(Malformed("cut off"))?)
    }

    fn bin_len(&mut self) -> Result<usize, Malformed> {
        Ok(match Marker::from_u8(self.marker()?) {
            Marker::FixStr(len) => usize::from(len),
            Marker::Bin8 | Marker::Str8 => self.number(1)? as usize,
            Marker::Bin16 | Marker::Str16 => self.number(2)? as usize,
            Marker::Bin32 | Marker::Str32 => self.number(4)? as usize,
            _ => return Err(Malformed("a body that is neither bin nor str")),
        })
    }

    /// Skips the bytes that begin here, of which exactly the last `behind` are beyond the end.
    pub(super) fn skip_cut(&mut self, behind: usize) -> Result<(), Malformed> {
        self.bin(behind)?;
        if self.at == self.bytes.len() { Ok(()) } else { Err(Malformed("cut off")) }
    }

    /// The unsigned integer that begins here, in whichever width or sign it was written.
    #[inline]
    pub(super) fn unsigned(&mut self) -> Result<u64, Malformed> {
        let signed = |number: i64| u64::try_from(number).map_err(|_| Malformed("a negative number"));
        match Marker::from_u8(self.marker()?) {
            Marker::FixPos(number) => Ok(u64::from(number)),
            Marker::U8 => self.number(1),
            Marker::U16 => self.number(2),
            Marker::U32 => self.number(4),
            Marker::U64 => self.number(8),
            Marker::I8 => signed(self.number(1)? as u8 as i8 as i64),
            Marker::I16 => signed(self.number(2)? as u16 as i16 as i64),
            Marker::I32 => signed(self.number(4)? as u32 as i32 as i64),
            Marker::I64 => signed(self.number(8)? as i64),
            _ => Err(Malformed("not an unsigned integer")),
        }
    }

    /// The boolean that begins here.
    #[inline]
    pub(super) fn flag(&mut self) -> Result<bool, Malformed> {
        match Marker::from_u8(self.marker()?) {
            Marker::True => Ok(true),
            Marker::False => Ok(false),
            _ => Err(Malformed("not a boolean")),
        }
    }

    /// Is the value at this place, which was read before, nil?
    #[inline]
    pub(super) fn is_nil_at(&self, at: usize) -> bool {
        self.bytes[at] == 0xC0
    }

    /// Skips the value of a frame's key.
    #[inline]
    pub(super) fn skip_value(&mut self) -> Result<(), Malformed> {
        let Some(marker) = self.bytes.get(self.at) else { return Err(Malformed("cut off")) };
        // The usual ones at once: numbers, nil and booleans, short texts and bodies.
        let len = match (marker, self.bytes.get(self.at + 1)) {
            (0x00..=0x7F | 0xC0 | 0xC2 | 0xC3, _) => 1,
            (0xA0..=0xBF, _) => 1 + usize::from(marker & 0x1F),
            (0xC4 | 0xD9, Some(len)) => 2 + usize::from(*len),
            (0xCC..=0xCF, _) => 1 + (1 << (marker - 0xCC)),
            _ => return self.skip(2),
        };
        self.take(len).map(|_| ())
    }

    /// Skips the value that begins here. The value itself counts as nesting level `depth`.
    fn skip(&mut self, depth: usize) -> Result<(), Malformed> {
        if depth > MAX_NESTING {
            return Err(Malformed("nested too deeply"));
        }
        let (payload, children) = match Marker::from_u8(self.marker()?) {
            Marker::Null | Marker::True | Marker::False | Marker::FixPos(_) | Marker::FixNeg(_) => (0, 0),
            Marker::U8 | Marker::I8 => (1, 0),
            Marker::U16 | Marker::I16 => (2, 0),
            Marker::U32 | Marker::I32 | Marker::F32 => (4, 0),
            Marker::U64 | Marker::I64 | Marker::F64 => (8, 0),
            Marker::FixStr(len) => (usize::from(len), 0),
            Marker::Str8 | Marker::Bin8 => (self.number(1)? as usize, 0),
            Marker::Str16 | Marker::Bin16 => (self.number(2)? as usize, 0),
            Marker::Str32 | Marker::Bin32 => (self.number(4)? as usize, 0),
            Marker::FixExt1 => (2, 0),
            Marker::FixExt2 => (3, 0),
            Marker::FixExt4 => (5, 0),
            Marker::FixExt8 => (9, 0),
            Marker::FixExt16 => (17, 0),
            Marker::Ext8 => (self.number(1)? as usize + 1, 0),
            Marker::Ext16 => (self.number(2)? as usize + 1, 0),
            Marker::Ext32 => (self.number(4)? as usize + 1, 0),
            Marker::FixArray(len) => (0, usize::from(len)),
            Marker::Array16 => (0, self.number(2)? as usize),
            Marker::Array32 => (0, self.number(4)? as usize),
            Marker::FixMap(len) => (0, 2 * usize::from(len)),
            Marker::Map16 => (0, 2 * self.number(2)? as usize),
            Marker::Map32 => (0, 2 * self.number(4)? as usize),
            Marker::Reserved => return Err(Malformed("a reserved marker")),
        };
        self.take(payload)?;
        // Each child takes at least one byte, so a lying length ends at the end of the message.
        for _ in 0..children {
            self.skip(depth + 1)?;
        }
        Ok(())
    }
}
