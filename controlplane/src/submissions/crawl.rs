//! One look at a submitted URL: a card, a catalogue, or neither. Nothing is stored here.

use std::time::Duration;

use serde_json::Value;

use super::model;
use crate::relay::direct::{Failure, Heard, Respondent};
use crate::state::Exchange;

/// Time for one question.
const DEADLINE: Duration = Duration::from_secs(10);

/// What a look found.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Looked {
    /// A card, as it was written.
    Card(String),
    /// A catalogue.
    Catalog(Value),
    /// 410, and no card anywhere.
    Gone,
    /// Something answers, but there is nothing.
    Nothing(&'static str),
    /// Nobody answers, for now.
    Away(&'static str),
}

/// Looks at the URL itself if it names a document, then where cards and catalogues are.
pub(crate) async fn look(exchange: &Exchange, host: &Respondent) -> Looked {
    let mut is_gone = false;
    for place in places(host.path()) {
        let Some(inquiry) = host.document(&place) else { continue };
        match judge(host.ask(exchange, inquiry, DEADLINE).await.as_ref()) {
            Looked::Nothing(_) => {}
            Looked::Gone => is_gone = true,
            found => return found,
        }
    }
    if is_gone { Looked::Gone } else { Looked::Nothing("no_card") }
}

/// Where a card or a catalogue may be, in order.
fn places(path: &str) -> Vec<String> {
    const WELL_KNOWN: [&str; 3] =
        ["/.well-known/agent-card.json", "/.well-known/agent.json", "/.well-known/ai-catalog.json"];
    let mut places = Vec::new();
    if path.ends_with(".json") {
        places.push(path.to_owned());
    }
    // A host may have a card of its own and agents below it: who names a path means what is there.
    if !path.is_empty() && !path.ends_with(".json") {
        places.push(format!("{path}{}", WELL_KNOWN[0]));
    }
    places.extend(WELL_KNOWN.iter().map(ToString::to_string));
    places.dedup();
    places
}

fn judge(heard: Result<&Heard, &Failure>) -> Looked {
    let heard = match heard {
        Ok(heard) => heard,
        Err(Failure::Refused) => return Looked::Away("address_refused"),
        Err(Failure::Timeout) => return Looked::Away("no_answer"),
        Err(Failure::Unreachable | Failure::Broken) => return Looked::Away("no_connection"),
        Err(Failure::BadAnswer) => return Looked::Nothing("not_http"),
    };
    match heard.status {
        200 => match serde_json::from_slice::<Value>(&heard.body) {
            Ok(value) if model::is_catalog(&value) => Looked::Catalog(value),
            Ok(value) if value.get("name").is_some_and(Value::is_string) => {
                Looked::Card(String::from_utf8_lossy(&heard.body).into_owned())
            }
            _ => Looked::Nothing("no_card"),
        },
        410 => Looked::Gone,
        429 | 502..=504 => Looked::Away("host_is_busy"),
        _ => Looked::Nothing("no_card"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_looked_at_first_and_a_path_may_have_a_card_of_its_own() {
        let known = "/.well-known/agent-card.json";
        assert_eq!(places("")[..2], [known, "/.well-known/agent.json"]);
        assert_eq!(places("/a")[..2], [format!("/a{known}"), known.to_owned()]);
        assert_eq!(places("/x/card.json")[..2], ["/x/card.json", known]);
        assert_eq!(places(known).len(), 3, "not twice at one place");
        assert_eq!(places("/a").last().map(String::as_str), Some("/.well-known/ai-catalog.json"));
    }

    #[test]
    fn answers_are_told_apart() {
        let heard = |status, body: &'static str| Heard { status, media_type: String::new(), body: body.into() };
        for (status, body, expected) in [
            (200, r#"{"name": "a"}"#, Looked::Card(r#"{"name": "a"}"#.into())),
            (200, r#"{"name": 1}"#, Looked::Nothing("no_card")),
            (200, "<html>", Looked::Nothing("no_card")),
            (404, r#"{"name": "a"}"#, Looked::Nothing("no_card")),
            (301, r#"{"name": "a"}"#, Looked::Nothing("no_card")),
            (410, "", Looked::Gone),
            (429, "", Looked::Away("host_is_busy")),
            (503, "", Looked::Away("host_is_busy")),
        ] {
            assert_eq!(judge(Ok(&heard(status, body))), expected, "{status} {body}");
        }
        assert!(matches!(judge(Ok(&heard(200, r#"{"specVersion":"1.0","entries":[]}"#))), Looked::Catalog(_)));
        assert_eq!(judge(Err(&Failure::Timeout)), Looked::Away("no_answer"));
    }
}
