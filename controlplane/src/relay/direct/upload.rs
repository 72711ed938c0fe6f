//! The body of a call, gathered whole: it is bounded, and an agent is not kept waiting by a slow caller. All bodies
//! together have a budget, taken as they arrive, so that one who promises much and sends little holds little.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use landline_wire::error::Code;
use landline_wire::limits::{BODY_BUDGET_BYTES, MAX_BODY_BYTES, UPLOAD_DEADLINE_MS};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::error::{Error, Result};

/// Bytes that all bodies may have together.
pub(crate) struct Budget(Arc<Semaphore>);

impl Default for Budget {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(BODY_BUDGET_BYTES)))
    }
}

/// A whole body. Its bytes count until it is dropped.
#[derive(Debug, Default)]
pub(crate) struct Upload {
    pub(crate) bytes: Bytes,
    pub(crate) hold: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// Reads a body to its end.
    pub(crate) async fn collect(&self, body: Body) -> Result<Upload> {
        let deadline = Duration::from_millis(UPLOAD_DEADLINE_MS);
        timeout(deadline, self.gather(body)).await.unwrap_or_else(|_| Err(Error::plain(Code::UploadTimeout)))
    }

    async fn gather(&self, body: Body) -> Result<Upload> {
        let mut body = Limited::new(body, MAX_BODY_BYTES);
        let (mut whole, mut hold) = (BytesMut::new(), None::<OwnedSemaphorePermit>);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    Error::new(Code::BodyTooLarge, format!("The body is over the limit of {MAX_BODY_BYTES} bytes."))
                } else {
                    Error::invalid("body", "The body broke off.")
                }
            })?;
            let Ok(bytes) = frame.into_data() else { continue };
            let taken =
                u32::try_from(bytes.len()).ok().and_then(|n| Arc::clone(&self.0).try_acquire_many_owned(n).ok());
            let taken = taken.ok_or_else(|| Error::new(Code::Overloaded, "Too many bodies are on their way."))?;
            match &mut hold {
                Some(hold) => hold.merge(taken),
                None => hold = Some(taken),
            }
            whole.extend_from_slice(&bytes);
        }
        Ok(Upload { bytes: whole.freeze(), hold })
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use futures_util::stream;

    use super::*;

    fn budget(bytes: usize) -> Budget {
        Budget(Arc::new(Semaphore::new(bytes)))
    }

    fn parts(parts: &[&'static str]) -> Body {
        let parts: Vec<io::Result<&'static str>> = parts.iter().map(|part| Ok(*part)).collect();
        Body::from_stream(stream::iter(parts))
    }

    fn code(outcome: Result<Upload>) -> Code {
        outcome.unwrap_err().into_problem().code
    }

    #[tokio::test]
    async fn bodies_share_a_budget_and_give_it_back() {
        let budget = budget(10);
        let first = budget.collect(parts(&["abc", "", "def"])).await.unwrap();
        assert_eq!((first.bytes.as_ref(), budget.0.available_permits()), (&b"abcdef"[..], 4));
        assert_eq!(code(budget.collect(parts(&["abc", "de"])).await), Code::Overloaded);
        assert_eq!(budget.0.available_permits(), 4, "what was refused holds nothing");
        drop(first);
        assert_eq!(budget.collect(parts(&["abc", "de"])).await.unwrap().bytes, "abcde");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_a_large_and_a_broken_body_are_told_apart() {
        let endless = Body::from_stream(stream::pending::<io::Result<Bytes>>());
        assert_eq!(code(budget(10).collect(endless).await), Code::UploadTimeout);
        let large = Body::from(vec![0; MAX_BODY_BYTES + 1]);
        assert_eq!(code(Budget::default().collect(large).await), Code::BodyTooLarge);
        let broken = Body::from_stream(stream::iter([Ok("a"), Err(io::Error::other("x"))]));
        assert_eq!(code(budget(10).collect(broken).await), Code::InvalidQuery);
        assert_eq!(budget(0).collect(Body::empty()).await.unwrap().bytes, "");
    }
}
