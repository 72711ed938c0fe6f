//! Entries that match a query and are narrowed by their labels: page by page, best first, or counted by their labels.
//!
//! An entry matches if it has one of the words that are sought, as in a discovery. Without words all entries match, in
//! no order that means anything.

use std::collections::HashMap;

use landline_wire::ids::AgentId;
use tantivy::collector::{Collector, Count, SegmentCollector, TopDocs};
use tantivy::columnar::StrColumn;
use tantivy::query::{AllQuery, BooleanQuery, ConstScoreQuery, Occur, Query, TermSetQuery};
use tantivy::{DocId, Score, Searcher, SegmentOrdinal, SegmentReader, Term};

use super::index::IndexError;
use super::query::{Found, Online, online_only, resolve};
use super::schema::{Fields, Label};
use super::task::Sought;

/// By what entries are narrowed. All must hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Narrowed {
    /// The telling words of the query with their stems; none: every entry matches.
    pub(crate) words: Vec<(String, String)>,
    /// Labels, each with the values of which the entry must have one.
    pub(crate) labels: Vec<(Label, Vec<String>)>,
    /// Only these agents. Several lists: those that are in all of them.
    pub(crate) among: Vec<Vec<AgentId>>,
    /// Only agents that can be called now, or only those that cannot.
    pub(crate) online: Option<bool>,
}

/// A page of what matched.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Page {
    /// Agents with their relevance, 0 to 1, best first.
    pub(crate) found: Vec<(AgentId, f64)>,
    /// All that matched, on whatever page.
    pub(crate) total: u64,
}

/// What was counted: the entries that matched, those of them that are online, and for each label the entries by value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Counted {
    pub(crate) total: u64,
    pub(crate) online: u64,
    pub(crate) labels: Vec<HashMap<String, u64>>,
}

impl Narrowed {
    /// The query, and what is sought by it. `None`: nothing matches, since nobody has any of the words.
    fn query(&self, searcher: &Searcher, fields: &Fields) -> Result<Option<(BooleanQuery, Sought)>, IndexError> {
        let sought = Sought::of(searcher, fields, &self.words)?;
        let mut clauses: Vec<(Occur, Box<dyn Query>)> = Vec::new();
        match self.words.is_empty() {
            true => clauses.push((Occur::Must, silent(Box::new(AllQuery)))),
            false if sought.is_empty() => return Ok(None),
            false => clauses.push((Occur::Must, Box::new(sought.query(fields)))),
        }
        for (label, values) in &self.labels {
            let field = fields.label(*label);
            let terms = values.iter().map(|value| Term::from_field_text(field, value));
            clauses.push((Occur::Must, silent(Box::new(TermSetQuery::new(terms)))));
        }
        for ids in &self.among {
            let terms = ids.iter().map(|id| fields.id_term(*id));
            clauses.push((Occur::Must, silent(Box::new(TermSetQuery::new(terms)))));
        }
        Ok(Some((BooleanQuery::new(clauses), sought)))
    }

    /// A page of what matches. Blocks.
    pub(super) fn page(
        &self,
        searcher: &Searcher,
        fields: &Fields,
        online: &Online,
        (limit, offset): (usize, usize),
    ) -> Result<Page, IndexError> {
        let Some((query, sought)) = self.query(searcher, fields)? else { return Ok(Page::default()) };
        let among = self.online.map(|wanted| (wanted, online.clone()));
        // The best are kept while all are looked at: no more room than there are documents.
        let within = limit.clamp(1, searcher.num_docs().max(1) as usize);
        let best = TopDocs::with_limit(within).and_offset(offset.min(searcher.num_docs() as usize));
        let (hits, total) = online_only(searcher, &query, among, (best.order_by_score(), Count))?;
        let relevance = |found: &Found| sought.relevance(found.score);
        let found = resolve(searcher, hits)?.iter().map(|found| (found.agent, relevance(found))).collect();
        Ok(Page { found, total: total as u64 })
    }

    /// Counts what matches. Blocks.
    pub(super) fn count(
        &self,
        searcher: &Searcher,
        fields: &Fields,
        online: &Online,
        labels: &[Label],
    ) -> Result<Counted, IndexError> {
        let none = Counted { labels: vec![HashMap::new(); labels.len()], ..Counted::default() };
        let Some((query, _)) = self.query(searcher, fields)? else { return Ok(none) };
        let among = self.online.map(|wanted| (wanted, online.clone()));
        let (total, labels) = online_only(searcher, &query, among, (Count, ByLabel(labels.to_vec())))?;
        let online = match self.online {
            Some(true) => total,
            Some(false) => 0,
            None => online_only(searcher, &query, Some((true, online.clone())), Count)?,
        };
        Ok(Counted { total: total as u64, online: online as u64, labels })
    }
}

/// A condition that adds nothing to a score.
fn silent(query: Box<dyn Query>) -> Box<dyn Query> {
    Box::new(ConstScoreQuery::new(query, 0.0))
}

/// Counts documents by the values of their labels.
struct ByLabel(Vec<Label>);

impl Collector for ByLabel {
    type Fruit = Vec<HashMap<String, u64>>;
    type Child = ByOrdinal;

    fn for_segment(&self, _: SegmentOrdinal, segment: &SegmentReader) -> tantivy::Result<ByOrdinal> {
        let columns = self.0.iter().map(|label| {
            let column = segment.fast_fields().str(label.column())?;
            Ok(column.map(|column| (vec![0; column.dictionary().num_terms()], column)))
        });
        Ok(ByOrdinal(columns.collect::<tantivy::Result<_>>()?))
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, segments: Vec<tantivy::Result<Self::Fruit>>) -> tantivy::Result<Self::Fruit> {
        let mut merged = vec![HashMap::new(); self.0.len()];
        for segment in segments {
            for (all, some) in merged.iter_mut().zip(segment?) {
                for (value, count) in some {
                    *all.entry(value).or_default() += count;
                }
            }
        }
        Ok(merged)
    }
}

/// The same in one segment: the counts by each value's number there, and the column that knows the values.
struct ByOrdinal(Vec<Option<(Vec<u64>, StrColumn)>>);

impl SegmentCollector for ByOrdinal {
    type Fruit = tantivy::Result<Vec<HashMap<String, u64>>>;

    fn collect(&mut self, doc: DocId, _: Score) {
        for (counts, column) in self.0.iter_mut().flatten() {
            for ordinal in column.ords().values_for_doc(doc) {
                if let Some(count) = counts.get_mut(ordinal as usize) {
                    *count += 1;
                }
            }
        }
    }

    fn harvest(self) -> Self::Fruit {
        self.0.into_iter().map(|column| column.map_or_else(|| Ok(HashMap::new()), |column| named(&column))).collect()
    }
}

fn named((counts, column): &(Vec<u64>, StrColumn)) -> tantivy::Result<HashMap<String, u64>> {
    let mut named = HashMap::new();
    let mut value = String::new();
    for (ordinal, count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        value.clear();
        if column.ord_to_str(ordinal as u64, &mut value)? {
            named.insert(value.clone(), *count);
        }
    }
    Ok(named)
}
