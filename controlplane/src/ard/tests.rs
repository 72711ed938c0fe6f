//! What is given out is what the standard's own schemas say, whatever the directory holds.

use jsonschema::Validator;
use landline_api::agents::{Provider, Skill};
use landline_api::ard::Catalog;
use landline_wire::ids::AgentId;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::catalog::{Shown, document};
use super::entry::entry;
use super::names::{Place, is_urn};
use super::shelf::Shelf;
use crate::agents::Listed;
use crate::config::Config;
use crate::discovery::Label;

const CATALOG: &str = include_str!("../../tests/ard/ai-catalog.schema.json");

fn schema() -> Validator {
    let schema: Value = serde_json::from_str(CATALOG).expect("the schema is JSON");
    jsonschema::options().should_validate_formats(true).build(&schema).expect("the schema is one")
}

fn places() -> impl Strategy<Value = Place> {
    let urls =
        ["https://relay.example", "http://127.0.0.1:7300", "http://localhost:7300", "https://[2001:db8::1]:8443"];
    prop::sample::select(urls.to_vec()).prop_map(|url| Place::of(&Config::new("/nowhere", url)))
}

fn skills() -> impl Strategy<Value = Skill> {
    let text = || option::of(".{0,60}");
    (text(), text(), text(), vec(".{0,30}", 0..60)).prop_map(|(id, name, description, tags)| Skill {
        id,
        name,
        description,
        tags,
    })
}

fn agents() -> impl Strategy<Value = Listed> {
    let url = prop::sample::select(vec!["https://acme.example/a", "http://[::1]", "nonsense", ""]);
    let provider = (option::of(".{0,40}"), option::of(url));
    let provider = provider.prop_map(|(organization, url)| Provider { organization, url: url.map(str::to_owned) });
    let texts = (".{1,100}", option::of(".{0,120}"), ".{0,2000}", option::of("[a-z]{1,10}"), option::of(".{1,100}"));
    let lists = (vec(skills(), 0..40), vec(".{1,400}", 0..7));
    let times = 0i64..4_000_000_000_000;
    (any::<[u8; 10]>(), texts, option::of(provider), lists, any::<bool>(), times).prop_map(
        |(
            random,
            (name, tagline, description, category, card_version),
            provider,
            (skills, examples),
            streams,
            time,
        )| {
            Listed {
                id: AgentId::from_parts(time.unsigned_abs(), random),
                created_at: time,
                version: time,
                name,
                tagline,
                description,
                category,
                provider,
                skills,
                examples,
                card_version,
                streams,
                source: "federated".into(),
                ..Listed::called("")
            }
        },
    )
}

fn assert_valid(validator: &Validator, catalog: &Catalog) {
    let value = serde_json::to_value(catalog).expect("JSON");
    let faults: Vec<String> =
        validator.iter_errors(&value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:?}\n{value}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_agent_becomes_an_entry_that_the_standard_accepts(agents in vec(agents(), 0..4), place in places()) {
        let validator = schema();
        let catalog = document(Shelf::ALL, Shown::Agents(agents.clone()), &place);
        assert_valid(&validator, &catalog);
        for agent in &agents {
            let entry = entry(agent, &place);
            prop_assert!(is_urn(&entry.identifier));
            prop_assert_eq!(place.agent_of(&entry.identifier), Some(agent.id));
            prop_assert_eq!(Some(&entry.kind), entry.media_type.as_ref(), "both names say the same");
            let size = serde_json::to_string(&entry).expect("JSON").len();
            prop_assert!(size < 64 << 10, "{size} bytes");
        }
    }

    #[test]
    fn what_an_entry_is_narrowed_by_stands_in_it(agent in agents(), place in places()) {
        let shown = serde_json::to_value(entry(&agent, &place)).expect("JSON");
        let at = |pointer: &str| match shown.pointer(pointer) {
            None => Vec::new(),
            Some(Value::Array(list)) => list.clone(),
            Some(one) => vec![one.clone()],
        };
        for (label, pointer) in [
            (Label::Tag, "/tags"),
            (Label::Capability, "/capabilities"),
            (Label::PublisherDomain, "/publisher/identifier"),
            (Label::PublisherName, "/publisher/displayName"),
            (Label::Version, "/version"),
            (Label::Category, "/metadata/landline.category"),
            (Label::ServiceClass, "/metadata/landline.serviceClass"),
            (Label::Source, "/metadata/landline.source"),
            (Label::Streaming, "/metadata/landline.streaming"),
        ] {
            let text = |value: Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let shown: Vec<String> = at(pointer).into_iter().map(text).collect();
            prop_assert_eq!(label.of(&agent), shown, "{:?}", label);
        }
    }
}

#[test]
fn a_catalogue_of_parts_is_one_too() {
    let place = Place::of(&Config::new("/nowhere", "https://relay.example"));
    let parts = Shelf::ALL.parts(100_000);
    let (all, part) = (document(Shelf::ALL, Shown::Parts(parts.clone()), &place), parts[5]);
    assert_valid(&schema(), &all);
    assert_eq!(all.entries.len(), 130, "the registry, the exchange, and the parts");
    assert_eq!(all.entries[7].url.as_deref(), Some("https://relay.example/.well-known/ai-catalog/7-5.json"));
    let nested = document(part, Shown::Agents(Vec::new()), &place);
    assert_valid(&schema(), &nested);
    assert!(nested.entries.is_empty(), "what is ours is named once");
}

#[test]
fn the_schema_refuses_what_it_should() {
    let place = Place::of(&Config::new("/nowhere", "https://relay.example"));
    let good = serde_json::to_value(document(Shelf::ALL, Shown::Agents(Vec::new()), &place)).expect("JSON");
    let validator = schema();
    assert!(validator.is_valid(&good));
    for (pointer, bad) in [
        ("/specVersion", json!("2.0")),
        ("/entries/0/identifier", json!("urn:air:x")),
        ("/entries/0/url", json!("not a url")),
        ("/entries/1/representativeQueries", json!(["one"])),
        ("/host", json!({"displayName": "x", "more": 1})),
    ] {
        let mut value = good.clone();
        *value.pointer_mut(pointer).expect("a member") = bad;
        assert!(!validator.is_valid(&value), "{pointer}");
    }
}
