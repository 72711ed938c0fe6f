//! Single mutations that tell a rule: what is set, to what, and the path at which the card is refused, if it is.

use super::*;

/// The card that is mutated.
fn card() -> Value {
    json!({
        "name": "Sums", "description": "Adds numbers up.",
        "supportedInterfaces": [{"url": "https://a.example", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}],
        "capabilities": {},
        "securitySchemes": {"key": {"apiKeySecurityScheme": {"location": "header", "name": "X-Key"}}},
        "skills": [{"id": "sum", "name": "Sum", "description": "Adds.", "tags": ["math"]}],
    })
}

/// What is set, the JSON that it is set to, and the path at which the card is refused; empty: it is accepted.
const CASES: &[(&str, &str, &str)] = &[
    // Names are lines; descriptions may have several.
    ("name", r#""ab""#, "card.name"),
    ("name", r#""abc""#, ""),
    ("name", r#"" Sums""#, "card.name"),
    ("name", r#""Su\nms""#, "card.name"),
    ("description", r#""too short""#, "card.description"),
    ("description", r#""Lines\nmay\nbreak.""#, ""),
    // What A2A does not know is left alone, whatever it is.
    ("x-own", r#"{"deep": [1, null, {"": true}]}"#, ""),
    ("skills[0].price", "7", ""),
    // Either spelling, never both.
    ("supported_interfaces", "[]", "card.supported_interfaces"),
    ("supported_interfaces", "null", ""),
    ("capabilities.push_notifications", "true", ""),
    ("capabilities.push_notifications", "1", "card.capabilities.push_notifications"),
    ("securitySchemes.key.api_key_security_scheme", "{}", "card.securitySchemes.key.api_key_security_scheme"),
    // What is missing is spelled like what stands around it.
    ("supportedInterfaces[0]", r#"{"url": "https://a.example"}"#, "card.supportedInterfaces[0].protocolBinding"),
    ("supportedInterfaces[0]", r#"{"url": "https://a.example", "protocol_binding": "X"}"#, ""),
    // An address is what its binding needs.
    ("supportedInterfaces[0]", r#"{"url": "a.example:50051", "protocolBinding": "GRPC"}"#, ""),
    ("supportedInterfaces[0]", r#"{"url": "[::1]:50051", "protocolBinding": "GRPC"}"#, ""),
    ("supportedInterfaces[0]", r#"{"url": "dns:///a.example:1", "protocolBinding": "GRPC"}"#, ""),
    ("supportedInterfaces[0]", r#"{"url": "https://a.example", "protocolBinding": "GRPC"}"#, ""),
    ("supportedInterfaces[0]", r#"{"url": "a.example", "protocolBinding": "GRPC"}"#, "card.supportedInterfaces[0].url"),
    ("supportedInterfaces[0].url", r#""a.example:50051""#, "card.supportedInterfaces[0].url"),
    ("supportedInterfaces[0].url", r#""https://a.example:0""#, "card.supportedInterfaces[0].url"),
    ("supportedInterfaces[0].url", r#""https://a.example:70000""#, "card.supportedInterfaces[0].url"),
    ("supportedInterfaces[0].protocolVersion", r#""0.3""#, ""),
    ("supportedInterfaces[0].protocolVersion", r#""99.0""#, ""),
    ("supportedInterfaces", "[]", ""),
    ("iconUrl", r#""data:image/png;base64,AA""#, "card.iconUrl"),
    // An empty text is none.
    ("url", r#""""#, ""),
    ("provider", "{}", ""),
    ("provider", r#"{"organization": "Sums Ltd", "url": ""}"#, ""),
    ("version", r#""latest""#, ""),
    ("version", "1.2", "card.version"),
    // Exactly one kind of scheme, and one flow.
    ("securitySchemes.key", "{}", "card.securitySchemes.key"),
    ("securitySchemes.key", r#"{"type": "password"}"#, "card.securitySchemes.key.type"),
    ("securitySchemes.key", r#"{"type": ""}"#, "card.securitySchemes.key"),
    ("securitySchemes.key", r#"{"type": 1}"#, "card.securitySchemes.key.type"),
    ("securitySchemes.key", r#"{"type": "apiKey", "name": "k"}"#, "card.securitySchemes.key.in"),
    ("securitySchemes.key", r#"{"type": "mutualTLS"}"#, ""),
    ("securitySchemes.key.mtlsSecurityScheme", "{}", "card.securitySchemes.key.mtlsSecurityScheme"),
    // Servers that speak both versions write a scheme in both ways.
    ("securitySchemes.key.type", r#""apiKey""#, ""),
    (
        "securitySchemes.k",
        r#"{"oauth2SecurityScheme": {"flows": {}}}"#,
        "card.securitySchemes.k.oauth2SecurityScheme.flows",
    ),
    (
        "securitySchemes.k",
        r#"{"oauth2SecurityScheme": {"flows": {"password": {}, "implicit": {}}}}"#,
        "card.securitySchemes.k.oauth2SecurityScheme.flows.password",
    ),
    (
        "securitySchemes.k",
        r#"{"oauth2_security_scheme": {"flows": {"client_credentials": {}}}}"#,
        "card.securitySchemes.k.oauth2_security_scheme.flows.client_credentials.token_url",
    ),
    // Names of the author's choice are quoted where they would not read as one.
    ("securitySchemes", r#"{"my key": {}}"#, r#"card.securitySchemes["my key"]"#),
    ("securitySchemes", r#"{"a.b": {}}"#, r#"card.securitySchemes["a.b"]"#),
    ("securitySchemes", r#"{"x_api-key2": {}}"#, "card.securitySchemes.x_api-key2"),
    ("securityRequirements", r#"[{}, {"schemes": {"key": []}}]"#, "card.securityRequirements[1].schemes.key"),
    ("securityRequirements", r#"[{"schemes": {"key": {}}}]"#, ""),
    // Skills may be poor: that costs rank.
    ("skills", "[{}]", ""),
    ("skills", r#"[{"name": ""}]"#, ""),
    ("skills", r#"[{"name": "a"}, 7]"#, "card.skills[1]"),
    ("skills", r#"[{"tags": ["a", "b", 3]}]"#, "card.skills[0].tags[2]"),
    ("skills", r#"[{"name": "a\u0007"}]"#, "card.skills[0].name"),
    ("capabilities.extensions", "[{}]", "card.capabilities.extensions[0].uri"),
    ("capabilities.extensions", r#"[{"uri": "urn:x", "params": []}]"#, "card.capabilities.extensions[0].params"),
    ("signatures", "[]", ""),
    ("signatures", r#"[{"protected": "e30"}]"#, "card.signatures[0].signature"),
    ("signatures", r#"[{"protected": "", "signature": "AA"}]"#, "card.signatures[0].protected"),
];

#[test]
fn each_rule_is_told_by_its_case() {
    for (path, json, expected) in CASES {
        let mut card = card();
        set(&mut card, path, serde_json::from_str(json).expect("JSON"));
        assert_eq!(refused_at(&card).unwrap_or_default(), *expected, "{path} = {json}");
    }
}

#[test]
fn lengths_are_counted_in_characters_and_their_bounds_are_inside() {
    let url = |chars: usize| format!("https://a.example/{}", "x".repeat(chars - 18));
    for (path, text, passes) in [
        ("name", "ä".repeat(100), true),
        ("name", "ä".repeat(101), false),
        ("description", "😀".repeat(2_000), true),
        ("description", "😀".repeat(2_001), false),
        ("url", url(2_000), true),
        ("url", url(2_001), false),
    ] {
        let mut card = card();
        card[path] = text.into();
        assert_eq!(refused_at(&card), (!passes).then(|| format!("card.{path}")));
    }
}

#[test]
fn the_first_fault_is_the_first_in_the_order_of_the_schema() {
    let order = [
        "name",
        "description",
        "supportedInterfaces",
        "url",
        "preferredTransport",
        "additionalInterfaces",
        "protocolVersion",
        "provider",
        "version",
        "documentationUrl",
        "capabilities",
        "supportsAuthenticatedExtendedCard",
        "securitySchemes",
        "securityRequirements",
        "security",
        "defaultInputModes",
        "defaultOutputModes",
        "skills",
        "signatures",
        "iconUrl",
        "verifyingKeys",
    ];
    let mut card: Value = order.iter().map(|name| ((*name).to_owned(), json!(7))).collect::<Map<_, _>>().into();
    for name in order {
        assert_eq!(refused_at(&card), Some(format!("card.{name}")));
        match name {
            "name" | "description" => card[name] = "A good text.".into(),
            _ => remove(&mut card, name),
        }
    }
    assert_eq!(refused_at(&card), None);
}

#[test]
fn a_card_nests_thirty_two_levels_and_no_more() {
    let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| json!([inner]));
    for (levels, expected) in [(31, None), (32, Some("card.x")), (100, Some("card.x"))] {
        let mut card = card();
        card["x"] = nested(levels);
        assert_eq!(refused_at(&card).as_deref(), expected, "{levels}");
    }
    let mut card = card();
    card["capabilities"] = json!({"extensions": [{"uri": "urn:x", "params": {"a": nested(30)}}]});
    assert_eq!(refused_at(&card).as_deref(), Some("card.capabilities"));
}
