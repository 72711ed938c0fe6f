//! What an answer of an agent's host means. Pure: status, media type and body go in, a judgement comes out.

use serde_json::Value;

use super::model::Verdict;
use crate::relay::direct::{Binding, Era, Failure, Heard};

/// What was found where a card should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// The agent's own card: its name, and every interface that we would call.
    Same,
    /// A card, but of somebody else, or with other interfaces.
    Other,
    /// The place is closed to us.
    Closed,
    /// 410: there was an agent, and there will be none.
    Gone,
    /// No card.
    Nothing,
    /// The host wants to be left alone for now.
    Busy,
    /// No answer.
    Failed(Failure),
}

impl Found {
    /// Of several places, which tells more: an agent's own card anywhere is its card, a 410 counts only where there is no
    /// card at all, and one place that is empty says nothing.
    fn weight(self) -> u8 {
        match self {
            Self::Same => 6,
            Self::Failed(_) => 5,
            Self::Busy => 4,
            Self::Other => 3,
            Self::Closed => 2,
            Self::Gone => 1,
            Self::Nothing => 0,
        }
    }

    /// What two places together say.
    pub(crate) fn and(self, other: Self) -> Self {
        if other.weight() > self.weight() { other } else { self }
    }

    /// Is there no use in looking further?
    pub(crate) fn ends_the_search(self) -> bool {
        matches!(self, Self::Same | Self::Failed(_) | Self::Busy)
    }
}

/// Judges what stands at a card's place. `is_ours` says of a card whether it is the agent's.
pub(crate) fn card(heard: Result<&Heard, Failure>, is_ours: impl FnOnce(&Value) -> bool) -> Found {
    let heard = match heard {
        Ok(heard) => heard,
        Err(failure) => return Found::Failed(failure),
    };
    match heard.status {
        200 => match serde_json::from_slice::<Value>(&heard.body) {
            Ok(card) if card.get("name").is_some_and(Value::is_string) => {
                if is_ours(&card) {
                    Found::Same
                } else {
                    Found::Other
                }
            }
            _ => Found::Nothing,
        },
        401 | 403 => Found::Closed,
        410 => Found::Gone,
        429 => Found::Busy,
        502..=504 => Found::Failed(Failure::Unreachable),
        _ => Found::Nothing,
    }
}

/// What follows from the card.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// The agent may be called.
    Call,
    /// It is not called.
    End(Verdict, &'static str),
    /// It was taken down by its own host.
    Gone,
}

/// May the agent be called? `is_proven`: its origin was proven by other means than a probe.
pub(crate) fn after_card(found: Found, is_proven: bool) -> Next {
    match found {
        Found::Same => Next::Call,
        Found::Failed(failure) => {
            let (verdict, reason) = failed(failure);
            Next::End(verdict, reason)
        }
        Found::Busy => Next::End(Verdict::Unknown, "host_is_busy"),
        Found::Gone => Next::Gone,
        Found::Other | Found::Closed | Found::Nothing if is_proven => Next::Call,
        Found::Other => Next::End(Verdict::ProtocolError, "card_is_another"),
        Found::Closed => Next::End(Verdict::AuthRequired, "card_needs_credential"),
        Found::Nothing => Next::End(Verdict::ProtocolError, "no_card"),
    }
}

pub(crate) fn failed(failure: Failure) -> (Verdict, &'static str) {
    match failure {
        Failure::Refused => (Verdict::Unreachable, "address_refused"),
        Failure::Unreachable => (Verdict::Unreachable, "no_connection"),
        Failure::Broken => (Verdict::Unreachable, "connection_lost"),
        Failure::Timeout => (Verdict::Timeout, "no_answer"),
        Failure::BadAnswer => (Verdict::ProtocolError, "not_http"),
    }
}

/// JSON-RPC codes of A2A that only an A2A server gives to a question for a task that does not exist: it does not exist, or
/// tasks are not what this agent works with.
const TASK_NOT_FOUND: i64 = -32_001;
const UNSUPPORTED_OPERATION: i64 = -32_004;

/// Judges the answer to a question for the task `id`, which nobody has, asked as `binding` and `era` have it. The second
/// part is the reason, where it is not `callable`.
pub(crate) fn call(
    heard: Result<&Heard, Failure>,
    binding: Binding,
    era: Era,
    id: &str,
) -> (Verdict, Option<&'static str>) {
    let heard = match heard {
        Ok(heard) => heard,
        Err(failure) => {
            let (verdict, reason) = failed(failure);
            return (verdict, Some(reason));
        }
    };
    let bad = |reason| (Verdict::ProtocolError, Some(reason));
    match heard.status {
        401 | 403 => return (Verdict::AuthRequired, Some("call_needs_credential")),
        429 => return (Verdict::Unknown, Some("host_is_busy")),
        502..=504 => return (Verdict::Unreachable, Some("gateway")),
        300..=399 => return bad("redirect"),
        _ => {}
    }
    let is_json = heard.media_type == "application/json" || heard.media_type.ends_with("+json");
    let Some(answer) = Some(&heard.body).filter(|_| is_json).and_then(|body| serde_json::from_slice(body).ok()) else {
        return bad("not_json");
    };
    let is_a2a = match binding {
        Binding::JsonRpc => is_rpc_refusal(&answer, id),
        Binding::HttpJson => heard.status == 404 && is_rest_refusal(&answer, era),
    };
    if is_a2a { (Verdict::Callable, None) } else { bad("not_a2a") }
}

/// A JSON-RPC error to this very request, with one of A2A's codes. What merely gives the request back has no `error`.
fn is_rpc_refusal(answer: &Value, id: &str) -> bool {
    let code = answer.get("error").and_then(|error| error.get("code")).and_then(Value::as_i64);
    answer.get("jsonrpc").is_some_and(|version| version == "2.0")
        && answer.get("id").is_some_and(|given| given == id)
        && code.is_some_and(|code| matches!(code, TASK_NOT_FOUND | UNSUPPORTED_OPERATION))
}

/// A2A 1.0 says which error it is in the form of `google.rpc.Status`. Before, each library had its own: there some text has
/// to say that a task was not found, so that any server's page for a path that it does not have is not enough.
fn is_rest_refusal(answer: &Value, era: Era) -> bool {
    let error = &answer["error"];
    let named = error["details"].as_array().into_iter().flatten().any(|detail| detail["reason"] == "TASK_NOT_FOUND");
    named || error["code"] == 404 && error["status"] == "NOT_FOUND" || era == Era::V03 && says_no_task(answer)
}

fn says_no_task(value: &Value) -> bool {
    match value {
        Value::String(text) => {
            let text = text.to_ascii_lowercase();
            text.contains("tasknotfound") || text.contains("task") && text.contains("not found")
        }
        Value::Array(items) => items.iter().any(says_no_task),
        Value::Object(members) => members.values().any(says_no_task),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
