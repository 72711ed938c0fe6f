//! The stream of records of calls: read ahead, stored in groups, acknowledged when they are durable.

use std::sync::Arc;
use std::time::Duration;

use landline_link::limits::{MAX_MESSAGE_BYTES, MAX_RECORD_BATCHES_IN_FLIGHT};
use landline_link::{MAX_RECORDS, RecordAck, RecordBatch, codec};
use quinn::{RecvStream, SendStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::server::Link;
use super::wire::{ReadFault, Reader};
use crate::relay;

/// How long records wait that the database did not take. They stay the first: nothing overtakes them.
const AFTER_FAULT: Duration = Duration::from_millis(500);
/// Records beyond which a group takes no further batch: enough that a commit costs little for each, few enough that
/// whoever else wants to write does not wait long.
const GROUP_RECORDS: usize = MAX_RECORDS;

/// Serves a node's records until its connection ends.
pub(crate) async fn run(link: Arc<Link>, send: SendStream, recv: RecvStream) {
    let (give, take) = channel(MAX_RECORD_BATCHES_IN_FLIGHT);
    tokio::select! {
        () = read(&link, Reader::new(recv), give) => {}
        () = store(&link, send, take) => {}
    }
}

async fn read(link: &Link, mut reader: Reader, give: Sender<RecordBatch>) {
    loop {
        let batch: RecordBatch = match reader.message(MAX_MESSAGE_BYTES).await {
            Ok(Some(batch)) => batch,
            Ok(None) | Err(ReadFault::Stream(_)) => return,
            Err(fault) => return link.broken(&fault.to_string()),
        };
        // A place is stored as a signed number.
        let last = i64::try_from(batch.first).ok().and_then(|first| first.checked_add(MAX_RECORDS as i64));
        if batch.records.len() > MAX_RECORDS || last.is_none() {
            return link.broken("a batch of too many records");
        }
        if give.send(batch).await.is_err() {
            return;
        }
    }
}

async fn store(link: &Link, mut send: SendStream, mut take: Receiver<RecordBatch>) {
    while let Some(first) = take.recv().await {
        let mut count = first.records.len();
        let mut group = vec![first];
        while count < GROUP_RECORDS
            && let Ok(batch) = take.try_recv()
        {
            count += batch.records.len();
            group.push(batch);
        }
        loop {
            match relay::ops::record(&link.shared.exchange, link.node, &group).await {
                Ok(true) => break,
                Ok(false) => tracing::warn!(node = %link.node, "two connections of a switch report the same records"),
                Err(error) => tracing::error!(node = %link.node, "records of calls were not stored: {error}"),
            }
            tokio::time::sleep(AFTER_FAULT).await;
        }
        for run in group.chunk_by(|one, next| one.log == next.log) {
            let Some(last) = run.last() else { continue };
            let next = last.first + last.records.len() as u64;
            let Ok(ack) = codec::encode(&RecordAck { log: last.log, next }) else { return };
            if send.write_chunk(ack).await.is_err() {
                return;
            }
        }
    }
}
