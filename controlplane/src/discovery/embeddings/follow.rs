//! How the vectors follow the directory: agents whose texts have no vector yet are embedded, a few at a time; vectors that
//! another exchange on the same database made are taken over; those of agents that are gone are dropped.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use landline_wire::ids::AgentId;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::endpoint::{NoVectors, TEXTS};
use super::store::{self, Made, Stale};
use super::{Embeddings, Vector, Vectors, text};
use crate::agents;
use crate::db::DbError;
use crate::state::Exchange;

/// Between two looks when nothing rings: what other exchanges embedded is found within this time.
const POLL: Duration = Duration::from_secs(5);
/// Between a bell and the work: a burst of registrations is a few questions, not hundreds.
const GATHER: Duration = Duration::from_millis(500);
/// After a failure; doubled with each in a row, up to the second.
const PAUSE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));
/// Time for the endpoint to answer for some agents.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks for agents that are gone.
const PRUNE: Duration = Duration::from_secs(300);
/// Milliseconds that a look at others' vectors goes back before the last one.
const OVERLAP_MS: i64 = 10_000;
/// Rows of one look.
const PAGE: usize = 500;

/// Why the vectors could not follow.
#[derive(Debug, thiserror::Error)]
pub enum Stuck {
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// The endpoint.
    #[error(transparent)]
    Endpoint(#[from] NoVectors),
}

impl From<sqlx::Error> for Stuck {
    fn from(error: sqlx::Error) -> Self {
        Self::Db(error.into())
    }
}

/// How far the vectors have followed.
#[derive(Debug, Default)]
pub(super) struct Follower {
    /// The latest `made_at` that was seen.
    latest: i64,
    pruned: Option<Instant>,
}

/// Brings the vectors up to the directory, if there is an endpoint. Gives how many agents were looked at.
///
/// # Errors
/// The database or the endpoint does not answer. Discovery goes on with what there is.
pub async fn catch_up(exchange: &Exchange) -> Result<usize, Stuck> {
    match exchange.search.embeddings() {
        Some(embeddings) => embeddings.follower.lock().await.catch_up(exchange, embeddings).await,
        None => Ok(0),
    }
}

/// Follows until told to stop. A failure is logged and tried again: discovery goes on with what there is.
pub(crate) async fn run(exchange: &Exchange, stop: CancellationToken) {
    let Some(embeddings) = exchange.search.embeddings() else { return };
    let mut pause = PAUSE.0;
    loop {
        let step = async {
            match catch_up(exchange).await {
                Ok(_) => {
                    pause = PAUSE.0;
                    if timeout(POLL, embeddings.bell.notified()).await.is_ok() {
                        sleep(GATHER).await;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, again_s = pause.as_secs(), "agents are not embedded");
                    exchange.metrics.embedding_failures.inc();
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE.1);
                }
            }
        };
        tokio::select! {
            () = step => {}
            () = stop.cancelled() => return,
        }
    }
}

impl Follower {
    async fn catch_up(&mut self, exchange: &Exchange, embeddings: &Embeddings) -> Result<usize, Stuck> {
        self.take_over(exchange, embeddings).await?;
        let (mut after, mut done) = (String::new(), 0_usize);
        loop {
            let mut conn = exchange.db.read().acquire().await?;
            let stale = store::stale(&mut conn, &embeddings.endpoint.model, &after, TEXTS).await?;
            drop(conn);
            let Some(last) = stale.last() else { break };
            after = last.agent.to_string();
            embed(exchange, embeddings, &stale).await?;
            done += stale.len();
        }
        if done > 0 {
            tracing::info!(agents = done, "embedded");
        }
        if self.pruned.is_none_or(|at| at.elapsed() >= PRUNE) {
            prune(exchange, embeddings).await?;
            self.pruned = Some(Instant::now());
        }
        let vectors = embeddings.read().len();
        exchange.metrics.vectors.set(vectors as i64);
        Ok(done)
    }

    /// Takes over the vectors that are in the database: at the start all, later those that others made.
    async fn take_over(&mut self, exchange: &Exchange, embeddings: &Embeddings) -> Result<(), Stuck> {
        let mut after = (self.latest - OVERLAP_MS, String::new());
        let mut conn = exchange.db.read().acquire().await?;
        loop {
            let page = store::made(&mut conn, &embeddings.endpoint.model, &after, PAGE).await?;
            let mut vectors = embeddings.write();
            for (agent, made_at, vector) in &page {
                keep(&mut vectors, *agent, vector.as_ref());
                self.latest = self.latest.max(*made_at);
            }
            drop(vectors);
            match page.last() {
                Some((agent, made_at, _)) if page.len() == PAGE => after = (*made_at, agent.to_string()),
                _ => return Ok(()),
            }
        }
    }
}

/// Keeps a vector in memory, or that there is none.
fn keep(vectors: &mut Vectors, agent: AgentId, vector: Option<&Vector>) {
    match vector {
        Some(vector) => {
            if !vectors.put(agent, vector) {
                vectors.remove(agent);
            }
        }
        None => vectors.remove(agent),
    }
}

/// Embeds agents, and stores what came of it.
async fn embed(exchange: &Exchange, embeddings: &Embeddings, stale: &[Stale]) -> Result<(), Stuck> {
    let ids: Vec<AgentId> = stale.iter().map(|stale| stale.agent).collect();
    let mut conn = exchange.db.read().acquire().await?;
    let listed = agents::ops::listed(&mut conn, &ids).await?;
    drop(conn);
    let had: HashMap<AgentId, &Stale> = stale.iter().map(|stale| (stale.agent, stale)).collect();
    let texts = listed.iter().map(|agent| {
        let text = text::of(agent);
        let hash = text::hash(&text);
        let is_same = had.get(&agent.id).is_some_and(|stale| stale.text_hash.as_ref() == Some(&hash));
        (agent.id, agent.version, text, hash, is_same)
    });
    let (same, new): (Vec<_>, Vec<_>) = texts.partition(|(.., is_same)| *is_same);
    let wanted: Vec<String> = new.iter().map(|(_, _, text, ..)| text.clone()).collect();
    let vectors = ask(embeddings, &wanted).await?;
    fit(exchange, embeddings, &vectors).await?;

    let (model, now_ms) = (&embeddings.endpoint.model, exchange.clock.now_ms());
    let mut tx = exchange.db.begin().await?;
    for (agent, version, ..) in &same {
        store::same(&mut tx, model, *agent, *version).await?;
    }
    for ((agent, version, _, hash, _), vector) in new.iter().zip(&vectors) {
        let made = Made { agent: *agent, version: *version, text_hash: hash, vector: vector.as_ref() };
        store::save(&mut tx, model, &made, now_ms).await?;
    }
    tx.commit().await?;
    let mut kept = embeddings.write();
    for ((agent, ..), vector) in new.iter().zip(&vectors) {
        keep(&mut kept, *agent, vector.as_ref());
    }
    Ok(())
}

/// The vectors of texts. If the endpoint refuses one of them, the others have theirs all the same.
async fn ask(embeddings: &Embeddings, texts: &[String]) -> Result<Vec<Option<Vector>>, NoVectors> {
    if texts.is_empty() {
        return Ok(Vec::new());
    }
    match embeddings.endpoint.embed(texts, PATIENCE).await {
        Err(NoVectors::Refused(_)) => {}
        other => return other,
    }
    let mut vectors = Vec::with_capacity(texts.len());
    for text in texts {
        match embeddings.endpoint.embed(std::slice::from_ref(text), PATIENCE).await {
            Ok(one) => vectors.extend(one),
            Err(NoVectors::Refused(_)) => vectors.push(None),
            Err(error) => return Err(error),
        }
    }
    Ok(vectors)
}

/// If the endpoint's vectors have another length than before, it serves another model under the same name: what the former
/// made cannot be compared with anything, and is forgotten.
async fn fit(exchange: &Exchange, embeddings: &Embeddings, vectors: &[Option<Vector>]) -> Result<(), Stuck> {
    let before = embeddings.read().dimensions();
    let differs = |vector: &Vector| before != 0 && vector.dimensions() != before;
    if vectors.iter().flatten().any(differs) {
        tracing::warn!(model = embeddings.endpoint.model, "the model's vectors have another length: all are made anew");
        let mut conn = exchange.db.write().acquire().await?;
        store::forget(&mut conn, &embeddings.endpoint.model).await?;
        *embeddings.write() = Vectors::default();
    }
    Ok(())
}

/// Drops the vectors of agents that are gone.
async fn prune(exchange: &Exchange, embeddings: &Embeddings) -> Result<(), Stuck> {
    let mut gone: HashSet<AgentId> = embeddings.read().agents().iter().copied().collect();
    let mut conn = exchange.db.read().acquire().await?;
    let mut after = String::new();
    loop {
        let page = store::having(&mut conn, &embeddings.endpoint.model, &after, PAGE).await?;
        for agent in &page {
            gone.remove(agent);
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = last.to_string(),
            _ => break,
        }
    }
    let mut vectors = embeddings.write();
    gone.into_iter().for_each(|agent| vectors.remove(agent));
    Ok(())
}
