//! Every member of a card with everything that can be wrong with it, each with the path at which the card is refused: in
//! A2A's spelling, then in snake_case.

use super::*;
use Kind::*;
use Without::*;

/// What a member is.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Flag,
    /// A text of at most so many characters.
    Text(usize),
    Url,
    Uri,
    Version,
    Base64,
    Word,
    /// A list of at most so many entries.
    List(usize),
    /// Names of the author's choice, at most so many.
    Names(usize),
    Object,
}

/// What becomes of a card without the member.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Without {
    Fine,
    Refused,
    /// Refused at what the member stands in, which needs one of several.
    OneIsNeeded,
    /// It is an entry and cannot be missing.
    Entry,
}

/// A card of v1.0 with every member.
fn full() -> Value {
    json!({
        "name": "Sums", "description": "Adds numbers up.", "version": "1.4.0",
        "supportedInterfaces": [
            {"url": "https://a.example", "protocolBinding": "JSONRPC", "tenant": "t", "protocolVersion": "1.0"},
            {"url": "wss://a.example", "protocolBinding": "https://a.example/ws", "protocolVersion": "1.0"},
        ],
        "url": "https://a.example", "protocolVersion": "1.0",
        "provider": {"url": "https://p.example", "organization": "Sums Ltd"},
        "documentationUrl": "https://a.example/docs", "iconUrl": "https://a.example/icon.png",
        "capabilities": {
            "streaming": true, "pushNotifications": false, "extendedAgentCard": true,
            "extensions": [{"uri": "https://a.example/ext", "description": "d", "required": false, "params": {"a": 1}},
                {"uri": "https://relay.example/extensions/service-class", "params": {"class": "utility"}}],
        },
        "securitySchemes": {
            "key": {"apiKeySecurityScheme": {"description": "d", "location": "header", "name": "X-Key"}},
            "http": {"httpAuthSecurityScheme": {"description": "d", "scheme": "Bearer", "bearerFormat": "JWT"}},
            "code": {"oauth2SecurityScheme": {
                "description": "d", "oauth2MetadataUrl": "https://id.example/meta",
                "flows": {"authorizationCode": {"authorizationUrl": "https://id.example/a", "scopes": {"s": "S"},
                    "tokenUrl": "https://id.example/t", "refreshUrl": "https://id.example/r", "pkceRequired": true}},
            }},
            "client": {"oauth2SecurityScheme": {"flows": {"clientCredentials": {"tokenUrl": "https://id.example/t",
                "refreshUrl": "https://id.example/r", "scopes": {"s": "S"}}}}},
            "device": {"oauth2SecurityScheme": {"flows": {"deviceCode": {"deviceAuthorizationUrl": "https://id.example/d",
                "tokenUrl": "https://id.example/t", "refreshUrl": "https://id.example/r", "scopes": {"s": "S"}}}}},
            "implicit": {"oauth2SecurityScheme": {"flows": {"implicit": {"authorizationUrl": "https://id.example/a",
                "refreshUrl": "https://id.example/r", "scopes": {}}}}},
            "password": {"oauth2SecurityScheme": {"flows": {"password": {"tokenUrl": "https://id.example/t",
                "refreshUrl": "https://id.example/r", "scopes": {}}}}},
            "oidc": {"openIdConnectSecurityScheme": {"description": "d", "openIdConnectUrl": "https://id.example/c"}},
            "mtls": {"mtlsSecurityScheme": {"description": "d"}},
        },
        "securityRequirements": [{"schemes": {"key": {"list": []}, "code": {"list": ["s"]}}}],
        "defaultInputModes": ["text/plain"], "defaultOutputModes": ["application/json"],
        "skills": [{"id": "sum", "name": "Sum", "description": "Adds.", "tags": ["math"], "examples": ["1 + 1"],
            "inputModes": ["text/plain"], "outputModes": ["text/plain"],
            "securityRequirements": [{"schemes": {"code": {"list": ["s"]}}}]}],
        "signatures": [{"protected": "e30", "signature": "AA", "header": {"kid": "k"}}],
        "verifyingKeys": {"keys": [{"kty": "EC"}]},
    })
}

const MEMBERS: &[(&str, Kind, Without)] = &[
    ("name", Text(100), Refused),
    ("description", Text(2_000), Refused),
    ("supportedInterfaces", List(50), Fine),
    ("supportedInterfaces[0]", Object, Entry),
    ("supportedInterfaces[0].url", Url, Refused),
    ("supportedInterfaces[0].protocolBinding", Text(200), Refused),
    ("supportedInterfaces[0].tenant", Text(200), Fine),
    ("supportedInterfaces[0].protocolVersion", Version, Fine),
    ("supportedInterfaces[1]", Object, Entry),
    ("supportedInterfaces[1].url", Uri, Refused),
    ("url", Url, Fine),
    ("protocolVersion", Version, Fine),
    ("provider", Object, Fine),
    ("provider.url", Url, Fine),
    ("provider.organization", Text(200), Fine),
    ("version", Text(100), Fine),
    ("documentationUrl", Url, Fine),
    ("iconUrl", Url, Fine),
    ("capabilities", Object, Fine),
    ("capabilities.streaming", Flag, Fine),
    ("capabilities.pushNotifications", Flag, Fine),
    ("capabilities.extendedAgentCard", Flag, Fine),
    ("capabilities.extensions", List(50), Fine),
    ("capabilities.extensions[0]", Object, Entry),
    ("capabilities.extensions[0].uri", Text(2_000), Refused),
    ("capabilities.extensions[0].description", Text(10_000), Fine),
    ("capabilities.extensions[0].required", Flag, Fine),
    ("capabilities.extensions[0].params", Object, Fine),
    ("capabilities.extensions[1].params", Object, Refused),
    ("capabilities.extensions[1].params.class", Word, Refused),
    ("securitySchemes", Names(50), Fine),
    ("securitySchemes.key", Object, Entry),
    ("securitySchemes.key.apiKeySecurityScheme", Object, OneIsNeeded),
    ("securitySchemes.key.apiKeySecurityScheme.description", Text(10_000), Fine),
    ("securitySchemes.key.apiKeySecurityScheme.location", Word, Refused),
    ("securitySchemes.key.apiKeySecurityScheme.name", Text(200), Refused),
    ("securitySchemes.http.httpAuthSecurityScheme", Object, OneIsNeeded),
    ("securitySchemes.http.httpAuthSecurityScheme.description", Text(10_000), Fine),
    ("securitySchemes.http.httpAuthSecurityScheme.scheme", Text(200), Refused),
    ("securitySchemes.http.httpAuthSecurityScheme.bearerFormat", Text(200), Fine),
    ("securitySchemes.code.oauth2SecurityScheme", Object, OneIsNeeded),
    ("securitySchemes.code.oauth2SecurityScheme.description", Text(10_000), Fine),
    ("securitySchemes.code.oauth2SecurityScheme.oauth2MetadataUrl", Url, Fine),
    ("securitySchemes.code.oauth2SecurityScheme.flows", Object, Refused),
    ("securitySchemes.code.oauth2SecurityScheme.flows.authorizationCode", Object, OneIsNeeded),
    ("securitySchemes.code.oauth2SecurityScheme.flows.authorizationCode.authorizationUrl", Url, Refused),
    ("securitySchemes.code.oauth2SecurityScheme.flows.authorizationCode.tokenUrl", Url, Refused),
    ("securitySchemes.code.oauth2SecurityScheme.flows.authorizationCode.refreshUrl", Url, Fine),
    ("securitySchemes.code.oauth2SecurityScheme.flows.authorizationCode.scopes", Names(200), Fine),
    ("securitySchemes.code.oauth2SecurityScheme.flows.authorizationCode.scopes.s", Text(10_000), Entry),
    ("securitySchemes.code.oauth2SecurityScheme.flows.authorizationCode.pkceRequired", Flag, Fine),
    ("securitySchemes.client.oauth2SecurityScheme.flows.clientCredentials", Object, OneIsNeeded),
    ("securitySchemes.client.oauth2SecurityScheme.flows.clientCredentials.tokenUrl", Url, Refused),
    ("securitySchemes.client.oauth2SecurityScheme.flows.clientCredentials.refreshUrl", Url, Fine),
    ("securitySchemes.client.oauth2SecurityScheme.flows.clientCredentials.scopes", Names(200), Fine),
    ("securitySchemes.device.oauth2SecurityScheme.flows.deviceCode", Object, OneIsNeeded),
    ("securitySchemes.device.oauth2SecurityScheme.flows.deviceCode.deviceAuthorizationUrl", Url, Refused),
    ("securitySchemes.device.oauth2SecurityScheme.flows.deviceCode.tokenUrl", Url, Refused),
    ("securitySchemes.device.oauth2SecurityScheme.flows.deviceCode.refreshUrl", Url, Fine),
    ("securitySchemes.device.oauth2SecurityScheme.flows.deviceCode.scopes", Names(200), Fine),
    ("securitySchemes.implicit.oauth2SecurityScheme.flows.implicit.authorizationUrl", Url, Fine),
    ("securitySchemes.implicit.oauth2SecurityScheme.flows.implicit.refreshUrl", Url, Fine),
    ("securitySchemes.implicit.oauth2SecurityScheme.flows.implicit.scopes", Names(200), Fine),
    ("securitySchemes.password.oauth2SecurityScheme.flows.password.tokenUrl", Url, Fine),
    ("securitySchemes.password.oauth2SecurityScheme.flows.password.refreshUrl", Url, Fine),
    ("securitySchemes.password.oauth2SecurityScheme.flows.password.scopes", Names(200), Fine),
    ("securitySchemes.oidc.openIdConnectSecurityScheme", Object, OneIsNeeded),
    ("securitySchemes.oidc.openIdConnectSecurityScheme.description", Text(10_000), Fine),
    ("securitySchemes.oidc.openIdConnectSecurityScheme.openIdConnectUrl", Url, Refused),
    ("securitySchemes.mtls.mtlsSecurityScheme", Object, OneIsNeeded),
    ("securitySchemes.mtls.mtlsSecurityScheme.description", Text(10_000), Fine),
    ("securityRequirements", List(50), Fine),
    ("securityRequirements[0]", Object, Entry),
    ("securityRequirements[0].schemes", Names(50), Fine),
    ("securityRequirements[0].schemes.code", Object, Entry),
    ("securityRequirements[0].schemes.code.list", List(200), Fine),
    ("securityRequirements[0].schemes.code.list[0]", Text(200), Entry),
    ("defaultInputModes", List(50), Fine),
    ("defaultInputModes[0]", Text(200), Entry),
    ("defaultOutputModes", List(50), Fine),
    ("defaultOutputModes[0]", Text(200), Entry),
    ("skills", List(200), Fine),
    ("skills[0]", Object, Entry),
    ("skills[0].id", Text(200), Fine),
    ("skills[0].name", Text(200), Fine),
    ("skills[0].description", Text(10_000), Fine),
    ("skills[0].tags", List(50), Fine),
    ("skills[0].tags[0]", Text(100), Entry),
    ("skills[0].examples", List(50), Fine),
    ("skills[0].examples[0]", Text(10_000), Entry),
    ("skills[0].inputModes", List(50), Fine),
    ("skills[0].inputModes[0]", Text(200), Entry),
    ("skills[0].outputModes", List(50), Fine),
    ("skills[0].outputModes[0]", Text(200), Entry),
    ("skills[0].securityRequirements", List(50), Fine),
    ("skills[0].securityRequirements[0].schemes.code.list[0]", Text(200), Entry),
    ("signatures", List(50), Fine),
    ("signatures[0]", Object, Entry),
    ("signatures[0].protected", Base64, Refused),
    ("signatures[0].signature", Base64, Refused),
    ("signatures[0].header", Object, Fine),
    ("verifyingKeys", Object, Fine),
    ("verifyingKeys.keys", List(50), Refused),
    ("verifyingKeys.keys[0]", Object, Entry),
];

impl Kind {
    /// Values that are refused at the member itself.
    fn bad(self) -> Vec<Value> {
        let bools = json!(true);
        let (number, list, object, string) = (json!(7), json!([]), json!({}), json!("x"));
        let forms = |texts: &[&str]| texts.iter().map(|text| json!(text)).collect::<Vec<_>>();
        let not_a_text = vec![bools.clone(), number.clone(), list.clone(), object.clone()];
        let (wrong, forms) = match self {
            Flag => (vec![number, list, object, string, json!("true")], vec![]),
            Text(max) => (not_a_text, vec![json!("x".repeat(max + 1))]),
            Url => (
                not_a_text,
                forms(&[
                    "a.example",
                    "/x",
                    "ftp://a.example",
                    "http://",
                    "https://u:p@a.example",
                    "https://a b",
                    "urn:x",
                ]),
            ),
            Uri => (not_a_text, forms(&["a.example", "/x", "a b:c"])),
            Version => (not_a_text, forms(&["1", "v1.0", "latest", "1.0.0.0"])),
            Base64 => (not_a_text, forms(&["a=", "a+b", "a b"])),
            Word => (not_a_text, forms(&["x", "Header", "UTILITY"])),
            List(max) => (vec![bools, number, object, string], vec![json!(vec![json!({}); max + 1])]),
            Names(max) => {
                let many: Map<String, Value> = (0..=max).map(|n| (format!("n{n}"), json!({}))).collect();
                let long = json!({ "x".repeat(101): {} });
                (vec![bools, number, list, string], vec![many.into(), long, json!({"": {}})])
            }
            Object => (vec![bools, number, list, string], vec![]),
        };
        [wrong, forms].concat()
    }

    fn is_text(self) -> bool {
        matches!(self, Text(_) | Url | Uri | Version | Base64 | Word)
    }
}

/// Every mutation of a card: what was done, the card, and the path at which it is refused.
fn mutations(card: &Value, members: &[(&str, Kind, Without)]) -> Vec<(String, Value, Option<String>)> {
    let mut out = Vec::new();
    for &(path, kind, without) in members {
        let here = format!("card.{path}");
        for bad in kind.bad() {
            let mut card = card.clone();
            *at(&mut card, path).unwrap_or_else(|| panic!("{path} is not in the card")) = bad.clone();
            out.push((format!("{path} = {bad}"), card, Some(here.clone())));
        }
        let missing = match without {
            Fine => None,
            Refused => Some(here.clone()),
            OneIsNeeded => here.rsplit_once('.').map(|(parent, _)| parent.to_owned()),
            Entry => {
                let mut card = card.clone();
                *at(&mut card, path).expect("a member") = Value::Null;
                out.push((format!("{path} = null"), card, Some(here)));
                continue;
            }
        };
        let mut gone = card.clone();
        remove(&mut gone, path);
        out.push((format!("{path} is missing"), gone, missing.clone()));
        let mut null = card.clone();
        *at(&mut null, path).expect("a member") = Value::Null;
        out.push((format!("{path} = null"), null, missing.clone()));
        if kind.is_text() {
            let mut empty = card.clone();
            *at(&mut empty, path).expect("a member") = "".into();
            out.push((format!("{path} is empty"), empty, missing));
        }
    }
    out
}

/// A path in snake_case. Names of schemes are single words here.
fn snake_path(path: &str) -> String {
    path::snake(path)
}

fn each_is_refused_at_its_path(card: &Value, members: &[(&str, Kind, Without)], at_least: usize) {
    assert_eq!(refused_at(card), None);
    assert_eq!(refused_at(&in_snake_case(card)), None);
    let mutations = mutations(card, members);
    assert!(mutations.len() >= at_least, "{} mutations", mutations.len());
    for (what, card, expected) in mutations {
        assert_eq!(refused_at(&card), expected, "{what}");
        assert_eq!(refused_at(&in_snake_case(&card)), expected.as_deref().map(snake_path), "{what}, in snake_case");
    }
}

#[test]
fn each_mutation_of_a_card_of_v1_is_refused_at_its_path() {
    each_is_refused_at_its_path(&full(), MEMBERS, 600);
}

/// A card of v0.3 with every member that v1.0 does not have.
fn full_v03() -> Value {
    json!({
        "name": "Sums", "description": "Adds numbers up.", "version": "1.4.0", "protocolVersion": "0.3.0",
        "url": "https://a.example", "preferredTransport": "JSONRPC",
        "additionalInterfaces": [{"url": "https://a.example", "transport": "JSONRPC"}],
        "capabilities": {"streaming": true, "pushNotifications": true, "stateTransitionHistory": false},
        "supportsAuthenticatedExtendedCard": true,
        "securitySchemes": {
            "key": {"type": "apiKey", "in": "cookie", "name": "key", "description": "d"},
            "http": {"type": "http", "scheme": "basic", "bearerFormat": "x"},
            "oauth": {"type": "oauth2", "oauth2MetadataUrl": "https://id.example/meta", "flows": {
                "authorizationCode": {"authorizationUrl": "https://id.example/a", "tokenUrl": "https://id.example/t"},
                "clientCredentials": {"tokenUrl": "https://id.example/t", "scopes": {}},
                "implicit": {"authorizationUrl": "https://id.example/a", "scopes": {}},
                "password": {"tokenUrl": "https://id.example/t", "scopes": {}}}},
            "oidc": {"type": "openIdConnect", "openIdConnectUrl": "https://id.example/c"},
            "mtls": {"type": "mutualTLS", "description": "d"},
        },
        "security": [{"key": [], "oauth": ["s"]}],
        "skills": [{"id": "sum", "name": "Sum", "description": "Adds.", "tags": ["math"], "security": [{"oauth": ["s"]}]}],
    })
}

const MEMBERS_OF_V03: &[(&str, Kind, Without)] = &[
    ("url", Url, Fine),
    ("preferredTransport", Text(200), Fine),
    ("protocolVersion", Version, Fine),
    ("additionalInterfaces", List(50), Fine),
    ("additionalInterfaces[0]", Object, Entry),
    ("additionalInterfaces[0].url", Url, Refused),
    ("additionalInterfaces[0].transport", Text(200), Refused),
    ("capabilities.stateTransitionHistory", Flag, Fine),
    ("supportsAuthenticatedExtendedCard", Flag, Fine),
    ("securitySchemes.key.in", Word, Refused),
    ("securitySchemes.key.name", Text(200), Refused),
    ("securitySchemes.key.description", Text(10_000), Fine),
    ("securitySchemes.http.scheme", Text(200), Refused),
    ("securitySchemes.http.bearerFormat", Text(200), Fine),
    ("securitySchemes.oauth.oauth2MetadataUrl", Url, Fine),
    ("securitySchemes.oauth.flows", Object, Refused),
    ("securitySchemes.oauth.flows.authorizationCode", Object, Fine),
    ("securitySchemes.oauth.flows.authorizationCode.authorizationUrl", Url, Refused),
    ("securitySchemes.oauth.flows.authorizationCode.tokenUrl", Url, Refused),
    ("securitySchemes.oauth.flows.clientCredentials", Object, Fine),
    ("securitySchemes.oauth.flows.clientCredentials.tokenUrl", Url, Refused),
    ("securitySchemes.oauth.flows.clientCredentials.scopes", Names(200), Fine),
    ("securitySchemes.oauth.flows.implicit", Object, Fine),
    ("securitySchemes.oauth.flows.implicit.authorizationUrl", Url, Fine),
    ("securitySchemes.oauth.flows.password", Object, Fine),
    ("securitySchemes.oauth.flows.password.tokenUrl", Url, Fine),
    ("securitySchemes.oidc.openIdConnectUrl", Url, Refused),
    ("securitySchemes.mtls.description", Text(10_000), Fine),
    ("security", List(50), Fine),
    ("security[0]", Names(50), Entry),
    ("security[0].oauth", List(200), Entry),
    ("security[0].oauth[0]", Text(200), Entry),
    ("skills[0].security", List(50), Fine),
    ("skills[0].security[0]", Names(50), Entry),
    ("skills[0].security[0].oauth[0]", Text(200), Entry),
];

#[test]
fn each_mutation_of_a_card_of_v03_is_refused_at_its_path() {
    each_is_refused_at_its_path(&full_v03(), MEMBERS_OF_V03, 200);
}
