//! The card of an agent that speaks A2A v1.0 and v0.3: callers of either find in it what they read, as the servers that
//! speak both write it themselves. Pure.

use serde_json::{Map, Value, json};

use super::super::a2a::SCHEMES;
use super::super::card::text;

/// Adds the members of v0.3 to a card of v1.0, if one of its interfaces is of v0.3.
pub(crate) fn add_v03(card: &mut Map<String, Value>) {
    let interfaces = card.get("supportedInterfaces").and_then(Value::as_array).into_iter().flatten();
    let interfaces = interfaces.filter_map(Value::as_object).filter_map(|interface| {
        let version = text(interface, "protocolVersion").filter(|version| version.starts_with("0."))?;
        Some((text(interface, "url")?, text(interface, "protocolBinding")?, version))
    });
    let interfaces: Vec<(&str, &str, &str)> = interfaces.collect();
    let Some((url, transport, version)) = interfaces.first() else { return };
    let old = [
        ("url", json!(url)),
        ("preferredTransport", json!(transport)),
        ("protocolVersion", json!(version)),
        (
            "additionalInterfaces",
            interfaces.iter().map(|(url, transport, _)| json!({"url": url, "transport": transport})).collect(),
        ),
    ];
    let is_extended = card["capabilities"]["extendedAgentCard"] == true;
    card.extend(old.map(|(name, value)| (name.to_owned(), value)));
    if is_extended {
        card.insert("supportsAuthenticatedExtendedCard".into(), true.into());
    }
    add_security(card);
    let skills = card.get_mut("skills").and_then(Value::as_array_mut).into_iter().flatten();
    skills.filter_map(Value::as_object_mut).for_each(add_security);
    let schemes = card.get_mut("securitySchemes").and_then(Value::as_object_mut).into_iter().flatten();
    schemes.filter_map(|(_, scheme)| scheme.as_object_mut()).for_each(add_type);
}

/// Adds `security` to a card or a skill that has requirements.
fn add_security(object: &mut Map<String, Value>) {
    let Some(requirements) = object.get("securityRequirements").and_then(Value::as_array) else { return };
    let old = requirements.iter().map(|requirement| {
        let schemes = requirement["schemes"].as_object().into_iter().flatten();
        let scopes = |list: &Value| list.get("list").cloned().unwrap_or_else(|| json!([]));
        Value::Object(schemes.map(|(name, list)| (name.clone(), scopes(list))).collect())
    });
    let old: Value = old.collect();
    object.insert("security".into(), old);
}

/// Adds the `type` of a scheme, and its members beside it.
fn add_type(scheme: &mut Map<String, Value>) {
    let found = SCHEMES.iter().find_map(|(kind, old)| Some((*old, scheme.get(*kind)?.as_object()?.clone())));
    let Some((old, mut members)) = found else { return };
    if let Some(location) = members.remove("location") {
        members.insert("in".into(), location);
    }
    scheme.extend(members);
    scheme.insert("type".into(), old.into());
}

#[cfg(test)]
mod tests {
    use super::super::{relayed, v03};
    use super::*;
    use crate::agents::{card, card_v1};

    const RELAY: &str = "https://relay.example/connect/relay/x";
    const BOTH: &str = include_str!("../../../tests/cards/python-1.0-and-0.3.json");

    #[test]
    fn callers_of_either_version_find_their_address() {
        let given: Value = serde_json::from_str(BOTH).unwrap();
        let served = relayed(&given, RELAY, false);
        assert!(card::parse(&served, "card", "https://relay.example").is_ok());
        assert_eq!((&served["url"], &served["protocolVersion"]), (&json!(format!("{RELAY}/jsonrpc")), &json!("0.3")));
        assert_eq!(served["supportedInterfaces"].as_array().unwrap().len(), 3);
        assert_eq!(
            served["additionalInterfaces"],
            json!([{"url": format!("{RELAY}/jsonrpc"), "transport": "JSONRPC"}]),
            "the others do not speak v0.3"
        );
        assert_eq!(served["supportsAuthenticatedExtendedCard"], true);
        assert_eq!(served["security"], json!([{"key": [], "landline": []}, {"oauth": ["sum"], "landline": []}]));
        assert_eq!(served["skills"][0]["security"], json!([{"oauth": ["sum"], "landline": []}]));
        let (key, ours) = (&served["securitySchemes"]["key"], &served["securitySchemes"]["landline"]);
        assert_eq!((&key["type"], &key["in"], &key["name"]), (&json!("apiKey"), &json!("header"), &json!("X-Key")));
        assert_eq!((&ours["type"], &ours["scheme"]), (&json!("http"), &json!("Bearer")));
    }

    #[test]
    fn what_callers_of_v1_read_is_not_touched() {
        let given: Value = serde_json::from_str(BOTH).unwrap();
        let served = relayed(&given, RELAY, true);
        let mut shown = card_v1(&served, RELAY);
        for interface in shown["supportedInterfaces"].as_array_mut().unwrap() {
            interface["url"] = interface["url"].as_str().unwrap().replace(RELAY, "https://sums.example").into();
        }
        assert_eq!(shown, card_v1(&given, RELAY));
        assert!(!v03::is_v03(served.as_object().unwrap()));
    }

    #[test]
    fn an_agent_of_v1_alone_gets_no_member_of_v03() {
        let mut given: Value = serde_json::from_str(BOTH).unwrap();
        given["supportedInterfaces"][0]["protocolVersion"] = "1.0".into();
        let served = relayed(&given, RELAY, false);
        let old = ["url", "preferredTransport", "additionalInterfaces", "security", "protocolVersion"];
        assert!(old.iter().all(|name| served.get(name).is_none()), "{served}");
        assert!(served["securitySchemes"]["key"].get("type").is_none());
    }
}
