//! Frames from agents: answers to calls, and calls of their own.

use landline_wire::bounds::Bound;
use landline_wire::close;
use landline_wire::error::{Code, Problem};
use landline_wire::frame::{Chunk, ErrorFrame, Frame, Malformed, Response, decode, decode_pieces, join_envelope};
use landline_wire::header::Kind;
use landline_wire::ids::CallId;
use landline_wire::limits::{CALL_TIMEOUT_MS, MAX_ERROR_CODE_CHARS, MAX_ERROR_DETAIL_CHARS, WINDOW_BYTES};
use landline_wire::message::Violation;
use landline_wire::pieces::Pieces;
use landline_wire::relay::{is_answer_status, printable};

use super::Engine;
use crate::call::{Call, Phase};
use crate::offer::{Body, Source};
use crate::sse::StreamId;
use crate::types::{LineKey, Now, Origin, Reply};

impl Engine {
    /// A binary message came over a line.
    pub fn message(&mut self, key: LineKey, mut message: Pieces, now: Now) {
        join_envelope(&mut message);
        self.take_in(key, &decode_pieces(&message), Source::of(&message), now);
    }

    /// A short one came, and lies in a buffer that will be used for something else.
    pub fn short_message(&mut self, key: LineKey, message: &[u8], now: Now) {
        self.take_in(key, &decode(message), Source::PASSING, now);
    }

    fn take_in(&mut self, key: LineKey, decoded: &Result<Frame<'_>, Malformed>, source: Source<'_>, now: Now) {
        if self.lines.heard(key, now.ms()).is_none_or(|line| line.closing) {
            return;
        }
        let outcome = match decoded {
            Ok(frame) => self.frame(key, frame, source, now),
            Err(malformed) => Err(Violation::new(close::PROTOCOL_ERROR, malformed.0)),
        };
        if let Err(violation) = outcome {
            self.violation(key, violation, now);
        }
    }

    /// A WebSocket ping came over a line.
    pub fn ping(&mut self, key: LineKey, payload: &[u8], now: Now) {
        self.pong(key, now);
        self.send_control(key, Kind::Pong, payload);
        self.bound_replies(key, now);
    }

    /// A sign of life came over a line.
    pub fn pong(&mut self, key: LineKey, now: Now) {
        self.lines.heard(key, now.ms());
    }

    fn frame(&mut self, key: LineKey, frame: &Frame<'_>, source: Source<'_>, now: Now) -> Result<(), Violation> {
        match frame {
            Frame::Response(response) => self.response(key, response, source, now),
            Frame::Chunk(chunk) => self.chunk(key, chunk, source, now),
            Frame::Call(call) => self.outgoing(key, call, source, now),
            Frame::Error(error) => self.agent_error(key, error, now),
            Frame::Cancel { id, code } => self.agent_cancel(key, *id, *code, now),
            Frame::Credit { id, bytes } => self.agent_credit(key, *id, *bytes, now),
            Frame::Ping(t) => {
                self.send(key, &Frame::Pong(t), Body::nothing());
                self.bound_replies(key, now);
                Ok(())
            }
            // Frames of the other direction and of later versions are ignored, like unknown types.
            _ => Ok(()),
        }
    }

    /// The open call that this line may answer under this id; otherwise counts a stray.
    fn own_call(&mut self, key: LineKey, id: u64, now: Now) -> Result<Option<CallId>, Violation> {
        let call = CallId::from_wire(id).filter(|id| self.is_own_call(*id, key));
        if call.is_none() {
            self.stray(key, now)?;
        }
        Ok(call)
    }

    fn is_own_call(&self, id: CallId, key: LineKey) -> bool {
        // The planted fault is set only to check that the fuzz target finds it.
        self.calls.get(id).is_some_and(|call| {
            // A call whose body is still gathered is not known to the agent: an id that it guessed is a stray.
            let is_known = !matches!(call.phase, Phase::Gathering(_));
            is_known && call.line == key || cfg!(landline_planted_bug)
        })
    }

    pub(super) fn stray(&mut self, key: LineKey, now: Now) -> Result<(), Violation> {
        self.stats.strays += 1;
        let counted = self.lines.get_mut(key).map_or(Ok(()), |line| line.strays.count(now.ms()));
        counted.inspect_err(|_| self.stats.reached.count(Bound::Strays))
    }

    fn response(
        &mut self,
        key: LineKey,
        response: &Response<'_>,
        source: Source<'_>,
        now: Now,
    ) -> Result<(), Violation> {
        let Some(id) = self.own_call(key, response.id, now)? else { return Ok(()) };
        let status = response.status.unwrap_or(200);
        let mut body = source.body(response.body);
        let len = body.len();
        let fault = if !is_answer_status(status) {
            Some(format!("The agent answered with status {status}; 200 to 599 can be passed on."))
        } else if let Err(fault) = response.headers.check() {
            Some(format!("The agent's answer cannot be passed on: {fault}."))
        } else if self.calls.get(id).is_some_and(|call| !matches!(call.phase, Phase::Waiting)) {
            Some("The agent began its answer twice.".to_owned())
        } else if len > self.config.max_body_bytes {
            self.stats.reached.count(Bound::Body);
            Some(format!("The agent's answer is over {} bytes in one frame.", self.config.max_body_bytes))
        } else {
            None
        };
        if let Some(detail) = fault {
            self.fail(id, Problem::new(Code::BadAnswer, detail), response.more.then_some("bad_answer"), now);
            return Ok(());
        }
        let status = status as u16;
        let bodiless = matches!(status, 204 | 304);
        if bodiless {
            body = Body::nothing();
        }
        let window = WINDOW_BYTES as i64 - len as i64;
        if response.more && window < 0 {
            self.overrun(id, now);
            return Ok(());
        }
        self.stats.bytes_out += body.len() as u64;
        if response.more {
            let consumed = if bodiless { len } else { 0 };
            self.calls.set_deadline(id, now.ms() + CALL_TIMEOUT_MS);
            if let Some(call) = self.calls.get_mut(id) {
                call.phase = Phase::Streaming { status, window, consumed };
            }
        }
        let Some((origin, stream)) = self.calls.get(id).map(|call| (call.origin, call.stream)) else { return Ok(()) };
        // An answer that is no success is passed as it is: there is nothing to resume.
        if let Some(stream) = stream.filter(|_| (200..300).contains(&status)) {
            self.begin_stream(stream, id, response.headers.get("content-type"), now);
            self.stream_part(id, stream, body.to_pieces(), response.more, status, now);
            return Ok(());
        }
        if !response.more {
            self.end_and_record(id, status, now);
        }
        match origin {
            Origin::Line { core, line, id: own } if core == self.core => {
                self.deliver_head(line, own, id, response, body, now);
            }
            origin => {
                let headers = source.keep(response.headers.encoded());
                let head = Reply::Head { call: id, status, headers, body: body.to_pieces(), more: response.more };
                self.reply(origin, head, now);
            }
        }
        Ok(())
    }

    /// A part of an answer that is a stream.
    fn stream_part(&mut self, id: CallId, stream: StreamId, part: Pieces, more: bool, status: u16, now: Now) {
        if !self.push_stream(stream, part, now) {
            let problem = Problem::new(Code::BadAnswer, "An event of the agent is longer than a body may be.");
            return self.fail(id, problem, Some("bad_answer"), now);
        }
        if !more {
            self.end_and_record(id, status, now);
            self.end_stream(stream, None, now);
        }
    }

    fn chunk(&mut self, key: LineKey, chunk: &Chunk<'_>, source: Source<'_>, now: Now) -> Result<(), Violation> {
        if chunk.id % 2 == 1 {
            return self.part_of_own(key, chunk, source, now);
        }
        let Some(id) = self.own_call(key, chunk.id, now)? else { return Ok(()) };
        let Some(call) = self.calls.get_mut(id) else { return Ok(()) };
        let Phase::Streaming { status, window, .. } = &mut call.phase else {
            self.fail(id, Problem::new(Code::BadAnswer, "The agent sent a part before its answer's head."), None, now);
            return Ok(());
        };
        let mut body = source.body(chunk.body);
        let len = body.len();
        *window -= len as i64;
        let (status, overrun, origin, stream) = (*status, *window < 0, call.origin, call.stream);
        if overrun {
            self.overrun(id, now);
            return Ok(());
        }
        if matches!(status, 204 | 304) {
            body = Body::nothing();
        }
        self.stats.bytes_out += body.len() as u64;
        if chunk.more {
            self.calls.set_deadline(id, now.ms() + CALL_TIMEOUT_MS);
        }
        if let Some(stream) = stream.filter(|stream| self.streams.contains_key(stream)) {
            self.stream_part(id, stream, body.to_pieces(), chunk.more, status, now);
            return Ok(());
        }
        if !chunk.more {
            self.end_and_record(id, status, now);
        }
        let (dropped, cost) = (len - body.len(), body.len());
        match origin {
            Origin::Line { core, line, id: own } if core == self.core => {
                self.deliver_part(line, own, chunk.more, body, now);
            }
            origin => self.reply(origin, Reply::Part { body: body.to_pieces(), more: chunk.more, cost }, now),
        }
        if dropped > 0 {
            self.consumed(id, dropped, now);
        }
        Ok(())
    }

    fn overrun(&mut self, id: CallId, now: Now) {
        let detail = "The agent sent more than the window that it was granted.";
        let problem = self.at_bound(Bound::Window, Code::FlowControl, detail);
        self.fail(id, problem, Some("flow_control"), now);
    }

    fn agent_error(&mut self, key: LineKey, error: &ErrorFrame<'_>, now: Now) -> Result<(), Violation> {
        // An error of the session, or of one of the agent's own calls, says nothing that we could act on.
        let Some(id) = error.id.filter(|id| id % 2 == 0) else { return Ok(()) };
        let Some(id) = self.own_call(key, id, now)? else { return Ok(()) };
        let mut detail = printable(error.code, MAX_ERROR_CODE_CHARS);
        if let Some(text) = error.detail {
            detail.push_str(": ");
            detail.push_str(&printable(text, MAX_ERROR_DETAIL_CHARS));
        }
        let mut problem = Problem::new(Code::AgentError, detail);
        if let Some(ms) = error.retry_after_ms {
            problem = problem.retry_after(ms.div_ceil(1000).min(u64::from(u32::MAX)) as u32);
        }
        self.fail(id, problem, None, now);
        Ok(())
    }

    fn agent_cancel(&mut self, key: LineKey, id: u64, code: Option<&str>, now: Now) -> Result<(), Violation> {
        if id % 2 == 1 {
            return self.cancel_own(key, id, now);
        }
        let Some(id) = self.own_call(key, id, now)? else { return Ok(()) };
        let detail = match code {
            Some(code) => format!("The agent cancelled the call: {}.", printable(code, MAX_ERROR_CODE_CHARS)),
            None => "The agent cancelled the call.".to_owned(),
        };
        self.fail(id, Problem::new(Code::AgentError, detail), None, now);
        Ok(())
    }

    fn agent_credit(&mut self, key: LineKey, id: u64, bytes: u64, now: Now) -> Result<(), Violation> {
        if id.is_multiple_of(2) {
            if let Some(call) = self.own_call(key, id, now)? {
                self.upload_credit(call, bytes, now);
            }
            return Ok(());
        }
        self.credit_own(key, id, bytes, now)
    }

    /// The caller's side took so many bytes of a part-wise answer.
    pub(super) fn consumed(&mut self, id: CallId, bytes: usize, now: Now) {
        let stream = self.calls.get(id).and_then(|call| call.stream).filter(|stream| self.streams.contains_key(stream));
        match stream {
            Some(stream) => self.taken_of_stream(stream, bytes, now),
            None => self.grant(id, bytes, now),
        }
    }

    /// Grants bytes to the agent again, in steps that keep the number of `credit` frames small.
    pub(super) fn grant(&mut self, id: CallId, bytes: usize, _now: Now) {
        let Some(call) = self.calls.get_mut(id) else { return };
        let line = call.line;
        let Phase::Streaming { window, consumed, .. } = &mut call.phase else { return };
        *consumed += bytes;
        if *consumed < WINDOW_BYTES / 4 {
            return;
        }
        let granted = std::mem::take(consumed);
        *window += granted as i64;
        self.send(line, &Frame::Credit { id: id.to_wire(), bytes: granted as u64 }, Body::nothing());
    }

    /// The relay ends a call for whoever sends on this line: what is on its way is nobody's fault.
    pub(super) fn expect_late(&mut self, key: LineKey, now: Now) {
        if let Some(line) = self.lines.get_mut(key) {
            line.strays.expect_late(now.ms());
        }
    }

    fn end_and_record(&mut self, id: CallId, status: u16, now: Now) {
        if let Some(call) = self.end(id) {
            self.record(call, status, now);
        }
    }

    /// Closes a call and takes it off its line's list.
    pub(super) fn end(&mut self, id: CallId) -> Option<Call> {
        let call = self.calls.close(id)?;
        self.release(&call);
        let line = self.lines.get_mut(call.line)?;
        if line.calls.get(call.at).is_some_and(|slot| *slot as usize == id.slot()) {
            line.calls.swap_remove(call.at);
            if let Some(moved) = line.calls.get(call.at).copied()
                && let Some(moved) = self.calls.in_slot_mut(moved)
            {
                moved.at = call.at;
            }
        }
        Some(call)
    }

    /// Ends a call with a problem for its caller; tells the agent to stop if it may still be working on it.
    pub(super) fn fail(&mut self, id: CallId, problem: Problem, cancel: Option<&str>, now: Now) {
        let Some(call) = self.end(id) else { return };
        let (origin, line) = (call.origin, call.line);
        let stream = call.stream.filter(|stream| self.streams.contains_key(stream));
        let cancel = cancel.filter(|_| !matches!(call.phase, Phase::Gathering(_)));
        // After the head the caller has the agent's status, but the call failed: the record says so.
        self.record(call, problem.code.status(), now);
        if let Some(code) = cancel {
            self.expect_late(line, now);
            self.send(line, &Frame::Cancel { id: id.to_wire(), code: Some(code) }, Body::nothing());
        }
        match stream {
            Some(stream) => self.end_stream(stream, Some(&problem), now),
            None => self.reply(origin, Reply::Failed(Box::new(problem)), now),
        }
    }
}
