//! What is counted. Pure: latencies, counts, errors by kind, answers over time, and how the threads' parts are added.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest latency that is told apart, microseconds.
const LONGEST_US: u64 = 120_000_000;

/// Kinds of errors that are told apart; a text that varies must not fill the memory.
const MAX_KINDS: usize = 32;

/// Milliseconds of one step of [`Timeline`].
pub const STEP_MS: u64 = 100;

/// Microseconds, in a histogram of three digits.
#[derive(Debug, Clone)]
pub struct Latencies(Histogram<u64>);

impl Default for Latencies {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST_US, 3).expect("constant bounds are legal"))
    }
}

impl Latencies {
    /// Counts one.
    pub fn record(&mut self, latency: Duration) {
        self.0.saturating_record(latency.as_micros().clamp(1, u128::from(LONGEST_US)) as u64);
    }

    /// Counts those of another.
    pub fn merge(&mut self, other: &Self) {
        self.0.add(&other.0).expect("equal bounds");
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The value that a share of `0..=1` does not exceed, microseconds.
    pub fn quantile(&self, share: f64) -> u64 {
        self.0.value_at_quantile(share)
    }

    /// The longest, microseconds.
    pub fn max(&self) -> u64 {
        self.0.max()
    }

    /// The shortest, microseconds; 0 if there is none.
    pub fn min(&self) -> u64 {
        self.0.min()
    }

    /// The average, microseconds.
    pub fn mean(&self) -> f64 {
        self.0.mean()
    }
}

/// Errors by kind, and the first one in full.
#[derive(Debug, Clone, Default)]
pub struct Errors {
    kinds: BTreeMap<String, u64>,
    first: Option<String>,
}

impl Errors {
    /// Counts one.
    pub fn add(&mut self, kind: &str, detail: impl FnOnce() -> String) {
        self.first.get_or_insert_with(detail);
        self.count(kind, 1);
    }

    fn count(&mut self, kind: &str, number: u64) {
        if let Some(known) = self.kinds.get_mut(kind) {
            *known += number;
        } else {
            let kind = if self.kinds.len() < MAX_KINDS { kind } else { "others" };
            *self.kinds.entry(kind.to_owned()).or_default() += number;
        }
    }

    /// Counts those of another.
    pub fn merge(&mut self, other: Self) {
        for (kind, number) in other.kinds {
            self.count(&kind, number);
        }
        self.first = self.first.take().or(other.first);
    }

    /// How many in all.
    pub fn total(&self) -> u64 {
        self.kinds.values().sum()
    }

    /// How many of each kind.
    pub fn kinds(&self) -> &BTreeMap<String, u64> {
        &self.kinds
    }

    /// The first one.
    pub fn first(&self) -> Option<&str> {
        self.first.as_deref()
    }
}

/// Answers in each step of [`STEP_MS`] of the measured time.
#[derive(Debug, Clone, Default)]
pub struct Timeline(Vec<u64>);

impl Timeline {
    /// Counts one, so long after the beginning.
    pub fn add(&mut self, at: Duration) {
        let step = (at.as_millis() as u64 / STEP_MS) as usize;
        if self.0.len() <= step {
            self.0.resize(step + 1, 0);
        }
        self.0[step] += 1;
    }

    /// Counts those of another.
    pub fn merge(&mut self, other: &Self) {
        self.0.resize(self.0.len().max(other.0.len()), 0);
        for (sum, part) in self.0.iter_mut().zip(&other.0) {
            *sum += part;
        }
    }

    /// Per second, in steps; of the steps that lie within `elapsed` wholly, since a part of one says nothing.
    pub fn per_second(&self, elapsed: Duration) -> Vec<f64> {
        let whole = (elapsed.as_millis() as u64 / STEP_MS) as usize;
        let steps = self.0.iter().copied().chain(std::iter::repeat(0)).take(whole);
        steps.map(|count| count as f64 * 1_000.0 / STEP_MS as f64).collect()
    }
}

/// What one thread counted, or all of them together.
#[derive(Debug, Default)]
pub struct Tally {
    /// From the beginning of a call to the end of its answer.
    pub latencies: Latencies,
    /// Other times, by name.
    pub series: BTreeMap<&'static str, Latencies>,
    /// Other numbers, by name.
    pub counts: BTreeMap<&'static str, u64>,
    /// What went wrong.
    pub errors: Errors,
    /// What was refused because it was meant to be: no error of the run.
    pub provoked: Errors,
    /// Answers over time.
    pub timeline: Timeline,
    /// Calls from the first to the last, whenever they were sent.
    pub calls: Sent,
}

/// Calls that were sent, and what became of them: what a server's audit must agree with.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    /// How many.
    pub sent: u64,
    /// Of those, how many have ended: answered or not.
    pub ended: u64,
    /// Of those, how many were not answered, by the code that they ended with.
    pub refused: Errors,
}

impl Sent {
    /// Counts those of another.
    pub fn merge(&mut self, other: Self) {
        self.sent += other.sent;
        self.ended += other.ended;
        self.refused.merge(other.refused);
    }
}

impl Tally {
    /// Adds another thread's.
    pub fn merge(&mut self, other: Self) {
        self.latencies.merge(&other.latencies);
        for (name, part) in other.series {
            self.series.entry(name).or_default().merge(&part);
        }
        for (name, part) in other.counts {
            *self.counts.entry(name).or_default() += part;
        }
        self.errors.merge(other.errors);
        self.provoked.merge(other.provoked);
        self.timeline.merge(&other.timeline);
        self.calls.merge(other.calls);
    }

    /// A number by its name; 0 if nothing was counted.
    pub fn number(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_all_threads() {
        let (mut one, mut other) = (Tally::default(), Tally::default());
        for micros in 1..=1_000 {
            let tally = if micros % 2 == 0 { &mut one } else { &mut other };
            tally.latencies.record(Duration::from_micros(micros));
        }
        other.series.entry("gap").or_default().record(Duration::from_secs(1_000));
        *other.counts.entry("bytes").or_default() += 5;
        one.merge(other);
        assert_eq!((one.latencies.count(), one.latencies.quantile(0.5), one.latencies.max()), (1_000, 500, 1_000));
        assert_eq!((one.series["gap"].count(), one.number("bytes"), one.number("none")), (1, 5, 0));
        // What is too long is counted at the end of the scale, to its three digits.
        assert!(one.series["gap"].max() >= LONGEST_US);
    }

    #[test]
    fn errors_are_counted_by_kind_and_the_first_is_kept() {
        let (mut one, mut other) = (Errors::default(), Errors::default());
        one.add("refused", || "the first".into());
        other.add("refused", || "the second".into());
        other.add("lost", || "the third".into());
        one.merge(other);
        assert_eq!((one.total(), one.kinds()["refused"], one.kinds()["lost"]), (3, 2, 1));
        assert_eq!(one.first(), Some("the first"));
        for number in 0..1_000 {
            one.add(&format!("kind {number}"), String::new);
        }
        assert_eq!((one.total(), one.kinds().len()), (1_003, MAX_KINDS + 1));
    }

    #[test]
    fn a_timeline_counts_whole_steps() {
        let mut timeline = Timeline::default();
        for ms in [0, 99, 100, 310, 420] {
            timeline.add(Duration::from_millis(ms));
        }
        let mut more = Timeline::default();
        more.add(Duration::from_millis(950));
        timeline.merge(&more);
        assert_eq!(timeline.per_second(Duration::from_millis(450)), [20.0, 10.0, 0.0, 10.0]);
        assert_eq!(timeline.per_second(Duration::from_millis(1_200)).len(), 12);
    }
}
