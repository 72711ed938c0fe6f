//! How the index follows the database.
//!
//! Two motions. *Following* asks often for the rows that changed of late, over a span that overlaps with the last ask:
//! whatever commits late, or was stamped by an exchange whose clock is a little behind, is still seen. *Reconciling*
//! compares every row's version with the index, at the start and now and then: it builds an empty index, brings an old
//! one up to date, and mends what following could not see (clocks further apart than the overlap). Both only read; the
//! index never says anything to the database.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use landline_wire::ids::AgentId;
use sqlx::AnyConnection;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::index::{IndexError, SearchIndex};
use super::store::{self, Version};
use crate::agents;
use crate::db::DbError;
use crate::state::Exchange;

/// Between two asks when nothing rings: what other exchanges change is found within this time, plus the work.
const POLL: Duration = Duration::from_millis(500);
/// Between a bell and the work: a burst of registrations is one commit of the index, not hundreds.
const GATHER: Duration = Duration::from_millis(100);
/// While changes keep coming the index rests between two commits for so many times what the last one took, so that it
/// takes a bounded share of a core from those who make them.
const REST: u32 = 3;
/// Such a rest at most: a change is found within a second.
const LONGEST_REST: Duration = Duration::from_millis(600);
/// After a failure.
const PAUSE: Duration = Duration::from_secs(2);
/// Between two reconciliations.
const RECONCILE: Duration = Duration::from_secs(300);
/// Milliseconds that an ask goes back before the last one: more than a transaction lasts, and than the clocks of
/// exchanges that use NTP differ.
const OVERLAP_MS: i64 = 5_000;
/// Rows of one ask.
const PAGE: u32 = 1_000;
/// Agents that are read and indexed at once: bounds the memory, and how long one commit takes.
const BATCH: usize = 2_000;

/// Why the index could not follow.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
}

impl From<sqlx::Error> for FollowError {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// How far the index has followed.
#[derive(Debug, Default)]
pub(super) struct Follower {
    reconciled: Option<Instant>,
    /// The latest change that was seen, unix milliseconds.
    latest: i64,
    /// Versions within the overlap that are in the index, so that the same row is not indexed at each ask.
    indexed: HashMap<AgentId, i64>,
    /// Removals within the overlap that the index knows of.
    gone: HashMap<AgentId, i64>,
}

impl Follower {
    /// Brings the index up to the database. Gives how many agents were indexed or taken out.
    pub(super) async fn catch_up(&mut self, exchange: &Exchange, index: &Arc<SearchIndex>) -> Result<u64, FollowError> {
        let mut work = 0;
        if self.reconciled.is_none_or(|at| at.elapsed() >= RECONCILE) {
            let since = exchange.clock.now_ms();
            work += self.reconcile(exchange, index, since - OVERLAP_MS).await?;
            self.latest = self.latest.max(since);
            self.reconciled = Some(Instant::now());
        }
        Ok(work + self.follow(exchange, index).await?)
    }

    /// Indexes what changed since the last ask.
    async fn follow(&mut self, exchange: &Exchange, index: &Arc<SearchIndex>) -> Result<u64, FollowError> {
        // A row from the future (a clock that is ahead) must not make us miss those of the present.
        let floor = self.latest.min(exchange.clock.now_ms()) - OVERLAP_MS;
        let mut conn = exchange.db.read().acquire().await?;
        let (mut work, mut after) = (0, (floor, String::new()));
        loop {
            let page = store::changed(&mut conn, &after, PAGE).await?;
            let fresh = |version: &&Version| self.indexed.get(&version.0) != Some(&version.1);
            let changed: Vec<AgentId> = page.iter().filter(fresh).map(|version| version.0).collect();
            if !changed.is_empty() {
                bring(&mut conn, index, &changed, Vec::new()).await?;
                work += changed.len() as u64;
            }
            self.indexed.extend(page.iter().copied());
            match page.last() {
                Some((id, at)) if page.len() == PAGE as usize => after = (*at, id.to_string()),
                _ => break,
            }
        }
        after = (floor, String::new());
        loop {
            let page = store::removed(&mut conn, &after, PAGE).await?;
            let gone: Vec<AgentId> =
                page.iter().map(|removal| removal.0).filter(|id| !self.gone.contains_key(id)).collect();
            if !gone.is_empty() {
                work += gone.len() as u64;
                bring(&mut conn, index, &[], gone).await?;
            }
            self.gone.extend(page.iter().copied());
            match page.last() {
                Some((id, at)) if page.len() == PAGE as usize => after = (*at, id.to_string()),
                _ => break,
            }
        }
        let seen = self.indexed.values().chain(self.gone.values()).max();
        self.latest = self.latest.max(seen.copied().unwrap_or_default());
        let next = self.latest.min(exchange.clock.now_ms()) - OVERLAP_MS;
        self.indexed.retain(|_, at| *at >= next);
        self.gone.retain(|_, at| *at >= next);
        Ok(work)
    }

    /// Compares every row with the index and mends what differs. Rows that changed at `floor` or later are remembered.
    async fn reconcile(
        &mut self,
        exchange: &Exchange,
        index: &Arc<SearchIndex>,
        floor: i64,
    ) -> Result<u64, FollowError> {
        let began = Instant::now();
        let of = index.clone();
        let mut left = tokio::task::spawn_blocking(move || of.versions()).await.map_err(IndexError::from)??;
        let mut conn = exchange.db.read().acquire().await?;
        let (mut differing, mut work, mut after) = (Vec::with_capacity(BATCH), 0, String::new());
        loop {
            let page = store::visible(&mut conn, &after, PAGE).await?;
            self.indexed.extend(page.iter().copied().filter(|(_, at)| *at >= floor));
            differing.extend(page.iter().filter(|(id, at)| left.remove(id) != Some(*at)).map(|(id, _)| *id));
            let is_last = page.len() < PAGE as usize;
            if differing.len() >= BATCH || (is_last && !differing.is_empty()) {
                work += differing.len() as u64;
                bring(&mut conn, index, &differing, Vec::new()).await?;
                differing.clear();
            }
            match page.last() {
                Some((id, _)) if !is_last => after = id.to_string(),
                _ => break,
            }
        }
        // What the index had and the rows have not: removed or blocked.
        let gone: Vec<AgentId> = left.into_keys().collect();
        if !gone.is_empty() {
            work += gone.len() as u64;
            bring(&mut conn, index, &[], gone).await?;
        }
        if work > 0 {
            tracing::info!(
                agents = work,
                ms = began.elapsed().as_millis() as u64,
                "the search index was brought up to date"
            );
        }
        Ok(work)
    }
}

/// Reads agents and brings them into the index; those that are not visible any more go, and so do `gone`.
async fn bring(
    conn: &mut AnyConnection,
    index: &Arc<SearchIndex>,
    changed: &[AgentId],
    mut gone: Vec<AgentId>,
) -> Result<(), FollowError> {
    let entries = agents::ops::listed(conn, changed).await?;
    let mut missing: HashSet<AgentId> = changed.iter().copied().collect();
    for entry in &entries {
        missing.remove(&entry.id);
    }
    gone.extend(missing);
    let index = index.clone();
    tokio::task::spawn_blocking(move || index.apply(&entries, &gone)).await.map_err(IndexError::from)??;
    Ok(())
}

/// Follows until told to stop. A failure is logged and tried again: searches go on with what the index has.
pub(crate) async fn run(exchange: &Exchange, stop: CancellationToken) {
    loop {
        let began = Instant::now();
        if let Err(error) = super::ops::catch_up(exchange).await {
            tracing::warn!(%error, "the search index cannot follow the directory");
            exchange.metrics.index_failures.inc();
            sleep_unless(PAUSE, &stop).await;
        }
        let rest = gathering(began.elapsed());
        let rung = async {
            if timeout(POLL, exchange.search.rung()).await.is_ok() {
                sleep(rest).await;
            }
        };
        tokio::select! {
            () = rung => {}
            () = stop.cancelled() => return,
        }
    }
}

/// How long changes are gathered after the bell, when bringing in the last ones took so long.
fn gathering(took: Duration) -> Duration {
    (took * REST).clamp(GATHER, LONGEST_REST)
}

async fn sleep_unless(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = sleep(time) => {}
        () = stop.cancelled() => {}
    }
}
