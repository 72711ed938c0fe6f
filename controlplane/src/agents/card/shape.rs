//! The language in which [`schema`](super::schema) says what a card must be. Pure.

use serde_json::{Map, Value};

use super::form::Form;
use super::path::snake;

/// An object of a card.
pub(super) type Members = Map<String, Value>;

/// What a value must be.
#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// `true` or `false`.
    Flag,
    /// A text of so many characters, from and to, in a form.
    Text(usize, usize, Form),
    /// One of these words.
    Word(&'static [&'static str]),
    /// A list of at most so many.
    List(&'static Shape, usize),
    /// At most so many values under names that the card's author chooses.
    Named(&'static Shape, usize),
    /// An object with these members; others are left alone.
    Object(&'static [Member]),
    /// An object with exactly one of these members; others are left alone.
    OneOf(&'static [Member]),
    /// An object with anything in it.
    Free,
    /// What the object's own members say.
    Within(fn(&Members, &Around<'_>) -> Shape),
    /// What its neighbours in the same object say.
    Beside(fn(&Members) -> Shape),
}

/// What a card's shape depends on besides the card.
#[derive(Debug, Clone, Copy)]
pub(super) struct Around<'a> {
    /// Our own URL: extensions that we publish are below it.
    pub(super) public_url: &'a str,
}

/// A member that the schema knows, by its name in A2A: camelCase.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member {
    pub(super) name: &'static str,
    pub(super) shape: Shape,
    pub(super) role: Role,
}

/// What becomes of a card without the member, and of a card with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Of A2A v1.0; a card without it is refused. Empty counts as missing.
    Must,
    /// Of A2A v1.0. An empty text counts as absent, as in every ProtoJSON.
    May,
    /// Not of A2A v1.0, but of the directory.
    Ours,
    /// Of A2A v0.3: read, with a warning.
    Old,
}

pub(super) const fn must(name: &'static str, shape: Shape) -> Member {
    Member { name, shape, role: Role::Must }
}

pub(super) const fn may(name: &'static str, shape: Shape) -> Member {
    Member { name, shape, role: Role::May }
}

pub(super) const fn ours(name: &'static str, shape: Shape) -> Member {
    Member { name, shape, role: Role::Ours }
}

pub(super) const fn old(name: &'static str, shape: Shape) -> Member {
    Member { name, shape, role: Role::Old }
}

/// A member in camelCase or in snake_case, with the name that it was given; null counts as absent.
pub(super) fn given<'a>(object: &'a Members, camel: &str) -> Option<(&'a str, &'a Value)> {
    let find = |name: &str| object.get_key_value(name).filter(|(_, value)| !value.is_null());
    let found = find(camel).or_else(|| has_two_words(camel).then(|| find(&snake(camel))).flatten());
    found.map(|(name, value)| (name.as_str(), value))
}

/// The other name under which the member was given too, if it was.
pub(super) fn given_twice<'a>(object: &'a Members, camel: &str) -> Option<&'a str> {
    let find = |name: &str| object.get_key_value(name).filter(|(_, value)| !value.is_null());
    let twice = has_two_words(camel) && find(camel).is_some();
    let (name, _) = twice.then(|| find(&snake(camel))).flatten()?;
    Some(name)
}

fn has_two_words(camel: &str) -> bool {
    camel.bytes().any(|byte| byte.is_ascii_uppercase())
}

/// The name under which a member stands, be it null.
pub(crate) fn given_name(object: &Map<String, Value>, camel: &str) -> Option<String> {
    [camel.to_owned(), snake(camel)].into_iter().find(|name| object.contains_key(name))
}

/// A member's value, in either spelling.
pub(crate) fn member<'a>(object: &'a Map<String, Value>, camel: &str) -> Option<&'a Value> {
    given(object, camel).map(|(_, value)| value)
}

/// A member that is a text and not empty.
pub(crate) fn text<'a>(object: &'a Map<String, Value>, camel: &str) -> Option<&'a str> {
    member(object, camel).and_then(Value::as_str).filter(|text| !text.is_empty())
}
