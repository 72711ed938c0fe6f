//! Carries out what the engine decided.

use std::rc::Rc;

use landline_engine::{Effect, Mail, Reply};
use landline_uplink::{Ticket, ToExchange};
use landline_wire::error::{Code, Problem};

use super::{Core, CoreMail};
use crate::conn::Event;
use crate::line;

/// Calls that may wait for another core: beyond, that core is behind by more than it can make up, and callers are told.
const MAX_CALLS_FOR_CORE: usize = 65_536;

impl Core {
    /// Does everything that the engine wants done now. To be called after each batch of inputs.
    pub(crate) fn carry_out(self: &Rc<Self>) {
        let mut rung = 0u64;
        let mut rung_beyond = Vec::new();
        loop {
            let Some(effect) = self.engine.borrow_mut().poll_effect() else { break };
            match effect {
                Effect::Flush(key) => line::flush(self, key),
                Effect::Close(key) => line::close(self, key),
                Effect::Abort(key) => line::abort(self, key),
                Effect::Reply(conn, reply) => self.wake_waiting(conn.0, Event::Reply(reply)),
                Effect::Mail(core, mail) => {
                    self.put_for(core, mail);
                    match core {
                        0..64 => rung |= 1 << core,
                        _ if rung_beyond.contains(&core) => {}
                        _ => rung_beyond.push(core),
                    }
                }
                Effect::Direct(key, id, request) => self.begin_direct(key, id, *request),
                Effect::DirectCredit(key, id, bytes) => self.credit_direct(key, id, bytes),
                Effect::DirectGone(key, id) => self.end_direct(key, id),
                Effect::Lookup(number, lookup) => {
                    let ticket = Ticket { core: self.id, number: number << 1 };
                    self.tell_exchange(ToExchange::Lookup(ticket, lookup));
                }
                Effect::Record(record) => self.uplink.record(&record),
                Effect::Report(report) => self.tell_exchange(ToExchange::Report(report)),
            }
        }
        // One wake per core and batch, however many letters it got.
        let low = (0..64).filter(|core| rung >> core & 1 == 1);
        for core in low.chain(rung_beyond) {
            self.post(core).ring();
        }
    }

    fn put_for(self: &Rc<Self>, core: usize, mail: Mail) {
        match mail {
            Mail::Call(request) if self.post(core).len() > MAX_CALLS_FOR_CORE => {
                let problem = Problem::new(Code::Overloaded, "The core that holds the agent's line is behind.");
                let reply = Mail::Reply(request.origin, Reply::Failed(Box::new(problem)));
                let now = self.now();
                self.engine.borrow_mut().mail(reply, now);
            }
            mail => self.post(core).put(CoreMail::Engine(mail)),
        }
    }

    /// Gives an event to the HTTP exchange that waits under this number; it may have gone.
    pub(crate) fn wake_waiting(&self, number: u64, event: Event) {
        let cell = self.waiting.borrow().get(&number).cloned();
        if let Some(cell) = cell {
            cell.push(event);
        }
    }
}
