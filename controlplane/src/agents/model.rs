//! The directory, decided without a database: names that are free, texts to search, the row that is shown.

use landline_api::agents::{Access, Agent};
use landline_api::time::rfc3339_ms;
use landline_link::{self as link, Policy};
use landline_wire::ids::AgentId;
use serde_json::Value;

use super::card::{self, Card, NAME_CHARS};
use super::display::Display;
use super::reliability::Figures;
use super::standing::{self, Facts};
use crate::pulse::Pulse;

/// The stored part of an agent, as its row is made from.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) id: AgentId,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) url: Option<String>,
    pub(crate) version: Option<String>,
    pub(crate) service_class: Option<String>,
    pub(crate) source: String,
    /// The card exactly as it was given.
    pub(crate) card: String,
    pub(crate) card_at: i64,
    pub(crate) display: Display,
    pub(crate) blocked: bool,
    /// Was it proven that the host of `url` stands behind the card?
    pub(crate) origin_proven: bool,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) last_seen: i64,
    /// Lines that are up.
    pub(crate) lines: u64,
    /// When its last line went.
    pub(crate) last_end: Option<i64>,
}

impl Stored {
    /// When the agent last gave a sign of life.
    pub(crate) fn last_seen(&self, now_ms: i64) -> i64 {
        if self.lines > 0 { now_ms } else { self.last_seen.max(self.last_end.unwrap_or(0)) }
    }

    /// Can it be called at its URL now? It answered there, and its host stands behind its card.
    fn is_callable(&self, pulse: &Pulse, now_ms: i64) -> bool {
        self.origin_proven && pulse.is_fresh(now_ms)
    }

    /// The row that is shown. A stored card passed its checks when it was given; should a later version of the checks
    /// refuse it, its lists are shown empty.
    pub(crate) fn row(&self, known: &Known<'_>, now_ms: i64) -> Agent {
        let value: Value = serde_json::from_str(&self.card).unwrap_or_default();
        let card = card::parse(&value, "card").unwrap_or_else(|_| Card::empty());
        let Known { figures, pulse, lines, dormant_after_ms } = known;
        let (attached, callable) = (*lines > 0, self.is_callable(pulse, now_ms));
        let online = attached || callable;
        let quality = standing::quality(&value, &card, attached, callable, false);
        let reliability = figures.shown(self.last_seen(now_ms));
        let tier = standing::tier(
            &Facts {
                created_at: self.created_at,
                is_online: online,
                last_seen: self.last_seen(now_ms),
                has_failed_long: pulse.failed_for(*dormant_after_ms, now_ms),
                uptime_24h: figures.uptime_24h,
                uptime_7d: figures.uptime_7d,
                success_24h: reliability.success_rate_24h,
                callers: figures.callers,
                quality: &quality,
                service_class: self.service_class.as_deref(),
            },
            now_ms,
        );
        Agent {
            id: self.id,
            name: self.name.clone(),
            description: self.description.clone(),
            tagline: self.display.tagline.clone(),
            category: self.display.category.clone(),
            accent_color: self.display.accent_color.clone(),
            banner_url: self.display.banner_url.clone(),
            url: self.url.clone(),
            version: self.version.clone(),
            provider: card.provider,
            skills: card.skills,
            capabilities: card.capabilities,
            service_class: self.service_class.clone(),
            access: self.display.access,
            source: self.source.clone(),
            online,
            attached,
            pulse: pulse.shown(),
            quality,
            tier: tier.as_str().into(),
            claimed: false,
            verified: false,
            provider_verified: false,
            rekor: None,
            reliability,
            created_at: rfc3339_ms(self.created_at),
            updated_at: rfc3339_ms(self.updated_at),
            last_seen: rfc3339_ms(self.last_seen(now_ms)),
        }
    }
}

/// What other slices know of an agent, for its row.
#[derive(Debug)]
pub(crate) struct Known<'a> {
    pub(crate) figures: &'a Figures,
    pub(crate) pulse: &'a Pulse,
    /// Lines that are up and not about to end.
    pub(crate) lines: u64,
    /// Milliseconds of failing probes after which it is dormant.
    pub(crate) dormant_after_ms: i64,
}

/// Does a card, as it was fetched from somewhere, name this agent?
pub(crate) fn is_named(card: &Value, agent: &Stored) -> bool {
    card.get("name").and_then(Value::as_str).is_some_and(|name| name_key(name) == name_key(&agent.name))
}

/// The policy that the switches enforce.
pub(crate) fn policy(display: &Display) -> Policy {
    let access = match display.access {
        Access::Agents => link::Access::Agents,
        Access::Listed => link::Access::Listed,
        Access::Public => link::Access::Public,
    };
    let allow = if access == link::Access::Listed { display.allow.clone() } else { Vec::new() };
    Policy { access, allow }
}

/// The stored text of an access.
pub(crate) fn access_text(access: Access) -> &'static str {
    match access {
        Access::Agents => "agents",
        Access::Listed => "listed",
        Access::Public => "public",
    }
}

/// The key under which a name is unique.
pub(crate) fn name_key(name: &str) -> String {
    name.to_lowercase()
}

/// Names like a taken one, in the order in which they are offered.
pub(crate) fn similar_names(name: &str) -> Vec<String> {
    (2..=30)
        .map(|n| {
            let suffix = format!("-{n}");
            let kept: String = name.chars().take(NAME_CHARS.end() - suffix.len()).collect();
            format!("{kept}{suffix}")
        })
        .collect()
}

/// All that an agent can be found by, in lower case, a line per field.
pub(crate) fn search_text(card: &Card, display: &Display) -> String {
    let mut lines = vec![card.name.clone(), card.description.clone()];
    lines.extend(display.tagline.clone());
    for skill in &card.skills {
        lines.extend([&skill.name, &skill.id, &skill.description].into_iter().flatten().cloned());
        lines.extend(skill.tags.iter().cloned());
    }
    lines.join("\n").to_lowercase()
}

/// The terms of an agent, each with its kind, in lower case, without repetition.
pub(crate) fn terms(card: &Card) -> Vec<(&'static str, String)> {
    let mut terms: Vec<(&'static str, String)> = Vec::new();
    for skill in &card.skills {
        terms.extend([&skill.id, &skill.name].into_iter().flatten().map(|text| ("skill", text.trim().to_lowercase())));
        terms.extend(skill.tags.iter().map(|tag| ("tag", tag.trim().to_lowercase())));
    }
    terms.retain(|(_, term)| !term.is_empty() && term.chars().count() <= 100);
    terms.sort_unstable();
    terms.dedup();
    terms
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn offered_names_are_valid_and_differ_from_the_taken_one() {
        for name in ["abc", &"ä".repeat(100)] {
            for offered in similar_names(name) {
                let card = json!({"name": offered, "description": "long enough it is"});
                assert!(card::parse(&card, "card").is_ok(), "{offered}");
                assert_ne!(name_key(&offered), name_key(name));
            }
        }
    }

    #[test]
    fn terms_are_lower_case_and_named_once() {
        let card = json!({"name": "abc", "description": "long enough it is", "skills": [
            {"id": "Sum", "name": "sum", "description": "x", "tags": ["Math", "math", " "]},
        ]});
        let card = card::parse(&card, "card").unwrap();
        assert_eq!(terms(&card), [("skill", "sum".to_owned()), ("tag", "math".to_owned())]);
        assert!(search_text(&card, &Display::default()).contains("math"));
    }

    #[test]
    fn only_listed_policies_carry_a_list() {
        let allow = vec![AgentId::from_parts(1, [1; 10])];
        let display = |access| Display { access, allow: allow.clone(), ..Display::default() };
        assert_eq!(policy(&display(Access::Listed)).allow, allow);
        assert_eq!(policy(&display(Access::Agents)), Policy::default());
        assert!(policy(&display(Access::Public)).allow.is_empty());
    }
}
