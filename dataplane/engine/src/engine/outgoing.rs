//! Calls that an agent makes over its own line, and their replies.

use bytes::Bytes;
use compact_str::{CompactString, format_compact};
use landline_wire::bounds::Bound;
use landline_wire::close;
use landline_wire::error::{Code, Problem};
use landline_wire::frame::{Call, Chunk, ErrorFrame, Frame, Headers, HeadersBuilder, Response};
use landline_wire::ids::{AgentId, CallId};
use landline_wire::limits::{MAX_CREDIT, MAX_LINE_QUEUE_BYTES, MAX_OUTGOING};
use landline_wire::message::Violation;
use landline_wire::pieces::Pieces;
use landline_wire::relay;

use super::Engine;
use crate::call::Phase;
use crate::line::OwnCall;
use crate::types::{CallRequest, DirectReply, Effect, LineKey, Mail, Now, Origin, Reply};

/// The id of an [`Origin::Line`] that stands for every call of the line.
pub(super) const EVERY_CALL: u64 = u64::MAX;

impl Engine {
    /// A `call` frame: passes exactly the checks that an HTTP call passes.
    pub(super) fn outgoing(
        &mut self,
        key: LineKey,
        call: &Call<'_>,
        message: &Pieces,
        now: Now,
    ) -> Result<(), Violation> {
        if call.id.is_multiple_of(2) || call.id >= 1 << 53 {
            return Err(Violation::new(close::PROTOCOL_ERROR, "the id of a call must be odd and below 2^53"));
        }
        let Some(line) = self.lines.get_mut(key) else { return Ok(()) };
        if line.own_call(call.id).is_some() {
            return Err(Violation::new(close::PROTOCOL_ERROR, "the id of a call is in use"));
        }
        let (caller, open) = (line.agent, line.own.as_ref().map_or(0, |own| own.len()));
        let checked = if open < MAX_OUTGOING {
            self.checked(key, caller, call, message, now)
        } else {
            let detail = format!("This line has {open} calls of its own open, its most.");
            Err(self.at_bound(Bound::OwnCalls, Code::RateLimited, detail))
        };
        match checked {
            Ok(request) => self.dial(key, call, request, now),
            Err(problem) => {
                self.stats.refused += 1;
                self.send_reply(key, call.id, Reply::Failed(Box::new(problem)));
                self.bound_replies(key, now);
            }
        }
        Ok(())
    }

    fn dial(&mut self, key: LineKey, call: &Call<'_>, request: CallRequest, now: Now) {
        let home = self.home(request.target);
        if let Some(line) = self.lines.get_mut(key) {
            let own = OwnCall { home, call: None, uploads: call.more, direct: false };
            line.own.get_or_insert_default().insert(call.id, own);
        }
        if home == self.core {
            self.place(request, now);
        } else {
            self.effects.push_back(Effect::Mail(home, Mail::Call(Box::new(request))));
        }
    }

    fn checked(
        &mut self,
        key: LineKey,
        caller: AgentId,
        call: &Call<'_>,
        message: &Pieces,
        now: Now,
    ) -> Result<CallRequest, Problem> {
        let bad = |field: &str, detail: &str| Problem::new(Code::InvalidQuery, detail).field(field);
        let body = message.slice_ref(call.body);
        if body.len() > self.config.max_body_bytes {
            self.stats.reached.count(Bound::Body);
            return Err(Problem::plain(Code::BodyTooLarge));
        }
        let target: AgentId = call.to.parse().map_err(|_| bad("to", "`to` must be an agent id, a hyphenated UUID."))?;
        if call.verb.is_some_and(|verb| !relay::is_verb(verb)) {
            return Err(bad("verb", "`verb` must be an HTTP method other than CONNECT and TRACE."));
        }
        if call.path.is_some_and(|path| !relay::is_path(path)) {
            return Err(bad("path", "`path` must start with `/` or `?` and be visible ASCII of at most 8 KiB."));
        }
        call.headers.check().map_err(|fault| bad("headers", &fault.to_string()))?;
        let request_id = match call.request_id.filter(|id| relay::is_request_id(id)) {
            Some(id) => id.into(),
            None => self.made_request_id(now),
        };
        Ok(CallRequest {
            origin: Origin::Line { core: self.core, line: key, id: call.id },
            caller: Some(caller),
            target,
            request_id,
            method: call.method.filter(|method| relay::is_a2a_method(method)).map(Into::into),
            verb: call.verb.map(Into::into),
            path: call.path.filter(|path| !path.is_empty() && *path != "/").map(Into::into),
            headers: passed_on(call.headers),
            stream: call.stream,
            timeout_ms: call.timeout_ms.unwrap_or(self.config.call_timeout_ms),
            started: now,
            body,
            more: call.more,
            resumable: None,
            length: None,
        })
    }

    /// A request id for a call that brought none: unique on this node, no secret, and short enough to need no memory of
    /// its own.
    fn made_request_id(&mut self, now: Now) -> CompactString {
        self.made_ids.next(|| format_compact!("r-{:x}-{:x}-", now.unix_ms, self.core))
    }

    /// Gives a reply to the line whose agent made the call; one for a call that it cancelled is dropped.
    pub(super) fn deliver_to_line(&mut self, key: LineKey, id: u64, reply: Reply, now: Now) {
        let Some(line) = self.lines.get_mut(key).filter(|line| line.closing_since.is_none()) else { return };
        let Some(own) = line.own_call(id) else { return };
        if let Reply::Direct(request) = reply {
            own.direct = true;
            return self.effects.push_back(Effect::Direct(key, id, request));
        }
        match &reply {
            Reply::Head { call, more: true, .. } => own.call = Some(*call),
            Reply::Part { more: true, .. } | Reply::Credit(_) => {}
            _ => {
                // It may be sending its body still, or granting more of the answer.
                if own.uploads || own.call.is_some() {
                    line.strays.expect_late(now.ms());
                }
                line.forget_own_call(id);
            }
        }
        self.send_reply(key, id, reply);
        self.bound_replies(key, now);
    }

    fn send_reply(&mut self, key: LineKey, id: u64, reply: Reply) {
        match reply {
            Reply::Head { status, headers, body, more, .. } => self.send_head(key, id, status, &headers, more, body),
            Reply::Part { body, more, .. } => self.send(key, &Frame::Chunk(Chunk { id, more, body: &[] }), body),
            Reply::Failed(problem) => {
                let error = ErrorFrame {
                    id: Some(id),
                    code: problem.code.as_str(),
                    detail: Some(&problem.detail),
                    retry_after_ms: problem.retry_after_s.map(|seconds| u64::from(seconds) * 1000),
                };
                self.send(key, &Frame::Error(error), Pieces::new());
            }
            Reply::Credit(bytes) => self.send(key, &Frame::Credit { id, bytes: bytes as u64 }, Pieces::new()),
            Reply::Direct(_) | Reply::Status(_) => {}
        }
    }

    /// News of a call that was passed on ([`Effect::Direct`]). News of one that is over is dropped.
    pub fn direct_reply(&mut self, key: LineKey, id: u64, reply: DirectReply, now: Now) {
        let Some(line) = self.lines.get_mut(key).filter(|line| line.closing_since.is_none()) else { return };
        if line.own_call(id).is_none_or(|own| !own.direct) {
            return;
        }
        if matches!(reply, DirectReply::Part { more: false, .. } | DirectReply::Failed(_)) {
            line.strays.expect_late(now.ms());
            line.forget_own_call(id);
        }
        match reply {
            DirectReply::Head { status, headers } => self.send_head(key, id, status, &headers, true, Pieces::new()),
            DirectReply::Part { body, more } => self.send(key, &Frame::Chunk(Chunk { id, more, body: &[] }), body),
            DirectReply::Failed(problem) => self.send_reply(key, id, Reply::Failed(Box::new(problem))),
        }
        self.bound_replies(key, now);
    }

    /// Ends a line whose answers wait for it beyond the bound. To be called after whatever its own frames made wait.
    pub(super) fn bound_replies(&mut self, key: LineKey, now: Now) {
        let waits = self.lines.get(key).filter(|line| line.closing_since.is_none()).map_or(0, |line| line.output.len());
        if waits > MAX_LINE_QUEUE_BYTES {
            self.stats.reached.count(Bound::LineReplies);
            self.close_line(key, close::TRY_AGAIN_LATER, "the line reads slower than it asks", now);
        }
    }

    fn send_head(&mut self, key: LineKey, id: u64, status: u16, headers: &Bytes, more: bool, body: Pieces) {
        let kept = filtered(headers);
        let headers = Headers::from_encoded(&kept);
        let status = (status != 200).then_some(u64::from(status));
        self.send(key, &Frame::Response(Response { id, status, headers, more, body: &[] }), body);
    }

    /// A `cancel` under an agent's own id: the call is over for it, and its callee is told to stop.
    pub(super) fn cancel_own(&mut self, key: LineKey, id: u64, now: Now) -> Result<(), Violation> {
        let Some(own) = self.lines.get_mut(key).and_then(|line| line.forget_own_call(id)) else {
            return self.stray(key, now);
        };
        if own.direct {
            self.effects.push_back(Effect::DirectGone(key, id));
        } else {
            self.gone_at(own.home, Origin::Line { core: self.core, line: key, id }, now);
        }
        Ok(())
    }

    /// A `credit` under an agent's own id: it took so many bytes of a part-wise answer.
    pub(super) fn credit_own(&mut self, key: LineKey, id: u64, bytes: u64, now: Now) -> Result<(), Violation> {
        let own = self.lines.get_mut(key).and_then(|line| line.own_call(id)).copied();
        let Some(own) = own.filter(|own| own.direct || own.call.is_some()) else { return self.stray(key, now) };
        if bytes > MAX_CREDIT {
            let problem = self.at_bound(Bound::Credit, Code::FlowControl, "Credit above 2^31.");
            self.cancel_own(key, id, now)?;
            self.send_reply(key, id, Reply::Failed(Box::new(problem)));
        } else if own.direct {
            self.effects.push_back(Effect::DirectCredit(key, id, bytes as usize));
        } else if let Some(call) = own.call {
            self.consumed_at(call, bytes as usize, now);
        }
        Ok(())
    }

    /// A `chunk` under an agent's own id: a part of the body of a call that it makes.
    pub(super) fn part_of_own(
        &mut self,
        key: LineKey,
        chunk: &Chunk<'_>,
        message: &Pieces,
        now: Now,
    ) -> Result<(), Violation> {
        let own = self.lines.get_mut(key).and_then(|line| line.own_call(chunk.id)).filter(|own| own.uploads);
        let Some(own) = own else { return self.stray(key, now) };
        own.uploads = chunk.more;
        let home = own.home;
        let origin = Origin::Line { core: self.core, line: key, id: chunk.id };
        self.part_at(home, origin, message.slice_ref(chunk.body), chunk.more, now);
        Ok(())
    }

    /// A caller is gone: cancels its calls that are here.
    pub(super) fn gone_here(&mut self, gone: Origin, now: Now) {
        let is_it = |origin: &Origin| match (gone, *origin) {
            (Origin::Line { core, line, id: EVERY_CALL }, Origin::Line { core: c, line: l, .. }) => {
                (core, line) == (c, l)
            }
            _ => gone == *origin,
        };
        for id in self.calls.find(is_it) {
            match self.calls.get(id).and_then(|call| call.stream).filter(|stream| self.streams.contains_key(stream)) {
                // The answer is kept for a while: its caller may come back.
                Some(stream) => self.leave_stream(stream, gone, now),
                None => self.abandon(id, now),
            }
        }
    }

    /// Ends a call that nobody waits for any more, and tells its agent to stop.
    pub(super) fn abandon(&mut self, id: CallId, now: Now) {
        let Some(call) = self.end(id) else { return };
        let line = call.line;
        let agent_knows = !matches!(call.phase, Phase::Gathering(_));
        // Nobody got a status; 499 is the usual number for a client that closed its request.
        self.record(call, 499, now);
        if agent_knows {
            self.expect_late(line, now);
            self.send(line, &Frame::Cancel { id: id.to_wire(), code: None }, Pieces::new());
        }
    }
}

/// The headers of a call that reach its callee, encoded; nothing is allocated if there are none.
fn passed_on(all: Headers<'_>) -> Bytes {
    if all.is_empty() {
        return Bytes::new();
    }
    let mut headers = HeadersBuilder::default();
    // What `connection` names ends here as well (RFC 9110 section 7.6.1).
    let named: Vec<&str> = all.get("connection").map_or(Vec::new(), |names| names.split(',').collect());
    let is_named = |name: &str| named.iter().any(|other| other.trim().eq_ignore_ascii_case(name));
    for (name, value) in all.iter().filter(|(name, _)| !is_named(name)) {
        if name == "x-agent-authorization" {
            headers.push("authorization", value);
        } else if relay::reaches_agent(name) {
            headers.push(name, value);
        }
    }
    headers.encode().into_bytes()
}

/// The headers of an answer that may reach a caller, encoded anew; nothing is allocated if there are none.
fn filtered(headers: &Bytes) -> Bytes {
    let all = Headers::from_encoded(headers);
    if all.is_empty() {
        return Bytes::new();
    }
    if all.iter().all(|(name, _)| relay::reaches_caller(name)) {
        return headers.clone();
    }
    let mut kept = HeadersBuilder::default();
    for (name, value) in all.iter().filter(|(name, _)| relay::reaches_caller(name)) {
        kept.push(name, value);
    }
    kept.encode().into_bytes()
}
