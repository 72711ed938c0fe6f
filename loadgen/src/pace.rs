//! When calls at a rate are meant to begin. Pure: it knows no clock, only distances from a beginning.

use std::time::Duration;

use crate::random::Choices;

/// The beginnings of one thread's calls.
#[derive(Debug)]
pub struct Schedule {
    /// Seconds between two, on average.
    interval: f64,
    next: f64,
    /// Distances are exponentially distributed, not all the same.
    exponential: Option<Choices>,
}

impl Schedule {
    /// `rate` a second, all at the same distance. `phase` of 0 to 1 moves the first, so that threads take turns.
    pub fn even(rate: f64, phase: f64) -> Self {
        let interval = 1.0 / rate;
        Self { interval, next: interval * phase, exponential: None }
    }

    /// `rate` a second on average, each independent of the others.
    pub fn poisson(rate: f64, choices: Choices) -> Self {
        let mut schedule = Self { interval: 1.0 / rate, next: 0.0, exponential: Some(choices) };
        schedule.advance();
        schedule
    }

    /// When the next call is meant to begin, from the schedule's beginning.
    pub fn next(&self) -> Duration {
        Duration::from_secs_f64(self.next)
    }

    /// That one has begun.
    pub fn advance(&mut self) {
        let factor = self.exponential.as_mut().map_or(1.0, |choices| -choices.unit().ln());
        self.next += self.interval * factor;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Calls within the first second.
    fn in_a_second(schedule: &mut Schedule) -> Vec<f64> {
        let mut seen = Vec::new();
        while schedule.next() < Duration::from_secs(1) {
            seen.push(schedule.next().as_secs_f64());
            schedule.advance();
        }
        seen
    }

    #[test]
    fn an_even_schedule_has_its_rate_and_its_phase() {
        let first = in_a_second(&mut Schedule::even(1_000.0, 0.0));
        let second = in_a_second(&mut Schedule::even(1_000.0, 0.5));
        assert!((999..=1_001).contains(&first.len()) && second.len() == 1_000, "{} {}", first.len(), second.len());
        assert!((second[10] - first[10] - 0.0005).abs() < 1e-9);
        assert!(first.windows(2).all(|pair| (pair[1] - pair[0] - 0.001).abs() < 1e-9));
    }

    #[test]
    fn a_poisson_schedule_has_its_rate_and_uneven_distances() {
        let seen = in_a_second(&mut Schedule::poisson(10_000.0, Choices::new(3, 0)));
        assert!((9_500..10_500).contains(&seen.len()), "{}", seen.len());
        // Of exponential distances 63 % are shorter than the average.
        let short = seen.windows(2).filter(|pair| pair[1] - pair[0] < 1e-4).count() as f64 / seen.len() as f64;
        assert!((0.60..0.66).contains(&short), "{short}");
    }
}
