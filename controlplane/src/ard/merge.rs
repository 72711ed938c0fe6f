//! The answers of several registries as one, page by page. Pure.
//!
//! Each registry is a stream of results, best first. A page takes the best head of all streams until it is full; a
//! result that is on the page already is passed over. How far each stream was taken is the place of the next page.

use std::collections::HashSet;

use landline_api::ard::SearchResult;
use serde::{Deserialize, Serialize};

/// Bytes of another registry's page token that are kept. With a longer one its results end with this page.
const MAX_TOKEN_BYTES: usize = 768;

/// How far a query was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// Our own entries that were taken; `None`: all.
    pub(crate) own: Option<usize>,
    /// The same of each other registry, in the order of the settings.
    pub(crate) others: Vec<Option<At>>,
}

/// A place in another registry's answers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct At {
    /// Its token of the page.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) token: Option<String>,
    /// Results of that page that were taken.
    #[serde(skip_serializing_if = "is_zero", default)]
    pub(crate) taken: usize,
}

/// What another registry's page had left, and what comes behind it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Rest {
    /// Results that were not taken before.
    pub(crate) given: usize,
    /// The token of its next page.
    pub(crate) next: Option<String>,
}

fn is_zero(number: &usize) -> bool {
    *number == 0
}

impl Progress {
    /// Nothing was read yet, of ours and of so many others.
    pub(crate) fn start(others: usize) -> Self {
        Self { own: Some(0), others: vec![Some(At::default()); others] }
    }

    /// Is nothing left anywhere?
    pub(crate) fn is_done(&self) -> bool {
        self.own.is_none() && self.others.iter().all(Option::is_none)
    }
}

impl At {
    /// The place after so many results of a page were taken. `None`: the end.
    pub(crate) fn after(self, taken: usize, page: Rest) -> Option<Self> {
        if taken < page.given {
            return Some(Self { taken: self.taken + taken, ..self });
        }
        let token = page.next.filter(|token| token.len() <= MAX_TOKEN_BYTES && Some(token) != self.token.as_ref())?;
        Some(Self { token: Some(token), taken: 0 })
    }
}

/// The best `size` results of all streams, each once, and how many of each stream were taken. Of equals the earlier
/// stream comes first: ours is the first.
pub(crate) fn merge(streams: Vec<Vec<SearchResult>>, size: usize) -> (Vec<SearchResult>, Vec<usize>) {
    let mut taken = vec![0; streams.len()];
    let mut streams: Vec<_> = streams.into_iter().map(|stream| stream.into_iter().peekable()).collect();
    let (mut page, mut known) = (Vec::new(), HashSet::new());
    while page.len() < size {
        let heads = streams.iter_mut().enumerate().filter_map(|(at, stream)| Some((stream.peek()?.score, at)));
        let Some((_, best)) = heads.max_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1))) else { break };
        taken[best] += 1;
        page.extend(streams[best].next().filter(|result| known.insert(result.entry.identifier.clone())));
    }
    (page, taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::entry::other;
    use super::*;

    fn result(name: &str, score: u8) -> SearchResult {
        let entry = other(format!("urn:air:a.example:agent:{name}"), name.into(), "x", "https://a.example".into(), "");
        SearchResult { entry, score, source: "https://a.example/ard".into() }
    }

    fn stream(results: &[(&str, u8)]) -> Vec<SearchResult> {
        results.iter().map(|(name, score)| result(name, *score)).collect()
    }

    fn names(page: &[SearchResult]) -> Vec<&str> {
        page.iter().map(|result| result.entry.display_name.as_str()).collect()
    }

    #[test]
    fn the_best_come_first_and_each_once() {
        let streams = vec![stream(&[("a", 90), ("b", 50)]), stream(&[("c", 95), ("a", 80), ("d", 50)]), vec![]];
        let (page, taken) = merge(streams.clone(), 10);
        assert_eq!((names(&page), taken), (vec!["c", "a", "b", "d"], vec![2, 3, 0]));
        let (page, taken) = merge(streams, 2);
        assert_eq!((names(&page), taken), (vec!["c", "a"], vec![1, 1, 0]));
    }

    #[test]
    fn a_stream_is_read_on_where_it_was_left() {
        let after = |at: &At, taken, given, next: Option<&str>| {
            at.clone().after(taken, Rest { given, next: next.map(str::to_owned) })
        };
        let (start, second) = (At::default(), At { token: Some("t".into()), taken: 0 });
        let half = after(&start, 3, 10, Some("t"));
        assert_eq!(half, Some(At { token: None, taken: 3 }));
        assert_eq!(after(&half.unwrap(), 7, 7, Some("t")), Some(second.clone()));
        assert_eq!(after(&start, 10, 10, None), None, "the last page");
        assert_eq!(after(&start, 0, 0, Some(&"x".repeat(MAX_TOKEN_BYTES + 1))), None);
        assert_eq!(after(&second, 0, 0, Some("t")), None, "a registry that goes round in circles");
    }

    proptest! {
        #[test]
        fn page_by_page_gives_every_result_of_every_stream_once(
            scores in prop::collection::vec(prop::collection::vec(0u8..=100, 0..20), 1..4),
            size in 1usize..8,
        ) {
            let mut streams: Vec<Vec<SearchResult>> = scores.iter().enumerate().map(|(at, scores)| {
                let mut scores = scores.clone();
                scores.sort_unstable_by(|a, b| b.cmp(a));
                scores.iter().enumerate().map(|(n, score)| result(&format!("{at}-{n}"), *score)).collect()
            }).collect();
            let all: usize = streams.iter().map(Vec::len).sum();
            let mut seen = Vec::new();
            for _ in 0..=all {
                let heads = streams.iter().map(|stream| stream.iter().take(size).cloned().collect()).collect();
                let (page, taken) = merge(heads, size);
                prop_assert!(page.windows(2).all(|pair| pair[0].score >= pair[1].score));
                seen.extend(page);
                for (stream, taken) in streams.iter_mut().zip(taken) {
                    stream.drain(..taken);
                }
            }
            prop_assert!(seen.windows(2).all(|pair| pair[0].score >= pair[1].score), "over all pages");
            let names: HashSet<&str> = names(&seen).into_iter().collect();
            prop_assert_eq!((seen.len(), names.len()), (all, all));
        }
    }
}
