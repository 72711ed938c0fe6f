//! Answers of agents, on their way to an HTTP caller.

use bytes::Bytes;
use landline_engine::{Now, Origin, Reply, StatusAnswer};
use landline_wire::frame::Headers;
use landline_wire::http1::{Framing, answer_head, put_number};
use landline_wire::ids::CallId;
use landline_wire::pieces::Pieces;
use landline_wire::relay as rules;

use super::{After, Asked, Conn};

/// Writes the reply to a call, and what follows of it.
pub(super) async fn answer_call(
    conn: &mut Conn,
    home: usize,
    origin: Origin,
    started: Now,
    keep_alive: bool,
    reply: Reply,
    asked: &Asked<'_>,
) -> After {
    match reply {
        Reply::Failed(problem) => conn.answer_problem(asked, &problem, keep_alive).await,
        Reply::Head { status, headers, body, more: false, .. } => {
            let bodiless = matches!(status, 204 | 304);
            // HEAD: the length is that of a body that the agent did not send, and not ours to make up.
            let framing = if bodiless || asked.is_head { Framing::None } else { Framing::Length(body.len() as u64) };
            write_head(conn, status, &headers, framing, started, keep_alive, asked);
            let body = if bodiless || asked.is_head { Pieces::new() } else { body };
            match conn.flush_with(body).await {
                true if keep_alive => After::Next,
                true => After::Close,
                false => After::Done,
            }
        }
        Reply::Head { call, status, headers, body, more: true } => {
            let bodiless = matches!(status, 204 | 304);
            let framing = match bodiless {
                true => Framing::None,
                false if asked.is_11 => Framing::Chunked,
                false => Framing::UntilClose,
            };
            let keep_alive = keep_alive && framing != Framing::UntilClose;
            write_head(conn, status, &headers, framing, started, keep_alive, asked);
            conn.comments = conn.events && is_event_stream(&headers);
            let after = answer_parts(conn, home, origin, call, body, bodiless, asked).await;
            conn.comments = false;
            match after {
                After::Next if !keep_alive => After::Close,
                after => after,
            }
        }
        Reply::Part { .. } | Reply::Credit(_) | Reply::Direct(_) | Reply::Status(_) => After::Done,
    }
}

/// Writes a part-wise answer, as fast as the caller takes it.
async fn answer_parts(
    conn: &mut Conn,
    home: usize,
    origin: Origin,
    call: CallId,
    first: Pieces,
    bodiless: bool,
    asked: &Asked<'_>,
) -> After {
    let (mut cost, mut part, mut more) = (first.len(), first, true);
    loop {
        // The parts of an answer that has no body are waited for and left out: the engine gave them away already.
        let written = if bodiless { conn.flush().await } else { conn.flush_part(asked, part, more).await };
        if !written {
            let now = conn.core.now();
            conn.core.engine.borrow_mut().gone_at(home, origin, now);
            conn.core.carry_out();
            return After::Done;
        }
        if !more {
            return After::Next;
        }
        let now = conn.core.now();
        conn.core.engine.borrow_mut().consumed_at(call, cost, now);
        conn.core.carry_out();
        match conn.reply(home, origin).await {
            Some(Reply::Part { body, more: goes_on, cost: next }) => (part, more, cost) = (body, goes_on, next),
            // The head is out: a cut without the final chunk is the only way to say that it failed.
            _ => return After::Done,
        }
    }
}

fn is_event_stream(headers: &Bytes) -> bool {
    Headers::from_encoded(headers).get("content-type").is_some_and(|kind| kind.starts_with("text/event-stream"))
}

fn write_head(
    conn: &mut Conn,
    status: u16,
    headers: &Bytes,
    framing: Framing,
    started: Now,
    keep_alive: bool,
    asked: &Asked<'_>,
) {
    let micros = conn.core.now().us.saturating_sub(started.us);
    let mut fields = Conn::common_fields(asked);
    let timing = server_timing(micros);
    fields.push(("x-connect-route", b"relay"));
    fields.push(("server-timing", &timing));
    fields.extend(rules::ANSWER_HEADERS.iter().map(|(name, value)| (*name, value.as_bytes())));
    let passed = Headers::from_encoded(headers);
    fields.extend(passed.iter().filter(|(name, _)| rules::reaches_caller(name)).map(|(n, v)| (n, v.as_bytes())));
    answer_head(&mut conn.out, status, fields, framing, keep_alive);
}

/// Milliseconds with three decimals (Server Timing).
fn server_timing(micros: u64) -> Vec<u8> {
    let mut text = Vec::with_capacity(40);
    text.extend_from_slice(b"relay;dur=");
    put_number(&mut text, micros / 1000);
    // The digit in front keeps the zeros behind the point.
    let point = text.len();
    put_number(&mut text, 1000 + micros % 1000);
    text[point] = b'.';
    text
}

/// What `…/status` answers.
pub(super) fn status_document(answer: &StatusAnswer) -> Bytes {
    let document = serde_json::json!({
        "agent_id": answer.agent.to_string(),
        "connected": answer.connected,
        "route": answer.connected.then_some("relay"),
        "in_flight": answer.in_flight,
        "session_started_at": answer.since.map(landline_api::time::rfc3339_ms),
    });
    document.to_string().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_decimals() {
        for (micros, text) in [(0, "0.000"), (7, "0.007"), (1_000, "1.000"), (61_234_050, "61234.050")] {
            assert_eq!(server_timing(micros), format!("relay;dur={text}").as_bytes());
        }
    }
}
