//! The `headers` map of a frame.

use std::ops::Range;

use bytes::{Buf, Bytes, BytesMut};

use super::Malformed;
use super::encode::{map_head_len, put_map, put_str};
use super::raw::Reader;
use super::sink::Place;
use crate::limits::{MAX_HEADER_BYTES, MAX_HEADERS};
use crate::relay::{is_header_name, is_header_value};

/// A `headers` map: a raw slice whose shape (text to text) was checked when the frame was decoded. Whether its names
/// and values are legal is [`Headers::check`]'s business: a bad one costs the call, not the session.
#[derive(Clone, Copy, Default)]
pub struct Headers<'a> {
    map: &'a [u8],
    entries: &'a [u8],
    count: usize,
}

/// Why a `headers` map may not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HeadersFault {
    /// A name is not a token in lower case.
    #[error("a header name is not a token in lower case")]
    Name,
    /// A value has a control character.
    #[error("a header value has a control character")]
    Value,
    /// The same name twice.
    #[error("a header name stands twice")]
    Twice,
    /// Over the bounds.
    #[error("more than {MAX_HEADERS} headers or {MAX_HEADER_BYTES} bytes")]
    TooLarge,
}

impl<'a> Headers<'a> {
    pub(super) fn from_raw(value: &'a [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(value);
        let count = reader.map()?;
        let start = reader.at;
        for _ in 0..count {
            reader.text()?;
            reader.text()?;
        }
        Ok(Self { map: value, entries: &value[start..], count })
    }

    /// A map of texts whose entries, so many, begin behind its first `head` bytes.
    pub(super) fn of(map: &'a [u8], head: usize, count: usize) -> Self {
        Self { map, entries: &map[head..], count }
    }

    /// Borrows an encoded `headers` map that [`Headers::encoded`] gave or [`HeadersBuilder`] made, or nothing: its entries
    /// were judged then. What is no map counts as no headers.
    pub fn from_encoded(map: &'a [u8]) -> Self {
        let mut reader = Reader::new(map);
        match reader.map() {
            Ok(count) => Self::of(map, reader.at, count),
            Err(_) => Self::default(),
        }
    }

    /// The encoded map, a slice of the message that it was decoded from; empty if there was none.
    pub fn encoded(&self) -> &'a [u8] {
        self.map
    }

    /// Number of headers.
    pub fn len(&self) -> usize {
        self.count
    }

    /// No header at all?
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Names and values, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let mut reader = Reader::new(self.entries);
        (0..self.count).map_while(move |_| Some((reader.text().ok()?, reader.text().ok()?)))
    }

    /// The value of a header, by its name in lower case.
    pub fn get(&self, name: &str) -> Option<&'a str> {
        self.iter().find(|(field, _)| *field == name).map(|(_, value)| value)
    }

    /// Are names and values legal and within the bounds?
    ///
    /// # Errors
    /// The first [`HeadersFault`].
    pub fn check(&self) -> Result<(), HeadersFault> {
        if self.count > MAX_HEADERS || self.entries.len() > MAX_HEADER_BYTES {
            return Err(HeadersFault::TooLarge);
        }
        for (index, (name, value)) in self.iter().enumerate() {
            if !is_header_name(name) {
                return Err(HeadersFault::Name);
            }
            if !is_header_value(value) {
                return Err(HeadersFault::Value);
            }
            if self.iter().take(index).any(|(earlier, _)| earlier == name) {
                return Err(HeadersFault::Twice);
            }
        }
        Ok(())
    }

    /// Bytes of the map at most, as it is encoded anew.
    pub(super) fn encoded_len(&self) -> usize {
        MAP_HEAD + self.entries.len()
    }

    pub(super) fn raw(&self) -> (usize, &'a [u8]) {
        (self.count, self.entries)
    }
}

impl PartialEq for Headers<'_> {
    /// The same headers in the same order, however their map's length was written.
    fn eq(&self, other: &Self) -> bool {
        (self.count, self.entries) == (other.count, other.entries)
    }
}

impl Eq for Headers<'_> {}

impl std::fmt::Debug for Headers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be credentials: only names show.
        f.debug_list().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

/// Room for the head of a map of up to 65,535 entries, which is known last.
const MAP_HEAD: usize = 3;

/// Builds a `headers` map; repeated names are joined with `, `.
#[derive(Debug, Default)]
pub struct HeadersBuilder {
    /// [`MAP_HEAD`] bytes, then names and values as they are sent.
    out: BytesMut,
    /// Where names are in it, without their lengths.
    names: Vec<Range<usize>>,
}

impl HeadersBuilder {
    /// Adds a field; the name is put into lower case.
    pub fn push(&mut self, name: &str, value: &str) {
        let is_it = |at: &Range<usize>| self.out[at.clone()].eq_ignore_ascii_case(name.as_bytes());
        if let Some(earlier) = self.names.iter().position(is_it) {
            return self.join(earlier, value);
        }
        if self.out.is_empty() {
            // Enough for the headers of most requests.
            self.out.reserve(256);
            self.out.extend_from_slice(&[0; MAP_HEAD]);
            self.names.reserve(8);
        }
        put_str(&mut self.out, name);
        let end = self.out.len();
        let at = end - name.len()..end;
        self.out[at.clone()].make_ascii_lowercase();
        self.names.push(at);
        put_str(&mut self.out, value);
    }

    /// Appends to the value of a field. Rare, so what follows it is simply written again.
    fn join(&mut self, earlier: usize, value: &str) {
        let after = self.names[earlier].end;
        let rest = self.out.split_off(after);
        let mut reader = Reader::new(&rest);
        let joined = format!("{}, {value}", reader.text().unwrap_or_default());
        let old = reader.at;
        put_str(&mut self.out, &joined);
        let new = self.out.len() - after;
        self.out.extend_from_slice(&rest[old..]);
        for name in &mut self.names[earlier + 1..] {
            *name = name.start - old + new..name.end - old + new;
        }
    }

    /// The entries, encoded; borrow them as [`Headers`] with [`EncodedHeaders::as_headers`]. At most 65,535 names.
    pub fn encode(self) -> EncodedHeaders {
        let mut out = self.out;
        let entries = self.names.len();
        if entries == 0 {
            put_map(&mut out, entries);
            return EncodedHeaders(out);
        }
        let gap = MAP_HEAD - map_head_len(entries);
        put_map(&mut Place::new(&mut out[gap..MAP_HEAD]), entries);
        out.advance(gap);
        EncodedHeaders(out)
    }
}

/// An owned, encoded `headers` map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedHeaders(BytesMut);

impl EncodedHeaders {
    /// The borrowed form that frames hold.
    pub fn as_headers(&self) -> Headers<'_> {
        Headers::from_encoded(&self.0)
    }

    /// The encoded map, to be kept or sent to another thread.
    pub fn into_bytes(self) -> Bytes {
        self.0.freeze()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_builder_joins_what_stands_twice(
            fields in prop::collection::vec(("[a-cA-C]{1,2}|x-[a-z]{30,40}", "[ -~]{0,3}|[a-z]{300}"), 0..40),
        ) {
            let mut builder = HeadersBuilder::default();
            let mut expected: Vec<(String, String)> = Vec::new();
            for (name, value) in &fields {
                builder.push(name, value);
                let name = name.to_ascii_lowercase();
                match expected.iter_mut().find(|(earlier, _)| *earlier == name) {
                    Some((_, joined)) => *joined = format!("{joined}, {value}"),
                    None => expected.push((name, value.clone())),
                }
            }
            let encoded = builder.encode();
            let found: Vec<_> = encoded.as_headers().iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
