//! What the uplink tells a core.

use std::rc::Rc;
use std::sync::atomic::Ordering;

use landline_link::Op;
use landline_uplink::{Ticket, ToCore};
use landline_wire::error::Origin;

use super::Core;
use crate::conn::{Event, Pass};

impl Core {
    /// Carries out one message of the uplink.
    pub(crate) fn from_uplink(self: &Rc<Self>, message: ToCore) {
        let now = self.now();
        match message {
            ToCore::Answer(ticket, answer) if ticket.number & 1 == 0 => {
                self.engine.borrow_mut().answer(ticket.number >> 1, answer, now);
            }
            ToCore::Answer(ticket, answer) => self.wake_waiting(ticket.number >> 1, Event::Answer(answer)),
            ToCore::Welcome(welcome) => {
                let mut engine = self.engine.borrow_mut();
                engine.credentials.set_issuer(&welcome.issuer);
                engine.set_node(&welcome.node.to_string());
                let (public_url, prefix) = (welcome.public_url.clone(), welcome.prefix.clone());
                let origin = Origin { public_url, prefix };
                engine.set_origin(origin.clone());
                *self.origin.borrow_mut() = Rc::new(origin);
            }
            ToCore::Reset => self.engine.borrow_mut().credentials.reset(),
            ToCore::Apply(ops) => {
                self.engine.borrow_mut().apply(&ops, now);
                if self.id == 0 {
                    self.forget_cards(&ops);
                }
            }
            ToCore::Synced(in_reach) => self.synced(in_reach),
            ToCore::Kick { agent, session, code } => self.engine.borrow_mut().kick(agent, session, code, now),
            ToCore::Ask(number, ask) => self.ask_agent(number, &ask),
            ToCore::Drain { deadline_ms } => {
                // Whoever runs the switch sees this and drains it as a whole.
                self.shared.draining.store(true, Ordering::SeqCst);
                self.begin_drain(deadline_ms);
            }
            ToCore::PassCredit(ticket, bytes) => self.passed(ticket, Pass::Credit(bytes)),
            ToCore::PassAnswer(ticket, answer) => self.passed(ticket, Pass::Answer(answer)),
            ToCore::PassBody(ticket, body) => self.passed(ticket, Pass::Body(body)),
            ToCore::PassEnd(ticket) => self.passed(ticket, Pass::End),
            ToCore::PassFailed(ticket) => self.passed(ticket, Pass::Failed),
        }
    }

    /// News of a passed-on request: of a line's call, or of an HTTP exchange.
    fn passed(self: &Rc<Self>, ticket: Ticket, news: Pass) {
        let number = ticket.number >> 1;
        if let Some(news) = self.news_of_direct(number, news) {
            self.wake_waiting(number, Event::Pass(news));
        }
    }

    fn synced(&self, in_reach: bool) {
        let now = self.now();
        let mut engine = self.engine.borrow_mut();
        let was_ready = engine.credentials.is_ready();
        engine.synced(in_reach, now);
        if !was_ready && engine.credentials.is_ready() {
            self.shared.ready_cores.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Copies of a card that changed its standing are not served any more.
    fn forget_cards(&self, ops: &[Op]) {
        for op in ops {
            if let Op::Remove { agent } | Op::Block { agent, .. } = op {
                self.shared.cards.forget(&agent.to_string());
            }
        }
    }
}
