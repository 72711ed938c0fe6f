//! What is asked of an agent at its own URL.

use serde_json::json;

use super::*;

const RULES: Rules<'_> = Rules { ports: &[443, 8443], opened: &[], public_url: "https://relay.example" };

fn interfaces() -> Value {
    json!([
        {"url": "https://sum.example/grpc", "protocolBinding": "GRPC", "protocolVersion": "1.0"},
        {"url": "https://sum.example/a2a/", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0", "tenant": "blue"},
        {"url": "https://sum.example/rpc?k=1", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
        {"url": "https://other.example/rpc", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"},
    ])
}

fn sum() -> Callee {
    callee("https://sum.example", &interfaces(), RULES).unwrap()
}

fn path(callee: &Callee, method: &str, rest: &str, as_message: bool) -> Option<String> {
    let method: Method = method.parse().unwrap();
    let plan = callee.plan(Wanted { method: &method, rest, as_message })?;
    assert_eq!((&plan.method, plan.wrap.is_some()), (&method, as_message));
    Some(plan.path.to_string())
}

#[test]
fn only_interfaces_on_the_proven_origin_count() {
    assert_eq!(sum().interfaces.len(), 2);
    let elsewhere = json!([{"url": "https://other.example", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]);
    assert_eq!(callee("https://sum.example", &elsewhere, RULES), None);
    for near in
        ["http://sum.example", "https://sum.example:8443", "https://sum.example.evil.example", "https://sum.exampl"]
    {
        assert_eq!(callee(near, &interfaces(), RULES), None, "{near}");
    }
}

#[test]
fn an_origin_must_be_public_on_an_allowed_port_and_not_ours() {
    let one = |url: &str, rules| {
        callee(url, &json!([{"url": url, "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]), rules).is_some()
    };
    assert!(one("https://sum.example/x", RULES) && one("https://8.8.8.8", RULES));
    for url in [
        "https://10.0.0.1",
        "https://[::1]",
        "https://[::ffff:8.8.8.8]",
        "https://sum.example:22",
        "http://sum.example",
        "https://relay.example/connect/relay/x",
        "https://RELAY.example:443",
        "https://u@sum.example",
        "https://sum.example.",
        "",
    ] {
        assert!(!one(url, RULES), "{url}");
    }
    let opened = ["10.0.0.0/8".parse().unwrap()];
    assert!(one("https://10.0.0.1", Rules { opened: &opened, ..RULES }));
}

#[test]
fn a_body_goes_to_the_interface_that_takes_it() {
    let sum = sum();
    for (rest, expected) in [
        ("", Some("/rpc?k=1")),
        ("/rpc", Some("/rpc?k=1")),
        ("/rpc/", Some("/rpc?k=1")),
        ("/a2a", Some("/a2a/")),
        ("/a2a/message:send", Some("/a2a/message:send")),
        ("/a2a/blue/tasks/7:cancel", Some("/a2a/blue/tasks/7:cancel")),
        ("/", None),
        ("?x=1", None),
        ("/message:send", None),
        ("/admin", None),
        ("/a2a2/message:send", None),
        ("/rpc/x", None),
        ("/rpc?k=2", None),
        ("/a2a/tasks?x=1", None),
        ("/../admin", None),
        ("/a2a/../admin", None),
        ("/a2a/x/./y", None),
        ("/a2a//admin", None),
        ("//evil.example/x", None),
        ("/a2a/%2e%2e/admin", None),
        ("/a2a/x;y", None),
        ("/a2a/x\\y", None),
        ("/a2a/x/..", None),
    ] {
        assert_eq!(path(&sum, "POST", rest, false).as_deref(), expected, "{rest}");
    }
    let rest_only = json!([{"url": "https://sum.example/a", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"}]);
    let rest_only = callee("https://sum.example", &rest_only, RULES).unwrap();
    assert_eq!(path(&rest_only, "POST", "", false).as_deref(), Some("/a"));
    let rpc_only = json!([{"url": "https://sum.example/a", "protocolBinding": "JSONRPC", "protocolVersion": "1.0"}]);
    let rpc_only = callee("https://sum.example", &rpc_only, RULES).unwrap();
    assert_eq!(path(&rpc_only, "POST", "/a/message:send", false), None);
    let at_root = json!([{"url": "https://sum.example", "protocolBinding": "HTTP+JSON", "protocolVersion": "1.0"}]);
    let at_root = callee("https://sum.example", &at_root, RULES).unwrap();
    assert_eq!(path(&at_root, "POST", "/message:send", false).as_deref(), Some("/message:send"));
    assert_eq!(path(&at_root, "POST", "//message:send", false), None);
}

#[test]
fn a_message_goes_to_the_interface_that_the_card_prefers() {
    assert_eq!(path(&sum(), "POST", "", true).as_deref(), Some("/a2a/blue/message:send"));
    assert_eq!(path(&sum(), "POST", "/message:send", true), None);
    let one = |binding: &str, version: &str, tenant: &str| {
        let interface = json!([{"url": "https://sum.example/a", "protocolBinding": binding, "protocolVersion": version,
            "tenant": tenant}]);
        path(&callee("https://sum.example", &interface, RULES).unwrap(), "POST", "", true)
    };
    assert_eq!(one("HTTP+JSON", "0.3", "").as_deref(), Some("/a/v1/message:send"));
    assert_eq!(one("HTTP+JSON", "1.0", "").as_deref(), Some("/a/message:send"));
    assert_eq!(one("HTTP+JSON", "1.0", "../x"), None);
    assert_eq!(one("JSONRPC", "1.0", "../x").as_deref(), Some("/a"), "there the tenant is a member of the message");
}

#[test]
fn of_all_that_can_be_read_only_the_card_is() {
    let sum = sum();
    assert_eq!(path(&sum, "GET", CARD_PATH, false).as_deref(), Some(CARD_PATH));
    assert_eq!(path(&sum, "HEAD", CARD_PATH, false).as_deref(), Some(CARD_PATH));
    assert_eq!(path(&sum, "GET", CARD_PATH, true), None);
    assert_eq!(path(&sum, "GET", &format!("{CARD_PATH}?x"), false), None);
    for (method, rest) in
        [("GET", ""), ("GET", "/tasks"), ("PUT", ""), ("DELETE", "/x"), ("OPTIONS", ""), ("CONNECT", "")]
    {
        assert_eq!(path(&sum, method, rest, false), None, "{method} {rest}");
    }
}

#[test]
fn nothing_that_tells_of_the_caller_passes() {
    let names = [
        "content-type",
        "accept",
        "a2a-version",
        "a2a-extensions",
        "authorization",
        "x-agent-authorization",
        "cookie",
        "x-request-id",
        "x-a2a-method",
        "x-landline-as",
        "forwarded",
        "user-agent",
        "accept-encoding",
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "expect",
        "origin",
        "referer",
    ];
    let given: HeaderMap = names.iter().map(|name| (HeaderName::from_static(name), "x".parse().unwrap())).collect();
    let mut passed: Vec<String> = headers(&given).keys().map(ToString::to_string).collect();
    passed.sort_unstable();
    assert_eq!(passed, ["a2a-extensions", "a2a-version", "accept", "content-type"]);
}
