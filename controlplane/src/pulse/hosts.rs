//! Regard for other people's hosts: one question after the other, and a pause after each. Pure but for the tasks' type.

use std::collections::HashMap;

use tokio::task::JoinSet;

use super::schedule::HOST_PAUSE_MS;

/// Hosts whose last turn is remembered before those whose pause is over are forgotten.
const REMEMBERED: usize = 4_096;

/// The turns of hosts, by `host:port`.
#[derive(Debug, Default)]
pub(crate) struct Hosts(HashMap<String, Turns>);

impl Hosts {
    /// Takes a host's turn, or gives when to come again, unix milliseconds.
    pub(crate) fn take(&mut self, host: &str, now_ms: i64) -> Result<(), i64> {
        self.0.entry(host.to_owned()).or_default().take(now_ms)
    }

    /// Gives back the turns of the tasks that have ended; each gives the host that it is done with.
    pub(crate) fn collect(&mut self, tasks: &mut JoinSet<Option<String>>, now_ms: i64) {
        while let Some(done) = tasks.try_join_next() {
            match done {
                Ok(Some(host)) => self.0.entry(host).or_default().done(now_ms),
                Ok(None) => {}
                Err(error) => tracing::error!(%error, "a task that asks a host failed"),
            }
        }
        if self.0.len() > REMEMBERED {
            self.0.retain(|_, turns| !turns.is_idle(now_ms));
        }
    }
}

/// The turns of one host: one probe at a time, and a pause after each.
#[derive(Debug, Default, Clone, Copy)]
struct Turns {
    is_asked: bool,
    /// When its pause is over, unix milliseconds.
    free_at: i64,
    /// The last turn that was promised to an agent that has to wait, unix milliseconds.
    promised: i64,
}

impl Turns {
    /// Takes the turn, or gives when to come again: those who wait are told different times.
    fn take(&mut self, now_ms: i64) -> Result<(), i64> {
        if self.is_asked || self.free_at > now_ms {
            self.promised = self.promised.max(now_ms) + HOST_PAUSE_MS;
            return Err(self.promised);
        }
        self.is_asked = true;
        Ok(())
    }

    /// Gives it back.
    fn done(&mut self, now_ms: i64) {
        (self.is_asked, self.free_at) = (false, now_ms + HOST_PAUSE_MS);
    }

    fn is_idle(&self, now_ms: i64) -> bool {
        !self.is_asked && self.free_at <= now_ms && self.promised <= now_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_one_probe_at_a_time_and_a_pause_and_those_who_wait_come_one_by_one() {
        let mut turns = Turns::default();
        assert_eq!(turns.take(10_000), Ok(()));
        assert_eq!(
            [turns.take(10_000), turns.take(10_000), turns.take(10_500)],
            [Err(11_000), Err(12_000), Err(13_000)]
        );
        turns.done(10_600);
        assert_eq!(turns.take(11_000), Err(14_000), "its pause lasts");
        assert_eq!(turns.take(11_600), Ok(()));
        assert!(!turns.is_idle(20_000));
        turns.done(20_000);
        assert!(!turns.is_idle(20_999) && turns.is_idle(21_000));
    }
}
