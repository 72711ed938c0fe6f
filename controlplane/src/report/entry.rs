//! What is counted of one agent. Pure.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::agents::FEDERATED;
use crate::agents::census::Counted;
use crate::pulse::Verdict;

const HOUR_MS: i64 = 3_600_000;
/// A probe counts for so long before the moment of the cross-section.
pub(super) const PROBED_WITHIN_MS: i64 = 24 * HOUR_MS;
/// Who registered within so long before it has joined of late.
pub(super) const JOINED_WITHIN_MS: i64 = 30 * 24 * HOUR_MS;

/// Where an agent's service class comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Origin {
    /// Its card declares it.
    Declared,
    /// Its tags suggest it.
    Inferred,
    /// It has none.
    None,
}

impl Origin {
    /// The word in an edition.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Declared => "declared",
            Self::Inferred => "inferred",
            Self::None => "none",
        }
    }
}

/// The class of those that have none.
pub(super) const UNKNOWN: &str = "unknown";

/// Tags that suggest a service class. Few and telling on purpose: a tag names what an agent does more often than when it
/// is there.
const SUGGESTING: [(&str, &[&str]); 3] = [
    ("utility", &["24/7", "24x7", "always-on", "high-availability", "uptime", "utility"]),
    ("principal", &["assistant", "on-behalf-of", "personal", "personal-agent", "personal-assistant", "principal"]),
    ("ephemeral", &["ephemeral", "one-off", "one-shot", "short-lived", "task-scoped", "temporary"]),
];

/// The class that tags suggest; none if they suggest several.
pub(super) fn inferred(tags: &BTreeSet<String>) -> Option<&'static str> {
    let mut found = SUGGESTING.iter().filter(|(_, telling)| telling.iter().any(|tag| tags.contains(*tag)));
    let (class, _) = found.next()?;
    found.next().is_none().then_some(class)
}

/// One agent.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) is_federated: bool,
    pub(super) has_url: bool,
    pub(super) has_joined_of_late: bool,
    /// The last verdict, as a word.
    pub(super) verdict: String,
    pub(super) was_probed: bool,
    pub(super) is_discoverable: bool,
    pub(super) is_responsive: bool,
    pub(super) is_attached: bool,
    pub(super) is_online: bool,
    pub(super) is_signed: bool,
    /// Its service class and where that comes from.
    pub(super) class: (String, Origin),
    /// Versions of A2A that its interfaces declare.
    pub(super) versions: BTreeSet<String>,
    /// Bindings that its interfaces declare.
    pub(super) bindings: BTreeSet<String>,
    pub(super) streams: bool,
    pub(super) pushes: bool,
    pub(super) passed: bool,
    pub(super) missing: Vec<String>,
    pub(super) tier: String,
    pub(super) category: Option<String>,
    pub(super) skills: u64,
    /// Tags of its skills, in lower case.
    pub(super) tags: BTreeSet<String>,
}

impl Entry {
    /// What is counted of an agent at a moment, unix milliseconds.
    pub(super) fn of(counted: Counted, as_of: i64) -> Self {
        let Counted { row, card, is_signed, created_at, probed_at, card_seen_at } = counted;
        let is_recent = |at: Option<i64>| at.is_some_and(|at| as_of - at <= PROBED_WITHIN_MS);
        let (has_url, was_probed) = (row.url.is_some(), row.url.is_some() && is_recent(probed_at));
        let tags = row.skills.iter().flat_map(|skill| &skill.tags).map(|tag| tag.trim().to_lowercase());
        let tags: BTreeSet<String> = tags.filter(|tag| !tag.is_empty()).collect();
        let is_federated = row.source == FEDERATED;
        let interfaces: Vec<&Value> = card["supportedInterfaces"].as_array().into_iter().flatten().collect();
        // An interface without an address stands for a card that names none.
        let declared = |member: &str| -> BTreeSet<String> {
            let named =
                interfaces.iter().filter(|interface| interface["url"].as_str().is_some_and(|url| !url.is_empty()));
            named.filter_map(|interface| interface[member].as_str().map(str::to_owned)).collect()
        };
        Self {
            is_federated,
            has_url,
            has_joined_of_late: as_of - created_at <= JOINED_WITHIN_MS,
            was_probed,
            is_discoverable: has_url && is_recent(card_seen_at),
            is_responsive: was_probed && row.pulse.verdict == Verdict::Callable.as_str(),
            verdict: row.pulse.verdict,
            is_attached: row.attached,
            is_online: row.online,
            is_signed,
            class: class(row.service_class, is_federated, &tags),
            versions: declared("protocolVersion"),
            bindings: declared("protocolBinding"),
            streams: card["capabilities"]["streaming"] == true,
            pushes: card["capabilities"]["pushNotifications"] == true,
            passed: row.quality.passed,
            missing: row.quality.missing,
            tier: row.tier,
            category: row.category,
            skills: row.skills.len() as u64,
            tags,
        }
    }
}

fn class(declared: Option<String>, is_federated: bool, tags: &BTreeSet<String>) -> (String, Origin) {
    if let Some(class) = declared {
        return (class, Origin::Declared);
    }
    // Who registered could have declared one, and did not.
    match inferred(tags).filter(|_| is_federated) {
        Some(class) => (class.to_owned(), Origin::Inferred),
        None => (UNKNOWN.to_owned(), Origin::None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_is_guessed_from_telling_tags_of_agents_that_were_found_and_of_nobody_else() {
        let tags = |tags: &[&str]| tags.iter().map(|tag| (*tag).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(inferred(&tags(&["maths", "always-on"])), Some("utility"));
        assert_eq!(inferred(&tags(&["always-on", "personal"])), None, "they disagree");
        assert_eq!(inferred(&tags(&["translation"])), None);
        let found = class(None, true, &tags(&["one-shot"]));
        assert_eq!(found, ("ephemeral".into(), Origin::Inferred));
        assert_eq!(class(None, false, &tags(&["one-shot"])), (UNKNOWN.into(), Origin::None));
        assert_eq!(class(Some("utility".into()), true, &tags(&["one-shot"])), ("utility".into(), Origin::Declared));
    }

    #[test]
    fn no_tag_suggests_two_classes() {
        let all: Vec<&str> = SUGGESTING.iter().flat_map(|(_, tags)| tags.iter().copied()).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert!(all.iter().all(|tag| *tag == tag.to_lowercase()));
    }
}
