//! What a sweep looks at of each line, side by side and apart from the lines: a line that is silent is not touched, so that
//! a second costs as many cache lines as there are sixths of lines.

use landline_wire::session::server::{Beat, Pulse};

/// Milliseconds of silence after which a line counts as idle and keeps no buffer for the next write.
const QUIET_MS: u64 = 2_000;

/// Milliseconds that a closing line may take to send what is queued.
const CLOSE_GRACE_MS: u64 = 5_000;

/// One line's signs of life, and what the sweep did about their absence.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Watch {
    /// Of a closing line: since it began to close.
    pulse: Pulse,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// No line stands here.
    Free,
    /// Heard a moment ago.
    Busy,
    /// Silent for a while: it gave up what it needs only while it is busy.
    Quiet,
    /// It ends, whatever it still says.
    Closing,
}

/// What is to be done about a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// It has gone quiet: what it needs only while it is busy may go.
    Shrink,
    /// It was silent for a heartbeat.
    Ping,
    /// It did not answer the pings.
    Dead,
    /// It began to close long enough ago.
    Abort,
}

impl Watch {
    /// A place without a line.
    pub(crate) const FREE: Self = Self { pulse: Pulse::at(0), state: State::Free };

    /// A line that is up now.
    pub(crate) fn new(now_ms: u64) -> Self {
        Self { pulse: Pulse::at(now_ms), state: State::Busy }
    }

    /// Something came from it.
    pub(crate) fn heard(&mut self, now_ms: u64) {
        if self.state != State::Closing {
            *self = Self::new(now_ms);
        }
    }

    /// It ends.
    pub(crate) fn close(&mut self, now_ms: u64) {
        *self = Self { pulse: Pulse::at(now_ms), state: State::Closing };
    }

    /// Looks at the line, about once a second.
    pub(crate) fn look(&mut self, now_ms: u64, heartbeat_s: u64) -> Option<Due> {
        match self.state {
            State::Free => return None,
            State::Closing => return (self.pulse.silent_ms(now_ms) > CLOSE_GRACE_MS).then_some(Due::Abort),
            State::Busy | State::Quiet => {}
        }
        match self.pulse.sweep(now_ms, heartbeat_s) {
            Beat::Quiet if self.state == State::Busy && self.pulse.silent_ms(now_ms) >= QUIET_MS => {
                self.state = State::Quiet;
                Some(Due::Shrink)
            }
            Beat::Quiet => None,
            Beat::Ping => Some(Due::Ping),
            Beat::Dead => Some(Due::Dead),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn looks(watch: &mut Watch, seconds: std::ops::RangeInclusive<u64>) -> Vec<(u64, Due)> {
        seconds.filter_map(|second| watch.look(second * 1_000, 30).map(|due| (second, due))).collect()
    }

    #[test]
    fn a_silent_line_gives_up_its_buffers_once_is_pinged_and_then_dead() {
        let mut watch = Watch::new(0);
        assert_eq!(looks(&mut watch, 1..=90), [(2, Due::Shrink), (30, Due::Ping), (60, Due::Ping), (90, Due::Dead)]);
        watch.heard(90_500);
        assert_eq!(looks(&mut watch, 91..=121), [(93, Due::Shrink), (121, Due::Ping)]);
    }

    #[test]
    fn a_closing_line_has_its_time_whatever_it_says() {
        let mut watch = Watch::new(0);
        watch.close(10_000);
        watch.heard(14_000);
        assert_eq!(looks(&mut watch, 11..=16), [(16, Due::Abort)]);
    }

    #[test]
    fn a_place_without_a_line_is_passed_over_and_little_is_kept_of_each() {
        assert_eq!(looks(&mut Watch::FREE.clone(), 1..=100), []);
        assert!(size_of::<Watch>() <= 12);
    }
}
