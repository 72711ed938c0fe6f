//! Validators of texts, and what a request asks of them (RFC 9110 sections 8.8.3 and 13.1). Pure.

use aws_lc_rs::digest::{SHA256, digest};

/// SHA-256 of a text, in hexadecimal digits.
pub(super) fn sha256(text: &str) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A text's strong validator, quotes included: half of its SHA-256 tells all versions of all cards apart.
pub(super) fn of(text: &str) -> String {
    format!("\"{}\"", &sha256(text)[..32])
}

/// Does an `If-None-Match` name the tag? Weak tags count: a copy that means the same need not be sent again.
pub(super) fn is_known(if_none_match: &str, tag: &str) -> bool {
    tags(if_none_match).any(|given| given == "*" || given.trim_start_matches("W/") == tag)
}

/// Does an `If-Match` name one of the tags? Weak tags do not count: what is overwritten must be what was read.
pub(super) fn is_expected(if_match: &str, current: &[String]) -> bool {
    tags(if_match).any(|given| given == "*" || current.iter().any(|tag| given == tag))
}

fn tags(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_of_its_text_alone() {
        assert_eq!(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(of("abc"), "\"ba7816bf8f01cfea414140de5dae2223\"");
        assert_ne!(of("abc"), of("abd"));
    }

    #[test]
    fn a_copy_may_be_weak_and_an_overwrite_may_not() {
        let tag = of("abc");
        let lists = [(tag.clone(), true, true), (format!("W/{tag}"), true, false), ("*".into(), true, true)];
        let more =
            [(format!("\"x\", {tag}"), true, true), ("\"x\"".into(), false, false), (String::new(), false, false)];
        for (list, known, expected) in lists.into_iter().chain(more) {
            assert_eq!(is_known(&list, &tag), known, "{list}");
            assert_eq!(is_expected(&list, std::slice::from_ref(&tag)), expected, "{list}");
        }
    }
}
