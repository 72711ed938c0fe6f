//! SIGTERM and SIGINT: the first asks to leave, the second ends the process.

use anyhow::{Context, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::outcome::ENDED_BY_SIGNAL;

/// The two signals, caught from now on.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Catches both signals.
    ///
    /// # Errors
    /// The system refuses.
    pub fn catch() -> Result<Self> {
        let terminate = signal(SignalKind::terminate()).context("cannot catch SIGTERM")?;
        let interrupt = signal(SignalKind::interrupt()).context("cannot catch SIGINT")?;
        Ok(Self { terminate, interrupt })
    }

    /// Waits for one of the signals and gives its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// From now on the next signal ends the process at once.
    pub fn arm_second(mut self) {
        tokio::spawn(async move {
            let name = self.next().await;
            eprintln!("landline: {name} again: ending at once");
            std::process::exit(i32::from(ENDED_BY_SIGNAL));
        });
    }
}
