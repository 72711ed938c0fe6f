//! One question, one stream, one answer, in time.

use std::cell::RefCell;
use std::rc::Rc;

use landline_link::limits::MAX_MESSAGE_BYTES;
use landline_link::{Lookup, LookupAnswer, StreamKind, codec};
use landline_wire::limits::MAX_LOOKUPS_IN_FLIGHT;
use quinn::Connection;
use tokio::sync::Semaphore;

use crate::boundary::{Ticket, ToCore};
use crate::flights::Flights;
use crate::metrics::count;
use crate::run::Shared;
use crate::wire::Reader;

/// The questions that are under way.
pub(crate) struct Lookups {
    shared: Rc<Shared>,
    flights: Rc<RefCell<Flights>>,
    turns: Rc<Semaphore>,
}

impl Lookups {
    pub(crate) fn new(shared: Rc<Shared>) -> Self {
        Self { shared, flights: Rc::default(), turns: Rc::new(Semaphore::new(MAX_LOOKUPS_IN_FLIGHT)) }
    }

    /// Asks in a task of its own, unless the same question is under way. Without a connection the answer is `None` at
    /// once.
    pub(crate) fn ask(&self, connection: Option<Connection>, ticket: Ticket, question: Lookup) {
        let Some(connection) = connection else {
            count(&self.shared.metrics.lookups);
            return answer(&self.shared, &[ticket], None);
        };
        if !self.flights.borrow_mut().join(&question, ticket) {
            return count(&self.shared.metrics.lookups_joined);
        }
        count(&self.shared.metrics.lookups);
        let (shared, flights, turns) = (Rc::clone(&self.shared), Rc::clone(&self.flights), Rc::clone(&self.turns));
        tokio::task::spawn_local(async move {
            let asked = tokio::time::timeout(shared.config.lookup_timeout, async {
                if turns.available_permits() == 0 {
                    count(&shared.metrics.lookups_queued);
                }
                let _turn = turns.acquire().await.ok()?;
                exchange(&connection, &question).await
            });
            let found = asked.await.ok().flatten();
            let waiting = flights.borrow_mut().land(&question);
            answer(&shared, &waiting, found);
        });
    }
}

fn answer(shared: &Shared, waiting: &[Ticket], answer: Option<LookupAnswer>) {
    if answer.is_none() {
        count(&shared.metrics.lookups_failed);
    }
    for ticket in waiting {
        shared.to(ticket.core, ToCore::Answer(*ticket, answer.clone()));
    }
}

async fn exchange(connection: &Connection, question: &Lookup) -> Option<LookupAnswer> {
    let request = codec::encode(question).ok()?;
    let (mut send, recv) = connection.open_bi().await.ok()?;
    send.write_all(&[StreamKind::Lookup.byte()]).await.ok()?;
    send.write_all(&request).await.ok()?;
    send.finish().ok()?;
    Reader::new(recv).message(MAX_MESSAGE_BYTES).await.ok()?
}
