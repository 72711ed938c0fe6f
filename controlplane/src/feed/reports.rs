//! The stream of reports: each batch is applied once, and acknowledged when it is durable.

use std::sync::Arc;
use std::time::Duration;

use landline_link::limits::{MAX_BATCHES_IN_FLIGHT, MAX_MESSAGE_BYTES};
use landline_link::{MAX_BATCH, ReportAck, ReportBatch, codec};
use quinn::{RecvStream, SendStream};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::server::Link;
use super::wire::{ReadFault, Reader};
use crate::presence::Noted;
use crate::relay;

/// How long a batch waits that the database did not take. It stays the first: nothing overtakes it.
const AFTER_FAULT: Duration = Duration::from_millis(500);

/// Serves a node's reports until its connection ends. They are read ahead of the database, so that who has left is known
/// before its end is stored.
pub(crate) async fn run(link: Arc<Link>, send: SendStream, recv: RecvStream) {
    let Some(boot) = link.boot.get().copied() else { return link.broken("reports before the hello") };
    let (queue, batches) = mpsc::channel(MAX_BATCHES_IN_FLIGHT);
    // Whichever ends first ends the other: without a reader the queue closes, without a writer nothing is acknowledged.
    tokio::join!(read(&link, recv, queue), apply(&link, boot, send, batches));
}

type Batch = (ReportBatch, Noted);

async fn read(link: &Link, recv: RecvStream, queue: mpsc::Sender<Batch>) {
    let mut reader = Reader::new(recv);
    loop {
        let read = tokio::select! {
            read = reader.message::<ReportBatch>(MAX_MESSAGE_BYTES) => read,
            () = queue.closed() => return,
        };
        let batch = match read {
            Ok(Some(batch)) => batch,
            Ok(None) | Err(ReadFault::Stream(_)) => return,
            Err(fault) => return link.broken(&fault.to_string()),
        };
        if batch.reports.len() > MAX_BATCH {
            return link.broken("a batch of too many reports");
        }
        let noted = link.shared.exchange.leaving.note(&batch);
        if queue.send((batch, noted)).await.is_err() {
            return;
        }
    }
}

async fn apply(link: &Link, boot: Uuid, mut send: SendStream, mut batches: mpsc::Receiver<Batch>) {
    while let Some((batch, noted)) = batches.recv().await {
        let kicks = loop {
            match relay::ops::ingest(&link.shared.exchange, link.node, boot, &batch).await {
                Ok(kicks) => break kicks,
                Err(error) => tracing::error!(node = %link.node, seq = batch.seq, "reports were not stored: {error}"),
            }
            tokio::select! {
                () = tokio::time::sleep(AFTER_FAULT) => {}
                _ = link.connection.closed() => return,
            }
        };
        drop(noted);
        link.shared.exchange.nodes.kick(kicks);
        let Ok(ack) = codec::encode(&ReportAck { seq: batch.seq }) else { return };
        if send.write_chunk(ack).await.is_err() {
            return;
        }
    }
}
