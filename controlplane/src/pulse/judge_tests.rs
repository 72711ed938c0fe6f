//! Each kind of answer and what it means, as tables.

use serde_json::json;

use super::*;

fn heard(status: u16, media_type: &str, body: impl Into<String>) -> Heard {
    Heard { status, media_type: media_type.into(), body: body.into().into() }
}

const ID: &str = "0190a1f2-0000-4000-8000-000000000000";

#[test]
fn answers_of_json_rpc() {
    use Verdict::{AuthRequired, Callable, ProtocolError, Unknown, Unreachable};
    let error = |id: Value, code: i64| json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": "x"}});
    let missing = error(json!(ID), -32_001).to_string();
    let json = "application/json";
    for (status, media_type, body, expected) in [
        (200, json, missing.clone(), (Callable, None)),
        (404, json, missing.clone(), (Callable, None)),
        (200, "application/a2a+json", missing.clone(), (Callable, None)),
        (200, json, error(json!(ID), -32_004).to_string(), (Callable, None)),
        // Another JSON-RPC service, another version of A2A, a bug.
        (200, json, error(json!(ID), -32_601).to_string(), (ProtocolError, Some("not_a2a"))),
        (200, json, error(json!(ID), -32_009).to_string(), (ProtocolError, Some("not_a2a"))),
        (500, json, error(json!(ID), -32_603).to_string(), (ProtocolError, Some("not_a2a"))),
        // An answer to something else.
        (200, json, error(json!("other"), -32_001).to_string(), (ProtocolError, Some("not_a2a"))),
        (200, json, error(Value::Null, -32_001).to_string(), (ProtocolError, Some("not_a2a"))),
        // What gives everything back, or says yes to everything.
        (
            200,
            json,
            json!({"jsonrpc": "2.0", "id": ID, "method": "GetTask", "params": {}}).to_string(),
            (ProtocolError, Some("not_a2a")),
        ),
        (200, json, json!({"jsonrpc": "2.0", "id": ID, "result": {}}).to_string(), (ProtocolError, Some("not_a2a"))),
        (200, json, "{}".into(), (ProtocolError, Some("not_a2a"))),
        (200, json, "[]".into(), (ProtocolError, Some("not_a2a"))),
        (200, json, "{".into(), (ProtocolError, Some("not_json"))),
        (200, json, String::new(), (ProtocolError, Some("not_json"))),
        (200, "text/html", "<html>".into(), (ProtocolError, Some("not_json"))),
        (200, "", missing.clone(), (ProtocolError, Some("not_json"))),
        (204, "", String::new(), (ProtocolError, Some("not_json"))),
        (405, "text/plain", "no".into(), (ProtocolError, Some("not_json"))),
        (301, json, missing.clone(), (ProtocolError, Some("redirect"))),
        (401, json, missing.clone(), (AuthRequired, Some("call_needs_credential"))),
        (403, "text/html", String::new(), (AuthRequired, Some("call_needs_credential"))),
        (429, json, missing.clone(), (Unknown, Some("host_is_busy"))),
        (502, json, missing.clone(), (Unreachable, Some("gateway"))),
        (504, "text/html", String::new(), (Unreachable, Some("gateway"))),
    ] {
        let heard = heard(status, media_type, body.clone());
        assert_eq!(call(Ok(&heard), Binding::JsonRpc, Era::V1, ID), expected, "{status} {media_type} {body}");
        assert_eq!(call(Ok(&heard), Binding::JsonRpc, Era::V03, ID), expected, "{status} {media_type} {body}");
    }
}

#[test]
fn answers_of_http_json() {
    let details = json!([{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "TASK_NOT_FOUND"}]);
    let full = json!({"error": {"code": 404, "status": "NOT_FOUND", "message": "x", "details": details}});
    let bare = json!({"error": {"code": 404, "status": "NOT_FOUND", "message": "x"}});
    for (status, era, body, is_callable) in [
        (404, Era::V1, full.clone(), true),
        (404, Era::V1, json!({"error": {"code": 5, "details": details}}), true),
        (404, Era::V1, bare.clone(), true),
        (404, Era::V03, bare, true),
        (404, Era::V03, json!({"message": "Task not found"}), true),
        (404, Era::V03, json!({"type": "TaskNotFoundError"}), true),
        (404, Era::V1, json!({"message": "Task not found"}), false),
        (200, Era::V1, full, false),
        (200, Era::V1, json!({"id": ID, "status": {}}), false),
        // What common frameworks say of a path that they do not have.
        (404, Era::V03, json!({"detail": "Not Found"}), false),
        (404, Era::V03, json!({"status": 404, "error": "Not Found", "path": format!("/v1/tasks/{ID}")}), false),
        (404, Era::V1, json!({"status": 404, "error": "Not Found", "path": format!("/tasks/{ID}")}), false),
        (404, Era::V1, json!({"error": "Not Found"}), false),
    ] {
        let heard = heard(status, "application/json", body.to_string());
        let (verdict, _) = call(Ok(&heard), Binding::HttpJson, era, ID);
        assert_eq!(verdict == Verdict::Callable, is_callable, "{status} {era:?} {body}");
    }
}

#[test]
fn what_gave_no_answer() {
    for (failure, verdict) in [
        (Failure::Refused, Verdict::Unreachable),
        (Failure::Unreachable, Verdict::Unreachable),
        (Failure::Broken, Verdict::Unreachable),
        (Failure::Timeout, Verdict::Timeout),
        (Failure::BadAnswer, Verdict::ProtocolError),
    ] {
        let (found, reason) = call(Err(failure), Binding::JsonRpc, Era::V1, ID);
        assert_eq!((found, reason.is_some()), (verdict, true), "{failure:?}");
        assert!(matches!(after_card(Found::Failed(failure), true), Next::End(found, _) if found == verdict));
    }
}

#[test]
fn places_of_a_card() {
    let ours = json!({"name": "ours"}).to_string();
    for (status, body, expected) in [
        (200, ours.as_str(), Found::Same),
        (200, r#"{"name": "theirs"}"#, Found::Other),
        // A page for everything, and JSON that is no card.
        (200, "<html>", Found::Nothing),
        (200, "{}", Found::Nothing),
        (200, r#"{"name": 7}"#, Found::Nothing),
        (200, "", Found::Nothing),
        (204, "", Found::Nothing),
        (302, ours.as_str(), Found::Nothing),
        (404, ours.as_str(), Found::Nothing),
        (500, "", Found::Nothing),
        (401, ours.as_str(), Found::Closed),
        (403, "", Found::Closed),
        (410, "", Found::Gone),
        (429, "", Found::Busy),
        (502, "", Found::Failed(Failure::Unreachable)),
    ] {
        let heard = heard(status, "application/json", body);
        assert_eq!(card(Ok(&heard), |card| card["name"] == "ours"), expected, "{status} {body}");
    }
    assert_eq!(card(Err(Failure::Timeout), |_| true), Found::Failed(Failure::Timeout));
}

#[test]
fn what_several_places_say_together() {
    let all = |found: &[Found]| found.iter().copied().fold(Found::Nothing, Found::and);
    assert_eq!(all(&[Found::Nothing, Found::Other, Found::Same]), Found::Same);
    assert_eq!(all(&[Found::Gone, Found::Other, Found::Nothing]), Found::Other, "somebody else lives there");
    assert_eq!(all(&[Found::Gone, Found::Nothing, Found::Nothing]), Found::Gone);
    assert_eq!(all(&[Found::Gone, Found::Closed]), Found::Closed, "what we may not see may be a card");
    assert_eq!(all(&[Found::Gone, Found::Failed(Failure::Timeout)]), Found::Failed(Failure::Timeout));
    assert_eq!(all(&[Found::Nothing]), Found::Nothing);
}

#[test]
fn only_a_proven_agent_is_called_without_its_card() {
    for (found, unproven) in [
        (Found::Other, Next::End(Verdict::ProtocolError, "card_is_another")),
        (Found::Closed, Next::End(Verdict::AuthRequired, "card_needs_credential")),
        (Found::Nothing, Next::End(Verdict::ProtocolError, "no_card")),
    ] {
        assert_eq!((after_card(found, false), after_card(found, true)), (unproven, Next::Call), "{found:?}");
    }
    for is_proven in [true, false] {
        assert_eq!(after_card(Found::Same, is_proven), Next::Call);
        assert_eq!(after_card(Found::Gone, is_proven), Next::Gone);
        assert_eq!(after_card(Found::Busy, is_proven), Next::End(Verdict::Unknown, "host_is_busy"));
    }
}
