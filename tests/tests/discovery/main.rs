//! How well discovery finds: a labelled set of agents and tasks, graded from 0 to 3, and nDCG@10 of what an exchange
//! answers beside plain BM25 over the same texts. The figures are printed; discovery must not be worse.

mod bm25;
mod grading;
mod model;
mod set;
mod world;

use bm25::Bm25;
use grading::{mean, ndcg};
use landline_controlplane::discovery::Weights;
use model::Model;
use set::{Set, State};
use world::World;

/// Candidates that are looked at.
const DEPTH: usize = 10;

/// nDCG@10 of each task, by what `rank` finds for it.
async fn judged(set: &Set, rank: impl AsyncFn(&str) -> Vec<String>) -> Vec<f64> {
    let mut judged = Vec::new();
    for task in &set.tasks {
        judged.push(ndcg(&rank(&task.text).await, &task.grades, DEPTH));
    }
    judged
}

/// The tasks of which some text holds, or does not, with the mean of their values.
fn part(set: &Set, values: &[f64], is_in: impl Fn(&set::Task) -> bool) -> f64 {
    let chosen = set.tasks.iter().zip(values).filter(|(task, _)| is_in(task)).map(|(_, value)| *value);
    mean(&chosen.collect::<Vec<_>>())
}

#[tokio::test]
#[allow(clippy::print_stdout, reason = "the figures are what the test is for")]
async fn discovery_ranks_better_than_bm25_over_the_same_texts() {
    let set = Set::load();
    assert!(set.agents.len() >= 120 && set.tasks.len() >= 60, "{} {}", set.agents.len(), set.tasks.len());
    let plain = Bm25::over(set.agents.iter().map(|agent| (agent.key.clone(), agent.text())));
    let plain = judged(&set, async |task: &str| plain.rank(task, DEPTH)).await;
    let text_only: Weights = "reliability=0,offline=1".parse().expect("weights");
    let text = World::with(&set, text_only).await;
    let text = judged(&set, async |task: &str| text.discover(task, DEPTH).await).await;
    let whole = World::with(&set, Weights::default()).await;
    let whole = judged(&set, async |task: &str| whole.discover(task, DEPTH).await).await;

    let long = |task: &set::Task| task.text.split_whitespace().count() > 15;
    let twins = |task: &set::Task| {
        task.grades.keys().any(|key| set.agents.iter().any(|agent| &agent.key == key && agent.state != State::Good))
    };
    println!("nDCG@{DEPTH}, {} agents, {} tasks   all    long   twins", set.agents.len(), set.tasks.len());
    for (name, values) in [("plain BM25", &plain), ("discover, texts only", &text), ("discover", &whole)] {
        let (all, long, twins) = (mean(values), part(&set, values, long), part(&set, values, twins));
        println!("{name:<36} {all:.3}  {long:.3}  {twins:.3}");
    }
    for (at, task) in set.tasks.iter().enumerate().filter(|(at, _)| whole[*at] < 0.7) {
        println!("{:.2} (BM25 {:.2}) {}", whole[at], plain[at], task.text);
    }
    assert!(mean(&whole) > mean(&plain), "discover {:.3}, plain BM25 {:.3}", mean(&whole), mean(&plain));
    assert!(mean(&text) > mean(&plain), "texts only {:.3}, plain BM25 {:.3}", mean(&text), mean(&plain));
    assert!(mean(&whole) > mean(&text), "what agents prove must help: {:.3} {:.3}", mean(&whole), mean(&text));
}

#[tokio::test]
#[allow(clippy::print_stdout, reason = "the figures are what the test is for")]
async fn meaning_beside_words_ranks_better_than_words_alone() {
    let set = Set::load();
    let model = Model::start();
    let mut found = Vec::new();
    for share in ["0", "0.25", "0.5", "0.75", "1"] {
        let weights: Weights = format!("meaning={share}").parse().expect("weights");
        let world = World::with_meaning(&set, weights, Some(model.settings())).await;
        let values = judged(&set, async |task: &str| world.discover(task, DEPTH).await).await;
        println!("nDCG@{DEPTH} with meaning={share}: {:.3}", mean(&values));
        found.push(mean(&values));
    }
    let world = World::with(&set, Weights::default()).await;
    let words = mean(&judged(&set, async |task: &str| world.discover(task, DEPTH).await).await);
    // Agents that are alike to the last digit stand in the order of their ids, which each run draws.
    assert!((found[0] - words).abs() < 1e-3, "without a share meaning changes nothing: {} {words}", found[0]);
    let default = World::with_meaning(&set, Weights::default(), Some(model.settings())).await;
    let default = mean(&judged(&set, async |task: &str| default.discover(task, DEPTH).await).await);
    println!("nDCG@{DEPTH}: words {words:.3}, words and meaning {default:.3}");
    assert!(default > words, "words {words:.3}, words and meaning {default:.3}");
}
