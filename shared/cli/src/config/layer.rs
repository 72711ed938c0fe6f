//! The layers below the flags: the environment and the file, as texts by setting.

use std::collections::BTreeMap;

use toml::de::{DeTable, DeValue};

use super::find;
use super::mistake::{Mistake, Source, did_you_mean};
use super::table::{ENV_PREFIX, Key, OTHER_VARIABLES, SETTINGS, TEST_PREFIX};

/// One layer's values, each with the place it came from.
pub type Layer = BTreeMap<Key, (String, Source)>;

/// What reading a layer found.
#[derive(Debug, Default)]
pub struct Found {
    /// The values.
    pub layer: Layer,
    /// What is wrong with it, apart from the values themselves.
    pub mistakes: Vec<Mistake>,
    /// What is odd, but may be meant for someone else.
    pub remarks: Vec<String>,
}

/// The flags as a layer.
pub fn from_flags(given: &BTreeMap<Key, String>) -> Layer {
    let place = |key: Key| Source::Flag(format!("--{}", find::setting(key).flag()));
    given.iter().map(|(key, text)| (*key, (text.clone(), place(*key)))).collect()
}

/// The environment as a layer. An empty variable counts as unset. A variable of ours that is no setting is a mistake
/// if it looks like a slip, and a remark otherwise: container platforms make `LANDLINE_…` variables of their own.
pub fn from_environment(variables: &BTreeMap<String, String>) -> Found {
    let mut found = Found::default();
    let names: Vec<String> = SETTINGS.iter().map(|setting| setting.variable()).collect();
    for (name, value) in variables {
        let foreign = !name.starts_with(ENV_PREFIX) || name.starts_with(TEST_PREFIX);
        if value.trim().is_empty() || foreign || OTHER_VARIABLES.contains(&name.as_str()) {
            continue;
        }
        let source = Source::Variable(name.clone());
        if let Some(at) = names.iter().position(|known| known == name) {
            found.layer.insert(SETTINGS[at].key, (value.clone(), source));
            continue;
        }
        let bare: Vec<&str> = names.iter().map(|known| &known[ENV_PREFIX.len()..]).collect();
        match did_you_mean(&name[ENV_PREFIX.len()..], bare.into_iter()) {
            Some(near) => found.mistakes.push(Mistake {
                source,
                value: None,
                why: format!("no such setting; did you mean {ENV_PREFIX}{near}?"),
            }),
            None => found.remarks.push(format!("{name} is no setting of ours and is ignored")),
        }
    }
    found
}

/// A TOML file as a layer. Every fault of the file is found, not only the first.
pub fn from_file(path: &str, text: &str) -> Found {
    let mut found = Found::default();
    let line = |offset: usize| 1 + text.as_bytes()[..offset.min(text.len())].iter().filter(|b| **b == b'\n').count();
    let at = |offset: usize, key: &str| Source::File { path: path.to_owned(), line: line(offset), key: key.to_owned() };

    let (document, errors) = DeTable::parse_recoverable(text);
    // What the parser made of a broken line is not what was meant: nothing more is said about it.
    let mut broken = Vec::new();
    for error in errors {
        let offset = error.span().map_or(0, |span| span.start);
        broken.push(line(offset));
        let why = format!("not valid TOML: {}", error.message());
        found.mistakes.push(Mistake { source: at(offset, ""), value: None, why });
    }
    for (key, value) in document.get_ref() {
        if broken.contains(&line(key.span().start)) {
            continue;
        }
        let name: &str = key.get_ref();
        let source = at(key.span().start, name);
        let Some(setting) = find::by_name(name) else {
            let near = did_you_mean(name, SETTINGS.iter().map(|setting| setting.name));
            let why = near.map_or("no such setting".into(), |near| format!("no such setting; did you mean {near}?"));
            found.mistakes.push(Mistake { source, value: None, why });
            continue;
        };
        match scalar(value.get_ref()) {
            Some(text) => {
                found.layer.insert(setting.key, (text, source));
            }
            None => {
                let why = "expected a text, a number, or a list of texts".into();
                found.mistakes.push(Mistake { source, value: None, why });
            }
        }
    }
    found
}

/// A value as the text that a flag would have: lists are joined by commas.
fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Array(items) => {
            let texts: Option<Vec<String>> = items
                .iter()
                .map(|item| match item.get_ref() {
                    DeValue::Array(_) => None,
                    other => scalar(other),
                })
                .collect();
            texts.map(|texts| texts.join(","))
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}
