//! Questions of the exchange to agents whose lines are on this core: put to the agent as a call that is nobody's, the answer
//! gathered up to a bound and told. No task of its own: whatever comes is carried out as it comes.

use std::rc::Rc;
use std::sync::Arc;

use landline_engine::{CallRequest, Map, Origin, Reply};
use landline_link::limits::MAX_TOLD_BYTES;
use landline_link::{Ask, Told};
use landline_uplink::ToExchange;
use landline_wire::error::Code;
use landline_wire::frame::{Headers, HeadersBuilder};
use landline_wire::ids::CallId;
use landline_wire::limits::CALL_TIMEOUT_MS;
use landline_wire::pieces::Pieces;
use landline_wire::relay as rules;

use crate::core::Core;

/// The questions that are open, by the uplink's numbers. Their number is bounded by the streams that the exchange may open.
#[derive(Default)]
pub(crate) struct Asked(Map<u64, Answer>);

/// What has come of an answer.
#[derive(Default)]
struct Answer {
    call: Option<CallId>,
    status: u16,
    media_type: String,
    body: Vec<u8>,
}

impl Answer {
    /// Keeps a part, and says whether there is room for more.
    fn take(&mut self, part: &Pieces) -> bool {
        for slice in part.iter() {
            let room = MAX_TOLD_BYTES - self.body.len();
            self.body.extend_from_slice(&slice[..slice.len().min(room)]);
        }
        self.body.len() < MAX_TOLD_BYTES
    }
}

impl Core {
    /// Puts a question to its agent.
    pub(crate) fn ask_agent(self: &Rc<Self>, number: u64, ask: &Arc<Ask>) {
        let is_good = rules::is_verb(&ask.method)
            && rules::is_path(&ask.path)
            && ask.headers.iter().all(|(name, value)| rules::reaches_agent(name) && rules::is_header_value(value));
        if !is_good {
            return self.tell_exchange(ToExchange::Told(number, Told::failed(Code::BadRequest)));
        }
        let mut headers = HeadersBuilder::default();
        ask.headers.iter().for_each(|(name, value)| headers.push(name, value));
        let (origin, now) = (Origin::Exchange { core: self.id, ask: number }, self.now());
        let request = CallRequest {
            origin,
            caller: None,
            target: ask.agent,
            request_id: ask.request_id.as_str().into(),
            method: None,
            verb: (ask.method != "POST").then(|| ask.method.as_str().into()),
            path: (!ask.path.is_empty()).then(|| ask.path.as_str().into()),
            headers: headers.encode().into_bytes(),
            stream: false,
            timeout_ms: ask.timeout_ms.min(CALL_TIMEOUT_MS),
            started: now,
            body: Pieces::from(bytes::Bytes::copy_from_slice(&ask.body)),
            more: false,
            resumable: None,
            length: Some(ask.body.len() as u64),
        };
        self.asked.borrow_mut().0.insert(number, Answer::default());
        self.engine.borrow_mut().place(request, now);
        self.carry_out();
    }

    /// News of a question.
    pub(crate) fn told(&self, number: u64, reply: Reply) {
        let now = self.now();
        let mut asked = self.asked.borrow_mut();
        let Some(answer) = asked.0.get_mut(&number) else { return };
        let (goes_on, cost) = match reply {
            Reply::Head { call, status, headers, body, more } => {
                let kind = Headers::from_encoded(&headers).get("content-type").unwrap_or_default().to_owned();
                (answer.call, answer.status, answer.media_type) = (Some(call), status, kind);
                (answer.take(&body) && more, body.len())
            }
            Reply::Part { body, more, cost } => (answer.take(&body) && more, cost),
            Reply::Credit(_) => return,
            Reply::Failed(problem) => {
                asked.0.remove(&number);
                return self.tell_exchange(ToExchange::Told(number, Told::failed(problem.code)));
            }
            Reply::Direct(_) | Reply::Status(_) => {
                asked.0.remove(&number);
                return self.tell_exchange(ToExchange::Told(number, Told::failed(Code::AgentNotConnected)));
            }
        };
        if goes_on {
            if let Some(call) = answer.call {
                self.engine.borrow_mut().consumed_at(call, cost, now);
            }
            return;
        }
        let Some(Answer { status, media_type, body, .. }) = asked.0.remove(&number) else { return };
        // What is longer than we keep is not waited for; where the answer is complete there is nothing to give up.
        let origin = Origin::Exchange { core: self.id, ask: number };
        self.engine.borrow_mut().gone_at(self.id, origin, now);
        self.tell_exchange(ToExchange::Told(number, Told::Answer { status, media_type, body }));
    }
}
