//! The control stream: welcome, then the state and its changes as they are committed, and kicks and commands between.

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use landline_link::limits::{HANDSHAKE_TIMEOUT, MAX_MESSAGE_BYTES};
use landline_link::{Cursor, Down, Hello, Need, Publisher, Welcome, codec};
use quinn::{RecvStream, SendStream};
use tokio::sync::mpsc;

use super::server::Link;
use super::store;
use super::wire::Reader;
use crate::db::{DbError, outbox};
use crate::state::Exchange;

/// How often the outbox is looked at without a bell: changes by another exchange on the same database, or by hand.
const POLL: Duration = Duration::from_millis(200);
/// How long a database that failed is left alone.
const AFTER_FAULT: Duration = Duration::from_secs(1);
/// Ops read at once.
const READ: u32 = 1_000;
/// Revocations overtake everything else that waits for the connection.
const PRIORITY: i32 = 2;

enum Fault {
    Db(DbError),
    /// The stream is gone, and with it the connection, or soon.
    Stream,
}

impl From<DbError> for Fault {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

/// Serves a node's control stream until its connection ends.
pub(crate) async fn run(link: Arc<Link>, send: SendStream, recv: RecvStream, mut queue: mpsc::Receiver<Down>) {
    let mut reader = Reader::new(recv);
    let hello = tokio::time::timeout(HANDSHAKE_TIMEOUT, reader.expect::<Hello>(MAX_MESSAGE_BYTES)).await;
    let Ok(Ok(hello)) = hello else { return link.broken("no hello on the control stream") };
    let _ = send.set_priority(PRIORITY);
    let exchange = &link.shared.exchange;
    // Subscribed before the first read, so that no change falls between the two.
    let mut bell = exchange.outbox_rung();
    let mut out = Out { send, buffer: BytesMut::new() };
    let mut publisher = Publisher::new(hello.have);
    let _ = link.boot.set(hello.boot);
    let mut greeted = false;
    loop {
        bell.borrow_and_update();
        let outcome = async {
            if !greeted {
                greet(&link, &hello, &mut out).await?;
                greeted = true;
            }
            publish(exchange, &mut publisher, &mut out).await
        };
        let wait = match outcome.await {
            Ok(()) => POLL,
            Err(Fault::Stream) => return,
            Err(Fault::Db(error)) => {
                tracing::error!(node = %link.node, "the outbox cannot be read: {error}");
                AFTER_FAULT
            }
        };
        tokio::select! {
            changed = bell.changed(), if wait == POLL => if changed.is_err() { return },
            () = tokio::time::sleep(wait) => {}
            message = queue.recv(), if greeted => {
                let Some(message) = message else { return };
                if out.send(std::iter::once(message).chain(drain(&mut queue))).await.is_err() {
                    return;
                }
            }
            _ = link.connection.closed() => return,
        }
    }
}

/// What waits in the queue now.
fn drain(queue: &mut mpsc::Receiver<Down>) -> impl Iterator<Item = Down> {
    std::iter::from_fn(|| queue.try_recv().ok())
}

/// Notes how the node is to be reached, and welcomes it.
async fn greet(link: &Link, hello: &Hello, out: &mut Out) -> Result<(), Fault> {
    let exchange = &link.shared.exchange;
    let now = exchange.clock.now_ms();
    let mut tx = exchange.db.begin().await?;
    store::hello(&mut tx, link.node, &hello.public_url, &hello.version, hello.boot, now).await?;
    tx.commit().await.map_err(DbError::from)?;
    let welcome = Welcome {
        node: link.node,
        public_url: exchange.config.public_url.clone(),
        prefix: exchange.config.prefix.clone(),
        issuer: exchange.issuer().to_owned(),
    };
    out.send([Down::Welcome(welcome)]).await
}

/// Sends everything that the node does not have.
async fn publish(exchange: &Exchange, publisher: &mut Publisher, out: &mut Out) -> Result<(), Fault> {
    loop {
        let current = outbox::cursor(exchange).await?;
        match publisher.need(current, oldest(exchange, publisher.sent(), current).await?) {
            Need::Nothing => return out.send(publisher.current()).await,
            Need::Snapshot => {
                let (place, ops) = outbox::snapshot(exchange).await?;
                out.send(publisher.snapshot(place, ops)).await?;
            }
            Need::After(revision) => {
                let rows = outbox::after(exchange, revision, READ).await?;
                // A gap: the outbox was pruned meanwhile. The next turn sends a snapshot.
                if let Ok(messages) = publisher.deltas(rows) {
                    out.send(messages).await?;
                }
            }
        }
    }
}

/// The oldest op that is kept, if that matters.
async fn oldest(exchange: &Exchange, sent: Option<Cursor>, current: Cursor) -> Result<Option<u64>, DbError> {
    if sent.is_none_or(|sent| sent == current) { Ok(None) } else { outbox::oldest(exchange).await }
}

struct Out {
    send: SendStream,
    buffer: BytesMut,
}

impl Out {
    async fn send(&mut self, messages: impl IntoIterator<Item = Down>) -> Result<(), Fault> {
        for message in messages {
            codec::encode_into(&message, &mut self.buffer).map_err(|error| {
                tracing::error!("a message of the control stream cannot be encoded: {error}");
                Fault::Stream
            })?;
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.send.write_chunk(self.buffer.split().freeze()).await.map_err(|_| Fault::Stream)
    }
}
