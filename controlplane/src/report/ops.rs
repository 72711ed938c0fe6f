//! Use cases of the report: counting the directory, publishing an edition, reading those that were published.

use landline_api::report::{Calls, Edition, Figures, Probes, SCHEMA, Submissions};
use landline_api::time::rfc3339_ms;
use landline_wire::ids::AgentId;
use sqlx::AnyConnection;

use super::Month;
use super::census::Census;
pub use super::edition::edition;
use super::entry::{Entry, PROBED_WITHIN_MS};
use super::files::{File, json_name};
use super::measure::{Distribution, share};
pub use super::store::Published;
use super::store::{self, Hours, Sample};
use crate::agents::census;
use crate::db::{self, Result};
use crate::state::Exchange;
use crate::submissions::STATUSES;

const HOUR_MS: i64 = 3_600_000;
/// Hours of the window of calls: thirty days, unless records are kept for less.
const WINDOW_HOURS: i64 = 30 * 24;
/// Calls behind statuses, routes and latencies.
const CALLS: u32 = 1_000_000;
/// Agents that are in memory at once.
const PIECE: u32 = 512;
/// Why there are no times.
const NO_CARD: &str = "no probe of the 24 hours before found an agent's card";
const NO_ANSWER: &str = "no probe of the 24 hours before was answered";
/// Editions in a list: twenty years of months.
const LISTED: u32 = 240;

/// Counts the directory as it is at a moment, unix milliseconds, in one snapshot of the database. `progress` is told how many
/// agents are counted so far.
pub async fn count(exchange: &Exchange, as_of: i64, mut progress: impl FnMut(u64)) -> Result<Figures> {
    let mut tx = exchange.db.begin_snapshot().await?;
    let Counted { census, card_times, call_times } = agents(exchange, &mut tx, as_of, &mut progress).await?;
    let probes = Probes {
        verdicts: census.verdicts(),
        card_fetches: card_times.latency(NO_CARD),
        calls: call_times.latency(NO_ANSWER),
    };
    let calls = calls(exchange, &mut tx, as_of).await?;
    let (total, statuses) = store::submissions(&mut tx).await?;
    tx.commit().await?;
    Ok(Figures {
        directory: census.directory(),
        reach: census.reach(),
        probes,
        signatures: census.signatures(),
        service_classes: census.service_classes(),
        protocol: census.protocol(),
        quality: census.quality(),
        contents: census.contents(),
        calls,
        submissions: Submissions { total, statuses: statuses.rows_of(&STATUSES, total) },
    })
}

/// What was counted agent by agent.
#[derive(Debug, Default)]
struct Counted {
    census: Census,
    /// Microseconds.
    card_times: Distribution,
    /// Microseconds.
    call_times: Distribution,
}

async fn agents(
    exchange: &Exchange,
    tx: &mut AnyConnection,
    as_of: i64,
    progress: &mut impl FnMut(u64),
) -> Result<Counted> {
    let mut all = Counted::default();
    let probed_since = as_of - PROBED_WITHIN_MS;
    let mut after: Option<AgentId> = None;
    loop {
        let piece = census::next(exchange, tx, after, PIECE, as_of).await?;
        let Some(last) = piece.last().map(|agent| agent.row.id) else { return Ok(all) };
        piece.into_iter().for_each(|agent| all.census.add(&Entry::of(agent, as_of)));
        all.card_times.extend(store::card_times(tx, probed_since, (after, last)).await?);
        all.call_times.extend(store::call_times(tx, probed_since, (after, last)).await?);
        after = Some(last);
        progress(all.census.listed());
    }
}

async fn calls(exchange: &Exchange, tx: &mut AnyConnection, as_of: i64) -> Result<Calls> {
    // The hour of the moment is the last one, as far as it has passed.
    let until = as_of.div_euclid(HOUR_MS) + 1;
    let from = until - WINDOW_HOURS.min(i64::from(exchange.config.audit_retention_days) * 24);
    let Hours { calls, good, callees } = store::hours(tx, from, until).await?;
    let Sample { size, statuses, routes, times } = store::calls(tx, (from * HOUR_MS, until * HOUR_MS), CALLS).await?;
    Ok(Calls {
        from: rfc3339_ms(from * HOUR_MS),
        until: rfc3339_ms(as_of),
        total: calls,
        callees,
        answered: share(good, calls),
        statuses: statuses.rows(size, 9),
        routes: routes.rows(size, 9),
        latency: times.latency("no call was recorded in the window"),
    })
}

/// Publishes an edition with its files, as the revision that it names.
///
/// # Errors
/// That revision was published before: [`db::is_unique_violation`] knows the error.
pub async fn publish(exchange: &Exchange, month: Month, edition: &Edition, files: &[File]) -> Result<()> {
    let mut tx = exchange.db.begin().await?;
    let now_ms = exchange.clock.now_ms();
    store::publish(&mut tx, (month, edition.revision), &edition.summary, files, now_ms).await?;
    tx.commit().await?;
    Ok(())
}

/// The last revision of a month's edition that was published; `None`: none was.
pub async fn last_revision(exchange: &Exchange, month: Month) -> Result<Option<u32>> {
    store::last_revision(&mut *exchange.db.read().acquire().await?, month).await
}

/// The last published edition before this month, if there is one of a form that we read.
pub async fn before(exchange: &Exchange, month: Month) -> Result<Option<Edition>> {
    let mut conn = exchange.db.read().acquire().await?;
    let Some(month) = store::before(&mut conn, month).await? else { return Ok(None) };
    let text = store::file(&mut conn, month, &json_name(month)).await?;
    Ok(text.as_deref().and_then(read))
}

/// Reads an edition; `None`: it has another form.
pub fn read(text: &str) -> Option<Edition> {
    serde_json::from_str(text).ok().filter(|edition: &Edition| edition.schema == SCHEMA)
}

/// The published editions, newest first.
pub async fn published(exchange: &Exchange) -> Result<Vec<Published>> {
    store::published(&mut *exchange.db.read().acquire().await?, LISTED).await
}

/// A file of a month's last published revision.
pub async fn file(exchange: &Exchange, month: Month, name: &str) -> db::Result<Option<String>> {
    store::file(&mut *exchange.db.read().acquire().await?, month, name).await
}
