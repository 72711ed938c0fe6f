//! One TCP connection: request after request, each handed to whoever serves it.

mod answer;
mod cell;
mod pass;
mod read;
mod relay;
mod reply;
mod stream;
mod upgrade;
mod upload;

use std::net::IpAddr;
use std::rc::Rc;

use bytes::BytesMut;
use landline_wire::close;
use landline_wire::error::{Code, Problem};
use landline_wire::http1::{BadRequest, Framing, Head};
use landline_wire::limits;
use landline_wire::relay as rules;
use monoio::net::TcpStream;

use crate::admission::Place;
use crate::core::{Core, Listener};
use crate::line::linger;
use crate::socket::Socket;
use crate::tls::Tls;

pub(crate) use cell::{ConnCell, Event, Pass, sweep};

/// A connection and what it has read and not yet written.
pub(crate) struct Conn {
    core: Rc<Core>,
    socket: Socket,
    cell: Rc<ConnCell>,
    peer: IpAddr,
    /// Read and not yet understood.
    buf: BytesMut,
    /// To be written.
    out: BytesMut,
    /// When requests follow each other, the next is read with a buffer in hand.
    listener: Listener,
    /// The answer is asked for as a stream of events.
    events: bool,
    /// It is one, and comments fill its pauses.
    comments: bool,
}

/// What becomes of the connection after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum After {
    /// Another request may come.
    Next,
    /// Closed, once the peer has taken the answer.
    Close,
    /// It is gone, or it is a line now.
    Done,
}

/// Serves a connection that was just accepted.
pub(crate) fn start(core: &Rc<Core>, stream: TcpStream, peer: IpAddr, place: Place) {
    let machine = match core.shared.config.tls.as_ref().map(Tls::accept).transpose() {
        Ok(machine) => machine.map(Box::new),
        Err(fault) => return tracing::error!(%fault, "TLS cannot begin"),
    };
    let socket = Socket::new(stream, machine, &core.pool);
    let cell = Rc::new(ConnCell::new(socket.clone()));
    let number = core.number();
    core.conns.borrow_mut().insert(number, Rc::clone(&cell));
    let conn = Conn {
        core: Rc::clone(core),
        socket,
        cell,
        peer,
        buf: BytesMut::new(),
        out: BytesMut::new(),
        listener: Listener::default(),
        events: false,
        comments: false,
    };
    monoio::spawn(async move {
        let core = Rc::clone(&conn.core);
        serve(conn, place).await;
        core.conns.borrow_mut().remove(&number);
    });
}

async fn serve(mut conn: Conn, place: Place) {
    if !conn.handshake().await {
        return conn.end().await;
    }
    let mut place = Some(place);
    let opened = conn.core.now();
    loop {
        let after = match conn.head().await {
            Ok(Some(head)) if is_upgrade(&conn, &head) => {
                return upgrade::serve(conn, head, place.take(), opened).await;
            }
            Ok(Some(head)) => {
                // A complete request: the socket has said what it wants.
                drop(place.take());
                conn.serve_request(head).await
            }
            Ok(None) => {
                // Between requests: over TLS the end is said, so that it is not taken for a cut.
                conn.socket.shutdown_write();
                After::Done
            }
            Err(problem) => {
                let id = conn.core.make_request_id();
                conn.answer_problem(&Asked::unknown(&id), &problem, false).await;
                After::Close
            }
        };
        if conn.core.shared.draining.load(std::sync::atomic::Ordering::Relaxed) && after == After::Next {
            return conn.end().await;
        }
        match after {
            After::Next => {}
            After::Close => return conn.end().await,
            After::Done => return,
        }
    }
}

fn is_upgrade(conn: &Conn, head: &Head) -> bool {
    let origin = conn.core.origin();
    head.path().strip_prefix(origin.prefix.as_str()) == Some("/ws/agent")
}

/// What an answer has to know of its request.
pub(crate) struct Asked<'a> {
    /// Correlation id.
    request_id: &'a str,
    /// Path under the prefix, for the problem's `instance`.
    instance: &'a str,
    /// HEAD gets no body.
    is_head: bool,
    /// HTTP/1.0 knows no chunks.
    is_11: bool,
    /// A page of an allowed origin asks.
    origin: Option<&'a str>,
}

impl<'a> Asked<'a> {
    fn unknown(request_id: &'a str) -> Self {
        Self { request_id, instance: "", is_head: false, is_11: true, origin: None }
    }
}

impl Conn {
    async fn serve_request(&mut self, head: Head) -> After {
        let origin = self.core.origin();
        let below = head.path().strip_prefix(origin.prefix.as_str());
        let request_id = match head.header("x-request-id").filter(|id| rules::is_request_id(id)) {
            Some(id) => id.into(),
            None => self.core.make_request_id(),
        };
        let page = self.page_origin(&head).map(str::to_owned);
        let asked = Asked {
            request_id: &request_id,
            instance: instance(below.unwrap_or(head.path())),
            is_head: head.method() == "HEAD",
            is_11: head.is_11,
            origin: page.as_deref(),
        };
        let relay = below.and_then(|below| below.strip_prefix("/relay/"));
        let Some(below_relay) = relay else { return pass::serve(self, &head, &asked).await };
        if asked.origin.is_some() && head.method() == "OPTIONS" && head.has("access-control-request-method") {
            return self.answer_preflight(&head, &asked).await;
        }
        // The target is cut from the raw request target, so that the query goes with it.
        let cut = head.target().len() - head.path().len();
        let start = head.path().len() - below_relay.len();
        relay::serve(self, &head, &head.target()[start..start + below_relay.len() + cut], &asked).await
    }

    /// The request's Origin, if it is on the allow-list.
    fn page_origin<'h>(&self, head: &'h Head) -> Option<&'h str> {
        let origin = head.header("origin")?;
        self.core.shared.config.allowed_origins.iter().any(|allowed| allowed == origin).then_some(origin)
    }

    /// Closes after the peer has had the chance to read the answer.
    async fn end(self) {
        linger(&self.socket).await;
    }
}

/// What a problem says of where it happened. What follows an agent's id is between the caller and the agent.
fn instance(path: &str) -> &str {
    let Some(rest) = path.strip_prefix("/relay/") else { return path };
    &path[..path.len() - rest.len() + rest.find('/').unwrap_or(rest.len())]
}

/// The problem of a request that cannot be read.
fn unreadable(bad: BadRequest) -> Problem {
    match bad {
        BadRequest::Malformed(why) => Problem::new(Code::BadRequest, format!("Refused: {why}.")),
        BadRequest::HeadTooLarge => Problem::new(Code::HeaderTooLarge, format!("Refused: {bad}.")),
    }
}

/// Does a body follow that was not read?
fn has_body(head: &Head) -> bool {
    !matches!(head.framing, Framing::None | Framing::Length(0))
}

/// When a request that begins now must have its head complete.
fn head_deadline(now_ms: u64) -> u64 {
    now_ms + limits::HEAD_DEADLINE_MS
}

/// The close code for a session whose credential was refused.
fn close_code(problem: &Problem) -> u16 {
    match problem.code {
        Code::AgentBlocked => close::BLOCKED,
        Code::TokenInvalid | Code::TokenMissing => close::INVALID_TOKEN,
        _ => close::TRY_AGAIN_LATER,
    }
}
