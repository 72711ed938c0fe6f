//! What crosses the relay: paths, verbs, headers, methods and request ids. The same rules hold for an HTTP call, for a
//! `call` frame and for an agent's answer.

use crate::limits::{MAX_METHOD_CHARS, MAX_PATH_BYTES, MAX_REQUEST_ID_CHARS};

/// What a request below `/relay/` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target<'a> {
    /// A call; `rest` is what followed the id, query included, empty if nothing did.
    Call {
        /// Path and query for the agent, raw.
        rest: &'a str,
    },
    /// `POST …/stream`: a call whose answer comes as our SSE.
    Stream,
    /// `GET|HEAD …/status`.
    Status,
    /// `GET|HEAD …/.well-known/agent-card.json`: the relay card, served by the exchange.
    Card,
}

/// Splits what follows `/relay/` into the agent's id text and what is asked of it. Ours are exactly three; everything
/// else, `…//stream` too, is the agent's.
pub fn target<'a>(method: &str, below_relay: &'a str) -> (&'a str, Target<'a>) {
    let end = below_relay.bytes().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(below_relay.len());
    let (id, rest) = below_relay.split_at(end);
    let path = &rest[..rest.find('?').unwrap_or(rest.len())];
    let reads = matches!(method, "GET" | "HEAD");
    let target = match path {
        "/stream" if method == "POST" => Target::Stream,
        "/status" if reads => Target::Status,
        "/.well-known/agent-card.json" if reads => Target::Card,
        // `/relay/{id}` and `/relay/{id}/` are the same.
        "/" => Target::Call { rest: &rest[1..] },
        _ => Target::Call { rest },
    };
    (id, target)
}

/// Is this a path (and query) that may reach an agent: empty, or starting with `/` or `?`, visible ASCII, bounded?
pub fn is_path(path: &str) -> bool {
    path.is_empty()
        || (path.starts_with(['/', '?']) && path.len() <= MAX_PATH_BYTES && path.bytes().all(|b| b.is_ascii_graphic()))
}

/// Is this an HTTP method that may reach an agent?
pub fn is_verb(verb: &str) -> bool {
    is_token(verb) && verb.len() <= 32 && !matches!(verb, "CONNECT" | "TRACE")
}

/// Is this an A2A method name that may stand on the public feed?
pub fn is_a2a_method(method: &str) -> bool {
    (1..=MAX_METHOD_CHARS).contains(&method.len())
        && method.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'.' | b'_' | b'-'))
}

/// Is this a request id that is taken from the caller?
pub fn is_request_id(id: &str) -> bool {
    (1..=MAX_REQUEST_ID_CHARS).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Is this a header name: a token in lower case?
pub fn is_header_name(name: &str) -> bool {
    is_token(name) && !name.bytes().any(|b| b.is_ascii_uppercase())
}

/// Is this a header value without CR, LF, NUL or other controls? (HTAB may stand inside.)
pub fn is_header_value(value: &str) -> bool {
    !value.bytes().any(|b| (b < 0x20 && b != b'\t') || b == 0x7F)
}

/// RFC 9110 token.
pub fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| {
            b.is_ascii_alphanumeric()
                || matches!(
                    b,
                    b'!' | b'#'
                        | b'$'
                        | b'%'
                        | b'&'
                        | b'\''
                        | b'*'
                        | b'+'
                        | b'-'
                        | b'.'
                        | b'^'
                        | b'_'
                        | b'`'
                        | b'|'
                        | b'~'
                )
        })
}

/// Does a caller's header (name in lower case) reach the agent? Hop-by-hop fields, our own, and what would tell the
/// agent the caller's address or credential stay here. Names that `Connection` lists are the caller's to exclude.
pub fn reaches_agent(name: &str) -> bool {
    if matches!(
        name,
        "host"
            | "authorization"
            | "cookie"
            | "forwarded"
            | "via"
            | "x-real-ip"
            | "connection"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "keep-alive"
            | "content-length"
            | "expect"
            | "x-agent-authorization"
    ) {
        return false;
    }
    !["x-forwarded-", "x-relay-", "x-landline-", "proxy-"].iter().any(|prefix| name.starts_with(prefix))
}

/// Does an agent's header (name in lower case) reach the caller?
pub fn reaches_caller(name: &str) -> bool {
    matches!(
        name,
        "content-type"
            | "content-language"
            | "content-disposition"
            | "content-encoding"
            | "cache-control"
            | "etag"
            | "last-modified"
            | "vary"
            | "location"
            | "retry-after"
            | "www-authenticate"
    ) || name.starts_with("a2a-")
        || name.starts_with("x-a2a-")
}

/// Added to every answer of an agent, so that none can run as a page of ours.
pub const ANSWER_HEADERS: [(&str, &str); 2] = [
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "sandbox; default-src 'none'; frame-ancestors 'none'"),
];

/// Is this a status that an agent may answer with?
pub fn is_answer_status(status: u64) -> bool {
    (200..=599).contains(&status)
}

/// Text of a foreign party, made safe to stand in a problem document: printable, at most `max` characters.
pub fn printable(text: &str, max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_exactly_three_and_the_rest_is_the_agents() {
        let id = "0190";
        for (method, below, expected) in [
            ("POST", "0190", Target::Call { rest: "" }),
            ("POST", "0190/", Target::Call { rest: "" }),
            ("POST", "0190?q=1", Target::Call { rest: "?q=1" }),
            ("POST", "0190/?q=1", Target::Call { rest: "?q=1" }),
            ("GET", "0190/tasks/1?x", Target::Call { rest: "/tasks/1?x" }),
            ("POST", "0190/stream", Target::Stream),
            ("GET", "0190/stream", Target::Call { rest: "/stream" }),
            ("POST", "0190//stream", Target::Call { rest: "//stream" }),
            ("GET", "0190/status", Target::Status),
            ("HEAD", "0190/status?x", Target::Status),
            ("POST", "0190/status", Target::Call { rest: "/status" }),
            ("GET", "0190/.well-known/agent-card.json", Target::Card),
            ("GET", "0190/status/", Target::Call { rest: "/status/" }),
        ] {
            assert_eq!(target(method, below), (id, expected), "{method} {below}");
        }
    }

    #[test]
    fn hostile_texts_do_not_pass() {
        assert!(is_path("") && is_path("/a:b?c") && is_path("?x"));
        for path in ["a", "/a b", "/a\r\nx", "/\u{e9}", &format!("/{}", "a".repeat(MAX_PATH_BYTES))] {
            assert!(!is_path(path), "{path:?}");
        }
        assert!(is_verb("PROPFIND") && !is_verb("CONNECT") && !is_verb("TRACE") && !is_verb("GE T") && !is_verb(""));
        assert!(is_a2a_method("message/send") && !is_a2a_method("a b") && !is_a2a_method(&"a".repeat(65)));
        assert!(is_header_name("x-a") && !is_header_name("X-A") && !is_header_name("a:b") && !is_header_name(""));
        assert!(is_header_value("a\tb") && is_header_value("") && !is_header_value("a\r\nb") && !is_header_value("\0"));
        assert_eq!(printable("a\r\nb\u{7}", 2), "ab");
    }

    #[test]
    fn what_identifies_the_caller_never_reaches_the_agent() {
        for name in ["authorization", "cookie", "forwarded", "x-forwarded-for", "x-real-ip", "x-landline-as", "host"] {
            assert!(!reaches_agent(name), "{name}");
        }
        for name in ["content-type", "accept", "a2a-version", "traceparent", "x-api-key", "origin"] {
            assert!(reaches_agent(name), "{name}");
        }
        assert!(reaches_caller("a2a-extensions") && !reaches_caller("set-cookie") && !reaches_caller("server"));
    }
}
