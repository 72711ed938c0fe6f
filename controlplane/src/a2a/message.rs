//! From an A2A message to a discovery, and from candidates to a message. Pure.

use std::fmt::Write;

use landline_api::ard::Entry;
use landline_api::discovery::Candidates;
use serde_json::{Map, Value, json};

use super::rpc::Fault;
use crate::relay::direct::Era;

/// What a data part or the metadata may set: the members of `POST /v1/discover` beside the task.
const OPTIONS: [&str; 3] = ["max_results", "live_only", "why"];

/// Texts that are read of one message; a task has at most 4,000 characters.
const PARTS: usize = 64;

/// A message, as far as it matters here.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Asked {
    /// The body of a `POST /v1/discover`.
    pub(crate) discover: Value,
    /// The conversation that the answer belongs to, if the caller named one.
    pub(crate) context: Option<String>,
}

/// Reads the parameters of a message. Its parts have the same members in both versions.
///
/// # Errors
/// There is no message, or nothing in it that could be a task.
pub(crate) fn read(params: &Map<String, Value>) -> Result<Asked, Fault> {
    let fault = |why: &str| Err(Fault::Params(why.to_owned()));
    let Some(message) = params.get("message").and_then(Value::as_object) else {
        return fault("`params.message` is required.");
    };
    let text = |name: &str| message.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if text("messageId").is_none() {
        return fault("`message.messageId` is required.");
    }
    if text("taskId").is_some() {
        return Err(Fault::TaskNotFound);
    }
    let Some(parts) = message.get("parts").and_then(Value::as_array).filter(|parts| !parts.is_empty()) else {
        return fault("`message.parts` must have a part.");
    };
    let texts: Vec<&str> = parts.iter().filter_map(|part| part.get("text")?.as_str()).take(PARTS).collect();
    let data = parts.iter().filter_map(|part| part.get("data")?.as_object()).take(PARTS);
    let metadata = [message.get("metadata"), params.get("metadata")].into_iter().flatten().filter_map(Value::as_object);
    let settings: Vec<&Map<String, Value>> = data.chain(metadata).collect();
    let set = |name: &str| settings.iter().find_map(|given| given.get(name));
    let task = match texts.is_empty() {
        false => Value::from(texts.join("\n")),
        true => set("task")
            .cloned()
            .ok_or(Fault::ContentType("A text part, or a data part with `task`, says what is to be done."))?,
    };
    let mut discover = json!({ "task": task });
    for name in OPTIONS {
        if let Some(value) = set(name) {
            discover[name] = whole(value);
        }
    }
    Ok(Asked { discover, context: text("contextId").map(str::to_owned) })
}

/// A number without a fraction as a whole one: ProtoJSON has no others than floating-point numbers.
fn whole(value: &Value) -> Value {
    match value.as_f64().filter(|number| number.fract() == 0.0 && (0.0..=1e9).contains(number)) {
        Some(number) if value.is_f64() => (number as u64).into(),
        _ => value.clone(),
    }
}

/// The answer's ids.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ids<'a> {
    pub(crate) message: &'a str,
    pub(crate) context: &'a str,
}

/// The result of the call: a message with a text for people, and the same as data.
pub(crate) fn answer(era: Era, ids: Ids<'_>, found: &Candidates, entries: &[Entry]) -> Value {
    let data = json!({"candidates": found.candidates, "entries": entries});
    let message = |role: &str, parts: Value| json!({"messageId": ids.message, "contextId": ids.context, "role": role, "parts": parts});
    match era {
        Era::V1 => json!({"message": message("ROLE_AGENT", json!([{"text": for_people(found)}, {"data": data}]))}),
        Era::V03 => {
            let parts = json!([{"kind": "text", "text": for_people(found)}, {"kind": "data", "data": data}]);
            let mut message = message("agent", parts);
            message["kind"] = "message".into();
            message
        }
    }
}

fn for_people(found: &Candidates) -> String {
    let candidates = &found.candidates;
    if candidates.is_empty() {
        return "No agent of this directory says that it can do this.".into();
    }
    let mut text = match candidates.len() {
        1 => "One agent says that it can do this:".to_owned(),
        many => format!("{many} agents say that they can do this, the best first:"),
    };
    for (n, candidate) in candidates.iter().enumerate() {
        let _ = write!(
            text,
            "\n{}. {} ({:.0} of 100): {}\n   {}",
            n + 1,
            candidate.name,
            candidate.match_score * 100.0,
            candidate.one_line_capability,
            candidate.endpoint
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(params: Value) -> Result<Asked, Fault> {
        read(params.as_object().unwrap())
    }

    fn message(parts: Value) -> Value {
        json!({"message": {"messageId": "m", "parts": parts}})
    }

    #[test]
    fn texts_are_the_task_and_data_sets_the_options() {
        let mut params =
            message(json!([{"text": "sum"}, {"data": {"max_results": 3.0}}, {"kind": "text", "text": "up"}]));
        params["message"]["metadata"] = json!({"live_only": true, "max_results": 9, "other": 1});
        params["message"]["contextId"] = json!("c");
        let expected = json!({"task": "sum\nup", "max_results": 3, "live_only": true});
        assert_eq!(asked(params).unwrap(), Asked { discover: expected, context: Some("c".into()) });
        let only_data = message(json!([{"kind": "data", "data": {"task": "sum", "why": true}}]));
        assert_eq!(asked(only_data).unwrap().discover, json!({"task": "sum", "why": true}));
        assert_eq!(whole(&json!(2.5)), json!(2.5), "what is no number of results stays as it is");
    }

    #[test]
    fn what_is_no_task_is_refused_with_its_reason() {
        for params in
            [json!({}), json!({"message": {}}), message(json!([])), json!({"message": {"parts": [{"text": "a"}]}})]
        {
            assert!(matches!(asked(params.clone()), Err(Fault::Params(_))), "{params}");
        }
        for parts in [json!([{"raw": "AA=="}]), json!([{"kind": "file", "file": {}}]), json!([{"data": {}}])] {
            assert!(matches!(asked(message(parts)), Err(Fault::ContentType(_))));
        }
        let mut params = message(json!([{"text": "a"}]));
        params["message"]["taskId"] = json!("t");
        assert_eq!(asked(params), Err(Fault::TaskNotFound));
    }

    #[test]
    fn nobody_is_found_in_both_versions() {
        let (none, ids) = (Candidates { candidates: Vec::new() }, Ids { message: "m", context: "c" });
        let v1 = &answer(Era::V1, ids, &none, &[])["message"];
        assert_eq!((&v1["role"], &v1["messageId"], &v1["contextId"]), (&json!("ROLE_AGENT"), &json!("m"), &json!("c")));
        assert_eq!(v1["parts"][1], json!({"data": {"candidates": [], "entries": []}}));
        let v03 = answer(Era::V03, ids, &none, &[]);
        assert_eq!((&v03["kind"], &v03["role"]), (&json!("message"), &json!("agent")));
        assert_eq!(v03["parts"][0], json!({"kind": "text", "text": for_people(&none)}));
    }
}
