//! Use cases of the pulse.

use std::collections::HashMap;

use landline_api::agents::{Probe, PulseHistory};
use landline_api::time::rfc3339_ms;
use landline_wire::ids::AgentId;
use sqlx::AnyConnection;

use super::judge::Found;
use super::line::{self, Line};
use super::model::{self, Pulse, Verdict};
use super::probe::{self, Outcome};
use super::schedule::{self, History};
use super::store::{self, Record};
use crate::agents::{self, Stored};
use crate::db::{self, Result};
use crate::error;
use crate::relay::direct::Respondent;
use crate::relay::milliseconds;
use crate::secrets::random;
use crate::state::Exchange;

/// How soon after its registration, or a new card, an agent is asked: at most so many milliseconds, so that many
/// registrations at once are not many probes at once.
const FIRST_WITHIN_MS: i64 = 2_000;

/// An agent's card was replaced: what was known of the URL counts no more. A proof that a probe gave is
/// taken back; the next probe gives it again if it holds.
pub(crate) async fn card_given(tx: &mut AnyConnection, agent: AgentId, has_url: bool, now_ms: i64) -> Result<()> {
    store::unprove(tx, agent).await?;
    store::end_span(tx, agent, now_ms).await?;
    if has_url { enrol(tx, agent, now_ms).await } else { store::leave(tx, agent).await }
}

/// An agent whose card has a URL was registered: it is asked soon.
pub(crate) async fn enrol(tx: &mut AnyConnection, agent: AgentId, now_ms: i64) -> Result<()> {
    let soon = (chance() * FIRST_WITHIN_MS as f64) as i64;
    store::enrol(tx, agent, now_ms, now_ms + soon).await
}

/// The operator proved the agent's origin, or took the proof back: then it is not asked, lest a probe prove it anew.
pub(crate) async fn origin_judged(tx: &mut AnyConnection, agent: AgentId, is_proven: bool, now_ms: i64) -> Result<()> {
    if !is_proven {
        store::end_span(tx, agent, now_ms).await?;
    }
    store::bar(tx, agent, !is_proven, now_ms).await
}

/// A number from 0 to 1. Without randomness times are not spread, and nothing else goes wrong.
pub(super) fn chance() -> f64 {
    random::<4>().map_or(0.5, |bytes| f64::from(u32::from_ne_bytes(bytes)) / f64::from(u32::MAX))
}

/// An agent that is to be asked now, with what is known of it.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) agent: Stored,
    record: Record,
    pub(crate) host: Host,
}

/// Who is asked about an agent.
#[derive(Debug)]
pub(crate) enum Host {
    /// The host of its URL.
    Url(Respondent),
    /// The agent itself, over its line.
    Line(Line),
    /// Nobody could be asked.
    Nobody,
}

impl Host {
    /// Host and port of a URL, to tell hosts apart.
    pub(crate) fn name(&self) -> Option<String> {
        match self {
            Self::Url(host) => Some(host.host()),
            Self::Line(_) | Self::Nobody => None,
        }
    }
}

/// What a probe of this agent needs; `None`: it was removed or blocked, or has neither URL nor line.
pub(crate) async fn due(exchange: &Exchange, agent: AgentId) -> Result<Option<Due>> {
    let mut conn = exchange.db.read().acquire().await?;
    let (Some(agent), Some(record)) =
        (agents::store::get(&mut conn, agent).await?, store::record(&mut conn, agent).await?)
    else {
        return Ok(None);
    };
    if agent.blocked {
        return Ok(None);
    }
    let host = match Respondent::of(exchange, &agent) {
        Some(host) => Some(Host::Url(host)),
        // It has no URL, or one that must not be called: that of a machine behind NAT, or our own.
        None if agent.lines > 0 => Line::of(exchange, &mut conn, &agent).await?,
        None => agent.url.is_some().then_some(Host::Nobody),
    };
    drop(conn);
    if host.is_none() && agent.lines == 0 {
        store::park(&mut *exchange.db.write().acquire().await?, agent.id).await?;
    }
    Ok(host.map(|host| Due { agent, record, host }))
}

/// Puts an agent off whose host has no turn now, to a time in unix milliseconds.
pub(crate) async fn postpone(exchange: &Exchange, due: &Due, until: i64) -> Result<()> {
    let mut conn = exchange.db.write().acquire().await?;
    store::postpone(&mut conn, due.agent.id, due.record.card_at, until).await
}

/// Asks an agent and stores what follows.
pub(crate) async fn check(exchange: &Exchange, due: &Due) -> error::Result<()> {
    let outcome = match &due.host {
        _ if due.record.is_barred => Outcome::barred(),
        Host::Url(host) => probe::probe(exchange, &due.agent, &due.record, host).await,
        Host::Line(line) => probe::over_line(exchange, &due.agent, line).await,
        Host::Nobody => Outcome::nobody_to_ask(),
    };
    exchange.metrics.probed(outcome.verdict.as_str());
    if outcome.is_gone && agents::ops::remove_unattached(exchange, due.agent.id).await? {
        tracing::info!(agent = %due.agent.id, "its host says 410: the agent is removed");
        return Ok(());
    }
    Ok(settle(exchange, due, &outcome).await?)
}

/// Stores what a probe found, unless the card changed meanwhile.
async fn settle(exchange: &Exchange, due: &Due, outcome: &Outcome) -> Result<()> {
    let (agent, set_ms) = (due.agent.id, exchange.config.probes.interval_ms);
    let mut tx = exchange.db.begin().await?;
    if let Some(name) = due.host.name() {
        store::set_host(&mut tx, agent, due.record.card_at, name).await?;
    }
    let Some(record) = store::record(&mut tx, agent).await?.filter(|now| now.card_at == due.record.card_at) else {
        return Ok(());
    };
    let now_ms = exchange.clock.now_ms();
    let is_line = matches!(due.host, Host::Line(_));
    let neighbours = if is_line { line::neighbours(exchange) } else { store::neighbours(&mut tx, agent).await? };
    // Whoever holds a line is online while it is up, whatever was found before.
    let counts_until = (!is_line).then(|| now_ms + 2 * schedule::interval(set_ms, neighbours));
    let proved_at = match is_line {
        true => record.proved_at,
        false => proof(&mut tx, agent, &record, outcome.found, now_ms).await?,
    };
    let record = follow(record, outcome, now_ms, counts_until);
    let history = History { verdict: outcome.verdict, failures: record.failures, neighbours };
    let next_at = now_ms + schedule::next_probe(history, set_ms, chance());
    store::save(&mut tx, agent, &Record { proved_at, ..record }, outcome.took, next_at).await?;
    tx.commit().await?;
    tracing::debug!(%agent, verdict = outcome.verdict.as_str(), reason = outcome.reason, "probed");
    Ok(())
}

/// Gives or takes back the proof of the card's origin. Gives when a probe proved it, if one did.
async fn proof(
    tx: &mut AnyConnection,
    agent: AgentId,
    record: &Record,
    found: Found,
    now_ms: i64,
) -> Result<Option<i64>> {
    match found {
        Found::Same if record.origin_proven_at.is_none() && !record.is_barred => {
            agents::store::set_origin_proof(tx, agent, Some(now_ms)).await?;
            Ok(Some(now_ms))
        }
        Found::Other | Found::Closed | Found::Nothing | Found::Gone => {
            store::unprove(tx, agent).await?;
            Ok(None)
        }
        Found::Same | Found::Busy | Found::Failed(_) => Ok(record.proved_at),
    }
}

/// The record after a probe. Pure.
fn follow(before: Record, outcome: &Outcome, now_ms: i64, counts_until: Option<i64>) -> Record {
    let is_callable = outcome.verdict == Verdict::Callable;
    let pulse = Pulse {
        verdict: outcome.verdict,
        reason: outcome.reason.map(str::to_owned),
        score: model::score(before.pulse.score, outcome.verdict),
        checked_at: Some(now_ms),
        fresh_until: counts_until.filter(|_| is_callable),
        failing_since: if is_callable { None } else { before.pulse.failing_since.or(Some(now_ms)) },
        card_seen_at: if outcome.found == Found::Same { Some(now_ms) } else { before.pulse.card_seen_at },
    };
    let failures = if is_callable { 0 } else { before.failures.saturating_add(1) };
    let card_path = outcome.card_path.clone().or(before.card_path);
    Record { pulse, failures, card_path, ..before }
}

/// The pulses of agents, for their rows; one that has none is not in it.
pub(crate) async fn of(conn: &mut AnyConnection, agents: &[AgentId]) -> db::Result<HashMap<AgentId, Pulse>> {
    store::pulses(conn, agents).await
}

/// How an agent's URL answered of late, probe by probe, newest first.
pub async fn history(exchange: &Exchange, agent: AgentId) -> error::Result<PulseHistory> {
    let mut conn = exchange.db.read().acquire().await?;
    agents::ops::visible(&mut conn, agent).await?;
    let pulse = of(&mut conn, &[agent]).await?.remove(&agent).unwrap_or(Pulse::UNKNOWN);
    let probes = store::history(&mut conn, agent).await?.into_iter().map(|(at, verdict, latency)| Probe {
        at: rfc3339_ms(at),
        verdict: verdict.as_str().into(),
        latency_ms: latency.map(|us| milliseconds(us.unsigned_abs())),
    });
    Ok(PulseHistory { pulse: pulse.shown(), reason: pulse.reason, probes: probes.collect() })
}

/// Asks every agent whose time has come, one after the other, and gives how many there were. What the loop does at once
/// and with regard to hosts, this does in order: for tests, and for an operator who wants to know now.
pub async fn probe_due(exchange: &Exchange) -> error::Result<usize> {
    let mut asked = 0;
    loop {
        let now_ms = exchange.clock.now_ms();
        let taken = store::take(&mut *exchange.db.write().acquire().await?, now_ms, now_ms + 60_000, 64).await?;
        if taken.is_empty() {
            return Ok(asked);
        }
        for agent in taken {
            if let Some(due) = due(exchange, agent).await? {
                check(exchange, &due).await?;
                asked += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(pulse: Pulse, failures: u32) -> Record {
        Record {
            pulse,
            card_at: 1,
            failures,
            probes: 0,
            card_path: None,
            proved_at: None,
            origin_proven_at: None,
            is_barred: false,
        }
    }

    #[test]
    fn failing_begins_with_the_first_failure_and_ends_with_the_first_answer() {
        let failed = Outcome::end(Verdict::Timeout, "no_answer", Found::Same, None);
        let answered = Outcome { verdict: Verdict::Callable, reason: None, ..failed.clone() };
        let one = follow(record(Pulse::UNKNOWN, 0), &failed, 100, Some(300));
        let two = follow(one.clone(), &failed, 200, Some(400));
        let three = follow(two.clone(), &answered, 300, Some(500));
        assert_eq!((one.failures, two.failures, three.failures), (1, 2, 0));
        assert_eq!(two.pulse.failing_since, Some(100));
        assert_eq!((two.pulse.fresh_until, three.pulse.fresh_until), (None, Some(500)));
        assert_eq!((three.pulse.failing_since, three.pulse.reason), (None, None));
    }

    #[test]
    fn a_card_stays_where_it_was_found() {
        let there = Outcome { card_path: Some("/x".into()), ..Outcome::end(Verdict::Timeout, "", Found::Same, None) };
        let lost = Outcome { card_path: None, ..there.clone() };
        let record = follow(follow(record(Pulse::UNKNOWN, 0), &there, 1, None), &lost, 2, None);
        assert_eq!(record.card_path.as_deref(), Some("/x"));
    }
}
