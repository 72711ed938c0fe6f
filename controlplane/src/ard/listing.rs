//! The filter and the order of `GET /ard/agents`. Pure.
//!
//! ```text
//! filter     = comparison *( "AND" comparison )
//! comparison = field ( "=" / ">" ) value
//! value      = "'" text "'" / DQUOTE text DQUOTE / word
//! ```
//!
//! Fields are `displayName`, `type` and `publisherId`, which are equal to something, and `createdAfter` and
//! `updatedAfter`, which are times. A comma in the value of `publisherId` means or.

use landline_api::ard::CARD_TYPE;
use landline_api::time::parse_rfc3339_ms;

use super::names::Place;
use crate::agents::browse::{By, Sorted, Which};
use crate::error::{Error, Result};

/// Characters of a filter.
const MAX_CHARS: usize = 1_000;

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Asked {
    pub(crate) which: Which,
    /// No entry of ours can match.
    pub(crate) is_void: bool,
}

fn fault(detail: impl Into<String>) -> Error {
    Error::invalid("filter", detail)
}

/// Reads a filter.
///
/// # Errors
/// It is none, or compares what cannot be compared.
pub(crate) fn filter(text: &str, place: &Place) -> Result<Asked> {
    if text.chars().count() > MAX_CHARS {
        return Err(fault(format!("`filter` must have at most {MAX_CHARS} characters.")));
    }
    let mut asked = Asked::default();
    let mut rest = text.trim_start();
    loop {
        let (comparison, after) = Comparison::read(rest)?;
        asked.add(&comparison, place)?;
        rest = after.trim_start();
        if rest.is_empty() {
            return Ok(asked);
        }
        let (word, after) = word(rest);
        if !word.eq_ignore_ascii_case("AND") {
            return Err(fault(format!("`filter`: between two comparisons must be AND, not `{}`.", shown(rest))));
        }
        rest = after.trim_start();
    }
}

/// A comparison as it is written.
#[derive(Debug, PartialEq, Eq)]
struct Comparison {
    field: String,
    operator: char,
    value: String,
}

/// The word at the beginning of a text, and what follows.
fn word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(text.len()))
}

/// The beginning of a text, for messages.
fn shown(text: &str) -> String {
    text.chars().take(40).collect()
}

impl Comparison {
    fn read(text: &str) -> Result<(Self, &str)> {
        let (field, rest) = word(text);
        if field.is_empty() {
            return Err(fault(format!("`filter` must go on with a field, not `{}`.", shown(text))));
        }
        let rest = rest.trim_start();
        let operator = rest.chars().next().filter(|operator| "=>".contains(*operator));
        let Some(operator) = operator else {
            return Err(fault(format!("`filter`: behind `{field}` must be = or >, not `{}`.", shown(rest))));
        };
        let (value, rest) = value(rest[1..].trim_start())?;
        Ok((Self { field: field.to_owned(), operator, value: value.to_owned() }, rest))
    }
}

/// The value at the beginning of a text, without its quotes, and what follows.
fn value(text: &str) -> Result<(&str, &str)> {
    if let Some(quote) = text.chars().next().filter(|quote| "'\"".contains(*quote)) {
        let inside = &text[1..];
        let end =
            inside.find(quote).ok_or_else(|| fault(format!("`filter`: a quote is not closed: `{}`.", shown(text))))?;
        return Ok((&inside[..end], &inside[end + 1..]));
    }
    let (value, rest) = text.split_at(text.find(char::is_whitespace).unwrap_or(text.len()));
    if value.is_empty() {
        return Err(fault("`filter` ends where a value should be."));
    }
    Ok((value, rest))
}

impl Asked {
    fn add(&mut self, comparison: &Comparison, place: &Place) -> Result<()> {
        let Comparison { field, operator, value } = comparison;
        match (field.as_str(), operator) {
            ("displayName", '=') => {
                let other = self.which.name.replace(value.clone());
                self.is_void |=
                    value.is_empty() || other.is_some_and(|name| name.to_lowercase() != value.to_lowercase());
            }
            ("type", '=') => self.is_void |= value != CARD_TYPE,
            ("publisherId", '=') => {
                self.is_void |= !value.split(',').any(|one| one.trim().eq_ignore_ascii_case(&place.domain));
            }
            ("createdAfter", _) => later(&mut self.which.created_after, time(field, value)?),
            ("updatedAfter", _) => later(&mut self.which.updated_after, time(field, value)?),
            ("displayName" | "type" | "publisherId", _) => {
                return Err(fault(format!("`filter`: `{field}` can only be compared with =.")));
            }
            _ => {
                let known = "`displayName`, `type`, `publisherId`, `createdAfter` and `updatedAfter`";
                return Err(fault(format!("`filter`: `{field}` is no field to filter by; those are {known}.")));
            }
        }
        Ok(())
    }
}

/// Of two times after which something must have happened, the later one.
fn later(known: &mut Option<i64>, time: i64) {
    *known = Some(known.map_or(time, |known| known.max(time)));
}

/// A time of ISO 8601: RFC 3339, or a day, which begins at midnight UTC.
fn time(field: &str, text: &str) -> Result<i64> {
    let day = || (text.len() == 10).then(|| parse_rfc3339_ms(&format!("{text}T00:00:00Z"))).flatten();
    parse_rfc3339_ms(text)
        .or_else(day)
        .ok_or_else(|| fault(format!("`filter`: `{field}` needs a time such as 2026-01-01 or 2026-01-01T12:00:00Z.")))
}

/// Reads an order, in either spelling that the standard has; by name unless something is given.
///
/// # Errors
/// It is no order.
pub(crate) fn order(text: Option<&str>) -> Result<Sorted> {
    let mut words = text.unwrap_or("displayName").split_whitespace();
    let by = match words.next() {
        Some("displayName" | "name") => Some(By::Name),
        Some("createdAt" | "created_at") => Some(By::Creation),
        Some("updatedAt" | "updated_at") => Some(By::Change),
        _ => None,
    };
    let direction = words.next().map(str::to_ascii_uppercase);
    let is_falling = match direction.as_deref() {
        None | Some("ASC") => Some(false),
        Some("DESC") => Some(true),
        Some(_) => None,
    };
    match (by, is_falling, words.next()) {
        (Some(by), Some(is_falling), None) => Ok(Sorted { by, is_falling }),
        _ => Err(Error::invalid(
            "orderBy",
            "`orderBy` must be `displayName`, `createdAt` or `updatedAt`, and may be followed by ASC or DESC.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(text: &str) -> Result<Asked> {
        filter(text, &Place::of(&Config::new("/nowhere", "https://relay.example")))
    }

    fn void(text: &str) -> bool {
        read(text).unwrap().is_void
    }

    #[test]
    fn all_comparisons_must_hold() {
        let day = 1_767_225_600_000;
        let text = "type = 'application/a2a-agent-card+json' AND createdAfter > '2026-01-01' and displayName=\"It's one\" \
                    AND updatedAfter>2026-01-01T00:00:01Z AND publisherId = 'a.example, Relay.example'";
        let asked = read(text).unwrap();
        let which = Which { created_after: Some(day), updated_after: Some(day + 1_000), name: Some("It's one".into()) };
        assert_eq!(asked, Asked { which, is_void: false });
        let twice = read("createdAfter > 2026-01-01 AND createdAfter = 2025-01-01").unwrap();
        assert_eq!(twice.which.created_after, Some(day), "the later of two");
        for none in [
            "type = 'application/mcp-server-card+json'",
            "publisherId = a.example",
            "displayName = a AND displayName = b",
            "displayName = ''",
        ] {
            assert!(void(none), "{none}");
        }
        assert!(!void("displayName = a AND displayName = A"));
    }

    #[test]
    fn a_mistake_is_named() {
        for (text, names) in [
            ("", "must go on with a field"),
            ("= x", "must go on with a field"),
            ("type", "must be = or >"),
            ("type LIKE 'x'", "must be = or >"),
            ("type = ", "ends where a value"),
            ("type = 'x", "not closed"),
            ("type > 'x'", "only be compared with ="),
            ("score = 7", "`score` is no field"),
            ("createdAfter > yesterday", "needs a time"),
            ("createdAfter > '2026-13-01'", "needs a time"),
            ("type = 'x' OR type = 'y'", "must be AND"),
            ("type = 'x' AND", "must go on with a field"),
            ("type = 'x''y'", "must be AND"),
            (&"x".repeat(MAX_CHARS + 1), "at most 1000"),
        ] {
            let problem = read(text).unwrap_err().into_problem();
            assert_eq!(problem.field.as_deref(), Some("filter"));
            assert!(problem.detail.contains(names), "{text}: {}", problem.detail);
        }
    }

    #[test]
    fn orders_have_two_spellings() {
        let sorted = |by, is_falling| Sorted { by, is_falling };
        for (text, expected) in [
            (None, sorted(By::Name, false)),
            (Some("name"), sorted(By::Name, false)),
            (Some("displayName desc"), sorted(By::Name, true)),
            (Some("created_at DESC"), sorted(By::Creation, true)),
            (Some("createdAt ASC"), sorted(By::Creation, false)),
            (Some("updatedAt DESC"), sorted(By::Change, true)),
        ] {
            assert_eq!(order(text).unwrap(), expected);
        }
        for bad in ["", "score", "name down", "name ASC DESC", "name,created_at", "NAME"] {
            assert_eq!(order(Some(bad)).unwrap_err().into_problem().field.as_deref(), Some("orderBy"), "{bad}");
        }
    }
}
