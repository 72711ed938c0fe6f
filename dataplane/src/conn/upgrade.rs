//! `GET /connect/ws/agent`: from an HTTP connection to a line.

use std::rc::Rc;

use bytes::BytesMut;
use landline_engine::{Attach, Now, Verdict};
use landline_wire::bounds::Bound;
use landline_wire::close;
use landline_wire::error::{Code, Problem};
use landline_wire::handshake;
use landline_wire::header::Kind;
use landline_wire::http1::Head;
use landline_wire::ids::SessionId;
use landline_wire::limits::AUTH_DEADLINE_MS;
use landline_wire::message::{self, Violation};
use landline_wire::session::server::{Input, Session, first_frame};

use super::read::Fill;
use super::relay::judge;
use super::{After, Asked, Conn, close_code};
use crate::admission::{Full, Place};
use crate::core::{Adopt, CoreMail};
use crate::line;

/// Serves an upgrade request; the connection is a line afterwards, or closed. `_place` is held until then: the socket
/// counts as unauthenticated.
pub(super) async fn serve(mut conn: Conn, head: Head, _place: Option<Place>, opened: Now) {
    let request_id = conn.core.make_request_id();
    let key = match handshake::check(&head) {
        _ if head.method() != "GET" => {
            let problem = Problem::new(Code::MethodNotAllowed, "A WebSocket upgrade is a GET.");
            return refuse_upgrade(conn, &request_id, &problem, ("allow", b"GET")).await;
        }
        Ok(key) => key.to_owned(),
        Err(bad) => {
            // RFC 6455 section 4.4: the answer names the version that is spoken.
            let problem = Problem::new(Code::BadRequest, format!("Refused: {bad}."));
            return refuse_upgrade(conn, &request_id, &problem, ("sec-websocket-version", b"13")).await;
        }
    };
    conn.out.extend_from_slice(handshake::accept(&key).as_bytes());
    if !conn.flush().await {
        return;
    }
    if !is_welcome(&conn, &head) {
        // Accepted first, because a browser cannot see an HTTP status.
        return end(conn, Violation::new(close::ORIGIN, close::reason(close::ORIGIN))).await;
    }
    conn.cell.set_deadline(Some(opened.ms() + AUTH_DEADLINE_MS));
    match authenticate(&mut conn).await {
        Ok(Some(attach)) => match line_place(&conn) {
            Ok(place) => hand_over(conn, attach, place),
            Err(violation) => end(conn, violation).await,
        },
        Ok(None) => {}
        Err(violation) => end(conn, violation).await,
    }
}

async fn refuse_upgrade(mut conn: Conn, request_id: &str, problem: &Problem, field: (&str, &[u8])) {
    let asked = Asked { instance: "/ws/agent", ..Asked::unknown(request_id) };
    if conn.answer_problem_with(&asked, problem, vec![field], false).await == After::Close {
        conn.end().await;
    }
}

/// A missing Origin, the relay's own, and those on the allow-list pass.
fn is_welcome(conn: &Conn, head: &Head) -> bool {
    if !head.has("origin") {
        return true;
    }
    let own = conn.core.origin();
    head.header("origin") == Some(own.public_url.as_str()) || conn.page_origin(head).is_some()
}

/// Reads the first frame and judges its credential. `None`: the peer is gone.
async fn authenticate(conn: &mut Conn) -> Result<Option<Attach>, Violation> {
    let mut session = Session::new(conn.core.shared.config.max_body_bytes);
    let auth = loop {
        match session.next(&mut conn.buf)? {
            Input::Frame(message) => break message.into_bytes(),
            Input::Ping(payload) => {
                message::append(&mut conn.out, Kind::Pong, &payload, None);
                if !conn.flush().await {
                    return Ok(None);
                }
            }
            Input::Pong => {}
            Input::Close(code) => return Err(Violation::new(code.unwrap_or(close::NORMAL), "")),
            Input::Need(bytes) => match conn.fill(bytes).await {
                Fill::More => {}
                Fill::End => return Ok(None),
                Fill::Overdue => {
                    conn.core.count(Bound::AuthTime);
                    return Err(Violation::new(close::INVALID_TOKEN, "no auth in time"));
                }
            },
        }
    };
    conn.cell.set_deadline(None);
    let (token, shared, parts) = {
        let auth = first_frame(&auth)?;
        (auth.token.to_owned(), auth.shared, auth.parts)
    };
    match judge(&conn.core, &conn.cell, &token, conn.peer).await {
        Verdict::Known(principal) => {
            let again = |_| Violation::new(close::TRY_AGAIN_LATER, close::reason(close::TRY_AGAIN_LATER));
            let random: [u8; 10] = conn.core.random().map_err(again)?;
            let session = SessionId::from_parts(conn.core.now().unix_ms as u64, random);
            Ok(Some(Attach { principal, session, shared, parts }))
        }
        Verdict::Refused(problem) => {
            let code = close_code(&problem);
            Err(Violation::new(code, close::reason(code)))
        }
        Verdict::Ask(_) | Verdict::Verify => {
            Err(Violation::new(close::TRY_AGAIN_LATER, close::reason(close::TRY_AGAIN_LATER)))
        }
    }
}

/// A place among the lines of the node and of the peer's address, if those are bounded.
fn line_place(conn: &Conn) -> Result<Option<Place>, Violation> {
    let Some(lines) = &conn.core.shared.lines else { return Ok(None) };
    lines.admit(conn.peer).map(Some).map_err(|full| {
        let (bound, cap) = match full {
            Full::Total => (Bound::Lines, "lines_per_node"),
            Full::Address => (Bound::LinesOfAddress, "lines_per_ip"),
        };
        conn.core.count(bound);
        Violation::new(close::CAP_REACHED, cap)
    })
}

/// Gives the session to its agent's home core.
fn hand_over(mut conn: Conn, attach: Attach, place: Option<Place>) {
    let rest: BytesMut = std::mem::take(&mut conn.buf);
    let home = conn.core.engine.borrow().home(attach.principal.agent);
    if home == conn.core.id {
        return line::start(&conn.core, conn.socket.clone(), attach, rest, place);
    }
    match conn.socket.hand_over() {
        Ok(socket) => conn.core.post(home).send(CoreMail::Adopt(Adopt { socket, attach, rest, place })),
        Err(error) => tracing::warn!(core = conn.core.id, %error, "a session could not be handed to its core"),
    }
}

async fn end(conn: Conn, violation: Violation) {
    line::refuse(Rc::clone(&conn.core), conn.socket.clone(), violation).await;
}
