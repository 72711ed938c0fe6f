//! When an agent is asked next. Pure: what happened and a random number go in, a time comes out.

use super::model::Verdict;

/// Time between two probes of one host, and what each of its agents adds to their interval: so a host with many agents is
/// asked no oftener than it can be, and none of them goes stale for want of a turn.
pub(crate) const HOST_PAUSE_MS: i64 = 1_000;
pub(super) const PER_NEIGHBOUR_MS: i64 = 2 * HOST_PAUSE_MS;
/// The longest time between two probes of an agent that fails, in intervals: an hour, at five minutes.
const MOST_INTERVALS: i64 = 12;
/// The first look after a failure comes sooner, in parts of an interval: a hiccup should not cost five minutes.
const SECOND_LOOK: i64 = 5;
/// How far times are spread, as a part of themselves in both directions.
const JITTER: f64 = 0.1;

/// What a probe is planned from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct History {
    /// The last verdict.
    pub(crate) verdict: Verdict,
    /// Probes in a row that did not find it callable, the last one included.
    pub(crate) failures: u32,
    /// Agents on the same host.
    pub(crate) neighbours: i64,
}

/// The interval that holds for an agent: what the operator set, or more on a crowded host. Milliseconds. A verdict counts
/// for twice as long.
pub(crate) fn interval(set_ms: i64, neighbours: i64) -> i64 {
    set_ms.max(neighbours.saturating_mul(PER_NEIGHBOUR_MS))
}

/// Milliseconds until the next probe. `random` is from 0 to 1.
pub(crate) fn next_probe(history: History, set_ms: i64, random: f64) -> i64 {
    let interval = interval(set_ms, history.neighbours);
    let delay = match (history.verdict, history.failures) {
        (Verdict::Callable, _) | (_, 0 | 2) => interval,
        (_, 1) => interval / SECOND_LOOK,
        (_, failures) => {
            let doublings = (failures - 2).min(MOST_INTERVALS.ilog2() + 1);
            interval.saturating_mul((1 << doublings).min(MOST_INTERVALS))
        }
    };
    let factor = 1.0 + JITTER * (2.0 * random.clamp(0.0, 1.0) - 1.0);
    ((delay as f64 * factor) as i64).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: i64 = 300_000;

    fn delay(verdict: Verdict, failures: u32) -> i64 {
        next_probe(History { verdict, failures, neighbours: 1 }, FIVE, 0.5)
    }

    #[test]
    fn the_callable_are_asked_each_interval_and_the_failing_ever_more_rarely_up_to_an_hour() {
        assert_eq!(delay(Verdict::Callable, 0), FIVE);
        let minutes: Vec<i64> = (1..9).map(|failures| delay(Verdict::Timeout, failures) / 60_000).collect();
        assert_eq!(minutes, [1, 5, 10, 20, 40, 60, 60, 60]);
        assert_eq!(delay(Verdict::Unreachable, u32::MAX) / 60_000, 60);
    }

    #[test]
    fn times_are_spread_by_a_tenth_and_a_verdict_never_gets_stale_before_the_next() {
        let history = History { verdict: Verdict::Callable, failures: 0, neighbours: 1 };
        for (random, expected) in [(0.0, 270_000), (1.0, 330_000), (7.0, 330_000), (-1.0, 270_000)] {
            assert_eq!(next_probe(history, FIVE, random), expected, "{random}");
        }
        assert!(next_probe(history, FIVE, 1.0) < 2 * interval(FIVE, 1));
        assert_eq!(next_probe(history, 0, 0.0), 1_800, "even without an interval a host has its pause");
    }

    #[test]
    fn a_crowded_host_is_asked_no_oftener_than_its_pause_lets_through() {
        let neighbours = 1_000;
        let history = History { verdict: Verdict::Callable, failures: 0, neighbours };
        let shortest = next_probe(history, FIVE, 0.0);
        assert!(shortest / neighbours >= HOST_PAUSE_MS, "{shortest}");
        assert_eq!(interval(FIVE, neighbours), 2_000_000);
    }
}
