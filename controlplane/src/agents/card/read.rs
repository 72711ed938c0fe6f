//! What the directory reads out of a card. Pure.

use landline_api::agents::{Provider, Skill};
use serde_json::{Map, Value, json};

use super::form::normal_url;
use super::path::Path;
use super::shape::{Members, given, member, text};

/// What the directory shows and finds an agent by.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Card {
    pub(crate) name: String,
    pub(crate) description: String,
    /// Where the agent is called without the relay: the card's `url`, else its first interface over HTTP.
    pub(crate) url: Option<String>,
    /// The URL after normalising.
    pub(crate) url_key: Option<String>,
    /// The member that holds the URL, for faults that only the database finds.
    pub(crate) url_field: String,
    pub(crate) version: Option<String>,
    pub(crate) provider: Option<Provider>,
    pub(crate) skills: Vec<Skill>,
    /// What people may ask of it: the first examples of its skills, each once.
    pub(crate) examples: Vec<String>,
    /// As the card has them.
    pub(crate) capabilities: Value,
    /// The declared class; only [`parse`](super::parse) knows it, since it depends on our own URL.
    pub(crate) service_class: Option<String>,
    /// What costs rank, as sentences.
    pub(crate) warnings: Vec<String>,
}

/// Reads a card that passed its checks when it was given. What today's checks would refuse is read as absent.
pub(crate) fn read(card: &Value) -> Card {
    read_at(card, &Path::Root("card"))
}

/// The same, for a card that stands at `root` in the body.
pub(super) fn read_at(card: &Value, root: &Path<'_>) -> Card {
    let empty = Map::new();
    let card = card.as_object().unwrap_or(&empty);
    let (url, url_field) = url(card, root).unzip();
    let owned = |name: &str| text(card, name).map(str::to_owned);
    Card {
        name: owned("name").unwrap_or_default(),
        description: owned("description").unwrap_or_default(),
        url_key: url.as_deref().and_then(normal_url),
        url,
        url_field: url_field.unwrap_or_else(|| Path::Member(root, "url").to_string()),
        version: owned("version"),
        provider: member(card, "provider").and_then(Value::as_object).map(provider),
        skills: objects(card, "skills").map(skill).collect(),
        examples: examples(card),
        capabilities: member(card, "capabilities")
            .filter(|value| value.is_object())
            .cloned()
            .unwrap_or_else(|| json!({})),
        service_class: None,
        warnings: Vec::new(),
    }
}

/// Examples that are read of a card.
const EXAMPLES: usize = 5;

fn examples(card: &Members) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for example in objects(card, "skills").flat_map(|skill| texts(skill, "examples")).map(str::trim) {
        if found.len() < EXAMPLES && !example.is_empty() && !found.iter().any(|known| known == example) {
            found.push(example.to_owned());
        }
    }
    found
}

/// The objects of a list.
pub(super) fn objects<'a>(object: &'a Members, name: &str) -> impl Iterator<Item = &'a Members> {
    member(object, name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// The texts of a list.
pub(super) fn texts<'a>(object: &'a Members, name: &str) -> impl Iterator<Item = &'a str> {
    member(object, name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

/// The URL, and the path of its member. gRPC addresses do not count: nothing here speaks gRPC.
fn url(card: &Members, root: &Path<'_>) -> Option<(String, String)> {
    let over_http = |text: &&str| normal_url(text).is_some();
    if let Some(url) = text(card, "url").filter(over_http) {
        return Some((url.to_owned(), Path::Member(root, "url").to_string()));
    }
    [("supportedInterfaces", "protocolBinding"), ("additionalInterfaces", "transport")].iter().find_map(
        |(list, binding)| {
            let (name, list) = given(card, list)?;
            let path = Path::Member(root, name);
            list.as_array()?.iter().enumerate().find_map(|(index, interface)| {
                let interface = interface.as_object().filter(|interface| text(interface, binding) != Some("GRPC"))?;
                let url = text(interface, "url").filter(over_http)?;
                Some((url.to_owned(), Path::Member(&Path::Entry(&path, index), "url").to_string()))
            })
        },
    )
}

fn provider(given: &Members) -> Provider {
    let owned = |name: &str| text(given, name).map(str::to_owned);
    Provider { organization: owned("organization"), url: owned("url") }
}

fn skill(given: &Members) -> Skill {
    let owned = |name: &str| text(given, name).map(str::to_owned);
    Skill {
        id: owned("id"),
        name: owned("name"),
        description: owned("description"),
        tags: texts(given, "tags").map(str::to_owned).collect(),
    }
}
