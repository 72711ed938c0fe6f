//! Any body as an A2A message, for callers that speak no A2A. Pure.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// How an interface is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding {
    /// One URL, JSON-RPC 2.0.
    JsonRpc,
    /// Paths below a base URL.
    HttpJson,
}

/// Whose shapes an interface takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Era {
    /// A2A before 1.0: `message/send`, parts with a `kind`.
    V03,
    /// A2A from 1.0 on: `SendMessage`, ProtoJSON.
    V1,
}

/// What a message is made from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Content<'a> {
    /// The caller's `Content-Type`.
    pub(crate) media_type: Option<&'a str>,
    pub(crate) body: &'a [u8],
    /// A new id; of the message and of the JSON-RPC request.
    pub(crate) id: &'a str,
    /// What the interface demands in every request.
    pub(crate) tenant: Option<&'a str>,
}

/// The request that sends the content as one message of one part: text as text, JSON as data, all else as a file.
pub(crate) fn wrap(binding: Binding, era: Era, content: Content<'_>) -> Vec<u8> {
    let message = match era {
        Era::V1 => json!({"messageId": content.id, "role": "ROLE_USER", "parts": [part_v1(&content)]}),
        Era::V03 => json!({"kind": "message", "messageId": content.id, "role": "user", "parts": [part_v03(&content)]}),
    };
    let mut params = json!({"message": message});
    if let (Era::V1, Some(tenant)) = (era, content.tenant) {
        params["tenant"] = tenant.into();
    }
    let request = match (binding, era) {
        (Binding::HttpJson, _) => params,
        (Binding::JsonRpc, Era::V1) => request("SendMessage", content.id, params),
        (Binding::JsonRpc, Era::V03) => request("message/send", content.id, params),
    };
    request.to_string().into_bytes()
}

fn request(method: &str, id: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
}

fn essence<'a>(content: &Content<'a>) -> &'a str {
    content.media_type.and_then(|value| value.split(';').next()).map(str::trim).unwrap_or_default()
}

enum Kind<'a> {
    Text(&'a str),
    Data(Value),
    File,
}

fn kind<'a>(content: &Content<'a>) -> Kind<'a> {
    let essence = essence(content).to_ascii_lowercase();
    let Ok(text) = std::str::from_utf8(content.body) else { return Kind::File };
    if essence == "application/json" || essence.ends_with("+json") {
        return serde_json::from_str(text).map_or(Kind::Text(text), Kind::Data);
    }
    // curl's own type for `--data` says nothing of what was meant.
    let says_nothing = matches!(essence.as_str(), "" | "application/x-www-form-urlencoded");
    if essence.starts_with("text/") || says_nothing { Kind::Text(text) } else { Kind::File }
}

fn part_v1(content: &Content<'_>) -> Value {
    let mut part = match kind(content) {
        Kind::Text(text) => json!({ "text": text }),
        Kind::Data(data) => json!({ "data": data }),
        Kind::File => json!({"raw": STANDARD.encode(content.body)}),
    };
    let media_type = essence(content);
    if !media_type.is_empty() {
        part["mediaType"] = media_type.into();
    }
    part
}

/// In v0.3 data is an object; other JSON goes as its text.
fn part_v03(content: &Content<'_>) -> Value {
    match kind(content) {
        Kind::Text(text) => json!({"kind": "text", "text": text}),
        Kind::Data(data) if data.is_object() => json!({"kind": "data", "data": data}),
        Kind::Data(_) => json!({"kind": "text", "text": String::from_utf8_lossy(content.body)}),
        Kind::File => {
            let mut file = json!({"bytes": STANDARD.encode(content.body)});
            let media_type = essence(content);
            if !media_type.is_empty() {
                file["mimeType"] = media_type.into();
            }
            json!({"kind": "file", "file": file})
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(binding: Binding, era: Era, media_type: &str, body: &[u8]) -> Value {
        let content = Content { media_type: Some(media_type), body, id: "m1", tenant: None };
        serde_json::from_slice(&wrap(binding, era, content)).unwrap()
    }

    #[test]
    fn text_is_sent_as_each_interface_takes_it() {
        let v1 = json!({"message": {"messageId": "m1", "role": "ROLE_USER",
            "parts": [{"text": "hello", "mediaType": "text/plain"}]}});
        let v03 = json!({"message": {"kind": "message", "messageId": "m1", "role": "user",
            "parts": [{"kind": "text", "text": "hello"}]}});
        for (binding, era, expected) in [
            (Binding::HttpJson, Era::V1, v1.clone()),
            (Binding::HttpJson, Era::V03, v03.clone()),
            (Binding::JsonRpc, Era::V1, json!({"jsonrpc": "2.0", "id": "m1", "method": "SendMessage", "params": v1})),
            (
                Binding::JsonRpc,
                Era::V03,
                json!({"jsonrpc": "2.0", "id": "m1", "method": "message/send", "params": v03}),
            ),
        ] {
            assert_eq!(wrapped(binding, era, "text/plain; charset=utf-8", b"hello"), expected, "{binding:?} {era:?}");
        }
    }

    #[test]
    fn json_is_data_and_bytes_are_a_file() {
        let v1 =
            |media_type, body| wrapped(Binding::HttpJson, Era::V1, media_type, body)["message"]["parts"][0].clone();
        let v03 =
            |media_type, body| wrapped(Binding::HttpJson, Era::V03, media_type, body)["message"]["parts"][0].clone();
        assert_eq!(v1("application/json", b"[1]"), json!({"data": [1], "mediaType": "application/json"}));
        assert_eq!(v1("application/json", b"[1"), json!({"text": "[1", "mediaType": "application/json"}));
        assert_eq!(v1("image/png", &[0xff]), json!({"raw": "/w==", "mediaType": "image/png"}));
        assert_eq!(v1("", b"x"), json!({"text": "x"}));
        assert_eq!(v1("text/plain", &[0xff])["raw"], "/w==");
        assert_eq!(v03("application/json", b"{\"a\":1}"), json!({"kind": "data", "data": {"a": 1}}));
        assert_eq!(v03("application/json", b"[1]"), json!({"kind": "text", "text": "[1]"}));
        let file = json!({"kind": "file", "file": {"bytes": "/w==", "mimeType": "image/png"}});
        assert_eq!(v03("image/png", &[0xff]), file);
    }

    #[test]
    fn a_tenant_is_named_where_there_is_one() {
        let content = Content { media_type: None, body: b"x", id: "m1", tenant: Some("blue") };
        let request: Value = serde_json::from_slice(&wrap(Binding::JsonRpc, Era::V1, content)).unwrap();
        assert_eq!(request["params"]["tenant"], "blue");
    }
}
