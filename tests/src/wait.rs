//! Waiting with an end: no test loops without a deadline.

use std::time::{Duration, Instant};

/// How long a test waits for something that should come at once, on a busy machine.
pub const SOON: Duration = Duration::from_secs(10);

/// Asks again and again until `ask` gives something.
///
/// # Panics
/// When `limit` has passed; the message says what was awaited.
pub fn eventually<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + limit;
    loop {
        if let Some(found) = ask() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {limit:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The value below which 99 of 100 lie.
///
/// # Panics
/// Without values.
pub fn p99(values: &[Duration]) -> Duration {
    assert!(!values.is_empty(), "no values");
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() * 99).div_ceil(100) - 1]
}
