//! One thread's runtime: io_uring with deferred task work, or epoll where io_uring is refused.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::sync::Once;

use monoio::time::TimeDriver;
use monoio::{IoUringDriver, LegacyDriver, Runtime, RuntimeBuilder};

/// Ring entries: more submissions than one batch makes.
const ENTRIES: u32 = 4096;

thread_local! {
    static IS_EPOLL: Cell<bool> = const { Cell::new(false) };
}

/// Every thread finds out; one says it.
static SAY: Once = Once::new();

fn ring() -> io_uring::Builder {
    let mut builder = io_uring::IoUring::builder();
    builder.setup_single_issuer().setup_defer_taskrun().setup_coop_taskrun();
    builder
}

/// Runs a future on this thread.
///
/// # Errors
/// No driver could be made.
pub fn run<F: Future>(future: F) -> io::Result<F::Output> {
    // monoio's own test asks for two entries only and so would not notice a limit on locked memory.
    if let Err(error) = ring().build(ENTRIES) {
        SAY.call_once(|| eprintln!("io_uring is refused here ({error}); epoll is used"));
        IS_EPOLL.set(true);
        let mut runtime: Runtime<TimeDriver<LegacyDriver>> =
            RuntimeBuilder::<LegacyDriver>::new().enable_timer().build()?;
        return Ok(runtime.block_on(future));
    }
    let mut runtime: Runtime<TimeDriver<IoUringDriver>> =
        RuntimeBuilder::<IoUringDriver>::new().uring_builder(ring()).with_entries(ENTRIES).enable_timer().build()?;
    Ok(runtime.block_on(future))
}

/// Does this thread's runtime use epoll? Its sockets have to be non-blocking, those of io_uring must not be.
pub fn is_epoll() -> bool {
    IS_EPOLL.get()
}
