//! What frames mean to a connection: calls that arrive, and the answers to calls of our own.

use std::collections::HashMap;

use bytes::{Bytes, BytesMut};
use landline_wire::frame::{Call, ErrorFrame, Frame, HeadersBuilder, Response as ResponseFrame, decode};
use landline_wire::ids::AgentId;
use landline_wire::limits;
use tokio::sync::oneshot;

use super::connection::{Connection, Signal};
use super::types::{CallError, Request, Response};

/// Bytes of an answer in parts that are put together here; more is refused.
const MAX_ANSWER_BYTES: usize = 16 * limits::MAX_BODY_BYTES;

type Reply = oneshot::Sender<Result<Response, CallError>>;

/// Our own calls that wait for their answers.
#[derive(Default)]
pub(super) struct Calls {
    sent: u64,
    waiting: HashMap<u64, Waiting>,
    by_number: HashMap<u64, u64>,
}

struct Waiting {
    number: u64,
    reply: Reply,
    begun: Option<(Response, BytesMut)>,
}

impl Calls {
    /// The next odd id.
    fn next_id(&mut self) -> u64 {
        self.sent += 1;
        2 * self.sent - 1
    }

    fn end(&mut self, id: u64, result: Result<Response, CallError>) {
        if let Some(waiting) = self.waiting.remove(&id) {
            self.by_number.remove(&waiting.number);
            let _ = waiting.reply.send(result);
        }
    }

    /// The connection is gone: nobody learns more.
    pub(super) fn fail_all(&mut self) {
        for (_, waiting) in self.waiting.drain() {
            let _ = waiting.reply.send(Err(CallError::LineLost));
        }
        self.by_number.clear();
    }

    /// Takes a part of an answer. `Some(false)`: too much came; `Some(true)`: more comes.
    fn part(&mut self, id: u64, body: &[u8], more: bool) -> Option<bool> {
        let waiting = self.waiting.get_mut(&id)?;
        let (_, gathered) = waiting.begun.as_mut()?;
        if gathered.len() + body.len() > MAX_ANSWER_BYTES {
            return Some(false);
        }
        gathered.extend_from_slice(body);
        if !more && let Some((mut response, body)) = waiting.begun.take() {
            response.body = body.freeze();
            self.end(id, Ok(response));
            return None;
        }
        Some(true)
    }
}

impl Connection {
    /// Acts on one frame. What is not for us, or not any more, is ignored.
    pub(super) fn frame(&mut self, message: &Bytes) -> Option<Signal> {
        // The machine has decoded it before: it cannot fail now.
        match decode(message).ok()? {
            Frame::Request(request) if request.more => {
                self.refuse(request.id, "parts_not_supported", "this agent takes whole requests only");
            }
            Frame::Request(request) => {
                let given = Request {
                    from: request.from.and_then(|from| from.parse().ok()),
                    method: request.method.map(str::to_owned),
                    request_id: request.request_id.to_owned(),
                    verb: request.verb.unwrap_or("POST").to_owned(),
                    path: request.path.unwrap_or_default().to_owned(),
                    headers: request.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
                    stream: request.stream,
                    deadline_ms: request.deadline_ms,
                    body: message.slice_ref(request.body),
                    line: self.caller.clone(),
                };
                self.answer(request.id, given);
            }
            Frame::Response(response) => self.answer_begins(message, &response),
            Frame::Chunk(chunk) => self.answer_goes_on(chunk.id, chunk.body, chunk.more),
            Frame::Cancel { id, code } => self.ended_by_relay(id, code.unwrap_or("cancelled"), "", None),
            Frame::Error(ErrorFrame { id: Some(id), code, detail, retry_after_ms }) => {
                self.ended_by_relay(id, code, detail.unwrap_or_default(), retry_after_ms);
            }
            Frame::Error(error) => tracing::warn!(code = error.code, detail = error.detail, "the relay complains"),
            Frame::Drain { redial_after_ms, .. } => {
                return Some(Signal::Draining { redial_after: std::time::Duration::from_millis(redial_after_ms) });
            }
            _ => {}
        }
        None
    }

    /// The relay ended a call: one that we answer, or one of our own.
    fn ended_by_relay(&mut self, id: u64, code: &str, detail: &str, retry_after_ms: Option<u64>) {
        if !self.stop_answering(id) {
            let (code, detail) = (code.to_owned(), detail.to_owned());
            self.calls.end(id, Err(CallError::Refused { code, detail, retry_after_ms }));
        }
    }

    /// Sends an answer.
    pub(super) fn respond(&mut self, id: u64, response: &Response) {
        if response.body.len() > self.max_body {
            self.refuse(id, "answer_too_large", "the agent's answer is larger than the relay takes");
            return;
        }
        let mut headers = HeadersBuilder::default();
        response.headers.iter().for_each(|(name, value)| headers.push(name, value));
        let headers = headers.encode();
        let status = (response.status != 200).then_some(u64::from(response.status));
        self.send(&Frame::Response(ResponseFrame {
            id,
            status,
            headers: headers.as_headers(),
            more: false,
            body: &response.body,
        }));
    }

    /// Refuses a call.
    pub(super) fn refuse(&mut self, id: u64, code: &str, detail: &str) {
        self.send(&Frame::Error(ErrorFrame { id: Some(id), code, detail: Some(detail), retry_after_ms: None }));
    }

    /// Sends a call of our own.
    pub(super) fn call(&mut self, number: u64, to: AgentId, method: Option<&str>, request: &Response, reply: Reply) {
        if reply.is_closed() {
            return;
        }
        if request.body.len() > self.max_body {
            let _ = reply.send(Err(CallError::TooLarge));
            return;
        }
        let id = self.calls.next_id();
        let mut headers = HeadersBuilder::default();
        request.headers.iter().for_each(|(name, value)| headers.push(name, value));
        let headers = headers.encode();
        let to = to.to_string();
        let call = Call { id, to: &to, method, headers: headers.as_headers(), body: &request.body, ..Call::default() };
        self.send(&Frame::Call(call));
        self.calls.waiting.insert(id, Waiting { number, reply, begun: None });
        self.calls.by_number.insert(number, id);
    }

    /// Nobody waits for a call of our own any more.
    pub(super) fn cancel_call(&mut self, number: u64) {
        if let Some(id) = self.calls.by_number.remove(&number) {
            self.calls.waiting.remove(&id);
            self.send(&Frame::Cancel { id, code: None });
        }
    }

    fn answer_begins(&mut self, message: &Bytes, frame: &ResponseFrame<'_>) {
        let Some(waiting) = self.calls.waiting.get_mut(&frame.id) else { return };
        let response = Response {
            status: frame.status.and_then(|status| u16::try_from(status).ok()).unwrap_or(200),
            headers: frame.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            body: Bytes::new(),
        };
        if frame.more {
            waiting.begun = Some((response, BytesMut::new()));
            self.answer_goes_on(frame.id, frame.body, true);
        } else {
            let body = message.slice_ref(frame.body);
            self.calls.end(frame.id, Ok(Response { body, ..response }));
        }
    }

    fn answer_goes_on(&mut self, id: u64, body: &[u8], more: bool) {
        match self.calls.part(id, body, more) {
            Some(true) if !body.is_empty() => self.send(&Frame::Credit { id, bytes: body.len() as u64 }),
            Some(false) => {
                self.calls.end(id, Err(CallError::TooLarge));
                self.send(&Frame::Cancel { id, code: None });
            }
            _ => {}
        }
    }

    fn send(&mut self, frame: &Frame<'_>) {
        if let Some(machine) = &mut self.machine {
            machine.send(frame, &mut self.out);
        }
    }
}
