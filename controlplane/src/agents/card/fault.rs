//! What is wrong with a card: the place, the sentence, and the words that would have been right. Pure.

use std::fmt::Display;

use landline_wire::error::{Code, Problem};

use super::path::Path;
use crate::agents::nearest;
use crate::error::Error;

/// The first thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Path of the member, as `params_hint.field` shows it.
    field: String,
    /// A sentence that begins with the path.
    detail: String,
    /// Words that would pass, nearest first.
    known: Vec<String>,
}

impl Fault {
    /// Says of the value at `path` what is wrong with it: `must be true or false`.
    pub(super) fn at(path: &Path<'_>, wrong: impl Display) -> Self {
        let path = path.to_string();
        let field = if path.is_empty() { "card".to_owned() } else { path };
        Self { detail: format!("`{field}` {wrong}."), field, known: Vec::new() }
    }

    /// The value is none of the words that it may be.
    pub(super) fn no_such_word(path: &Path<'_>, given: &str, known: &[&str]) -> Self {
        let known_words = known.join(", ");
        Self { known: nearest::in_order(given, known), ..Self::at(path, format!("must be one of {known_words}")) }
    }

    /// Says what was probably meant.
    pub(super) fn meant(self, word: String) -> Self {
        Self { known: vec![word], ..self }
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        Problem::new(Code::InvalidCard, fault.detail).field(fault.field).suggest(fault.known).into()
    }
}
