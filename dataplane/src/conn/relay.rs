//! `/relay/{id}`: a call over a line, and the question whether there is one.

use std::net::IpAddr;
use std::rc::Rc;

use bytes::Bytes;
use landline_engine::{CallRequest, ConnKey, Mail, Origin, Reply, Verdict};
use landline_wire::error::{Code, Problem};
use landline_wire::frame::HeadersBuilder;
use landline_wire::http1::{Framing, Head};
use landline_wire::ids::AgentId;
use landline_wire::limits::CALL_TIMEOUT_MS;
use landline_wire::pieces::Pieces;
use landline_wire::relay::{self as rules, Target};

use super::read::{Fill, Woke};
use super::reply::{answer_call, status_document};
use super::upload::{self, Sent};
use super::{After, Asked, Conn, Event, has_body, pass, stream};
use crate::core::{Core, CoreMail};
use crate::line::has_room;

/// Serves a request below `/relay/`; `target` is what followed it, query included.
pub(super) async fn serve(conn: &mut Conn, head: &Head, target: &str, asked: &Asked<'_>) -> After {
    let (id, wanted) = rules::target(head.method(), target);
    if wanted == Target::Card {
        return pass::serve(conn, head, asked).await;
    }
    let Ok(agent) = id.parse::<AgentId>() else {
        let problem = Problem::new(Code::InvalidQuery, "The agent id must be a hyphenated UUID.").field("agent_id");
        return refuse(conn, head, &problem, asked).await;
    };
    if !rules::is_verb(head.method()) {
        return refuse_method(conn, head, asked).await;
    }
    let caller = match conn.caller(head).await {
        Ok(caller) => caller,
        Err(problem) => return refuse(conn, head, &problem, asked).await,
    };
    match wanted {
        Target::Status => status(conn, head, agent, caller, asked).await,
        Target::Call { rest } => match conn.request(head, agent, caller, rest, asked).await {
            Ok(request) => call(conn, head, request, asked).await,
            Err((problem, true)) => refuse(conn, head, &problem, asked).await,
            Err((problem, false)) => conn.answer_problem(asked, &problem, head.keep_alive).await,
        },
        Target::Stream => stream::serve(conn, head, agent, caller, asked).await,
        Target::Card => pass::serve(conn, head, asked).await,
    }
}

/// The credential of an `Authorization: Bearer …` header.
///
/// # Errors
/// `token_missing` for a header that is none.
fn bearer(head: &Head) -> Result<Option<&str>, Problem> {
    if !head.has("authorization") {
        return Ok(None);
    }
    let value = head.header("authorization").unwrap_or_default();
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
            Ok(Some(token.trim()))
        }
        _ => Err(Problem::new(Code::TokenMissing, "The Authorization header must be `Bearer <api key or token>`.")),
    }
}

/// Milliseconds of silence after which a stream gets a comment.
const COMMENT_MS: u64 = 15_000;

impl Conn {
    /// Who calls; `None` is anonymous.
    async fn caller(&mut self, head: &Head) -> Result<Option<AgentId>, Problem> {
        let Some(token) = bearer(head)? else { return Ok(None) };
        match judge(&self.core, &self.cell, token, self.peer).await {
            Verdict::Known(principal) => Ok(Some(principal.agent)),
            Verdict::Refused(problem) => Err(*problem),
            Verdict::Ask(_) | Verdict::Verify => Err(Problem::plain(Code::ExchangeUnavailable)),
        }
    }

    /// The call that a request asks for. The error says also whether its body is unread.
    pub(super) async fn request(
        &mut self,
        head: &Head,
        target: AgentId,
        caller: Option<AgentId>,
        rest: &str,
        asked: &Asked<'_>,
    ) -> Result<CallRequest, (Problem, bool)> {
        let unread = has_body(head);
        let refuse = |problem| (problem, unread);
        if caller.is_none() {
            self.core.admit_public_call(self.peer, self.core.now()).map_err(refuse)?;
        }
        if !rules::is_path(rest) {
            let detail = "The path must be visible ASCII of at most 8 KiB.";
            return Err(refuse(Problem::new(Code::InvalidQuery, detail).field("path")));
        }
        let timeout_ms = timeout(head).map_err(refuse)?;
        let headers = headers_for_agent(head).map_err(refuse)?;
        let most = self.core.shared.config.max_body_bytes;
        // A body that is longer, or of unknown length, goes in parts; the callee's core knows whether its line takes them.
        let more = match head.framing {
            Framing::Chunked => true,
            Framing::Length(len) => len > most as u64,
            Framing::None | Framing::UntilClose => false,
        };
        let body = match more {
            true => Pieces::new(),
            false => self.body(head, most).await.map_err(|problem| (problem, true))?,
        };
        Ok(CallRequest {
            origin: Origin::Http { core: self.core.id, conn: ConnKey(self.core.number()) },
            caller,
            target,
            request_id: asked.request_id.into(),
            method: head.header("x-a2a-method").filter(|method| rules::is_a2a_method(method)).map(Into::into),
            verb: (head.method() != "POST").then(|| head.method().into()),
            path: (!rest.is_empty()).then(|| rest.into()),
            headers,
            stream: head.header("accept").is_some_and(|accept| accept.contains("text/event-stream")),
            timeout_ms,
            started: self.core.now(),
            body,
            more,
            resumable: None,
            length: match head.framing {
                Framing::Length(len) => Some(len),
                _ => None,
            },
        })
    }

    /// Nothing is waited for under this number any more.
    pub(super) fn done_waiting(&self, number: u64) {
        self.core.waiting.borrow_mut().remove(&number);
        self.cell.clear();
    }

    /// Waits for the reply to a call or question that was sent to `home`. `None`: the caller went away first, and its
    /// call is cancelled.
    pub(super) async fn reply(&mut self, home: usize, origin: Origin) -> Option<Reply> {
        self.cell.begin_wait(self.core.about_now_ms());
        if self.comments {
            self.cell.set_deadline(Some(self.core.about_now_ms() + COMMENT_MS));
        }
        let reply = loop {
            // What a client sends ahead is kept up to one buffer; more is left in its socket.
            let watch = self.cell.watches() && has_room(&self.buf);
            match self.wait(watch, true).await {
                // Credit for a body that needs no more.
                Woke::Event(Event::Reply(Reply::Credit(_))) => {}
                Woke::Event(Event::Reply(reply)) => break Some(reply),
                // A comment tells whatever stands between us that the stream is alive.
                Woke::Overdue if self.comments => {
                    break Some(Reply::Part { body: Bytes::from_static(b":\n\n").into(), more: true, cost: 0 });
                }
                Woke::Event(_) | Woke::Watch | Woke::Overdue => {}
                Woke::Readable if self.read_ready(0).await == Fill::More => {}
                Woke::Readable => {
                    let now = self.core.now();
                    self.core.engine.borrow_mut().gone_at(home, origin, now);
                    self.core.carry_out();
                    break None;
                }
            }
        };
        self.cell.end_wait();
        self.cell.set_deadline(None);
        reply
    }
}

/// Judges a credential: a token is verified when there is time for it, and the exchange is asked about a key that is not
/// known here.
pub(super) async fn judge(core: &Rc<Core>, cell: &Rc<super::ConnCell>, token: &str, peer: IpAddr) -> Verdict {
    let now = core.now();
    let verdict = core.engine.borrow_mut().credentials.check(token, peer, now);
    let lookup = match verdict {
        Verdict::Ask(lookup) => lookup,
        Verdict::Verify => {
            let turn = core.turn().await;
            let now = core.now();
            let verdict = core.engine.borrow_mut().credentials.verify(token, peer, now);
            turn.end_later();
            return verdict;
        }
        verdict => return verdict,
    };
    let number = core.number();
    core.waiting.borrow_mut().insert(number, Rc::clone(cell));
    core.ask(number, lookup);
    let answer = std::future::poll_fn(|cx| {
        cell.register(cx.waker());
        match cell.take() {
            Some(Event::Answer(answer)) => std::task::Poll::Ready(answer),
            // The uplink always answers, within the look-up timeout.
            _ => std::task::Poll::Pending,
        }
    })
    .await;
    core.waiting.borrow_mut().remove(&number);
    let now = core.now();
    core.engine.borrow_mut().credentials.learn(token, answer, peer, now)
}

fn timeout(head: &Head) -> Result<u64, Problem> {
    let Some(value) = head.header("x-relay-timeout-ms") else { return Ok(CALL_TIMEOUT_MS) };
    match value.parse::<u64>() {
        Ok(ms) if (1..=CALL_TIMEOUT_MS).contains(&ms) => Ok(ms),
        _ => {
            let detail = format!("X-Relay-Timeout-Ms must be a number from 1 to {CALL_TIMEOUT_MS}.");
            Err(Problem::new(Code::InvalidQuery, detail).field("X-Relay-Timeout-Ms"))
        }
    }
}

/// The caller's end-to-end headers, as a `headers` map.
fn headers_for_agent(head: &Head) -> Result<Bytes, Problem> {
    let is_named = |name: &str| {
        let mut named = head.headers_named("connection").flat_map(|value| value.split(',')).map(str::trim);
        named.any(|named| named.eq_ignore_ascii_case(name))
    };
    let has_options = head.has("connection");
    let mut headers = HeadersBuilder::default();
    for (name, value) in head.fields() {
        let is_credential = name == "x-agent-authorization";
        if !is_credential && (!rules::reaches_agent(name) || has_options && is_named(name)) {
            continue;
        }
        let value = std::str::from_utf8(value).ok().filter(|value| rules::is_header_value(value)).ok_or_else(|| {
            Problem::new(Code::InvalidQuery, "A header's value must be UTF-8 without control characters.").field(name)
        })?;
        headers.push(if is_credential { "authorization" } else { name }, value);
    }
    Ok(headers.encode().into_bytes())
}

/// Answers a request whose body was not read.
async fn refuse(conn: &mut Conn, head: &Head, problem: &Problem, asked: &Asked<'_>) -> After {
    let keep_alive = conn.skip_body(head) && head.keep_alive;
    conn.answer_problem(asked, problem, keep_alive).await
}

/// Answers a method that reaches no agent. Others than those that are named do.
async fn refuse_method(conn: &mut Conn, head: &Head, asked: &Asked<'_>) -> After {
    let keep_alive = conn.skip_body(head) && head.keep_alive;
    let problem = Problem::new(Code::MethodNotAllowed, "This HTTP method does not cross the relay.");
    let allow: (&str, &[u8]) = ("allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    conn.answer_problem_with(asked, &problem, vec![allow], keep_alive).await
}

pub(super) async fn call_or_refuse(
    conn: &mut Conn,
    head: &Head,
    request: Result<CallRequest, (Problem, bool)>,
    asked: &Asked<'_>,
) -> After {
    match request {
        Ok(request) => call(conn, head, request, asked).await,
        Err((problem, true)) => refuse(conn, head, &problem, asked).await,
        Err((problem, false)) => conn.answer_problem(asked, &problem, head.keep_alive).await,
    }
}

async fn call(conn: &mut Conn, head: &Head, request: CallRequest, asked: &Asked<'_>) -> After {
    let (origin, started, more, caller) = (request.origin, request.started, request.more, request.caller);
    let home = conn.core.engine.borrow().home(request.target);
    let Origin::Http { conn: ConnKey(number), .. } = origin else { return After::Done };
    conn.core.waiting.borrow_mut().insert(number, Rc::clone(&conn.cell));
    if home == conn.core.id {
        conn.core.engine.borrow_mut().place(request, started);
        conn.core.carry_out();
    } else {
        conn.core.send_call(home, request);
    }
    let sent = if more { upload::send(conn, head, home, origin).await } else { Sent::Whole };
    let (reply, unread) = match sent {
        Sent::Whole => (conn.reply(home, origin).await, false),
        Sent::Answered(reply) => (Some(reply), true),
        Sent::Broken(problem) => (Some(Reply::Failed(Box::new(problem))), true),
        Sent::Gone => (None, true),
    };
    let after = match reply {
        None => After::Done,
        // Under a number of its own: this one is done.
        Some(Reply::Direct(request)) => {
            let body = if more { pass::Body::Unread } else { pass::Body::Read(request.body) };
            conn.done_waiting(number);
            return pass::serve_direct(conn, head, caller, body, asked).await;
        }
        Some(reply) => answer_call(conn, home, origin, started, head.keep_alive && !unread, reply, asked).await,
    };
    conn.done_waiting(number);
    after
}

async fn status(conn: &mut Conn, head: &Head, agent: AgentId, caller: Option<AgentId>, asked: &Asked<'_>) -> After {
    let keep_alive = head.keep_alive && !has_body(head);
    let number = conn.core.number();
    let origin = Origin::Http { core: conn.core.id, conn: ConnKey(number) };
    conn.core.waiting.borrow_mut().insert(number, Rc::clone(&conn.cell));
    let home = conn.core.engine.borrow().home(agent);
    if home == conn.core.id {
        let now = conn.core.now();
        conn.core.engine.borrow_mut().status(origin, caller, agent, now);
        conn.core.carry_out();
    } else {
        conn.core.post(home).send(CoreMail::Engine(Mail::Status { origin, caller, target: agent }));
    }
    let reply = conn.reply(home, origin).await;
    conn.done_waiting(number);
    match reply {
        Some(Reply::Status(answer)) => {
            let mut fields = Conn::common_fields(asked);
            fields.push(("content-type", b"application/json"));
            fields.push(("cache-control", b"no-store"));
            conn.answer_whole(asked, 200, fields, status_document(&answer), keep_alive).await
        }
        Some(Reply::Failed(problem)) => conn.answer_problem(asked, &problem, keep_alive).await,
        _ => After::Done,
    }
}
