//! What frames mean to a connection: calls that arrive, and the answers to calls of our own.

use std::time::Duration;

use bytes::Bytes;
use landline_wire::frame::{
    Call, Chunk, ErrorFrame, Frame, Headers, HeadersBuilder, Response as ResponseFrame, decode,
};
use landline_wire::limits;

use super::answer::Refusal;
use super::answers::Answered;
use super::calls::Overrun;
use super::connection::{Connection, Signal};
use super::types::{CallError, Command, Request, Response};

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
                    headers: owned(request.headers),
                    stream: request.stream,
                    deadline_ms: request.deadline_ms,
                    body: message.slice_ref(request.body),
                    line: self.caller.clone(),
                };
                if self.leaving || !self.answers.start(request.id, given) {
                    self.refuse(request.id, "overloaded", "the agent answers as many calls as it can");
                }
            }
            Frame::Response(response) => {
                let status = response.status.and_then(|status| u16::try_from(status).ok()).unwrap_or(200);
                let (headers, body) = (owned(response.headers), kept(message, response.body));
                let begun = self.calls.begin(response.id, status, headers, body, response.more);
                self.check_window(response.id, begun);
            }
            Frame::Chunk(chunk) => {
                let taken = self.calls.part(chunk.id, kept(message, chunk.body), chunk.more);
                self.check_window(chunk.id, taken);
            }
            Frame::Credit { id, bytes } if !self.answers.credit(id, bytes) => {
                self.refuse(id, "flow_control", "credit above 2^31");
            }
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

    fn check_window(&mut self, id: u64, result: Result<(), Overrun>) {
        if result.is_err() {
            self.send(&Frame::Cancel { id, code: Some("flow_control") });
        }
    }

    /// The relay ended a call: one that we answer, or one of our own.
    fn ended_by_relay(&mut self, id: u64, code: &str, detail: &str, retry_after_ms: Option<u64>) {
        if !self.answers.stop(id) {
            let (code, detail) = (code.to_owned(), detail.to_owned());
            self.calls.fail(id, CallError::Refused { code, detail, retry_after_ms });
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
            Command::Call { call, reply, .. } if call.body.len() > self.max_body => {
                let _ = reply.send(Err(CallError::TooLarge));
            }
            Command::Call { number, to, call, reply } => {
                let id = self.calls.open(number, reply);
                let (headers, to) = (encoded(&call.headers), to.to_string());
                self.send(&Frame::Call(Call {
                    id,
                    to: &to,
                    method: call.method.as_deref(),
                    verb: call.verb.as_deref(),
                    path: Some(call.path.as_str()).filter(|path| !path.is_empty()),
                    headers: Headers::from_encoded(&headers),
                    stream: call.stream,
                    timeout_ms: call.timeout.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX)),
                    body: &call.body,
                    ..Call::default()
                }));
            }
            Command::Credit { number, bytes } => {
                if let Some(id) = self.calls.taken(number, bytes) {
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

/// A part of a message that may be kept for long: a small one must not pin the buffer that it came in.
fn kept(message: &Bytes, body: &[u8]) -> Bytes {
    if body.len() <= limits::COPY_THRESHOLD_BYTES { Bytes::copy_from_slice(body) } else { message.slice_ref(body) }
}
