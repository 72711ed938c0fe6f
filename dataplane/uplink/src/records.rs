//! Records of calls on one connection: batches up, acknowledgements down.

use std::rc::Rc;
use std::sync::atomic::Ordering;

use landline_link::limits::{CLOSE_PROTOCOL, MAX_MESSAGE_BYTES};
use landline_link::{RecordAck, StreamKind};
use quinn::{Connection, VarInt};

use crate::join::Fault;
use crate::run::Shared;
use crate::spool::Spool;
use crate::wire::Reader;

/// There is much of it, and it can wait: everything else on the link goes before.
const PRIORITY: i32 = -1;

/// Sends batches and takes their acknowledgements, until the connection ends.
pub(crate) async fn deliver(shared: &Rc<Shared>, spool: &Spool, connection: &Connection) -> Result<(), Fault> {
    shared.flight.borrow_mut().connected();
    let (mut send, recv) = connection.open_bi().await.map_err(Fault::failed)?;
    send.set_priority(PRIORITY).map_err(Fault::failed)?;
    send.write_all(&[StreamKind::Records.byte()]).await.map_err(Fault::failed)?;
    let up = async {
        loop {
            let next = shared.flight.borrow_mut().next();
            match next {
                Some(mut batch) => send.write_all_chunks(&mut batch.pieces).await.map_err(Fault::failed)?,
                None => shared.flight_grown.notified().await,
            }
        }
    };
    let mut acks = Reader::new(recv);
    let down = async {
        loop {
            let ack: Option<RecordAck> = acks.message(MAX_MESSAGE_BYTES).await.map_err(Fault::failed)?;
            let ack = ack.ok_or_else(|| Fault::Failed("the exchange ended the stream of records".into()))?;
            let Some(freed) = shared.flight.borrow_mut().acknowledge(ack) else {
                connection.close(VarInt::from_u32(CLOSE_PROTOCOL), b"acknowledged records that were not sent");
                return Err(Fault::Failed("the exchange acknowledged records that were not sent".into()));
            };
            shared.metrics.spool.acknowledged.fetch_add(freed, Ordering::Release);
            spool.acknowledged(ack);
        }
    };
    tokio::select! {
        outcome = up => outcome,
        outcome = down => outcome,
    }
}
