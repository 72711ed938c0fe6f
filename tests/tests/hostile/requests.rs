//! Hostile HTTP requests to the relay's path.

use landline_tests::frame;

use super::raw::{self, All};
use super::world::{Arrives, NEVER, Outcome, World, nothing, same};

/// How a row ends.
pub(crate) enum End {
    /// A problem with this status and code; the agent hears nothing.
    Refused(u16, &'static str),
    /// It reaches the agent like this.
    Arrives(Arrives),
}

/// A name, the bytes with `{id}` for the agent and `{auth}` for a good credential's line, and its end.
pub(crate) type Row = (&'static str, Vec<u8>, End);

const BAD: End = End::Refused(400, "bad_request");
const INVALID: End = End::Refused(422, "invalid_query");
const NO_METHOD: End = End::Refused(405, "method_not_allowed");

pub(crate) fn rows() -> Vec<Row> {
    targets().into_iter().chain(verbs()).chain(header_rows()).chain(framings()).collect()
}

fn request(line: &str, fields: &str) -> Vec<u8> {
    format!("{line} HTTP/1.1\r\nhost: h\r\n{{auth}}{fields}\r\n").into_bytes()
}

fn targets() -> Vec<Row> {
    let get = |name, target: &str, end| -> Row { (name, request(&format!("GET {target}"), ""), end) };
    let raw = |name, path: &str| -> Row {
        let arrives = Arrives { verb: Some("GET".into()), path: Some(path.into()), ..Arrives::default() };
        (name, request(&format!("GET /connect/relay/{{id}}{path}"), ""), End::Arrives(arrives))
    };
    vec![
        get("an absolute URL", "http://evil.example/connect/relay/{id}", BAD),
        get("a target without a slash", "connect/relay/{id}", BAD),
        get("an authority", "evil.example:80", BAD),
        get("a space in the target", "/connect/relay/{id}/a b", BAD),
        get("NUL in the target", "/connect/relay/{id}/\0", BAD),
        get("CR in the target", "/connect/relay/{id}/a\rb", BAD),
        get("LF in the target", "/connect/relay/{id}/a\nb", BAD),
        get("a target that is no ASCII", "/connect/relay/{id}/\u{e9}", INVALID),
        get("a path of 9 KiB", &format!("/connect/relay/{{id}}/{}", "a".repeat(9 << 10)), INVALID),
        get("a query of 9 KiB", &format!("/connect/relay/{{id}}?{}", "a".repeat(9 << 10)), INVALID),
        get("dots instead of an id", "/connect/relay/../relay/{id}", INVALID),
        get("two slashes before the id", "/connect/relay//{id}", INVALID),
        get("an encoded slash behind the id", "/connect/relay/{id}%2f..%2fx", INVALID),
        get("a backslash behind the id", "/connect/relay/{id}\\x", INVALID),
        get("a user before the id", "/connect/relay/x@{id}", INVALID),
        get("CR LF, encoded, in the id", "/connect/relay/{id}%0d%0a", INVALID),
        get("dots before the API", "/connect/../connect/relay/{id}", End::Refused(404, "not_found")),
        get("two slashes in the API", "/connect//relay/{id}", End::Refused(404, "not_found")),
        raw("dots behind the id", "/../../v1/agents"),
        raw("encoded dots", "/%2e%2e/%2E%2E/x"),
        raw("two slashes behind the id", "//evil.example/x"),
        raw("encoded CR LF", "/x%0d%0ahost:%20evil.example"),
        raw("a fragment", "/x#y"),
        raw("a card of another spelling", "/.well-known/./agent-card.json"),
    ]
}

fn verbs() -> Vec<Row> {
    let with = |name, verb: &str, end| -> Row { (name, request(&format!("{verb} /connect/relay/{{id}}/x"), ""), end) };
    let arrives =
        |verb: &str| End::Arrives(Arrives { verb: Some(verb.into()), path: Some("/x".into()), ..Arrives::default() });
    vec![
        with("CONNECT", "CONNECT", NO_METHOD),
        ("CONNECT to elsewhere", request("CONNECT evil.example:443", ""), BAD),
        with("TRACE", "TRACE", NO_METHOD),
        with("a space in the verb", "GE T", BAD),
        with("a space before the verb", " GET", BAD),
        with("a colon in the verb", "GET:", BAD),
        with("a verb that is no ASCII", "G\u{c9}T", BAD),
        with("a verb of 33 characters", &"A".repeat(33), NO_METHOD),
        with("a verb in lower case", "get", arrives("get")),
        with("a verb of 32 characters", &"A".repeat(32), arrives(&"A".repeat(32))),
    ]
}

fn header_rows() -> Vec<Row> {
    let with = |name, fields: &str, end| -> Row { (name, request("POST /connect/relay/{id}", fields), end) };
    let arrives = |headers| End::Arrives(Arrives { headers, ..Arrives::default() });
    let never: String = NEVER.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let absent = NEVER.iter().map(|(name, _)| (*name, None)).chain([("host", None)]).collect();
    let mut latin = request("POST /connect/relay/{id}", "x-a: b@c\r\n");
    let at = latin.windows(3).position(|three| three == b"b@c").expect("it is there") + 1;
    latin[at] = 0xE9;
    vec![
        with("NUL in a value", "x-a: b\0c\r\n", BAD),
        with("CR in a value", "x-a: b\rc\r\n", BAD),
        with("a second host behind a bare LF", "x-a: b\nhost: evil.example\r\n", BAD),
        with("DEL in a value", "x-a: b\x7Fc\r\n", BAD),
        with("a space in a name", "x a: b\r\n", BAD),
        with("a space behind a name", "x-a : b\r\n", BAD),
        with("an empty name", ": b\r\n", BAD),
        with("a field without a colon", "x-a\r\n", BAD),
        with("a name that is no ASCII", "x-\u{e9}: b\r\n", BAD),
        with("a folded line", "x-a: b\r\n c\r\n", BAD),
        with("two hosts", "host: evil.example\r\n", BAD),
        with("more than 64 fields", &"x-a: b\r\n".repeat(65), End::Refused(431, "header_too_large")),
        with("a value of 17 KiB", &format!("x-a: {}\r\n", "b".repeat(17 << 10)), End::Refused(431, "header_too_large")),
        ("a value that is no UTF-8", latin, INVALID),
        with("what concerns one connection or the caller", &never, arrives(absent)),
        with(
            "the agent's credential",
            "x-agent-authorization: Bearer yours\r\n",
            arrives(vec![("authorization", Some("Bearer yours")), ("x-agent-authorization", None)]),
        ),
        with(
            "CR LF, encoded, in a value",
            "x-a: b%0d%0ac: d\r\n",
            arrives(vec![("x-a", Some("b%0d%0ac: d")), ("c", None)]),
        ),
    ]
}

fn framings() -> Vec<Row> {
    let with = |name, rest: &str| -> Row {
        let head = "POST /connect/relay/{id} HTTP/1.1\r\nhost: h\r\n{auth}";
        (name, format!("{head}{}", rest.replace('\n', "\r\n")).into_bytes(), BAD)
    };
    vec![
        with("both lengths", "content-length: 4\ntransfer-encoding: chunked\n\n0\n\nGET /hidden HTTP/1.1\nhost: h\n\n"),
        with("both, in the other order", "transfer-encoding: chunked\ncontent-length: 4\n\n0\n\n"),
        with("the same length twice", "content-length: 2\ncontent-length: 2\n\n{}"),
        with("a length in hexadecimal", "content-length: 0x2\n\n{}"),
        with("a length with a space in it", "content-length: 1 0\n\n{}"),
        with("no length", "content-length:\n\n{}"),
        with("a coding that only looks like chunked", "transfer-encoding: xchunked\n\n0\n\n"),
        with("chunked with a tab behind a comma", "transfer-encoding: chunked,\tidentity\n\n0\n\n"),
        with("a coding in quotes", "transfer-encoding: \"chunked\"\n\n0\n\n"),
        with("a chunk size with a sign", "transfer-encoding: chunked\n\n+2\n{}\n0\n\n"),
        with("a chunk size with 0x", "transfer-encoding: chunked\n\n0x2\n{}\n0\n\n"),
        with("a chunk without its end", "transfer-encoding: chunked\n\n2\n{}0\n\n"),
    ]
}

/// Sends one row, with a good request behind it, and looks how both end.
fn ends(world: &mut World, bytes: Vec<u8>, end: End) -> Outcome {
    let auth = format!("authorization: Bearer {}\r\n", world.caller.key);
    let bytes = replace(replace(bytes, b"{id}", world.agent.id.as_bytes()), b"{auth}", auth.as_bytes());
    let stream = raw::send(world.addr, &[bytes, world.control().into_bytes()].concat());
    match end {
        End::Arrives(expected) => {
            let request = world.request()?;
            expected.check(&request, &world.caller.key)?;
            world.line.send(&frame::response(request.id(), b"ok"));
            let All { answers, is_cut } = raw::read(stream, false)?;
            let [first, second] = answers.as_slice() else { return Err(format!("{answers:?}")) };
            same("the answer", (first.status, first.body.as_slice(), is_cut), (200, b"ok", false))?;
            same("the next answer is the next request's", world.is_control(second), true)
        }
        End::Refused(status, code) => {
            let All { answers, is_cut } = raw::read(stream, false)?;
            let first = answers.first().ok_or("no answer")?;
            same("the refusal", (first.status, first.code().as_str(), is_cut), (status, code, false))?;
            // A head that was not understood ends the connection; behind another the next request is answered.
            let goes_on = matches!(status, 404 | 405 | 422);
            let behind: Vec<bool> = answers[1..].iter().map(|answer| world.is_control(answer)).collect();
            same("what is answered behind it", behind, if goes_on { vec![true] } else { vec![] })?;
            world.hears_nothing_else()
        }
    }
}

#[test]
fn hostile_requests() {
    let mut world = World::start();
    let mut wrong = Vec::new();
    for (name, bytes, end) in rows() {
        if let Err(why) = ends(&mut world, bytes, end) {
            wrong.push(format!("{name}: {why}"));
            world.redial();
        }
    }
    nothing(&wrong);
    world.server.assert_no_panic();
}

fn replace(bytes: Vec<u8>, what: &[u8], by: &[u8]) -> Vec<u8> {
    match bytes.windows(what.len()).position(|window| window == what) {
        Some(at) => [&bytes[..at], by, &bytes[at + what.len()..]].concat(),
        None => bytes,
    }
}
