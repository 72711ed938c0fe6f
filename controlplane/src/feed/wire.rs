//! Whole messages on quinn's streams.

use bytes::{Bytes, BytesMut};
use landline_link::codec::{self, CodecError};
use quinn::RecvStream;
use serde::de::DeserializeOwned;

/// Bytes taken from quinn at once; its chunks are a datagram's payload or less.
const CHUNK_BYTES: usize = 64 << 10;

/// Why a message did not come.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadFault {
    /// The stream or its connection broke.
    #[error(transparent)]
    Stream(#[from] quinn::ReadError),
    /// What came is no message.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// The stream ended before the message that was expected.
    #[error("the stream ended without a message")]
    Ended,
}

/// A stream with what was read of it and belongs to the next message.
pub(crate) struct Reader {
    stream: RecvStream,
    buffer: BytesMut,
}

impl Reader {
    pub(crate) fn new(stream: RecvStream) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    /// The next message; `None` at the stream's end.
    pub(crate) async fn message<T: DeserializeOwned>(&mut self, bound: usize) -> Result<Option<T>, ReadFault> {
        loop {
            if let Some(message) = codec::decode(&mut self.buffer, bound)? {
                return Ok(Some(message));
            }
            match self.stream.read_chunk(CHUNK_BYTES, true).await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk.bytes),
                None if self.buffer.is_empty() => return Ok(None),
                None => return Err(CodecError::Truncated.into()),
            }
        }
    }

    /// The one message that must come.
    pub(crate) async fn expect<T: DeserializeOwned>(&mut self, bound: usize) -> Result<T, ReadFault> {
        self.message(bound).await?.ok_or(ReadFault::Ended)
    }

    /// The next raw bytes after the messages; `None` at the stream's end.
    pub(crate) async fn raw(&mut self) -> Result<Option<Bytes>, quinn::ReadError> {
        if !self.buffer.is_empty() {
            return Ok(Some(self.buffer.split().freeze()));
        }
        Ok(self.stream.read_chunk(CHUNK_BYTES, true).await?.map(|chunk| chunk.bytes))
    }
}
