//! The loop that looks at submissions: a few at once, and one at a time at each host.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{ops, store};
use crate::db;
use crate::pulse::Hosts;
use crate::state::Exchange;

/// Between two looks for submissions whose time has come.
const TICK: Duration = Duration::from_millis(500);
/// Submissions that are looked at at once.
const AT_ONCE: usize = 8;
/// When a submission that was taken is looked at again should this exchange die: no look lasts so long.
const LEASE_MS: i64 = 120_000;

/// Looks at submissions until told to stop.
pub(crate) async fn run(exchange: &Exchange, stop: CancellationToken) {
    let (mut hosts, room) = (Hosts::default(), Arc::new(Semaphore::new(AT_ONCE)));
    let mut under_way = JoinSet::new();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => break,
        }
        hosts.collect(&mut under_way, exchange.clock.now_ms());
        if let Err(error) = turn(exchange, &mut hosts, &room, &mut under_way).await {
            tracing::warn!(%error, "submissions could not be looked at");
        }
    }
    under_way.shutdown().await;
}

async fn turn(
    exchange: &Exchange,
    hosts: &mut Hosts,
    room: &Arc<Semaphore>,
    under_way: &mut JoinSet<Option<String>>,
) -> db::Result<()> {
    let now_ms = exchange.clock.now_ms();
    let free = u32::try_from(room.available_permits()).unwrap_or(0);
    if free == 0 || !store::is_any_due(&mut *exchange.db.read().acquire().await?, now_ms).await? {
        return Ok(());
    }
    let taken = store::take(&mut *exchange.db.write().acquire().await?, now_ms, now_ms + LEASE_MS, free).await?;
    for submission in taken {
        let host = ops::host_of(exchange, &submission).map(|host| host.host());
        let again_at = match &host {
            Some(host) => hosts.take(host, now_ms).err(),
            None => None,
        };
        // There were so many permits when the submissions were taken, and nobody else takes any.
        let (None, Ok(permit)) = (again_at, Arc::clone(room).try_acquire_owned()) else {
            let until = again_at.unwrap_or(now_ms + LEASE_MS);
            store::postpone(&mut *exchange.db.write().acquire().await?, &submission.id, until).await?;
            continue;
        };
        let exchange = exchange.clone();
        under_way.spawn(async move {
            if let Err(error) = ops::visit(&exchange, submission).await {
                tracing::warn!(?error, "what a look found could not be stored");
            }
            drop(permit);
            host
        });
    }
    Ok(())
}
