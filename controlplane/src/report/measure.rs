//! Shares, percentiles and tallies. Pure.

use std::collections::{BTreeMap, HashMap};

use landline_api::report::{Interval, Latency, Row, Share};

/// Denominators from which a share says enough by itself: the 95 % interval is within three points of it.
const ENOUGH: u64 = 1_000;
/// The standard normal distribution's 97.5 % quantile: what lies outside of the interval is 5 %, on both sides together.
const Z: f64 = 1.959_963_984_540_054;

/// So many of so many.
pub(crate) fn share(count: u64, of: u64) -> Share {
    let interval = (of < ENOUGH).then(|| wilson(count, of)).flatten();
    Share {
        count: Some(count),
        of,
        share: (of > 0).then(|| rounded(count as f64 / of as f64)),
        interval: interval.map(|(low, high)| Interval { low: rounded(low), high: rounded(high) }),
        reason: (of == 0).then(|| "the denominator is 0".to_owned()),
    }
}

/// A numerator that is not known, and why.
pub(crate) fn unknown(of: u64, reason: &str) -> Share {
    Share { count: None, of, share: None, interval: None, reason: Some(reason.to_owned()) }
}

/// Four decimals.
fn rounded(share: f64) -> f64 {
    (share * 10_000.0).round() / 10_000.0
}

/// The 95 % score interval of a binomial proportion (Wilson 1927). `None` without a sample.
pub(crate) fn wilson(count: u64, of: u64) -> Option<(f64, f64)> {
    if of == 0 {
        return None;
    }
    let (n, p) = (of as f64, count as f64 / of as f64);
    let centre = p + Z * Z / (2.0 * n);
    let half = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    Some((((centre - half) / scale).clamp(0.0, p), ((centre + half) / scale).clamp(p, 1.0)))
}

/// Values and how often each was seen. What is counted is bounded by how many different values there are, so rounded
/// ones need little memory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Distribution(BTreeMap<u64, u64>);

impl Distribution {
    /// Adds a value that was seen so often.
    pub(crate) fn add(&mut self, value: u64, times: u64) {
        if times > 0 {
            *self.0.entry(value).or_default() += times;
        }
    }

    /// Adds values, each with how often it was seen.
    pub(crate) fn extend(&mut self, pairs: impl IntoIterator<Item = (u64, u64)>) {
        pairs.into_iter().for_each(|(value, times)| self.add(value, times));
    }

    /// How many values were seen.
    pub(crate) fn count(&self) -> u64 {
        self.0.values().sum()
    }

    /// The `q`th percentile (0 to 100) by nearest rank: a value that occurred. `None` without values.
    pub(crate) fn percentile(&self, q: f64) -> Option<u64> {
        let count = self.count();
        let rank = ((q / 100.0 * count as f64).ceil() as u64).clamp(1, count.max(1));
        let mut passed = 0;
        self.0.iter().find_map(|(value, times)| {
            passed += times;
            (passed >= rank).then_some(*value)
        })
    }

    /// The largest value.
    pub(crate) fn most(&self) -> Option<u64> {
        self.0.last_key_value().map(|(value, _)| *value)
    }

    /// Microseconds, as they are published. `reason` says why there are none, if there are none.
    pub(crate) fn latency(&self, reason: &str) -> Latency {
        let at = |q| self.percentile(q).map(|us| us as f64 / 1_000.0);
        let sample = self.count();
        Latency {
            sample,
            p50_ms: at(50.0),
            p90_ms: at(90.0),
            p99_ms: at(99.0),
            reason: (sample == 0).then(|| reason.to_owned()),
        }
    }
}

impl FromIterator<(u64, u64)> for Distribution {
    fn from_iter<T: IntoIterator<Item = (u64, u64)>>(pairs: T) -> Self {
        let mut all = Self::default();
        all.extend(pairs);
        all
    }
}

/// Texts and how often each was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally(HashMap<String, u64>);

/// Different texts that are counted; others than the first so many are not. Texts come from cards, whose authors may write
/// whatever they like.
const DISTINCT: usize = 100_000;

impl Tally {
    /// Adds a text that was seen so often.
    pub(crate) fn add(&mut self, text: &str, times: u64) {
        if let Some(count) = self.0.get_mut(text) {
            *count += times;
        } else if self.0.len() < DISTINCT {
            self.0.insert(text.to_owned(), times);
        }
    }

    /// How often a text was seen.
    pub(crate) fn count(&self, text: &str) -> u64 {
        self.0.get(text).copied().unwrap_or(0)
    }

    /// Different texts.
    pub(crate) fn distinct(&self) -> u64 {
        self.0.len() as u64
    }

    /// The most frequent texts as shares of `of`, then by name.
    pub(crate) fn rows(&self, of: u64, limit: usize) -> Vec<Row> {
        let mut sorted: Vec<(&String, &u64)> = self.0.iter().collect();
        sorted.sort_by(|(a, many), (b, few)| few.cmp(many).then_with(|| a.cmp(b)));
        let row = |(value, count): (&String, &u64)| Row { value: value.clone(), share: share(*count, of) };
        sorted.into_iter().take(limit).map(row).collect()
    }

    /// These texts, in their order, also those that were never seen.
    pub(crate) fn rows_of(&self, values: &[&str], of: u64) -> Vec<Row> {
        let row = |value: &&str| Row { value: (*value).to_owned(), share: share(self.count(value), of) };
        values.iter().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn intervals_are_those_of_the_tables() {
        // Newcombe (1998), Statistics in Medicine 17, table I, method 3.
        for (count, of, low, high) in
            [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]
        {
            let (found_low, found_high) = wilson(count, of).unwrap();
            assert!(
                (found_low - low).abs() < 6e-5 && (found_high - high).abs() < 6e-5,
                "{count} of {of}: {found_low} {found_high}"
            );
        }
        assert_eq!(wilson(0, 0), None);
    }

    #[test]
    fn a_share_of_nothing_has_a_reason_and_a_large_one_no_interval() {
        let none = share(0, 0);
        assert_eq!((none.share, none.interval, none.reason.is_some()), (None, None, true));
        let one = share(1, 3);
        assert_eq!((one.share, one.reason), (Some(0.3333), None));
        assert!(one.interval.is_some() && share(1, 999).interval.is_some() && share(1, 1_000).interval.is_none());
        let open = unknown(7, "nobody asked");
        assert_eq!((open.count, open.of, open.share), (None, 7, None));
    }

    #[test]
    fn times_without_a_sample_are_null_and_say_why() {
        let none = Distribution::default().latency("nobody called");
        assert_eq!((none.sample, none.p50_ms, none.reason.as_deref()), (0, None, Some("nobody called")));
        let one = Distribution::from_iter([(1_500, 2)]).latency("nobody called");
        assert_eq!((one.sample, one.p99_ms, one.reason), (2, Some(1.5), None));
    }

    #[test]
    fn rows_are_ordered_by_count_and_then_by_name() {
        let mut tally = Tally::default();
        for text in ["b", "c", "a", "c"] {
            tally.add(text, 1);
        }
        let names = |rows: Vec<Row>| rows.into_iter().map(|row| (row.value, row.share.count)).collect::<Vec<_>>();
        assert_eq!(names(tally.rows(4, 2)), [("c".into(), Some(2)), ("a".into(), Some(1))]);
        assert_eq!(names(tally.rows_of(&["z", "b"], 4)), [("z".into(), Some(0)), ("b".into(), Some(1))]);
    }

    #[test]
    fn texts_beyond_the_bound_are_not_kept_and_known_ones_go_on() {
        let mut tally = Tally::default();
        (0..DISTINCT + 5).for_each(|n| tally.add(&n.to_string(), 1));
        tally.add("0", 1);
        assert_eq!((tally.distinct(), tally.count("0"), tally.count(&DISTINCT.to_string())), (DISTINCT as u64, 2, 0));
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_share_and_narrows_with_the_sample(of in 1_u64..100_000, part in 0.0_f64..=1.0) {
            let count = (of as f64 * part) as u64;
            let (low, high) = wilson(count, of).unwrap();
            let p = count as f64 / of as f64;
            prop_assert!((0.0..=p).contains(&low) && (p..=1.0).contains(&high));
            let (wider_low, wider_high) = (low, high);
            let (low, high) = wilson(count * 10, of * 10).unwrap();
            prop_assert!(high - low <= wider_high - wider_low);
            let mirrored = wilson(of - count, of).unwrap();
            prop_assert!((mirrored.0 - (1.0 - wider_high)).abs() < 1e-9, "what is not counted has the mirrored interval");
        }

        #[test]
        fn a_percentile_is_the_value_of_its_rank(mut values in prop::collection::vec(0_u64..1_000, 1..200), q in 0.0_f64..=100.0) {
            let all: Distribution = values.iter().map(|value| (*value, 1)).collect();
            values.sort_unstable();
            prop_assert_eq!(all.percentile(q), crate::relay::percentile(&values, q));
            prop_assert_eq!(all.count(), values.len() as u64);
            prop_assert_eq!(all.most(), values.last().copied());
        }

        #[test]
        fn parts_of_a_whole_add_up(parts in prop::collection::vec(0_u64..10_000, 1..12)) {
            let mut tally = Tally::default();
            parts.iter().enumerate().for_each(|(n, times)| tally.add(&n.to_string(), *times));
            let of = parts.iter().sum();
            let rows = tally.rows(of, 100);
            prop_assert_eq!(rows.iter().filter_map(|row| row.share.count).sum::<u64>(), of);
            if of > 0 {
                let all: f64 = rows.iter().filter_map(|row| row.share.share).sum();
                prop_assert!((all - 1.0).abs() < 1e-3, "{}", all);
            }
        }
    }
}
