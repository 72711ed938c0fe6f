//! Hostile answers of an agent, as they reach an HTTP caller.

use landline_tests::frame::{call, chunk, headers, map, response_with};
use landline_tests::http::Request;
use landline_tests::line::Line;
use landline_tests::wait::SOON;
use rmpv::Value;

use super::raw::{self, All, Raw};
use super::world::{Outcome, World, nothing, same};

/// How a row ends.
pub(crate) enum End {
    /// The caller gets this status and body, and these values of these fields (none: the field is not there).
    Passes(u16, &'static [u8], Vec<(&'static str, Vec<&'static str>)>),
    /// The caller gets this problem.
    Problem(u16, &'static str),
    /// The agent's line is closed with this code, and the caller gets 502 `gateway_unavailable`.
    Closed(u16),
    /// The answer is cut: no reader takes it for complete, and nothing follows it.
    Cut,
}

/// The frames of an answer, made for the call's id.
pub(crate) type Frames = Box<dyn Fn(u64) -> Vec<Vec<u8>>>;

/// A name, the caller's method, the answer, its end.
pub(crate) type Row = (&'static str, &'static str, Frames, End);

const BROKEN: End = End::Problem(502, "bad_answer");
/// A body that would be an answer of its own if it stood anywhere else.
const SPLIT: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nsplit";

pub(crate) fn rows() -> Vec<Row> {
    statuses().into_iter().chain(fields()).chain(bodies()).collect()
}

/// `response` with these keys and a body.
fn whole(keys: Vec<(&'static str, Value)>) -> Frames {
    Box::new(move |id| {
        let head = [("type", "response".into()), ("id", id.into())].into_iter();
        vec![map(&head.chain(keys.clone()).chain([("body", Value::Binary(b"body".to_vec()))]).collect::<Vec<_>>())]
    })
}

fn statuses() -> Vec<Row> {
    let with = |name, status: Value, end| -> Row { (name, "POST", whole(vec![("status", status)]), end) };
    vec![
        with("status 0", 0.into(), BROKEN),
        with("status 99", 99.into(), BROKEN),
        with("status 100", 100.into(), BROKEN),
        with("status 101", 101.into(), BROKEN),
        with("status 199", 199.into(), BROKEN),
        with("status 600", 600.into(), BROKEN),
        with("status 999", 999.into(), BROKEN),
        with("status 65536", 65_536.into(), BROKEN),
        // 200 if it were cut to 16 or 32 bits.
        with("status 65736", 65_736.into(), BROKEN),
        with("status 2^32 + 200", ((1_u64 << 32) + 200).into(), BROKEN),
        with("a status of 64 bits", u64::MAX.into(), BROKEN),
        with("a negative status", (-200).into(), End::Closed(1002)),
        with("a status that is text", "200 OK\r\nx: y".into(), End::Closed(1002)),
        with("a status that is a fraction", 200.5.into(), End::Closed(1002)),
        with("a status that is a list", Value::Array(vec![200.into()]), End::Closed(1002)),
        with("status 599", 599.into(), End::Passes(599, b"body", vec![])),
    ]
}

fn fields() -> Vec<Row> {
    let with =
        |name, fields: &[(&str, &str)], end| -> Row { (name, "POST", whole(vec![("headers", headers(fields))]), end) };
    let bad = |name, field: &str, value: &str| with(name, &[(field, value)], BROKEN);
    let passes = |absent: &[(&'static str, Vec<&'static str>)]| End::Passes(200, b"body", absent.to_vec());
    let many: Vec<(String, String)> = (0..65).map(|number| (format!("a2a-{number}"), "v".to_owned())).collect();
    let many: Vec<(&str, &str)> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    vec![
        bad("CR LF in a value", "content-type", "a/b\r\nset-cookie: a=b"),
        bad("an answer in a value", "location", "/\r\n\r\nHTTP/1.1 200 OK\r\n\r\nsplit"),
        bad("LF in a value", "a2a-x", "a\nset-cookie: a=b"),
        bad("CR in a value", "a2a-x", "a\rb"),
        bad("NUL in a value", "a2a-x", "a\0b"),
        bad("CR LF in a name", "a2a-x: y\r\nset-cookie", "a=b"),
        bad("a space in a name", "a2a x", "y"),
        bad("a colon in a name", "a2a-x:", "y"),
        bad("an empty name", "", "y"),
        bad("a name in upper case", "Content-Type", "a/b"),
        bad("a value of 17 KiB", "a2a-x", &"y".repeat(17 << 10)),
        bad("a bad value in a field that would be dropped", "server", "a\r\nb: c"),
        with("65 fields", &many, BROKEN),
        with("a field twice", &[("content-type", "a/b"), ("content-type", "text/html")], BROKEN),
        ("a value that is a number", "POST", whole(vec![("headers", number())]), End::Closed(1002)),
        with("a cookie", &[("set-cookie", "a=b")], passes(&[("set-cookie", vec![])])),
        with("a length of 0", &[("content-length", "0")], passes(&[("content-length", vec!["4"])])),
        with("a length that is too long", &[("content-length", "9999")], passes(&[("content-length", vec!["4"])])),
        with("a coding", &[("transfer-encoding", "chunked")], passes(&[("transfer-encoding", vec![])])),
        with("an upgrade", &[("connection", "upgrade"), ("upgrade", "h2c")], passes(&[("upgrade", vec![])])),
        with(
            "a policy of its own",
            &[("content-security-policy", "default-src *"), ("x-content-type-options", "sniff")],
            passes(&[]),
        ),
        with(
            "words of the relay",
            &[("x-request-id", "forged"), ("x-connect-route", "forged"), ("server-timing", "forged")],
            passes(&[("x-connect-route", vec!["relay"])]),
        ),
        with(
            "other pages' rights",
            &[("access-control-allow-origin", "*"), ("strict-transport-security", "max-age=1"), ("alt-svc", "h3")],
            passes(&[
                ("access-control-allow-origin", vec![]),
                ("strict-transport-security", vec![]),
                ("alt-svc", vec![]),
            ]),
        ),
        with("a good field", &[("a2a-x", "y")], passes(&[("a2a-x", vec!["y"])])),
    ]
}

fn number() -> Value {
    Value::Map(vec![("a2a-x".into(), 7.into())])
}

fn bodies() -> Vec<Row> {
    let parts = |status: u64, parts: &'static [&'static [u8]]| -> Frames {
        Box::new(move |id| {
            let last = parts.len() - 1;
            let chunks = parts.iter().enumerate().skip(1).map(|(at, part)| chunk(id, at < last, part));
            std::iter::once(response_with(id, status, &[], last > 0, parts[0])).chain(chunks).collect()
        })
    };
    let one = |status: u64, body: &'static [u8]| -> Frames {
        Box::new(move |id| vec![response_with(id, status, &[], false, body)])
    };
    let nothing = |status| End::Passes(status, b"", vec![]);
    let twice: Frames =
        Box::new(|id| vec![response_with(id, 200, &[], true, b"one"), response_with(id, 200, &[], true, b"two")]);
    let again: Frames =
        Box::new(|id| vec![response_with(id, 200, &[], false, b"one"), response_with(id, 200, &[], false, SPLIT)]);
    let large: Frames = Box::new(|id| vec![response_with(id, 200, &[], false, &[b'x'; (1 << 20) + 1])]);
    let over: Frames = Box::new(|id| vec![response_with(id, 200, &[], true, &[b'x'; (256 << 10) + 1])]);
    const END: &[u8] = b"0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nsplit";
    vec![
        ("a body that is an answer", "POST", one(200, SPLIT), End::Passes(200, SPLIT, vec![])),
        ("204 with a body", "POST", one(204, SPLIT), nothing(204)),
        ("304 with a body", "POST", one(304, SPLIT), nothing(304)),
        ("205 with a body", "POST", one(205, b"body"), End::Passes(205, b"body", vec![])),
        (
            "a part that is the end and an answer",
            "POST",
            parts(200, &[END, END, b""]),
            End::Passes(200, TWO_ENDS, vec![]),
        ),
        ("empty parts", "POST", parts(200, &[b"", b"", b"x", b"", b""]), End::Passes(200, b"x", vec![])),
        ("204 in parts", "POST", parts(204, &[SPLIT, SPLIT, SPLIT]), nothing(204)),
        ("304 in parts", "POST", parts(304, &[b"", SPLIT, b""]), nothing(304)),
        ("an answer to HEAD", "HEAD", one(200, SPLIT), nothing(200)),
        ("an answer to HEAD in parts", "HEAD", parts(200, &[SPLIT, SPLIT, b""]), nothing(200)),
        ("204 to HEAD in parts", "HEAD", parts(204, &[SPLIT, SPLIT, b""]), nothing(204)),
        ("a body over its limit", "POST", large, BROKEN),
        ("a first part over the window", "POST", over, End::Problem(502, "flow_control")),
        ("a second head", "POST", twice, End::Cut),
        ("an answer behind the answer", "POST", again, End::Passes(200, b"one", vec![])),
    ]
}

const TWO_ENDS: &[u8] =
    b"0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nsplit0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nsplit";

/// What each answer of an agent has, whatever the agent says.
pub(crate) fn check_sandbox(answer: &Raw) -> Outcome {
    let policy = "sandbox; default-src 'none'; frame-ancestors 'none'";
    same("sniffing", answer.all("x-content-type-options"), vec!["nosniff"])?;
    same("the policy", answer.all("content-security-policy"), vec![policy])?;
    for once in ["x-request-id", "x-connect-route", "server-timing"] {
        let values = answer.all(once);
        same(once, (values.len(), values.contains(&"forged")), (1, false))?;
    }
    for never in ["set-cookie", "connection", "upgrade", "server"] {
        same(never, answer.all(never), vec![])?;
    }
    Ok(())
}

/// Looks how a row ended for its caller.
fn check(world: &mut World, end: End, all: All) -> Outcome {
    let All { answers, is_cut } = all;
    let first = answers.first().ok_or("no answer")?;
    let follows: Vec<bool> = answers[1..].iter().map(|answer| world.is_control(answer)).collect();
    if let End::Cut = end {
        return same("it is cut and nothing follows", (is_cut, follows), (true, vec![]));
    }
    same("one answer and then the next call's", (is_cut, follows), (false, vec![true]))?;
    match end {
        End::Passes(status, body, fields) => {
            same("the answer", (first.status, first.body.as_slice()), (status, body))?;
            check_sandbox(first)?;
            fields.into_iter().try_for_each(|(field, values)| same(field, first.all(field), values))
        }
        End::Problem(status, code) => same("the problem", (first.status, first.code().as_str()), (status, code)),
        End::Closed(code) => {
            let expected = (502, "gateway_unavailable");
            same("the problem", (first.status, first.code().as_str()), expected)?;
            let closed = world.line.end(SOON).code();
            world.redial();
            same("the line's end", closed, code)
        }
        End::Cut => Ok(()),
    }
}

fn ends(world: &mut World, method: &str, frames: &Frames, end: End) -> Outcome {
    let request = Request::new(method, format!("/connect/relay/{}", world.agent.id)).bearer(&world.caller.key);
    let stream = raw::send(world.addr, &[request.bytes("h"), world.control().into_bytes()].concat());
    let id = world.request()?.id();
    for frame in frames(id) {
        // A line that was closed for one of them takes no more.
        let _ = world.line.ws.sender().binary(&frame);
    }
    let all = raw::read(stream, method == "HEAD")?;
    check(world, end, all)
}

#[test]
fn hostile_answers() {
    let mut world = World::start();
    let mut wrong = Vec::new();
    for (name, method, frames, end) in rows() {
        if let Err(why) = ends(&mut world, method, &frames, end) {
            wrong.push(format!("{name}: {why}"));
            world.redial();
        }
    }
    nothing(&wrong);
    world.hears_nothing_else().expect("the line is as it was");
    world.server.assert_no_panic();
}

/// The same answers on their way to the line of an agent that called.
fn ends_on_a_line(world: &mut World, own: &mut Line, id: u64, frames: &Frames, end: End) -> Outcome {
    own.send(&call(id, &world.agent.id, b"hostile"));
    let request = world.request()?.id();
    for frame in frames(request) {
        let _ = world.line.ws.sender().binary(&frame);
    }
    let mut frame = own.next(SOON).map_err(|ended| format!("{ended:?}"))?;
    let (kind, status) = (frame.kind().to_owned(), frame.number("status").unwrap_or(200));
    let code = frame.text("code").unwrap_or_default().to_owned();
    let names: Vec<String> = frame.header_names().into_iter().map(str::to_owned).collect();
    let mut body = frame.body().to_vec();
    while frame.more() {
        frame = own.next(SOON).map_err(|ended| format!("{ended:?}"))?;
        if frame.kind() == "error" {
            return same("it is cut", matches!(end, End::Cut), true);
        }
        body.extend_from_slice(frame.body());
    }
    match end {
        End::Passes(expected, bytes, _) => {
            same("the answer", (kind.as_str(), status, body.as_slice()), ("response", u64::from(expected), bytes))?;
            let may_pass = |name: &String| name.starts_with("a2a-") || name == "content-type";
            same(
                "fields that may not pass",
                names.into_iter().filter(|name| !may_pass(name)).collect(),
                Vec::<String>::new(),
            )
        }
        End::Problem(_, expected) => same("the error", (kind.as_str(), code.as_str()), ("error", expected)),
        End::Closed(expected) => {
            same("the error", (kind.as_str(), code.as_str()), ("error", "gateway_unavailable"))?;
            let closed = world.line.end(SOON).code();
            world.redial();
            same("the line's end", closed, expected)
        }
        End::Cut => Err("it is not cut".to_owned()),
    }
}

#[test]
fn hostile_answers_to_a_line() {
    let mut world = World::start();
    let mut own = Line::dial(world.addr, &world.caller.key).expect("a line");
    let mut wrong = Vec::new();
    let rows = rows().into_iter().filter(|(_, method, _, _)| *method == "POST");
    for (number, (name, _, frames, end)) in rows.enumerate() {
        if let Err(why) = ends_on_a_line(&mut world, &mut own, 2 * number as u64 + 1, &frames, end) {
            wrong.push(format!("{name}: {why}"));
            world.redial();
            own = Line::dial(world.addr, &world.caller.key).expect("a line");
        }
    }
    nothing(&wrong);
    world.hears_nothing_else().expect("the line is as it was");
    own.assert_alive();
    world.server.assert_no_panic();
}
