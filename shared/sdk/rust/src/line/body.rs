//! The body of a call or an answer: whole, or in parts as they come.

use std::fmt;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};

use super::intake::Outlet;
use super::types::CallError;

/// A body. One that came in one frame is here whole; of one that comes in parts at most a window is held, and the sender
/// goes on only as pieces are taken. Either can be taken as a stream or [collected](Body::collect); either can be given on,
/// as the body of a call of our own.
///
/// Of a body in parts that is dropped before its end nothing more is taken: its sender stands still until the call is
/// answered.
#[derive(Default)]
pub struct Body(Inner);

enum Inner {
    Whole(Bytes),
    Coming(Outlet),
    // Never locked: the mutex makes a body shareable whose stream is not, so that requests can be borrowed across awaits.
    Made(Mutex<Pieces>),
}

/// The pieces of a body that a program made.
type Pieces = Pin<Box<dyn Stream<Item = Result<Bytes, CallError>> + Send>>;

impl Default for Inner {
    fn default() -> Self {
        Self::Whole(Bytes::new())
    }
}

impl Body {
    /// A body from a stream of pieces of any size. An error in place of a piece ends the call that the body is for.
    pub fn stream<E: fmt::Display>(pieces: impl Stream<Item = Result<Bytes, E>> + Send + 'static) -> Self {
        let pieces = pieces.map(|piece| piece.map_err(|error| CallError::BodyFailed(error.to_string())));
        Self(Inner::Made(Mutex::new(Box::pin(pieces))))
    }

    pub(super) fn coming(outlet: Outlet) -> Self {
        Self(Inner::Coming(outlet))
    }

    /// The bytes of a whole body; otherwise the body again.
    ///
    /// # Errors
    /// The body, if it comes in parts.
    pub fn into_whole(self) -> Result<Bytes, Self> {
        match self.0 {
            Inner::Whole(bytes) => Ok(bytes),
            other => Err(Self(other)),
        }
    }

    /// The next piece; `None` at the end. Taking pieces is what lets the sender go on.
    ///
    /// # Errors
    /// The body was cut; nothing comes after it.
    pub async fn next(&mut self) -> Option<Result<Bytes, CallError>> {
        StreamExt::next(self).await
    }

    /// Waits for all of it, if it has at most `limit` bytes. A whole body is given without copying it.
    ///
    /// # Errors
    /// [`CallError::TooLarge`], as soon as it is known, or why the body was cut.
    pub async fn collect(mut self, limit: usize) -> Result<Bytes, CallError> {
        if let Inner::Whole(bytes) = self.0 {
            return if bytes.len() > limit { Err(CallError::TooLarge) } else { Ok(bytes) };
        }
        let mut all = BytesMut::new();
        while let Some(piece) = self.next().await {
            let piece = piece?;
            if all.len() + piece.len() > limit {
                return Err(CallError::TooLarge);
            }
            all.extend_from_slice(&piece);
        }
        Ok(all.freeze())
    }
}

impl Stream for Body {
    type Item = Result<Bytes, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match &mut self.0 {
            Inner::Whole(bytes) => Poll::Ready(Some(std::mem::take(bytes)).filter(|bytes| !bytes.is_empty()).map(Ok)),
            Inner::Coming(outlet) => outlet.poll_next(context),
            Inner::Made(pieces) => {
                pieces.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner()).as_mut().poll_next(context)
            }
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Whole(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Inner::Coming(_) | Inner::Made(_) => f.write_str("Body(in parts)"),
        }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Self(Inner::Whole(bytes))
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<String> for Body {
    fn from(text: String) -> Self {
        Bytes::from(text).into()
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

impl From<&'static str> for Body {
    fn from(text: &'static str) -> Self {
        Bytes::from_static(text.as_bytes()).into()
    }
}
