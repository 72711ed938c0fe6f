//! Bodies that come in parts: passed on to a line that takes parts, gathered for one that does not.

use landline_wire::bounds::Bound;
use landline_wire::error::{Code, Problem};
use landline_wire::frame::{Chunk, Frame};
use landline_wire::ids::CallId;
use landline_wire::limits::{MAX_CREDIT, MAX_LINE_QUEUE_BYTES, UPLOAD_DEADLINE_MS};
use landline_wire::pieces::{Gather, Pieces};

use super::Engine;
use crate::call::{Call, Phase};
use crate::offer::{Body, Offer};
use crate::types::{CallRequest, Effect, Mail, Now, Origin, Reply};

/// A call that waits for the rest of its body.
#[derive(Debug)]
pub struct Gathering {
    /// The call, without its body.
    request: CallRequest,
    /// What has come of the body.
    body: Gather,
}

impl Gathering {
    pub(crate) fn held_bytes(&self) -> usize {
        self.body.len()
    }

    pub(super) fn of(offer: &Offer<'_>) -> Box<Self> {
        let request = Offer { body: Body::nothing(), ..*offer }.to_request();
        Box::new(Self { request, body: Gather::default() })
    }
}

impl Engine {
    /// A part of the body of a call whose callee's home is `home` came from an origin on this core.
    pub fn part_at(&mut self, home: usize, origin: Origin, body: Pieces, more: bool, now: Now) {
        if home == self.core {
            self.part(origin, body, more, now);
        } else {
            self.effects.push_back(Effect::Mail(home, Mail::Part { origin, body, more }));
        }
    }

    /// A part of the body of a call that is held here. One for a call that has ended is too late and dropped.
    pub(super) fn part(&mut self, origin: Origin, body: Pieces, more: bool, now: Now) {
        let Some(id) = self.uploads.get(&origin).copied() else { return };
        let Some(call) = self.calls.get_mut(id) else { return };
        let Some(window) = &mut call.upload else { return };
        *window -= body.len() as i64;
        if *window < 0 {
            let detail = "The caller sent more than the window that it was granted.";
            let problem = self.at_bound(Bound::Window, Code::FlowControl, detail);
            return self.fail(id, problem, Some("flow_control"), now);
        }
        if !more {
            call.upload = None;
            self.uploads.remove(&origin);
        }
        if matches!(call.phase, Phase::Gathering(_)) {
            return self.gather(id, body, more, now);
        }
        let (line, waits, timeout_ms) = (call.line, matches!(call.phase, Phase::Waiting), call.timeout_ms);
        // Many calls' first windows, granted before their agent took anything, can be more than the line may hold.
        if self.lines.get(line).is_some_and(|line| line.output.len() + body.len() > MAX_LINE_QUEUE_BYTES) {
            let problem =
                self.at_bound(Bound::LineQueue, Code::Overloaded, "The agent reads slower than it is called.");
            return self.fail(id, problem, Some("overloaded"), now);
        }
        if more {
            self.calls.set_deadline(id, now.ms() + UPLOAD_DEADLINE_MS);
        } else if waits {
            self.calls.set_deadline(id, now.ms() + timeout_ms);
        }
        self.stats.bytes_in += body.len() as u64;
        self.send(line, &Frame::Chunk(Chunk { id: id.to_wire(), more, body: &[] }), Body::of(&body));
    }

    /// The line takes requests whole: the body is kept until it is complete, and credit for it given at once.
    fn gather(&mut self, id: CallId, part: Pieces, more: bool, now: Now) {
        let is_over_budget = self.is_over_budget(part.len());
        let Some(call) = self.calls.get_mut(id) else { return };
        let (origin, line, timeout_ms) = (call.origin, call.line, call.timeout_ms);
        let Phase::Gathering(gathering) = &mut call.phase else { return };
        if gathering.body.len() + part.len() > self.config.max_body_bytes {
            let detail = format!("The agent takes bodies whole, of at most {} bytes.", self.config.max_body_bytes);
            let problem = self.at_bound(Bound::Body, Code::BodyTooLarge, detail);
            return self.drop_call(id, problem, now);
        }
        if is_over_budget {
            let problem = self.over_budget();
            return self.drop_call(id, problem, now);
        }
        self.held += part.len();
        part.iter().for_each(|piece| gathering.body.push(piece.clone()));
        if more {
            if let Some(window) = &mut call.upload {
                *window += part.len() as i64;
            }
            self.calls.set_deadline(id, now.ms() + UPLOAD_DEADLINE_MS);
            return self.reply(origin, Reply::Credit(part.len()), now);
        }
        let Phase::Gathering(whole) = std::mem::replace(&mut call.phase, Phase::Waiting) else { return };
        self.held = self.held.saturating_sub(whole.body.len());
        let request = CallRequest { body: whole.body.finish(), more: false, ..whole.request };
        self.calls.set_deadline(id, now.ms() + timeout_ms);
        self.send_request(line, id, &request.offer(), timeout_ms);
    }

    /// Ends a call that never reached its agent: its caller is told, and it is only counted.
    fn drop_call(&mut self, id: CallId, problem: Problem, now: Now) {
        let Some(call) = self.end(id) else { return };
        self.stats.refused += 1;
        self.stats.ended += 1;
        self.reply(call.origin, Reply::Failed(Box::new(problem)), now);
    }

    /// The agent grants more bytes of a part-wise request.
    pub(super) fn upload_credit(&mut self, id: CallId, bytes: u64, now: Now) {
        let Some(call) = self.calls.get_mut(id) else { return };
        let origin = call.origin;
        let Some(window) = &mut call.upload else { return };
        if bytes > MAX_CREDIT || *window + bytes as i64 > MAX_CREDIT as i64 {
            let problem = self.at_bound(Bound::Credit, Code::FlowControl, "The agent granted more than 2^31 bytes.");
            return self.fail(id, problem, Some("flow_control"), now);
        }
        *window += bytes as i64;
        self.reply(origin, Reply::Credit(bytes as usize), now);
    }

    /// What an overdue call is called: the caller's fault while it may send and does not, otherwise the agent's.
    pub(super) fn overdue_problem(call: &Call, now: Now) -> (Bound, Problem) {
        let caller_is_late = match (&call.phase, call.upload) {
            (Phase::Gathering(_), _) => true,
            (_, Some(window)) => window > 0,
            (_, None) => false,
        };
        if caller_is_late {
            return (Bound::UploadTime, Problem::plain(Code::UploadTimeout));
        }
        let seconds = now.us.saturating_sub(call.started.us) / 1_000_000;
        let detail = format!("The agent did not answer within {seconds} s.");
        (Bound::CallTime, Problem::new(Code::AgentTimeout, detail))
    }

    /// Frees what a call holds beside its slot. To be called for every call that is closed.
    pub(super) fn release(&mut self, call: &Call) {
        if call.upload.is_some() {
            self.uploads.remove(&call.origin);
        }
        if let Phase::Gathering(gathering) = &call.phase {
            self.held = self.held.saturating_sub(gathering.body.len());
        }
    }
}
