//! What frames mean to a connection: calls that arrive, and the answers to calls of our own.

use std::time::Duration;

use bytes::Bytes;
use landline_wire::frame::{
    Call, Chunk, ErrorFrame, Frame, Headers, HeadersBuilder, Request as RequestFrame, Response as ResponseFrame, decode,
};

use super::answer::Refusal;
use super::answers::Answered;
use super::calls::Sent;
use super::connection::{Connection, Signal};
use super::intake::Overrun;
use super::types::{CallError, Command, Request, Response};

impl Connection {
    /// Acts on one frame. What is not for us, or not any more, is ignored.
    pub(super) fn frame(&mut self, message: &Bytes) -> Option<Signal> {
        // The machine has decoded it before: it cannot fail now.
        match decode(message).ok()? {
            Frame::Request(request) => self.request(&request, message),
            Frame::Response(response) => {
                let status = response.status.and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
                let head = (status, owned(response.headers));
                let begun = self.calls.begin(response.id, head, message, response.body, response.more);
                self.check_window(response.id, begun);
            }
            Frame::Chunk(Chunk { id, more, body }) => {
                let taken = match is_ours(id) {
                    true => self.calls.part(id, message, body, more),
                    false => self.answers.part(id, message, body, more),
                };
                self.check_window(id, taken);
            }
            Frame::Credit { id, bytes } => self.credit(id, bytes),
            Frame::Cancel { id, code } => self.ended_by_relay(id, code.unwrap_or("cancelled"), "", None),
            Frame::Error(ErrorFrame { id: Some(id), code, detail, retry_after_ms }) => {
                self.ended_by_relay(id, code, detail.unwrap_or_default(), retry_after_ms);
            }
            Frame::Error(error) => tracing::warn!(code = error.code, detail = error.detail, "the relay complains"),
            Frame::Drain { redial_after_ms, .. } => {
                return Some(Signal::Draining { redial_after: Duration::from_millis(redial_after_ms) });
            }
            _ => {}
        }
        None
    }

    /// A call arrived, or its beginning.
    fn request(&mut self, request: &RequestFrame<'_>, message: &Bytes) {
        let id = request.id;
        if self.leaving || !self.answers.has_room() {
            return self.refuse(id, "overloaded", "the agent answers as many calls as it can");
        }
        let body = match request.more {
            true => self.answers.receive(id),
            false => message.slice_ref(request.body).into(),
        };
        let first = self.answers.part(id, message, request.body, true);
        if first.is_err() {
            return self.check_window(id, first);
        }
        let given = Request {
            from: request.from.and_then(|from| from.parse().ok()),
            method: request.method.map(str::to_owned),
            request_id: request.request_id.to_owned(),
            verb: request.verb.unwrap_or("POST").to_owned(),
            path: request.path.unwrap_or_default().to_owned(),
            headers: owned(request.headers),
            stream: request.stream,
            deadline_ms: request.deadline_ms,
            body,
            line: self.caller.clone(),
        };
        self.answers.start(id, given);
    }

    /// The relay grants more of a body that goes out: of an answer, or of a call of our own.
    fn credit(&mut self, id: u64, bytes: u64) {
        if is_ours(id) {
            if !self.calls.credit(id, bytes) {
                self.send(&Frame::Cancel { id, code: Some("flow_control") });
            }
        } else if !self.answers.credit(id, bytes) {
            self.refuse(id, "flow_control", "credit above 2^31");
        }
    }

    fn check_window(&mut self, id: u64, result: Result<(), Overrun>) {
        if result.is_err() {
            self.send(&Frame::Cancel { id, code: Some("flow_control") });
        }
    }

    /// The relay ended a call: one that we answer, or one of our own.
    fn ended_by_relay(&mut self, id: u64, code: &str, detail: &str, retry_after_ms: Option<u64>) {
        let (code, detail) = (code.to_owned(), detail.to_owned());
        let why = CallError::Refused { code, detail, retry_after_ms };
        match is_ours(id) {
            true => self.calls.fail(id, why),
            false => drop(self.answers.stop(id, why)),
        }
    }

    /// Sends what a handler gave, or a piece of it.
    pub(super) fn answered(&mut self, id: u64, answered: Answered) {
        match answered {
            Answered::Whole(Response { status, headers, body }) => self.respond(id, status, &headers, false, &body),
            Answered::Head { status, headers } => self.respond(id, status, &headers, true, &[]),
            Answered::Piece { body, more } => self.send(&Frame::Chunk(Chunk { id, more, body: &body })),
            Answered::Refused(Refusal { code, detail, retry_after_ms }) => {
                let error = ErrorFrame { id: Some(id), code: &code, detail: Some(&detail), retry_after_ms };
                self.send(&Frame::Error(error));
            }
        }
    }

    /// Sends a piece of the body of a call of our own.
    pub(super) fn sent(&mut self, id: u64, sent: Sent) {
        match sent {
            Sent::Piece { body, more } => self.send(&Frame::Chunk(Chunk { id, more, body: &body })),
            Sent::Broken => self.send(&Frame::Cancel { id, code: None }),
        }
    }

    fn respond(&mut self, id: u64, status: u16, headers: &[(String, String)], more: bool, body: &[u8]) {
        let headers = encoded(headers);
        let status = (status != 200).then_some(u64::from(status));
        self.send(&Frame::Response(ResponseFrame { id, status, headers: Headers::from_encoded(&headers), more, body }));
    }

    /// Refuses a call.
    fn refuse(&mut self, id: u64, code: &str, detail: &str) {
        self.send(&Frame::Error(ErrorFrame { id: Some(id), code, detail: Some(detail), retry_after_ms: None }));
    }

    /// Does what a program asked for.
    pub(super) fn command(&mut self, command: Command) {
        match command {
            // The program may have changed its mind while the command waited.
            Command::Call { reply, .. } if reply.is_closed() => {}
            Command::Call { number, to, call, reply } => {
                let id = self.calls.open(number, reply);
                let (headers, to) = (encoded(&call.headers), to.to_string());
                let (whole, parts) = match call.body.into_whole() {
                    Ok(bytes) if bytes.len() <= self.max_body => (bytes, None),
                    Ok(bytes) => (Bytes::new(), Some(bytes.into())),
                    Err(body) => (Bytes::new(), Some(body)),
                };
                self.send(&Frame::Call(Call {
                    id,
                    to: &to,
                    method: call.method.as_deref(),
                    verb: call.verb.as_deref(),
                    path: Some(call.path.as_str()).filter(|path| !path.is_empty()),
                    headers: Headers::from_encoded(&headers),
                    stream: call.stream,
                    timeout_ms: call.timeout.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
                    more: parts.is_some(),
                    body: &whole,
                    ..Call::default()
                }));
                if let Some(body) = parts {
                    self.calls.send_body(id, body);
                }
            }
            Command::Grant { id, bytes } => {
                if if is_ours(id) { self.calls.receives(id) } else { self.answers.receives(id) } {
                    self.send(&Frame::Credit { id, bytes });
                }
            }
            Command::Cancel { number } => {
                if let Some(id) = self.calls.drop_number(number) {
                    self.send(&Frame::Cancel { id, code: None });
                }
            }
        }
    }

    fn send(&mut self, frame: &Frame<'_>) {
        if let Some(machine) = &mut self.machine {
            machine.send(frame, &mut self.out);
        }
    }
}

fn owned(headers: Headers<'_>) -> Vec<(String, String)> {
    headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn encoded(headers: &[(String, String)]) -> Bytes {
    let mut builder = HeadersBuilder::default();
    headers.iter().for_each(|(name, value)| builder.push(name, value));
    builder.encode().into_bytes()
}

/// Is this the id of a call of our own? The relay's are even.
fn is_ours(id: u64) -> bool {
    id % 2 == 1
}
