//! `call` frames to agents without a line: passed on to the exchange, which calls the agent's own URL, and its answer
//! told to the calling line. No task of its own: whatever comes is carried out as it comes.

use std::net::IpAddr;
use std::rc::Rc;

use bytes::BytesMut;
use landline_engine::{CallRequest, DirectReply, LineKey, Map};
use landline_link::{Caller, PassAnswer, PassHead};
use landline_uplink::ToExchange;
use landline_wire::error::{Code, Problem};
use landline_wire::frame::{Headers, HeadersBuilder};
use landline_wire::limits::{CALL_TIMEOUT_MS, WINDOW_BYTES};
use landline_wire::pieces::Pieces;
use landline_wire::relay::reaches_caller;

use crate::conn::Pass;
use crate::core::{Core, Hold, PassPlace};

/// Bytes of a problem document that are read.
const MAX_PROBLEM_BYTES: usize = 16 << 10;

/// The calls of this core's lines that the exchange makes, by the line and its own id for the call, and by our number.
#[derive(Default)]
pub(crate) struct Directs {
    numbers: Map<(LineKey, u64), u64>,
    open: Map<u64, Direct>,
}

struct Direct {
    line: LineKey,
    id: u64,
    /// What is to be sent, and how much of it the exchange takes now.
    body: Pieces,
    window: usize,
    sent: bool,
    answer: Answer,
    _place: PassPlace,
    /// What is still to be sent, in the core's budget.
    hold: Hold,
}

enum Answer {
    /// Its head is to come.
    None,
    /// The agent answers; so many bytes went to the line and were not granted again.
    Agents { unpaid: usize },
    /// The exchange says why there is no answer.
    Problem { status: u16, document: BytesMut },
}

impl Directs {
    fn get(&mut self, line: LineKey, id: u64) -> Option<(u64, &mut Direct)> {
        let number = *self.numbers.get(&(line, id))?;
        self.open.get_mut(&number).map(|direct| (number, direct))
    }

    fn remove(&mut self, number: u64) -> Option<Direct> {
        let direct = self.open.remove(&number)?;
        self.numbers.remove(&(direct.line, direct.id));
        Some(direct)
    }
}

impl Core {
    /// A line's agent calls one that has no line.
    pub(crate) fn begin_direct(self: &Rc<Self>, line: LineKey, id: u64, request: CallRequest) {
        let number = self.number();
        let ticket = self.ticket(number);
        // The line is there: its engine asks for this. Its socket may be gone already; then nobody waits.
        let Some(from) = self.lines.borrow().get(line).and_then(|line| line.peer()) else { return };
        let head = pass_head(&self.origin().prefix, &request, from);
        let (_place, hold) = match self.room_for_direct(&request) {
            Ok(room) => room,
            Err(problem) => {
                let now = self.now();
                return self.engine.borrow_mut().direct_reply(line, id, DirectReply::Failed(problem), now);
            }
        };
        let (body, answer) = (request.body, Answer::None);
        let direct = Direct { line, id, body, window: WINDOW_BYTES, sent: false, answer, _place, hold };
        {
            let mut directs = self.directs.borrow_mut();
            directs.numbers.insert((line, id), number);
            directs.open.insert(number, direct);
        }
        self.tell_exchange(ToExchange::PassHead(ticket, head));
        self.send_body_of_direct(number);
    }

    fn room_for_direct(self: &Rc<Self>, request: &CallRequest) -> Result<(PassPlace, Hold), Problem> {
        let place = self.begin_pass().ok_or_else(|| Problem::plain(Code::ExchangeUnavailable))?;
        let mut hold = Hold::new(self);
        hold.resize(request.body.len())?;
        Ok((place, hold))
    }

    fn send_body_of_direct(&self, number: u64) {
        let ticket = self.ticket(number);
        let mut directs = self.directs.borrow_mut();
        let Some(direct) = directs.open.get_mut(&number).filter(|direct| !direct.sent) else { return };
        while !direct.body.is_empty() && direct.window > 0 {
            let piece = direct.body.split_to(direct.window);
            direct.window -= piece.len();
            self.tell_exchange(ToExchange::PassBody(ticket, piece));
        }
        // A share that shrinks always fits.
        let _ = direct.hold.resize(direct.body.len());
        if direct.body.is_empty() {
            direct.sent = true;
            self.tell_exchange(ToExchange::PassEnd(ticket));
        }
    }

    /// The agent took so many bytes of the answer. More than it was given counts for nothing.
    pub(crate) fn credit_direct(&self, line: LineKey, id: u64, bytes: usize) {
        let mut directs = self.directs.borrow_mut();
        let Some((number, Direct { answer: Answer::Agents { unpaid }, .. })) = directs.get(line, id) else { return };
        let bytes = bytes.min(*unpaid);
        *unpaid -= bytes;
        self.tell_exchange(ToExchange::PassCredit(self.ticket(number), bytes));
    }

    /// Nobody waits for the answer any more.
    pub(crate) fn end_direct(&self, line: LineKey, id: u64) {
        let mut directs = self.directs.borrow_mut();
        if let Some(number) = directs.numbers.get(&(line, id)).copied() {
            directs.remove(number);
            self.tell_exchange(ToExchange::PassCancel(self.ticket(number)));
        }
    }

    /// News of a request under this number; given back if it is no call of a line.
    pub(crate) fn news_of_direct(self: &Rc<Self>, number: u64, news: Pass) -> Option<Pass> {
        if !self.directs.borrow().open.contains_key(&number) {
            return Some(news);
        }
        if let Pass::Credit(bytes) = news {
            if let Some(direct) = self.directs.borrow_mut().open.get_mut(&number) {
                direct.window += bytes;
            }
            self.send_body_of_direct(number);
            return None;
        }
        let (line, id, reply) = self.reply_of_direct(number, news)?;
        let now = self.now();
        self.engine.borrow_mut().direct_reply(line, id, reply, now);
        None
    }

    /// What the line is told.
    fn reply_of_direct(&self, number: u64, news: Pass) -> Option<(LineKey, u64, DirectReply)> {
        let mut directs = self.directs.borrow_mut();
        let direct = directs.open.get_mut(&number)?;
        let (line, id) = (direct.line, direct.id);
        let (reply, ends) = match (&mut direct.answer, news) {
            (answer @ Answer::None, Pass::Answer(given)) if is_the_agents(&given) => {
                *answer = Answer::Agents { unpaid: 0 };
                (head(&given), false)
            }
            (answer @ Answer::None, Pass::Answer(given)) => {
                *answer = Answer::Problem { status: given.status, document: BytesMut::new() };
                return None;
            }
            (Answer::Agents { unpaid }, Pass::Body(body)) => {
                *unpaid += body.len();
                (DirectReply::Part { body: body.into(), more: true }, false)
            }
            (Answer::Agents { .. }, Pass::End) => (DirectReply::Part { body: Pieces::new(), more: false }, true),
            (Answer::Agents { .. }, _) => (DirectReply::Failed(Problem::plain(Code::GatewayUnavailable)), true),
            (Answer::Problem { document, .. }, Pass::Body(body)) => {
                if document.len() + body.len() <= MAX_PROBLEM_BYTES {
                    document.extend_from_slice(&body);
                }
                self.tell_exchange(ToExchange::PassCredit(self.ticket(number), body.len()));
                return None;
            }
            (Answer::Problem { status, document }, _) => (DirectReply::Failed(problem(*status, document)), true),
            (Answer::None, _) => (DirectReply::Failed(Problem::plain(Code::ExchangeUnavailable)), true),
        };
        if ends {
            directs.remove(number);
        }
        Some((line, id, reply))
    }
}

/// The request as an HTTP caller would have made it.
fn pass_head(prefix: &str, request: &CallRequest, (peer, tls): (IpAddr, bool)) -> PassHead {
    let field = |name: &str, value: &str| (name.to_owned(), value.as_bytes().to_vec());
    let given = Headers::from_encoded(&request.headers);
    let mut headers: Vec<(String, Vec<u8>)> = given
        .iter()
        // What is meant for the agent must not be taken for a credential of ours.
        .map(|(name, value)| field(if name == "authorization" { "x-agent-authorization" } else { name }, value))
        .collect();
    if request.stream && given.get("accept").is_none() {
        headers.push(field("accept", "text/event-stream"));
    }
    headers.push(field("x-request-id", &request.request_id));
    headers.push(field("x-relay-timeout-ms", &request.timeout_ms.clamp(1, CALL_TIMEOUT_MS).to_string()));
    headers.extend(request.method.as_deref().map(|method| field("x-a2a-method", method)));
    PassHead {
        method: request.verb.as_deref().unwrap_or("POST").to_owned(),
        target: format!("{prefix}/relay/{}{}", request.target, request.path.as_deref().unwrap_or_default()),
        headers,
        peer,
        tls,
        caller: Some(Caller { agent: request.caller }),
    }
}

/// Only an answer of the agent itself names this route.
fn is_the_agents(answer: &PassAnswer) -> bool {
    answer.headers.iter().any(|(name, value)| name == "x-connect-route" && value == b"http_direct")
}

fn head(answer: &PassAnswer) -> DirectReply {
    let mut headers = HeadersBuilder::default();
    for (name, value) in answer.headers.iter().filter(|(name, _)| reaches_caller(name)) {
        if let Ok(value) = std::str::from_utf8(value) {
            headers.push(name, value);
        }
    }
    DirectReply::Head { status: answer.status, headers: headers.encode().into_bytes() }
}

/// The exchange's problem document, read back.
fn problem(status: u16, document: &[u8]) -> Problem {
    let document: serde_json::Value = serde_json::from_slice(document).unwrap_or_default();
    let text = |name: &str| document[name].as_str();
    let code = text("code").and_then(Code::parse).unwrap_or(match status {
        503 => Code::ExchangeUnavailable,
        _ => Code::GatewayUnavailable,
    });
    let problem = Problem::new(code, text("detail").unwrap_or(code.entry().meaning));
    match document["retry_after_seconds"].as_u64() {
        Some(seconds) => problem.retry_after(u32::try_from(seconds).unwrap_or(u32::MAX)),
        None => problem,
    }
}
