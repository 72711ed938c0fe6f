//! Messages on a stream: a big-endian length of 32 bits, then one MessagePack value. Structs are maps with named keys,
//! so that a field can be added; bytes are `bin`.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::MAX_MESSAGE_BYTES;

/// Bytes of the length prefix.
pub const PREFIX_BYTES: usize = 4;

/// Why bytes are no message. The text never holds any of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The message is longer than its bound.
    #[error("message of {length} bytes, {bound} are allowed")]
    TooLong {
        /// Bytes announced or encoded.
        length: usize,
        /// Bytes allowed.
        bound: usize,
    },
    /// Not the MessagePack of the message that was expected.
    #[error("not a message of the expected kind")]
    Malformed,
    /// The stream ended inside a message.
    #[error("the stream ended inside a message")]
    Truncated,
}

/// Appends a message with its prefix.
///
/// # Errors
/// [`CodecError::TooLong`] over [`MAX_MESSAGE_BYTES`]; `out` is then as it was.
pub fn encode_into<T: Serialize>(message: &T, out: &mut BytesMut) -> Result<(), CodecError> {
    let start = out.len();
    out.put_u32(0);
    let mut serializer =
        rmp_serde::Serializer::new(out.writer()).with_struct_map().with_bytes(rmp_serde::config::BytesMode::ForceAll);
    let written = message.serialize(&mut serializer);
    let length = out.len() - start - PREFIX_BYTES;
    let outcome = match written {
        Err(_) => Err(CodecError::Malformed),
        Ok(()) if length > MAX_MESSAGE_BYTES => Err(CodecError::TooLong { length, bound: MAX_MESSAGE_BYTES }),
        Ok(()) => Ok(()),
    };
    match outcome {
        Ok(()) => out[start..start + PREFIX_BYTES].copy_from_slice(&(length as u32).to_be_bytes()),
        Err(_) => out.truncate(start),
    }
    outcome
}

/// One message with its prefix.
///
/// # Errors
/// As [`encode_into`].
pub fn encode<T: Serialize>(message: &T) -> Result<Bytes, CodecError> {
    let mut out = BytesMut::new();
    encode_into(message, &mut out)?;
    Ok(out.freeze())
}

/// Takes one whole message from the front of `buffer`; `None` if more bytes are needed. `bound` is what a message may
/// have here; a longer one is refused by its prefix, before it is collected.
///
/// # Errors
/// [`CodecError`]; the stream cannot be read on after it.
pub fn decode<T: DeserializeOwned>(buffer: &mut BytesMut, bound: usize) -> Result<Option<T>, CodecError> {
    let Some(prefix) = buffer.first_chunk::<PREFIX_BYTES>() else { return Ok(None) };
    let length = u32::from_be_bytes(*prefix) as usize;
    if length > bound {
        return Err(CodecError::TooLong { length, bound });
    }
    if buffer.len() - PREFIX_BYTES < length {
        return Ok(None);
    }
    buffer.advance(PREFIX_BYTES);
    let body = buffer.split_to(length);
    decode_body(&body).map(Some)
}

/// Reads one MessagePack value that fills `body` exactly.
///
/// # Errors
/// [`CodecError::Malformed`].
pub fn decode_body<T: DeserializeOwned>(body: &[u8]) -> Result<T, CodecError> {
    let mut rest = body;
    let mut deserializer = rmp_serde::Deserializer::new(&mut rest);
    let message = T::deserialize(&mut deserializer).map_err(|_| CodecError::Malformed)?;
    if rest.is_empty() { Ok(message) } else { Err(CodecError::Malformed) }
}
