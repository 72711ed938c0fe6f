//! JSON Schemas in words, for people.

use maud::{Markup, html};
use serde_json::{Map, Value};

use super::errors::inline;

/// Where the definitions of a document are.
const DEFINITIONS: &str = "#/components/schemas/";

/// Every definition, as a table of its members.
pub(super) fn all(definitions: &Value) -> Markup {
    let empty = Map::new();
    html! {
        @for (name, schema) in definitions.as_object().unwrap_or(&empty) {
            section class="operation" aria-labelledby=(anchor(name)) {
                h3 id=(anchor(name)) { (name) }
                @if let Some(about) = schema["description"].as_str() { p { (inline(about)) } }
                @match members(schema) {
                    Some(members) => (members),
                    None => p { (of(schema)) },
                }
            }
        }
    }
}

fn anchor(name: &str) -> String {
    format!("shape-{name}")
}

/// The members of an object, if it is one.
fn members(schema: &Value) -> Option<Markup> {
    let properties = schema["properties"].as_object()?;
    let explained = properties.values().any(|member| member["description"].is_string());
    let required = |name: &str| schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name));
    Some(html! {
        div class="scroll" role="region" aria-label="Members" tabindex="0" {
            table {
                thead { tr { th { "member" } th { "may be" } @if explained { th { "what" } } } }
                tbody {
                    @for (name, schema) in properties {
                        tr {
                            td { code { (name) } @if !required(name) { " (may be left out)" } }
                            td { (of(schema)) }
                            @if explained { td { (inline(schema["description"].as_str().unwrap_or_default())) } }
                        }
                    }
                }
            }
        }
    })
}

/// What a value may be.
pub(super) fn of(schema: &Value) -> Markup {
    if let Some(name) = schema["$ref"].as_str().and_then(|to| to.strip_prefix(DEFINITIONS)) {
        return html! { a href=(format!("#{}", anchor(name))) { (name) } };
    }
    if let Some(words) = schema["enum"].as_array() {
        return html! { @for (index, word) in words.iter().enumerate() { @if index > 0 { ", " } (constant(word)) } };
    }
    if let Some(value) = schema.get("const") {
        return constant(value);
    }
    for several in ["anyOf", "oneOf", "allOf"] {
        if let (Some(options), None) = (schema[several].as_array(), schema.get("properties")) {
            return html! { @for (index, option) in options.iter().enumerate() { @if index > 0 { " or " } (of(option)) } };
        }
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => vec!["anything"],
    };
    html! {
        @for (index, kind) in kinds.iter().enumerate() { @if index > 0 { " or " } (of_kind(kind, schema)) }
        (bounds(schema))
    }
}

fn constant(value: &Value) -> Markup {
    html! { code { (value.as_str().map_or_else(|| value.to_string(), str::to_owned)) } }
}

fn of_kind(kind: &str, schema: &Value) -> Markup {
    html! {
        @match kind {
            "array" => { "a list of " (of(&schema["items"])) }
            "object" => {
                "an object"
                @if let Some(members) = schema["properties"].as_object() {
                    " with "
                    @for (index, name) in members.keys().enumerate() { @if index > 0 { ", " } code { (name) } }
                }
                @if schema["additionalProperties"].is_object() { " of " (of(&schema["additionalProperties"])) }
            }
            "string" => { (schema["format"].as_str().map_or("a text", |format| match format {
                "date-time" => "a time",
                "uuid" => "an id",
                _ => "a text",
            })) }
            "integer" => "a whole number",
            "number" => "a number",
            "boolean" => "true or false",
            other => (other),
        }
    }
}

/// How much there may be of it.
fn bounds(schema: &Value) -> Markup {
    let number = |name: &str| schema[name].as_f64().map(|_| schema[name].to_string());
    let span = |from: &str, to: &str, of: &str| match (number(from), number(to)) {
        (Some(from), Some(to)) => Some(format!("{from} to {to}{of}")),
        (Some(from), None) if from != "0" => Some(format!("{from} or more{of}")),
        (None, Some(to)) => Some(format!("at most {to}{of}")),
        _ => None,
    };
    let all = [
        span("minimum", "maximum", ""),
        span("minLength", "maxLength", " characters"),
        span("minItems", "maxItems", " entries"),
        span("minProperties", "maxProperties", " members"),
        schema.get("default").filter(|default| !default.is_null()).map(|default| format!("{default} unless given")),
    ];
    html! { @for bound in all.into_iter().flatten() { ", " (bound) } }
}
