//! When those who lose their line, or do not get one, may come back: each at a time of its own.
//!
//! The rule: a core's lines, and all who were told a time within the last half minute, come back at no more than
//! [`REDIALS_PER_S`] on average. Times are spread evenly over as long a window as that takes, half a second at least and
//! half a minute at most.

use crate::types::Now;

/// Lines of one core that come back in a second.
const REDIALS_PER_S: u64 = 2_000;
/// The shortest span over which they are spread.
const MIN_SPREAD_MS: u64 = 500;
/// The longest.
const MAX_SPREAD_MS: u64 = 30_000;

/// Counts who was told a time.
#[derive(Debug, Default)]
pub(super) struct Redials {
    /// Told in this half minute, and in the one before.
    told: u64,
    told_before: u64,
    since_ms: u64,
}

impl Redials {
    /// A time for one of them. `lines` stand now; `random` is any number.
    pub(super) fn after_ms(&mut self, lines: usize, random: u64, now: Now) -> u64 {
        let passed = now.ms().saturating_sub(self.since_ms);
        if passed >= MAX_SPREAD_MS {
            self.told_before = if passed < 2 * MAX_SPREAD_MS { self.told } else { 0 };
            self.told = 0;
            self.since_ms = now.ms();
        }
        self.told += 1;
        random % spread_ms(lines as u64 + self.told + self.told_before)
    }
}

/// How long so many lines take to come back.
pub(super) fn spread_ms(lines: u64) -> u64 {
    (lines * 1000 / REDIALS_PER_S).clamp(MIN_SPREAD_MS, MAX_SPREAD_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(ms: u64) -> Now {
        Now { us: ms * 1000, unix_ms: 0 }
    }

    /// Numbers that are spread evenly, in no order that the rule could follow.
    fn random(n: u64) -> u64 {
        n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20
    }

    #[test]
    fn few_come_back_within_half_a_second() {
        let mut redials = Redials::default();
        assert!((0..900).all(|n| redials.after_ms(0, random(n), now(1_000)) < MIN_SPREAD_MS));
    }

    #[test]
    fn many_are_spread_so_that_no_second_gets_much_more_than_its_share() {
        // A storm of 40,000 that are all refused within a second.
        let mut redials = Redials::default();
        let mut seconds = [0u64; 31];
        for n in 0..40_000 {
            let at = 1_000 + n / 40;
            seconds[((at + redials.after_ms(0, random(n), now(at))) / 1000) as usize] += 1;
        }
        let most = *seconds.iter().max().unwrap();
        // The first ones were told short times before it was known how many would come: a fourfold peak, not twentyfold.
        assert!(most < 4 * REDIALS_PER_S, "{seconds:?}");
        assert_eq!(seconds.iter().sum::<u64>(), 40_000);
        // Refused again and again, they settle at the rate.
        let times: Vec<u64> = (0..40_000).map(|n| redials.after_ms(0, random(n + 7), now(32_000)) / 1000).collect();
        let late = (0..30).map(|second| times.iter().filter(|time| **time == second).count()).collect::<Vec<_>>();
        assert!(late[1..28].iter().all(|count| (800..2_400).contains(count)), "{late:?}");
    }

    #[test]
    fn what_was_long_ago_counts_no_more() {
        let mut redials = Redials::default();
        for n in 0..100_000 {
            redials.after_ms(0, random(n), now(1_000));
        }
        let most = |redials: &mut Redials, at| (0..200).map(|n| redials.after_ms(0, random(n), now(at))).max().unwrap();
        assert!(most(&mut redials, 31_500) > MAX_SPREAD_MS / 2);
        assert!(most(&mut redials, 92_000) < MIN_SPREAD_MS);
    }

    #[test]
    fn the_span_grows_with_the_lines() {
        assert_eq!(
            [0, 1_000, 2_000, 18_000, 60_000, u64::MAX / 1000].map(spread_ms),
            [500, 500, 1_000, 9_000, 30_000, 30_000]
        );
    }
}
