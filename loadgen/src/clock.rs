//! Waiting exactly. The runtime's timers have steps of a millisecond; calls at a rate have to begin within microseconds
//! of their time, or the generator's own lateness would be measured as the server's.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Instant;

use monoio::net::UnixStream;

/// One timer of the kernel. It is polled like a stream; it is never read or written as one.
pub struct Timer {
    descriptor: UnixStream,
}

impl Timer {
    /// A timer that is not set.
    ///
    /// # Errors
    /// The system has none left.
    pub fn new() -> io::Result<Self> {
        // SAFETY: no pointers; the result is checked before it is owned, once.
        let owned = unsafe {
            let fd = libc::timerfd_create(libc::CLOCK_MONOTONIC, libc::TFD_NONBLOCK | libc::TFD_CLOEXEC);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            OwnedFd::from_raw_fd(fd)
        };
        Ok(Self { descriptor: UnixStream::from_std(owned.into())? })
    }

    /// Waits until then. May be dropped while it waits.
    ///
    /// # Errors
    /// As the system says.
    pub async fn until(&self, time: Instant) -> io::Result<()> {
        loop {
            let wait = time.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                return Ok(());
            }
            let value = libc::itimerspec {
                it_interval: libc::timespec { tv_sec: 0, tv_nsec: 0 },
                it_value: libc::timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) },
            };
            let fd = self.descriptor.as_raw_fd();
            // SAFETY: the timer is open, the value lives on this stack, and the old one is not asked for.
            if unsafe { libc::timerfd_settime(fd, 0, &raw const value, std::ptr::null_mut()) } != 0 {
                return Err(io::Error::last_os_error());
            }
            self.descriptor.readable(false).await?;
            let mut expirations = [0_u8; 8];
            // Its count is not needed; reading it makes the descriptor unreadable again, if setting it did not.
            // SAFETY: eight bytes on this stack, as timerfd_create(2) wants; the timer does not block.
            unsafe { libc::read(fd, expirations.as_mut_ptr().cast(), expirations.len()) };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::runtime;

    #[test]
    fn it_waits_no_less_and_less_than_the_runtime_would() {
        let late = runtime::run(async {
            let timer = Timer::new().unwrap();
            let mut late = Vec::new();
            for _ in 0..200 {
                let time = Instant::now() + Duration::from_micros(300);
                timer.until(time).await.unwrap();
                late.push(Instant::now() - time);
            }
            late.sort();
            late
        })
        .unwrap();
        // Half of them: a busy machine may be late with the others.
        assert!(late[100] < Duration::from_micros(700), "{late:?}");
    }
}
