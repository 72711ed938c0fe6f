//! The record of a call that the exchange dispatched: written exactly once, however the call ends.

use std::time::Duration;

use landline_link::{CallRecord, Route};
use landline_wire::ids::AgentId;
use tokio::time::Instant;

use crate::db::{Db, DbError};
use crate::events;
use crate::relay::store;
use crate::state::Exchange;

/// The status of a call whose caller went away before it got one: the usual number for a client that closed its request.
const CALLER_GONE: u16 = 499;
/// Attempts to store a record, with a pause between two.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

/// What is known of a call from its beginning.
pub(crate) struct Call {
    pub(crate) caller: Option<AgentId>,
    pub(crate) callee: AgentId,
    pub(crate) method: Option<String>,
    pub(crate) request_id: String,
    /// Unix milliseconds.
    pub(crate) ts: i64,
    pub(crate) began: Instant,
    /// Was the agent asked?
    pub(crate) reached: bool,
}

/// A call that has begun and is owed a record. Dropped without an end, its caller went away.
pub(crate) struct Audit {
    exchange: Exchange,
    call: Option<Call>,
}

impl Audit {
    /// From now on there is a record.
    pub(crate) fn open(exchange: &Exchange, call: Call) -> Self {
        Self { exchange: exchange.clone(), call: Some(call) }
    }

    /// Milliseconds since the call began, as `Server-Timing` has it.
    pub(crate) fn so_far_ms(&self) -> f64 {
        self.call.as_ref().map_or(0.0, |call| call.began.elapsed().as_secs_f64() * 1_000.0)
    }

    /// The call was turned away at the agent's door: its record says that it took no time.
    pub(crate) async fn turned_away(&mut self, status: u16) {
        if let Some(call) = &mut self.call {
            call.reached = false;
        }
        self.end(status).await;
    }

    /// The call ended with this status. Returns when the record is stored and published; a caller that leaves meanwhile
    /// does not stop that.
    pub(crate) async fn end(&mut self, status: u16) {
        if let Some(written) = self.write(status) {
            let _ = written.await;
        }
    }

    /// The call is nobody's: it gets no record.
    pub(crate) fn forget(&mut self) {
        self.call = None;
    }

    fn write(&mut self, status: u16) -> Option<tokio::task::JoinHandle<()>> {
        let call = self.call.take()?;
        let record = CallRecord {
            ts: call.ts,
            from_agent_id: call.caller,
            to_agent_id: call.callee,
            a2a_method: call.method.map(Into::into),
            request_id: call.request_id.into(),
            status_code: status,
            latency_us: if call.reached { CallRecord::took(call.began.elapsed()) } else { 0 },
            route: Route::HttpDirect,
        };
        let runtime = tokio::runtime::Handle::try_current().ok()?;
        Some(runtime.spawn(store_and_publish(self.exchange.clone(), record)))
    }
}

impl Drop for Audit {
    fn drop(&mut self) {
        drop(self.write(CALLER_GONE));
    }
}

async fn store_and_publish(exchange: Exchange, record: CallRecord) {
    for attempt in 1..=ATTEMPTS {
        match insert(&exchange.db, &record).await {
            Ok(()) => {
                exchange.metrics.dispatched(&record);
                return events::publish_calls(&exchange, &[&record]);
            }
            Err(Fault::Before(error)) if attempt < ATTEMPTS => {
                tracing::warn!(%error, "a call's record was not stored: it is tried again");
                tokio::time::sleep(PAUSE).await;
            }
            // A commit whose answer was lost may have happened: a second one could count the call twice.
            Err(Fault::Before(error) | Fault::Commit(error)) => {
                return tracing::error!(%error, request_id = %record.request_id, "a call's record is lost");
            }
        }
    }
}

enum Fault {
    Before(DbError),
    Commit(DbError),
}

async fn insert(db: &Db, record: &CallRecord) -> Result<(), Fault> {
    let mut tx = db.begin().await.map_err(Fault::Before)?;
    store::insert(&mut tx, &[record]).await.map_err(Fault::Before)?;
    tx.commit().await.map_err(|error| Fault::Commit(error.into()))
}
