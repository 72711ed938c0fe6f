//! Calls on their way to a line.

use std::time::Duration;

use landline_link::{CallRecord, Route};
use landline_wire::bounds::Bound;
use landline_wire::error::{Code, Problem};
use landline_wire::frame::{Frame, Request};
use landline_wire::ids::CallId;
use landline_wire::limits::{MAX_LINE_QUEUE_BYTES, UPLOAD_DEADLINE_MS, WINDOW_BYTES};

use super::{Engine, Gathering};
use crate::call::{Call, Phase};
use crate::offer::Offer;
use crate::types::{CallRequest, Effect, LineKey, Now, Origin, Reply};

impl Engine {
    /// Places a call whose callee's home is this core. The reply goes to its origin.
    pub fn place(&mut self, request: CallRequest, now: Now) {
        self.place_offer(&request.offer(), now);
    }

    pub(super) fn place_offer(&mut self, offer: &Offer<'_>, now: Now) {
        if let Err(problem) = self.try_place(offer, now) {
            let (origin, problem) = *problem;
            self.stats.refused += 1;
            self.reply(origin, Reply::Failed(Box::new(problem)), now);
        }
    }

    fn try_place(&mut self, offer: &Offer<'_>, now: Now) -> Result<(), Box<(Origin, Problem)>> {
        let (target, origin) = (offer.target, offer.origin);
        let refuse = |problem: Problem| Err(Box::new((origin, problem)));
        if self.credentials.is_blocked(target) {
            self.record_refused(offer, Code::TargetBlocked);
            return refuse(Problem::plain(Code::TargetBlocked));
        }
        if self.credentials.is_removed(target) {
            return refuse(Problem::new(Code::Gone, "The agent was removed."));
        }
        let is_asked = matches!(origin, Origin::Exchange { .. });
        let Some(key) = self.lines.least_busy(target) else {
            return if is_asked {
                refuse(Problem::plain(Code::AgentNotConnected))
            } else {
                self.place_absent(offer, now)
            };
        };
        if !is_asked && let Err(code) = self.credentials.may_call(offer.caller, target) {
            self.record_refused(offer, code);
            return refuse(Problem::new(code, refusal_detail(code)));
        }
        if let Err(problem) = self.has_room(key, offer) {
            return refuse(problem);
        }
        self.put_on_line(key, offer, now)
    }

    fn has_room(&mut self, key: LineKey, offer: &Offer<'_>) -> Result<(), Problem> {
        let Some(line) = self.lines.get(key) else { return Err(Problem::plain(Code::AgentNotConnected)) };
        if line.calls.len() >= self.config.max_in_flight {
            let detail = format!("The agent has {} calls in flight, its most.", line.calls.len());
            return Err(self.at_bound(Bound::LineCalls, Code::RateLimited, detail));
        }
        // Fewer calls in all than one caller may hold: no need to count whose they are.
        if line.calls.len() >= self.config.max_in_flight_per_caller {
            let open = line.calls.iter().filter_map(|slot| self.calls.in_slot(*slot));
            let own = open.filter(|(_, call)| call.caller == offer.caller).count();
            if own >= self.config.max_in_flight_per_caller {
                let detail = format!("You have {own} calls in flight to this agent, the most of one caller.");
                return Err(self.at_bound(Bound::CallerCalls, Code::RateLimited, detail));
            }
        }
        if line.output.len() + offer.body.len() > MAX_LINE_QUEUE_BYTES {
            return Err(self.at_bound(Bound::LineQueue, Code::Overloaded, "The agent reads slower than it is called."));
        }
        if self.spool_full {
            let detail = "Too many audit records wait for the exchange.";
            return Err(self.at_bound(Bound::Records, Code::Overloaded, detail).retry_after(5));
        }
        if self.is_over_budget(offer.body.len()) {
            return Err(self.over_budget());
        }
        if offer.resumable.is_some() && !self.has_replay_room() {
            let detail = "The relay keeps as many events of streams as it may.";
            return Err(self.at_bound(Bound::ReplayOfCore, Code::Overloaded, detail));
        }
        Ok(())
    }

    fn put_on_line(&mut self, key: LineKey, offer: &Offer<'_>, now: Now) -> Result<(), Box<(Origin, Problem)>> {
        let timeout_ms = offer.timeout_ms.min(self.config.call_timeout_ms);
        let (at, parts) = self.lines.get(key).map_or((0, false), |line| (line.calls.len(), line.parts));
        let gathers = offer.more && !parts;
        if offer.more && offer.body.len() > WINDOW_BYTES {
            let detail = "The first part is larger than the window.";
            let problem = self.at_bound(Bound::Window, Code::FlowControl, detail);
            return Err(Box::new((offer.origin, problem)));
        }
        if gathers && offer.length.is_some_and(|length| length > self.config.max_body_bytes as u64) {
            let detail = format!("The agent takes bodies whole, of at most {} bytes.", self.config.max_body_bytes);
            return Err(Box::new((offer.origin, self.at_bound(Bound::Body, Code::BodyTooLarge, detail))));
        }
        let call = Call {
            origin: offer.origin,
            caller: offer.caller,
            target: offer.target,
            line: key,
            at,
            request_id: offer.request_id.clone(),
            method: offer.method.map(Into::into),
            started: offer.started,
            phase: if gathers { Phase::Gathering(Gathering::of(offer)) } else { Phase::Waiting },
            stream: offer.resumable,
            upload: offer.more.then_some(WINDOW_BYTES as i64 - if gathers { 0 } else { offer.body.len() as i64 }),
            timeout_ms,
        };
        // While the body is on its way its own deadline counts, from part to part.
        let first_deadline_ms = if offer.more { UPLOAD_DEADLINE_MS } else { timeout_ms };
        let Some(id) = self.calls.open(call, now.ms() + first_deadline_ms) else {
            let detail = "Every call slot of this core is taken.";
            let problem = self.at_bound(Bound::CoreCalls, Code::Overloaded, detail);
            return Err(Box::new((offer.origin, problem)));
        };
        if let Some(line) = self.lines.get_mut(key) {
            line.calls.push(id.slot() as u32);
        }
        self.stats.calls += 1;
        if offer.more {
            self.uploads.insert(offer.origin, id);
            if matches!(offer.origin, Origin::Http { .. }) {
                // An HTTP body is read only from here on: had there been no line, another would serve it.
                self.reply(offer.origin, Reply::Credit(WINDOW_BYTES), now);
            }
        }
        if gathers {
            self.part(offer.origin, offer.body.to_pieces(), true, now);
            return Ok(());
        }
        self.send_request(key, id, offer, timeout_ms);
        Ok(())
    }

    /// Sends the `request` frame of an open call.
    pub(super) fn send_request(&mut self, key: LineKey, id: CallId, offer: &Offer<'_>, timeout_ms: u64) {
        self.stats.bytes_in += offer.body.len() as u64;
        let mut from = [0; 36];
        let from = offer.caller.as_ref().map(|caller| caller.text(&mut from));
        let frame = Frame::Request(Request {
            id: id.to_wire(),
            from,
            method: offer.method,
            request_id: offer.request_id,
            verb: offer.verb,
            path: offer.path,
            headers: offer.headers,
            stream: offer.stream,
            deadline_ms: timeout_ms,
            more: offer.more,
            body: &[],
        });
        self.send(key, &frame, offer.body);
    }

    /// The audit record of a call that reached its target's door and was turned away there.
    pub(super) fn record_refused(&mut self, offer: &Offer<'_>, code: Code) {
        // A request whose caller is not known is only counted.
        if code == Code::TokenMissing || matches!(offer.origin, Origin::Exchange { .. }) {
            return;
        }
        self.report_call(CallRecord {
            ts: offer.started.unix_ms,
            from_agent_id: offer.caller,
            to_agent_id: offer.target,
            a2a_method: offer.method.map(Into::into),
            request_id: offer.request_id.clone(),
            status_code: code.status(),
            latency_us: 0,
            route: Route::Relay,
        });
    }

    /// The audit record of a call that was on a line.
    pub(super) fn record(&mut self, call: Call, status: u16, now: Now) {
        self.stats.ended += 1;
        if matches!(call.origin, Origin::Exchange { .. }) {
            return;
        }
        self.report_call(CallRecord {
            ts: call.started.unix_ms,
            from_agent_id: call.caller,
            to_agent_id: call.target,
            a2a_method: call.method,
            request_id: call.request_id,
            status_code: status,
            latency_us: CallRecord::took(Duration::from_micros(now.us.saturating_sub(call.started.us))),
            route: Route::Relay,
        });
    }

    fn report_call(&mut self, record: CallRecord) {
        if self.config.audit {
            self.effects.push_back(Effect::Record(record));
        }
    }
}

pub(super) fn refusal_detail(code: Code) -> &'static str {
    match code {
        Code::TokenMissing => "This agent takes calls from registered callers: send `Authorization: Bearer <api key>`.",
        Code::NotAuthorized => "This agent takes calls only from callers that its owner listed.",
        _ => "Refused.",
    }
}
