//! Requests for the exchange, carried over the link.

use std::rc::Rc;

use bytes::{Bytes, BytesMut};
use landline_link::{Caller, PassAnswer, PassHead};
use landline_uplink::{Ticket, ToExchange};
use landline_wire::error::{Code, Problem};
use landline_wire::http1::{BodyDecoder, BodyPiece, Framing, Head, answer_head};
use landline_wire::ids::AgentId;
use landline_wire::limits::{UPLOAD_DEADLINE_MS, WINDOW_BYTES};
use landline_wire::pieces::Pieces;

use super::read::{Fill, Woke};
use super::{After, Asked, Conn, Event, Pass, unreadable};
use crate::cards::Cards;
use crate::core::Hold;
use crate::line::has_room;

/// Bytes of a card's body that are gathered to be kept.
const MAX_KEPT: usize = 64 << 10;

/// Where the body of a passed-on request is.
pub(super) enum Body {
    /// Still to be read.
    Unread,
    /// Read already.
    Read(Pieces),
}

/// Passes a request on and its answer back.
pub(super) async fn serve(conn: &mut Conn, head: &Head, asked: &Asked<'_>) -> After {
    pass(conn, head, None, Body::Unread, asked).await
}

/// Passes a relay call on, to an agent that holds no line: the exchange calls its URL.
pub(super) async fn serve_direct(
    conn: &mut Conn,
    head: &Head,
    caller: Option<AgentId>,
    body: Body,
    asked: &Asked<'_>,
) -> After {
    pass(conn, head, Some(Caller { agent: caller }), body, asked).await
}

async fn pass(conn: &mut Conn, head: &Head, caller: Option<Caller>, body: Body, asked: &Asked<'_>) -> After {
    let Some(_place) = conn.core.begin_pass() else {
        let unread = matches!(body, Body::Unread) && !conn.skip_body(head);
        return unavailable(conn, head, head.keep_alive && !unread, asked).await;
    };
    let number = conn.core.number();
    let ticket = conn.core.ticket(number);
    conn.core.waiting.borrow_mut().insert(number, Rc::clone(&conn.cell));
    conn.core.tell_exchange(ToExchange::PassHead(ticket, pass_head(conn, head, caller)));
    let after = exchange(conn, head, ticket, body, asked).await;
    conn.core.waiting.borrow_mut().remove(&number);
    conn.cell.clear();
    if after == After::Done {
        // Harmless if the exchange had finished.
        conn.core.tell_exchange(ToExchange::PassCancel(ticket));
    }
    after
}

async fn exchange(conn: &mut Conn, head: &Head, ticket: Ticket, body: Body, asked: &Asked<'_>) -> After {
    let early = match send_body(conn, head, ticket, body).await {
        Ok(early) => early,
        Err(problem) => {
            conn.core.tell_exchange(ToExchange::PassCancel(ticket));
            return conn.answer_problem(asked, &problem, false).await;
        }
    };
    // An answer before the body was complete leaves the rest of it unread.
    let keep_alive = head.keep_alive && early.is_none();
    conn.cell.begin_wait(conn.core.about_now_ms());
    let first = match early {
        Some(event) => Some(event),
        None => next(conn).await,
    };
    let after = match first {
        None => After::Done,
        Some(Pass::Answer(answer)) => answer_with(conn, head, answer, ticket, keep_alive, asked).await,
        Some(_) => unavailable(conn, head, keep_alive, asked).await,
    };
    conn.cell.end_wait();
    after
}

fn pass_head(conn: &Conn, head: &Head, caller: Option<Caller>) -> PassHead {
    let named: Vec<String> = head
        .headers_named("connection")
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_ascii_lowercase())
        .collect();
    let fields = head.fields().map(|(name, value)| (name.to_owned(), value.to_vec()));
    let headers = fields.filter(|(name, _)| passes(name) && !named.contains(name)).collect();
    PassHead {
        method: head.method().to_owned(),
        target: head.target().to_owned(),
        headers,
        peer: conn.peer,
        tls: conn.socket.is_tls(),
        caller,
    }
}

/// Hop-by-hop fields end here, and what only we may say of the caller's address.
fn passes(name: &str) -> bool {
    !matches!(
        name,
        "connection"
            | "keep-alive"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "expect"
            | "forwarded"
            | "x-real-ip"
    ) && !name.starts_with("x-forwarded-")
        && !name.starts_with("proxy-")
}

/// Sends the body in pieces, at most one window ahead of the exchange. An answer that comes before its end is given
/// back.
async fn send_body(conn: &mut Conn, head: &Head, ticket: Ticket, body: Body) -> Result<Option<Pass>, Problem> {
    let (mut ready, mut decoder) = match body {
        Body::Read(bytes) => (bytes, BodyDecoder::new(Framing::None)),
        Body::Unread => (Pieces::new(), BodyDecoder::new(head.framing)),
    };
    let mut hold = Hold::new(&conn.core);
    if decoder.is_done() {
        hold.resize(ready.len())?;
    } else {
        hold.resize(WINDOW_BYTES)?;
        conn.continue_if_asked(head).await;
        conn.cell.set_deadline(Some(conn.core.now().ms() + UPLOAD_DEADLINE_MS));
    }
    let mut window = WINDOW_BYTES;
    loop {
        while let Some(event) = conn.cell.take() {
            match event {
                Event::Pass(Pass::Credit(bytes)) => window += bytes,
                Event::Pass(other) => return Ok(Some(other)),
                _ => {}
            }
        }
        if !ready.is_empty() && window > 0 {
            let piece = ready.split_to(window);
            window -= piece.len();
            conn.core.tell_exchange(ToExchange::PassBody(ticket, piece));
        } else if !ready.is_empty() {
            match conn.wait(false, true).await {
                Woke::Event(Event::Pass(Pass::Credit(bytes))) => window += bytes,
                Woke::Event(Event::Pass(other)) => return Ok(Some(other)),
                Woke::Overdue => return Err(Problem::plain(Code::UploadTimeout)),
                _ => {}
            }
        } else {
            match decoder.next(&mut conn.buf).map_err(unreadable)? {
                BodyPiece::Data(piece) => ready = piece.into(),
                BodyPiece::End => break,
                BodyPiece::Need => conn.fill_body(0).await?,
            }
        }
    }
    conn.cell.set_deadline(None);
    conn.core.tell_exchange(ToExchange::PassEnd(ticket));
    Ok(None)
}

/// The next news of the answer; `None` if the caller went away.
async fn next(conn: &mut Conn) -> Option<Pass> {
    loop {
        let watch = conn.cell.watches() && has_room(&conn.buf);
        match conn.wait(watch, true).await {
            Woke::Event(Event::Pass(Pass::Credit(_))) => {}
            Woke::Event(Event::Pass(news)) => return Some(news),
            Woke::Readable if conn.read_ready(0).await != Fill::More => return None,
            _ => {}
        }
    }
}

async fn answer_with(
    conn: &mut Conn,
    head: &Head,
    answer: PassAnswer,
    ticket: Ticket,
    keep_alive: bool,
    asked: &Asked<'_>,
) -> After {
    let length = answer.headers.iter().find(|(name, _)| name == "content-length");
    let length = length.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse().ok());
    let framing = match (answer.status, length) {
        (204 | 304, _) => Framing::None,
        (_, Some(length)) => Framing::Length(length),
        (_, None) if asked.is_11 => Framing::Chunked,
        (_, None) => Framing::UntilClose,
    };
    let keep_alive = keep_alive && framing != Framing::UntilClose;
    let fields = answer.headers.iter().filter(|(name, _)| passes(name) && name != "content-length");
    let fields = fields.map(|(name, value)| (name.as_str(), value.as_slice()));
    answer_head(&mut conn.out, answer.status, fields, framing, keep_alive);
    let mut kept = keeps_card(conn, head, &answer).then(BytesMut::new);
    loop {
        let Some(news) = next(conn).await else { return After::Done };
        let (body, more) = match news {
            Pass::Body(body) => (body, true),
            Pass::End => (Bytes::new(), false),
            _ => return After::Done,
        };
        if let Some(copy) = kept.as_mut().filter(|copy| copy.len() + body.len() <= MAX_KEPT) {
            copy.extend_from_slice(&body);
        }
        let len = body.len();
        let written = match framing {
            Framing::Chunked => conn.flush_part(asked, body.into(), more).await,
            _ if asked.is_head => conn.flush().await,
            _ => conn.flush_with(body.into()).await,
        };
        if !written {
            return After::Done;
        }
        if !more {
            break;
        }
        conn.core.tell_exchange(ToExchange::PassCredit(ticket, len));
    }
    if let Some(copy) = kept.filter(|copy| !copy.is_empty()) {
        let now = conn.core.now();
        conn.core.shared.cards.put(head.path(), &answer.headers, copy.freeze(), now.ms());
    }
    if keep_alive { After::Next } else { After::Close }
}

fn keeps_card(conn: &Conn, head: &Head, answer: &PassAnswer) -> bool {
    answer.status == 200 && head.method() == "GET" && is_card(conn, head)
}

/// Is it a card that is asked for? With a query it is another form of it, or a former one: of these there are no copies.
fn is_card(conn: &Conn, head: &Head) -> bool {
    let origin = conn.core.origin();
    head.target() == head.path() && head.path().strip_prefix(origin.prefix.as_str()).is_some_and(Cards::is_card)
}

/// The exchange is away: a card that went through lately is served as it was, everything else says so.
async fn unavailable(conn: &mut Conn, head: &Head, keep_alive: bool, asked: &Asked<'_>) -> After {
    let now = conn.core.now();
    if matches!(head.method(), "GET" | "HEAD") && is_card(conn, head) {
        let copy = conn.core.shared.cards.get(head.path(), now.ms());
        if let Some((card, age)) = copy {
            let age = age.to_string();
            let mut fields = vec![("age", age.as_bytes())];
            let own = card
                .headers
                .iter()
                .filter(|(name, _)| passes(name) && !matches!(&**name, "content-length" | "x-request-id" | "age"));
            fields.extend(own.map(|(name, value)| (name.as_str(), value.as_slice())));
            fields.extend(Conn::common_fields(asked));
            return conn.answer_whole(asked, 200, fields, card.body.clone(), keep_alive).await;
        }
    }
    conn.answer_problem(asked, &Problem::plain(Code::ExchangeUnavailable), keep_alive).await
}
