//! JSON-RPC 2.0 as A2A has it: what is called, and A2A's errors. Pure.

use serde_json::{Map, Value, json};

use crate::relay::direct::Era;

/// A failure of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The body is no JSON.
    Parse,
    /// The JSON is no call.
    Request(&'static str),
    /// The method is none of A2A.
    Method(String),
    /// Its parameters do not pass.
    Params(String),
    /// Ours.
    Internal(String),
    /// No task has this id: there are no tasks here.
    TaskNotFound,
    /// No agent here notifies anybody.
    PushNotSupported,
    /// A method that A2A has and this agent has not.
    Unsupported(&'static str),
    /// Content that is neither text nor data.
    ContentType(&'static str),
    /// There is no extended card.
    NoExtendedCard,
    /// A version of A2A that is not spoken here.
    Version(String),
}

impl Fault {
    /// The code, the name by which A2A calls it (empty: it is JSON-RPC's own), and the message.
    fn parts(&self) -> (i32, &'static str, &str) {
        match self {
            Self::Parse => (-32_700, "", "The body is not JSON."),
            Self::Request(why) => (-32_600, "", why),
            Self::Method(why) => (-32_601, "", why),
            Self::Params(why) => (-32_602, "", why),
            Self::Internal(why) => (-32_603, "", why),
            Self::TaskNotFound => {
                (-32_001, "TASK_NOT_FOUND", "There is no such task: every message is answered at once.")
            }
            Self::PushNotSupported => (-32_003, "PUSH_NOTIFICATION_NOT_SUPPORTED", "Nothing is notified from here."),
            Self::Unsupported(why) => (-32_004, "UNSUPPORTED_OPERATION", why),
            Self::ContentType(why) => (-32_005, "CONTENT_TYPE_NOT_SUPPORTED", why),
            Self::NoExtendedCard => {
                (-32_007, "EXTENDED_AGENT_CARD_NOT_CONFIGURED", "There is no other card than the public one.")
            }
            Self::Version(why) => (-32_009, "VERSION_NOT_SUPPORTED", why),
        }
    }

    /// The answer to the call with this id.
    pub(crate) fn answer(&self, id: &Value) -> Value {
        let (code, reason, message) = self.parts();
        let mut error = json!({"code": code, "message": message});
        if !reason.is_empty() {
            let kind = "type.googleapis.com/google.rpc.ErrorInfo";
            error["data"] = json!([{"@type": kind, "reason": reason, "domain": "a2a-protocol.org"}]);
        }
        json!({"jsonrpc": "2.0", "id": id, "error": error})
    }
}

/// The answer to a call that succeeded.
pub(crate) fn success(id: &Value, result: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "result": result})
}

/// The id of a call, to answer it with; null if it has none that could be one.
pub(crate) fn id(body: &Value) -> Value {
    body.get("id").filter(|id| id.is_string() || id.is_number()).cloned().unwrap_or_default()
}

/// The versions that are spoken, as `Major.Minor`.
const VERSIONS: [&str; 2] = ["1.0", "0.3"];

/// Is the version that the caller speaks spoken here? None or an empty one is 0.3; the patch never matters.
pub(crate) fn check_version(given: Option<&str>) -> Result<(), Fault> {
    let given = given.map(str::trim).filter(|given| !given.is_empty()).unwrap_or("0.3");
    let (major_minor, _) = given.match_indices('.').nth(1).map_or((given, ""), |(at, _)| given.split_at(at));
    match VERSIONS.contains(&major_minor) {
        true => Ok(()),
        false => {
            let shown: String = given.chars().take(20).collect();
            Err(Fault::Version(format!("A2A {shown} is not spoken here; 1.0 and 0.3 are.")))
        }
    }
}

/// A message that is to be answered: its parameters, and in which version's shapes.
pub(crate) type Said<'a> = (&'a Map<String, Value>, Era);

/// Reads a call.
///
/// # Errors
/// It is none, or one that is not answered here.
pub(crate) fn read(body: &Value) -> Result<Said<'_>, Fault> {
    let call = body.as_object().ok_or(Fault::Request("A call must be one JSON object."))?;
    if call.get("jsonrpc") != Some(&json!("2.0")) {
        return Err(Fault::Request("`jsonrpc` must be \"2.0\"."));
    }
    if id(body).is_null() {
        return Err(Fault::Request("`id` must be a text or a number."));
    }
    let method = call.get("method").and_then(Value::as_str).ok_or(Fault::Request("`method` must be a text."))?;
    let era = match method {
        "SendMessage" => Era::V1,
        "message/send" => Era::V03,
        other => return Err(refusal(other, call.get("params"))),
    };
    let params = call.get("params").and_then(Value::as_object);
    Ok((params.ok_or_else(|| Fault::Params("`params` must be an object with a `message`.".into()))?, era))
}

/// Why a method is not performed.
fn refusal(method: &str, params: Option<&Value>) -> Fault {
    const NO_STREAMS: &str = "Nothing is streamed from here; `SendMessage` answers at once.";
    match method {
        "GetTask" | "CancelTask" | "tasks/get" | "tasks/cancel" => {
            match params.and_then(|params| params.get("id")).and_then(Value::as_str) {
                Some(_) => Fault::TaskNotFound,
                None => Fault::Params("`params.id` must be the id of a task.".into()),
            }
        }
        "SendStreamingMessage" | "SubscribeToTask" | "message/stream" | "tasks/resubscribe" => {
            Fault::Unsupported(NO_STREAMS)
        }
        "ListTasks" => Fault::Unsupported("There are no tasks here: every message is answered at once."),
        "GetExtendedAgentCard" => Fault::Unsupported("There is no other card than the public one."),
        "agent/getAuthenticatedExtendedCard" => Fault::NoExtendedCard,
        "CreateTaskPushNotificationConfig"
        | "GetTaskPushNotificationConfig"
        | "ListTaskPushNotificationConfigs"
        | "DeleteTaskPushNotificationConfig"
        | "tasks/pushNotificationConfig/set"
        | "tasks/pushNotificationConfig/get"
        | "tasks/pushNotificationConfig/list"
        | "tasks/pushNotificationConfig/delete" => Fault::PushNotSupported,
        other => {
            let shown: String = other.chars().take(60).collect();
            Fault::Method(format!("`{shown}` is no method of A2A."))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(body: Value) -> i64 {
        let fault = read(&body).unwrap_err();
        fault.answer(&id(&body))["error"]["code"].as_i64().unwrap()
    }

    fn call(method: &str, params: Value) -> Value {
        json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params})
    }

    #[test]
    fn a_message_is_known_by_either_name() {
        let (v1, v03) = (call("SendMessage", json!({"message": {}})), call("message/send", json!({"message": {}})));
        assert_eq!((read(&v1).unwrap().1, read(&v03).unwrap().1), (Era::V1, Era::V03));
    }

    #[test]
    fn each_refusal_has_its_code() {
        for (body, expected) in [
            (json!([]), -32_600),
            (json!([call("SendMessage", json!({}))]), -32_600),
            (json!({"id": 1, "method": "SendMessage"}), -32_600),
            (json!({"jsonrpc": "2.0", "method": "SendMessage"}), -32_600),
            (json!({"jsonrpc": "2.0", "id": {}, "method": "SendMessage"}), -32_600),
            (json!({"jsonrpc": "2.0", "id": 1, "method": 7}), -32_600),
            (call("Nonsense", json!({})), -32_601),
            (call("sendMessage", json!({})), -32_601),
            (call("SendMessage", json!([])), -32_602),
            (call("GetTask", json!({})), -32_602),
            (call("GetTask", json!({"id": "x"})), -32_001),
            (call("tasks/cancel", json!({"id": "x"})), -32_001),
            (call("ListTaskPushNotificationConfigs", json!({})), -32_003),
            (call("tasks/pushNotificationConfig/set", json!({})), -32_003),
            (call("SendStreamingMessage", json!({})), -32_004),
            (call("tasks/resubscribe", json!({})), -32_004),
            (call("ListTasks", json!({})), -32_004),
            (call("GetExtendedAgentCard", json!({})), -32_004),
            (call("agent/getAuthenticatedExtendedCard", json!({})), -32_007),
        ] {
            assert_eq!(code(body.clone()), expected, "{body}");
        }
        let body = call("GetTask", json!({"id": "x"}));
        let error = &read(&body).unwrap_err().answer(&id(&body));
        assert_eq!((&error["id"], &error["error"]["data"][0]["reason"]), (&json!(7), &json!("TASK_NOT_FOUND")));
        assert_eq!(Fault::Parse.answer(&Value::Null)["id"], Value::Null);
    }

    #[test]
    fn the_patch_of_a_version_never_matters() {
        for good in [None, Some(""), Some("0.3"), Some("0.3.0"), Some("1.0"), Some(" 1.0.1 ")] {
            assert_eq!(check_version(good), Ok(()), "{good:?}");
        }
        for bad in ["99.0", "1", "2.0.0", "1.1", "x", "é.é.é"] {
            assert!(matches!(check_version(Some(bad)), Err(Fault::Version(_))), "{bad}");
        }
    }
}
