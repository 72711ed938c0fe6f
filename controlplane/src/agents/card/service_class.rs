//! The service-class extension: what an agent's silence means. Pure.
//!
//! Its page is `docs/extensions/service-class.md`.

use serde_json::Value;

use super::shape::{Around, Members, member, text};

/// What an agent may declare itself as.
pub(crate) const CLASSES: [&str; 3] = ["utility", "principal", "ephemeral"];

/// Where the extension's page is, below a server's own URL.
const PATH: &str = "/extensions/service-class";
/// The extension's URI where it was published first. Cards that were written for it mean the same.
const FIRST_PUBLISHED: &str = "https://connect.actex.ai/extensions/service-class";

/// Is this extension the service class?
pub(super) fn is_declared_by(extension: &Members, around: &Around<'_>) -> bool {
    let uri = text(extension, "uri").map(|uri| uri.trim_end_matches('/'));
    uri.is_some_and(|uri| {
        uri == FIRST_PUBLISHED || uri.strip_prefix(around.public_url).is_some_and(|path| path == PATH)
    })
}

/// The class that a card's capabilities declare: the first one, should there be two.
pub(super) fn of(capabilities: &Value, around: &Around<'_>) -> Option<String> {
    let extensions = capabilities.get("extensions")?.as_array()?.iter().filter_map(Value::as_object);
    let declared = extensions.filter(|extension| is_declared_by(extension, around));
    let class = |extension: &Members| member(extension, "params")?.get("class")?.as_str().map(str::to_owned);
    declared.filter_map(class).find(|class| CLASSES.contains(&class.as_str()))
}
