//! What hostile callers ask of an exposed server.

use super::recorder::Recorded;
use super::{BASE, World};
use crate::world::{NEVER, Outcome, nothing, same};

/// How a row ends.
pub(crate) enum End {
    /// A problem with this status and code; the server hears nothing.
    Refused(u16, &'static str),
    /// The server gets exactly this target and body, once.
    Arrives(&'static str, &'static [u8]),
}

/// A name, the verb, what follows the agent's id, what follows the request line, and its end.
pub(crate) type Row = (&'static str, &'static str, Vec<u8>, Vec<u8>, End);

const BAD_PATH: End = End::Refused(400, "bad_path");
const HIDDEN: &[u8] = b"GET /secret HTTP/1.1\r\nhost: h\r\n\r\n";

pub(crate) fn rows() -> Vec<Row> {
    leaving().chain(staying()).chain(verbs()).chain(bodies()).collect()
}

/// Paths that could lead outside, by the reading of one server or another.
fn leaving() -> impl Iterator<Item = Row> {
    [
        ("dots", "/.."),
        ("dots and more", "/../secret"),
        ("dots behind a segment", "/a/../../secret"),
        ("dots behind empty segments", "/a//../../secret"),
        ("dots behind a dot", "/./../secret"),
        ("more dots than the base is deep", "/../../../../secret"),
        ("encoded dots", "/%2e%2e/secret"),
        ("dots, encoded in part", "/.%2E/secret"),
        ("an encoded slash", "/..%2fsecret"),
        ("all encoded", "/a%2f..%2f..%2fsecret"),
        ("encoded twice", "/%252e%252e%252fsecret"),
        ("encoded six times", "/%252525252e%252525252e/secret"),
        ("dots with a parameter", "/..;x=y/secret"),
        ("dots with a space", "/..%20/secret"),
        ("a backslash", "/..\\secret"),
        ("an encoded backslash", "/..%5csecret"),
        ("another host", "//evil.example/secret"),
        ("another host, encoded", "/%2fevil.example/secret"),
        ("another host behind a backslash", "/\\evil.example/secret"),
        ("overlong dots", "/%c0%ae%c0%ae/secret"),
        ("dots of full width", "/%EF%BC%8E%EF%BC%8E/secret"),
        ("dots in another encoding", "/%u002e%u002e/secret"),
        ("encoded CR LF", "/x%0d%0ahost:%20evil.example"),
        ("encoded LF", "/x%0aGET%20/secret"),
        ("encoded NUL", "/x%00"),
        ("a fragment", "/x#/../secret"),
        ("a fragment in the query", "/x?y#z"),
    ]
    .into_iter()
    .map(|(name, path)| (name, "GET", path.into(), b"\r\n".to_vec(), BAD_PATH))
}

/// Paths that look hostile and stay inside.
fn staying() -> impl Iterator<Item = Row> {
    [
        ("nothing", "", "/base/v1"),
        ("a slash", "/", "/base/v1"),
        ("a query alone", "?../secret", "/base/v1?../secret"),
        ("dots that stay", "/a/../b", "/base/v1/a/../b"),
        ("dots in the query", "/a?b=/../../secret&c=%0d%0a", "/base/v1/a?b=/../../secret&c=%0d%0a"),
        ("three dots", "/.../x", "/base/v1/.../x"),
        ("a user", "/@evil.example/x", "/base/v1/@evil.example/x"),
        ("a port and a user", "/:80@evil.example", "/base/v1/:80@evil.example"),
        ("a URL", "/http://evil.example/x", "/base/v1/http://evil.example/x"),
        ("a URL in the query", "?http://evil.example/", "/base/v1?http://evil.example/"),
        ("empty segments", "/a//b", "/base/v1/a//b"),
        ("a percent sign", "/100%", "/base/v1/100%"),
    ]
    .into_iter()
    .map(|(name, path, target)| (name, "GET", path.into(), b"\r\n".to_vec(), End::Arrives(target, b"")))
}

fn verbs() -> impl Iterator<Item = Row> {
    let ends = |verb| match verb {
        "CONNECT" | "TRACE" => End::Refused(405, "method_not_allowed"),
        _ => End::Arrives("/base/v1/x", b""),
    };
    ["CONNECT", "TRACE", "get", "connect", "PRI", "HEAD", "OPTIONS", "X!#$%&'*+-.^_`|~9"]
        .into_iter()
        .map(move |verb| (verb, verb, b"/x".to_vec(), b"\r\n".to_vec(), ends(verb)))
}

fn bodies() -> impl Iterator<Item = Row> {
    let of_length =
        |more: &str| [format!("content-length: {}\r\n{more}\r\n", HIDDEN.len()).as_bytes(), HIDDEN].concat();
    let size = format!("transfer-encoding: chunked\r\n\r\n{:x};x=\"y\"\r\n", HIDDEN.len());
    let chunked = [size.as_bytes(), HIDDEN, b"\r\n0\r\ncontent-length: 0\r\nhost: evil.example\r\n\r\n"].concat();
    let never: String = NEVER.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let arrives = || End::Arrives("/base/v1/x", HIDDEN);
    [
        ("a request as a body", "POST", of_length(""), arrives()),
        ("a request as the body of a GET", "GET", of_length(""), arrives()),
        ("a request as the body of a DELETE", "DELETE", of_length(""), arrives()),
        ("a request as the body of a HEAD", "HEAD", of_length(""), arrives()),
        ("a request in chunks, with trailers", "POST", chunked, arrives()),
        ("fields of one connection", "POST", of_length(&never), arrives()),
        ("an origin", "POST", of_length("origin: https://evil.example\r\n"), arrives()),
        ("both lengths", "POST", of_length("transfer-encoding: chunked\r\n"), End::Refused(400, "bad_request")),
        ("a length named by connection", "POST", of_length("connection: content-length, host\r\n"), arrives()),
    ]
    .into_iter()
    .map(|(name, verb, rest, end)| (name, verb, b"/x".to_vec(), rest, end))
}

/// The raw request at the server: one line below the base, the target's own host, one framing, nothing foreign.
fn check(world: &World, recorded: &Recorded, verb: &str, target: &str, body: &[u8]) -> Outcome {
    same("the request line", recorded.line(), format!("{verb} {target} HTTP/1.1").as_str())?;
    same("the base", target.starts_with(BASE), true)?;
    same("host", recorded.all("host"), vec![world.local.addr.to_string().as_str()])?;
    same("the body", recorded.body.as_slice(), body)?;
    // One framing, and only one: a body that came in parts goes on in chunks, cut anew.
    let (coding, lengths) = (recorded.all("transfer-encoding"), recorded.all("content-length"));
    same("transfer-encoding", coding.is_empty() || coding == ["chunked"], true)?;
    same("one framing at most", coding.len() + lengths.len() <= 1, true)?;
    for (name, _) in NEVER.iter().chain(&[("origin", ""), ("authorization", "")]) {
        same(name, recorded.all(name), vec![])?;
    }
    let is_plain = |line: &str| !line.is_empty() && line.bytes().all(|b| (b' '..0x7F).contains(&b) || b == b'\t');
    same("plain lines", recorded.head.split("\r\n").all(is_plain), true)
}

fn ends(world: &World, (_, verb, path, rest, end): Row) -> Outcome {
    let all = world.ask(verb, &path, &rest)?;
    let first = all.answers.first().ok_or("no answer")?;
    let recorded = world.local.take();
    match end {
        End::Refused(status, code) => {
            same("the refusal", (first.status, first.code().as_str()), (status, code))?;
            same("requests at the server", recorded.len(), 0)
        }
        End::Arrives(target, body) => {
            same("the status", first.status, 200)?;
            let [recorded] = recorded.as_slice() else { return Err(format!("not one request: {recorded:?}")) };
            check(world, recorded, verb, target, body)
        }
    }
}

#[test]
fn hostile_callers_of_an_exposed_server() {
    let world = World::start(Vec::new());
    let mut wrong = Vec::new();
    for row in rows() {
        let name = row.0;
        wrong.extend(ends(&world, row).err().map(|why| format!("{name}: {why}")));
    }
    nothing(&wrong);
    world.relay.assert_no_panic();
}
