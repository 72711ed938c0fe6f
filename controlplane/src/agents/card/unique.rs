//! One name, one value. JSON lets a name stand twice in an object and readers disagree about which counts: such a card
//! would say one thing to us and another to its callers, and no signature could cover it (RFC 8785 section 3.1). Pure.

use std::cell::RefCell;
use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::fault::Fault;
use super::path::Path;

/// Refuses the first name that stands twice in an object of a JSON text. Syntax is not judged here.
pub(super) fn check(text: &str, root: &Path<'_>) -> Result<(), Fault> {
    let found = RefCell::new(None);
    let walk = Walk { path: root, found: &found };
    // What stops the walk is a repeated name, or a fault of syntax that whoever read the text before has refused.
    let _ = walk.deserialize(&mut serde_json::Deserializer::from_str(text));
    found.into_inner().map_or(Ok(()), Err)
}

/// Walks over the value at a path.
#[derive(Clone, Copy)]
struct Walk<'a> {
    path: &'a Path<'a>,
    found: &'a RefCell<Option<Fault>>,
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut names = HashSet::new();
        while let Some(name) = map.next_key::<String>()? {
            let path = Path::Name(self.path, &name);
            if names.contains(&name) {
                *self.found.borrow_mut() = Some(Fault::at(&path, "must be given once"));
                return Err(serde::de::Error::custom("a repeated name"));
            }
            map.next_value_seed(Walk { path: &path, found: self.found })?;
            names.insert(name);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        while list.next_element_seed(Walk { path: &Path::Entry(self.path, index), found: self.found })?.is_some() {
            index += 1;
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn a_name_that_stands_twice_is_refused_where_it_stands() {
        for (text, expected) in [
            (r#"{"name": "a", "x": [1, 1.5, -1, "a", true, null, {}], "y": {"name": "a"}}"#, None),
            (r#"{"name": "a", "name": "b"}"#, Some("card.name")),
            // However it is written.
            (r#"{"name": "a", "n\u0061me": "a"}"#, Some("card.name")),
            (r#"{"skills": [{}, {"tags": [], "id": "a", "tags": ["b"]}]}"#, Some("card.skills[1].tags")),
            (r#"{"x": {"a b": {"c": 1, "c": 1}}}"#, Some(r#"card.x["a b"].c"#)),
            (r#"{"x": "#, None),
        ] {
            let field =
                check(text, &Path::Root("card")).err().and_then(|fault| Error::from(fault).into_problem().field);
            assert_eq!(field.as_deref(), expected, "{text}");
        }
    }
}
