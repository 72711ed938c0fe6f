//! The card of an agent that speaks A2A v0.3, in the shape that its callers read: those of v0.3 find no address in a card
//! of v1.0, while those of v1.0 read both.

use serde_json::{Map, Value, json};

use super::super::a2a::copy;
use super::super::card::member;
use super::{CREDENTIAL, SCHEME, moved};

/// Members of an `AgentCard` of v0.3 that stay as they are.
const KEPT: [&str; 12] = [
    "protocolVersion",
    "name",
    "description",
    "version",
    "provider",
    "iconUrl",
    "documentationUrl",
    "capabilities",
    "securitySchemes",
    "security",
    "skills",
    "supportsAuthenticatedExtendedCard",
];

/// Is it a card of v0.3? Its address tells: v1.0 has a list of interfaces instead.
pub(super) fn is_v03(card: &Map<String, Value>) -> bool {
    let text = |name: &str| member(card, name).and_then(Value::as_str);
    let is_old = text("protocolVersion").is_none_or(|version| version.starts_with("0."));
    member(card, "supportedInterfaces").is_none() && is_old && text("url").is_some()
}

/// The card with its addresses at `relay_url`, without gRPC and signatures.
pub(super) fn relayed(card: &Map<String, Value>, relay_url: &str, is_open: bool) -> Value {
    let mut out = Map::new();
    copy(card, &mut out, &KEPT);
    out.entry("protocolVersion").or_insert_with(|| "0.3.0".into());
    out.entry("version").or_insert_with(|| "0.0.0".into());
    out.entry("capabilities").or_insert_with(|| json!({}));
    out.entry("skills").or_insert_with(|| json!([]));
    for modes in ["defaultInputModes", "defaultOutputModes"] {
        out.insert(modes.into(), member(card, modes).cloned().unwrap_or_else(|| json!(["application/json"])));
    }
    let interfaces = interfaces(card, relay_url);
    let (url, transport) = interfaces.first().cloned().unwrap_or_else(|| (relay_url.into(), "JSONRPC".into()));
    out.insert("url".into(), url.into());
    out.insert("preferredTransport".into(), transport.into());
    let all = interfaces.into_iter().map(|(url, transport)| json!({"url": url, "transport": transport}));
    out.insert("additionalInterfaces".into(), all.collect());
    if !is_open {
        demand_credential(&mut out);
    }
    out.into()
}

/// Addresses and transports that the relay carries, the preferred one first.
fn interfaces(card: &Map<String, Value>, relay_url: &str) -> Vec<(String, String)> {
    let text =
        |object: &Map<String, Value>, name: &str| member(object, name).and_then(Value::as_str).map(str::to_owned);
    let main = text(card, "url").map(|url| (url, text(card, "preferredTransport")));
    let others = member(card, "additionalInterfaces").and_then(Value::as_array).into_iter().flatten();
    let others =
        others.filter_map(Value::as_object).filter_map(|other| Some((text(other, "url")?, text(other, "transport"))));
    let mut out: Vec<(String, String)> = Vec::new();
    for (url, transport) in main.into_iter().chain(others) {
        let transport = transport.unwrap_or_else(|| "JSONRPC".into());
        let url = if url == relay_url { url } else { moved(&url, relay_url) };
        if transport != "GRPC" && !out.contains(&(url.clone(), transport.clone())) {
            out.push((url, transport));
        }
    }
    out
}

/// A call needs the agent's credential and ours.
fn demand_credential(card: &mut Map<String, Value>) {
    let scheme = json!({"type": "http", "scheme": "Bearer", "description": CREDENTIAL});
    card.entry("securitySchemes").or_insert_with(|| json!({}))[SCHEME] = scheme;
    let skills = card.get_mut("skills").and_then(Value::as_array_mut).into_iter().flatten();
    let skills = skills.filter_map(|skill| skill.get_mut("security")?.as_array_mut());
    skills.flatten().for_each(|alternative| alternative[SCHEME] = json!([]));
    match card.get_mut("security").and_then(Value::as_array_mut).filter(|list| !list.is_empty()) {
        Some(list) => list.iter_mut().for_each(|alternative| alternative[SCHEME] = json!([])),
        None => drop(card.insert("security".into(), json!([{SCHEME: []}]))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELAY: &str = "https://relay.example/connect/relay/x";

    fn card() -> Value {
        json!({
            "protocolVersion": "0.3.0", "name": "Sum", "description": "Adds numbers.", "version": "1.0.0",
            "url": "http://127.0.0.1:9999/rpc/", "preferredTransport": "JSONRPC",
            "additionalInterfaces": [
                {"url": "http://127.0.0.1:9999/rpc/", "transport": "JSONRPC"},
                {"url": "http://127.0.0.1:9999/v1", "transport": "HTTP+JSON"},
                {"url": "127.0.0.1:5000", "transport": "GRPC"},
            ],
            "security": [{"key": []}], "x-own": 1,
            "skills": [{"id": "a", "name": "a", "description": "", "tags": [], "security": [{"key": ["s"]}]}],
            "signatures": [{"protected": "e30", "signature": "AA"}],
        })
    }

    fn served(card: &Value, is_open: bool) -> Value {
        super::super::relayed(card, RELAY, is_open)
    }

    #[test]
    fn it_keeps_its_shape_and_its_addresses_move_here() {
        let served = served(&card(), true);
        assert_eq!((&served["url"], &served["protocolVersion"]), (&json!(format!("{RELAY}/rpc")), &json!("0.3.0")));
        assert_eq!(
            served["additionalInterfaces"],
            json!([
                {"url": format!("{RELAY}/rpc"), "transport": "JSONRPC"},
                {"url": format!("{RELAY}/v1"), "transport": "HTTP+JSON"},
            ])
        );
        let gone = ["signatures", "x-own", "supportedInterfaces", "securityRequirements"];
        assert!(gone.iter().all(|name| served.get(name).is_none()), "{served}");
        assert_eq!(served["defaultInputModes"], json!(["application/json"]));
    }

    #[test]
    fn a_credential_is_asked_for_in_its_own_words() {
        let served = served(&card(), false);
        assert_eq!(served["security"], json!([{"key": [], "landline": []}]));
        assert_eq!(served["skills"][0]["security"], json!([{"key": ["s"], "landline": []}]));
        assert_eq!(served["securitySchemes"]["landline"]["type"], "http");
        let plain = json!({"name": "Sum", "url": "http://h/"});
        assert_eq!(super::super::relayed(&plain, RELAY, false)["security"], json!([{"landline": []}]));
    }

    #[test]
    fn where_grpc_was_preferred_another_takes_its_place_and_a_card_of_v1_is_none_of_these() {
        let grpc = json!({"url": "h:1", "preferredTransport": "GRPC", "protocolVersion": "0.3.0",
            "additionalInterfaces": [{"url": "http://h/rest", "transport": "HTTP+JSON"}]});
        let served = served(&grpc, true);
        let expected = (&json!(format!("{RELAY}/rest")), &json!("HTTP+JSON"));
        assert_eq!((&served["url"], &served["preferredTransport"]), expected);
        for other in [json!({"url": "http://h/", "protocolVersion": "1.0"}), json!({"name": "no address"})] {
            assert!(super::super::relayed(&other, RELAY, true).get("supportedInterfaces").is_some());
        }
    }
}
