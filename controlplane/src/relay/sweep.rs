//! What is forgotten in time: old calls, lines and outbox rows; and lines of switches that fell silent.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{counts, store};
use crate::agents::trend;
use crate::auth;
use crate::db::{Result, outbox};
use crate::presence::{self, SILENCE_MS};
use crate::pulse;
use crate::state::Exchange;
use crate::submissions;

/// Between two looks for silent switches.
const TICK: Duration = Duration::from_secs(15);
/// Ticks between two looks at how much agents are called: a minute.
const TICKS_PER_TREND: u64 = 4;
/// Ticks between two sweeps of old rows: five minutes.
const TICKS_PER_SWEEP: u64 = 20;
/// Calls deleted in one transaction, so that a sweep never holds the writer for long.
const CALLS_PER_STEP: u32 = 2_000;

/// Sweeps until told to stop.
pub(crate) async fn run(exchange: &Exchange, stop: CancellationToken) {
    let began = exchange.clock.now_ms();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for tick in 0u64.. {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => return,
        }
        // A switch may have been out of our sight because we were away: it gets its time to report first.
        let before = exchange.clock.now_ms() - SILENCE_MS;
        if before >= began
            && let Err(error) = presence::ops::sweep_silent(exchange, before).await
        {
            tracing::warn!(%error, "silent switches could not be swept");
        }
        if tick % TICKS_PER_TREND == 0
            && let Err(error) = trend::refresh(exchange).await
        {
            tracing::warn!(%error, "how much agents are called could not be computed");
        }
        if tick % TICKS_PER_SWEEP == TICKS_PER_SWEEP - 1
            && let Err(error) = forget_old(exchange).await
        {
            tracing::warn!(%error, "old rows could not be swept");
        }
    }
}

/// Forgets what is older than its time: ops, revoked tokens, calls, hourly figures, lines that ended.
pub async fn forget_old(exchange: &Exchange) -> Result<()> {
    outbox::prune(exchange).await?;
    auth::ops::sweep(exchange).await?;
    let kept_ms = i64::from(exchange.config.audit_retention_days) * 24 * counts::HOUR_MS;
    let before = exchange.clock.now_ms() - kept_ms;
    loop {
        let mut conn = exchange.db.write().acquire().await?;
        if store::forget_calls(&mut conn, before, CALLS_PER_STEP).await? < u64::from(CALLS_PER_STEP) {
            break;
        }
    }
    let mut conn = exchange.db.write().acquire().await?;
    store::forget_rest(&mut conn, before).await?;
    counts::forget(&mut conn, before, exchange.clock.now_ms()).await?;
    pulse::store::forget(&mut conn, before).await?;
    submissions::store::forget(&mut conn, before).await?;
    presence::store::forget(&mut conn, before).await?;
    Ok(())
}
