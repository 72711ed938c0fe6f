//! Agent Cards as they are given: what must hold of them, what is read out of them, and what their authors are told. Pure.
//!
//! [`schema`] says in tables what a card must be, in the language of [`shape`]; [`check`] walks a card along these tables
//! and stops at the first fault, and [`project`] shows of a card what the same tables know. Both spellings are read
//! (`supported_interfaces` and A2A's `supportedInterfaces`), cards of A2A 0.3 too; members that no table knows are left
//! alone.

mod check;
mod describe;
mod fault;
mod form;
mod path;
mod project;
mod read;
mod schema;
mod service_class;
mod shape;
mod unique;
mod warnings;

use landline_wire::error::{Code, Problem};
use serde_json::Value;
use serde_json::value::RawValue;

pub(crate) use describe::card_schema;
pub(crate) use form::{MAX_URL_CHARS, is_semver, normal_url};
pub(crate) use read::{Card, read};
pub(crate) use schema::NAME_CHARS;
pub(crate) use shape::{given_name, member, text};

use crate::error::{Error, Result};
use check::Check;
use path::Path;
use shape::Around;

/// A member of the card, or beside it, that did not pass.
pub(crate) fn fault(field: &str, detail: impl Into<String>) -> Error {
    Problem::new(Code::InvalidCard, detail).field(field).into()
}

/// Checks a card that stands at `at` in the body (empty: it is the body), and reads it. `public_url` is our own: the
/// extensions that we publish are below it.
pub(crate) fn parse(value: &Value, at: &str, public_url: &str) -> Result<Card> {
    let (root, around) = (Path::Root(at), Around { public_url });
    let mut check = Check::new(around);
    check.card(value, schema::CARD, &root)?;
    let mut card = read::read_at(value, &root);
    card.service_class = service_class::of(&card.capabilities, &around);
    card.warnings =
        value.as_object().map(|given| warnings::of(given, &card, &check.old, public_url)).unwrap_or_default();
    Ok(card)
}

/// Where a card does not pass, if it does not; for tests of other slices.
#[cfg(test)]
pub(crate) fn fault_of(card: &Value, public_url: &str) -> Option<String> {
    parse(card, "card", public_url).err().map(|error| error.into_problem().detail)
}

/// Refuses a card in whose text a name stands twice in one object.
pub(crate) fn one_reading(text: &str, at: &str) -> Result<()> {
    Ok(unique::check(text, &Path::Root(at))?)
}

/// The card with what A2A v1.0 knows of it, in A2A's own spelling and nothing else.
pub(crate) fn known(card: &Value) -> Value {
    project::project(card, schema::CARD).unwrap_or_else(|| Value::Object(Default::default()))
}

/// An absolute http(s) URL without user information.
pub(crate) fn http_url(text: &str, path: &str) -> Result<String> {
    if text.chars().count() <= MAX_URL_CHARS && normal_url(text).is_some() {
        return Ok(text.to_owned());
    }
    Err(fault(path, format!("`{path}` must be an absolute http or https URL.")))
}

/// The text of the card in a body, byte for byte: the body itself, or its member `card`.
pub(crate) fn text_of(body: &str, is_member: bool) -> Option<&str> {
    #[derive(serde::Deserialize)]
    struct Wrapper<'a> {
        #[serde(borrow)]
        card: &'a RawValue,
    }
    if is_member {
        serde_json::from_str::<Wrapper<'_>>(body).ok().map(|body| body.card.get())
    } else {
        Some(body.trim())
    }
}

#[cfg(test)]
mod tests;
