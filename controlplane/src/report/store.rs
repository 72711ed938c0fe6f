//! SQL of the report: what is counted by the database, and the editions that were published.

use landline_wire::ids::AgentId;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::Month;
use super::files::File;
use super::measure::{Distribution, Tally};
use crate::db::{DbError, Result, queries};

/// Microseconds, rounded down so that there are few different ones: to 10 µs below 10 ms, to 1 ms below a second, to 10 ms
/// above.
macro_rules! rounded {
    ($column:literal) => {
        concat!(
            "CASE WHEN ",
            $column,
            " < 10000 THEN ",
            $column,
            " / 10 * 10 WHEN ",
            $column,
            " < 1000000 THEN ",
            $column,
            " / 1000 * 1000 ELSE ",
            $column,
            " / 10000 * 10000 END AS us"
        )
    };
}

/// Probes since a time of the listed agents whose ids are after one and not after another.
macro_rules! probes {
    ($column:literal, $condition:literal) => {
        concat!(
            "SELECT ",
            rounded!($column),
            ", COUNT(*) AS n FROM probes p WHERE p.at >= $1 AND p.agent > $2 AND p.agent <= $3 \
             AND p.agent NOT IN (SELECT id FROM agents WHERE id > $2 AND id <= $3 AND blocked_at IS NOT NULL) AND ",
            $condition,
            " GROUP BY us"
        )
    };
}

queries! {
    CARD_TIMES = probes!("p.card_us", "p.card_us IS NOT NULL");
    CALL_TIMES = probes!("p.latency_us", "p.latency_us IS NOT NULL AND p.verdict = 'callable'");
    HOURS = "SELECT CAST(COALESCE(SUM(calls), 0) AS BIGINT) AS calls, CAST(COALESCE(SUM(good), 0) AS BIGINT) AS good, \
             COUNT(DISTINCT agent) AS callees FROM agent_hours WHERE hour >= $1 AND hour < $2";
    /// By their ids, which rise with time: by `ts` so many would have to be looked up one by one, hence the plus signs.
    CALLS = concat!("SELECT route, status / 100 AS hundreds, ", rounded!("latency_us"), ", COUNT(*) AS n \
             FROM calls WHERE id > $1 AND id <= $2 AND +ts >= $3 AND +ts < $4 GROUP BY route, hundreds, us");
    LAST_CALL = "SELECT MAX(id) AS id FROM calls";
    SUBMISSIONS = "SELECT status, COUNT(*) AS n FROM submissions GROUP BY status";
    REVISION = "SELECT MAX(revision) AS revision FROM editions WHERE month = $1";
    BEFORE = "SELECT MAX(month) AS month FROM editions WHERE month < $1";
    PUBLISH = "INSERT INTO editions (month, revision, published_at, summary) VALUES ($1, $2, $3, $4)";
    ADD_FILE = "INSERT INTO edition_files (month, revision, name, content) VALUES ($1, $2, $3, $4)";
    PUBLISHED = "SELECT month, revision, published_at, summary FROM editions e WHERE revision = \
                 (SELECT MAX(revision) FROM editions l WHERE l.month = e.month) ORDER BY month DESC LIMIT $1";
    FILE = "SELECT content FROM edition_files WHERE month = $1 AND name = $2 \
            AND revision = (SELECT MAX(revision) FROM editions WHERE month = $1)";
}

fn number(row: &AnyRow, column: &str) -> Result<u64> {
    Ok(row.try_get::<i64, _>(column)?.unsigned_abs())
}

/// Listed agents whose ids are after the first, or all from the beginning, and not after the second.
pub(super) type Range = (Option<AgentId>, AgentId);

async fn times(
    conn: &mut AnyConnection,
    query: &'static str,
    since: i64,
    (after, last): Range,
) -> Result<Vec<(u64, u64)>> {
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let rows = sqlx::query(query).bind(since).bind(after).bind(last.to_string()).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((number(row, "us")?, number(row, "n")?))).collect()
}

/// Microseconds in which probes since a time fetched agents' own cards, each with how often.
pub(super) async fn card_times(conn: &mut AnyConnection, since: i64, agents: Range) -> Result<Vec<(u64, u64)>> {
    times(conn, CARD_TIMES, since, agents).await
}

/// Microseconds in which agents answered the A2A calls of probes since a time, each with how often.
pub(super) async fn call_times(conn: &mut AnyConnection, since: i64, agents: Range) -> Result<Vec<(u64, u64)>> {
    times(conn, CALL_TIMES, since, agents).await
}

/// Calls in a span of hours since the epoch, counted as they were recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hours {
    pub(super) calls: u64,
    pub(super) good: u64,
    /// Agents that were called.
    pub(super) callees: u64,
}

pub(super) async fn hours(conn: &mut AnyConnection, from: i64, until: i64) -> Result<Hours> {
    let row = sqlx::query(HOURS).bind(from).bind(until).fetch_one(conn).await?;
    Ok(Hours { calls: number(&row, "calls")?, good: number(&row, "good")?, callees: number(&row, "callees")? })
}

/// The newest calls of a window.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sample {
    /// How many.
    pub(super) size: u64,
    /// Their statuses, such as `2xx`.
    pub(super) statuses: Tally,
    pub(super) routes: Tally,
    /// Microseconds of those that did not fail.
    pub(super) times: Distribution,
}

/// Calls that one statement reads, so that none takes much memory.
const CALLS_AT_ONCE: i64 = 50_000;

/// At most `limit` calls: of the newest ones those that began in a window of unix milliseconds.
pub(super) async fn calls(conn: &mut AnyConnection, (from, until): (i64, i64), limit: u32) -> Result<Sample> {
    let mut sample = Sample::default();
    let last: Option<i64> = sqlx::query(LAST_CALL).fetch_one(&mut *conn).await?.try_get("id")?;
    let last = last.unwrap_or(0);
    let mut after = (last - i64::from(limit)).max(0);
    while after < last {
        let end = last.min(after + CALLS_AT_ONCE);
        for row in &sqlx::query(CALLS).bind(after).bind(end).bind(from).bind(until).fetch_all(&mut *conn).await? {
            sample.add(row)?;
        }
        after = end;
    }
    Ok(sample)
}

impl Sample {
    fn add(&mut self, row: &AnyRow) -> Result<()> {
        let (n, hundreds, us) = (number(row, "n")?, number(row, "hundreds")?, number(row, "us")?);
        self.size += n;
        self.statuses.add(&format!("{hundreds}xx"), n);
        self.routes.add(&row.try_get::<String, _>("route")?, n);
        if hundreds < 5 && us > 0 {
            self.times.add(us, n);
        }
        Ok(())
    }
}

/// Submissions by status.
pub(super) async fn submissions(conn: &mut AnyConnection) -> Result<(u64, Tally)> {
    let (mut total, mut statuses) = (0, Tally::default());
    for row in &sqlx::query(SUBMISSIONS).fetch_all(conn).await? {
        let n = number(row, "n")?;
        total += n;
        statuses.add(&row.try_get::<String, _>("status")?, n);
    }
    Ok((total, statuses))
}

fn month(text: &str) -> Result<Month> {
    text.parse().map_err(|_| DbError::Corrupt("editions.month is no month".into()))
}

fn revision(number: i64) -> Result<u32> {
    u32::try_from(number).map_err(|_| DbError::Corrupt("editions.revision is no revision".into()))
}

/// The last revision of a month's edition that was published; `None`: none was.
pub(super) async fn last_revision(conn: &mut AnyConnection, month: Month) -> Result<Option<u32>> {
    let row = sqlx::query(REVISION).bind(month.to_string()).fetch_one(conn).await?;
    row.try_get::<Option<i64>, _>("revision")?.map(revision).transpose()
}

/// The month of the last published edition before this month.
pub(super) async fn before(conn: &mut AnyConnection, this: Month) -> Result<Option<Month>> {
    let row = sqlx::query(BEFORE).bind(this.to_string()).fetch_one(conn).await?;
    row.try_get::<Option<String>, _>("month")?.as_deref().map(month).transpose()
}

/// Stores a revision with its files. Fails with a unique violation if it is there.
pub(super) async fn publish(
    tx: &mut AnyConnection,
    (month, revision): (Month, u32),
    summary: &str,
    files: &[File],
    now_ms: i64,
) -> Result<()> {
    let (month, revision) = (month.to_string(), i64::from(revision));
    let query = sqlx::query(PUBLISH).bind(month.clone()).bind(revision).bind(now_ms).bind(summary.to_owned());
    query.execute(&mut *tx).await?;
    for file in files {
        let query = sqlx::query(ADD_FILE).bind(month.clone()).bind(revision);
        query.bind(file.name.clone()).bind(file.content.clone()).execute(&mut *tx).await?;
    }
    Ok(())
}

/// A published edition, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Its month.
    pub month: Month,
    /// Its last revision.
    pub revision: u32,
    /// When that was published, unix milliseconds.
    pub published_at: i64,
    /// What it found.
    pub summary: String,
}

/// The last revisions of the newest months.
pub(super) async fn published(conn: &mut AnyConnection, limit: u32) -> Result<Vec<Published>> {
    let rows = sqlx::query(PUBLISHED).bind(i64::from(limit)).fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            Ok(Published {
                month: month(&row.try_get::<String, _>("month")?)?,
                revision: revision(row.try_get("revision")?)?,
                published_at: row.try_get("published_at")?,
                summary: row.try_get("summary")?,
            })
        })
        .collect()
}

/// A file of a month's last revision.
pub(super) async fn file(conn: &mut AnyConnection, month: Month, name: &str) -> Result<Option<String>> {
    let row = sqlx::query(FILE).bind(month.to_string()).bind(name.to_owned()).fetch_optional(conn).await?;
    Ok(row.map(|row| row.try_get("content")).transpose()?)
}
