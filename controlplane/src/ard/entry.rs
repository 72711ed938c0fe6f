//! An agent of the directory as an entry. Pure.

use std::collections::BTreeMap;

use landline_api::agents::Agent;
use landline_api::ard::{CARD_TYPE, Entry, Publisher};
use landline_api::time::rfc3339_ms;
use serde_json::Value;

use super::names::Place;
use crate::agents::Listed;

/// Characters of a description: entries are read by the hundred.
const DESCRIPTION_CHARS: usize = 300;
/// Characters of a query that represents an agent.
const QUERY_CHARS: usize = 200;
/// How many of them there are, if there are any.
const QUERIES: std::ops::RangeInclusive<usize> = 2..=5;

/// What all our names in an entry's `metadata` begin with: the same at every exchange, so that a filter means the same
/// at each of them.
macro_rules! metadata {
    ($name:literal) => {
        concat!("landline.", $name)
    };
}
pub(super) use metadata;

/// The entry of an agent: what stays as it is until the agent changes it.
pub(crate) fn entry(agent: &Listed, place: &Place) -> Entry {
    let text = |text: &Option<String>| text.as_deref().map(Value::from);
    let metadata = [
        (metadata!("agentId"), Some(agent.id.to_string().into())),
        (metadata!("category"), text(&agent.category)),
        (metadata!("relayUrl"), Some(place.relay_url(agent.id).into())),
        (metadata!("serviceClass"), text(&agent.service_class)),
        (metadata!("source"), Some(agent.source.as_str().into())),
        (metadata!("streaming"), Some(agent.streams.into())),
    ];
    let says = agent.tagline.as_deref().filter(|tagline| !tagline.trim().is_empty()).unwrap_or(&agent.description);
    let queries: Vec<String> = agent.examples.iter().map(|example| brief(example, QUERY_CHARS)).collect();
    Entry {
        identifier: place.agent_urn(agent.id),
        display_name: agent.name.clone(),
        kind: CARD_TYPE.into(),
        media_type: Some(CARD_TYPE.into()),
        // The card with the addresses at which the agent is called here: it leads to every agent, also behind NAT.
        url: Some(format!("{}/.well-known/agent-card.json", place.relay_url(agent.id))),
        data: None,
        description: Some(brief(says, DESCRIPTION_CHARS)),
        tags: agent.tags(),
        capabilities: agent.capabilities(),
        representative_queries: if QUERIES.contains(&queries.len()) { queries } else { Vec::new() },
        version: agent.card_version.clone(),
        updated_at: Some(rfc3339_ms(agent.version)),
        publisher: agent.publisher().map(|(identifier, display_name)| Publisher {
            identifier,
            display_name,
            identity_type: Some("dns".into()),
        }),
        metadata: metadata.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect(),
        trust_manifest: None,
    }
}

/// Adds what is true at this moment; for answers that nobody keeps.
pub(crate) fn add_state(entry: &mut Entry, agent: &Agent) {
    let state: [(&str, Value); 6] = [
        (metadata!("online"), agent.online.into()),
        (metadata!("pulse"), agent.pulse.verdict.as_str().into()),
        (metadata!("tier"), agent.tier.as_str().into()),
        (metadata!("claimed"), agent.claimed.into()),
        (metadata!("verified"), agent.verified.into()),
        (metadata!("providerVerified"), agent.provider_verified.into()),
    ];
    entry.metadata.extend(state.map(|(name, value)| (name.to_owned(), value)));
}

/// An entry that is no agent.
pub(crate) fn other(identifier: String, display_name: String, kind: &str, url: String, description: &str) -> Entry {
    Entry {
        identifier,
        display_name,
        kind: kind.into(),
        media_type: Some(kind.into()),
        url: Some(url),
        data: None,
        description: Some(description.into()),
        tags: Vec::new(),
        capabilities: Vec::new(),
        representative_queries: Vec::new(),
        version: None,
        updated_at: None,
        publisher: None,
        metadata: BTreeMap::new(),
        trust_manifest: None,
    }
}

/// A text in one line of at most so many characters, cut between words where there are any.
fn brief(text: &str, chars: usize) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= chars {
        return text;
    }
    let cut: String = text.chars().take(chars - 1).collect();
    let whole_words = cut.rsplit_once(' ').map_or(cut.as_str(), |(head, _)| head);
    format!("{whole_words}…")
}
