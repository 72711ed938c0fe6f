//! Agent Cards on their way: the addresses in a card follow the agent to where it is reached.

use serde_json::{Map, Value};

/// A card's object.
pub type Card = Map<String, Value>;

/// The lists of interfaces, in v1.0 and v0.3, in both spellings.
const LISTS: [&str; 4] =
    ["supportedInterfaces", "supported_interfaces", "additionalInterfaces", "additional_interfaces"];

/// Rewrites the URL of every interface; one for which there is no URL goes, and so does gRPC, which is not carried.
/// Signatures go too: they were made over the old addresses.
pub fn point(card: &mut Card, to: impl Fn(&str) -> Option<String>) {
    card.remove("signatures");
    for list in LISTS {
        let Some(Value::Array(interfaces)) = card.get_mut(list) else { continue };
        interfaces.retain_mut(|interface| {
            let Some(interface) = interface.as_object_mut() else { return false };
            let Some(url) = interface.get("url").and_then(Value::as_str).and_then(&to) else { return false };
            interface.insert("url".into(), url.into());
            !is_grpc(interface)
        });
        if interfaces.is_empty() {
            card.remove(list);
        }
    }
    point_v03(card, to);
}

/// The main address of a v0.3 card; if it is lost, the first of the others takes its place.
fn point_v03(card: &mut Card, to: impl Fn(&str) -> Option<String>) {
    let Some(url) = card.remove("url") else { return };
    let preferred = ["preferredTransport", "preferred_transport"].into_iter().find(|name| card.contains_key(*name));
    let is_grpc =
        preferred.is_some_and(|name| card[name].as_str().is_some_and(|name| name.eq_ignore_ascii_case("grpc")));
    if let Some(url) = url.as_str().and_then(to).filter(|_| !is_grpc) {
        card.insert("url".into(), url.into());
        return;
    }
    if let Some(name) = preferred {
        card.remove(name);
    }
    let other = LISTS[2..].iter().find_map(|list| card.get(*list)?.get(0)?.as_object().cloned());
    if let Some(other) = other {
        card.insert("url".into(), other["url"].clone());
        if let Some(transport) = other.get("transport") {
            card.insert("preferredTransport".into(), transport.clone());
        }
    }
}

fn is_grpc(interface: &Card) -> bool {
    let names = ["protocolBinding", "protocol_binding", "transport"];
    names.iter().filter_map(|name| interface.get(*name)?.as_str()).any(|binding| binding.eq_ignore_ascii_case("grpc"))
}

/// What stands behind `base` in a URL's path; `None` if the path does not begin with it. Scheme and host do not count:
/// a server seldom knows under which name it is reached.
pub fn path_below(url: &str, base: &str) -> Option<String> {
    let uri: http::Uri = url.parse().ok()?;
    uri.authority()?;
    let rest = uri.path().strip_prefix(base)?;
    let rest = rest.trim_end_matches('/');
    (rest.is_empty() || rest.starts_with('/')).then(|| rest.to_owned())
}

/// Takes a security scheme out of a card and its skills: whoever serves the card fulfils it for its clients.
pub fn fulfil(card: &mut Card, scheme: &str) {
    let Some(Value::Object(schemes)) = card.get_mut("securitySchemes") else { return };
    if schemes.remove(scheme).is_none() {
        return;
    }
    if schemes.is_empty() {
        card.remove("securitySchemes");
    }
    release(card, scheme);
    release_v03(card, scheme);
    for skill in card.get_mut("skills").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(skill) = skill.as_object_mut() {
            release(skill, scheme);
            release_v03(skill, scheme);
        }
    }
}

fn release(object: &mut Card, scheme: &str) {
    let Some(Value::Array(alternatives)) = object.get_mut("securityRequirements") else { return };
    for alternative in alternatives.iter_mut() {
        if let Some(Value::Object(schemes)) = alternative.get_mut("schemes") {
            schemes.remove(scheme);
        }
    }
    // One alternative without any scheme asks for nothing.
    let is_free = |alternative: &Value| {
        alternative.get("schemes").and_then(Value::as_object).is_none_or(|schemes| schemes.is_empty())
    };
    if alternatives.iter().any(is_free) {
        object.remove("securityRequirements");
    }
}

/// The same in v0.3, where an alternative is its schemes.
fn release_v03(object: &mut Card, scheme: &str) {
    let Some(Value::Array(alternatives)) = object.get_mut("security") else { return };
    alternatives.iter_mut().filter_map(Value::as_object_mut).for_each(|schemes| drop(schemes.remove(scheme)));
    if alternatives.iter().any(|alternative| alternative.as_object().is_none_or(|schemes| schemes.is_empty())) {
        object.remove("security");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn card(value: Value) -> Card {
        value.as_object().cloned().unwrap()
    }

    fn moved(value: Value) -> Value {
        let mut card = card(value);
        point(&mut card, |url| Some(format!("https://relay/x{}", path_below(url, "/app")?)));
        card.into()
    }

    #[test]
    fn interfaces_move_with_their_paths_and_grpc_stays_behind() {
        let given = json!({
            "name": "Sum",
            "supportedInterfaces": [
                {"url": "http://localhost:9/app/rpc/", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
                {"url": "http://0.0.0.0:9/app", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"},
                {"url": "http://localhost:9/app", "protocolBinding": "GRPC", "protocolVersion": "1.0"},
                {"url": "http://localhost:9/apple", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
                {"url": "localhost:9", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
            ],
            "signatures": [{"protected": "e30", "signature": "AA"}],
        });
        assert_eq!(
            moved(given),
            json!({
                "name": "Sum",
                "supportedInterfaces": [
                    {"url": "https://relay/x/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
                    {"url": "https://relay/x", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"},
                ],
            })
        );
    }

    #[test]
    fn a_card_of_v03_keeps_an_address_that_is_carried() {
        let given = json!({
            "url": "http://h/app/grpc", "preferredTransport": "GRPC",
            "additionalInterfaces": [{"url": "http://h/app/v1", "transport": "HTTP+JSON"}],
        });
        let expected = json!({
            "url": "https://relay/x/v1", "preferredTransport": "HTTP+JSON",
            "additionalInterfaces": [{"url": "https://relay/x/v1", "transport": "HTTP+JSON"}],
        });
        assert_eq!(moved(given), expected);
        assert_eq!(moved(json!({"url": "http://h/app/"})), json!({"url": "https://relay/x"}));
        assert_eq!(moved(json!({"url": "http://h/other"})), json!({}));
    }

    #[test]
    fn a_scheme_that_is_fulfilled_is_asked_of_nobody() {
        let mut both = card(json!({
            "securitySchemes": {"landline": {"httpAuthSecurityScheme": {"scheme": "bearer"}}, "key": {}},
            "securityRequirements": [{"schemes": {"landline": {"list": []}, "key": {"list": []}}}],
            "skills": [{"securityRequirements": [{"schemes": {"landline": {"list": []}}}]}],
        }));
        fulfil(&mut both, "landline");
        let rest = json!({
            "securitySchemes": {"key": {}},
            "securityRequirements": [{"schemes": {"key": {"list": []}}}],
            "skills": [{}],
        });
        assert_eq!(Value::from(both), rest);
        let mut alone = card(json!({
            "securitySchemes": {"landline": {}},
            "securityRequirements": [{"schemes": {"landline": {"list": []}}}],
        }));
        fulfil(&mut alone, "landline");
        assert_eq!(Value::from(alone), json!({}));
        let mut old = card(json!({
            "securitySchemes": {"landline": {"type": "http"}, "key": {}},
            "security": [{"landline": [], "key": []}],
            "skills": [{"security": [{"landline": []}]}],
        }));
        fulfil(&mut old, "landline");
        let rest = json!({"securitySchemes": {"key": {}}, "security": [{"key": []}], "skills": [{}]});
        assert_eq!(Value::from(old), rest);
    }
}
