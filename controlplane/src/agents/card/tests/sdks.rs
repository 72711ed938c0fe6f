//! Cards as the SDKs of A2A write them: made with their own types and written by their own code.

use super::*;
use crate::agents::card_v1;

/// File, the member that holds its URL, its skills, how many warnings, and whether it is all of v1.0.
const CARDS: [(&str, &str, &str, usize, bool); 5] = [
    // a2a-sdk 1.3.0: `agent_card_to_dict`
    (include_str!("../../../../tests/cards/python-1.0.json"), "supportedInterfaces[0].url", "sum sort", 0, true),
    // The same with an interface of v0.3: the SDK then adds the members of v0.3.
    (include_str!("../../../../tests/cards/python-1.0-and-0.3.json"), "url", "sum sort", 1, false),
    // a2a-sdk 0.3.26: `model_dump_json(exclude_none=True)`
    (include_str!("../../../../tests/cards/python-0.3.json"), "url", "now", 2, false),
    // @a2a-js/sdk 1.3.0: `AgentCard.toJSON`
    (include_str!("../../../../tests/cards/javascript-1.0.json"), "supportedInterfaces[0].url", "balance", 0, true),
    // @a2a-js/sdk 0.3.14: a plain object
    (include_str!("../../../../tests/cards/javascript-0.3.json"), "url", "balance", 1, false),
];

#[test]
fn cards_of_the_sdks_are_read() {
    for (text, url_field, skills, warnings, _) in CARDS {
        let mut given: Value = serde_json::from_str(text).unwrap();
        let card = checked(&given).unwrap();
        assert_eq!(card.url_field, format!("card.{url_field}"), "{text}");
        assert_eq!(card.url.as_deref(), at(&mut given, url_field).unwrap().as_str());
        let ids: Vec<&str> = card.skills.iter().filter_map(|skill| skill.id.as_deref()).collect();
        assert_eq!(ids.join(" "), skills);
        assert_eq!(card.warnings.len(), warnings, "{:?}", card.warnings);
        assert!(card.provider.is_some() && card.version.is_some());
    }
}

#[test]
fn cards_of_the_sdks_are_shown_in_the_form_of_v1() {
    for (text, .., is_v1) in CARDS {
        let given: Value = serde_json::from_str(text).unwrap();
        let shown = card_v1(&given, "https://relay.example/connect/relay/x");
        assert_eq!(shown == given, is_v1, "{shown}");
        let is_signed = is_v1 && given["signatures"].is_array();
        assert_eq!(shown["signatures"].is_array(), is_signed, "signatures stay where nothing was converted: {shown}");
        for member in
            ["url", "preferredTransport", "additionalInterfaces", "security", "supportsAuthenticatedExtendedCard"]
        {
            assert!(shown.get(member).is_none() && shown["skills"][0].get(member).is_none(), "{member}");
        }
        let again = card_v1(&shown, "https://relay.example/connect/relay/x");
        assert_eq!(again, shown, "what is shown stays what it is");
        assert_eq!(refused_at(&shown), None, "and passes the checks itself");
        for scheme in shown["securitySchemes"].as_object().into_iter().flatten() {
            assert_eq!(scheme.1.as_object().unwrap().len(), 1, "{scheme:?}");
        }
    }
}
