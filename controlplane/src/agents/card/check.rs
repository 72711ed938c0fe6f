//! Holds a card against its schema: one walk in the schema's order, which ends at the first fault. Pure.

use serde_json::Value;

use super::fault::Fault;
use super::form::Form;
use super::path::Path;
use super::shape::{Around, Member, Members, Role, Shape, given, given_twice};
use crate::agents::nearest;

/// How deep a card may nest: deeper than any schema, shallow enough for every reader's stack.
const MAX_DEPTH: usize = 32;
/// Characters of a name that the card's author chooses.
pub(super) const MAX_NAME_CHARS: usize = 100;

/// A walk over a card.
#[derive(Debug)]
pub(super) struct Check<'a> {
    around: Around<'a>,
    /// Members of v0.3 that were met, by their names; each once.
    pub(super) old: Vec<&'static str>,
}

type Outcome = Result<(), Fault>;

impl<'a> Check<'a> {
    pub(super) fn new(around: Around<'a>) -> Self {
        Self { around, old: Vec::new() }
    }

    /// Checks a whole card; last, how deep it nests, members that the schema does not know included.
    pub(super) fn card(&mut self, card: &Value, shape: Shape, path: &Path<'_>) -> Outcome {
        self.value(card, shape, &Members::new(), path)?;
        let deep = card.as_object().into_iter().flatten().find(|(_, value)| nests_deeper(value, MAX_DEPTH - 1));
        match deep {
            Some((name, _)) => {
                Err(Fault::at(&Path::Name(path, name), format!("must not nest deeper than {MAX_DEPTH} levels")))
            }
            None => Ok(()),
        }
    }

    /// `beside`: the object that the value is a member of.
    fn value(&mut self, value: &Value, shape: Shape, beside: &Members, path: &Path<'_>) -> Outcome {
        match shape {
            Shape::Flag if value.is_boolean() => Ok(()),
            Shape::Flag => Err(wrong_type(path, "true or false", value)),
            Shape::Text(from, to, form) => text(as_text(value, path)?, (from, to), form, path),
            Shape::Word(known) => {
                let word = as_text(value, path)?;
                if known.contains(&word) { Ok(()) } else { Err(Fault::no_such_word(path, word, known)) }
            }
            Shape::List(of, max) => self.list(value, *of, max, path),
            Shape::Named(of, max) => self.named(value, *of, max, path),
            Shape::Object(members) => self.object(as_object(value, path)?, members, path),
            Shape::OneOf(members) => self.one_of(as_object(value, path)?, members, path),
            Shape::Free => as_object(value, path).map(drop),
            Shape::Within(choose) => {
                let shape = choose(as_object(value, path)?, &self.around);
                self.value(value, shape, beside, path)
            }
            Shape::Beside(choose) => self.value(value, choose(beside), beside, path),
        }
    }

    fn list(&mut self, value: &Value, of: Shape, max: usize, path: &Path<'_>) -> Outcome {
        let list = value.as_array().ok_or_else(|| wrong_type(path, "a list", value))?;
        if list.len() > max {
            return Err(Fault::at(path, format!("must have at most {max} entries; it has {}", list.len())));
        }
        let mut entries = list.iter().enumerate();
        entries.try_for_each(|(index, entry)| self.value(entry, of, &Members::new(), &Path::Entry(path, index)))
    }

    fn named(&mut self, value: &Value, of: Shape, max: usize, path: &Path<'_>) -> Outcome {
        let object = as_object(value, path)?;
        if object.len() > max {
            return Err(Fault::at(path, format!("must have at most {max} members; it has {}", object.len())));
        }
        for (name, value) in object {
            if !(1..=MAX_NAME_CHARS).contains(&name.chars().count()) {
                return Err(Fault::at(
                    path,
                    format!("must have members with names of 1 to {MAX_NAME_CHARS} characters"),
                ));
            }
            self.value(value, of, object, &Path::Name(path, name))?;
        }
        Ok(())
    }

    fn object(&mut self, object: &Members, members: &[Member], path: &Path<'_>) -> Outcome {
        members.iter().try_for_each(|member| self.member(object, member, path))
    }

    fn member(&mut self, object: &Members, member: &Member, path: &Path<'_>) -> Outcome {
        let Some((name, value)) = given(object, member.name) else {
            return match member.role {
                Role::Must => Err(missing(object, member, path)),
                Role::May | Role::Ours | Role::Old => Ok(()),
            };
        };
        if let Some(second) = given_twice(object, member.name) {
            return Err(Fault::at(
                &Path::Member(path, second),
                format!("must not be given beside `{name}`: they are the same"),
            ));
        }
        if member.role == Role::Old && !self.old.contains(&member.name) {
            self.old.push(member.name);
        }
        let path = Path::Member(path, name);
        match (value.as_str(), member.role) {
            (Some(""), Role::Must) => Err(Fault::at(&path, "must not be empty")),
            (Some(""), _) => Ok(()),
            _ => self.value(value, member.shape, object, &path),
        }
    }

    fn one_of(&mut self, object: &Members, members: &[Member], path: &Path<'_>) -> Outcome {
        let mut found = members.iter().filter_map(|member| Some((member, given(object, member.name)?.0)));
        let (Some((first, _)), second) = (found.next(), found.next()) else {
            let names: Vec<String> = members.iter().map(|member| path.spelling(member.name)).collect();
            return Err(Fault::at(path, format!("must have one of {}", names.join(", "))));
        };
        match second {
            Some((_, name)) => Err(Fault::at(
                &Path::Member(path, name),
                format!("must not be given beside `{}`: only one can be", first.name),
            )),
            None => self.member(object, first, path),
        }
    }
}

fn missing(object: &Members, member: &Member, path: &Path<'_>) -> Fault {
    let name = path.spelling(member.name);
    let fault = Fault::at(&Path::Member(path, &name), "is required");
    // A slip of the hand makes of a member one that nobody knows.
    let slip = object.keys().any(|key| nearest::meant(key, &[&name]).is_some());
    if slip { fault.meant(name) } else { fault }
}

fn wrong_type(path: &Path<'_>, wanted: &str, value: &Value) -> Fault {
    let given = match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    Fault::at(path, format!("must be {wanted}, not {given}"))
}

fn as_text<'v>(value: &'v Value, path: &Path<'_>) -> Result<&'v str, Fault> {
    value.as_str().ok_or_else(|| wrong_type(path, "a string", value))
}

fn as_object<'v>(value: &'v Value, path: &Path<'_>) -> Result<&'v Members, Fault> {
    value.as_object().ok_or_else(|| wrong_type(path, "an object", value))
}

fn text(text: &str, (from, to): (usize, usize), form: Form, path: &Path<'_>) -> Outcome {
    let chars = text.chars().count();
    if chars < from || chars > to {
        let allowed = if from < 2 { format!("at most {to}") } else { format!("{from} to {to}") };
        return Err(Fault::at(path, format!("must have {allowed} characters; it has {chars}")));
    }
    if form.holds(text) { Ok(()) } else { Err(Fault::at(path, form.rule())) }
}

/// Are there more than `levels` of lists and objects around the innermost value?
fn nests_deeper(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(list) => levels == 0 || list.iter().any(|inner| nests_deeper(inner, levels - 1)),
        Value::Object(members) => levels == 0 || members.values().any(|inner| nests_deeper(inner, levels - 1)),
        _ => false,
    }
}
