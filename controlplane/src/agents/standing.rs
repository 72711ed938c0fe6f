//! What an agent's entry is worth: what a good entry has, and how far the agent has got. Pure; the rules are written down
//! for everybody in `docs/LISTING.md`.

use landline_api::agents::Quality;
use serde_json::Value;

use super::card::{self, Card};

const DAY_MS: i64 = 24 * 3_600_000;

/// Who called an agent in the last seven days, and was answered. Only callers count that have been registered for a week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Callers {
    /// How many.
    pub(crate) distinct: u64,
    /// Their calls.
    pub(crate) calls: u64,
}

/// Words of what a good entry has, in the order in which they are reported. They do not change.
pub(crate) const ENDPOINT: &str = "endpoint";
pub(crate) const REACHABLE: &str = "reachable";
pub(crate) const SKILLS: &str = "skills";
pub(crate) const SKILL_TEXT: &str = "skill_text";
pub(crate) const VERSION: &str = "version";
pub(crate) const SCHEMA: &str = "schema";
pub(crate) const SIGNATURE: &str = "signature";

/// Members that A2A's schema requires and registration does not.
const REQUIRED_BY_A2A: [&str; 3] = ["capabilities", "defaultInputModes", "defaultOutputModes"];

/// What is missing of a good entry. `given` is the card as it was given and `card` what we read of it. A signature is no
/// condition for passing: it is named because it earns a badge.
pub(crate) fn quality(given: &Value, card: &Card, is_attached: bool, is_callable: bool, is_verified: bool) -> Quality {
    let has = |member: &str| given.as_object().is_some_and(|given| card::member(given, member).is_some());
    let says = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
    let conditions = [
        (ENDPOINT, is_attached || card.url.is_some() || has("supportedInterfaces")),
        (REACHABLE, is_attached || is_callable),
        (SKILLS, !card.skills.is_empty()),
        (SKILL_TEXT, card.skills.iter().all(|skill| says(&skill.name) && says(&skill.description))),
        (VERSION, card.version.as_deref().is_some_and(card::is_semver)),
        (SCHEMA, REQUIRED_BY_A2A.iter().all(|member| has(member))),
        (SIGNATURE, is_verified),
    ];
    let missing: Vec<&str> = conditions.iter().filter(|(_, met)| !met).map(|(word, _)| *word).collect();
    let passed = missing.iter().all(|word| *word == SIGNATURE);
    Quality { passed, missing: missing.into_iter().map(str::to_owned).collect() }
}

/// What a tier is decided from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Facts<'a> {
    /// When it registered, unix milliseconds.
    pub(crate) created_at: i64,
    pub(crate) is_online: bool,
    /// Its last sign of life, unix milliseconds.
    pub(crate) last_seen: i64,
    /// Have probes failed for as long as the operator waits?
    pub(crate) has_failed_long: bool,
    pub(crate) uptime_24h: Option<f64>,
    pub(crate) uptime_7d: Option<f64>,
    /// Share of the last day's calls that were answered; null without calls.
    pub(crate) success_24h: Option<f64>,
    pub(crate) callers: Callers,
    pub(crate) quality: &'a Quality,
    /// What the card declares.
    pub(crate) service_class: Option<&'a str>,
}

/// How far an agent has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tier {
    /// Gone quiet: it failed or said nothing for long.
    Dormant,
    /// Younger than a day.
    New,
    /// Its entry lacks something, or it was hardly there.
    Basic,
    /// A good entry of an agent that is mostly there.
    Listed,
    /// Others have relied on it for a week.
    Proven,
}

impl Tier {
    /// The word in the API.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Dormant => "dormant",
            Self::New => "new",
            Self::Basic => "basic",
            Self::Listed => "listed",
            Self::Proven => "proven",
        }
    }
}

/// The words of the tiers, from the first that is looked for to the last.
pub(crate) const TIERS: [&str; 5] =
    [Tier::Dormant.as_str(), Tier::New.as_str(), Tier::Basic.as_str(), Tier::Listed.as_str(), Tier::Proven.as_str()];

/// Without a sign of life for so long an agent is dormant, whatever its card declares.
const SILENT_MS: i64 = 7 * DAY_MS;
/// Age from which an agent is not new, and from which it can be proven.
const GROWN_MS: i64 = DAY_MS;
const PROVEN_MS: i64 = 7 * DAY_MS;
/// Share of the last day that a listed agent was there, and of the last week that a proven one was.
const LISTED_UPTIME: f64 = 0.5;
const PROVEN_UPTIME: f64 = 0.95;
/// Established callers and their calls in the last week that prove an agent, and the share of the last day's calls that it
/// must have answered.
const PROVEN_CALLERS: u64 = 5;
const PROVEN_CALLS: u64 = 50;
const PROVEN_SUCCESS: f64 = 0.95;

/// Decides the tier. It follows from the last seven days alone, so what promotes an agent demotes it again when it ceases.
pub(crate) fn tier(facts: &Facts<'_>, now_ms: i64) -> Tier {
    // Agents of these classes say that they come and go: being away is nothing against them.
    let may_be_away = matches!(facts.service_class, Some("principal" | "ephemeral"));
    let is_there = |share: Option<f64>, least: f64| may_be_away || share.is_some_and(|share| share >= least);
    let age = now_ms - facts.created_at;
    let is_silent = now_ms - facts.last_seen >= SILENT_MS;
    if !facts.is_online && (is_silent || facts.has_failed_long && !may_be_away) {
        return Tier::Dormant;
    }
    if age < GROWN_MS {
        return Tier::New;
    }
    // Being away now is judged by uptime, not by the moment.
    let lacks = facts.quality.missing.iter().any(|word| !matches!(word.as_str(), REACHABLE | SIGNATURE));
    if lacks || !is_there(facts.uptime_24h, LISTED_UPTIME) {
        return Tier::Basic;
    }
    let is_proven = age >= PROVEN_MS
        && is_there(facts.uptime_7d, PROVEN_UPTIME)
        && facts.callers.distinct >= PROVEN_CALLERS
        && facts.callers.calls >= PROVEN_CALLS
        && facts.success_24h.is_none_or(|share| share >= PROVEN_SUCCESS);
    if is_proven { Tier::Proven } else { Tier::Listed }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn missing(given: &Value, is_attached: bool, is_callable: bool) -> Vec<String> {
        let card = card::read(given);
        quality(given, &card, is_attached, is_callable, false).missing
    }

    #[test]
    fn each_condition_has_its_word() {
        let bare = json!({"name": "abc", "description": "long enough it is"});
        assert_eq!(missing(&bare, false, false), [ENDPOINT, REACHABLE, SKILLS, VERSION, SCHEMA, SIGNATURE]);
        assert_eq!(missing(&bare, true, false), [SKILLS, VERSION, SCHEMA, SIGNATURE], "a line is an endpoint");
        let full = json!({"name": "abc", "description": "long enough it is", "version": "1.0.0", "url": "https://a.example",
            "skills": [{"id": "s", "name": "S", "description": "Does it.", "tags": []}], "capabilities": {},
            "default_input_modes": ["text/plain"], "defaultOutputModes": ["text/plain"]});
        assert_eq!(missing(&full, false, true), [SIGNATURE]);
        let change = |member: &str, value: Value| {
            let mut card = full.clone();
            card[member] = value;
            missing(&card, false, true)
        };
        assert_eq!(change("version", json!("one")), [VERSION, SIGNATURE]);
        assert_eq!(change("skills", json!([{"id": "s", "name": "S", "description": " "}])), [SKILL_TEXT, SIGNATURE]);
        assert_eq!(change("capabilities", Value::Null), [SCHEMA, SIGNATURE]);
        assert_eq!(missing(&full, false, false), [REACHABLE, SIGNATURE]);
        let card = card::read(&full);
        assert!(quality(&full, &card, false, true, false).passed, "a signature is no condition");
        assert_eq!(quality(&full, &card, false, true, true), Quality { passed: true, missing: vec![] });
        assert!(!quality(&full, &card, false, false, true).passed);
    }

    const NOW: i64 = 100 * DAY_MS;

    fn facts(quality: &Quality) -> Facts<'_> {
        Facts {
            created_at: NOW - 30 * DAY_MS,
            is_online: true,
            last_seen: NOW,
            has_failed_long: false,
            uptime_24h: Some(1.0),
            uptime_7d: Some(0.99),
            success_24h: Some(1.0),
            callers: Callers { distinct: 5, calls: 50 },
            quality,
            service_class: None,
        }
    }

    #[test]
    fn tiers_follow_from_the_facts_and_are_lost_with_them() {
        let good = Quality { passed: true, missing: vec![SIGNATURE.into()] };
        let away = Quality { passed: false, missing: vec![REACHABLE.into()] };
        let poor = Quality { passed: false, missing: vec![VERSION.into()] };
        let all = facts(&good);
        for (what, facts, expected) in [
            ("all is well", all, Tier::Proven),
            ("a day old less a moment", Facts { created_at: NOW - DAY_MS + 1, ..all }, Tier::New),
            ("a day old", Facts { created_at: NOW - DAY_MS, ..all }, Tier::Listed),
            ("a week old less a moment", Facts { created_at: NOW - 7 * DAY_MS + 1, ..all }, Tier::Listed),
            ("too few callers", Facts { callers: Callers { distinct: 4, calls: 5_000 }, ..all }, Tier::Listed),
            ("too few calls", Facts { callers: Callers { distinct: 9, calls: 49 }, ..all }, Tier::Listed),
            ("calls that fail", Facts { success_24h: Some(0.9), ..all }, Tier::Listed),
            ("no calls today", Facts { success_24h: None, ..all }, Tier::Proven),
            ("away too often", Facts { uptime_7d: Some(0.94), ..all }, Tier::Listed),
            ("away most of the day", Facts { uptime_24h: Some(0.49), ..all }, Tier::Basic),
            ("nothing known of the day", Facts { uptime_24h: None, ..all }, Tier::Basic),
            ("a poor entry", Facts { quality: &poor, ..all }, Tier::Basic),
            ("away for the moment", Facts { quality: &away, is_online: false, ..all }, Tier::Proven),
            ("probes fail for long", Facts { is_online: false, has_failed_long: true, ..all }, Tier::Dormant),
            ("they fail, but it holds a line", Facts { has_failed_long: true, ..all }, Tier::Proven),
            ("silent for a week", Facts { is_online: false, last_seen: NOW - 7 * DAY_MS, ..all }, Tier::Dormant),
            ("silent from the start", Facts { created_at: NOW, is_online: false, last_seen: 0, ..all }, Tier::Dormant),
        ] {
            assert_eq!(tier(&facts, NOW), expected, "{what}");
        }
    }

    #[test]
    fn those_who_say_that_they_come_and_go_are_not_blamed_for_going() {
        let good = Quality { passed: true, missing: vec![] };
        for class in ["principal", "ephemeral"] {
            let facts = Facts {
                is_online: false,
                has_failed_long: true,
                uptime_24h: Some(0.0),
                uptime_7d: Some(0.1),
                service_class: Some(class),
                ..facts(&good)
            };
            assert_eq!(tier(&facts, NOW), Tier::Proven, "{class}");
            assert_eq!(tier(&Facts { last_seen: NOW - 7 * DAY_MS, ..facts }, NOW), Tier::Dormant, "{class}");
        }
        let utility = Facts { is_online: false, has_failed_long: true, service_class: Some("utility"), ..facts(&good) };
        assert_eq!(tier(&utility, NOW), Tier::Dormant);
    }
}
