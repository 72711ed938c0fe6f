//! The exchange's own card. Pure.

use serde_json::{Value, json};

use crate::agents;
use crate::ard::names::Place;

/// What may be asked, for those who have never asked.
pub(crate) const EXAMPLES: [&str; 3] = [
    "Translate a rental contract from German to Spanish",
    "Who can tell me the weather in Lisbon tomorrow?",
    "Review this pull request for security problems",
];

/// The card: of A2A 1.0, with the members by which callers of 0.3 find the same address.
pub(crate) fn card(place: &Place) -> Value {
    let url = format!("{}/a2a", place.api);
    let interface = |version: &str| json!({"url": url, "protocolBinding": "JSONRPC", "protocolVersion": version});
    let mut card = json!({
        "name": format!("Directory enquiries at {}", place.domain),
        "description": "Finds agents. Say what is to be done, and get the agents of this directory that can do it, best \
            first, each with the address at which it is called.",
        "version": env!("CARGO_PKG_VERSION"),
        "supportedInterfaces": [interface("1.0"), interface("0.3")],
        "documentationUrl": format!("{}/docs/ARD", place.public_url),
        "capabilities": {"streaming": false, "pushNotifications": false},
        "defaultInputModes": ["text/plain", "application/json"],
        "defaultOutputModes": ["text/plain", "application/json"],
        "skills": [{
            "id": "find-agents",
            "name": "Find agents for a task",
            "description": "The text of the message is the task. A data part may set `max_results` (1 to 50, otherwise 5), \
                `live_only` (only agents that can be called now) and `why` (with the reasons for each score). The answer \
                is a text for people and a data part with `candidates` and their catalogue `entries`.",
            "tags": ["discovery", "directory"],
            "examples": EXAMPLES,
        }],
    });
    if let Some(members) = card.as_object_mut() {
        agents::add_v03(members);
    }
    card
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn callers_of_either_version_find_the_address() {
        let card = card(&Place::of(&Config::new("/nowhere", "https://relay.example")));
        let url = json!("https://relay.example/connect/a2a");
        assert_eq!((&card["supportedInterfaces"][0]["url"], &card["url"]), (&url, &url));
        assert_eq!((&card["protocolVersion"], &card["preferredTransport"]), (&json!("0.3"), &json!("JSONRPC")));
        assert_eq!(agents::card_fault(&card, "https://relay.example"), None);
        assert_eq!(agents::card_v1(&card, "")["supportedInterfaces"].as_array().map(Vec::len), Some(2));
    }
}
