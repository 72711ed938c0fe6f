//! The pieces of an agent's texts in which a search was found. Pure.

use std::collections::BTreeSet;

use landline_api::agents::Agent;

use super::text::{self, Word};

/// Pieces that are shown for a hit.
const PIECES: usize = 3;
/// Characters of such a piece before and after the word.
const AROUND: usize = 40;

/// Pieces of the agent's texts around the words of a search (folded): around a form of the word if there is one, else
/// around what it begins.
pub(super) fn highlights(agent: &Agent, words: &[String]) -> Vec<String> {
    if words.is_empty() {
        return Vec::new();
    }
    let stems: BTreeSet<String> = words.iter().map(|word| text::stem(word)).collect();
    let skills = agent.skills.iter().flat_map(|skill| [skill.name.as_deref(), skill.description.as_deref()]).flatten();
    let texts = [Some(agent.name.as_str()), agent.tagline.as_deref(), Some(agent.description.as_str())];
    let pieces = texts.into_iter().flatten().chain(skills).filter_map(|text| piece(text, &stems, words));
    pieces.take(PIECES).collect()
}

fn piece(text: &str, stems: &BTreeSet<String>, words: &[String]) -> Option<String> {
    let found = text::words(text);
    let is_form = |word: &&Word| stems.contains(&text::stem(&word.folded));
    let is_begun = |word: &&Word| words.last().is_some_and(|last| word.folded.starts_with(last.as_str()));
    let word = found.iter().find(is_form).or_else(|| found.iter().find(is_begun))?;
    Some(around(text, word.from, word.to))
}

/// The piece of a text around a place (in bytes).
fn around(text: &str, from: usize, to: usize) -> String {
    let before = text[..from].char_indices().rev().nth(AROUND - 1).map_or(0, |(at, _)| at);
    let after = text[to..].char_indices().nth(AROUND).map_or(text.len(), |(at, _)| to + at);
    let (open, close) = (if before > 0 { "…" } else { "" }, if after < text.len() { "…" } else { "" });
    format!("{open}{}{close}", &text[before..after])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece_of(text: &str, word: &str) -> Option<String> {
        piece(text, &[text::stem(word)].into(), &[word.to_owned()])
    }

    #[test]
    fn a_highlight_is_the_text_around_the_word_in_any_form() {
        assert_eq!(piece_of("Sums up numbers", "sum").as_deref(), Some("Sums up numbers"));
        assert_eq!(piece_of("Übersetzt Verträge", "vertrage").as_deref(), Some("Übersetzt Verträge"));
        assert_eq!(piece_of("Translates", "transl").as_deref(), Some("Translates"), "what it begins");
        assert_eq!(piece_of("abc", "zzz"), None);
    }

    #[test]
    fn a_long_text_is_cut_on_both_sides_between_characters() {
        let long = format!("{} needle {}", "é".repeat(60), "漢".repeat(60));
        let piece = piece_of(&long, "needle").unwrap();
        assert!(piece.starts_with('…') && piece.ends_with('…') && piece.contains(" needle "));
        assert_eq!(piece.chars().count(), AROUND * 2 + "needle".len() + 2);
    }
}
