//! What holds for any JSON at all.

use proptest::prelude::*;

use super::*;

/// Names that mean something in a card, so that the walk goes deep, and some that mean nothing.
const NAMES: [&str; 40] = [
    "name",
    "description",
    "supportedInterfaces",
    "url",
    "protocolBinding",
    "protocolVersion",
    "tenant",
    "transport",
    "preferredTransport",
    "additionalInterfaces",
    "provider",
    "organization",
    "version",
    "documentationUrl",
    "iconUrl",
    "capabilities",
    "pushNotifications",
    "extensions",
    "uri",
    "params",
    "class",
    "securitySchemes",
    "apiKeySecurityScheme",
    "oauth2SecurityScheme",
    "location",
    "type",
    "in",
    "flows",
    "authorizationCode",
    "tokenUrl",
    "scopes",
    "securityRequirements",
    "schemes",
    "list",
    "security",
    "skills",
    "tags",
    "signatures",
    "x-own",
    "",
];

const WORDS: [&str; 12] = [
    "",
    "abc",
    "A text that is long enough.",
    "https://a.example",
    "http://localhost:1",
    "a.example:50051",
    "JSONRPC",
    "GRPC",
    "1.0",
    "header",
    "apiKey",
    "https://connect.actex.ai/extensions/service-class",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        prop::sample::select(&WORDS[..]).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 8, |inner| {
        let name = prop::sample::select(&NAMES[..]).prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A card that would pass but for one member, which is anything.
fn nearly_a_card() -> impl Strategy<Value = Value> {
    (prop::collection::vec((prop::sample::select(&NAMES[..]), any_json()), 0..3)).prop_map(|odd| {
        let mut card = json!({"name": "Sums", "description": "Adds numbers up.",
            "skills": [{"id": "a", "name": "A", "description": "Does a.", "tags": ["x"]}]});
        odd.into_iter().for_each(|(name, value)| card[name] = value);
        card
    })
}

/// A free object's own names are nobody's business: respelled cards must not have any.
fn has_free_objects(value: &Value) -> bool {
    match value {
        Value::Object(members) => members.iter().any(|(name, value)| name == "params" || has_free_objects(value)),
        Value::Array(list) => list.iter().any(has_free_objects),
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn nothing_panics_and_what_is_shown_passes_again(value in prop_oneof![any_json(), nearly_a_card()]) {
        let outcome = checked(&value);
        read(&value);
        let shown = crate::agents::card_v1(&value, "https://relay.example/connect/relay/x");
        let again = crate::agents::card_v1(&shown, "https://relay.example/connect/relay/x");
        prop_assert_eq!(&again, &shown);
        prop_assert_eq!(&known(&shown), &shown, "members of A2A 1.0 and no others");
        if let Ok(card) = outcome {
            prop_assert_eq!(refused_at(&shown), None, "{}", shown);
            prop_assert_eq!(checked(&shown).map(|shown| shown.name).ok(), Some(card.name));
        }
    }

    #[test]
    fn either_spelling_says_the_same(value in prop_oneof![any_json(), nearly_a_card()]) {
        prop_assume!(!has_free_objects(&value));
        let (camel, snake) = (checked(&value), checked(&in_snake_case(&value)));
        match (camel, snake) {
            (Ok(camel), Ok(snake)) => {
                prop_assert_eq!(path::snake(&camel.url_field), snake.url_field.clone());
                let same = |card: Card| Card { url_field: String::new(), capabilities: Value::Null, ..card };
                prop_assert_eq!(same(camel), same(snake));
            }
            (Err(camel), Err(snake)) => {
                let field = |error: Error| error.into_problem().field.unwrap_or_default();
                prop_assert_eq!(path::snake(&field(camel)), path::snake(&field(snake)));
            }
            (camel, snake) => prop_assert!(false, "{:?}\n{:?}", camel, snake),
        }
    }
}
