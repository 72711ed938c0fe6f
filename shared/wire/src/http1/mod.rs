//! HTTP/1.1 (RFC 9112), strict and without a socket: request heads, body framing, answers. Whatever two parsers could
//! read in two ways is refused, so that no request can hide in another.

mod body;
mod head;
mod write;

pub use body::{BodyDecoder, BodyPiece};
pub use head::{Framing, Head, ResponseHead, parse_head, parse_response_head};
pub use write::{CHUNK_END, LAST_CHUNK, answer_head, chunk_head, put_number, reason_phrase};

/// Why a request cannot be read. The connection is closed after the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRequest {
    /// 400: not HTTP, or ambiguous.
    #[error("{0}")]
    Malformed(&'static str),
    /// 431: the head is over [`crate::limits::MAX_HEADER_BYTES`] or has too many fields.
    #[error(
        "the request line and headers are over the limit of {} bytes or {} fields",
        crate::limits::MAX_HEADER_BYTES,
        crate::limits::MAX_HEADERS
    )]
    HeadTooLarge,
}
