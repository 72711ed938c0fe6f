//! Calls that an agent makes over its own line, and their replies.

use bytes::Bytes;
use compact_str::{CompactString, format_compact};
use landline_wire::bounds::Bound;
use landline_wire::close;
use landline_wire::error::{Code, Problem};
use landline_wire::frame::{Call, Chunk, EncodedHeaders, ErrorFrame, Frame, Headers, HeadersBuilder, Response};
use landline_wire::ids::{AgentId, CallId};
use landline_wire::limits::{MAX_CREDIT, MAX_LINE_QUEUE_BYTES, MAX_OUTGOING};
use landline_wire::message::Violation;
use landline_wire::relay;

use super::Engine;
use crate::call::Phase;
use crate::line::OwnCall;
use crate::offer::{Body, Offer, Source};
use crate::types::{DirectReply, Effect, LineKey, Mail, Now, Origin, Reply};

/// The id of an [`Origin::Line`] that stands for every call of the line.
pub(super) const EVERY_CALL: u64 = u64::MAX;

impl Engine {
    /// A `call` frame: passes exactly the checks that an HTTP call passes.
    pub(super) fn outgoing(
        &mut self,
        key: LineKey,
        call: &Call<'_>,
        source: Source<'_>,
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
        let dialled = if open < MAX_OUTGOING {
            self.dial(key, caller, call, source, now)
        } else {
            let detail = format!("This line has {open} calls of its own open, its most.");
            Err(self.at_bound(Bound::OwnCalls, Code::RateLimited, detail))
        };
        if let Err(problem) = dialled {
            self.stats.refused += 1;
            self.send_reply(key, call.id, Reply::Failed(Box::new(problem)));
            self.bound_replies(key, now);
        }
        Ok(())
    }

    fn dial(
        &mut self,
        key: LineKey,
        caller: AgentId,
        call: &Call<'_>,
        source: Source<'_>,
        now: Now,
    ) -> Result<(), Problem> {
        let body = source.body(call.body);
        let target = self.checked(call, body)?;
        let request_id = match call.request_id.filter(|id| relay::is_request_id(id)) {
            Some(id) => id.into(),
            None => self.made_request_id(now),
        };
        let headers = passed_on(call.headers);
        let offer = Offer {
            origin: Origin::Line { core: self.core, line: key, id: call.id },
            caller: Some(caller),
            target,
            request_id: &request_id,
            method: call.method.filter(|method| relay::is_a2a_method(method)),
            verb: call.verb,
            path: call.path.filter(|path| !path.is_empty() && *path != "/"),
            headers: Headers::from_encoded(&headers),
            stream: call.stream,
            timeout_ms: call.timeout_ms.unwrap_or(self.config.call_timeout_ms),
            started: now,
            body,
            more: call.more,
            resumable: None,
            length: None,
        };
        let home = self.home(target);
        if let Some(line) = self.lines.get_mut(key) {
            let own = OwnCall { home, call: None, uploads: call.more, direct: false };
            line.own.get_or_insert_default().insert(call.id, own);
        }
        if home == self.core {
            self.place_offer(&offer, now);
        } else {
            self.effects.push_back(Effect::Mail(home, Mail::Call(Box::new(offer.to_request()))));
        }
        Ok(())
    }

    /// Whom the call is for, if it may be made.
    fn checked(&mut self, call: &Call<'_>, body: Body<'_>) -> Result<AgentId, Problem> {
        let bad = |field: &str, detail: &str| Problem::new(Code::InvalidQuery, detail).field(field);
        if body.len() > self.config.max_body_bytes {
            self.stats.reached.count(Bound::Body);
            return Err(Problem::plain(Code::BodyTooLarge));
        }
        let target = call.to.parse().map_err(|_| bad("to", "`to` must be an agent id, a hyphenated UUID."))?;
        if call.verb.is_some_and(|verb| !relay::is_verb(verb)) {
            return Err(bad("verb", "`verb` must be an HTTP method other than CONNECT and TRACE."));
        }
        if call.path.is_some_and(|path| !relay::is_path(path)) {
            return Err(bad("path", "`path` must start with `/` or `?` and be visible ASCII of at most 8 KiB."));
        }
        call.headers.check().map_err(|fault| bad("headers", &fault.to_string()))?;
        Ok(target)
    }

    /// A request id for a call that brought none: unique on this node, no secret, and short enough to need no memory of
    /// its own.
    fn made_request_id(&mut self, now: Now) -> CompactString {
        self.made_ids.next(|| format_compact!("r-{:x}-{:x}-", now.unix_ms, self.core))
    }

    /// Gives a reply to the line whose agent made the call; one for a call that it cancelled is dropped.
    pub(super) fn deliver_to_line(&mut self, key: LineKey, id: u64, reply: Reply, now: Now) {
        if let Reply::Direct(request) = reply {
            if let Some(own) = self.open_own(key, id) {
                own.direct = true;
                self.effects.push_back(Effect::Direct(key, id, request));
            }
            return;
        }
        let (goes_on, begun) = match &reply {
            Reply::Head { call, more, .. } => (*more, Some(*call)),
            Reply::Part { more, .. } => (*more, None),
            Reply::Credit(_) => (true, None),
            _ => (false, None),
        };
        if self.hear(key, id, goes_on, begun, now) {
            self.send_reply(key, id, reply);
            self.bound_replies(key, now);
        }
    }

    /// The head of an answer, from another line of this core; see [`Engine::deliver_to_line`].
    pub(super) fn deliver_head(
        &mut self,
        key: LineKey,
        id: u64,
        call: CallId,
        head: &Response<'_>,
        body: Body<'_>,
        now: Now,
    ) {
        if self.hear(key, id, head.more, Some(call), now) {
            self.send_head(key, &Response { id, ..head.clone() }, body);
            self.bound_replies(key, now);
        }
    }

    /// A further part of it.
    pub(super) fn deliver_part(&mut self, key: LineKey, id: u64, more: bool, body: Body<'_>, now: Now) {
        if self.hear(key, id, more, None, now) {
            self.send_part(key, id, more, body);
            self.bound_replies(key, now);
        }
    }

    fn open_own(&mut self, key: LineKey, id: u64) -> Option<&mut OwnCall> {
        self.lines.get_mut(key).filter(|line| !line.closing)?.own_call(id)
    }

    /// A reply comes for a call that this line's agent makes; `begun` is the call whose answer begins with it. False: there
    /// is no such call any more.
    fn hear(&mut self, key: LineKey, id: u64, goes_on: bool, begun: Option<CallId>, now: Now) -> bool {
        let Some(line) = self.lines.get_mut(key).filter(|line| !line.closing) else { return false };
        if goes_on {
            let Some(own) = line.own_call(id) else { return false };
            own.call = begun.or(own.call);
            return true;
        }
        let Some(own) = line.forget_own_call(id) else { return false };
        // It may be sending its body still, or granting more of the answer.
        if own.uploads || own.call.is_some() {
            line.strays.expect_late(now.ms());
        }
        true
    }

    fn send_reply(&mut self, key: LineKey, id: u64, reply: Reply) {
        match reply {
            Reply::Head { status, headers, body, more, .. } => {
                let (status, headers) = (Some(status.into()), Headers::from_encoded(&headers));
                self.send_head(key, &Response { id, status, headers, more, body: &[] }, Body::of(&body));
            }
            Reply::Part { body, more, .. } => self.send_part(key, id, more, Body::of(&body)),
            Reply::Failed(problem) => {
                let error = ErrorFrame {
                    id: Some(id),
                    code: problem.code.as_str(),
                    detail: Some(&problem.detail),
                    retry_after_ms: problem.retry_after_s.map(|seconds| u64::from(seconds) * 1000),
                };
                self.send(key, &Frame::Error(error), Body::nothing());
            }
            Reply::Credit(bytes) => self.send(key, &Frame::Credit { id, bytes: bytes as u64 }, Body::nothing()),
            Reply::Direct(_) | Reply::Status(_) => {}
        }
    }

    fn send_part(&mut self, key: LineKey, id: u64, more: bool, body: Body<'_>) {
        self.send(key, &Frame::Chunk(Chunk { id, more, body: &[] }), body);
    }

    /// Sends the head of an answer with those of its headers that may reach a caller.
    fn send_head(&mut self, key: LineKey, head: &Response<'_>, body: Body<'_>) {
        let kept = (!head.headers.iter().all(|(name, _)| relay::reaches_caller(name))).then(|| filtered(head.headers));
        let headers = kept.as_ref().map_or(head.headers, |kept| kept.as_headers());
        let status = head.status.filter(|status| *status != 200);
        self.send(key, &Frame::Response(Response { status, headers, ..head.clone() }), body);
    }

    /// News of a call that was passed on ([`Effect::Direct`]). News of one that is over is dropped.
    pub fn direct_reply(&mut self, key: LineKey, id: u64, reply: DirectReply, now: Now) {
        let Some(line) = self.lines.get_mut(key).filter(|line| !line.closing) else { return };
        if line.own_call(id).is_none_or(|own| !own.direct) {
            return;
        }
        if matches!(reply, DirectReply::Part { more: false, .. } | DirectReply::Failed(_)) {
            line.strays.expect_late(now.ms());
            line.forget_own_call(id);
        }
        match reply {
            DirectReply::Head { status, headers } => {
                let (status, headers) = (Some(status.into()), Headers::from_encoded(&headers));
                self.send_head(key, &Response { id, status, headers, more: true, body: &[] }, Body::nothing());
            }
            DirectReply::Part { body, more } => self.send_part(key, id, more, Body::of(&body)),
            DirectReply::Failed(problem) => self.send_reply(key, id, Reply::Failed(Box::new(problem))),
        }
        self.bound_replies(key, now);
    }

    /// Ends a line whose answers wait for it beyond the bound. To be called after whatever its own frames made wait.
    pub(super) fn bound_replies(&mut self, key: LineKey, now: Now) {
        let waits = self.lines.get(key).filter(|line| !line.closing).map_or(0, |line| line.output.len());
        if waits > MAX_LINE_QUEUE_BYTES {
            self.stats.reached.count(Bound::LineReplies);
            self.close_line(key, close::TRY_AGAIN_LATER, "the line reads slower than it asks", now);
        }
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
        source: Source<'_>,
        now: Now,
    ) -> Result<(), Violation> {
        let own = self.lines.get_mut(key).and_then(|line| line.own_call(chunk.id)).filter(|own| own.uploads);
        let Some(own) = own else { return self.stray(key, now) };
        own.uploads = chunk.more;
        let home = own.home;
        let origin = Origin::Line { core: self.core, line: key, id: chunk.id };
        self.part_at(home, origin, source.body(chunk.body).to_pieces(), chunk.more, now);
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
            self.send(line, &Frame::Cancel { id: id.to_wire(), code: None }, Body::nothing());
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

/// The headers of an answer that may reach a caller.
fn filtered(all: Headers<'_>) -> EncodedHeaders {
    let mut kept = HeadersBuilder::default();
    for (name, value) in all.iter().filter(|(name, _)| relay::reaches_caller(name)) {
        kept.push(name, value);
    }
    kept.encode()
}
