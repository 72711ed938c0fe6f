//! From a task to candidates: which agents' texts match it, and how well.
//!
//! A task is a sentence or a paragraph, so no agent has all its words: each telling word that an agent has adds its BM25.
//! A word that no agent has is taken for the words that it may be a typo of, at a discount. Two sets are found, of all
//! agents and of those that are online: the score has yet to be multiplied with what the rows prove, and an agent that
//! can be called should not be missed because hundreds that cannot match a little better.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use landline_wire::ids::AgentId;
use tantivy::collector::TopDocs;
use tantivy::query::BooleanQuery;
use tantivy::{Score, Searcher, TantivyError, Term};

use super::embeddings::{Vector, Vectors};
use super::expand::expand;
use super::index::IndexError;
use super::model::Relevance;
use super::query::{Found, Online, online_only, ranked, resolve};
use super::schema::{self, Fields};
use super::text;

/// Telling words of a task that are searched for: the rarest of a long one.
const TASK_WORDS: usize = 24;
/// Words of a task that are taken for typos: each costs a walk through all words of the index.
const TYPOS: usize = 6;
/// What a word counts that the task's word differs from by one letter.
const ONE_TYPO: Score = 0.6;
/// The same for two letters.
const TWO_TYPOS: Score = 0.4;
/// Candidates of each set that are looked at closer. Several times what is shown: the closer look changes the order.
pub(super) const POOL: usize = 64;
/// BM25's bound for the weight of a repeated word, with the usual k1 of 1.2: what a perfect text would reach.
const SATURATED: f64 = 2.2;

/// A stem that is searched for, what it counts, and what the rarest and most repeated word of its kind would bring.
struct SoughtTerm {
    stem: String,
    boost: Score,
    rarity: f64,
}

/// What is searched for, for a task's words.
pub(super) struct Sought {
    terms: Vec<SoughtTerm>,
    /// What a text would score that has all of them many times.
    pub(super) perfect: f64,
}

impl Sought {
    /// What to search for, of the task's telling words with their stems.
    pub(super) fn of(searcher: &Searcher, fields: &Fields, words: &[(String, String)]) -> Result<Self, TantivyError> {
        let terms = sought(searcher, fields, words)?;
        // Words that nobody has count too: a task of which nothing is known matches nobody well.
        let unknown = words.len().min(TASK_WORDS).saturating_sub(terms.len()) as f64;
        let rarest = terms.iter().map(|term| term.rarity).fold(0.0, f64::max);
        let known: f64 = terms.iter().map(|term| f64::from(term.boost) * term.rarity).sum();
        Ok(Self { terms, perfect: (known + unknown * rarest * 0.5) * SATURATED })
    }

    /// Does nobody have any of the words?
    pub(super) fn is_empty(&self) -> bool {
        self.terms.is_empty()
    }

    /// A query that any of the words satisfies.
    pub(super) fn query(&self, fields: &Fields) -> BooleanQuery {
        let terms = self.terms.iter().map(|term| ranked(fields.body, &term.stem, term.boost));
        BooleanQuery::union(terms.collect())
    }

    /// How well a text matches that scored this, 0 to 1.
    pub(super) fn relevance(&self, score: Score) -> f64 {
        if self.perfect > 0.0 { (f64::from(score) / self.perfect).clamp(0.0, 1.0) } else { 0.0 }
    }
}

/// How rare a stem is: BM25's inverse document frequency. `None`: nobody has it.
fn rarity(searcher: &Searcher, fields: &Fields, stem: &str) -> Result<Option<f64>, TantivyError> {
    let having = searcher.doc_freq(&Term::from_field_text(fields.body, stem))? as f64;
    let all = searcher.num_docs() as f64;
    Ok((having > 0.0).then(|| (1.0 + (all - having).max(0.0) / (having + 0.5) + 0.5 / (having + 0.5)).ln()))
}

/// The stems to search for, of the task's telling words with their stems.
fn sought(searcher: &Searcher, fields: &Fields, words: &[(String, String)]) -> Result<Vec<SoughtTerm>, TantivyError> {
    let mut sought = Vec::new();
    let mut typos = 0;
    for (word, stem) in words {
        if let Some(rarity) = rarity(searcher, fields, stem)? {
            sought.push(SoughtTerm { stem: stem.clone(), boost: 1.0, rarity });
        } else if typos < TYPOS {
            typos += 1;
            sought.extend(meant(searcher, fields, word)?);
        }
    }
    sought.sort_by(|a, b| (f64::from(b.boost) * b.rarity).total_cmp(&(f64::from(a.boost) * a.rarity)));
    sought.truncate(TASK_WORDS);
    Ok(sought)
}

/// What a word that nobody has may have been meant to be: the nearest words, as stems. They share what the word counts.
fn meant(searcher: &Searcher, fields: &Fields, word: &str) -> Result<Vec<SoughtTerm>, TantivyError> {
    let meant = expand(searcher, fields.words, word, false)?;
    let (words, boost) = match meant.one_typo.is_empty() {
        false => (meant.one_typo, ONE_TYPO),
        true => (meant.two_typos, TWO_TYPOS),
    };
    let mut stems = BTreeMap::new();
    for word in words {
        let stem = text::stem(&word);
        if let Some(rarity) = rarity(searcher, fields, &stem)? {
            stems.insert(stem, rarity);
        }
    }
    let share = boost / (stems.len().max(1) as Score).sqrt();
    Ok(stems.into_iter().map(|(stem, rarity)| SoughtTerm { stem, boost: share, rarity }).collect())
}

/// Candidates with their relevance (0 to 1), best first: of all agents unless only those that are online are wanted, and
/// of those. Blocks.
pub(super) fn candidates(
    searcher: &Searcher,
    fields: &Fields,
    words: &[(String, String)],
    online: &Online,
    live_only: bool,
) -> Result<Vec<(Found, f64)>, IndexError> {
    let sought = Sought::of(searcher, fields, words)?;
    if sought.is_empty() {
        return Ok(Vec::new());
    }
    let query = sought.query(fields);
    let top = || TopDocs::with_limit(POOL).order_by_score();
    let mut hits = match online.is_empty() {
        true => Vec::new(),
        false => online_only(searcher, &query, Some((true, online.clone())), top())?,
    };
    if !live_only {
        hits.extend(searcher.search(&query, &top())?);
    }
    hits.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    hits.dedup_by_key(|hit| hit.1);
    Ok(resolve(searcher, hits)?.into_iter().map(|found| (found, sought.relevance(found.score))).collect())
}

/// The candidates by words, and those that are nearest in meaning, with what is known of both. Blocks.
pub(super) fn merged(
    by_words: Vec<(Found, f64)>,
    meant: Option<(Arc<RwLock<Vectors>>, Vector)>,
    (online, live_only): (&Online, bool),
    weight: f64,
) -> HashMap<AgentId, Relevance> {
    let words = by_words.into_iter().map(|(found, words)| (found.agent, Relevance { words, meaning: None }));
    let mut merged: HashMap<AgentId, Relevance> = words.collect();
    let Some((vectors, task)) = meant.filter(|_| weight > 0.0) else { return merged };
    let vectors = vectors.read().unwrap_or_else(PoisonError::into_inner);
    let is_online = |agent: AgentId| online.contains(&schema::halves(agent).1);
    // As with words: the best of all, and the best of those that can be called now.
    let nearest = vectors.nearest(&task, POOL, |agent| !live_only || is_online(agent));
    let live = (!live_only && !online.is_empty()).then(|| vectors.nearest(&task, POOL, is_online));
    let near = nearest.best.iter().chain(live.iter().flat_map(|live| &live.best));
    for near in near.filter(|near| near.meaning > 0.0) {
        merged.entry(near.agent).or_default().meaning = Some(near.meaning);
    }
    for (agent, relevance) in &mut merged {
        if relevance.meaning.is_none() {
            relevance.meaning = vectors.near(*agent, &task, &nearest);
        }
    }
    merged
}
