//! What becomes of a text before it is compared: words, folded, and their stems. Pure.
//!
//! A word is a run of letters, digits and marks. Writing without spaces (Han, kana) has no such runs, so there each
//! character is a word. Folding takes compatibility forms apart (NFKD), drops the marks and the case: `Ärzte`, `ARZTE`
//! and `ａｒｚｔｅ` are one word. Stems are English, the language that nearly all cards are written in; a word of another
//! language is mostly left as it is, and the same happens to it in a query.

use std::collections::HashSet;
use std::sync::LazyLock;

use frostem::{Algorithm, Stemmer};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// Bytes of a folded word: what is longer is no word of a language, and is cut.
const WORD_BYTES: usize = 48;

static ENGLISH: LazyLock<Stemmer> = LazyLock::new(|| Stemmer::new(Algorithm::English));

/// A word of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    /// Where it begins in the text, in bytes.
    pub(super) from: usize,
    /// Where it ends.
    pub(super) to: usize,
    /// The word itself, folded.
    pub(super) folded: String,
}

fn belongs(character: char) -> bool {
    character.is_alphanumeric() || is_combining_mark(character)
}

/// Is it of a script that is written without spaces?
fn stands_alone(character: char) -> bool {
    matches!(u32::from(character), 0x3041..=0x30FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xF900..=0xFAFF | 0x20000..=0x2FA1F)
}

/// A word without case and marks. Letters that no decomposition reaches are spelled out.
pub(super) fn fold(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    for character in word.nfkd().filter(|character| !is_combining_mark(*character)).flat_map(char::to_lowercase) {
        match character {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'þ' => folded.push_str("th"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'ı' => folded.push('i'),
            other if !is_combining_mark(other) => folded.push(other),
            _ => {}
        }
    }
    while folded.len() > WORD_BYTES {
        folded.pop();
    }
    folded
}

/// The words of a text, in order.
pub(super) fn words(text: &str) -> Vec<Word> {
    let mut found = Vec::new();
    let mut begun: Option<usize> = None;
    let mut end = |begun: &mut Option<usize>, to: usize| {
        if let Some(from) = begun.take() {
            let folded = fold(&text[from..to]);
            if folded.chars().any(char::is_alphanumeric) {
                found.push(Word { from, to, folded });
            }
        }
    };
    for (at, character) in text.char_indices() {
        if stands_alone(character) {
            end(&mut begun, at);
            begun = Some(at);
            end(&mut begun, at + character.len_utf8());
        } else if belongs(character) {
            begun.get_or_insert(at);
        } else {
            end(&mut begun, at);
        }
    }
    end(&mut begun, text.len());
    found
}

/// A text as its folded words with a space between: what is left of it when spelling does not matter.
pub(super) fn phrase(text: &str) -> String {
    let folded: Vec<String> = words(text).into_iter().map(|word| word.folded).collect();
    folded.join(" ")
}

/// The words of an identifier: besides its runs also the humps within them (`getWeather` has `get` and `weather`).
pub(super) fn identifier_words(text: &str) -> Vec<String> {
    let mut found: Vec<String> = words(text).into_iter().map(|word| word.folded).collect();
    let mut apart = String::with_capacity(text.len() + 4);
    let mut before_was_small = false;
    for character in text.chars() {
        if before_was_small && character.is_uppercase() {
            apart.push(' ');
        }
        before_was_small = character.is_lowercase() || character.is_numeric();
        apart.push(character);
    }
    if apart.len() > text.len() {
        found.extend(words(&apart).into_iter().map(|word| word.folded));
    }
    found
}

/// The stem of a folded word.
pub(super) fn stem(folded: &str) -> String {
    ENGLISH.stem(folded).into_owned()
}

/// The stems of a text, in order.
pub(super) fn stems(text: &str) -> Vec<String> {
    words(text).iter().map(|word| stem(&word.folded)).collect()
}

/// Words that say nothing of what a task is about: the usual function words of English, and how people and models ask
/// for things.
const STOP_WORDS: &str = "\
    a about above after again all also am an and any are as at be because been before being below between \
    both but by can could did do does doing down during each few for from further had has have having he her \
    here hers him his how i if in into is it its just like me more most my no nor not now of off on once only \
    or other our ours out over own same she should so some such than that the their theirs them then there \
    these they this those through to too under until up us very was we were what when where which while who \
    whom why will with would you your yours s t d ll m re ve don agent agents anyone help ideally let looking \
    many may might must need needs one please someone something thanks want wants able get give got know \
    every within without via per using use task job";

static STOP: LazyLock<HashSet<&str>> = LazyLock::new(|| STOP_WORDS.split(' ').collect());

/// Does the word say nothing of what a task is about?
pub(super) fn is_stop_word(folded: &str) -> bool {
    STOP.contains(folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folded(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.folded).collect()
    }

    #[test]
    fn case_marks_and_forms_do_not_matter() {
        assert_eq!(folded("Ärzte ARZTE ａｒｚｔｅ a\u{308}rzte"), ["arzte"; 4]);
        assert_eq!(folded("Straße STRASSE"), ["strasse", "strasse"]);
        assert_eq!(folded("Łódź Ørsted İstanbul ﬁle"), ["lodz", "orsted", "istanbul", "file"]);
    }

    #[test]
    fn words_are_runs_and_know_their_place() {
        let text = "sum_up: (text-2) — é!";
        let found = words(text);
        let places: Vec<&str> = found.iter().map(|word| &text[word.from..word.to]).collect();
        assert_eq!(places, ["sum", "up", "text", "2", "é"]);
        assert!(words(" …—!? ").is_empty());
        assert_eq!(folded("翻訳agent"), ["翻", "訳", "agent"]);
    }

    #[test]
    fn identifiers_fall_into_their_humps() {
        assert_eq!(identifier_words("getWeather_v2"), ["getweather", "v2", "get", "weather", "v2"]);
        assert_eq!(identifier_words("sum"), ["sum"]);
    }

    #[test]
    fn forms_of_a_word_have_one_stem() {
        assert_eq!(stems("Translate translated Translation translators"), ["translat"; 4]);
    }

    #[test]
    fn a_word_is_bounded_and_stays_text() {
        let long = fold(&"é漢".repeat(200));
        assert!(long.len() <= WORD_BYTES && !long.is_empty());
    }

    #[test]
    fn stop_words_are_folded_words() {
        for word in STOP.iter() {
            assert_eq!(fold(word), *word);
        }
        assert!(is_stop_word("the") && !is_stop_word("translate"));
    }
}
