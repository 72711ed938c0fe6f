//! Calls and bodies that lie where they were read.
//!
//! Nearly every call goes from one line of a core to another, and nearly every body is short: it is copied once, from the
//! caller's read buffer behind what waits for the callee. Only what has to wait, or to cross to another core, becomes
//! something of its own.

use bytes::{Bytes, BytesMut};
use compact_str::CompactString;
use landline_wire::frame::Headers;
use landline_wire::ids::AgentId;
use landline_wire::pieces::Pieces;

use crate::sse::StreamId;
use crate::types::{CallRequest, Now, Origin};

/// Where the slices of a message lie.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Source<'a> {
    /// `None`: in a buffer that is used for something else next. What has to stay is copied.
    first: Option<&'a Bytes>,
    behind: &'a [Bytes],
}

impl<'a> Source<'a> {
    /// A message in a buffer that will be used for something else.
    pub(crate) const PASSING: Self = Self { first: None, behind: &[] };

    /// A message that may be shared.
    pub(crate) fn of(message: &'a Pieces) -> Self {
        Self { first: Some(message.first()), behind: message.behind_first() }
    }

    /// The frame's body, whose first part is this slice.
    pub(crate) fn body(self, front: &'a [u8]) -> Body<'a> {
        Body { source: self, front }
    }

    /// A slice of it, to stay.
    pub(crate) fn keep(self, slice: &[u8]) -> Bytes {
        self.first.map_or_else(|| Bytes::copy_from_slice(slice), |first| first.slice_ref(slice))
    }
}

/// The bytes of a body: a slice of a message's first piece, and the pieces behind that.
#[derive(Debug, Clone, Copy)]
pub struct Body<'a> {
    source: Source<'a>,
    front: &'a [u8],
}

impl<'a> Body<'a> {
    /// No bytes.
    pub fn nothing() -> Self {
        Source::PASSING.body(&[])
    }

    /// All of it.
    pub fn of(whole: &'a Pieces) -> Self {
        Source::of(whole).body(whole.first())
    }

    /// Bytes in all.
    pub fn len(&self) -> usize {
        self.front.len() + self.source.behind.iter().map(Bytes::len).sum::<usize>()
    }

    /// No bytes?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Copies them.
    #[inline]
    pub(crate) fn append_to(self, out: &mut BytesMut) {
        out.extend_from_slice(self.front);
        for piece in self.source.behind {
            out.extend_from_slice(piece);
        }
    }

    /// The same bytes, to stay.
    pub(crate) fn to_pieces(self) -> Pieces {
        let mut pieces = Pieces::from(self.source.keep(self.front));
        self.source.behind.iter().for_each(|piece| pieces.push(piece.clone()));
        pieces
    }
}

/// A call on its way to the core of its callee; the fields are those of [`CallRequest`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer<'a> {
    pub(crate) origin: Origin,
    pub(crate) caller: Option<AgentId>,
    pub(crate) target: AgentId,
    pub(crate) request_id: &'a CompactString,
    pub(crate) method: Option<&'a str>,
    pub(crate) verb: Option<&'a str>,
    pub(crate) path: Option<&'a str>,
    pub(crate) headers: Headers<'a>,
    pub(crate) stream: bool,
    pub(crate) timeout_ms: u64,
    pub(crate) started: Now,
    pub(crate) body: Body<'a>,
    pub(crate) more: bool,
    pub(crate) resumable: Option<StreamId>,
    pub(crate) length: Option<u64>,
}

impl Offer<'_> {
    /// The same call, to be kept or sent to another core.
    pub(crate) fn to_request(self) -> CallRequest {
        CallRequest {
            origin: self.origin,
            caller: self.caller,
            target: self.target,
            request_id: self.request_id.clone(),
            method: self.method.map(Into::into),
            verb: self.verb.map(Into::into),
            path: self.path.map(Into::into),
            headers: self.headers.encoded().to_vec().into(),
            stream: self.stream,
            timeout_ms: self.timeout_ms,
            started: self.started,
            body: self.body.to_pieces(),
            more: self.more,
            resumable: self.resumable,
            length: self.length,
        }
    }
}

impl CallRequest {
    /// The call, lying here.
    pub(crate) fn offer(&self) -> Offer<'_> {
        Offer {
            origin: self.origin,
            caller: self.caller,
            target: self.target,
            request_id: &self.request_id,
            method: self.method.as_deref(),
            verb: self.verb.as_deref(),
            path: self.path.as_deref(),
            headers: Headers::from_encoded(&self.headers),
            stream: self.stream,
            timeout_ms: self.timeout_ms,
            started: self.started,
            body: Body::of(&self.body),
            more: self.more,
            resumable: self.resumable,
            length: self.length,
        }
    }
}
