//! What becomes of a submission, decided without a network.

use serde_json::Value;

/// What is known of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// It waits, for the first look or for another try.
    Queued,
    /// Its card is listed, and looked at again each day.
    Indexed,
    /// It is a catalogue; what it names was queued.
    Catalog,
    /// An agent with this URL is registered here already.
    Known,
    /// There is nothing that could be listed.
    Failed,
    /// Its host says that it will not be there again.
    Gone,
}

impl Status {
    const ALL: [Status; 6] = [Self::Queued, Self::Indexed, Self::Catalog, Self::Known, Self::Failed, Self::Gone];

    /// The word in the API, and in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Indexed => "indexed",
            Self::Catalog => "catalog",
            Self::Known => "known",
            Self::Failed => "failed",
            Self::Gone => "gone",
        }
    }

    /// The status of a stored word.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

/// The words of all statuses.
pub(crate) const STATUSES: [&str; 6] = [
    Status::Queued.as_str(),
    Status::Indexed.as_str(),
    Status::Catalog.as_str(),
    Status::Known.as_str(),
    Status::Failed.as_str(),
    Status::Gone.as_str(),
];

/// Milliseconds until a URL that could not be reached is looked at again, try by try; then no more.
const RETRIES_MS: [i64; 3] = [5 * 60_000, 3_600_000, 24 * 3_600_000];
/// Milliseconds until what is listed is looked at again.
const AGAIN_MS: i64 = 24 * 3_600_000;

/// When a submission is looked at next, after `tries` looks that found its host away; `None`: no more.
pub(crate) fn next_look(status: Status, tries: u32, now_ms: i64) -> Option<i64> {
    let wait = match status {
        Status::Indexed | Status::Catalog => AGAIN_MS,
        Status::Queued => *RETRIES_MS.get(tries.saturating_sub(1) as usize)?,
        Status::Known | Status::Failed | Status::Gone => return None,
    };
    Some(now_ms + wait)
}

/// Entries of a catalogue that are followed.
pub(crate) const MAX_ENTRIES: usize = 200;
/// Catalogues in catalogues that are followed.
pub(crate) const MAX_DEPTH: i64 = 3;

/// Is it a catalogue of a version that we read?
pub(crate) fn is_catalog(value: &Value) -> bool {
    let version = value.get("specVersion").and_then(Value::as_str);
    version.is_some_and(|version| version.split('.').next() == Some("1")) && value["entries"].is_array()
}

/// Media types of what is followed: cards, and catalogues. The member's name differs between the two specifications.
const FOLLOWED: [&str; 3] =
    ["application/a2a-agent-card+json", "application/agent-card+json", "application/ai-catalog+json"];

/// The URLs that a catalogue names, in its order: of cards and of other catalogues. A card that stands in the catalogue
/// itself is not believed: its own URL is looked at.
pub(crate) fn named_by(catalog: &Value) -> Vec<String> {
    let entries = catalog["entries"].as_array().into_iter().flatten();
    let followed = entries.filter(|entry| {
        let kind = entry.get("type").or_else(|| entry.get("mediaType")).and_then(Value::as_str).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        FOLLOWED.contains(&kind)
    });
    let url = |entry: &Value| {
        let data = &entry["data"];
        let inside = data.get("url").or_else(|| data["supportedInterfaces"].get(0).and_then(|first| first.get("url")));
        entry.get("url").or(inside).and_then(Value::as_str).map(str::to_owned)
    };
    followed.filter_map(url).take(MAX_ENTRIES).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn words_are_read_back_and_looks_have_an_end() {
        for status in Status::ALL {
            assert_eq!(Status::of(status.as_str()), Some(status));
        }
        assert_eq!(Status::of("else"), None);
        let waits: Vec<Option<i64>> = (1..=4).map(|tries| next_look(Status::Queued, tries, 0)).collect();
        assert_eq!(waits, [Some(300_000), Some(3_600_000), Some(86_400_000), None]);
        assert_eq!(next_look(Status::Indexed, 0, 5), Some(86_400_005));
        for status in [Status::Known, Status::Failed, Status::Gone] {
            assert_eq!(next_look(status, 0, 0), None);
        }
    }

    #[test]
    fn a_catalogue_names_cards_and_catalogues_by_either_member() {
        let catalog = json!({"specVersion": "1.0", "entries": [
            {"type": "application/a2a-agent-card+json", "url": "https://a.example/card.json"},
            {"mediaType": "application/agent-card+json; v=1", "url": "https://b.example"},
            {"type": "application/ai-catalog+json", "url": "https://c.example/ai-catalog.json"},
            {"type": "application/a2a-agent-card+json", "data": {"url": "https://d.example"}},
            {"type": "application/a2a-agent-card+json", "data": {"supportedInterfaces": [{"url": "https://e.example"}]}},
            {"type": "application/mcp-server-card+json", "url": "https://mcp.example"},
            {"type": "application/a2a-agent-card+json", "url": 7},
            {"url": "https://no-type.example"},
            "nonsense",
        ]});
        assert!(is_catalog(&catalog));
        let letters: Vec<String> = named_by(&catalog).iter().map(|url| url[8..9].to_owned()).collect();
        assert_eq!(letters.join(""), "abcde");
        for other in
            [json!({"specVersion": "2.0", "entries": []}), json!({"specVersion": "1.0"}), json!([]), json!(null)]
        {
            assert!(!is_catalog(&other), "{other}");
            assert!(named_by(&other).is_empty());
        }
        let entry = json!({"type": "application/ai-catalog+json", "url": "https://a.example"});
        let long = json!({"specVersion": "1.0", "entries": vec![entry; MAX_ENTRIES + 1]});
        assert_eq!(named_by(&long).len(), MAX_ENTRIES);
    }
}
