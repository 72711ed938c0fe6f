//! A made-up directory: agents that read like real ones, any number of them, the same for the same seed.
//!
//! An agent has a trade (what it does to what), a field (for whom), a style of writing, a few skills and tags of its trade
//! and field, and sometimes a provider. Words of different trades overlap as they do among real cards, and frequent trades
//! are much more frequent than rare ones, so that searches find a few of some words and thousands of others.

mod words;

use landline_api::agents::CATEGORIES;
use serde_json::{Value, json};

use crate::random::Choices;
use words::{ADJECTIVES, FIELDS, OBJECTS, PROVIDERS, QUALITIES, TRADES, Trade};

/// A directory of a seed.
#[derive(Debug, Clone, Copy)]
pub struct Synthetic {
    seed: u64,
}

/// One of the items, the first ones more often: the square of a number between 0 and 1 is small more often than not.
fn skewed<'a, T>(items: &'a [T], choices: &mut Choices) -> &'a T {
    let at = (choices.unit().powi(2) * items.len() as f64) as usize;
    &items[at.min(items.len() - 1)]
}

fn one<'a, T>(items: &'a [T], choices: &mut Choices) -> &'a T {
    &items[choices.below(items.len())]
}

fn capital(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

impl Synthetic {
    /// The directory of a seed.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The body that registers agent `number`. Names differ by their number.
    pub fn registration(&self, number: usize) -> Value {
        let choices = &mut Choices::new(self.seed, number as u64);
        let trade = skewed(TRADES, choices);
        let (field, object) = (skewed(FIELDS, choices), one(OBJECTS, choices));
        let (quality, adjective) = (one(QUALITIES, choices), one(ADJECTIVES, choices));
        let name = match choices.below(3) {
            0 => format!("{} {} {number}", capital(field), trade.title),
            1 => format!("{}-{}-{number}", adjective, trade.title.to_lowercase().replace(' ', "-")),
            _ => format!("{}{} {number}", capital(adjective), trade.title),
        };
        let description = format!(
            "{} {object} for {field} teams. {quality} Works with {} and {}, and hands over what it did step by step.",
            capital(trade.verb),
            one(trade.nouns, choices),
            one(OBJECTS, choices),
        );
        let skills: Vec<Value> = (0..1 + choices.below(3)).map(|at| skill(trade, field, at, choices)).collect();
        let mut card =
            json!({"name": name, "description": description, "version": "1.0.0", "capabilities": {}, "skills": skills});
        if choices.below(3) > 0 {
            card["provider"] = json!({"organization": skewed(PROVIDERS, choices), "url": "https://provider.example"});
        }
        let category = CATEGORIES.iter().find(|category| **category == trade.category).copied().unwrap_or("general");
        json!({
            "card": card,
            "tagline": format!("{} for {field}", capital(one::<&str>(trade.nouns, choices))),
            "category": category,
            "access": "agents",
        })
    }

    /// A search that somebody may type: words of a trade or a field, sometimes unfinished, sometimes mistyped.
    pub fn search(&self, number: usize) -> String {
        let choices = &mut Choices::new(self.seed ^ 0x5EA7C4, number as u64);
        let trade = skewed(TRADES, choices);
        let words = match choices.below(4) {
            0 => trade.verb.to_owned(),
            1 => format!("{} {}", trade.verb, one(trade.nouns, choices)),
            2 => format!("{} {}", skewed(FIELDS, choices), one(trade.nouns, choices)),
            _ => format!("{} {}", one(trade.nouns, choices), trade.verb),
        };
        match choices.below(4) {
            0 => words.chars().take(words.len().saturating_sub(2).max(3)).collect(),
            1 => mistyped(&words, choices),
            _ => words,
        }
    }

    /// A task that somebody may have: a sentence or two.
    pub fn task(&self, number: usize) -> String {
        let choices = &mut Choices::new(self.seed ^ 0x7A5C, number as u64);
        let (trade, field, object) = (skewed(TRADES, choices), skewed(FIELDS, choices), one(OBJECTS, choices));
        let noun = one(trade.nouns, choices);
        match choices.below(3) {
            0 => format!("{} {object}", trade.verb),
            1 => format!("I need someone to {} our {object} and the {noun} of a {field} project.", trade.verb),
            _ => format!(
                "We are a {field} company and have a lot of {object} from the last years. Please {} them, pay attention to \
                 the {noun}, and tell us within a week what you found and what we should do about it.",
                trade.verb
            ),
        }
    }
}

fn skill(trade: &Trade, field: &str, at: usize, choices: &mut Choices) -> Value {
    let noun = trade.nouns[(choices.below(trade.nouns.len()) + at) % trade.nouns.len()];
    let object = one(OBJECTS, choices);
    json!({
        "id": format!("{}-{}", trade.verb.replace(' ', "-"), noun.replace(' ', "-")),
        "name": format!("{} {noun}", capital(trade.verb)),
        "description": format!("{} {noun} in {object}, as {field} teams need it.", capital(trade.verb)),
        "tags": [noun, field, trade.category, one(ADJECTIVES, choices)],
    })
}

/// The same with two letters swapped.
fn mistyped(words: &str, choices: &mut Choices) -> String {
    let mut letters: Vec<char> = words.chars().collect();
    if letters.len() > 4 {
        let at = 1 + choices.below(letters.len() - 3);
        letters.swap(at, at + 1);
    }
    letters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_seed_makes_the_same_directory_and_names_are_unique() {
        let (one, other) = (Synthetic::new(1), Synthetic::new(2));
        assert_eq!(one.registration(7), Synthetic::new(1).registration(7));
        let differing = (0..50).filter(|number| one.registration(*number) != other.registration(*number)).count();
        assert!(differing > 40, "{differing}");
        let names: BTreeSet<String> =
            (0..5_000).map(|number| one.registration(number)["card"]["name"].to_string()).collect();
        assert_eq!(names.len(), 5_000);
    }

    #[test]
    fn agents_keep_the_bounds_of_a_card() {
        for number in 0..2_000 {
            let body = Synthetic::new(3).registration(number);
            let (name, about) = (body["card"]["name"].as_str().unwrap(), body["card"]["description"].as_str().unwrap());
            assert!((3..=100).contains(&name.chars().count()) && (10..=2_000).contains(&about.chars().count()));
            assert!(body["tagline"].as_str().unwrap().chars().count() <= 120, "{body}");
            assert!(CATEGORIES.contains(&body["category"].as_str().unwrap()));
        }
    }

    #[test]
    fn frequent_trades_are_much_more_frequent_than_rare_ones() {
        let count = |trade: &Trade| {
            let has = |number: &usize| Synthetic::new(1).registration(*number).to_string().contains(trade.title);
            (0..4_000).filter(has).count()
        };
        assert!(count(&TRADES[0]) > 3 * count(&TRADES[TRADES.len() - 1]));
    }
}
