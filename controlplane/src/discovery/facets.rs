//! What the directory can be narrowed by, counted over the columns of the index.

use std::collections::HashMap;

use landline_api::agents::{Facet, Facets};
use tantivy::{Searcher, SegmentReader, TantivyError};

use super::schema::column;

/// Values per facet: the most frequent ones.
const VALUES: usize = 100;

/// Counts. Deleted documents do not count, so this goes over all that are left: some milliseconds for 100,000. Blocks.
pub(super) fn count(searcher: &Searcher) -> Result<Facets, TantivyError> {
    Ok(Facets {
        categories: values(searcher, column::CATEGORY)?,
        tags: values(searcher, column::TAG)?,
        providers: values(searcher, column::PROVIDER)?,
        service_classes: values(searcher, column::SERVICE_CLASS)?,
    })
}

fn values(searcher: &Searcher, name: &str) -> Result<Vec<Facet>, TantivyError> {
    let mut counted = HashMap::new();
    for segment in searcher.segment_readers() {
        count_segment(segment, name, &mut counted)?;
    }
    let mut facets: Vec<Facet> = counted.into_iter().map(|(value, count)| Facet { value, count }).collect();
    facets.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    facets.truncate(VALUES);
    Ok(facets)
}

fn count_segment(segment: &SegmentReader, name: &str, counted: &mut HashMap<String, u64>) -> Result<(), TantivyError> {
    let Some(column) = segment.fast_fields().str(name)? else { return Ok(()) };
    let mut by_ordinal = vec![0u64; column.dictionary().num_terms()];
    for doc in segment.doc_ids_alive() {
        for ordinal in column.ords().values_for_doc(doc) {
            if let Some(count) = by_ordinal.get_mut(ordinal as usize) {
                *count += 1;
            }
        }
    }
    let mut value = String::new();
    for (ordinal, count) in by_ordinal.into_iter().enumerate().filter(|(_, count)| *count > 0) {
        value.clear();
        if column.ord_to_str(ordinal as u64, &mut value)? {
            *counted.entry(value.clone()).or_default() += count;
        }
    }
    Ok(())
}
