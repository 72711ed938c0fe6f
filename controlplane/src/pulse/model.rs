//! Verdicts and what is kept of them, decided without a clock.

use landline_api::agents as api;
use landline_api::time::rfc3339_ms;

/// What a probe found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verdict {
    /// The agent of this card answered an A2A call at its URL.
    Callable,
    /// Its host asks for a credential that we do not have.
    AuthRequired,
    /// Something answers, but not this agent in A2A.
    ProtocolError,
    /// No answer in time.
    Timeout,
    /// No connection, or nobody behind it.
    Unreachable,
    /// Nothing was found out.
    Unknown,
}

impl Verdict {
    /// Every verdict.
    pub(crate) const ALL: [Verdict; 6] =
        [Self::Callable, Self::AuthRequired, Self::ProtocolError, Self::Timeout, Self::Unreachable, Self::Unknown];

    /// The word in the API, and in the database.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Callable => "callable",
            Self::AuthRequired => "auth_required",
            Self::ProtocolError => "protocol_error",
            Self::Timeout => "timeout",
            Self::Unreachable => "unreachable",
            Self::Unknown => "unknown",
        }
    }

    /// The verdict of a stored word; `Unknown` for one that we do not know.
    pub(crate) fn of(word: &str) -> Self {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == word).unwrap_or(Self::Unknown)
    }
}

/// Weight of the newest probe in the score: after five of a kind two thirds of it are theirs.
const NEWEST: f64 = 0.2;

/// The score after a probe: an exponential average in which a callable agent counts 1, one that asks for a credential 0.5
/// (it lives, but not for everybody) and all others 0. A probe that found nothing out changes nothing.
pub(crate) fn score(before: Option<f64>, verdict: Verdict) -> Option<f64> {
    let worth = match verdict {
        Verdict::Callable => 1.0,
        Verdict::AuthRequired => 0.5,
        Verdict::ProtocolError | Verdict::Timeout | Verdict::Unreachable => 0.0,
        Verdict::Unknown => return before,
    };
    Some(before.map_or(worth, |before| before + NEWEST * (worth - before)))
}

/// Microseconds that the parts of a probe took, each to the end of its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Took {
    /// The call, if there was one and an answer.
    pub(crate) call_us: Option<i64>,
    /// Fetching the agent's own card, if it was there.
    pub(crate) card_us: Option<i64>,
}

/// How an agent's URL answered of late.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pulse {
    pub(crate) verdict: Verdict,
    /// Why it is not `callable`, for its owner.
    pub(crate) reason: Option<String>,
    /// 0 to 1.
    pub(crate) score: Option<f64>,
    /// When it was asked last, unix milliseconds.
    pub(crate) checked_at: Option<i64>,
    /// Until when the verdict `callable` counts, unix milliseconds: twice its interval.
    pub(crate) fresh_until: Option<i64>,
    /// Since when it has not been callable, unix milliseconds.
    pub(crate) failing_since: Option<i64>,
    /// When a probe last found its present card at its host, unix milliseconds.
    pub(crate) card_seen_at: Option<i64>,
}

impl Pulse {
    /// Nothing is known.
    pub(crate) const UNKNOWN: Pulse = Pulse {
        verdict: Verdict::Unknown,
        reason: None,
        score: None,
        checked_at: None,
        fresh_until: None,
        failing_since: None,
        card_seen_at: None,
    };

    /// Is it callable now, as far as its URL goes? The origin's proof is another condition.
    pub(crate) fn is_fresh(&self, now_ms: i64) -> bool {
        self.fresh_until.is_some_and(|until| until > now_ms)
    }

    /// Has it failed for so long?
    pub(crate) fn failed_for(&self, ms: i64, now_ms: i64) -> bool {
        self.failing_since.is_some_and(|since| now_ms - since >= ms)
    }

    /// As it is shown on the agent's row. A verdict `callable` that is too old is shown as it was found: `checked_at` says
    /// when, and `online` does not count it.
    pub(crate) fn shown(&self) -> api::Pulse {
        api::Pulse {
            verdict: self.verdict.as_str().into(),
            score: self.score.map(|score| (score * 1_000.0).round() / 1_000.0),
            checked_at: self.checked_at.map(rfc3339_ms),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        for verdict in Verdict::ALL {
            assert_eq!(Verdict::of(verdict.as_str()), verdict);
        }
        assert_eq!(Verdict::of("something newer"), Verdict::Unknown);
    }

    #[test]
    fn the_score_follows_what_was_found_and_forgets_slowly() {
        assert_eq!(score(None, Verdict::Unknown), None);
        assert_eq!(score(None, Verdict::Callable), Some(1.0));
        assert_eq!(score(Some(1.0), Verdict::Timeout), Some(0.8));
        assert_eq!(score(Some(0.8), Verdict::Unknown), Some(0.8));
        let after = |verdict, n| (0..n).fold(1.0, |before, _| score(Some(before), verdict).unwrap());
        assert!(after(Verdict::Unreachable, 5) < 0.34 && after(Verdict::Unreachable, 30) < 0.01);
        assert!((after(Verdict::AuthRequired, 100) - 0.5).abs() < 1e-6);
        assert!((0.0..=1.0).contains(&after(Verdict::Callable, 1_000)));
    }

    #[test]
    fn fresh_ends_at_its_time_and_failing_begins_at_its_own() {
        let pulse = Pulse { fresh_until: Some(100), failing_since: Some(50), ..Pulse::UNKNOWN };
        assert!(pulse.is_fresh(99) && !pulse.is_fresh(100));
        assert!(!pulse.failed_for(50, 99) && pulse.failed_for(50, 100));
        assert!(!Pulse::UNKNOWN.is_fresh(0) && !Pulse::UNKNOWN.failed_for(0, i64::MAX));
    }
}
