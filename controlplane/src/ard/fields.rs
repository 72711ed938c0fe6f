//! The paths into an entry that are understood: what entries are narrowed by, and what they are counted over. Pure.

use std::collections::{BTreeMap, HashMap};

use landline_api::ard::{Bucket, CARD_TYPE, FacetRequest, FacetResult};
use landline_wire::ids::AgentId;
use serde_json::{Map, Value};

use super::entry::metadata;
use super::names::Place;
use crate::discovery::{Counted, LABEL_CHARS, Label, Narrowed};
use crate::error::{Error, Result};

/// Paths of one filter.
const MAX_PATHS: usize = 16;
/// Values of one path.
const MAX_VALUES: usize = 64;
/// Fields that are counted in one answer.
const MAX_FACETS: usize = 10;
/// Values that are named of a field, unless the caller says otherwise, and at most.
const BUCKETS: u32 = 20;
const MAX_BUCKETS: u32 = 100;

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    /// The media type, which all our entries share.
    Type,
    /// The publisher in the URN: our own domain.
    Publisher,
    /// The URN.
    Urn,
    /// The agent's id.
    Id,
    /// The name.
    Name,
    /// Can it be called now?
    Online,
    /// What the index has a column of.
    Label(Label),
}

/// Every path that is understood.
const FIELDS: [(&str, Field); 16] = [
    ("type", Field::Type),
    ("mediaType", Field::Type),
    ("publisher", Field::Publisher),
    ("identifier", Field::Urn),
    ("displayName", Field::Name),
    ("tags", Field::Label(Label::Tag)),
    ("capabilities", Field::Label(Label::Capability)),
    ("version", Field::Label(Label::Version)),
    ("publisher.identifier", Field::Label(Label::PublisherDomain)),
    ("publisher.displayName", Field::Label(Label::PublisherName)),
    (concat!("metadata.", metadata!("agentId")), Field::Id),
    (concat!("metadata.", metadata!("category")), Field::Label(Label::Category)),
    (concat!("metadata.", metadata!("serviceClass")), Field::Label(Label::ServiceClass)),
    (concat!("metadata.", metadata!("source")), Field::Label(Label::Source)),
    (concat!("metadata.", metadata!("streaming")), Field::Label(Label::Streaming)),
    (concat!("metadata.", metadata!("online")), Field::Online),
];

fn field(path: &str) -> Option<Field> {
    FIELDS.iter().find(|(name, _)| *name == path).map(|(_, field)| *field)
}

/// The paths that satisfy a condition, for people.
fn names(which: impl Fn(Field) -> bool) -> String {
    let names = FIELDS.iter().filter(|(_, field)| which(*field)).map(|(name, _)| format!("`{name}`"));
    names.collect::<Vec<_>>().join(", ")
}

impl Field {
    /// Does it say something of many entries, so that it can be counted over?
    fn is_shared(self) -> bool {
        !matches!(self, Self::Urn | Self::Id | Self::Name)
    }
}

/// What a filter asks for.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Asked {
    pub(crate) narrowed: Narrowed,
    /// Names, as lists of which one must be the entry's.
    pub(crate) names: Vec<Vec<String>>,
    /// No entry of ours can match.
    pub(crate) is_void: bool,
}

/// Reads a filter.
///
/// # Errors
/// A path is not understood, a value is no scalar, or there are too many of either.
pub(crate) fn read(filter: &Map<String, Value>, place: &Place) -> Result<Asked> {
    if filter.len() > MAX_PATHS {
        return Err(Error::invalid("query.filter", format!("`query.filter` must have at most {MAX_PATHS} paths.")));
    }
    let mut asked = Asked::default();
    for (path, values) in filter {
        let Some(field) = field(path) else {
            let known = names(|_| true);
            return Err(Error::invalid(
                "query.filter",
                format!("`{path}` is no path to filter by; those are {known}."),
            ));
        };
        asked.add(field, scalars(path, values)?, place);
    }
    Ok(asked)
}

/// The values of a path as texts.
fn scalars(path: &str, given: &Value) -> Result<Vec<String>> {
    let list = match given {
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    if list.len() > MAX_VALUES {
        return Err(Error::invalid("query.filter", format!("`{path}` must have at most {MAX_VALUES} values.")));
    }
    let text = |value: &Value| match value {
        Value::String(text) => Ok(text.trim().to_owned()),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(Error::invalid(
            "query.filter",
            format!("`{path}` must be a text, number or truth value, or a list of them."),
        )),
    };
    list.iter().map(text).collect()
}

impl Asked {
    /// Adds a condition: one of these values.
    fn add(&mut self, field: Field, values: Vec<String>, place: &Place) {
        match field {
            Field::Type => self.is_void |= !values.iter().any(|value| value == CARD_TYPE),
            Field::Publisher => self.is_void |= !values.iter().any(|value| value.eq_ignore_ascii_case(&place.domain)),
            Field::Urn => self.among(values.iter().filter_map(|urn| place.agent_of(urn)).collect()),
            Field::Id => self.among(values.iter().filter_map(|id| id.parse().ok()).collect()),
            Field::Name => {
                self.is_void |= values.is_empty();
                self.names.push(values);
            }
            Field::Online => match (has(&values, "true"), has(&values, "false")) {
                (true, true) => {}
                (false, false) => self.is_void = true,
                (wanted, _) => self.narrowed.online = Some(wanted),
            },
            Field::Label(label) => {
                let folds = matches!(label, Label::Tag | Label::PublisherDomain);
                let values = values.into_iter().map(|value| if folds { value.to_lowercase() } else { value });
                // What is longer is no label of anybody.
                let values: Vec<String> = values.filter(|value| value.chars().count() <= LABEL_CHARS).collect();
                self.is_void |= values.is_empty();
                self.narrowed.labels.push((label, values));
            }
        }
    }

    /// Only these agents.
    pub(crate) fn among(&mut self, ids: Vec<AgentId>) {
        self.is_void |= ids.is_empty();
        self.narrowed.among.push(ids);
    }
}

fn has(values: &[String], word: &str) -> bool {
    values.iter().any(|value| value == word)
}

/// The fields that are to be counted, each with what of it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Facets(Vec<(String, Field, Shown)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    limit: usize,
    min_count: u64,
}

impl Facets {
    /// Reads what is to be counted.
    ///
    /// # Errors
    /// There is nothing, too much, the same twice, or a field that cannot be counted.
    pub(crate) fn read(requests: &[FacetRequest]) -> Result<Self> {
        let fault = |detail: String| Error::invalid("resultType.facets", detail);
        if !(1..=MAX_FACETS).contains(&requests.len()) {
            return Err(fault(format!("`resultType.facets` must name 1 to {MAX_FACETS} fields.")));
        }
        let mut facets: Vec<(String, Field, Shown)> = Vec::new();
        for FacetRequest { field: name, limit, min_count } in requests {
            let Some(found) = field(name).filter(|field| field.is_shared()) else {
                let known = names(Field::is_shared);
                return Err(fault(format!("`{name}` is no field to count over; those are {known}.")));
            };
            if *limit == Some(0) {
                return Err(fault(format!("The `limit` of `{name}` must be at least 1.")));
            }
            if facets.iter().any(|(known, ..)| known == name) {
                return Err(fault(format!("`{name}` is named twice.")));
            }
            let limit = limit.unwrap_or(BUCKETS).min(MAX_BUCKETS) as usize;
            facets.push((name.clone(), found, Shown { limit, min_count: min_count.unwrap_or(1).max(1) }));
        }
        Ok(Self(facets))
    }

    /// The columns that have to be counted.
    pub(crate) fn labels(&self) -> Vec<Label> {
        let label = |field: &Field| if let Field::Label(label) = field { Some(*label) } else { None };
        self.0.iter().filter_map(|(_, field, _)| label(field)).collect()
    }

    /// The answer, of what was counted for [`Facets::labels`].
    pub(crate) fn answer(self, counted: Counted, place: &Place) -> BTreeMap<String, FacetResult> {
        let Counted { total, online, labels } = counted;
        let mut labels = labels.into_iter();
        let of_all = |value: &str| HashMap::from([(value.to_owned(), total)]);
        let mut counts = |field| match field {
            Field::Type => of_all(CARD_TYPE),
            Field::Publisher => of_all(&place.domain),
            Field::Online => HashMap::from([("true".into(), online), ("false".into(), total.saturating_sub(online))]),
            Field::Label(_) => labels.next().unwrap_or_default(),
            Field::Urn | Field::Id | Field::Name => HashMap::new(),
        };
        self.0.into_iter().map(|(name, field, shown)| (name, buckets(counts(field), shown))).collect()
    }
}

/// The most frequent values, and how many entries the ones beyond the limit have. Values below the least count are in
/// neither.
fn buckets(counts: HashMap<String, u64>, shown: Shown) -> FacetResult {
    let enough = |count: &u64| *count >= shown.min_count;
    let mut buckets: Vec<Bucket> =
        counts.into_iter().filter(|(_, count)| enough(count)).map(|(value, count)| Bucket { value, count }).collect();
    buckets.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    let beyond = buckets.split_off(shown.limit.min(buckets.len()));
    let other_count = beyond.iter().map(|bucket| bucket.count).sum();
    FacetResult { buckets, other_count: (!beyond.is_empty()).then_some(other_count) }
}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
