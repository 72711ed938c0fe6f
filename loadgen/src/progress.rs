//! How far a run is, on stderr: one line that is written over on a terminal, else a line every few seconds.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

/// Time between two states on a terminal.
const LIVE: Duration = Duration::from_millis(200);
/// And elsewhere.
const LOGGED: Duration = Duration::from_secs(5);

/// The line.
#[derive(Debug)]
pub struct Progress {
    live: bool,
    last: Instant,
}

impl Default for Progress {
    fn default() -> Self {
        Self { live: stderr().is_terminal(), last: Instant::now() }
    }
}

impl Progress {
    /// Shows a state, unless the last one is too young.
    pub fn show(&mut self, state: impl FnOnce() -> String) {
        if self.last.elapsed() < if self.live { LIVE } else { LOGGED } {
            return;
        }
        self.last = Instant::now();
        // Nobody reads stderr any more: that is no reason to end the run.
        let _ = if self.live { write!(stderr(), "\r\x1b[K{}", state()) } else { writeln!(stderr(), "{}", state()) };
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.live {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}
