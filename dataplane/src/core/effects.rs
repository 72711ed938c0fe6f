//! Carries out what the engine decided.

use std::rc::Rc;

use landline_engine::{CallRequest, Effect, Mail, Reply};
use landline_uplink::{Ticket, ToExchange};
use landline_wire::error::{Code, Problem};

use super::{Core, CoreMail};
use crate::conn::Event;
use crate::line;

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
                Effect::Told(ask, reply) => self.told(ask, reply),
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
        while rung != 0 {
            self.post(rung.trailing_zeros() as usize).ring();
            rung &= rung - 1;
        }
        for core in rung_beyond {
            self.post(core).ring();
        }
    }

    fn put_for(&self, core: usize, mail: Mail) {
        match mail {
            Mail::Call(request) => self.put_call(core, request),
            mail => self.post(core).put(CoreMail::Engine(mail)),
        }
    }

    /// A core that is behind gets no further calls: the caller is told.
    fn put_call(&self, core: usize, request: Box<CallRequest>) {
        let post = self.post(core);
        let Some(bound) = post.is_behind() else { return post.put(CoreMail::Engine(Mail::Call(request))) };
        self.count(bound);
        let problem = Problem::new(Code::Overloaded, "The core that holds the agent's line is behind.");
        let reply = Mail::Reply(request.origin, Reply::Failed(Box::new(problem)));
        let now = self.now();
        self.engine.borrow_mut().mail(reply, now);
    }

    /// Sends a call that came over HTTP to the core of its callee.
    pub(crate) fn send_call(self: &Rc<Self>, core: usize, request: CallRequest) {
        self.put_call(core, Box::new(request));
        self.post(core).ring();
        // If it was refused, there is a reply to be given.
        self.carry_out();
    }

    /// Gives an event to the HTTP exchange that waits under this number; it may have gone.
    pub(crate) fn wake_waiting(&self, number: u64, event: Event) {
        let cell = self.waiting.borrow().get(&number).cloned();
        if let Some(cell) = cell {
            cell.push(event);
        }
    }
}
