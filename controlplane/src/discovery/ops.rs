//! Use cases of discovery.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use landline_api::Page;
use landline_api::agents::{Agent, Facets, Hit};
use landline_api::discovery::{Candidates, Discover};
use landline_wire::error::Code;
use serde_json::Value;
use tokio::sync::{Mutex as AsyncMutex, Notify, OnceCell, Semaphore};
use tokio::time::timeout;

use super::embeddings::Embeddings;
use super::follow::{FollowError, Follower};
use super::index::{IndexError, SearchIndex};
use super::narrow::{Counted, Narrowed, Page as Narrow};
use super::query::Online;
use super::schema::Label;
use super::{facets, highlight, model, query, schema, task};
use crate::agents;
use crate::config::Config;
use crate::error::{Error, Result};
use crate::extract::{Params, Window};
use crate::state::Exchange;

/// The folder of the index in the data directory. It is no part of a backup: everything in it comes from the database.
const FOLDER: &str = "search";
/// Searches at once: each takes a core for some milliseconds.
const AT_ONCE: usize = 4;
/// How long a search waits for its turn before it is refused.
const TURN: Duration = Duration::from_secs(2);
/// Milliseconds for which the set of agents that are online is used as it is. Rows say what is true now.
const ONLINE_MS: i64 = 500;
/// Milliseconds for which it is still used while it is read anew: with thousands of lines that takes a while.
const STALE_MS: i64 = 2_000;

/// The index and what requests share around it.
pub(crate) struct Search {
    folder: PathBuf,
    embeddings: Option<Embeddings>,
    index: OnceCell<Arc<SearchIndex>>,
    follower: AsyncMutex<Follower>,
    bell: Notify,
    turns: Semaphore,
    /// The facets of a generation of the index.
    facets: Mutex<Option<(u64, Facets)>>,
    online: Mutex<Option<(i64, Online)>>,
    reading_online: AtomicBool,
}

impl Search {
    /// Nothing is opened yet: commands that only need the database share a data directory with a running server.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            folder: config.data_dir.join(FOLDER),
            embeddings: Embeddings::new(config),
            index: OnceCell::new(),
            follower: AsyncMutex::default(),
            bell: Notify::new(),
            turns: Semaphore::new(AT_ONCE),
            facets: Mutex::default(),
            online: Mutex::default(),
            reading_online: AtomicBool::new(false),
        }
    }

    /// Says that the directory changed; after the commit.
    pub(crate) fn ring(&self) {
        self.bell.notify_one();
        if let Some(embeddings) = &self.embeddings {
            embeddings.ring();
        }
    }

    /// Meaning beside words, if there is an endpoint for it.
    pub(super) fn embeddings(&self) -> Option<&Embeddings> {
        self.embeddings.as_ref()
    }

    /// Waits for the bell.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    async fn opened(&self) -> std::result::Result<&Arc<SearchIndex>, IndexError> {
        let open = || async {
            let folder = self.folder.clone();
            let opened = tokio::task::spawn_blocking(move || match SearchIndex::open(Some(&folder)) {
                Err(error) => {
                    tracing::warn!(%error, "the search index is kept in memory");
                    SearchIndex::open(None)
                }
                opened => opened,
            });
            opened.await?.map(Arc::new)
        };
        self.index.get_or_try_init(open).await
    }

    /// Does something with the index on a thread that may block, when it is its turn.
    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&SearchIndex) -> std::result::Result<T, IndexError> + Send + 'static,
    ) -> Result<T> {
        let busy = || Error::new(Code::Overloaded, "The search is busy; try again in a moment.");
        let Some(index) = self.index.get().cloned() else {
            return Err(Error::new(Code::Overloaded, "The search index is being opened; try again in a moment."));
        };
        let turn = timeout(TURN, self.turns.acquire()).await.map_err(|_| busy())?.map_err(|_| busy())?;
        let done = tokio::task::spawn_blocking(move || work(&index)).await;
        drop(turn);
        done.map_err(IndexError::from)?.map_err(Error::from)
    }
}

impl From<IndexError> for Error {
    fn from(error: IndexError) -> Self {
        Self::Internal(error.to_string())
    }
}

/// Brings the index up to the database, and opens it before if need be. Gives how many agents were indexed or taken out.
///
/// # Errors
/// The database does not answer, or the index cannot be written. Searches go on with what it has.
pub async fn catch_up(exchange: &Exchange) -> std::result::Result<u64, FollowError> {
    let index = exchange.search.opened().await?;
    // Following is one motion: two at once would index the same rows twice.
    let work = exchange.search.follower.lock().await.catch_up(exchange, index).await?;
    exchange.metrics.indexed.inc_by(work);
    Ok(work)
}

/// The agents that are online, as of a moment ago.
async fn online(exchange: &Exchange) -> Result<Online> {
    let known = exchange.search.online.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let now_ms = exchange.clock.now_ms();
    match known {
        Some((at, online)) if (0..ONLINE_MS).contains(&(now_ms - at)) => Ok(online),
        Some((at, online)) if (0..STALE_MS).contains(&(now_ms - at)) => {
            if !exchange.search.reading_online.swap(true, Ordering::AcqRel) {
                let exchange = exchange.clone();
                tokio::spawn(async move {
                    if let Err(error) = read_online(&exchange).await {
                        tracing::warn!(?error, "who is online could not be read for searches");
                    }
                    exchange.search.reading_online.store(false, Ordering::Release);
                });
            }
            Ok(online)
        }
        _ => read_online(exchange).await,
    }
}

async fn read_online(exchange: &Exchange) -> Result<Online> {
    let now_ms = exchange.clock.now_ms();
    let mut conn = exchange.db.read().acquire().await?;
    let ids = agents::ops::online_ids(&mut conn, now_ms).await?;
    let online: Online = Arc::new(ids.into_iter().map(|id| schema::halves(id).1).collect::<HashSet<u64>>());
    *exchange.search.online.lock().unwrap_or_else(PoisonError::into_inner) = Some((now_ms, online.clone()));
    Ok(online)
}

/// Finds agents. `params` are those of `GET /v1/search`.
pub async fn search(exchange: &Exchange, params: &Params) -> Result<Page<Hit>> {
    let search = model::search(params)?;
    let among = match search.online {
        Some(_) => Some(online(exchange).await?),
        None => None,
    };
    let wanted = search.among(among);
    let Window { limit, offset } = search.window;
    let (words, place) = (wanted.words.clone(), (limit as usize, offset as usize));
    let (found, mut total) =
        exchange.search.with(move |index| query::find(&index.searcher(), &index.fields, &wanted, place)).await?;
    let mut scores: HashMap<_, _> =
        found.iter().map(|found| (found.agent, query::shown(found.score, words.len()))).collect();
    let mut ids: Vec<_> = found.iter().map(|found| found.agent).collect();

    let mut conn = exchange.db.read().acquire().await?;
    // Whoever registered a moment ago and asks for its name finds it, whether or not the index has it yet.
    if let Some(name) = search.name.as_deref().filter(|_| offset == 0)
        && let Some(named) = agents::ops::named(&mut conn, name).await?
        && !scores.contains_key(&named)
    {
        total += 1;
        scores.insert(named, 1.0);
        ids.insert(0, named);
        ids.truncate(limit as usize);
    }
    let rows = agents::ops::rows_of(exchange, &mut conn, &ids).await?;
    // The database knows better: who was blocked or removed, and who left, since the index was asked.
    let visible = |agent: &Agent| search.online.is_none_or(|online| agent.online == online);
    let items: Vec<Hit> = rows
        .into_iter()
        .filter(visible)
        .map(|agent| Hit {
            score: scores.get(&agent.id).copied().unwrap_or_default(),
            highlights: highlight::highlights(&agent, &words),
            agent,
        })
        .collect();
    let total = total.saturating_sub((ids.len() - items.len()) as u64);
    Ok(Page { items, total, limit, offset })
}

/// Finds agents for a task. `body` is that of `POST /v1/discover`.
pub async fn discover(exchange: &Exchange, body: &Value) -> Result<Candidates> {
    let Discover { task, max_results, live_only, why } = model::discover(body)?;
    let online = online(exchange).await?;
    let words = model::telling_words(&task);
    let meant = match exchange.search.embeddings() {
        Some(embeddings) => embeddings.of_task(exchange, &task).await.map(|vector| (embeddings.shared(), vector)),
        None => None,
    };
    let (of, meaning_counts) = (words.clone(), exchange.config.rank_weights.meaning);
    let relevance = exchange
        .search
        .with(move |index| {
            let by_words = task::candidates(&index.searcher(), &index.fields, &of, &online, live_only)?;
            Ok(task::merged(by_words, meant, (&online, live_only), meaning_counts))
        })
        .await?;
    let ids: Vec<_> = relevance.keys().copied().collect();
    let mut conn = exchange.db.read().acquire().await?;
    let rows = agents::ops::rows_of(exchange, &mut conn, &ids).await?;
    drop(conn);
    let weights = &exchange.config.rank_weights;
    let mut ranked: Vec<_> = rows
        .into_iter()
        .filter(|agent| agent.online || !live_only)
        .map(|agent| (model::score(&agent, relevance.get(&agent.id).copied().unwrap_or_default(), weights), agent))
        .collect();
    // Of equals the one that is there for longer.
    ranked.sort_by(|(a, one), (b, other)| b.total.total_cmp(&a.total).then(one.id.cmp(&other.id)));
    ranked.truncate(max_results as usize);
    let base = format!("{}{}/relay/", exchange.config.public_url, exchange.config.prefix);
    let candidates = ranked.into_iter().map(|(score, agent)| {
        let relay_url = format!("{base}{}", agent.id);
        model::candidate(agent, score, &words, relay_url, why.then_some(weights))
    });
    Ok(Candidates { candidates: candidates.collect() })
}

/// What the directory can be narrowed by, as of the index. Counted once for each of its generations.
pub async fn facets(exchange: &Exchange) -> Result<Facets> {
    let known = exchange.search.facets.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let (generation, counted) = exchange
        .search
        .with(move |index| {
            let searcher = index.searcher();
            let generation = searcher.generation().generation_id();
            match known {
                Some((known, facets)) if known == generation => Ok((generation, facets)),
                _ => Ok((generation, facets::count(&searcher)?)),
            }
        })
        .await?;
    *exchange.search.facets.lock().unwrap_or_else(PoisonError::into_inner) = Some((generation, counted.clone()));
    Ok(counted)
}

/// A page of the entries that match, best first: at most so many, after so many.
pub(crate) async fn entries(exchange: &Exchange, wanted: Narrowed, place: (usize, usize)) -> Result<Narrow> {
    let online = online(exchange).await?;
    exchange.search.with(move |index| wanted.page(&index.searcher(), &index.fields, &online, place)).await
}

/// Counts the entries that match by the values of their labels.
pub(crate) async fn entries_by(exchange: &Exchange, wanted: Narrowed, labels: Vec<Label>) -> Result<Counted> {
    let online = online(exchange).await?;
    exchange.search.with(move |index| wanted.count(&index.searcher(), &index.fields, &online, &labels)).await
}

/// The words of a text that say what it is about, as they are searched for: each with its stem. None, if it has no word.
pub(crate) fn telling_words(text: &str) -> Vec<(String, String)> {
    model::telling_words(text)
}
