//! What a hostile server behind `landline expose` answers.

use super::World;
use crate::answers::check_sandbox;
use crate::world::{Outcome, nothing, same};

/// How a row ends for the caller.
pub(crate) enum End {
    /// This status and body, and these values of these fields.
    Passes(u16, &'static [u8], &'static [(&'static str, &'static [&'static str])]),
    /// 502 with this code.
    Fails(&'static str),
    /// The answer is cut: no reader takes it for complete.
    Cut,
}

/// A name, the caller's verb, the server's raw answer, its end.
pub(crate) type Row = (&'static str, &'static str, &'static [u8], End);

const FAILS: End = End::Fails("agent_error");

pub(crate) fn rows() -> Vec<Row> {
    statuses().into_iter().chain(fields()).chain(framings()).collect()
}

/// An answer that stands where none is expected.
macro_rules! split {
    () => {
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nsplit"
    };
}

/// A status (with fields behind it), a length and what follows the head.
macro_rules! of_length {
    ($status:literal, $length:literal, $($behind:expr),+) => {
        concat!("HTTP/1.1 ", $status, "\r\ncontent-length: ", $length, "\r\n\r\n", $($behind),+).as_bytes()
    };
}

/// A status (with fields behind it) and the chunks behind the head.
macro_rules! chunked {
    ($status:literal, $($behind:expr),+) => {
        concat!("HTTP/1.1 ", $status, "\r\ntransfer-encoding: chunked\r\n\r\n", $($behind),+).as_bytes()
    };
}

/// A whole status line, and `ok`.
macro_rules! status {
    ($line:literal) => {
        concat!($line, "\r\ncontent-length: 2\r\n\r\nok").as_bytes()
    };
}

/// 200 with these fields, and `ok`.
macro_rules! field {
    ($lines:literal) => {
        concat!("HTTP/1.1 200 OK\r\n", $lines, "\r\ncontent-length: 2\r\n\r\nok").as_bytes()
    };
}

fn statuses() -> Vec<Row> {
    let fails = |name, answer| (name, "GET", answer, FAILS);
    vec![
        fails("status 0", status!("HTTP/1.1 0 X")),
        fails("status 000", status!("HTTP/1.1 000 X")),
        fails("status 099", status!("HTTP/1.1 099 X")),
        fails("status 101", b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"),
        fails("status 600", status!("HTTP/1.1 600 X")),
        fails("status 999", status!("HTTP/1.1 999 X")),
        fails("status 1000", status!("HTTP/1.1 1000 X")),
        fails("status 65736", status!("HTTP/1.1 65736 X")),
        fails("a negative status", status!("HTTP/1.1 -200 X")),
        fails("a status that is text", status!("HTTP/1.1 OK 200")),
        fails("HTTP/2", status!("HTTP/2.0 200 OK")),
        fails("no HTTP at all", b"hello\r\n\r\n"),
        fails("nothing but 100", b"HTTP/1.1 100 Continue\r\nconnection: close\r\n\r\n"),
        (
            "100 and then an answer",
            "GET",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            OK,
        ),
        (
            "103 with a cookie, and then an answer",
            "GET",
            b"HTTP/1.1 103 Early Hints\r\nset-cookie: a=b\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
            OK,
        ),
        ("a reason that is markup", "GET", status!("HTTP/1.1 200 <script>"), OK),
    ]
}

const OK: End = End::Passes(200, b"ok", &[]);

fn fields() -> Vec<Row> {
    let fails = |name, answer| (name, "GET", answer, FAILS);
    vec![
        fails("NUL in a value", field!("a2a-x: a\0b")),
        fails("CR in a value", field!("a2a-x: a\rb")),
        fails("a space in a name", field!("a2a x: y")),
        fails("a name that is no ASCII", field!("a2a-\u{e9}: y")),
        fails("an empty name", field!(": y")),
        ("a cookie", "GET", field!("set-cookie: a=b"), End::Passes(200, b"ok", &[("set-cookie", &[])])),
        ("a cookie behind a bare LF", "GET", field!("a2a-x: y\nset-cookie: a=b"), OK),
        (
            "a policy of its own",
            "GET",
            field!("content-security-policy: default-src *\r\nx-content-type-options: x"),
            OK,
        ),
        (
            "words of the relay",
            "GET",
            field!("x-request-id: forged\r\nx-connect-route: forged\r\nserver-timing: forged"),
            OK,
        ),
        (
            "other pages' rights",
            "GET",
            field!("access-control-allow-origin: *\r\nalt-svc: h3\r\nclear-site-data: \"*\""),
            End::Passes(
                200,
                b"ok",
                &[("access-control-allow-origin", &[]), ("alt-svc", &[]), ("clear-site-data", &[])],
            ),
        ),
        (
            "a field named by connection",
            "GET",
            field!("connection: etag\r\netag: \"x\""),
            End::Passes(200, b"ok", &[("etag", &[])]),
        ),
        (
            "a place elsewhere",
            "GET",
            b"HTTP/1.1 302 Found\r\nlocation: //evil.example/\r\ncontent-length: 2\r\n\r\nok",
            End::Passes(302, b"ok", &[("location", &["//evil.example/"])]),
        ),
        (
            "a field twice",
            "GET",
            field!("content-type: text/plain\r\ncontent-type: text/html"),
            End::Passes(200, b"ok", &[("content-type", &["text/plain, text/html"])]),
        ),
        ("65 fields that pass", "GET", many(65), End::Fails("bad_answer")),
        ("more fields than are read", "GET", many(200), FAILS),
        ("a value of 17 KiB", "GET", long(17 << 10), End::Fails("bad_answer")),
        ("a head without an end", "GET", long(2 << 20), FAILS),
        ("a refresh", "GET", field!("refresh: 0; url=//evil.example/"), End::Passes(200, b"ok", &[("refresh", &[])])),
    ]
}

/// 200 with so many fields.
fn many(count: usize) -> &'static [u8] {
    let fields: String = (0..count).map(|number| format!("a2a-{number}: v\r\n")).collect();
    format!("HTTP/1.1 200 OK\r\n{fields}content-length: 2\r\n\r\nok").leak().as_bytes()
}

/// 200 with a value of so many bytes.
fn long(bytes: usize) -> &'static [u8] {
    let value = "v".repeat(bytes);
    format!("HTTP/1.1 200 OK\r\na2a-x: {value}\r\ncontent-length: 2\r\n\r\nok").leak().as_bytes()
}

fn framings() -> Vec<Row> {
    let fails = |name, answer| (name, "GET", answer, FAILS);
    let passes = |name, answer, status, body| (name, "GET", answer, End::Passes(status, body, &[]));
    let cut = |name, answer| (name, "GET", answer, End::Cut);
    vec![
        fails("two different lengths", field!("content-length: 3")),
        fails("a negative length", of_length!("200 OK", "-2", "ok")),
        fails("a length with a sign", of_length!("200 OK", "+2", "ok")),
        fails("a length beyond all numbers", of_length!("200 OK", "99999999999999999999", "ok")),
        passes("both lengths", chunked!("200 OK\r\ncontent-length: 2", "5\r\nsplit\r\n0\r\n\r\n"), 200, b"split"),
        passes("an answer behind the answer", of_length!("200 OK", "2", "ok", split!()), 200, b"ok"),
        passes("an answer behind the last chunk", chunked!("200 OK", "2\r\nok\r\n0\r\n\r\n", split!()), 200, b"ok"),
        passes("an answer behind 204", concat!("HTTP/1.1 204 No Content\r\n\r\n", split!()).as_bytes(), 204, b""),
        passes("204 with a length", of_length!("204 No Content", "5", "split"), 204, b""),
        passes("204 in chunks", chunked!("204 No Content", "5\r\nsplit\r\n0\r\n\r\n"), 204, b""),
        passes("304 with a body", of_length!("304 Not Modified", "5", "split"), 304, b""),
        passes("304 in chunks", chunked!("304 Not Modified", "5\r\nsplit\r\n0\r\n\r\n"), 304, b""),
        ("an answer to HEAD with a body", "HEAD", of_length!("200 OK", "5", "split"), End::Passes(200, b"", &[])),
        (
            "an answer to HEAD in chunks",
            "HEAD",
            chunked!("200 OK", "5\r\nsplit\r\n0\r\n\r\n"),
            End::Passes(200, b"", &[]),
        ),
        passes(
            "a body that is an answer",
            concat!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n", split!()).as_bytes(),
            200,
            split!().as_bytes(),
        ),
        passes("trailers", chunked!("200 OK", "2\r\nok\r\n0\r\nset-cookie: a=b\r\n\r\n"), 200, b"ok"),
        fails("a body that breaks off", of_length!("200 OK\r\nconnection: close", "100", "ok")),
        cut("a long body that breaks off", of_length!("200 OK\r\nconnection: close", "1000000", "ok")),
        cut("a chunk size that is none", chunked!("200 OK", "2\r\nok\r\nzz\r\n")),
        cut("a chunk size beyond all numbers", chunked!("200 OK", "2\r\nok\r\nfffffffffffffffff\r\n")),
        cut("chunks that break off", chunked!("200 OK\r\nconnection: close", "2\r\nok\r\n")),
    ]
}

fn ends(world: &World, number: usize, (_, verb, _, end): &Row) -> Outcome {
    let all = world.ask(verb, format!("/row/{number}").as_bytes(), b"\r\n")?;
    let first = all.answers.first().ok_or("no answer")?;
    match end {
        End::Passes(status, body, fields) => {
            same("the answer", (first.status, first.body.as_slice(), all.is_cut), (*status, *body, false))?;
            check_sandbox(first)?;
            fields.iter().try_for_each(|(field, values)| same(field, first.all(field), values.to_vec()))
        }
        End::Fails(code) => same("the problem", (first.status, first.code().as_str()), (502, *code)),
        End::Cut => same("it is cut", (first.status, all.is_cut), (200, true)),
    }
}

#[test]
fn hostile_answers_of_an_exposed_server() {
    let rows = rows();
    let world = World::start(rows.iter().map(|(_, _, answer, _)| *answer).collect());
    let mut wrong = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        wrong.extend(ends(&world, number, row).err().map(|why| format!("{}: {why}", row.0)));
    }
    nothing(&wrong);
    world.relay.assert_no_panic();
}
