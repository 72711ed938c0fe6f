//! The runtime of one thread, with the ring flags of the switch and the load generator: peers of another driver would be
//! compared by their drivers.

use std::io;

use bytes::BytesMut;
use monoio::buf::IoBufMut;
use monoio::io::{AsyncReadRent, AsyncWriteRent, AsyncWriteRentExt};
use monoio::{IoUringDriver, RuntimeBuilder};

/// Ring entries: more submissions than one batch makes.
const ENTRIES: u32 = 4096;
/// Bytes that one read takes at most, unless more are expected.
const READ_BYTES: usize = 16 << 10;

/// Runs a future on this thread.
///
/// # Errors
/// io_uring is refused here.
pub(crate) fn run<F: Future>(future: F) -> io::Result<F::Output> {
    let mut ring = io_uring::IoUring::builder();
    ring.setup_single_issuer().setup_defer_taskrun().setup_coop_taskrun();
    let runtime = RuntimeBuilder::<IoUringDriver>::new().uring_builder(ring).with_entries(ENTRIES).build();
    Ok(runtime?.block_on(future))
}

/// Appends what arrives. `UnexpectedEof` at the end.
pub(crate) async fn read(from: &mut impl AsyncReadRent, mut buf: BytesMut) -> (io::Result<()>, BytesMut) {
    buf.reserve(READ_BYTES);
    let (begin, end) = (buf.len(), buf.capacity());
    let (result, slice) = from.read(buf.slice_mut(begin..end)).await;
    let result = match result {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        other => other.map(drop),
    };
    (result, slice.into_inner())
}

/// Writes everything and gives the buffer back empty.
pub(crate) async fn write(to: &mut impl AsyncWriteRent, out: BytesMut) -> (io::Result<()>, BytesMut) {
    let (result, mut out) = to.write_all(out).await;
    out.clear();
    (result.map(drop), out)
}
