//! A stored card as A2A v1.0 JSON (`a2a.proto` of 1.0.0): camelCase, members of the schema only, cards of v0.3 converted.
//! Pure.

use serde_json::{Map, Value, json};

use super::card::member;

/// The card for A2A clients. `relay_url` is where the agent can be called if its card names no interface of its own.
pub(crate) fn v1(card: &Value, relay_url: &str) -> Value {
    let empty = Map::new();
    let card = card.as_object().unwrap_or(&empty);
    let mut out = Map::new();
    copy(card, &mut out, &["name", "description"]);
    out.insert("supportedInterfaces".into(), interfaces(card, relay_url));
    if let Some(provider) = member(card, "provider").and_then(Value::as_object) {
        out.insert("provider".into(), pick(provider, &["url", "organization"]));
    }
    out.insert("version".into(), member(card, "version").cloned().unwrap_or_else(|| "0.0.0".into()));
    copy(card, &mut out, &["documentationUrl", "iconUrl"]);
    out.insert("capabilities".into(), capabilities(card));
    let schemes = schemes(card);
    if !schemes.is_empty() {
        out.insert("securitySchemes".into(), schemes.into());
    }
    requirements(card, &mut out);
    for modes in ["defaultInputModes", "defaultOutputModes"] {
        out.insert(modes.into(), member(card, modes).cloned().unwrap_or_else(|| json!(["application/json"])));
    }
    out.insert("skills".into(), skills(card));
    signatures(card, &mut out);
    out.into()
}

/// Takes members over under their camelCase names.
pub(super) fn copy(from: &Map<String, Value>, to: &mut Map<String, Value>, names: &[&str]) {
    for name in names {
        if let Some(value) = member(from, name) {
            to.insert((*name).into(), value.clone());
        }
    }
}

fn pick(from: &Map<String, Value>, names: &[&str]) -> Value {
    let mut to = Map::new();
    copy(from, &mut to, names);
    to.into()
}

fn objects<'a>(card: &'a Map<String, Value>, name: &str) -> Vec<&'a Map<String, Value>> {
    let list = member(card, name).and_then(Value::as_array);
    list.map(|list| list.iter().filter_map(Value::as_object).collect()).unwrap_or_default()
}

fn string<'a>(object: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    member(object, name).and_then(Value::as_str)
}

/// Is the card of v1.0 already? Its interfaces tell.
fn is_v1(card: &Map<String, Value>) -> bool {
    member(card, "supportedInterfaces").is_some()
}

fn interfaces(card: &Map<String, Value>, relay_url: &str) -> Value {
    let mut list: Vec<Value> = Vec::new();
    let mut add = |url: &str, binding: &str, version: &str, tenant: Option<&Value>| {
        let known = list.iter().any(|other| other["url"] == url && other["protocolBinding"] == binding);
        if !known {
            let mut interface = json!({"url": url, "protocolBinding": binding, "protocolVersion": version});
            if let Some(tenant) = tenant {
                interface["tenant"] = tenant.clone();
            }
            list.push(interface);
        }
    };
    let declared = string(card, "protocolVersion");
    for interface in objects(card, "supportedInterfaces") {
        let Some(url) = string(interface, "url") else { continue };
        let binding = string(interface, "protocolBinding").or(string(interface, "transport")).unwrap_or("JSONRPC");
        let version = major_minor(string(interface, "protocolVersion").or(declared).unwrap_or("1.0"));
        add(url, binding, &version, member(interface, "tenant"));
    }
    // A card of v0.3 without its version is of 0.3; in one that calls itself 1.0, `url` is a convenience.
    let version = major_minor(declared.unwrap_or("0.3"));
    if !is_v1(card)
        && let Some(url) = string(card, "url")
    {
        add(url, string(card, "preferredTransport").unwrap_or("JSONRPC"), &version, None);
        for other in objects(card, "additionalInterfaces") {
            if let Some(url) = string(other, "url") {
                add(url, string(other, "transport").unwrap_or("JSONRPC"), &version, None);
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

fn capabilities(card: &Map<String, Value>) -> Value {
    let empty = Map::new();
    let given = member(card, "capabilities").and_then(Value::as_object).unwrap_or(&empty);
    let mut out = Map::new();
    copy(given, &mut out, &["streaming", "pushNotifications", "extendedAgentCard"]);
    if let Some(extended) = member(card, "supportsAuthenticatedExtendedCard") {
        out.entry("extendedAgentCard").or_insert_with(|| extended.clone());
    }
    let extensions: Vec<Value> = objects(given, "extensions")
        .into_iter()
        .map(|extension| pick(extension, &["uri", "description", "required", "params"]))
        .collect();
    if !extensions.is_empty() {
        out.insert("extensions".into(), extensions.into());
    }
    out.into()
}

/// The scheme kinds of v1.0 with their members, and the `type` that v0.3 had for each.
const SCHEMES: [(&str, &str, &[&str]); 5] = [
    ("apiKeySecurityScheme", "apiKey", &["description", "location", "name"]),
    ("httpAuthSecurityScheme", "http", &["description", "scheme", "bearerFormat"]),
    ("oauth2SecurityScheme", "oauth2", &["description", "flows", "oauth2MetadataUrl"]),
    ("openIdConnectSecurityScheme", "openIdConnect", &["description", "openIdConnectUrl"]),
    ("mtlsSecurityScheme", "mutualTLS", &["description"]),
];

fn schemes(card: &Map<String, Value>) -> Map<String, Value> {
    let mut out = Map::new();
    let given = member(card, "securitySchemes").and_then(Value::as_object);
    for (name, scheme) in given.into_iter().flatten() {
        let Some(scheme) = scheme.as_object() else { continue };
        if let Some((kind, inner)) =
            SCHEMES.iter().find_map(|(kind, ..)| Some((*kind, member(scheme, kind)?.as_object()?)))
        {
            add_scheme(&mut out, name, kind, inner.clone());
        } else if let Some(old) = string(scheme, "type") {
            let Some((kind, ..)) = SCHEMES.iter().find(|(_, kind, _)| *kind == old) else { continue };
            let mut inner = scheme.clone();
            if let Some(location) = inner.remove("in") {
                inner.insert("location".into(), location);
            }
            add_scheme(&mut out, name, kind, inner);
        }
    }
    out
}

/// Adds a scheme. Several OAuth flows, which v0.3 allowed in one, become a scheme each.
fn add_scheme(out: &mut Map<String, Value>, name: &str, kind: &str, inner: Map<String, Value>) {
    let members = SCHEMES.iter().find(|(known, ..)| *known == kind).map_or(&[][..], |(_, _, members)| members);
    let mut scheme = pick(&inner, members);
    let flows = scheme.get("flows").and_then(Value::as_object).cloned().unwrap_or_default();
    if flows.len() <= 1 {
        out.insert(name.to_owned(), json!({ kind: scheme }));
        return;
    }
    for (flow, value) in flows {
        scheme["flows"] = json!({ flow.as_str(): value });
        out.insert(format!("{name}-{flow}"), json!({ kind: scheme.clone() }));
    }
}

/// `securityRequirements`, or the `security` of v0.3 in their form.
fn requirements(from: &Map<String, Value>, out: &mut Map<String, Value>) {
    if let Some(requirements) = member(from, "securityRequirements") {
        out.insert("securityRequirements".into(), requirements.clone());
        return;
    }
    let old = objects(from, "security");
    if old.is_empty() {
        return;
    }
    let list = old.into_iter().map(|alternative| {
        let schemes: Map<String, Value> =
            alternative.iter().map(|(name, scopes)| (name.clone(), json!({ "list": scopes }))).collect();
        json!({ "schemes": schemes })
    });
    out.insert("securityRequirements".into(), list.collect::<Vec<_>>().into());
}

fn skills(card: &Map<String, Value>) -> Value {
    let skills = objects(card, "skills").into_iter().map(|skill| {
        let mut out = Map::new();
        copy(skill, &mut out, &["id", "name", "description", "tags", "examples", "inputModes", "outputModes"]);
        let name = string(skill, "name").or(string(skill, "id")).unwrap_or_default().to_owned();
        out.entry("id").or_insert_with(|| name.clone().into());
        out.entry("name").or_insert_with(|| name.into());
        out.entry("description").or_insert_with(|| "".into());
        out.entry("tags").or_insert_with(|| json!([]));
        requirements(skill, &mut out);
        Value::from(out)
    });
    skills.collect::<Vec<_>>().into()
}

/// Signatures cover the card as it was given: they stay only if nothing had to be converted.
fn signatures(card: &Map<String, Value>, out: &mut Map<String, Value>) {
    let unchanged = out.iter().all(|(name, value)| card.get(name) == Some(value));
    let signatures: Vec<Value> = objects(card, "signatures")
        .into_iter()
        .map(|signature| pick(signature, &["protected", "signature", "header"]))
        .collect();
    if unchanged && !signatures.is_empty() {
        out.insert("signatures".into(), signatures.into());
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
