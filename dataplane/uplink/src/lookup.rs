//! One question, one stream, one answer, in time.

use std::rc::Rc;

use landline_link::limits::MAX_MESSAGE_BYTES;
use landline_link::{Lookup, LookupAnswer, StreamKind, codec};
use quinn::Connection;

use crate::boundary::{Ticket, ToCore};
use crate::metrics::count;
use crate::run::Shared;
use crate::wire::Reader;

/// Asks in a task of its own. Without a connection the answer is `None` at once.
pub(crate) fn ask(shared: &Rc<Shared>, connection: Option<Connection>, ticket: Ticket, question: Lookup) {
    count(&shared.metrics.lookups);
    let Some(connection) = connection else { return answer(shared, ticket, None) };
    let shared = Rc::clone(shared);
    tokio::task::spawn_local(async move {
        let asked = tokio::time::timeout(shared.config.lookup_timeout, exchange(&connection, &question)).await;
        answer(&shared, ticket, asked.ok().flatten());
    });
}

fn answer(shared: &Shared, ticket: Ticket, answer: Option<LookupAnswer>) {
    if answer.is_none() {
        count(&shared.metrics.lookups_failed);
    }
    shared.to(ticket.core, ToCore::Answer(ticket, answer));
}

async fn exchange(connection: &Connection, question: &Lookup) -> Option<LookupAnswer> {
    let request = codec::encode(question).ok()?;
    let (mut send, recv) = connection.open_bi().await.ok()?;
    send.write_all(&[StreamKind::Lookup.byte()]).await.ok()?;
    send.write_all(&request).await.ok()?;
    send.finish().ok()?;
    Reader::new(recv).message(MAX_MESSAGE_BYTES).await.ok()?
}
