//! nDCG: what a ranking gains of what the best one could.

use std::collections::BTreeMap;

fn gain(grade: u32, place: usize) -> f64 {
    (f64::from(2_u32.pow(grade)) - 1.0) / ((place + 2) as f64).log2()
}

/// nDCG of a ranking over its first `depth` places.
pub(crate) fn ndcg(ranking: &[String], grades: &BTreeMap<String, u32>, depth: usize) -> f64 {
    let grade = |key: &String| grades.get(key).copied().unwrap_or_default();
    let got: f64 = ranking.iter().take(depth).enumerate().map(|(place, key)| gain(grade(key), place)).sum();
    let mut best: Vec<u32> = grades.values().copied().collect();
    best.sort_unstable_by(|a, b| b.cmp(a));
    let ideal: f64 = best.iter().take(depth).enumerate().map(|(place, grade)| gain(*grade, place)).sum();
    if ideal > 0.0 { got / ideal } else { 0.0 }
}

/// The mean; 0 of nothing.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

#[test]
fn the_best_order_is_one_and_a_worse_one_less() {
    let grades = BTreeMap::from([("a".to_owned(), 3), ("b".to_owned(), 1)]);
    let keys = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    assert!((ndcg(&keys("a b c"), &grades, 10) - 1.0).abs() < 1e-9);
    assert!(ndcg(&keys("b a"), &grades, 10) < 0.8);
    assert_eq!(ndcg(&keys("c d"), &grades, 10), 0.0);
    assert!(ndcg(&keys("c a"), &grades, 1) < 1e-9);
}
