//! From a search to a query of the index, and from that to hits.
//!
//! A word of a search is found as itself in any form (its stem), as what it begins if it is the last word, and as what
//! it may have meant. The tiers are far enough apart that for one word an exact find is always above the others; within
//! the exact ones BM25 decides. All words must be found; if no agent has all, those count that have some.

use std::collections::HashSet;
use std::sync::Arc;

use landline_wire::ids::AgentId;
use tantivy::collector::{Collector, Count, FilterCollector, TopDocs};
use tantivy::query::{
    AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, DisjunctionMaxQuery, Occur, Query, TermQuery, TermSetQuery,
};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::{DocAddress, Score, Searcher, TantivyError, Term};

use super::expand::{Meant, expand};
use super::index::{IndexError, agent_of};
use super::schema::{Fields, column};
use super::text;

/// For a word that is there: more than BM25 gives the best document for a rare word (about 10), so that what is exact
/// stays above.
const EXACT: Score = 20.0;
/// For a word that is begun: it is probably what is being typed.
const BEGUN: Score = 12.0;
/// For a word with one letter wrong.
const ONE_TYPO: Score = 8.0;
/// For a word with two letters wrong.
const TWO_TYPOS: Score = 4.0;
/// What BM25 over names counts beside BM25 over all texts, where the name is among them already.
const NAME_BOOST: Score = 1.0;
/// For the whole name: whoever types a name wants that agent.
const WHOLE_NAME: Score = 1_000.0;

/// The agents that are online, by the lower halves of their ids.
pub(super) type Online = Arc<HashSet<u64>>;

/// What is searched for. Texts are folded, labels in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Wanted {
    pub(super) words: Vec<String>,
    pub(super) skill: Vec<String>,
    pub(super) tag: Option<String>,
    pub(super) category: Option<String>,
    pub(super) provider: Option<String>,
    /// Only agents that are online, or only those that are not, by this set.
    pub(super) online: Option<(bool, Online)>,
}

/// An agent that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Found {
    pub(super) agent: AgentId,
    pub(super) score: Score,
}

pub(super) fn term(field: Field, text: &str) -> Term {
    Term::from_field_text(field, text)
}

fn has(field: Field, text: &str) -> Box<dyn Query> {
    Box::new(TermQuery::new(term(field, text), IndexRecordOption::Basic))
}

pub(super) fn ranked(field: Field, text: &str, boost: Score) -> Box<dyn Query> {
    Box::new(BoostQuery::new(Box::new(TermQuery::new(term(field, text), IndexRecordOption::WithFreqs)), boost))
}

fn tier(query: Box<dyn Query>, score: Score) -> Box<dyn Query> {
    Box::new(ConstScoreQuery::new(query, score))
}

fn any_of(field: Field, words: &[String]) -> Box<dyn Query> {
    Box::new(TermSetQuery::new(words.iter().map(|word| term(field, word))))
}

/// The documents that have a word, or what it may have meant.
fn word_query(fields: &Fields, word: &str, meant: &Meant) -> Box<dyn Query> {
    let stem = text::stem(word);
    let mut tiers = vec![tier(has(fields.body, &stem), EXACT)];
    for (words, score) in [(&meant.begun, BEGUN), (&meant.one_typo, ONE_TYPO), (&meant.two_typos, TWO_TYPOS)] {
        if !words.is_empty() {
            tiers.push(tier(any_of(fields.words, words), score));
        }
    }
    Box::new(BooleanQuery::union(vec![
        Box::new(DisjunctionMaxQuery::new(tiers)),
        ranked(fields.body, &stem, 1.0),
        ranked(fields.name, &stem, NAME_BOOST),
    ]))
}

/// The documents whose skills' names or ids have all these words, of which the last may be a beginning.
fn skill_queries(searcher: &Searcher, fields: &Fields, words: &[String]) -> Result<Vec<Box<dyn Query>>, TantivyError> {
    let last = words.len().saturating_sub(1);
    let query = |(at, word): (usize, &String)| {
        let mut meant = expand(searcher, fields.skill, word, at == last)?.begun;
        meant.push(word.clone());
        Ok(any_of(fields.skill, &meant))
    };
    words.iter().enumerate().map(query).collect()
}

/// Finds the `limit` best after `offset`, and the number of all. Blocks.
pub(super) fn find(
    searcher: &Searcher,
    fields: &Fields,
    wanted: &Wanted,
    (limit, offset): (usize, usize),
) -> Result<(Vec<Found>, u64), IndexError> {
    let last = wanted.words.len().saturating_sub(1);
    let of_word =
        |(at, word): (usize, &String)| Ok(word_query(fields, word, &expand(searcher, fields.words, word, at == last)?));
    let words = wanted.words.iter().enumerate().map(of_word).collect::<Result<Vec<_>, TantivyError>>()?;
    let filters = filters(searcher, fields, wanted)?;
    let several = words.len() > 1;
    let found = collect(searcher, &all_of(fields, wanted, &words, &filters, Occur::Must), wanted, (limit, offset))?;
    if found.1 > 0 || !several {
        return Ok(found);
    }
    collect(searcher, &all_of(fields, wanted, &words, &filters, Occur::Should), wanted, (limit, offset))
}

fn filters(searcher: &Searcher, fields: &Fields, wanted: &Wanted) -> Result<Vec<Box<dyn Query>>, TantivyError> {
    let mut filters = skill_queries(searcher, fields, &wanted.skill)?;
    for (field, label) in
        [(fields.tag, &wanted.tag), (fields.category, &wanted.category), (fields.provider_key, &wanted.provider)]
    {
        filters.extend(label.as_deref().map(|label| has(field, label)));
    }
    Ok(filters)
}

/// The whole query: the words as `occur` says, all the filters, the whole name on top.
fn all_of(
    fields: &Fields,
    wanted: &Wanted,
    words: &[Box<dyn Query>],
    filters: &[Box<dyn Query>],
    occur: Occur,
) -> BooleanQuery {
    let text: Vec<_> = words.iter().map(|query| (occur, query.box_clone())).collect();
    let mut clauses: Vec<(Occur, Box<dyn Query>)> =
        filters.iter().map(|filter| (Occur::Must, tier(filter.box_clone(), 0.0))).collect();
    if text.is_empty() {
        clauses.push((Occur::Must, tier(Box::new(AllQuery), EXACT)));
    } else {
        clauses.push((Occur::Must, Box::new(BooleanQuery::new(text))));
        clauses.push((Occur::Should, tier(has(fields.name_key, &wanted.words.join(" ")), WHOLE_NAME)));
    }
    BooleanQuery::new(clauses)
}

fn collect(
    searcher: &Searcher,
    query: &dyn Query,
    wanted: &Wanted,
    (limit, offset): (usize, usize),
) -> Result<(Vec<Found>, u64), IndexError> {
    // The best are kept while all are looked at: no more room than there are documents.
    let within = limit.min(searcher.num_docs() as usize).max(1);
    let best = TopDocs::with_limit(within).and_offset(offset.min(searcher.num_docs() as usize));
    let collector = (best.order_by_score(), Count);
    let (hits, total) = online_only(searcher, query, wanted.online.clone(), collector)?;
    Ok((resolve(searcher, hits)?, total as u64))
}

/// Runs a query on all agents, or on those that are online (or not).
pub(super) fn online_only<C: Collector + Send + Sync>(
    searcher: &Searcher,
    query: &dyn Query,
    online: Option<(bool, Online)>,
    collector: C,
) -> Result<C::Fruit, TantivyError> {
    match online {
        None => searcher.search(query, &collector),
        Some((wanted, online)) => {
            let is_wanted = move |low: u64| online.contains(&low) == wanted;
            searcher.search(query, &FilterCollector::new(column::LOW.to_owned(), is_wanted, collector))
        }
    }
}

/// The agents of hits.
pub(super) fn resolve(searcher: &Searcher, hits: Vec<(Score, DocAddress)>) -> Result<Vec<Found>, IndexError> {
    let mut found = Vec::with_capacity(hits.len());
    for (score, address) in hits {
        found.extend(agent_of(searcher, address)?.map(|agent| Found { agent, score }));
    }
    Ok(found)
}

/// The score of a hit, 0 to 1: 1 for the whole name, a half and more when each word was found as it is.
pub(super) fn shown(score: Score, words: usize) -> f64 {
    if score >= WHOLE_NAME {
        return 1.0;
    }
    let full = EXACT * words.max(1) as Score;
    let shown = f64::from(score / (score + full));
    (shown * 1_000.0).round() / 1_000.0
}
