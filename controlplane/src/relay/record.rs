//! Records of calls that switches report: each once.

use landline_link::{CallRecord, RecordBatch};
use landline_wire::ids::NodeId;
use sqlx::AnyConnection;

use super::store;
use crate::db::Result;
use crate::events;
use crate::state::Exchange;

/// Stores what is new in these batches of a switch, in their order. When this gives `true`, all of it is durable and may
/// be acknowledged; `false`: another connection of the same switch was at work on the same log, and it must be tried
/// again.
pub async fn record(exchange: &Exchange, node: NodeId, batches: &[RecordBatch]) -> Result<bool> {
    let now = exchange.clock.now_ms();
    let (mut repeated, mut missing) = (0, 0);
    let mut records: Vec<&CallRecord> = Vec::with_capacity(batches.iter().map(|batch| batch.records.len()).sum());
    let mut tx = exchange.db.begin().await?;
    for run in batches.chunk_by(|one, next| one.log == next.log) {
        let Some(place) = take(&mut tx, node, run, now).await? else { return Ok(false) };
        let mut reached = place.unwrap_or(run[0].first);
        for batch in run {
            missing += batch.first.saturating_sub(reached);
            let known = reached.saturating_sub(batch.first).min(batch.records.len() as u64);
            repeated += known;
            records.extend(&batch.records[known as usize..]);
            reached = reached.max(end(batch));
        }
    }
    store::touch_node(&mut tx, node, now).await?;
    store::insert(&mut tx, &records).await?;
    tx.commit().await?;

    if missing > 0 {
        tracing::error!(%node, missing, "records of calls are missing in what a switch sent: its disk lost them");
    }
    exchange.metrics.records_missing.inc_by(missing);
    exchange.metrics.records_repeated.inc_by(repeated);
    exchange.metrics.recorded(&records);
    events::publish_calls(exchange, &records);
    Ok(true)
}

fn end(batch: &RecordBatch) -> u64 {
    batch.first + batch.records.len() as u64
}

/// Moves the place of a log to the end of some batches of it. Gives where it was (the inner `None`: the log is new), or
/// `None` if someone else moved it meanwhile.
async fn take(tx: &mut AnyConnection, node: NodeId, run: &[RecordBatch], now_ms: i64) -> Result<Option<Option<u64>>> {
    let log = run[0].log;
    let place = store::place(tx, node, log).await?;
    let reached = run.iter().map(end).max().unwrap_or_default();
    let moved = match place {
        Some(place) if place >= reached => true,
        place => store::move_place(tx, node, log, (place, reached), now_ms).await?,
    };
    Ok(moved.then_some(place))
}
