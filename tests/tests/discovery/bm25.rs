//! Plain BM25: words as they are in lower case, every text of an agent in one, k1 = 1.2, b = 0.75. Written apart from
//! what it is compared with.

use std::collections::BTreeMap;

const K1: f64 = 1.2;
const B: f64 = 0.75;

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// Texts by key.
pub(crate) struct Bm25 {
    /// Each text's key, its words with their numbers, and its length.
    texts: Vec<(String, BTreeMap<String, f64>, f64)>,
    mean_length: f64,
}

impl Bm25 {
    pub(crate) fn over(texts: impl Iterator<Item = (String, String)>) -> Self {
        let counted = texts.map(|(key, text)| {
            let mut counts = BTreeMap::new();
            words(&text).for_each(|word| *counts.entry(word).or_default() += 1.0);
            let length = counts.values().sum();
            (key, counts, length)
        });
        let texts: Vec<(String, BTreeMap<String, f64>, f64)> = counted.collect();
        let mean_length = texts.iter().map(|text| text.2).sum::<f64>() / texts.len().max(1) as f64;
        Self { texts, mean_length }
    }

    /// The keys of the best texts.
    pub(crate) fn rank(&self, query: &str, depth: usize) -> Vec<String> {
        let all = self.texts.len() as f64;
        let mut scores = vec![0.0; self.texts.len()];
        for word in words(query) {
            let having = self.texts.iter().filter(|text| text.1.contains_key(&word)).count() as f64;
            let rarity = ((all - having + 0.5) / (having + 0.5)).ln_1p();
            for (score, (_, counts, length)) in scores.iter_mut().zip(&self.texts) {
                let count = counts.get(&word).copied().unwrap_or_default();
                *score += rarity * count * (K1 + 1.0) / (count + K1 * (1.0 - B + B * length / self.mean_length));
            }
        }
        let mut order: Vec<usize> = (0..scores.len()).filter(|at| scores[*at] > 0.0).collect();
        order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]));
        order.into_iter().take(depth).map(|at| self.texts[at].0.clone()).collect()
    }
}

#[test]
fn rare_words_count_more_than_frequent_ones() {
    let texts = [("a", "the red fox"), ("b", "the red house the the"), ("c", "the blue house")];
    let index = Bm25::over(texts.iter().map(|(key, text)| ((*key).to_owned(), (*text).to_owned())));
    assert_eq!(index.rank("the fox", 1), ["a"]);
    assert_eq!(index.rank("blue house", 2), ["c", "b"]);
    assert!(index.rank("whale", 3).is_empty());
}
