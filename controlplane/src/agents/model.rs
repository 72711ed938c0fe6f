//! The directory, decided without a database: names that are free, who may call, the row that is shown.

use landline_api::agents::{Access, Agent};
use landline_api::time::rfc3339_ms;
use landline_link::{self as link, Policy};
use landline_wire::ids::AgentId;
use serde_json::Value;

use super::card::{self, NAME_CHARS};
use super::display::Display;
use super::reliability::Figures;
use super::standing::{self, Facts};
use super::store::New;
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
    /// A new agent, as it will be read.
    pub(super) fn of_new(new: &New<'_>) -> Self {
        let New { id, card, original, display, source, now_ms } = *new;
        Self {
            id,
            name: card.name.clone(),
            description: card.description.clone(),
            url: card.url.clone(),
            version: card.version.clone(),
            service_class: card.service_class.clone(),
            source: source.to_owned(),
            card: original.to_owned(),
            card_at: now_ms,
            display: display.clone(),
            blocked: false,
            origin_proven: false,
            created_at: now_ms,
            updated_at: now_ms,
            last_seen: now_ms,
            lines: 0,
            last_end: None,
        }
    }

    /// When the agent last gave a sign of life.
    pub(crate) fn last_seen(&self, now_ms: i64) -> i64 {
        if self.lines > 0 { now_ms } else { self.last_seen.max(self.last_end.unwrap_or(0)) }
    }

    /// Can it be called at its URL now? It answered there, and its host stands behind its card.
    fn is_callable(&self, pulse: &Pulse, now_ms: i64) -> bool {
        self.origin_proven && pulse.is_fresh(now_ms)
    }

    /// The row that is shown.
    pub(crate) fn row(&self, known: &Known<'_>, now_ms: i64) -> Agent {
        let value: Value = serde_json::from_str(&self.card).unwrap_or_default();
        let card = card::read(&value);
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

/// Names like a taken one, in the order in which they are offered: numbered on, then with digits of the new agent's id,
/// which nobody else has.
pub(crate) fn similar_names(name: &str, id: AgentId) -> Vec<String> {
    let (stem, number) = match name.rsplit_once('-') {
        Some((stem, digits))
            if !digits.is_empty() && digits.len() <= 3 && digits.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            (stem, digits.parse().unwrap_or(1))
        }
        _ => (name, 1_u32),
    };
    let id = id.to_string().replace('-', "");
    let numbered = (number + 1..=number + 9).map(|number| number.to_string());
    // The last digits of an id are random.
    let random = [6, 8, 12].map(|digits| id[id.len() - digits..].to_owned());
    let suffixes = numbered.chain(random);
    suffixes
        .map(|suffix| {
            let kept: String = stem.chars().take(NAME_CHARS.end() - suffix.len() - 1).collect();
            format!("{kept}-{suffix}")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn offered_names_are_valid_and_differ_from_the_taken_one() {
        let id = AgentId::from_parts(1, [7; 10]);
        for name in ["abc", "a-1", "abc-999", "abc-1000", "a--", &"ä".repeat(100), &"x-7".repeat(33)] {
            let offered = similar_names(name, id);
            assert_eq!(offered.iter().collect::<std::collections::BTreeSet<_>>().len(), 12, "{offered:?}");
            for offered in offered {
                let card = json!({"name": offered, "description": "long enough it is"});
                assert!(card::parse(&card, "card", "").is_ok(), "{offered}");
                assert_ne!(name_key(&offered), name_key(name));
            }
        }
        assert_eq!(similar_names("echo-2", id)[0], "echo-3", "a numbered name goes on");
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
