//! When a client dials again: full jitter, so that thousands who lost one node do not come back in one instant.

use crate::close;

/// The shortest upper bound of a wait, milliseconds.
pub const FIRST_MS: u64 = 500;
/// The longest upper bound of a wait, milliseconds.
pub const LAST_MS: u64 = 30_000;

/// Waits between dials. The upper bound doubles with each failure from [`FIRST_MS`] to [`LAST_MS`]; the wait is a
/// uniformly random part of it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Redial {
    failures: u32,
}

impl Redial {
    /// A line became ready: the next wait is short again.
    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// The next wait in milliseconds, from a random number that the caller brings; `None` if the session ended with a
    /// code after which a client must not dial again by itself.
    pub fn next_ms(&mut self, closed_with: Option<u16>, random: u64) -> Option<u64> {
        if closed_with.is_some_and(|code| !close::redial(code)) {
            return None;
        }
        let bound = (FIRST_MS << self.failures.min(16)).min(LAST_MS);
        self.failures += 1;
        Some(random % (bound + 1))
    }

    /// The next wait after a close frame. A time that its reason names is kept, at most [`LAST_MS`]; a client that failed
    /// before waits its own time on top of it.
    pub fn after_close_ms(&mut self, code: u16, reason: &str, random: u64) -> Option<u64> {
        let is_first = self.failures == 0;
        let own = self.next_ms(Some(code), random)?;
        Some(match close::redial_after_ms(reason).filter(|_| close::is_for_now(code)) {
            Some(asked) => asked.min(LAST_MS) + if is_first { 0 } else { own },
            None => own,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_half_a_minute_and_begin_anew_after_success() {
        let mut redial = Redial::default();
        let bounds: Vec<_> = (0..8).map(|_| redial.next_ms(None, u64::MAX).unwrap()).collect();
        assert!(bounds.iter().all(|ms| *ms <= LAST_MS));
        // A random number of `bound` gives the whole bound.
        let mut redial = Redial::default();
        let bounds: Vec<_> = [500, 1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]
            .into_iter()
            .map(|bound| (bound, redial.next_ms(Some(1006), bound).unwrap()))
            .collect();
        assert!(bounds.iter().all(|(bound, ms)| bound == ms), "{bounds:?}");
        redial.succeeded();
        assert_eq!(redial.next_ms(None, 501), Some(0));
    }

    #[test]
    fn after_some_codes_only_a_person_dials() {
        for (code, dials) in
            [(1001, true), (1013, true), (4029, true), (4000, false), (4003, false), (4010, false), (4403, false)]
        {
            assert_eq!(Redial::default().next_ms(Some(code), 0).is_some(), dials, "{code}");
        }
    }

    #[test]
    fn a_time_that_the_relay_names_is_kept() {
        let reason = close::with_redial("overloaded", 7_000);
        let mut redial = Redial::default();
        assert_eq!(redial.after_close_ms(close::TRY_AGAIN_LATER, &reason, 11), Some(7_000));
        assert_eq!(
            redial.after_close_ms(close::TRY_AGAIN_LATER, &reason, 11),
            Some(7_011),
            "and its own after a failure"
        );
        redial.succeeded();
        assert_eq!(redial.after_close_ms(close::GOING_AWAY, "going away", 11), Some(11), "none is named");
        redial.succeeded();
        let long = close::with_redial("overloaded", 86_400_000);
        assert_eq!(redial.after_close_ms(close::TRY_AGAIN_LATER, &long, 0), Some(LAST_MS), "nobody sends us to sleep");
        assert_eq!(Redial::default().after_close_ms(close::REPLACED, &reason, 0), None);
        assert_eq!(
            Redial::default().after_close_ms(close::NORMAL, &reason, 3),
            Some(3),
            "it says so of other codes only"
        );
    }
}
