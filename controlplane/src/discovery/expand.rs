//! Words of the index that a word of a query may have meant: those that it begins, and those that it mistypes.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use tantivy::query::FuzzyTermQuery;
use tantivy::schema::Field;
use tantivy::{Searcher, TantivyError, Term};

/// Letters from which on one letter may be wrong: three-letter words have neighbours that mean anything.
const ONE_TYPO: usize = 4;
/// Letters from which on two may be.
const TWO_TYPOS: usize = 8;
/// Letters of a beginning: a single one begins a tenth of all words.
const BEGINNING: usize = 2;
/// Words that a query's word stands for, of each kind: the most frequent ones.
const KEPT: usize = 24;
/// Words of a segment that are looked at for a beginning; `in` begins thousands.
const LOOKED_AT: usize = 4_000;

/// What a word of a query may have meant besides itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Meant {
    /// Is the word itself in the index?
    pub(super) known: bool,
    /// Words that it begins.
    pub(super) begun: Vec<String>,
    /// Words that differ from it by one letter inserted, left out, replaced or swapped with its neighbour.
    pub(super) one_typo: Vec<String>,
    /// Words that differ by two.
    pub(super) two_typos: Vec<String>,
}

/// Words with the number of documents that have them.
type Counted = BTreeMap<String, u64>;

fn best(counted: Counted) -> Vec<String> {
    let mut words: Vec<(String, u64)> = counted.into_iter().collect();
    words.sort_by_key(|(_, count)| Reverse(*count));
    words.truncate(KEPT);
    words.into_iter().map(|(word, _)| word).collect()
}

/// What `word` may have meant in `field`. `unfinished`: it is being typed, so it may be a beginning.
///
/// # Errors
/// The index cannot be read.
pub(super) fn expand(searcher: &Searcher, field: Field, word: &str, unfinished: bool) -> Result<Meant, TantivyError> {
    let letters = word.chars().count();
    let known = searcher.doc_freq(&Term::from_field_text(field, word))? > 0;
    let mut meant = Meant { known, ..Meant::default() };
    if unfinished && letters >= BEGINNING {
        let mut begun = beginning(searcher, field, word)?;
        begun.remove(word);
        meant.begun = best(begun);
    }
    // Numbers are not mistyped into other numbers: 2024 is not 2025.
    if letters < ONE_TYPO || !word.chars().all(char::is_alphabetic) {
        return Ok(meant);
    }
    let mut one = mistyped(searcher, field, word, 1)?;
    one.remove(word);
    let near: BTreeSet<String> = one.keys().cloned().collect();
    meant.one_typo = best(one);
    // A word that is known was hardly mistyped twice.
    if letters >= TWO_TYPOS && !known {
        let mut two = mistyped(searcher, field, word, 2)?;
        two.retain(|other, _| other != word && !near.contains(other));
        meant.two_typos = best(two);
    }
    Ok(meant)
}

fn count(counted: &mut Counted, term: &[u8], documents: u32) {
    if let Ok(term) = std::str::from_utf8(term) {
        *counted.entry(term.to_owned()).or_default() += u64::from(documents);
    }
}

/// The words that begin so.
fn beginning(searcher: &Searcher, field: Field, word: &str) -> Result<Counted, TantivyError> {
    let mut counted = Counted::new();
    for segment in searcher.segment_readers() {
        let index = segment.inverted_index(field)?;
        let mut terms = index.terms().range().ge(word.as_bytes()).into_stream()?;
        for _ in 0..LOOKED_AT {
            if !terms.advance() || !terms.key().starts_with(word.as_bytes()) {
                break;
            }
            count(&mut counted, terms.key(), terms.value().doc_freq);
        }
    }
    Ok(counted)
}

/// The words that differ by at most `letters`.
fn mistyped(searcher: &Searcher, field: Field, word: &str, letters: u8) -> Result<Counted, TantivyError> {
    let fuzzy = FuzzyTermQuery::new(Term::from_field_text(field, word), letters, true);
    let mut counted = Counted::new();
    for segment in searcher.segment_readers() {
        let index = segment.inverted_index(field)?;
        let mut terms = index.terms().search(fuzzy.automaton()?).into_stream()?;
        while terms.advance() {
            count(&mut counted, terms.key(), terms.value().doc_freq);
        }
    }
    Ok(counted)
}
