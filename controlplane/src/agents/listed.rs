//! What an agent says of itself, as far as it is found and filed by it. Pure.

use landline_api::agents::{Provider, Skill};
use landline_wire::ids::AgentId;
use serde_json::Value;
use uuid::Uuid;

use super::card::{self, member};
use super::model::Stored;

/// Tags that an agent is filed under, and capabilities: the first ones of its card. Nobody reads more, and an entry must
/// not grow with a card of 200 skills.
const LABELS: usize = 32;

/// What an agent says of itself, for the index of searches and for catalogues.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Listed {
    pub(crate) id: AgentId,
    /// When it registered, unix milliseconds.
    pub(crate) created_at: i64,
    /// When its row last changed, unix milliseconds.
    pub(crate) version: i64,
    pub(crate) name: String,
    pub(crate) tagline: Option<String>,
    pub(crate) description: String,
    pub(crate) category: Option<String>,
    pub(crate) provider: Option<Provider>,
    pub(crate) service_class: Option<String>,
    pub(crate) skills: Vec<Skill>,
    /// What people may ask of it: the first examples of its skills.
    pub(crate) examples: Vec<String>,
    /// The version that its card names.
    pub(crate) card_version: Option<String>,
    /// Does it answer with streams, as its card says?
    pub(crate) streams: bool,
    /// `self_registered` or `federated`.
    pub(crate) source: String,
}

impl Listed {
    /// What a stored agent says.
    pub(crate) fn of(agent: Stored) -> Self {
        let value: Value = serde_json::from_str(&agent.card).unwrap_or_default();
        let card::Card { provider, skills, examples, capabilities, .. } = card::read(&value);
        let streams = capabilities.as_object().and_then(|capabilities| member(capabilities, "streaming"));
        Self {
            id: agent.id,
            created_at: agent.created_at,
            version: agent.updated_at,
            name: agent.name,
            tagline: agent.display.tagline,
            description: agent.description,
            category: agent.display.category,
            provider,
            service_class: agent.service_class,
            skills,
            examples,
            card_version: agent.version,
            streams: streams.and_then(Value::as_bool).unwrap_or(false),
            source: agent.source,
        }
    }

    /// The provider's organization.
    pub(crate) fn organization(&self) -> Option<&str> {
        self.provider.as_ref()?.organization.as_deref().map(str::trim).filter(|name| !name.is_empty())
    }

    /// Who is behind it: the host of the provider's site, and its organization. `None`: the card does not say both.
    pub(crate) fn publisher(&self) -> Option<(String, String)> {
        let site: http::Uri = self.provider.as_ref()?.url.as_deref()?.parse().ok()?;
        let host = site.host()?.to_ascii_lowercase();
        let is_domain =
            host.contains('.') && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
        is_domain.then_some((host, self.organization()?.to_owned()))
    }

    /// What it is filed under: the tags of its skills and its category, in lower case.
    pub(crate) fn tags(&self) -> Vec<String> {
        let tags = self.skills.iter().flat_map(|skill| &skill.tags).chain(&self.category);
        first(tags.map(|tag| tag.trim().to_lowercase()))
    }

    /// The ids of its skills; the name of a skill whose id tells nothing.
    pub(crate) fn capabilities(&self) -> Vec<String> {
        let telling = |id: &&String| id.chars().any(char::is_alphabetic) && id.parse::<Uuid>().is_err();
        let names = self.skills.iter().filter_map(|skill| skill.id.as_ref().filter(telling).or(skill.name.as_ref()));
        first(names.map(|name| name.trim().to_owned()))
    }
}

/// The first labels, each once.
fn first(labels: impl Iterator<Item = String>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for label in labels.filter(|label| !label.is_empty()) {
        if found.len() < LABELS && !found.contains(&label) {
            found.push(label);
        }
    }
    found
}

#[cfg(test)]
impl Listed {
    /// An agent that says nothing but its name.
    pub(crate) fn called(name: &str) -> Self {
        Self {
            id: AgentId::from_parts(1, [1; 10]),
            created_at: 0,
            version: 0,
            name: name.into(),
            tagline: None,
            description: String::new(),
            category: None,
            provider: None,
            service_class: None,
            skills: Vec::new(),
            examples: Vec::new(),
            card_version: None,
            streams: false,
            source: "self_registered".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn skill(id: Option<&str>, name: &str, tags: &[&str]) -> Skill {
        let tags = tags.iter().map(ToString::to_string).collect();
        Skill { id: id.map(str::to_owned), name: Some(name.into()), description: None, tags }
    }

    fn listed(skills: Vec<Skill>, url: Option<&str>, organization: Option<&str>) -> Listed {
        let provider = Provider { organization: organization.map(str::to_owned), url: url.map(str::to_owned) };
        Listed { category: Some("Coding".into()), provider: Some(provider), skills, ..Listed::called("Echo") }
    }

    #[test]
    fn labels_are_each_there_once_and_not_without_end() {
        let agent = listed(vec![skill(Some("a"), "A", &["Legal ", "legal", "", "coding"])], None, None);
        assert_eq!(agent.tags(), ["legal", "coding"], "the category is one of them");
        let many: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(listed(vec![skill(None, "A", &many)], None, None).tags().len(), LABELS);
    }

    #[test]
    fn a_skill_is_called_by_its_id_unless_that_says_nothing() {
        let id = "0190b2c4-0000-7000-8000-000000000001";
        let skills = vec![
            skill(Some("sum"), "Sum", &[]),
            skill(Some("17"), "Count", &[]),
            skill(Some(id), "Draw", &[]),
            skill(None, "Paint", &[]),
            skill(Some("sum"), "Again", &[]),
        ];
        assert_eq!(listed(skills, None, None).capabilities(), ["sum", "Count", "Draw", "Paint"]);
    }

    #[test]
    fn a_publisher_has_a_domain_and_a_name() {
        let of = |url, organization| listed(Vec::new(), url, organization).publisher();
        assert_eq!(of(Some("https://ACME.example/x"), Some(" ACME ")), Some(("acme.example".into(), "ACME".into())));
        for (url, organization) in [
            (None, Some("ACME")),
            (Some("https://acme.example"), None),
            (Some("https://acme.example"), Some(" ")),
            (Some("https://localhost"), Some("ACME")),
            (Some("https://[::1]/"), Some("ACME")),
            (Some("nonsense"), Some("ACME")),
        ] {
            assert_eq!(of(url, organization), None, "{url:?}");
        }
    }
}
