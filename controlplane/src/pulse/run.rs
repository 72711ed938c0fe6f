//! The loop that asks: one exchange of several leads, hosts have their pauses, and so many probes are under way at most.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::hosts::Hosts;
use super::line::Lines;
use super::ops::{self, Due};
use super::schedule::HOST_PAUSE_MS;
use super::store;
use crate::db;
use crate::state::Exchange;

/// Between two looks for agents whose time has come.
const TICK: Duration = Duration::from_millis(250);
/// Probes under way at once. Each holds a socket and at most 256 KiB.
const AT_ONCE: usize = 64;
/// How long the lead is held without being renewed: so long nobody asks after an exchange died.
const LEAD_MS: i64 = 30_000;
/// When an agent that was taken is asked again should this exchange die: no probe lasts so long.
const LEASE_MS: i64 = 120_000;
/// Asks until told to stop, and then gives the lead back.
pub(crate) async fn run(exchange: &Exchange, stop: CancellationToken) {
    let mut asker = Asker {
        exchange: exchange.clone(),
        name: Uuid::new_v4().to_string(),
        lead_until: 0,
        hosts: Hosts::default(),
        lines: Lines::default(),
        room: Arc::new(Semaphore::new(AT_ONCE)),
        under_way: JoinSet::new(),
    };
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = stop.cancelled() => break,
        }
        if let Err(error) = asker.turn().await {
            tracing::warn!(%error, "agents could not be probed");
        }
    }
    asker.under_way.shutdown().await;
    if let Err(error) = asker.resign().await {
        tracing::debug!(%error, "the lead of the probes was not given back: it ends by itself");
    }
}

struct Asker {
    exchange: Exchange,
    /// Tells the exchanges of one database apart.
    name: String,
    lead_until: i64,
    hosts: Hosts,
    lines: Lines,
    room: Arc<Semaphore>,
    /// Each gives the host that it is done with.
    under_way: JoinSet<Option<String>>,
}

impl Asker {
    /// One look.
    async fn turn(&mut self) -> db::Result<()> {
        self.hosts.collect(&mut self.under_way, self.exchange.clock.now_ms());
        if !self.leads().await? {
            return Ok(());
        }
        self.lines.look(&self.exchange).await?;
        let now_ms = self.exchange.clock.now_ms();
        let free = u32::try_from(self.room.available_permits()).unwrap_or(0);
        if free == 0 {
            return Ok(());
        }
        // Reading before writing: most looks find nothing, and a database has one writer.
        if !store::is_any_due(&mut *self.exchange.db.read().acquire().await?, now_ms).await? {
            return Ok(());
        }
        let mut conn = self.exchange.db.write().acquire().await?;
        let taken = store::take(&mut conn, now_ms, now_ms + LEASE_MS, free).await?;
        drop(conn);
        for agent in taken {
            let Some(due) = ops::due(&self.exchange, agent).await? else { continue };
            self.begin(due).await?;
        }
        Ok(())
    }

    async fn leads(&mut self) -> db::Result<bool> {
        let now_ms = self.exchange.clock.now_ms();
        if now_ms + LEAD_MS / 2 < self.lead_until {
            return Ok(true);
        }
        let until = now_ms + LEAD_MS;
        let mut conn = self.exchange.db.write().acquire().await?;
        let leads = store::lead(&mut conn, &self.name, until, now_ms).await?;
        self.lead_until = if leads { until } else { 0 };
        Ok(leads)
    }

    /// Begins a probe, unless the agent's host has no turn now.
    async fn begin(&mut self, due: Due) -> db::Result<()> {
        let now_ms = self.exchange.clock.now_ms();
        let host = due.host.name();
        let Ok(permit) = Arc::clone(&self.room).try_acquire_owned() else {
            return ops::postpone(&self.exchange, &due, now_ms + HOST_PAUSE_MS).await;
        };
        if let Some(host) = &host
            && let Err(again_at) = self.hosts.take(host, now_ms)
        {
            return ops::postpone(&self.exchange, &due, again_at).await;
        }
        let exchange = self.exchange.clone();
        self.under_way.spawn(async move {
            if let Err(error) = ops::check(&exchange, &due).await {
                tracing::warn!(agent = %due.agent.id, ?error, "what a probe found could not be stored");
            }
            drop(permit);
            host
        });
        Ok(())
    }

    async fn resign(&self) -> db::Result<()> {
        store::resign(&mut *self.exchange.db.write().acquire().await?, &self.name).await
    }
}
