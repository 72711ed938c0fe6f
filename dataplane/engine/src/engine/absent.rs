//! Calls and questions about ids that hold no line here: the exchange is asked, and its answer believed for a while.

use landline_link::{Lookup, LookupAnswer};
use landline_wire::bounds::Bound;
use landline_wire::error::{Code, Problem};
use landline_wire::ids::AgentId;
use landline_wire::limits::{ABSENT_CACHE_MS, MAX_ABSENT_IDS};

use super::Engine;
use super::place::refusal_detail;
use crate::credentials::admits;
use crate::offer::Offer;
use crate::types::{CallRequest, Effect, Now, Origin, Reply, StatusAnswer};

/// What waits for the exchange to say who an id without a line is.
#[derive(Debug)]
pub(super) enum Waiting {
    Call(Box<CallRequest>),
    Status { origin: Origin, caller: Option<AgentId> },
}

impl Waiting {
    fn held_bytes(&self) -> usize {
        match self {
            Self::Call(request) => request.body.len(),
            Self::Status { .. } => 0,
        }
    }
}

impl Engine {
    /// The callee has no line here: what the exchange knows of it decides the answer.
    pub(super) fn place_absent(&mut self, offer: &Offer<'_>, now: Now) -> Result<(), Box<(Origin, Problem)>> {
        let (origin, target) = (offer.origin, offer.target);
        match self.known_absent(target, now) {
            Some(answer) => {
                let reply = self.absent_reply(&answer, offer);
                self.reply(origin, reply, now);
                Ok(())
            }
            None => {
                let waiting = Waiting::Call(Box::new(offer.to_request()));
                self.wait_for(target, waiting).map_err(|problem| Box::new((origin, problem)))
            }
        }
    }

    fn known_absent(&self, target: AgentId, now: Now) -> Option<LookupAnswer> {
        self.absent.get(&target).filter(|(_, until)| *until > now.ms()).map(|(answer, _)| answer.clone())
    }

    /// Believes an answer for a while, if there is room to remember it.
    fn remember_absent(&mut self, target: AgentId, answer: LookupAnswer, now: Now) {
        if self.absent.len() < MAX_ABSENT_IDS || self.absent.contains_key(&target) {
            self.absent.insert(target, (answer, now.ms() + ABSENT_CACHE_MS));
        } else {
            self.stats.reached.count(Bound::AbsentIds);
        }
    }

    fn wait_for(&mut self, target: AgentId, waiting: Waiting) -> Result<(), Problem> {
        if self.waiting_count >= self.config.max_pending_lookups {
            return Err(self.at_bound(Bound::PendingLookups, Code::Overloaded, "Too many look-ups are under way."));
        }
        // A body that waits with its call is held here as much as any other.
        if self.is_over_budget(waiting.held_bytes()) {
            return Err(self.over_budget());
        }
        self.held += waiting.held_bytes();
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
            self.remember_absent(target, answer, now);
        }
        let queue = self.waiting.remove(&target).unwrap_or_default();
        self.waiting_count -= queue.len();
        let held: usize = queue.iter().map(Waiting::held_bytes).sum();
        self.held = self.held.saturating_sub(held);
        for waiting in queue {
            match waiting {
                // The agent may have attached meanwhile.
                // Not with a body in parts: those that came while it waited are lost.
                Waiting::Call(request) if !request.more && !self.lines.of(target).is_empty() => {
                    self.place(*request, now)
                }
                Waiting::Call(request) => {
                    let answer = answer.as_ref().unwrap_or(&LookupAnswer::Failed);
                    let reply = self.absent_reply(answer, &request.offer());
                    self.reply(request.origin, reply, now);
                }
                Waiting::Status { origin, caller } => {
                    let reply = self.absent_status(answer.as_ref(), caller, target);
                    self.reply(origin, reply, now);
                }
            }
        }
    }

    /// What the caller of an agent without a line here is told. One that the exchange can call directly is audited there.
    fn absent_reply(&mut self, answer: &LookupAnswer, offer: &Offer<'_>) -> Reply {
        // The parts of an HTTP body are still unread; those of a line have come, and are lost.
        let is_whole = matches!(offer.origin, Origin::Http { .. }) || !offer.more;
        match answer {
            LookupAnswer::Agent { blocked: false, policy, elsewhere: None, direct: true, .. }
                if is_whole && admits(policy, offer.caller).is_ok() =>
            {
                Reply::Direct(Box::new(offer.to_request()))
            }
            answer => {
                self.stats.refused += 1;
                Reply::Failed(Box::new(self.absent_problem(answer, offer)))
            }
        }
    }

    fn absent_problem(&mut self, answer: &LookupAnswer, offer: &Offer<'_>) -> Problem {
        match answer {
            LookupAnswer::AgentUnknown => Problem::new(Code::NotFound, "No agent has this id."),
            LookupAnswer::AgentGone => Problem::new(Code::Gone, "The agent was removed."),
            LookupAnswer::Agent { blocked: true, .. } => {
                self.record_refused(offer, Code::TargetBlocked);
                Problem::plain(Code::TargetBlocked)
            }
            LookupAnswer::Agent { policy, elsewhere, .. } => {
                if let Err(code) = admits(policy, offer.caller) {
                    self.record_refused(offer, code);
                    return Problem::new(code, refusal_detail(code));
                }
                self.record_refused(offer, Code::AgentNotConnected);
                let problem = Problem::plain(Code::AgentNotConnected).retry_after(5);
                match elsewhere {
                    Some(url) => problem.endpoint(format!("POST {url}/relay/{}", offer.target)),
                    None => problem.endpoint(format!("GET /relay/{}/status", offer.target)),
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
}
