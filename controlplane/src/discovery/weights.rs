//! How much each signal of reliability counts. The operator's to choose; the defaults are the documentation's.

use std::fmt;
use std::str::FromStr;

/// A signal of reliability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Signal {
    /// The share of the last seven days that it could be reached.
    Uptime,
    /// How fast it answers: the median of its calls.
    Latency,
    /// The share of its calls of the last day that did not fail.
    Success,
    /// What probing thinks of it.
    Pulse,
    /// Somebody stands behind the row: it registered itself, or its owner claimed it.
    Claim,
    /// Its provider proved to own its domain.
    Provider,
    /// How rarely others disputed what it delivered.
    Disputes,
}

impl Signal {
    /// Every signal, in the order of the documentation.
    pub const ALL: [Signal; 7] =
        [Self::Uptime, Self::Latency, Self::Success, Self::Pulse, Self::Claim, Self::Provider, Self::Disputes];

    /// The name in settings and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Uptime => "uptime",
            Self::Latency => "latency",
            Self::Success => "success",
            Self::Pulse => "pulse",
            Self::Claim => "claim",
            Self::Provider => "provider",
            Self::Disputes => "disputes",
        }
    }
}

/// The weights of discovery. Textual form: `name=number,…`; what is not named keeps its default, and an empty text counts
/// as unset. The signals' weights are relative to each other. `reliability` (0 to 1) is the share of a score that the
/// signals can take away, `offline` (0 to 1) is the factor for agents that cannot be called now, `meaning` (0 to 1) is the
/// share of the relevance that comes from embeddings, where there are any.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    signals: [f64; Signal::ALL.len()],
    /// The share of a score that the signals decide.
    pub reliability: f64,
    /// The factor for agents that cannot be called now.
    pub offline: f64,
    /// The share of the relevance that meaning has beside words.
    pub meaning: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self { signals: [0.25, 0.10, 0.30, 0.15, 0.05, 0.05, 0.10], reliability: 0.6, offline: 0.4, meaning: 0.5 }
    }
}

impl Weights {
    /// The weight of a signal: its share of all.
    pub fn share(&self, signal: Signal) -> f64 {
        let all: f64 = self.signals.iter().sum();
        if all > 0.0 { self.signals[signal as usize] / all } else { 0.0 }
    }
}

/// Weights that cannot be read; says which part and what is accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("rank weights: `{part}`: {expected}")]
pub struct BadWeights {
    part: String,
    expected: &'static str,
}

impl FromStr for Weights {
    type Err = BadWeights;

    fn from_str(text: &str) -> Result<Self, BadWeights> {
        let mut weights = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let bad = |expected| BadWeights { part: part.to_owned(), expected };
            let (name, value) = part.split_once('=').ok_or_else(|| bad("expected name=number"))?;
            let value: f64 = value.trim().parse().map_err(|_| bad("expected a number"))?;
            let name = name.trim();
            let signal = Signal::ALL.into_iter().find(|signal| signal.as_str() == name);
            let (place, most) = match (name, signal) {
                ("reliability", _) => (&mut weights.reliability, 1.0),
                ("offline", _) => (&mut weights.offline, 1.0),
                ("meaning", _) => (&mut weights.meaning, 1.0),
                (_, Some(signal)) => (&mut weights.signals[signal as usize], 1_000.0),
                _ => {
                    return Err(bad(
                        "names are uptime, latency, success, pulse, claim, provider, disputes, reliability, offline, meaning",
                    ));
                }
            };
            if !(0.0..=most).contains(&value) {
                return Err(bad("expected 0 to 1 for reliability, offline and meaning, 0 to 1000 for a signal"));
            }
            *place = value;
        }
        Ok(weights)
    }
}

impl fmt::Display for Weights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for signal in Signal::ALL {
            write!(f, "{}={},", signal.as_str(), self.signals[signal as usize])?;
        }
        write!(f, "reliability={},offline={},meaning={}", self.reliability, self.offline, self.meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_read_and_what_is_not_named_keeps_its_default() {
        let weights: Weights = "uptime=2, offline=0".parse().unwrap();
        assert_eq!((weights.signals[0], weights.offline), (2.0, 0.0));
        assert_eq!(weights.reliability, Weights::default().reliability);
        assert_eq!(weights.to_string().parse(), Ok(weights));
        assert_eq!("".parse(), Ok(Weights::default()));
    }

    #[test]
    fn shares_add_up_to_one_unless_nothing_counts() {
        let sum = |weights: &Weights| Signal::ALL.iter().map(|signal| weights.share(*signal)).sum::<f64>();
        assert!((sum(&Weights::default()) - 1.0).abs() < 1e-9);
        let none: Weights = "uptime=0,latency=0,success=0,pulse=0,claim=0,provider=0,disputes=0".parse().unwrap();
        assert_eq!(sum(&none), 0.0);
    }

    #[test]
    fn a_mistake_is_named() {
        for text in ["uptime", "speed=1", "uptime=x", "uptime=-1", "offline=2", "latency=NaN", "claim=inf"] {
            let message = text.parse::<Weights>().unwrap_err().to_string();
            assert!(message.contains(text), "{message}");
        }
    }
}
