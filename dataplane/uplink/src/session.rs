//! One connection: the control stream's messages to the cores, the reports of sessions to the exchange, and the
//! certificate's renewal.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use landline_link::limits::{CLOSE_DONE, CLOSE_PROTOCOL, HANDSHAKE_TIMEOUT, MAX_MESSAGE_BYTES};
use landline_link::{Down, Effect, Hello, ReportAck, StreamKind, Subscriber, codec};
use quinn::{Connection, VarInt};

use crate::asks;
use crate::boundary::ToCore;
use crate::identity::{Identity, Store};
use crate::join::{self, Fault};
use crate::metrics::count;
use crate::records;
use crate::run::{Shared, now_s};
use crate::spool::Spool;
use crate::wire::Reader;

/// How often the certificate's age is looked at.
const RENEWAL_CHECK: Duration = Duration::from_secs(15 * 60);
/// Messages on the control stream overtake everything else that waits to be sent, then the reports of sessions.
const CONTROL_PRIORITY: i32 = 2;
const REPORTS_PRIORITY: i32 = 1;

/// Serves a connection until it ends.
pub(crate) async fn serve(
    shared: &Rc<Shared>,
    spool: &Spool,
    connection: &Connection,
    subscriber: &mut Subscriber,
    identity: &RefCell<Option<Identity>>,
    store: &Store,
) -> Result<(), Fault> {
    let hello = Hello {
        boot: shared.boot,
        public_url: shared.config.public_url.clone(),
        version: env!("CARGO_PKG_VERSION").into(),
        have: subscriber.connect(),
    };
    let (mut send, recv) = connection.open_bi().await.map_err(Fault::failed)?;
    send.set_priority(CONTROL_PRIORITY).map_err(Fault::failed)?;
    send.write_all(&[StreamKind::Control.byte()]).await.map_err(Fault::failed)?;
    send.write_all(&codec::encode(&hello).map_err(Fault::failed)?).await.map_err(Fault::failed)?;

    let mut control = Reader::new(recv);
    let first = tokio::time::timeout(HANDSHAKE_TIMEOUT, control.message(MAX_MESSAGE_BYTES)).await;
    let first = first.map_err(|_| Fault::Failed("the exchange does not answer on the control stream".into()))?;
    apply(shared, subscriber, first.map_err(Fault::failed)?)?;
    *shared.link.borrow_mut() = Some(connection.clone());
    count(&shared.metrics.connections);

    let control = async {
        loop {
            let message = control.message(MAX_MESSAGE_BYTES).await.map_err(Fault::failed)?;
            apply(shared, subscriber, message)?;
        }
    };
    // The first of them to end, in whatever way, ends the connection.
    tokio::select! {
        outcome = control => outcome,
        outcome = report(shared, connection) => outcome,
        outcome = records::deliver(shared, spool, connection) => outcome,
        outcome = asks::answer(shared, connection) => outcome,
        outcome = keep_certificate(shared, connection, identity, store) => outcome,
    }
}

/// After a connection: the cores know, and everything on it fails at once.
pub(crate) fn ended(shared: &Rc<Shared>, connection: &Connection) {
    connection.close(VarInt::from_u32(CLOSE_DONE), b"");
    if shared.link.take().is_some() {
        shared.metrics.connected.store(false, Ordering::Relaxed);
        shared.to_all(ToCore::Synced(false));
        tracing::info!("the link to the exchange is down");
    }
}

fn apply(shared: &Shared, subscriber: &mut Subscriber, message: Option<Down>) -> Result<(), Fault> {
    let message = message.ok_or_else(|| Fault::Failed("the exchange ended the control stream".into()))?;
    let effects = subscriber.take(message).map_err(|lost| {
        tracing::warn!("out of step with the exchange, a snapshot is asked for: {lost}");
        Fault::failed(lost)
    })?;
    shared.metrics.revision.store(subscriber.have().map_or(0, |have| have.revision), Ordering::Relaxed);
    for effect in effects {
        match effect {
            Effect::Welcome(welcome) => {
                tracing::info!(node = %welcome.node, "linked to the exchange");
                let welcome = Arc::new(welcome);
                shared.ready.welcomed(Arc::clone(&welcome));
                shared.to_all(ToCore::Welcome(welcome));
            }
            Effect::Reset => shared.to_all(ToCore::Reset),
            Effect::Apply(ops) => shared.to_all(ToCore::Apply(ops.into())),
            Effect::Synced => {
                shared.metrics.connected.store(true, Ordering::Relaxed);
                shared.to_all(ToCore::Synced(true));
            }
            Effect::Kick { agent, session, code } => {
                shared.to_home_of(agent, ToCore::Kick { agent, session, code });
            }
            Effect::Drain { deadline_ms } => shared.to_all(ToCore::Drain { deadline_ms }),
        }
    }
    Ok(())
}

/// Sends batches and takes their acknowledgements.
async fn report(shared: &Rc<Shared>, connection: &Connection) -> Result<(), Fault> {
    shared.change_sessions(|sessions| sessions.connected());
    let (mut send, recv) = connection.open_bi().await.map_err(Fault::failed)?;
    send.set_priority(REPORTS_PRIORITY).map_err(Fault::failed)?;
    send.write_all(&[StreamKind::Reports.byte()]).await.map_err(Fault::failed)?;
    let up = async {
        loop {
            let next = shared.sessions.borrow_mut().next().map_err(Fault::failed)?;
            match next {
                Some(bytes) => send.write_chunk(bytes).await.map_err(Fault::failed)?,
                None => shared.sessions_changed.notified().await,
            }
        }
    };
    let mut acks = Reader::new(recv);
    let down = async {
        loop {
            let ack: Option<ReportAck> = acks.message(MAX_MESSAGE_BYTES).await.map_err(Fault::failed)?;
            let ack = ack.ok_or_else(|| Fault::Failed("the exchange ended the stream of reports".into()))?;
            let Some(freed) = shared.change_sessions(|sessions| sessions.acknowledge(ack.seq)) else {
                connection.close(VarInt::from_u32(CLOSE_PROTOCOL), b"acknowledged what was not sent");
                return Err(Fault::Failed("the exchange acknowledged what was not sent".into()));
            };
            shared.metrics.reports_acknowledged.fetch_add(freed as u64, Ordering::Relaxed);
        }
    };
    tokio::select! {
        outcome = up => outcome,
        outcome = down => outcome,
    }
}

/// Renews the certificate when its time comes. The next connection shows the new one.
async fn keep_certificate(
    shared: &Rc<Shared>,
    connection: &Connection,
    identity: &RefCell<Option<Identity>>,
    store: &Store,
) -> Result<(), Fault> {
    loop {
        let present = identity.borrow().clone();
        if let Some(present) = present.filter(|present| present.wants_renewal(now_s())) {
            match join::renew(connection, &present).await {
                Ok(next) => {
                    store.save(&next).map_err(Fault::failed)?;
                    shared.metrics.certificate_expires_s.store(next.not_after, Ordering::Relaxed);
                    *identity.borrow_mut() = Some(next);
                    tracing::info!("the node's certificate was renewed");
                }
                Err(fault) => tracing::warn!("the node's certificate could not be renewed: {fault}"),
            }
        }
        tokio::time::sleep(RENEWAL_CHECK).await;
    }
}
