//! Calls on their way to a line.

use landline_link::{CallRecord, Lookup, LookupAnswer, Route};
use landline_wire::error::{Code, Problem};
use landline_wire::frame::{Frame, Headers, Request};
use landline_wire::ids::{AgentId, CallId};
use landline_wire::limits::{
    ABSENT_CACHE_MS, MAX_LINE_QUEUE_BYTES, MAX_PENDING_LOOKUPS, UPLOAD_DEADLINE_MS, WINDOW_BYTES,
};

use super::{Engine, Gathering};
use crate::call::{Call, Phase};
use crate::credentials::admits;
use crate::types::{CallRequest, Effect, LineKey, Now, Origin, Reply, StatusAnswer};

/// What waits for the exchange to say who an id without a line is.
#[derive(Debug)]
pub(super) enum Waiting {
    Call(Box<CallRequest>),
    Status { origin: Origin, caller: Option<AgentId> },
}

impl Engine {
    /// Places a call whose callee's home is this core. The reply goes to its origin.
    pub fn place(&mut self, request: CallRequest, now: Now) {
        if let Err(problem) = self.try_place(request, now) {
            let (origin, problem) = *problem;
            self.stats.refused += 1;
            self.reply(origin, Reply::Failed(Box::new(problem)), now);
        }
    }

    fn try_place(&mut self, request: CallRequest, now: Now) -> Result<(), Box<(Origin, Problem)>> {
        let (target, origin) = (request.target, request.origin);
        let refuse = |problem: Problem| Err(Box::new((origin, problem)));
        if self.credentials.is_blocked(target) {
            self.record_refused(&request, Code::TargetBlocked, now);
            return refuse(Problem::plain(Code::TargetBlocked));
        }
        if self.credentials.is_removed(target) {
            return refuse(Problem::new(Code::Gone, "The agent was removed."));
        }
        let Some(key) = self.lines.least_busy(target) else { return self.place_absent(request, now) };
        if let Err(code) = self.credentials.may_call(request.caller, target) {
            self.record_refused(&request, code, now);
            return refuse(Problem::new(code, refusal_detail(code)));
        }
        if let Err(problem) = self.has_room(key, &request) {
            return refuse(problem);
        }
        self.put_on_line(key, request, now)
    }

    fn has_room(&self, key: LineKey, request: &CallRequest) -> Result<(), Problem> {
        let Some(line) = self.lines.get(key) else { return Err(Problem::plain(Code::AgentNotConnected)) };
        if line.calls.len() >= self.config.max_in_flight {
            let detail = format!("The agent has {} calls in flight, its most.", line.calls.len());
            return Err(Problem::new(Code::RateLimited, detail));
        }
        // Fewer calls in all than one caller may hold: no need to count whose they are.
        if line.calls.len() >= self.config.max_in_flight_per_caller {
            let open = line.calls.iter().filter_map(|slot| self.calls.in_slot(*slot));
            let own = open.filter(|(_, call)| call.caller == request.caller).count();
            if own >= self.config.max_in_flight_per_caller {
                let detail = format!("You have {own} calls in flight to this agent, the most of one caller.");
                return Err(Problem::new(Code::RateLimited, detail));
            }
        }
        if line.output.len() + request.body.len() > MAX_LINE_QUEUE_BYTES {
            return Err(Problem::new(Code::Overloaded, "The agent reads slower than it is called."));
        }
        if self.spool_full {
            return Err(Problem::new(Code::Overloaded, "Too many audit records wait for the exchange.").retry_after(5));
        }
        if self.is_over_budget(request.body.len()) {
            return Err(Problem::new(Code::Overloaded, "The relay holds as many bytes as it may."));
        }
        Ok(())
    }

    fn put_on_line(&mut self, key: LineKey, request: CallRequest, now: Now) -> Result<(), Box<(Origin, Problem)>> {
        let timeout_ms = request.timeout_ms.min(self.config.call_timeout_ms);
        let (at, parts) = self.lines.get(key).map_or((0, false), |line| (line.calls.len(), line.parts));
        let gathers = request.more && !parts;
        if request.more && request.body.len() > WINDOW_BYTES {
            let problem = Problem::new(Code::FlowControl, "The first part is larger than the window.");
            return Err(Box::new((request.origin, problem)));
        }
        if gathers && request.length.is_some_and(|length| length > self.config.max_body_bytes as u64) {
            let detail = format!("The agent takes bodies whole, of at most {} bytes.", self.config.max_body_bytes);
            return Err(Box::new((request.origin, Problem::new(Code::BodyTooLarge, detail))));
        }
        let call = Call {
            origin: request.origin,
            caller: request.caller,
            target: request.target,
            line: key,
            at,
            request_id: request.request_id.clone(),
            method: request.method.clone(),
            started: request.started,
            phase: if gathers { Phase::Gathering(Gathering::of(&request)) } else { Phase::Waiting },
            stream: request.resumable,
            upload: request.more.then_some(WINDOW_BYTES as i64 - if gathers { 0 } else { request.body.len() as i64 }),
            timeout_ms,
        };
        // While the body is on its way its own deadline counts, from part to part.
        let first_deadline_ms = if request.more { UPLOAD_DEADLINE_MS } else { timeout_ms };
        let Some(id) = self.calls.open(call, now.ms() + first_deadline_ms) else {
            let problem = Problem::new(Code::Overloaded, "Every call slot of this core is taken.");
            return Err(Box::new((request.origin, problem)));
        };
        if let Some(line) = self.lines.get_mut(key) {
            line.calls.push(id.slot() as u32);
        }
        self.stats.calls += 1;
        if request.more {
            self.uploads.insert(request.origin, id);
            if matches!(request.origin, Origin::Http { .. }) {
                // An HTTP body is read only from here on: had there been no line, another would serve it.
                self.reply(request.origin, Reply::Credit(WINDOW_BYTES), now);
            }
        }
        if gathers {
            self.part(request.origin, request.body, true, now);
            return Ok(());
        }
        self.send_request(key, id, &request, timeout_ms);
        Ok(())
    }

    /// Sends the `request` frame of an open call.
    pub(super) fn send_request(&mut self, key: LineKey, id: CallId, request: &CallRequest, timeout_ms: u64) {
        self.stats.bytes_in += request.body.len() as u64;
        let mut from = [0; 36];
        let from = request.caller.as_ref().map(|caller| caller.text(&mut from));
        let frame = Frame::Request(Request {
            id: id.to_wire(),
            from,
            method: request.method.as_deref(),
            request_id: &request.request_id,
            verb: request.verb.as_deref(),
            path: request.path.as_deref(),
            headers: Headers::from_encoded(&request.headers),
            stream: request.stream,
            deadline_ms: timeout_ms,
            more: request.more,
            body: &[],
        });
        self.send(key, &frame, request.body.clone());
    }

    /// The callee has no line here: what the exchange knows of it decides the answer.
    fn place_absent(&mut self, request: CallRequest, now: Now) -> Result<(), Box<(Origin, Problem)>> {
        let origin = request.origin;
        match self.known_absent(request.target, now) {
            Some(answer) => {
                let reply = self.absent_reply(&answer, request, now);
                self.reply(origin, reply, now);
                Ok(())
            }
            None => self.wait_for(request.target, Waiting::Call(Box::new(request))).map_err(|p| Box::new((origin, p))),
        }
    }

    fn known_absent(&self, target: AgentId, now: Now) -> Option<LookupAnswer> {
        self.absent.get(&target).filter(|(_, until)| *until > now.ms()).map(|(answer, _)| answer.clone())
    }

    fn wait_for(&mut self, target: AgentId, waiting: Waiting) -> Result<(), Problem> {
        if self.waiting_count >= MAX_PENDING_LOOKUPS {
            return Err(Problem::new(Code::Overloaded, "Too many look-ups are under way."));
        }
        self.waiting_count += 1;
        let queue = self.waiting.entry(target).or_default();
        queue.push(waiting);
        if queue.len() == 1 {
            self.next_lookup += 1;
            self.asked.insert(self.next_lookup, target);
            self.effects.push_back(Effect::Lookup(self.next_lookup, Lookup::Agent(target)));
        }
        Ok(())
    }

    /// The exchange answered a look-up of an id, or did not (`None`).
    pub fn answer(&mut self, number: u64, answer: Option<LookupAnswer>, now: Now) {
        let Some(target) = self.asked.remove(&number) else { return };
        if let Some(answer) = answer.clone().filter(|answer| *answer != LookupAnswer::Failed) {
            self.absent.insert(target, (answer, now.ms() + ABSENT_CACHE_MS));
        }
        let queue = self.waiting.remove(&target).unwrap_or_default();
        self.waiting_count -= queue.len();
        for waiting in queue {
            match waiting {
                // The agent may have attached meanwhile.
                // Not with a body in parts: those that came while it waited are lost.
                Waiting::Call(request) if !request.more && !self.lines.of(target).is_empty() => {
                    self.place(*request, now)
                }
                Waiting::Call(request) => {
                    let (origin, unreachable) = (request.origin, LookupAnswer::Failed);
                    let reply = self.absent_reply(answer.as_ref().unwrap_or(&unreachable), *request, now);
                    self.reply(origin, reply, now);
                }
                Waiting::Status { origin, caller } => {
                    let reply = self.absent_status(answer.as_ref(), caller, target);
                    self.reply(origin, reply, now);
                }
            }
        }
    }

    /// What the caller of an agent without a line here is told. One that the exchange can call directly is audited there.
    fn absent_reply(&mut self, answer: &LookupAnswer, request: CallRequest, now: Now) -> Reply {
        // The parts of an HTTP body are still unread; those of a line have come, and are lost.
        let is_whole = matches!(request.origin, Origin::Http { .. }) || !request.more;
        match answer {
            LookupAnswer::Agent { blocked: false, policy, elsewhere: None, direct: true, .. }
                if is_whole && admits(policy, request.caller).is_ok() =>
            {
                Reply::Direct(Box::new(request))
            }
            answer => {
                self.stats.refused += 1;
                Reply::Failed(Box::new(self.absent_problem(answer, &request, now)))
            }
        }
    }

    fn absent_problem(&mut self, answer: &LookupAnswer, request: &CallRequest, now: Now) -> Problem {
        match answer {
            LookupAnswer::AgentUnknown => Problem::new(Code::NotFound, "No agent has this id."),
            LookupAnswer::AgentGone => Problem::new(Code::Gone, "The agent was removed."),
            LookupAnswer::Agent { blocked: true, .. } => {
                self.record_refused(request, Code::TargetBlocked, now);
                Problem::plain(Code::TargetBlocked)
            }
            LookupAnswer::Agent { policy, elsewhere, .. } => {
                if let Err(code) = admits(policy, request.caller) {
                    self.record_refused(request, code, now);
                    return Problem::new(code, refusal_detail(code));
                }
                self.record_refused(request, Code::AgentNotConnected, now);
                let problem = Problem::plain(Code::AgentNotConnected).retry_after(5);
                match elsewhere {
                    Some(url) => problem.endpoint(format!("POST {url}/relay/{}", request.target)),
                    None => problem.endpoint(format!("GET /relay/{}/status", request.target)),
                }
            }
            _ => {
                Problem::new(Code::ExchangeUnavailable, "The agent has no line here and the exchange cannot be asked.")
            }
        }
    }

    /// Answers whether an agent whose home is this core holds a line.
    pub fn status(&mut self, origin: Origin, caller: Option<AgentId>, target: AgentId, now: Now) {
        if let Some(line) = self.lines.least_busy(target).and_then(|key| self.lines.get(key)) {
            let in_flight = self.lines.of(target).iter().filter_map(|key| self.lines.get(*key));
            let in_flight = in_flight.map(|line| line.in_flight()).sum();
            let answer = StatusAnswer { agent: target, connected: true, in_flight, since: Some(line.since) };
            let reply = match self.credentials.may_ask_status(caller, target) {
                Ok(()) => Reply::Status(answer),
                Err(code) => Reply::Failed(Box::new(Problem::new(code, refusal_detail(code)))),
            };
            return self.reply(origin, reply, now);
        }
        let reply = match self.known_absent(target, now) {
            Some(answer) => self.absent_status(Some(&answer), caller, target),
            None => match self.wait_for(target, Waiting::Status { origin, caller }) {
                Ok(()) => return,
                Err(problem) => Reply::Failed(Box::new(problem)),
            },
        };
        self.reply(origin, reply, now);
    }

    fn absent_status(&self, answer: Option<&LookupAnswer>, caller: Option<AgentId>, target: AgentId) -> Reply {
        let problem = match answer {
            Some(LookupAnswer::Agent { policy, .. }) => match (caller, admits(policy, caller)) {
                (None, Err(code)) => Problem::new(code, refusal_detail(code)),
                _ => {
                    let absent = StatusAnswer { agent: target, connected: false, in_flight: 0, since: None };
                    return Reply::Status(absent);
                }
            },
            Some(LookupAnswer::AgentUnknown) => Problem::new(Code::NotFound, "No agent has this id."),
            Some(LookupAnswer::AgentGone) => Problem::new(Code::Gone, "The agent was removed."),
            _ => Problem::plain(Code::ExchangeUnavailable),
        };
        Reply::Failed(Box::new(problem))
    }

    /// The audit record of a call that reached its target's door and was turned away there.
    fn record_refused(&mut self, request: &CallRequest, code: Code, now: Now) {
        // A request whose caller is not known is only counted.
        if code == Code::TokenMissing {
            return;
        }
        self.report_call(CallRecord {
            ts: request.started.unix_ms,
            from_agent_id: request.caller,
            to_agent_id: request.target,
            a2a_method: request.method.clone(),
            request_id: request.request_id.clone(),
            status_code: code.status(),
            latency_us: now.us.saturating_sub(request.started.us),
            route: Route::Relay,
        });
    }

    /// The audit record of a call that was on a line.
    pub(super) fn record(&mut self, call: Call, status: u16, now: Now) {
        self.stats.ended += 1;
        self.report_call(CallRecord {
            ts: call.started.unix_ms,
            from_agent_id: call.caller,
            to_agent_id: call.target,
            a2a_method: call.method,
            request_id: call.request_id,
            status_code: status,
            latency_us: now.us.saturating_sub(call.started.us),
            route: Route::Relay,
        });
    }

    fn report_call(&mut self, record: CallRecord) {
        self.effects.push_back(Effect::Record(record));
    }
}

fn refusal_detail(code: Code) -> &'static str {
    match code {
        Code::TokenMissing => "This agent takes calls from registered callers: send `Authorization: Bearer <api key>`.",
        Code::NotAuthorized => "This agent takes calls only from callers that its owner listed.",
        _ => "Refused.",
    }
}
