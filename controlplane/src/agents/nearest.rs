//! The known word that was probably meant. Pure.

use strsim::osa_distance;

/// Characters of a given word that are compared: longer ones are no slip of the hand.
const COMPARED_CHARS: usize = 64;

fn distance(given: &str, known: &str) -> usize {
    let given: String = given.chars().take(COMPARED_CHARS).flat_map(char::to_lowercase).collect();
    osa_distance(&given, known)
}

/// All known words, those that differ least from the given one first.
pub(super) fn in_order(given: &str, known: &[&str]) -> Vec<String> {
    let mut words: Vec<&str> = known.to_vec();
    words.sort_by_key(|word| distance(given, word));
    words.into_iter().map(str::to_owned).collect()
}

/// The known word that differs least, if it differs by little: every third character at most.
pub(super) fn meant<'a>(given: &str, known: &[&'a str]) -> Option<&'a str> {
    let nearest = known.iter().min_by_key(|word| distance(given, word))?;
    (distance(given, nearest) * 3 <= nearest.chars().count()).then_some(*nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: [&str; 3] = ["tagline", "category", "banner_url"];

    #[test]
    fn a_slip_of_the_hand_is_understood_and_another_word_is_not() {
        for (given, word) in [("tag_line", "tagline"), ("Tagline", "tagline"), ("catgeory", "category")] {
            assert_eq!(meant(given, &WORDS), Some(word));
        }
        for given in ["name", "", "description", &"x".repeat(100_000)] {
            assert_eq!(meant(given, &WORDS), None, "{}", given.len());
        }
        assert_eq!(in_order("banner", &WORDS)[0], "banner_url");
        assert_eq!(in_order("banner", &WORDS).len(), 3);
        assert_eq!(meant("x", &[]), None);
    }
}
