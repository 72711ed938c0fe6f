//! SQL of the pulse.

use std::collections::HashMap;

use landline_wire::ids::AgentId;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::line::PARKED;
use super::model::{Pulse, Took, Verdict};
use crate::auth::store::id;
use crate::db::batch::{self, BATCH, batch};
use crate::db::{Result, queries};

queries! {
    ENROL = "INSERT INTO pulse (agent, card_at, next_at, verdict, failures, probes) VALUES ($1, $2, $3, 'unknown', 0, 0) \
             ON CONFLICT (agent) DO UPDATE SET card_at = excluded.card_at, next_at = excluded.next_at, host = NULL, \
             verdict = 'unknown', reason = NULL, checked_at = NULL, fresh_until = NULL, failing_since = NULL, \
             failures = 0, card_path = NULL, proved_at = NULL, card_seen_at = NULL";
    LEAVE = "DELETE FROM pulse WHERE agent = $1 AND barred = 0";
    ENROL_LINE = "INSERT INTO pulse (agent, card_at, next_at, verdict, failures, probes, host) \
                  SELECT id, card_at, $1, 'unknown', 0, 0, 'line' FROM agents WHERE id = $2 AND blocked_at IS NULL \
                  ON CONFLICT (agent) DO UPDATE SET next_at = excluded.next_at, host = excluded.host \
                  WHERE pulse.next_at >= $3 OR pulse.reason = 'no_interface'";
    OVER_LINES = "SELECT COUNT(*) AS n FROM pulse WHERE host = 'line'";
    PARK = "UPDATE pulse SET next_at = $1, host = NULL WHERE agent = $2";
    BAR = "UPDATE pulse SET barred = $1, next_at = $2 WHERE agent = $3";
    UNPROVE = "UPDATE agents SET origin_proven_at = NULL WHERE id = $1 \
               AND origin_proven_at = (SELECT proved_at FROM pulse WHERE agent = $1)";
    LEAD = "INSERT INTO pulse_lead (id, holder, held_until) VALUES (1, $1, $2) \
            ON CONFLICT (id) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until \
            WHERE pulse_lead.holder = excluded.holder OR pulse_lead.held_until < $3";
    RESIGN = "DELETE FROM pulse_lead WHERE holder = $1";
    TAKE = "UPDATE pulse SET next_at = $1 WHERE next_at <= $2 AND agent IN \
            (SELECT agent FROM pulse WHERE next_at <= $2 ORDER BY next_at LIMIT $3) RETURNING agent";
    IS_DUE = "SELECT agent FROM pulse WHERE next_at <= $1 LIMIT 1";
    POSTPONE = "UPDATE pulse SET next_at = $1 WHERE agent = $2 AND card_at = $3";
    SET_HOST = "UPDATE pulse SET host = $1 WHERE agent = $2 AND card_at = $3";
    NEIGHBOURS = "SELECT COUNT(*) AS n FROM pulse WHERE host = (SELECT host FROM pulse WHERE agent = $1)";
    RECORD = "SELECT p.*, a.origin_proven_at FROM pulse p JOIN agents a ON a.id = p.agent WHERE p.agent = $1";
    SAVE = "UPDATE pulse SET verdict = $1, reason = $2, score = $3, checked_at = $4, fresh_until = $5, \
            failing_since = $6, failures = $7, probes = probes + 1, card_path = $8, proved_at = $9, next_at = $10, \
            card_seen_at = $11 WHERE agent = $12";
    ADD_PROBE = "INSERT INTO probes (agent, slot, at, verdict, latency_us, card_us) VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (agent, slot) DO UPDATE SET at = excluded.at, verdict = excluded.verdict, \
                 latency_us = excluded.latency_us, card_us = excluded.card_us";
    EXTEND_SPAN = "UPDATE pulse_spans SET ended_at = $1 WHERE agent = $2 AND ended_at >= $3";
    OPEN_SPAN = "INSERT INTO pulse_spans (agent, started_at, ended_at) VALUES ($1, $2, $3) \
                 ON CONFLICT (agent, started_at) DO UPDATE SET ended_at = excluded.ended_at";
    END_SPAN = "UPDATE pulse_spans SET ended_at = $1 WHERE agent = $2 AND ended_at > $1";
    FORGET_SPANS = "DELETE FROM pulse_spans WHERE ended_at < $1";
    HISTORY = "SELECT at, verdict, latency_us FROM probes WHERE agent = $1 ORDER BY at DESC, slot DESC";
    PULSES = concat!("SELECT * FROM pulse WHERE agent IN ", batch!());
    SPANS = concat!("SELECT agent, started_at, ended_at FROM pulse_spans WHERE ended_at > $65 AND agent IN ", batch!());
    LATENCIES = concat!("SELECT agent, latency_us FROM probes WHERE verdict = 'callable' AND latency_us IS NOT NULL \
                         AND agent IN ", batch!());
}

/// Probes of an agent that are kept: five hours at five minutes.
const RING: i64 = 64;
/// Scores are stored in millionths.
const MILLION: f64 = 1_000_000.0;

/// What is kept of an agent between two probes.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) pulse: Pulse,
    pub(crate) card_at: i64,
    pub(crate) failures: u32,
    pub(crate) probes: i64,
    pub(crate) card_path: Option<String>,
    /// When a probe proved the origin.
    pub(crate) proved_at: Option<i64>,
    /// When the origin was proven, by whatever.
    pub(crate) origin_proven_at: Option<i64>,
    /// Did the operator take the proof back?
    pub(crate) is_barred: bool,
}

impl Record {
    /// Was the origin proven by something else than a probe?
    pub(crate) fn is_vouched_for(&self) -> bool {
        self.origin_proven_at.is_some() && self.origin_proven_at != self.proved_at
    }
}

fn pulse(row: &AnyRow) -> Result<Pulse> {
    Ok(Pulse {
        verdict: Verdict::of(&row.try_get::<String, _>("verdict")?),
        reason: row.try_get("reason")?,
        score: row.try_get::<Option<i64>, _>("score")?.map(|score| score as f64 / MILLION),
        checked_at: row.try_get("checked_at")?,
        fresh_until: row.try_get("fresh_until")?,
        failing_since: row.try_get("failing_since")?,
        card_seen_at: row.try_get("card_seen_at")?,
    })
}

/// A card was given: it is asked about at `next_at`, and what was known of an older one is forgotten, but for the score.
pub(crate) async fn enrol(tx: &mut AnyConnection, agent: AgentId, card_at: i64, next_at: i64) -> Result<()> {
    sqlx::query(ENROL).bind(agent.to_string()).bind(card_at).bind(next_at).execute(tx).await?;
    Ok(())
}

/// An agent attached: it is asked at `next_at`, unless it is to be asked anyhow.
pub(crate) async fn enrol_line(tx: &mut AnyConnection, agent: AgentId, next_at: i64) -> Result<()> {
    sqlx::query(ENROL_LINE).bind(next_at).bind(agent.to_string()).bind(PARKED).execute(tx).await?;
    Ok(())
}

/// How many agents are asked over their lines.
pub(crate) async fn over_lines(conn: &mut AnyConnection) -> Result<i64> {
    Ok(sqlx::query(OVER_LINES).fetch_one(conn).await?.try_get("n")?)
}

/// The agent has no line any more, and no URL of its own: it is not asked until it is back.
pub(crate) async fn park(conn: &mut AnyConnection, agent: AgentId) -> Result<()> {
    sqlx::query(PARK).bind(PARKED).bind(agent.to_string()).execute(conn).await?;
    Ok(())
}

/// Bars an agent from being asked, or lets it be asked again, at `next_at`.
pub(crate) async fn bar(tx: &mut AnyConnection, agent: AgentId, barred: bool, next_at: i64) -> Result<()> {
    let query = sqlx::query(BAR).bind(i64::from(barred)).bind(next_at).bind(agent.to_string());
    query.execute(tx).await?;
    Ok(())
}

/// The agent has no URL any more. What the operator said of it stays.
pub(crate) async fn leave(tx: &mut AnyConnection, agent: AgentId) -> Result<()> {
    sqlx::query(LEAVE).bind(agent.to_string()).execute(tx).await?;
    Ok(())
}

/// Takes a proof of the origin back that a probe gave, and no other.
pub(crate) async fn unprove(tx: &mut AnyConnection, agent: AgentId) -> Result<()> {
    sqlx::query(UNPROVE).bind(agent.to_string()).execute(tx).await?;
    Ok(())
}

/// Takes or keeps the lead until a time; `false`: another exchange has it.
pub(crate) async fn lead(conn: &mut AnyConnection, holder: &str, until: i64, now_ms: i64) -> Result<bool> {
    let query = sqlx::query(LEAD).bind(holder.to_owned()).bind(until).bind(now_ms);
    Ok(query.execute(conn).await?.rows_affected() == 1)
}

pub(crate) async fn resign(conn: &mut AnyConnection, holder: &str) -> Result<()> {
    sqlx::query(RESIGN).bind(holder.to_owned()).execute(conn).await?;
    Ok(())
}

/// Has any agent's time come?
pub(crate) async fn is_any_due(conn: &mut AnyConnection, now_ms: i64) -> Result<bool> {
    Ok(sqlx::query(IS_DUE).bind(now_ms).fetch_optional(conn).await?.is_some())
}

/// Takes agents whose time has come, the most overdue first. Until `again_at` nobody else does; should this exchange die,
/// they are asked then.
pub(crate) async fn take(conn: &mut AnyConnection, now_ms: i64, again_at: i64, limit: u32) -> Result<Vec<AgentId>> {
    let rows = sqlx::query(TAKE).bind(again_at).bind(now_ms).bind(i64::from(limit)).fetch_all(conn).await?;
    rows.iter().map(|row| id(row, "agent")).collect()
}

/// Puts a probe off, unless there is a new card.
pub(crate) async fn postpone(conn: &mut AnyConnection, agent: AgentId, card_at: i64, until: i64) -> Result<()> {
    sqlx::query(POSTPONE).bind(until).bind(agent.to_string()).bind(card_at).execute(conn).await?;
    Ok(())
}

pub(crate) async fn set_host(tx: &mut AnyConnection, agent: AgentId, card_at: i64, host: String) -> Result<()> {
    sqlx::query(SET_HOST).bind(host).bind(agent.to_string()).bind(card_at).execute(tx).await?;
    Ok(())
}

/// Agents on the same host, itself included; 0: its host is not known.
pub(crate) async fn neighbours(conn: &mut AnyConnection, agent: AgentId) -> Result<i64> {
    Ok(sqlx::query(NEIGHBOURS).bind(agent.to_string()).fetch_one(conn).await?.try_get("n")?)
}

pub(crate) async fn record(conn: &mut AnyConnection, agent: AgentId) -> Result<Option<Record>> {
    let row = sqlx::query(RECORD).bind(agent.to_string()).fetch_optional(conn).await?;
    row.map(|row| {
        Ok(Record {
            pulse: pulse(&row)?,
            card_at: row.try_get("card_at")?,
            failures: u32::try_from(row.try_get::<i64, _>("failures")?).unwrap_or(u32::MAX),
            probes: row.try_get("probes")?,
            card_path: row.try_get("card_path")?,
            proved_at: row.try_get("proved_at")?,
            origin_proven_at: row.try_get("origin_proven_at")?,
            is_barred: row.try_get::<i64, _>("barred")? != 0,
        })
    })
    .transpose()
}

/// Stores what a probe led to, and the probe itself. `record.probes` is the number of those before it.
pub(crate) async fn save(
    tx: &mut AnyConnection,
    agent: AgentId,
    record: &Record,
    took: Took,
    next_at: i64,
) -> Result<()> {
    let Pulse { verdict, reason, score, checked_at, fresh_until, failing_since, card_seen_at } = &record.pulse;
    let millionths = score.map(|score| (score * MILLION).round() as i64);
    let query = sqlx::query(SAVE).bind(verdict.as_str()).bind(reason.clone()).bind(millionths).bind(*checked_at);
    let query = query.bind(*fresh_until).bind(*failing_since).bind(i64::from(record.failures));
    let query = query.bind(record.card_path.clone()).bind(record.proved_at).bind(next_at).bind(*card_seen_at);
    query.bind(agent.to_string()).execute(&mut *tx).await?;
    let query = sqlx::query(ADD_PROBE).bind(agent.to_string()).bind(record.probes % RING).bind(*checked_at);
    query.bind(verdict.as_str()).bind(took.call_us).bind(took.card_us).execute(&mut *tx).await?;
    let now_ms = checked_at.unwrap_or_default();
    let Some(until) = *fresh_until else {
        sqlx::query(END_SPAN).bind(now_ms).bind(agent.to_string()).execute(tx).await?;
        return Ok(());
    };
    let extended = sqlx::query(EXTEND_SPAN).bind(until).bind(agent.to_string()).bind(now_ms).execute(&mut *tx).await?;
    if extended.rows_affected() == 0 {
        sqlx::query(OPEN_SPAN).bind(agent.to_string()).bind(now_ms).bind(until).execute(tx).await?;
    }
    Ok(())
}

/// Its callable time ends now: the verdict does not count any more.
pub(crate) async fn end_span(tx: &mut AnyConnection, agent: AgentId, now_ms: i64) -> Result<()> {
    sqlx::query(END_SPAN).bind(now_ms).bind(agent.to_string()).execute(tx).await?;
    Ok(())
}

pub(crate) async fn forget(conn: &mut AnyConnection, before: i64) -> Result<()> {
    sqlx::query(FORGET_SPANS).bind(before).execute(conn).await?;
    Ok(())
}

/// The probes of an agent that are kept, newest first: when, what was found, and microseconds to the answer.
pub(crate) async fn history(conn: &mut AnyConnection, agent: AgentId) -> Result<Vec<(i64, Verdict, Option<i64>)>> {
    let rows = sqlx::query(HISTORY).bind(agent.to_string()).fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            Ok((row.try_get("at")?, Verdict::of(&row.try_get::<String, _>("verdict")?), row.try_get("latency_us")?))
        })
        .collect()
}

/// The pulses of those of the agents that have one.
pub(crate) async fn pulses(conn: &mut AnyConnection, agents: &[AgentId]) -> Result<HashMap<AgentId, Pulse>> {
    let mut found = HashMap::with_capacity(agents.len());
    for some in agents.chunks(BATCH) {
        for row in batch::bind(PULSES, some).fetch_all(&mut *conn).await? {
            found.insert(id(&row, "agent")?, pulse(&row)?);
        }
    }
    Ok(found)
}

/// When the agents were callable, as far as it was after `since`.
pub(crate) async fn spans(
    conn: &mut AnyConnection,
    agents: &[AgentId],
    since: i64,
) -> Result<HashMap<AgentId, Vec<(i64, Option<i64>)>>> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for some in agents.chunks(BATCH) {
        for row in batch::bind(SPANS, some).bind(since).fetch_all(&mut *conn).await? {
            let span = (row.try_get("started_at")?, Some(row.try_get("ended_at")?));
            found.entry(id(&row, "agent")?).or_default().push(span);
        }
    }
    Ok(found)
}

/// Microseconds to the answers of the agents' last good probes.
pub(crate) async fn latencies(conn: &mut AnyConnection, agents: &[AgentId]) -> Result<HashMap<AgentId, Vec<u64>>> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for some in agents.chunks(BATCH) {
        for row in batch::bind(LATENCIES, some).fetch_all(&mut *conn).await? {
            let latency = row.try_get::<i64, _>("latency_us")?.unsigned_abs();
            found.entry(id(&row, "agent")?).or_default().push(latency);
        }
    }
    Ok(found)
}
