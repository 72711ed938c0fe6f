//! A value as the schema of A2A v1.0 has it: its members and no others, in its own spelling. Pure.

use serde_json::Value;

use super::shape::{Around, Member, Members, Role, Shape, given};

/// What of `value` fits the shape; `None` if nothing does. A stored card may be older than today's checks: what they would
/// refuse is left out.
pub(super) fn project(value: &Value, shape: Shape) -> Option<Value> {
    match shape {
        Shape::Flag => value.is_boolean().then(|| value.clone()),
        Shape::Text(..) | Shape::Word(_) => value.is_string().then(|| value.clone()),
        Shape::List(of, _) => Some(value.as_array()?.iter().filter_map(|entry| project(entry, *of)).collect()),
        Shape::Named(of, _) => {
            let members = value.as_object()?.iter();
            Some(Value::Object(
                members.filter_map(|(name, value)| Some((name.clone(), project(value, *of)?))).collect(),
            ))
        }
        Shape::Object(members) => object(value, members),
        Shape::OneOf(members) => {
            object(value, members).filter(|value| value.as_object().is_some_and(|found| found.len() == 1))
        }
        Shape::Free => value.is_object().then(|| value.clone()),
        // The members are the same whatever they say of themselves.
        Shape::Within(choose) => project(value, choose(value.as_object()?, &Around { public_url: "" })),
        // Its neighbours decide on its form only, and that was checked.
        Shape::Beside(_) => value.is_string().then(|| value.clone()),
    }
}

fn object(value: &Value, members: &[Member]) -> Option<Value> {
    let given_members = value.as_object()?;
    let mut out = Members::new();
    for member in members.iter().filter(|member| matches!(member.role, Role::Must | Role::May)) {
        if let Some((_, value)) = given(given_members, member.name)
            && let Some(value) = project(value, member.shape)
        {
            out.insert(member.name.to_owned(), value);
        }
    }
    Some(out.into())
}
