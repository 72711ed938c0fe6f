//! Reports of a switch's lines: each batch once, in one transaction.

use landline_link::{MAX_BATCH, Report, ReportBatch};
use sqlx::AnyConnection;
use uuid::Uuid;

use landline_wire::ids::NodeId;

use super::store;
use crate::auth::store::Sixteen;
use crate::db::Result;
use crate::events;
use crate::presence::ops::{self as presence, Gone, Outcome};
use crate::presence::store::{Reported, Reporter};
use crate::state::{Exchange, Kick};

/// Places within one sequence number.
const PLACES: i64 = 1_024;
const _: () = assert!(MAX_BATCH as i64 <= PLACES, "each report of a batch has a place of its own");

/// Applies a batch unless it was applied before. When this returns, the batch is durable and may be acknowledged. Gives
/// the sessions that have to end; some may be on other switches than the one that reported.
pub async fn ingest(exchange: &Exchange, node: NodeId, boot: Uuid, batch: &ReportBatch) -> Result<Vec<Kick>> {
    let now = exchange.clock.now_ms();
    let reporter = Reporter { node, boot };
    let mut outcome = Outcome::default();
    let mut tx = exchange.db.begin().await?;
    let before = store::cursor(&mut tx, reporter).await?;
    if !store::take(&mut tx, reporter, batch.seq, now).await? {
        exchange.metrics.batches_repeated.inc();
        return Ok(Vec::new());
    }
    let current = if before.is_none() {
        store::set_boot(&mut tx, reporter, now).await?;
        presence::new_boot(&mut tx, reporter, now, &mut outcome).await?;
        true
    } else {
        store::touch_node(&mut tx, node, now).await?;
        // Reports of a boot that a newer one has replaced say nothing about lines any more.
        store::node_boot(&mut tx, reporter).await?.is_none_or(|newest| newest == boot.to_string())
    };
    let listing = before.and_then(|cursor| cursor.listing);
    if current {
        sessions(&mut tx, reporter, batch, listing, now, &mut outcome).await?;
    }
    tx.commit().await?;

    exchange.metrics.batches.inc();
    events::publish_presence(exchange, &outcome.changes);
    Ok(outcome.kicks)
}

/// Applies what a batch says of sessions, in order. `listing`: where a listing began that has not ended yet.
async fn sessions(
    tx: &mut AnyConnection,
    reporter: Reporter,
    batch: &ReportBatch,
    mut listing: Option<i64>,
    now_ms: i64,
    outcome: &mut Outcome,
) -> Result<()> {
    let stored = listing;
    let mut run = Run::default();
    for (index, report) in (0..).zip(&batch.reports) {
        let place = batch.seq.cast_signed().saturating_mul(PLACES).saturating_add(index);
        if !run.has_room_for(report) {
            run.apply(tx, reporter, outcome).await?;
        }
        match report {
            Report::SessionsBegin => listing = Some(place),
            Report::SessionUp(up) => run.up.push(Reported { up, place }),
            Report::SessionsEnd => {
                if let Some(began) = listing.take() {
                    presence::listed(tx, reporter, began, now_ms, outcome).await?;
                }
            }
            Report::SessionDown { agent, session, at } => {
                run.down.push(Gone { agent: *agent, session: *session, at: *at });
            }
        }
    }
    run.apply(tx, reporter, outcome).await?;
    if listing != stored {
        store::set_listing(tx, reporter, listing).await?;
    }
    Ok(())
}

/// Reports of one kind that follow each other and are of an agent each: they are applied together, since a switch that
/// begins anew reports thousands.
#[derive(Default)]
struct Run<'b> {
    up: Vec<Reported<'b>>,
    down: Vec<Gone>,
}

impl Run<'_> {
    /// Does this report say nothing that depends on the ones before it?
    fn has_room_for(&self, report: &Report) -> bool {
        match report {
            Report::SessionUp(up) => {
                let is_other = |one: &Reported<'_>| one.up.agent != up.agent && one.up.session != up.session;
                self.down.is_empty() && self.up.len() < Sixteen::MOST && self.up.iter().all(is_other)
            }
            Report::SessionDown { .. } => self.up.is_empty() && self.down.len() < Sixteen::MOST,
            Report::SessionsBegin | Report::SessionsEnd => self.up.is_empty() && self.down.is_empty(),
        }
    }

    async fn apply(&mut self, tx: &mut AnyConnection, reporter: Reporter, outcome: &mut Outcome) -> Result<()> {
        if !self.up.is_empty() {
            presence::up(tx, reporter, &self.up, outcome).await?;
        }
        if !self.down.is_empty() {
            presence::down(tx, reporter, &self.down, outcome).await?;
        }
        self.up.clear();
        self.down.clear();
        Ok(())
    }
}
