//! The fields beside a card: how an agent is shown, and who may call it. Pure.

use landline_api::agents::{Access, CATEGORIES};
use landline_wire::error::{Code, Problem};
use landline_wire::ids::AgentId;
use serde_json::{Map, Value};

use super::card::{fault, http_url};
use crate::error::{Error, Result};

/// Characters of a tagline.
const MAX_TAGLINE_CHARS: usize = 120;
/// Agents that `listed` may name: a policy travels to every switch.
const MAX_ALLOW: usize = 1_000;

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
            let known = CATEGORIES.map(str::to_owned).to_vec();
            return Err(choice("category", "There is no such category.", known));
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

/// The first member of a change that is none of ours.
pub(crate) fn unknown_member(body: &Map<String, Value>) -> Option<&str> {
    body.keys().map(String::as_str).find(|key| !MEMBERS.contains(key))
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
            let known = ["agents", "listed", "public"].map(str::to_owned).to_vec();
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
        assert_eq!(unknown_member(json!({"tagline": "a", "name": "b"}).as_object().unwrap()), Some("name"));
    }
}
