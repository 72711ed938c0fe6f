//! The tables of [`schema`](super::schema) as a JSON Schema: what a card may hold, for the OpenAPI document. Pure.
//!
//! Members are named in A2A's camelCase; that snake_case is read too, and that null and an empty text count as absent, the
//! description says. What depends on other members is described as if those were not there.

use landline_api::schema::HTTP_URL;
use serde_json::{Map, Value, json};

use super::form::Form;
use super::schema;
use super::shape::{Around, Member, Members, Role, Shape};

/// Characters that no line holds: controls, and those that nobody sees.
const UNSEEN: &str = r"\u0000-\u001f\u007f-\u009f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff";

/// The schema of a card.
pub(crate) fn card_schema() -> Value {
    let mut card = describe(schema::CARD);
    card["description"] = "An A2A Agent Card, of 1.0 or 0.3. Members are read in snake_case too; null and an empty text \
                           count as absent, unless the member is required. Other members are kept and given back. A card \
                           nests at most 32 levels deep. Member by member: `/docs/AGENT_CARD`."
        .into();
    card
}

fn describe(shape: Shape) -> Value {
    match shape {
        Shape::Flag => json!({"type": "boolean"}),
        Shape::Text(from, to, form) => text(from, to, form),
        Shape::Word(words) => json!({"type": "string", "enum": words}),
        Shape::List(of, max) => json!({"type": "array", "maxItems": max, "items": describe(*of)}),
        Shape::Named(of, max) => json!({
            "type": "object",
            "maxProperties": max,
            "propertyNames": {"minLength": 1, "maxLength": super::check::MAX_NAME_CHARS},
            "additionalProperties": describe(*of),
        }),
        Shape::Object(members) => object(members),
        Shape::OneOf(members) => {
            let mut schema = object(members);
            let alone = |member: &Member| {
                // Null counts as absent, so that being there is not enough.
                json!({"required": [member.name], "properties": {member.name: {"type": "object"}}})
            };
            schema["oneOf"] = members.iter().map(alone).collect();
            schema
        }
        Shape::Free => json!({"type": "object"}),
        Shape::Within(choose) => describe(choose(&Members::new(), &Around { public_url: "" })),
        Shape::Beside(choose) => describe(choose(&Members::new())),
    }
}

fn object(members: &[Member]) -> Value {
    let properties: Map<String, Value> = members
        .iter()
        .map(|member| {
            let mut schema = describe(member.shape);
            match member.role {
                Role::Must => not_empty(&mut schema),
                Role::May | Role::Ours | Role::Old => or_absent(&mut schema),
            }
            if member.role == Role::Old {
                schema["deprecated"] = true.into();
            }
            (member.name.to_owned(), schema)
        })
        .collect();
    let required: Vec<&str> =
        members.iter().filter(|member| member.role == Role::Must).map(|member| member.name).collect();
    json!({"type": "object", "properties": properties, "required": required})
}

/// An empty text counts as missing.
fn not_empty(schema: &mut Value) {
    if schema["minLength"] == 0 {
        schema["minLength"] = 1.into();
    }
}

/// Lets null and the empty text stand for a member that is not there.
fn or_absent(schema: &mut Value) {
    schema["type"] = json!([schema["type"], "null"]);
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.extend([Value::Null, "".into()]);
    }
    if let Some(Value::String(pattern)) = schema.get_mut("pattern") {
        *pattern = format!("^$|{pattern}");
        schema["minLength"] = 0.into();
    }
}

fn text(from: usize, to: usize, form: Form) -> Value {
    let mut schema = json!({"type": "string", "minLength": from, "maxLength": to});
    let pattern = match form {
        Form::Any => return schema,
        Form::Line => format!("^[^{UNSEEN}]*$"),
        Form::Name => format!(r"^[^\s{UNSEEN}]([^{UNSEEN}]*[^\s{UNSEEN}])?$"),
        Form::HttpUrl => HTTP_URL.to_owned(),
        Form::Uri => "^[A-Za-z][A-Za-z0-9+.-]*:[!-~]+$".to_owned(),
        Form::Address => "^[A-Za-z0-9.-]+:[1-9][0-9]{0,3}$".to_owned(),
        Form::Version => r"^[0-9]{1,9}(\.[0-9]{1,9}){1,2}$".to_owned(),
        Form::Base64Url => "^[A-Za-z0-9_-]*$".to_owned(),
    };
    schema["pattern"] = pattern.into();
    schema
}
