//! What is accepted although it is not good: sentences for the card's author. Pure.

use std::collections::BTreeSet;

use serde_json::Value;

use super::form::is_semver;
use super::read::{Card, objects};
use super::shape::{Members, member, text};
use crate::relay::direct;

/// Members that one sentence names.
const NAMED: usize = 3;

/// The warnings of a card that passed. `old`: members of v0.3 that it has.
pub(super) fn of(card: &Members, read: &Card, old: &[&str], public_url: &str) -> Vec<String> {
    let all = [
        version(read),
        address(read, public_url),
        interface_versions(card),
        old_members(card, old),
        several_flows(card),
        undeclared_schemes(card),
        skills(read),
        repeated_skills(read),
    ];
    all.into_iter().flatten().collect()
}

/// At most a few names, and how many there are besides.
fn some(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{name}`")).collect();
    match names.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn version(read: &Card) -> Option<String> {
    let version = read.version.as_deref().filter(|version| !is_semver(version))?;
    let shown: String = version.chars().take(40).collect();
    Some(format!("`version` should be a semantic version such as 1.2.0; it is `{shown}`."))
}

fn address(read: &Card, public_url: &str) -> Option<String> {
    let Some(url) = &read.url else {
        return Some("The card has no `url`: the agent can only be called over its line.".into());
    };
    // An agent that is called here over its line: whoever reads the card reaches us.
    if url.strip_prefix(public_url).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        return None;
    }
    let field = &read.url_field;
    if !direct::looks_public(url) {
        return Some(format!(
            "`{field}` does not look reachable from elsewhere: the agent can only be called over its line."
        ));
    }
    url.to_ascii_lowercase()
        .starts_with("http:")
        .then(|| format!("`{field}` is not encrypted: A2A wants https, and many clients call nothing else."))
}

fn interface_versions(card: &Members) -> Option<String> {
    let has_own = text(card, "protocolVersion").is_some();
    let silent =
        objects(card, "supportedInterfaces").filter(|interface| text(interface, "protocolVersion").is_none()).count();
    (silent > 0 && !has_own).then(|| "An interface without a `protocolVersion` is taken to speak A2A 1.0.".into())
}

fn old_members(card: &Members, old: &[&str]) -> Option<String> {
    if old.is_empty() {
        return None;
    }
    let names: Vec<String> = old.iter().map(|name| (*name).to_owned()).collect();
    // Servers that speak both versions write both; then nothing has to be changed.
    let is_new = member(card, "supportedInterfaces").is_some();
    let advice = if is_new {
        "clients of A2A 1.0 do not read them"
    } else {
        "`supportedInterfaces` and its like took their place"
    };
    Some(format!("The card has members of A2A 0.3 ({}): {advice}.", some(&names)))
}

fn several_flows(card: &Members) -> Option<String> {
    let schemes = member(card, "securitySchemes").and_then(Value::as_object)?.iter();
    let several = |scheme: &Value| {
        let flows = scheme.as_object().and_then(|scheme| member(scheme, "flows")).and_then(Value::as_object);
        flows.is_some_and(|flows| flows.len() > 1)
    };
    let names: Vec<String> = schemes.filter(|(_, scheme)| several(scheme)).map(|(name, _)| name.clone()).collect();
    let names = (!names.is_empty()).then(|| some(&names))?;
    Some(format!("Security schemes of A2A 1.0 have one OAuth flow: {names} is shown as one scheme for each."))
}

fn undeclared_schemes(card: &Members) -> Option<String> {
    let declared = member(card, "securitySchemes").and_then(Value::as_object);
    let places = || std::iter::once(card).chain(objects(card, "skills"));
    let new = places().flat_map(|place| objects(place, "securityRequirements"));
    let new = new.filter_map(|requirement| member(requirement, "schemes")?.as_object());
    let old = places().flat_map(|place| objects(place, "security"));
    let wanted: BTreeSet<&String> = new.chain(old).flat_map(Members::keys).collect();
    let unknown = wanted.into_iter().filter(|name| declared.is_none_or(|declared| !declared.contains_key(*name)));
    let unknown: Vec<String> = unknown.cloned().collect();
    let unknown = (!unknown.is_empty()).then(|| some(&unknown))?;
    Some(format!("The card requires security schemes that it does not declare: {unknown}."))
}

fn skills(read: &Card) -> Option<String> {
    if read.skills.is_empty() {
        return Some("The card names no skills: it costs rank.".into());
    }
    let empty = |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
    let poor = read.skills.iter().enumerate().filter(|(_, skill)| empty(&skill.name) || empty(&skill.description));
    let poor: Vec<String> = poor.map(|(index, _)| format!("skills[{index}]")).collect();
    let poor = (!poor.is_empty()).then(|| some(&poor))?;
    Some(format!("Every skill should have a name and a description: {poor} costs rank."))
}

fn repeated_skills(read: &Card) -> Option<String> {
    let mut seen = BTreeSet::new();
    let ids = read.skills.iter().filter_map(|skill| skill.id.as_ref());
    let repeated: BTreeSet<&String> = ids.filter(|id| !seen.insert(*id)).collect();
    let repeated: Vec<String> = repeated.into_iter().cloned().collect();
    let repeated = (!repeated.is_empty()).then(|| some(&repeated))?;
    Some(format!("Skills should have ids of their own: {repeated} is there more than once."))
}
