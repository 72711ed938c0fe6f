//! What a card must be: the rules case by case, then every member with everything that can be wrong with it.

mod members;
mod mutations;
mod properties;
mod reference;
mod sdks;

use landline_wire::error::Code;
use serde_json::{Map, Value, json};

use super::*;

const PUBLIC: &str = "https://relay.example";

fn checked(card: &Value) -> Result<Card> {
    parse(card, "card", PUBLIC)
}

/// The path at which a card is refused; `None`: it is accepted.
fn refused_at(card: &Value) -> Option<String> {
    let problem = checked(card).err()?.into_problem();
    assert_eq!(problem.code, Code::InvalidCard);
    let field = problem.field.expect("a path");
    assert!(problem.detail.starts_with(&format!("`{field}` ")), "{}", problem.detail);
    assert!(problem.detail.len() < 500, "{}", problem.detail);
    Some(field)
}

/// The value at a path such as `skills[0].tags`.
fn at<'a>(card: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    card.pointer_mut(&pointer(path))
}

fn pointer(path: &str) -> String {
    format!("/{}", path.replace(['.', '['], "/").replace(']', ""))
}

/// Takes a member away.
fn remove(card: &mut Value, path: &str) {
    let pointer = pointer(path);
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    let parent = card.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
    parent.remove(name).expect("a member");
}

/// Sets a member, whether it was there or not.
fn set(card: &mut Value, path: &str, value: Value) {
    let pointer = pointer(path);
    let (parent, name) = pointer.rsplit_once('/').expect("a pointer");
    match card.pointer_mut(parent).expect("a parent") {
        Value::Object(members) => drop(members.insert(name.to_owned(), value)),
        Value::Array(list) => list[name.parse::<usize>().expect("an index")] = value,
        _ => panic!("{path} has no parent"),
    }
}

/// The same card in snake_case, but for what stands in free objects.
fn in_snake_case(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let respelled = |(name, value): (&String, &Value)| match name.as_str() {
                "params" | "header" => (name.clone(), value.clone()),
                _ => (path::snake(name), in_snake_case(value)),
            };
            Value::Object(members.iter().map(respelled).collect::<Map<_, _>>())
        }
        Value::Array(list) => list.iter().map(in_snake_case).collect(),
        other => other.clone(),
    }
}

fn smallest() -> Value {
    json!({"name": "abc", "description": "0123456789"})
}

fn with(member: &str, value: Value) -> Value {
    let mut card = smallest();
    card[member] = value;
    card
}

#[test]
fn the_smallest_card_passes_and_is_warned_of_what_it_lacks() {
    let card = checked(&smallest()).unwrap();
    assert_eq!((card.name.as_str(), card.url, card.skills.len()), ("abc", None, 0));
    assert_eq!(card.warnings.len(), 2, "no url and no skills: {:?}", card.warnings);
}

#[test]
fn the_values_that_the_schema_of_a2a_gives_as_examples_pass() {
    let keys = ["query", "header", "cookie"].map(|place| (place, json!({"location": place, "name": "k"})));
    let schemes = keys.into_iter().map(|(place, key)| (place.to_owned(), json!({"apiKeySecurityScheme": key})));
    let mut schemes: Map<String, Value> = schemes.collect();
    schemes.insert("http".into(), json!({"httpAuthSecurityScheme": {"scheme": "Bearer", "bearerFormat": "JWT"}}));
    let card = json!({
        "name": "Recipe Agent", "description": "Agent that helps users with recipes and cooking.", "version": "1.0.0",
        "supportedInterfaces": [
            {"url": "https://api.example.com/a2a/v1", "protocolBinding": "JSONRPC", "protocolVersion": "0.3"},
            {"url": "https://api.example.com/a2a/v1", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"},
            {"url": "https://grpc.example.com/a2a", "protocolBinding": "GRPC", "protocolVersion": "1.0"},
        ],
        "provider": {"organization": "Google", "url": "https://ai.google.dev"},
        "securitySchemes": schemes,
    });
    assert_eq!(refused_at(&card), None);
}

#[test]
fn a_card_that_is_the_body_has_paths_without_a_prefix() {
    let field = |card: Value| parse(&card, "", PUBLIC).unwrap_err().into_problem().field;
    assert_eq!(field(json!({"name": "ab"})).as_deref(), Some("name"));
    assert_eq!(field(json!([])).as_deref(), Some("card"));
}

#[test]
fn the_url_is_the_cards_own_or_its_first_interface_over_http() {
    let interfaces = json!([
        {"url": "a.example:50051", "protocolBinding": "GRPC"},
        {"url": "wss://a.example/x", "protocolBinding": "https://a.example/bindings/ws"},
        {"url": "https://a.example/x", "protocolBinding": "HTTP+JSON"},
        {"url": "https://a.example/y", "protocolBinding": "JSONRPC"},
    ]);
    for key in ["supportedInterfaces", "supported_interfaces"] {
        let card = checked(&with(key, interfaces.clone())).unwrap();
        assert_eq!(card.url.as_deref(), Some("https://a.example/x"));
        assert_eq!(card.url_field, format!("card.{key}[2].url"));
    }
    let mut both = with("url", json!("https://b.example"));
    both["supportedInterfaces"] = interfaces;
    assert_eq!(checked(&both).unwrap().url.as_deref(), Some("https://b.example"));
    let mut old = smallest();
    old["preferredTransport"] = "GRPC".into();
    old["url"] = "localhost:50051".into();
    let card = checked(&old).unwrap();
    assert_eq!((card.url, card.url_field.as_str()), (None, "card.url"));
    old["additional_interfaces"] = json!([{"url": "https://a.example/rest", "transport": "HTTP+JSON"}]);
    assert_eq!(checked(&old).unwrap().url_field, "card.additional_interfaces[0].url");
}

#[test]
fn the_service_class_is_read_from_its_extension_under_either_uri() {
    let declared =
        |uri: &str, params: Value| with("capabilities", json!({"extensions": [{"uri": uri, "params": params}]}));
    for uri in [
        "https://relay.example/extensions/service-class",
        "https://relay.example/extensions/service-class/",
        "https://connect.actex.ai/extensions/service-class",
    ] {
        for class in ["utility", "principal", "ephemeral"] {
            let card = checked(&declared(uri, json!({"class": class}))).unwrap();
            assert_eq!(card.service_class.as_deref(), Some(class));
        }
        for params in [json!({}), json!({"class": "inference"}), json!({"class": 1}), json!({"class": ""})] {
            let field = refused_at(&declared(uri, params));
            assert_eq!(field.as_deref(), Some("card.capabilities.extensions[0].params.class"));
        }
    }
    let problem = checked(&declared("https://relay.example/extensions/service-class", json!({"class": "utilty"})));
    assert_eq!(problem.unwrap_err().into_problem().did_you_mean.as_deref(), Some("utility"));
    // An extension of somebody else's may be called so too, and means what they say.
    let other = declared("https://other.example/extensions/service-class", json!({"class": "gold"}));
    assert_eq!(checked(&other).unwrap().service_class, None);
    assert_eq!(checked(&smallest()).unwrap().service_class, None);
}

fn with_requirement(skill: &Value) -> Value {
    let mut skill = skill.clone();
    skill["securityRequirements"] = json!([{"schemes": {"code": {"list": []}}}]);
    skill
}

#[test]
fn each_warning_is_given_once_and_only_where_it_is_due() {
    let skill = json!([{"id": "a", "name": "A", "description": "Does a.", "tags": []}]);
    let fine = json!({"name": "abc", "description": "0123456789", "version": "1.0.0", "url": "https://a.example",
        "skills": skill});
    assert_eq!(checked(&fine).unwrap().warnings, [""; 0]);
    let cases = [
        ("version", json!("v1"), "semantic version"),
        ("url", json!(null), "no `url`"),
        ("url", json!("http://a.example"), "not encrypted"),
        ("url", json!("http://localhost:9999"), "reachable from elsewhere"),
        ("url", json!("https://10.0.0.7/"), "reachable from elsewhere"),
        ("url", json!("https://desk.local/"), "reachable from elsewhere"),
        ("skills", json!([]), "no skills"),
        ("skills", json!([{"id": "a", "name": "A"}]), "`skills[0]`"),
        ("skills", json!([skill[0], skill[0]]), "more than once"),
        ("supportedInterfaces", json!([{"url": "https://a.example", "protocolBinding": "JSONRPC"}]), "protocolVersion"),
        ("preferredTransport", json!("JSONRPC"), "A2A 0.3 (`preferredTransport`)"),
        ("securityRequirements", json!([{"schemes": {"key": {}}}]), "does not declare: `key`"),
        ("skills", json!([with_requirement(&skill[0])]), "does not declare: `code`"),
    ];
    for (member, value, expected) in cases {
        let mut card = fine.clone();
        card[member] = value;
        let warnings = checked(&card).unwrap().warnings;
        assert!(warnings.len() == 1 && warnings[0].contains(expected), "{member}: {warnings:?}");
    }
    let mut ours = fine.clone();
    ours["url"] = "https://relay.example/connect/relay/x".into();
    assert_eq!(checked(&ours).unwrap().warnings, [""; 0], "who reads the card reaches us");
    let many: Vec<Value> = (0..200).map(|n| json!({"id": format!("s{n}")})).collect();
    let warnings = checked(&with("skills", many.into())).unwrap().warnings;
    assert!(warnings.iter().any(|warning| warning.contains("and 197 more")), "{warnings:?}");
}

#[test]
fn a_missing_member_that_was_misspelled_is_recognised() {
    let meant = |card: Value| checked(&card).unwrap_err().into_problem().did_you_mean;
    assert_eq!(meant(json!({"name": "abc", "descripton": "0123456789"})).as_deref(), Some("description"));
    let interface = json!([{"url": "https://a.example", "protocolBindings": "JSONRPC"}]);
    assert_eq!(meant(with("supportedInterfaces", interface)).as_deref(), Some("protocolBinding"));
    assert_eq!(meant(json!({"name": "abc", "text": "0123456789"})), None);
}

#[test]
fn the_text_of_a_card_is_found_in_a_body_byte_for_byte() {
    assert_eq!(text_of(r#"{"a": 1, "card": { "x":1.0 } }"#, true), Some(r#"{ "x":1.0 }"#));
    assert_eq!(text_of(" {\"x\":1} \n", false), Some("{\"x\":1}"));
    assert_eq!(text_of(r#"{"card": 1, "card": 2}"#, true), None, "given twice");
}
