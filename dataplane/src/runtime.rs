//! Which driver a core gets: io_uring with deferred task work, or epoll where io_uring is refused.

use std::future::Future;
use std::io;

use monoio::time::TimeDriver;
use monoio::{IoUringDriver, LegacyDriver, Runtime, RuntimeBuilder};

use crate::config::Driver;

/// Ring entries: more submissions than one batch of a busy core makes.
const ENTRIES: u32 = 4096;

fn ring() -> io_uring::Builder {
    let mut builder = io_uring::IoUring::builder();
    // One thread submits, and completions are delivered when it asks for them: no interrupts of running work, and one
    // wake for a whole batch.
    builder.setup_single_issuer().setup_defer_taskrun().setup_coop_taskrun();
    builder
}

/// Tries the ring that will be used, with its real size and flags: monoio's own test asks for two entries and so does
/// not notice a limit on locked memory.
///
/// # Errors
/// Why the system refuses it.
pub(crate) fn probe() -> io::Result<()> {
    ring().build(ENTRIES).map(drop)
}

/// Chooses the driver.
///
/// # Errors
/// io_uring was demanded and is refused; says why and what to do.
pub(crate) fn choose(wanted: Driver) -> Result<Driver, String> {
    match (wanted, probe()) {
        (Driver::Epoll, _) => Ok(Driver::Epoll),
        (_, Ok(())) => Ok(Driver::IoUring),
        (Driver::IoUring, Err(error)) => Err(format!("io_uring is refused here: {}", explain(&error))),
        (Driver::Auto, Err(error)) => {
            tracing::warn!(reason = %explain(&error), "io_uring is refused here, epoll is used");
            Ok(Driver::Epoll)
        }
    }
}

fn explain(error: &io::Error) -> String {
    let hint = match error.raw_os_error() {
        Some(libc::ENOMEM) => " (raise `ulimit -l`, the locked memory limit, or grant CAP_IPC_LOCK)",
        Some(libc::EPERM) => " (a seccomp profile or the sysctl kernel.io_uring_disabled forbids it)",
        Some(libc::ENOSYS) => " (the kernel has none; 6.1 or newer is needed)",
        Some(libc::EINVAL) => " (the kernel lacks SINGLE_ISSUER or DEFER_TASKRUN; 6.1 or newer is needed)",
        _ => "",
    };
    format!("{error}{hint}")
}

/// Runs a future on this thread with the chosen driver.
///
/// # Errors
/// The runtime could not be made.
pub(crate) fn run<F: Future>(driver: Driver, future: F) -> io::Result<F::Output> {
    if driver == Driver::Epoll {
        let mut runtime: Runtime<TimeDriver<LegacyDriver>> =
            RuntimeBuilder::<LegacyDriver>::new().enable_timer().build()?;
        return Ok(runtime.block_on(future));
    }
    let mut runtime: Runtime<TimeDriver<IoUringDriver>> =
        RuntimeBuilder::<IoUringDriver>::new().uring_builder(ring()).with_entries(ENTRIES).enable_timer().build()?;
    Ok(runtime.block_on(future))
}
