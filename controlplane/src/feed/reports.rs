//! The stream of reports: each batch is applied once, and acknowledged when it is durable.

use std::sync::Arc;
use std::time::Duration;

use landline_link::limits::MAX_MESSAGE_BYTES;
use landline_link::{MAX_BATCH, ReportAck, ReportBatch, codec};
use quinn::{RecvStream, SendStream};

use super::server::Link;
use super::wire::Reader;
use crate::relay;

/// How long a batch waits that the database did not take. It stays the first: nothing overtakes it.
const AFTER_FAULT: Duration = Duration::from_millis(500);

/// Serves a node's reports until its connection ends.
pub(crate) async fn run(link: Arc<Link>, mut send: SendStream, recv: RecvStream) {
    let Some(boot) = link.boot.get().copied() else { return link.broken("reports before the hello") };
    let mut reader = Reader::new(recv);
    loop {
        let batch: ReportBatch = match reader.message(MAX_MESSAGE_BYTES).await {
            Ok(Some(batch)) => batch,
            Ok(None) | Err(super::wire::ReadFault::Stream(_)) => return,
            Err(fault) => return link.broken(&fault.to_string()),
        };
        if batch.reports.len() > MAX_BATCH {
            return link.broken("a batch of too many reports");
        }
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
        link.shared.registry.kick(kicks);
        let Ok(ack) = codec::encode(&ReportAck { seq: batch.seq }) else { return };
        if send.write_chunk(ack).await.is_err() {
            return;
        }
    }
}
