//! The card under an agent's relay address: the same agent, called here. With it a client that knows nothing of the
//! relay reaches an agent behind NAT from one base URL. Pure.

mod both;
mod v03;

use serde_json::{Map, Value, json};

use super::a2a;
pub(crate) use both::add_v03;

/// The security scheme that every call over the relay needs, unless the agent takes anonymous calls.
const SCHEME: &str = "landline";

/// What the scheme asks for.
const CREDENTIAL: &str = "An API key or token of the relay; the agent's own credential goes as X-Agent-Authorization.";

/// The card with its interfaces pointing at `relay_url`, in the versions of A2A that the agent speaks: without gRPC, which
/// HTTP/1.1 does not carry, and without signatures, which the change would void. `is_open`: anonymous callers are admitted.
pub(crate) fn relayed(card: &Value, relay_url: &str, is_open: bool) -> Value {
    if let Some(old) = card.as_object().filter(|card| v03::is_v03(card)) {
        return v03::relayed(old, relay_url, is_open);
    }
    let mut card = a2a::v1(card, relay_url);
    let interfaces = card["supportedInterfaces"].as_array().map(|list| over_relay(list, relay_url)).unwrap_or_default();
    card["supportedInterfaces"] = interfaces.into();
    if let Some(members) = card.as_object_mut() {
        members.remove("signatures");
        if !is_open {
            demand_credential(members);
        }
        both::add_v03(members);
    }
    card
}

fn over_relay(list: &[Value], relay_url: &str) -> Vec<Value> {
    let mut out: Vec<Value> = Vec::new();
    for interface in list.iter().filter(|interface| interface["protocolBinding"] != "GRPC") {
        let mut interface = interface.clone();
        let url = interface["url"].as_str().unwrap_or_default();
        interface["url"] = if url == relay_url { relay_url.into() } else { moved(url, relay_url).into() };
        if !out.contains(&interface) {
            out.push(interface);
        }
    }
    if out.is_empty() {
        out.push(json!({"url": relay_url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}));
    }
    out
}

/// The same path below the relay address. The relay carries paths as they are, so what the agent serves at a path it
/// serves at that path here. Without a trailing slash, which would not be the agent's root any more.
fn moved(url: &str, relay_url: &str) -> String {
    let behind_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = behind_scheme.find('/').map_or("", |at| &behind_scheme[at..]);
    let path = &path[..path.find(['?', '#']).unwrap_or(path.len())];
    // An exposed agent is registered with its relay address: what stands behind it is the path already.
    let own = relay_url.split_once("://").and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..])).unwrap_or("");
    let below = path.strip_prefix(own).filter(|rest| !own.is_empty() && (rest.is_empty() || rest.starts_with('/')));
    format!("{relay_url}{}", below.unwrap_or(path).trim_end_matches('/'))
}

/// Adds our scheme to every requirement of the card and of its skills: a call needs the agent's credential and ours.
fn demand_credential(card: &mut Map<String, Value>) {
    let scheme = json!({"httpAuthSecurityScheme": {
        "scheme": "Bearer",
        "description": CREDENTIAL,
    }});
    let schemes = card.entry("securitySchemes").or_insert_with(|| json!({}));
    schemes[SCHEME] = scheme;
    demand(card, true);
    for skill in card.get_mut("skills").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(skill) = skill.as_object_mut() {
            demand(skill, false);
        }
    }
}

fn demand(object: &mut Map<String, Value>, even_if_none: bool) {
    let ours = json!({"list": []});
    let given = object.get_mut("securityRequirements").and_then(Value::as_array_mut);
    match given.filter(|list| !list.is_empty()) {
        Some(list) => list.iter_mut().for_each(|alternative| alternative["schemes"][SCHEME] = ours.clone()),
        None if even_if_none => {
            object.insert("securityRequirements".into(), json!([{"schemes": {SCHEME: ours}}]));
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAY: &str = "https://relay.example/connect/relay/x";

    fn card() -> Value {
        json!({
            "name": "Sum", "description": "Adds numbers.", "version": "1.0.0", "capabilities": {"streaming": true},
            "supportedInterfaces": [
                {"url": "http://127.0.0.1:9999/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
                {"url": "http://127.0.0.1:9999/rest/", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"},
                {"url": "127.0.0.1:5000", "protocolBinding": "GRPC", "protocolVersion": "1.0"},
            ],
            "securitySchemes": {"key": {"apiKeySecurityScheme": {"location": "header", "name": "X-Key"}}},
            "securityRequirements": [{"schemes": {"key": {"list": []}}}],
            "skills": [{"id": "a", "name": "a", "description": "", "tags": [],
                "securityRequirements": [{"schemes": {"key": {"list": ["s"]}}}]}],
            "signatures": [{"protected": "e30", "signature": "AA"}],
        })
    }

    #[test]
    fn interfaces_move_here_with_their_paths_and_grpc_and_signatures_are_left_out() {
        let served = relayed(&card(), RELAY, true);
        let urls: Vec<_> = served["supportedInterfaces"].as_array().unwrap().iter().map(|i| i["url"].clone()).collect();
        assert_eq!(urls, [json!(RELAY), json!(format!("{RELAY}/rest"))]);
        assert!(served.get("signatures").is_none());
        assert!(served["securitySchemes"].get("landline").is_none(), "anonymous callers need nothing of ours");
    }

    #[test]
    fn an_exposed_agents_interfaces_are_here_already() {
        let mut card = card();
        card["supportedInterfaces"][0]["url"] = format!("{RELAY}/rpc").into();
        card["supportedInterfaces"][1]["url"] = RELAY.into();
        let served = relayed(&card, RELAY, true);
        assert_eq!(served["supportedInterfaces"][0]["url"], format!("{RELAY}/rpc"));
        assert_eq!(served["supportedInterfaces"][1]["url"], RELAY);
    }

    #[test]
    fn every_requirement_asks_for_our_credential_too() {
        let served = relayed(&card(), RELAY, false);
        let both = |scopes: Value| json!([{"schemes": {"key": {"list": scopes}, "landline": {"list": []}}}]);
        assert_eq!(served["securityRequirements"], both(json!([])));
        assert_eq!(served["skills"][0]["securityRequirements"], both(json!(["s"])));
        assert_eq!(served["securitySchemes"]["landline"]["httpAuthSecurityScheme"]["scheme"], "Bearer");
        let plain = relayed(&json!({"name": "Sum", "description": "Adds numbers."}), RELAY, false);
        assert_eq!(plain["securityRequirements"], json!([{"schemes": {"landline": {"list": []}}}]));
        assert_eq!(plain["supportedInterfaces"][0]["url"], RELAY);
    }
}
