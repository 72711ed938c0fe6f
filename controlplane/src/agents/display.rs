//! The fields beside a card: how an agent is shown, and who may call it. Pure.

use landline_api::agents::{Access, CATEGORIES, MAX_ALLOW, MAX_TAGLINE_CHARS};
use landline_wire::error::{Code, Problem};
use landline_wire::ids::AgentId;
use serde_json::{Map, Value};

use super::card::{fault, http_url};
use super::nearest;
use crate::error::{Error, Result};

/// Characters that are shown of a member's name that we do not know.
const SHOWN_CHARS: usize = 100;

/// What the owner decides beside the card.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Display {
    pub(crate) tagline: Option<String>,
    pub(crate) category: Option<String>,
    pub(crate) accent_color: Option<String>,
    pub(crate) banner_url: Option<String>,
    pub(crate) access: Access,
    pub(crate) allow: Vec<AgentId>,
}

/// The members of a body that belong here.
const MEMBERS: [&str; 6] = ["tagline", "category", "accent_color", "banner_url", "access", "allow"];

/// Applies the members that the body has; null takes a value away.
pub(crate) fn apply(body: &Map<String, Value>, mut display: Display) -> Result<Display> {
    if let Some(value) = body.get("tagline") {
        display.tagline = text("tagline", value)?;
        if display.tagline.as_ref().is_some_and(|text| text.chars().count() > MAX_TAGLINE_CHARS) {
            return Err(fault("tagline", format!("`tagline` must have at most {MAX_TAGLINE_CHARS} characters.")));
        }
    }
    if let Some(value) = body.get("category") {
        display.category = text("category", value)?;
        if display.category.as_deref().is_some_and(|category| !CATEGORIES.contains(&category)) {
            let given = display.category.as_deref().unwrap_or_default();
            return Err(choice("category", "There is no such category.", nearest::in_order(given, &CATEGORIES)));
        }
    }
    if let Some(value) = body.get("accent_color") {
        display.accent_color = text("accent_color", value)?;
        if display.accent_color.as_deref().is_some_and(|color| !is_color(color)) {
            return Err(fault("accent_color", "`accent_color` must be a colour such as #A1B2C3."));
        }
    }
    if let Some(value) = body.get("banner_url") {
        display.banner_url = text("banner_url", value)?;
        if let Some(url) = &display.banner_url {
            http_url(url, "banner_url")?;
        }
    }
    if let Some(value) = body.get("access") {
        display.access = access(value)?;
    }
    if let Some(value) = body.get("allow") {
        display.allow = allow(value)?;
    }
    Ok(display)
}

/// Refuses a change of a member that is none of ours.
pub(crate) fn refuse_unknown(body: &Map<String, Value>) -> Result<()> {
    let Some(member) = body.keys().find(|key| !MEMBERS.contains(&key.as_str())) else { return Ok(()) };
    let shown: String = member.chars().take(SHOWN_CHARS).collect();
    let detail = format!("`{shown}` cannot be changed here; what the card says changes with `PUT …/card`.");
    let mut problem =
        Problem::new(Code::InvalidCard, detail).field(&shown).suggest(nearest::in_order(member, &MEMBERS));
    problem.did_you_mean = nearest::meant(member, &MEMBERS).map(str::to_owned);
    Err(problem.into())
}

/// Members of a registration that look like ours and are spelled otherwise: they are ignored, and whoever sent them is told.
pub(crate) fn misspelled(body: &Map<String, Value>) -> Vec<String> {
    let unknown = body.keys().filter(|key| !MEMBERS.contains(&key.as_str()));
    let meant = unknown.filter_map(|key| Some((key, nearest::meant(key, &MEMBERS)?)));
    meant.map(|(key, meant)| format!("`{key}` was ignored: did you mean `{meant}`?")).take(MEMBERS.len()).collect()
}

/// A value that is none of the known ones.
fn choice(field: &str, detail: &str, known: Vec<String>) -> Error {
    Problem::new(Code::InvalidCard, detail).field(field).suggest(known).into()
}

fn text(field: &str, value: &Value) -> Result<Option<String>> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(fault(field, format!("`{field}` must be a string."))),
    }
}

fn is_color(text: &str) -> bool {
    text.len() == 7
        && text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn access(value: &Value) -> Result<Access> {
    match value {
        Value::Null => Ok(Access::default()),
        value => serde_json::from_value(value.clone()).map_err(|_| {
            let known = nearest::in_order(value.as_str().unwrap_or_default(), &["agents", "listed", "public"]);
            choice("access", "`access` must be agents, listed or public.", known)
        }),
    }
}

fn allow(value: &Value) -> Result<Vec<AgentId>> {
    if value.is_null() {
        return Ok(Vec::new());
    }
    let list = value.as_array().filter(|list| list.len() <= MAX_ALLOW);
    let list = list.ok_or_else(|| fault("allow", format!("`allow` must be a list of at most {MAX_ALLOW} ids.")))?;
    let ids = list.iter().enumerate().map(|(index, value)| {
        let field = format!("allow[{index}]");
        let id = value.as_str().and_then(|text| text.parse().ok());
        id.ok_or_else(|| fault(&field, format!("`{field}` must be an agent's id.")))
    });
    let mut ids = ids.collect::<Result<Vec<AgentId>>>()?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn applied(body: Value) -> Result<Display> {
        apply(body.as_object().unwrap(), Display { tagline: Some("old".into()), ..Display::default() })
    }

    #[test]
    fn what_is_not_named_stays_and_null_takes_away() {
        assert_eq!(applied(json!({"category": "chat"})).unwrap().tagline.as_deref(), Some("old"));
        assert_eq!(applied(json!({"tagline": null})).unwrap().tagline, None);
        let id = AgentId::from_parts(1, [1; 10]).to_string();
        let display = applied(json!({"access": "listed", "allow": [id, id]})).unwrap();
        assert_eq!((display.access, display.allow.len()), (Access::Listed, 1));
    }

    #[test]
    fn each_fault_names_its_member() {
        for (body, field) in [
            (json!({"tagline": "x".repeat(121)}), "tagline"),
            (json!({"tagline": 1}), "tagline"),
            (json!({"category": "cooking"}), "category"),
            (json!({"accent_color": "red"}), "accent_color"),
            (json!({"accent_color": "#12345g"}), "accent_color"),
            (json!({"banner_url": "nowhere"}), "banner_url"),
            (json!({"access": "everyone"}), "access"),
            (json!({"allow": "me"}), "allow"),
            (json!({"allow": ["x"]}), "allow[0]"),
        ] {
            assert_eq!(applied(body.clone()).unwrap_err().into_problem().field.as_deref(), Some(field), "{body}");
        }
    }

    #[test]
    fn what_was_probably_meant_is_said() {
        let refused = |body: Value| refuse_unknown(body.as_object().unwrap()).unwrap_err().into_problem();
        let problem = refused(json!({"tagline": "a", "accent_colour": "#000000"}));
        assert_eq!(
            (problem.field.as_deref(), problem.did_you_mean.as_deref()),
            (Some("accent_colour"), Some("accent_color"))
        );
        let problem = refused(json!({"name": "b"}));
        assert_eq!(
            (problem.did_you_mean, problem.suggestions.len()),
            (None, MEMBERS.len()),
            "a card's member is no slip"
        );
        assert!(refuse_unknown(json!({"tagline": "a", "allow": []}).as_object().unwrap()).is_ok());
        let problem = applied(json!({"category": "cooding"})).unwrap_err().into_problem();
        assert_eq!((problem.did_you_mean.as_deref(), problem.suggestions.len()), (Some("coding"), CATEGORIES.len()));
        let problem = applied(json!({"access": "Publik"})).unwrap_err().into_problem();
        assert_eq!(problem.did_you_mean.as_deref(), Some("public"));
        let registration = json!({"card": {}, "catgory": "chat", "lineage": {}, "tagline": "x"});
        let warnings = misspelled(registration.as_object().unwrap());
        assert_eq!(warnings, ["`catgory` was ignored: did you mean `category`?"]);
    }
}
