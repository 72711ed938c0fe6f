//! The stream of records of calls: read ahead, stored in groups, acknowledged when they are durable.

use std::sync::Arc;
use std::time::Duration;

use landline_link::limits::{MAX_MESSAGE_BYTES, MAX_RECORD_BATCHES_IN_FLIGHT};
use landline_link::{MAX_RECORDS, RecordAck, RecordBatch, codec};
use quinn::{RecvStream, SendStream};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Instant, timeout_at};

use super::server::Link;
use super::wire::{ReadFault, Reader};
use crate::relay;

/// How long records wait that the database did not take. They stay the first: nothing overtakes them.
const AFTER_FAULT: Duration = Duration::from_millis(500);
/// Records beyond which a group takes no further batch: enough that a commit costs little for each, few enough that
/// whoever else wants to write does not wait long.
const GROUP_RECORDS: usize = MAX_RECORDS;
/// Time between two groups of a switch, at least: a transaction writes as many pages for a few records as for hundreds. A
/// call that comes alone is stored at once.
const BETWEEN_GROUPS: Duration = Duration::from_millis(25);

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

/// The batches that are stored with this one: those that are there, and those that come until it is time. Nothing is
/// waited for once the switch has sent all that it may before it is answered.
async fn group(first: RecordBatch, take: &mut Receiver<RecordBatch>, not_before: Instant) -> Vec<RecordBatch> {
    let mut count = first.records.len();
    let mut group = vec![first];
    while count < GROUP_RECORDS
        && group.len() < MAX_RECORD_BATCHES_IN_FLIGHT
        && let Ok(Some(batch)) = timeout_at(not_before, take.recv()).await
    {
        count += batch.records.len();
        group.push(batch);
    }
    group
}

async fn store(link: &Link, mut send: SendStream, mut take: Receiver<RecordBatch>) {
    let mut not_before = Instant::now();
    while let Some(first) = take.recv().await {
        let group = group(first, &mut take, not_before).await;
        not_before = Instant::now() + BETWEEN_GROUPS;
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const FOR_EVER: Duration = Duration::from_secs(3600);

    fn batch(first: u64) -> RecordBatch {
        RecordBatch { log: Uuid::nil(), first, records: Vec::new() }
    }

    fn places(group: &[RecordBatch]) -> Vec<u64> {
        group.iter().map(|batch| batch.first).collect()
    }

    #[tokio::test]
    async fn what_is_there_is_stored_together_and_nothing_is_waited_for_when_it_is_time() {
        let (give, mut take) = channel(MAX_RECORD_BATCHES_IN_FLIGHT);
        for first in 1..4 {
            give.send(batch(first)).await.unwrap();
        }
        let group = group(batch(0), &mut take, Instant::now()).await;
        assert_eq!(places(&group), [0, 1, 2, 3]);
    }

    #[tokio::test]
    async fn before_it_is_time_a_group_takes_what_comes_until_the_switch_may_send_no_more() {
        let (give, mut take) = channel(1);
        let sender = tokio::spawn(async move {
            for first in 1..100 {
                give.send(batch(first)).await.unwrap();
            }
        });
        let not_before = Instant::now() + FOR_EVER;
        let group =
            tokio::time::timeout(Duration::from_secs(30), group(batch(0), &mut take, not_before)).await.unwrap();
        assert_eq!(places(&group), (0..MAX_RECORD_BATCHES_IN_FLIGHT as u64).collect::<Vec<_>>());
        sender.abort();
    }

    #[tokio::test]
    async fn a_switch_that_is_gone_is_not_waited_for() {
        let (give, mut take) = channel(1);
        drop(give);
        let waits = group(batch(0), &mut take, Instant::now() + FOR_EVER);
        let group = tokio::time::timeout(Duration::from_secs(30), waits).await.unwrap();
        assert_eq!(places(&group), [0]);
    }
}
