//! How much agents are called of late, as the order `trending` has it. The formula is written down for everybody in
//! `docs/LISTING.md`; it is pure, and computed anew each minute.

use std::collections::{BTreeMap, HashMap};

use landline_wire::ids::AgentId;

use super::store;
use crate::db::Result;
use crate::relay::{self, QUARTER_MS};
use crate::state::Exchange;

/// Quarters of a day in which what happened is worth half: a day.
const HALF_LIFE: f64 = 4.0;
/// Quarters that are looked at: seven days. What is older is worth less than a hundredth.
const QUARTERS: i64 = 28;
/// Age from which a caller is established.
const ESTABLISHED_MS: i64 = 7 * 24 * 3_600_000;
/// Scores are kept in thousandths.
const UNIT: f64 = 1_000.0;
/// Agents whose scores are written in one transaction, so that none is long.
const STEP: usize = 500;

/// One caller's calls to one agent in one quarter of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    /// Which quarter, since the epoch.
    pub(crate) quarter: i64,
    /// Calls that were answered; at least 1.
    pub(crate) calls: i64,
    /// When the caller registered, unix milliseconds; `None`: it is anonymous, or gone.
    pub(crate) caller_since: Option<i64>,
}

/// The score of an agent in thousandths. In each quarter a caller counts 1, and 1 more for each tenfold of its calls; callers
/// that are not established count together, by the natural logarithm of 1 and what they would count; and all is worth half
/// after a day.
pub(crate) fn score(counts: &[Count], now_ms: i64) -> i64 {
    let mut quarters: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for count in counts {
        let worth = 1.0 + (count.calls.max(1) as f64).log10();
        let (established, others) = quarters.entry(count.quarter).or_default();
        match count.caller_since {
            Some(since) if now_ms - since >= ESTABLISHED_MS => *established += worth,
            _ => *others += worth,
        }
    }
    let now = now_ms.div_euclid(QUARTER_MS);
    let worth = quarters.iter().map(|(quarter, (established, others))| {
        let age = (now - quarter).max(0) as f64;
        (established + others.ln_1p()) * (-age / HALF_LIFE).exp2()
    });
    (worth.sum::<f64>() * UNIT).round() as i64
}

/// Computes the scores of all agents that were called of late, and stores those that changed.
pub async fn refresh(exchange: &Exchange) -> Result<()> {
    let now_ms = exchange.clock.now_ms();
    let since = now_ms.div_euclid(QUARTER_MS) - QUARTERS;
    let (counts, before) = {
        let mut conn = exchange.db.read().acquire().await?;
        (relay::ops::caller_counts(&mut conn, since).await?, store::trends(&mut conn).await?)
    };
    let mut after: HashMap<AgentId, i64> = before.keys().map(|agent| (*agent, 0)).collect();
    after.extend(counts.iter().map(|(agent, counts)| (*agent, score(counts, now_ms))));
    let mut changed: Vec<(AgentId, i64)> =
        after.into_iter().filter(|(agent, score)| before.get(agent).copied().unwrap_or(0) != *score).collect();
    changed.sort_unstable();
    for some in changed.chunks(STEP) {
        let mut tx = exchange.db.begin().await?;
        store::set_trends(&mut tx, some).await?;
        tx.commit().await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000 * QUARTER_MS;

    fn count(calls: i64) -> Count {
        Count { quarter: 1_000, calls, caller_since: Some(0) }
    }

    fn young(calls: i64) -> Count {
        Count { caller_since: Some(NOW - 1), ..count(calls) }
    }

    #[test]
    fn many_callers_weigh_more_than_many_calls_of_one() {
        assert_eq!((score(&[], NOW), score(&[count(1)], NOW)), (0, 1_000));
        let ten_callers = [count(1); 10];
        assert_eq!((score(&[count(1_000)], NOW), score(&ten_callers, NOW)), (4_000, 10_000));
        assert!(score(&[count(2)], NOW) > score(&[count(1)], NOW), "and yet more calls are more");
    }

    #[test]
    fn a_thousand_callers_made_today_weigh_less_than_ten_established_ones() {
        let made_today = vec![young(1); 1_000];
        let anonymous = [Count { caller_since: None, ..count(1_000_000) }];
        let ten = score(&[count(1); 10], NOW);
        assert!(score(&made_today, NOW) < ten, "{} {ten}", score(&made_today, NOW));
        assert!(score(&anonymous, NOW) < ten);
        assert!(score(&[young(1), young(1)], NOW) > score(&[young(1)], NOW), "and yet they are not nothing");
    }

    #[test]
    fn what_happened_is_worth_half_after_a_day() {
        let at = |age: i64| score(&[Count { quarter: 1_000 - age, ..count(1_000) }], NOW);
        assert!((at(0) - 2 * at(4)).abs() <= 1 && (at(4) - 2 * at(8)).abs() <= 1);
        assert!(at(28) * 100 < at(0));
        assert_eq!(at(-3), at(0), "a switch's clock that is ahead gains nothing");
    }
}
