//! A question of ours to an agent that holds a line on a switch that is connected here.

use std::time::Duration;

use landline_link::limits::MAX_MESSAGE_BYTES;
use landline_link::{Ask, StreamKind, Told, codec};
use landline_wire::error::Code;
use landline_wire::ids::NodeId;
use quinn::Connection;
use tokio::time::timeout;

use super::wire::Reader;
use crate::state::Exchange;

/// How much longer than the agent's own deadline its switch is waited for.
const GRACE: Duration = Duration::from_secs(3);

/// Asks, and waits for the answer. `None`: the switch is not connected here.
pub(crate) async fn ask(exchange: &Exchange, node: NodeId, question: &Ask) -> Option<Told> {
    let connection = exchange.nodes.connection(node)?;
    let wait = Duration::from_millis(question.timeout_ms) + GRACE;
    let asked = timeout(wait, put(&connection, question)).await;
    Some(asked.ok().flatten().unwrap_or_else(|| Told::failed(Code::AgentTimeout)))
}

async fn put(connection: &Connection, question: &Ask) -> Option<Told> {
    let bytes = codec::encode(question).ok()?;
    let (mut send, recv) = connection.open_bi().await.ok()?;
    send.write_all(&[StreamKind::Ask.byte()]).await.ok()?;
    send.write_chunk(bytes).await.ok()?;
    send.finish().ok()?;
    Reader::new(recv).message(MAX_MESSAGE_BYTES).await.ok()?
}
