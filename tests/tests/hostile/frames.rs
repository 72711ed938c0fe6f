//! Hostile `call` frames.

use landline_tests::frame::{headers, map, response};
use landline_tests::line::Line;
use landline_tests::wait::SOON;
use rmpv::Value;

use super::world::{Arrives, NEVER, Outcome, World, nothing, same};

/// How a row ends.
pub(crate) enum End {
    /// An `error` frame with this code; the agent hears nothing.
    Refused(&'static str),
    /// The caller's line is closed with this code; the agent hears nothing.
    Closed(u16),
    /// It reaches the agent like this.
    Arrives(Arrives),
}

/// A name, keys that are added to a good `call`, and its end.
pub(crate) type Row = (&'static str, Vec<(&'static str, Value)>, End);

const BAD: End = End::Refused("invalid_query");

pub(crate) fn rows() -> Vec<Row> {
    paths().into_iter().chain(verbs()).chain(header_rows()).collect()
}

/// A path that passes as it is: a line's agent gets it raw, and whoever maps it to something checks it there.
fn raw(name: &'static str, path: &str) -> Row {
    (name, vec![("path", path.into())], End::Arrives(Arrives { path: Some(path.to_owned()), ..Arrives::default() }))
}

fn paths() -> Vec<Row> {
    let bad = |name, path: &str| -> Row { (name, vec![("path", path.into())], BAD) };
    vec![
        bad("a path without a slash", "x"),
        bad("an absolute URL as path", "http://evil.example/x"),
        bad("an authority as path", "@evil.example/x"),
        bad("an asterisk as path", "*"),
        bad("a backslash first", "\\evil.example"),
        bad("a space in the path", "/a b"),
        bad("a tab in the path", "/a\tb"),
        bad("CR LF in the path", "/a HTTP/1.1\r\nhost: evil.example\r\n\r\n"),
        bad("LF in the path", "/a\nb"),
        bad("NUL in the path", "/a\0b"),
        bad("DEL in the path", "/a\x7Fb"),
        bad("a path that is no ASCII", "/\u{e9}"),
        bad("a slash of full width", "\u{ff0f}x"),
        bad("a path of 9 KiB", &format!("/{}", "a".repeat(9 << 10))),
        bad("a query of 9 KiB", &format!("?{}", "a".repeat(9 << 10))),
        raw("dots", "/../../x"),
        raw("encoded dots", "/%2e%2e/%2E%2E/x"),
        raw("two slashes", "//evil.example/x"),
        raw("encoded CR LF", "/x%0d%0ahost:%20evil.example"),
        raw("encoded NUL", "/%00"),
        raw("a fragment", "/x#y"),
        raw("a query alone", "?../x"),
        ("a path that is a number", vec![("path", 7.into())], End::Closed(1002)),
        ("an id with a path behind it", vec![("to", "0192f6a0-0000-7000-8000-000000000000/../x".into())], BAD),
        ("an id with CR LF", vec![("to", "0192f6a0-0000-7000-8000-000000000000\r\n".into())], BAD),
    ]
}

fn verbs() -> Vec<Row> {
    let bad = |name, verb: &str| -> Row { (name, vec![("verb", verb.into())], BAD) };
    let good = |name, verb: &str| -> Row {
        (name, vec![("verb", verb.into())], End::Arrives(Arrives { verb: Some(verb.to_owned()), ..Arrives::default() }))
    };
    vec![
        bad("CONNECT", "CONNECT"),
        bad("TRACE", "TRACE"),
        bad("no verb at all", ""),
        bad("a space in the verb", "GET /x HTTP/1.1"),
        bad("CR LF in the verb", "GET\r\nx: y"),
        bad("a colon in the verb", "GET:"),
        bad("a verb that is no ASCII", "G\u{c9}T"),
        bad("a verb of 33 characters", &"A".repeat(33)),
        good("a verb of 32 characters", &"A".repeat(32)),
        good("a verb in lower case", "get"),
    ]
}

fn header_rows() -> Vec<Row> {
    let with = |fields: &[(&str, &str)]| vec![("headers", headers(fields))];
    let bad = |name, field: &str, value: &str| -> Row { (name, with(&[(field, value)]), BAD) };
    let many: Vec<(String, String)> = (0..65).map(|number| (format!("x-{number}"), "v".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let never: Vec<(&str, &str)> =
        NEVER.into_iter().chain([("host", "evil.example"), ("content-length", "9")]).collect();
    let absent = |fields: &[(&'static str, &str)]| fields.iter().map(|(name, _)| (*name, None)).collect::<Vec<_>>();
    let arrives = |headers| End::Arrives(Arrives { headers, ..Arrives::default() });
    vec![
        bad("CR LF in a value", "x-a", "b\r\nx-c: d"),
        bad("LF in a value", "x-a", "b\nx-c: d"),
        bad("CR in a value", "x-a", "b\rc"),
        bad("NUL in a value", "x-a", "b\0c"),
        bad("DEL in a value", "x-a", "b\x7Fc"),
        bad("CR LF in a name", "x-a: b\r\nx-c", "d"),
        bad("a space in a name", "x a", "b"),
        bad("a colon in a name", "x-a:", "b"),
        bad("a name in upper case", "X-A", "b"),
        bad("an empty name", "", "b"),
        bad("a name that is no ASCII", "x-\u{e9}", "b"),
        bad("a value of 17 KiB", "x-a", &"b".repeat(17 << 10)),
        bad("a bad value in a field that would be dropped", "cookie", "a\r\nb: c"),
        ("65 fields", with(&many), BAD),
        ("a field twice", with(&[("x-a", "b"), ("x-a", "c")]), BAD),
        ("headers that are a list", vec![("headers", Value::Array(vec!["x-a".into()]))], End::Closed(1002)),
        ("what concerns one connection or the caller", with(&never), arrives(absent(&never))),
        (
            "two lengths for the agent",
            with(&[("content-length", "0"), ("transfer-encoding", "chunked")]),
            arrives(vec![("content-length", None), ("transfer-encoding", None)]),
        ),
        (
            "credentials",
            with(&[("authorization", "Bearer mine"), ("x-agent-authorization", "Bearer yours")]),
            arrives(vec![("authorization", Some("Bearer yours")), ("x-agent-authorization", None)]),
        ),
    ]
}

/// Sends one row and looks how it ends. `own` is the caller's line.
fn ends(world: &mut World, own: &mut Line, id: u64, extra: Vec<(&str, Value)>, end: &End) -> Outcome {
    let is_target = extra.iter().any(|(key, _)| *key == "to");
    let to = (!is_target).then(|| ("to", Value::from(world.agent.id.as_str())));
    let head = [("type", "call".into()), ("id", id.into())].into_iter().chain(to);
    let entries: Vec<(&str, Value)> = head.chain(extra).chain([("body", Value::Binary(b"hostile".to_vec()))]).collect();
    own.send(&map(&entries));
    match end {
        End::Arrives(expected) => {
            let request = world.request()?;
            expected.check(&request, &world.caller.key)?;
            world.line.send(&response(request.id(), b"ok"));
            let answer = own.next(SOON).map_err(|ended| format!("{ended:?}"))?;
            same("the answer", (answer.kind(), answer.id(), answer.body()), ("response", id, b"ok"))
        }
        End::Refused(code) => {
            let error = own.next(SOON).map_err(|ended| format!("{ended:?}"))?;
            same("the refusal", (error.kind(), error.id(), error.text("code")), ("error", id, Some(code)))?;
            world.hears_nothing_else()
        }
        End::Closed(code) => {
            same("the caller's line", own.end(SOON).code(), *code)?;
            world.hears_nothing_else()
        }
    }
}

#[test]
fn hostile_call_frames() {
    let mut world = World::start();
    let mut own = Line::dial(world.addr, &world.caller.key).expect("a line");
    let mut wrong = Vec::new();
    for (number, (name, extra, end)) in rows().into_iter().enumerate() {
        let outcome = ends(&mut world, &mut own, 2 * number as u64 + 1, extra, &end);
        if outcome.is_err() {
            world.redial();
        }
        if outcome.is_err() || matches!(end, End::Closed(_)) {
            own = Line::dial(world.addr, &world.caller.key).expect("a line");
        }
        wrong.extend(outcome.err().map(|why| format!("{name}: {why}")));
    }
    nothing(&wrong);
    own.assert_alive();
    world.server.assert_no_panic();
}
