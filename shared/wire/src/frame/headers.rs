//! The `headers` map of a frame.

use bytes::{Bytes, BytesMut};

use super::raw::Reader;
use super::{Malformed, encode::put_map, encode::put_str};
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

    /// Borrows an encoded `headers` map, such as [`Headers::encoded`] gave or [`HeadersBuilder`] made. What is no such
    /// map counts as no headers.
    pub fn from_encoded(map: &'a [u8]) -> Self {
        if map.is_empty() { Self::default() } else { Self::from_raw(map).unwrap_or_default() }
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

/// Builds a `headers` map; repeated names are joined with `, `.
#[derive(Debug, Default)]
pub struct HeadersBuilder {
    fields: Vec<(String, String)>,
}

impl HeadersBuilder {
    /// Adds a field; the name is put into lower case.
    pub fn push(&mut self, name: &str, value: &str) {
        let name = name.to_ascii_lowercase();
        match self.fields.iter_mut().find(|(field, _)| *field == name) {
            Some((_, joined)) => {
                joined.push_str(", ");
                joined.push_str(value);
            }
            None => self.fields.push((name, value.to_owned())),
        }
    }

    /// The entries, encoded; borrow them as [`Headers`] with [`EncodedHeaders::as_headers`].
    pub fn encode(&self) -> EncodedHeaders {
        let mut bytes = BytesMut::new();
        put_map(&mut bytes, self.fields.len());
        for (name, value) in &self.fields {
            put_str(&mut bytes, name);
            put_str(&mut bytes, value);
        }
        EncodedHeaders(bytes)
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
