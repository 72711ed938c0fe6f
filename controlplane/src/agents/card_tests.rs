//! What a card must be, case by case.

use serde_json::json;

use super::*;

fn good() -> Value {
    json!({"name": "Echo", "description": "Answers what it hears.", "skills": []})
}

fn with(member: &str, value: Value) -> Value {
    let mut card = good();
    card[member] = value;
    card
}

fn field_of(card: &Value) -> String {
    let problem = parse(card, "card").unwrap_err().into_problem();
    assert_eq!(problem.code, Code::InvalidCard);
    problem.field.unwrap()
}

#[test]
fn the_smallest_card_passes_and_warns_of_its_missing_url() {
    let card = parse(&good(), "card").unwrap();
    assert_eq!((card.name.as_str(), card.url, card.warnings.len()), ("Echo", None, 1));
    assert!(parse(&json!({"name": "abc", "description": "0123456789"}), "card").is_ok());
}

#[test]
fn each_fault_names_its_member() {
    let cases = [
        (json!("card"), "card"),
        (json!({"description": "Answers what it hears."}), "card.name"),
        (with("name", json!("ab")), "card.name"),
        (with("name", json!("x".repeat(101))), "card.name"),
        (with("name", json!(7)), "card.name"),
        (with("name", json!(" Echo")), "card.name"),
        (with("description", json!("short")), "card.description"),
        (with("description", json!("x".repeat(2_001))), "card.description"),
        (with("url", json!("ftp://example.com")), "card.url"),
        (with("url", json!("/relative")), "card.url"),
        (with("url", json!("https://user:secret@example.com/")), "card.url"),
        (with("skills", json!({})), "card.skills"),
        (with("skills", json!([{"name": "a"}, 7])), "card.skills[1]"),
        (with("skills", json!([{"tags": "a"}])), "card.skills[0].tags"),
        (with("skills", json!([{"tags": ["a", 1]}])), "card.skills[0].tags[1]"),
        (with("skills", json!([{"name": 1}])), "card.skills[0].name"),
        (with("provider", json!("me")), "card.provider"),
        (with("provider", json!({"url": "nowhere"})), "card.provider.url"),
        (with("version", json!(1)), "card.version"),
        (with("capabilities", json!([])), "card.capabilities"),
        (with("capabilities", json!({"streaming": "yes"})), "card.capabilities.streaming"),
        (with("capabilities", json!({"push_notifications": 1})), "card.capabilities.push_notifications"),
        (with("supportedInterfaces", json!([{"url": "https://a.example"}, {}])), "card.supported_interfaces[1].url"),
        (with("defaultInputModes", json!("text/plain")), "card.default_input_modes"),
    ];
    for (card, field) in cases {
        assert_eq!(field_of(&card), field, "{card}");
    }
}

#[test]
fn the_first_fault_in_the_documented_order_is_reported() {
    let card = json!({"capabilities": 1, "version": 1, "skills": 1, "url": 1, "description": 1, "name": "ok name"});
    assert_eq!(field_of(&card), "card.description");
    let card = json!({"version": 1, "skills": 1, "description": "long enough it is", "name": "ok name"});
    assert_eq!(field_of(&card), "card.skills");
}

#[test]
fn a_card_that_is_the_body_has_paths_without_a_prefix() {
    assert_eq!(parse(&json!({"name": "ab"}), "").unwrap_err().into_problem().field.as_deref(), Some("name"));
}

#[test]
fn both_spellings_are_read() {
    for key in ["supported_interfaces", "supportedInterfaces"] {
        let card = parse(&with(key, json!([{"url": "https://a.example/x"}])), "card").unwrap();
        assert_eq!(card.url.as_deref(), Some("https://a.example/x"));
        assert_eq!(card.url_field, "card.supported_interfaces[0].url");
    }
}

#[test]
fn urls_are_compared_after_normalising() {
    let normal = |text| normal_url(text).unwrap();
    assert_eq!(normal("HTTPS://Example.COM:443/a/"), normal("https://example.com/a"));
    assert_eq!(normal("http://example.com"), normal("http://example.com:80/"));
    assert_ne!(normal("http://example.com/a"), normal("http://example.com/A"));
    assert_ne!(normal("http://example.com/?a"), normal("http://example.com/?b"));
    for bad in ["example.com", "mailto:a@b.example", "http://", "http://a b/"] {
        assert_eq!(normal_url(bad), None, "{bad}");
    }
}

#[test]
fn a_version_that_is_not_semantic_is_only_a_warning() {
    for good in ["1.2.0", "0.0.1", "1.0.0-rc.1+build"] {
        assert!(is_semver(good), "{good}");
    }
    for odd in ["1.2", "v1.2.0", "01.2.3", "1.2.3-", "latest", ""] {
        assert!(!is_semver(odd), "{odd}");
        let card = parse(&with("version", json!(odd)), "card").unwrap();
        assert!(card.warnings.iter().any(|warning| warning.contains("card.version")), "{odd}");
    }
}

#[test]
fn the_service_class_is_read_from_its_extension() {
    let uri = "https://relay.example/extensions/service-class";
    let card = with("capabilities", json!({"extensions": [{"uri": uri, "params": {"service_class": "inference"}}]}));
    assert_eq!(parse(&card, "card").unwrap().service_class.as_deref(), Some("inference"));
    assert_eq!(parse(&good(), "card").unwrap().service_class, None);
}
