//! A stored card as A2A v1.0 JSON (`a2a.proto` of 1.0.0): camelCase, members of the schema only, cards of v0.3 converted.
//! Pure.

use serde_json::{Map, Value, json};

use super::card::{known, member, text};

type Members = Map<String, Value>;

/// The card for A2A clients. `relay_url` is where the agent can be called if its card names no interface of its own.
pub(crate) fn v1(card: &Value, relay_url: &str) -> Value {
    let empty = Members::new();
    let given = card.as_object().unwrap_or(&empty);
    let mut modern = given.clone();
    set(&mut modern, "supportedInterfaces", interfaces(given, relay_url));
    set(&mut modern, "securitySchemes", schemes(given));
    set(&mut modern, "capabilities", capabilities(given));
    set(&mut modern, "skills", skills(given));
    requirements(&mut modern);
    let mut out = known(&modern.into());
    if let Some(members) = out.as_object_mut() {
        complete(members);
        drop_broken_signatures(members, given);
    }
    out
}

/// Sets a member under its camelCase name, whichever it had.
fn set(object: &mut Members, name: &str, value: Value) {
    while let Some(given) = super::card::given_name(object, name) {
        object.remove(&given);
    }
    object.insert(name.to_owned(), value);
}

/// Adds what A2A requires and the directory does not.
fn complete(card: &mut Members) {
    card.entry("version").or_insert_with(|| "0.0.0".into());
    for modes in ["defaultInputModes", "defaultOutputModes"] {
        card.entry(modes).or_insert_with(|| json!(["application/json"]));
    }
    for skill in
        card.get_mut("skills").and_then(Value::as_array_mut).into_iter().flatten().filter_map(Value::as_object_mut)
    {
        let name = text(skill, "name").or(text(skill, "id")).unwrap_or_default().to_owned();
        let fill = [("id", json!(name)), ("name", json!(name)), ("description", json!("")), ("tags", json!([]))];
        for (member, value) in fill {
            skill.entry(member).or_insert(value);
        }
    }
    for empty in ["securitySchemes", "signatures"] {
        let is_empty =
            |value: &Value| value.as_object().is_some_and(Map::is_empty) || value.as_array().is_some_and(Vec::is_empty);
        if card.get(empty).is_some_and(is_empty) {
            card.remove(empty);
        }
    }
}

/// Takes members over under their camelCase names.
pub(super) fn copy(from: &Members, to: &mut Members, names: &[&str]) {
    for name in names {
        if let Some(value) = member(from, name) {
            to.insert((*name).into(), value.clone());
        }
    }
}

fn objects<'a>(card: &'a Members, name: &str) -> Vec<&'a Members> {
    let list = member(card, name).and_then(Value::as_array);
    list.map(|list| list.iter().filter_map(Value::as_object).collect()).unwrap_or_default()
}

/// Is the card of v1.0 already? Its interfaces tell.
fn is_v1(card: &Members) -> bool {
    member(card, "supportedInterfaces").is_some()
}

fn interfaces(card: &Members, relay_url: &str) -> Value {
    let mut list: Vec<Value> = Vec::new();
    let mut add = |url: &str, binding: &str, version: &str, tenant: Option<&Value>| {
        let mut interface = json!({"url": url, "protocolBinding": binding, "protocolVersion": version});
        if let Some(tenant) = tenant {
            interface["tenant"] = tenant.clone();
        }
        if !list.contains(&interface) {
            list.push(interface);
        }
    };
    let declared = text(card, "protocolVersion");
    for interface in objects(card, "supportedInterfaces") {
        let Some(url) = text(interface, "url") else { continue };
        let binding = text(interface, "protocolBinding").or(text(interface, "transport")).unwrap_or("JSONRPC");
        let version = major_minor(text(interface, "protocolVersion").or(declared).unwrap_or("1.0"));
        add(url, binding, &version, member(interface, "tenant"));
    }
    // A card of v0.3 without its version is of 0.3; in one that calls itself 1.0, `url` is a convenience.
    let version = major_minor(declared.unwrap_or("0.3"));
    if !is_v1(card)
        && let Some(url) = text(card, "url")
    {
        add(url, text(card, "preferredTransport").unwrap_or("JSONRPC"), &version, None);
        for other in objects(card, "additionalInterfaces") {
            if let Some(url) = text(other, "url") {
                add(url, text(other, "transport").unwrap_or("JSONRPC"), &version, None);
            }
        }
    }
    if list.is_empty() {
        list.push(json!({"url": relay_url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}));
    }
    list.into()
}

/// `0.3.0` as `0.3`.
fn major_minor(version: &str) -> String {
    version.split('.').take(2).collect::<Vec<_>>().join(".")
}

fn capabilities(card: &Members) -> Value {
    let mut out = member(card, "capabilities").and_then(Value::as_object).cloned().unwrap_or_default();
    if let Some(extended) = member(card, "supportsAuthenticatedExtendedCard")
        && member(&out, "extendedAgentCard").is_none()
    {
        set(&mut out, "extendedAgentCard", extended.clone());
    }
    if objects(&out, "extensions").is_empty() {
        out.remove("extensions");
    }
    out.into()
}

/// The scheme kinds of v1.0, and the `type` that v0.3 had for each.
pub(super) const SCHEMES: [(&str, &str); 5] = [
    ("apiKeySecurityScheme", "apiKey"),
    ("httpAuthSecurityScheme", "http"),
    ("oauth2SecurityScheme", "oauth2"),
    ("openIdConnectSecurityScheme", "openIdConnect"),
    ("mtlsSecurityScheme", "mutualTLS"),
];

fn schemes(card: &Members) -> Value {
    let mut out = Members::new();
    let given = member(card, "securitySchemes").and_then(Value::as_object);
    for (name, scheme) in given.into_iter().flatten() {
        let Some(scheme) = scheme.as_object() else { continue };
        let new = SCHEMES.iter().find_map(|(kind, _)| Some((*kind, member(scheme, kind)?.as_object()?.clone())));
        let converted = || {
            let (kind, _) = SCHEMES.iter().find(|(_, old)| text(scheme, "type") == Some(*old))?;
            let mut inner = scheme.clone();
            if let Some(location) = inner.remove("in") {
                inner.insert("location".into(), location);
            }
            Some((*kind, inner))
        };
        if let Some((kind, inner)) = new.or_else(converted) {
            add_scheme(&mut out, name, kind, inner);
        }
    }
    out.into()
}

/// Adds a scheme. Several OAuth flows, which v0.3 allowed in one, become a scheme each.
fn add_scheme(out: &mut Members, name: &str, kind: &str, mut inner: Members) {
    let flows = member(&inner, "flows").and_then(Value::as_object).cloned().unwrap_or_default();
    if flows.len() <= 1 {
        out.insert(name.to_owned(), json!({ kind: inner }));
        return;
    }
    for (flow, value) in flows {
        set(&mut inner, "flows", json!({ flow.as_str(): value }));
        out.insert(format!("{name}-{flow}"), json!({ kind: inner.clone() }));
    }
}

/// Gives an object of v0.3 its `security` in the form of v1.0.
fn requirements(object: &mut Members) {
    let old = objects(object, "security");
    if old.is_empty() || member(object, "securityRequirements").is_some() {
        return;
    }
    let list = old.into_iter().map(|alternative| {
        let schemes: Members =
            alternative.iter().map(|(name, scopes)| (name.clone(), json!({ "list": scopes }))).collect();
        json!({ "schemes": schemes })
    });
    let list: Value = list.collect();
    set(object, "securityRequirements", list);
}

fn skills(card: &Members) -> Value {
    let skills = objects(card, "skills").into_iter().map(|skill| {
        let mut skill = skill.clone();
        requirements(&mut skill);
        Value::from(skill)
    });
    skills.collect()
}

/// Signatures cover the card as it was given: they stay only if nothing had to be converted.
fn drop_broken_signatures(card: &mut Members, given: &Members) {
    let unchanged = card.iter().all(|(name, value)| name == "signatures" || given.get(name) == Some(value));
    if !unchanged {
        card.remove("signatures");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAY: &str = "https://relay.example/connect/relay/x";

    fn full() -> Value {
        json!({
            "name": "Sum", "description": "Adds numbers.",
            "supportedInterfaces":
                [{"url": "https://sum.example", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"}],
            "version": "1.2.0", "capabilities": {"streaming": false},
            "defaultInputModes": ["text/plain"], "defaultOutputModes": ["text/plain"],
            "skills": [{"id": "sum", "name": "Sum", "description": "Adds.", "tags": ["math"]}],
            "signatures": [{"protected": "e30", "signature": "AA"}],
        })
    }

    #[test]
    fn a_complete_card_of_v1_is_served_unchanged_with_its_signatures() {
        assert_eq!(v1(&full(), RELAY), full());
    }

    #[test]
    fn members_outside_of_the_schema_are_left_out() {
        let mut card = full();
        card["tagline"] = "x".into();
        card["capabilities"]["stateTransitionHistory"] = true.into();
        card["skills"][0]["price"] = 7.into();
        let served = v1(&card, RELAY);
        assert!(served.get("tagline").is_none() && served["skills"][0].get("price").is_none());
        assert_eq!(served["capabilities"], json!({"streaming": false}));
        assert!(served.get("signatures").is_none(), "what was signed is not what is served");
    }

    #[test]
    fn a_card_of_v03_is_converted() {
        let card = json!({
            "name": "Sum", "description": "Adds numbers.", "url": "https://sum.example/rpc", "protocolVersion": "0.3.0",
            "additionalInterfaces": [
                {"url": "https://sum.example/rpc", "transport": "JSONRPC"},
                {"url": "https://sum.example/grpc", "transport": "GRPC"},
            ],
            "supportsAuthenticatedExtendedCard": true,
            "capabilities": {"push_notifications": true},
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-Key"},
                "oauth": {"type": "oauth2", "flows": {
                    "clientCredentials": {"tokenUrl": "https://a.example/t", "scopes": {}},
                    "authorizationCode": {"authorizationUrl": "https://a.example/a", "tokenUrl": "https://a.example/t"},
                }},
            },
            "security": [{"key": ["a"]}],
            "skills": [{"name": "sum"}],
            "signatures": [{"protected": "e30", "signature": "AA"}],
        });
        let served = v1(&card, RELAY);
        assert_eq!(
            served["supportedInterfaces"],
            json!([
                {"url": "https://sum.example/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "0.3"},
                {"url": "https://sum.example/grpc", "protocolBinding": "GRPC", "protocolVersion": "0.3"},
            ])
        );
        assert_eq!(served["capabilities"], json!({"pushNotifications": true, "extendedAgentCard": true}));
        let key = json!({"apiKeySecurityScheme": {"location": "header", "name": "X-Key"}});
        assert_eq!(served["securitySchemes"]["key"], key);
        assert!(served["securitySchemes"]["oauth-clientCredentials"]["oauth2SecurityScheme"]["flows"].is_object());
        assert_eq!(served["securityRequirements"], json!([{"schemes": {"key": {"list": ["a"]}}}]));
        assert_eq!(served["skills"], json!([{"id": "sum", "name": "sum", "description": "", "tags": []}]));
        assert!(served.get("signatures").is_none() && served.get("url").is_none());
    }

    #[test]
    fn an_agent_without_an_address_is_called_over_the_relay() {
        let served = v1(&json!({"name": "Sum", "description": "Adds numbers."}), RELAY);
        assert_eq!(served["supportedInterfaces"][0]["url"], RELAY);
        assert_eq!(served["version"], "0.0.0");
    }
}
