//! Agent Cards as they are given: what must hold at registration, and what we read out of them. Pure.
//!
//! Both spellings are read (`supported_interfaces` and A2A's `supportedInterfaces`); members that we do not know are
//! left alone. The first fault in the order of the documentation is the one that is reported: name, description, url,
//! skills, provider, version, capabilities, interfaces, modes.

use http::Uri;
use landline_api::agents::{Provider, Skill};
use landline_wire::error::{Code, Problem};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::error::{Error, Result};

/// Characters of a name.
pub(crate) const NAME_CHARS: std::ops::RangeInclusive<usize> = 3..=100;
/// Characters of a description.
const DESCRIPTION_CHARS: std::ops::RangeInclusive<usize> = 10..=2_000;
/// Skills of a card: more than any agent has, few enough to index in one transaction.
const MAX_SKILLS: usize = 200;
/// Tags of a skill.
const MAX_TAGS: usize = 50;
/// Characters of a URL.
const MAX_URL_CHARS: usize = 2_000;
/// URI of the extension that declares a service class, below the public URL and as first published by others.
const SERVICE_CLASS_PATH: &str = "/extensions/service-class";

/// What is read out of a card.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Card {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) url: Option<String>,
    /// The URL after normalising.
    pub(crate) url_key: Option<String>,
    /// The member that holds the URL, for faults that only the database finds.
    pub(crate) url_field: String,
    pub(crate) version: Option<String>,
    pub(crate) provider: Option<Provider>,
    pub(crate) skills: Vec<Skill>,
    pub(crate) capabilities: Value,
    pub(crate) service_class: Option<String>,
    /// What costs rank, as sentences.
    pub(crate) warnings: Vec<String>,
}

impl Card {
    /// A card that says nothing.
    pub(crate) fn empty() -> Self {
        Self {
            name: String::new(),
            description: String::new(),
            url: None,
            url_key: None,
            url_field: String::new(),
            version: None,
            provider: None,
            skills: Vec::new(),
            capabilities: json!({}),
            service_class: None,
            warnings: Vec::new(),
        }
    }
}

/// A member in camelCase or in snake_case; null counts as absent.
pub(crate) fn member<'a>(object: &'a Map<String, Value>, camel: &str) -> Option<&'a Value> {
    object.get(camel).or_else(|| object.get(&snake(camel))).filter(|value| !value.is_null())
}

fn snake(camel: &str) -> String {
    let mut snake = String::with_capacity(camel.len() + 4);
    for character in camel.chars() {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

/// A member of the card, or beside it, that did not pass.
pub(crate) fn fault(field: &str, detail: impl Into<String>) -> Error {
    Problem::new(Code::InvalidCard, detail).field(field).into()
}

/// The text of the card in a body, byte for byte: the body itself, or its member `card`.
pub(crate) fn text_of(body: &str, is_member: bool) -> Option<&str> {
    #[derive(serde::Deserialize)]
    struct Wrapper<'a> {
        #[serde(borrow)]
        card: &'a RawValue,
    }
    if is_member {
        serde_json::from_str::<Wrapper<'_>>(body).ok().map(|body| body.card.get())
    } else {
        Some(body.trim())
    }
}

/// Where in the body the card stands; builds the paths of its members.
struct At<'a>(&'a str);

impl At<'_> {
    fn path(&self, member: &str) -> String {
        if self.0.is_empty() { member.to_owned() } else { format!("{}.{member}", self.0) }
    }
}

/// Checks a card that stands at `at` in the body (empty: it is the body).
pub(crate) fn parse(value: &Value, at: &str) -> Result<Card> {
    let at = At(at);
    let field = if at.0.is_empty() { "card" } else { at.0 };
    let card = value.as_object().ok_or_else(|| fault(field, "The card must be a JSON object."))?;
    let mut warnings = Vec::new();
    let name = name(card, &at)?;
    let description = description(card, &at)?;
    let (url, url_field) = url(card, &at)?;
    let skills = skills(card, &at, &mut warnings)?;
    let provider = provider(card, &at)?;
    let version = version(card, &at, &mut warnings)?;
    let capabilities = capabilities(card, &at)?;
    interfaces(card, &at)?;
    modes(card, &at)?;
    if url.is_none() {
        warnings.push("The card has no `url`: the agent can only be called over its line.".into());
    }
    Ok(Card {
        url_key: url.as_deref().and_then(normal_url),
        service_class: service_class(&capabilities),
        name,
        description,
        url,
        url_field,
        version,
        provider,
        skills,
        capabilities,
        warnings,
    })
}

fn text<'a>(card: &'a Map<String, Value>, camel: &str, path: &str) -> Result<Option<&'a str>> {
    match member(card, camel) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(fault(path, format!("`{path}` must be a string."))),
    }
}

fn within(path: &str, text: &str, chars: std::ops::RangeInclusive<usize>) -> Result<()> {
    let count = text.chars().count();
    if chars.contains(&count) {
        return Ok(());
    }
    let (from, to) = (chars.start(), chars.end());
    Err(fault(path, format!("`{path}` must have {from} to {to} characters; it has {count}.")))
}

fn name(card: &Map<String, Value>, at: &At<'_>) -> Result<String> {
    let path = at.path("name");
    let name = text(card, "name", &path)?.ok_or_else(|| fault(&path, format!("`{path}` is required.")))?;
    within(&path, name, NAME_CHARS)?;
    if name.trim() != name || name.chars().any(char::is_control) {
        return Err(fault(&path, format!("`{path}` must not begin or end with a space, or hold control characters.")));
    }
    Ok(name.to_owned())
}

fn description(card: &Map<String, Value>, at: &At<'_>) -> Result<String> {
    let path = at.path("description");
    let text = text(card, "description", &path)?.ok_or_else(|| fault(&path, format!("`{path}` is required.")))?;
    within(&path, text, DESCRIPTION_CHARS)?;
    Ok(text.to_owned())
}

/// The card's own URL, or that of its first interface; and the path of the member.
fn url(card: &Map<String, Value>, at: &At<'_>) -> Result<(Option<String>, String)> {
    let path = at.path("url");
    if let Some(url) = text(card, "url", &path)? {
        return Ok((Some(http_url(url, &path)?), path));
    }
    let first = member(card, "supportedInterfaces").and_then(Value::as_array).and_then(|list| list.first());
    let url = first.and_then(Value::as_object).and_then(|interface| member(interface, "url")).and_then(Value::as_str);
    match url {
        None => Ok((None, path)),
        Some(url) => {
            let path = at.path("supported_interfaces[0].url");
            Ok((Some(http_url(url, &path)?), path))
        }
    }
}

/// An absolute http(s) URL without user information.
pub(crate) fn http_url(text: &str, path: &str) -> Result<String> {
    if text.len() <= MAX_URL_CHARS && normal_url(text).is_some() {
        return Ok(text.to_owned());
    }
    Err(fault(path, format!("`{path}` must be an absolute http or https URL.")))
}

/// The URL by which cards are compared: scheme and host in lower case, no default port, no trailing slash, no fragment.
pub(crate) fn normal_url(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let scheme = uri.scheme_str()?.to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let authority = uri.authority()?;
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return None;
    }
    let host = authority.host().to_ascii_lowercase();
    let port = match authority.port_u16() {
        Some(port) if port != default_port => format!(":{port}"),
        _ => String::new(),
    };
    let path = uri.path().trim_end_matches('/');
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    Some(format!("{scheme}://{host}{port}{path}{query}"))
}

fn skills(card: &Map<String, Value>, at: &At<'_>, warnings: &mut Vec<String>) -> Result<Vec<Skill>> {
    let path = at.path("skills");
    let Some(value) = member(card, "skills") else { return Ok(Vec::new()) };
    let list = value.as_array().ok_or_else(|| fault(&path, format!("`{path}` must be a list.")))?;
    if list.len() > MAX_SKILLS {
        return Err(fault(&path, format!("`{path}` must have at most {MAX_SKILLS} entries.")));
    }
    let mut skills = Vec::with_capacity(list.len());
    for (index, value) in list.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let object = value.as_object().ok_or_else(|| fault(&path, format!("`{path}` must be an object.")))?;
        let part = |name: &str| {
            let path = format!("{path}.{name}");
            text(object, name, &path).map(|text| text.map(str::to_owned))
        };
        let skill = Skill {
            id: part("id")?,
            name: part("name")?,
            description: part("description")?,
            tags: strings(object, "tags", &format!("{path}.tags"), MAX_TAGS)?,
        };
        let empty = |text: &Option<String>| text.as_deref().is_none_or(|text| text.trim().is_empty());
        if empty(&skill.name) || empty(&skill.description) {
            warnings.push(format!("`{path}` should have a name and a description: it costs rank."));
        }
        skills.push(skill);
    }
    Ok(skills)
}

fn strings(object: &Map<String, Value>, camel: &str, path: &str, max: usize) -> Result<Vec<String>> {
    let Some(value) = member(object, camel) else { return Ok(Vec::new()) };
    let list = value.as_array().filter(|list| list.len() <= max);
    let list = list.ok_or_else(|| fault(path, format!("`{path}` must be a list of at most {max} strings.")))?;
    list.iter()
        .enumerate()
        .map(|(index, value)| {
            let path = format!("{path}[{index}]");
            value.as_str().map(str::to_owned).ok_or_else(|| fault(&path, format!("`{path}` must be a string.")))
        })
        .collect()
}

fn provider(card: &Map<String, Value>, at: &At<'_>) -> Result<Option<Provider>> {
    let path = at.path("provider");
    let Some(value) = member(card, "provider") else { return Ok(None) };
    let object = value.as_object().ok_or_else(|| fault(&path, format!("`{path}` must be an object.")))?;
    let part = |name: &str| text(object, name, &format!("{path}.{name}")).map(|text| text.map(str::to_owned));
    let provider = Provider { organization: part("organization")?, url: part("url")? };
    if let Some(url) = &provider.url {
        http_url(url, &format!("{path}.url"))?;
    }
    Ok(Some(provider))
}

fn version(card: &Map<String, Value>, at: &At<'_>, warnings: &mut Vec<String>) -> Result<Option<String>> {
    let path = at.path("version");
    let version = text(card, "version", &path)?;
    if version.is_some_and(|version| !is_semver(version)) {
        warnings.push(format!("`{path}` should be a semantic version such as 1.2.0."));
    }
    Ok(version.map(str::to_owned))
}

/// Semantic Versioning 2.0.0, as far as its shape goes.
pub(crate) fn is_semver(text: &str) -> bool {
    let core = text.split(['-', '+']).next().unwrap_or_default();
    let rest = &text[core.len()..];
    let numbers: Vec<&str> = core.split('.').collect();
    let number = |part: &&str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && (part.len() == 1 || !part.starts_with('0'))
    };
    let rest_ok = rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+'));
    numbers.len() == 3 && numbers.iter().all(number) && rest_ok && rest.len() != 1
}

fn capabilities(card: &Map<String, Value>, at: &At<'_>) -> Result<Value> {
    let path = at.path("capabilities");
    let Some(value) = member(card, "capabilities") else { return Ok(json!({})) };
    let object = value.as_object().ok_or_else(|| fault(&path, format!("`{path}` must be an object.")))?;
    for flag in ["streaming", "pushNotifications", "extendedAgentCard"] {
        if member(object, flag).is_some_and(|value| !value.is_boolean()) {
            let path = format!("{path}.{}", snake(flag));
            return Err(fault(&path, format!("`{path}` must be true or false.")));
        }
    }
    if member(object, "extensions").is_some_and(|value| !value.is_array()) {
        let path = format!("{path}.extensions");
        return Err(fault(&path, format!("`{path}` must be a list.")));
    }
    Ok(value.clone())
}

fn interfaces(card: &Map<String, Value>, at: &At<'_>) -> Result<()> {
    let path = at.path("supported_interfaces");
    let Some(value) = member(card, "supportedInterfaces") else { return Ok(()) };
    let list = value.as_array().ok_or_else(|| fault(&path, format!("`{path}` must be a list.")))?;
    for (index, value) in list.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let object = value.as_object().ok_or_else(|| fault(&path, format!("`{path}` must be an object.")))?;
        let url = format!("{path}.url");
        http_url(text(object, "url", &url)?.unwrap_or_default(), &url)?;
    }
    Ok(())
}

fn modes(card: &Map<String, Value>, at: &At<'_>) -> Result<()> {
    for camel in ["defaultInputModes", "defaultOutputModes"] {
        strings(card, camel, &at.path(&snake(camel)), MAX_TAGS)?;
    }
    Ok(())
}

/// The service class that the capabilities' extensions declare.
fn service_class(capabilities: &Value) -> Option<String> {
    let extensions = capabilities.get("extensions")?.as_array()?;
    let ours = extensions.iter().find(|extension| {
        extension.get("uri").and_then(Value::as_str).is_some_and(|uri| uri.ends_with(SERVICE_CLASS_PATH))
    })?;
    let params = ours.get("params")?.as_object()?;
    let class = member(params, "serviceClass").or_else(|| params.get("class"))?.as_str()?;
    (!class.is_empty() && class.len() <= 64).then(|| class.to_owned())
}

#[cfg(test)]
#[path = "card_tests.rs"]
mod tests;
