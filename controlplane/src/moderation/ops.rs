//! Use cases of moderation.

use landline_api::Page;
use landline_api::admin::{Moderation, Node, Session};
use landline_api::time::rfc3339_ms;
use landline_link::Op;
use landline_wire::error::{Code, Problem};
use landline_wire::ids::{AgentId, NodeId};

use super::store;
use crate::agents;
use crate::db::outbox;
use crate::error::{Error, Result};
use crate::extract::Window;
use crate::feed;
use crate::presence;
use crate::state::{Exchange, FeedCommand};

/// Blocks an agent with a reason, or unblocks it (`None`). Its lines close with 4010 as soon as the switches hear of it.
pub async fn block(exchange: &Exchange, agent: AgentId, reason: Option<String>) -> Result<Moderation> {
    let now_ms = exchange.clock.now_ms();
    let mut tx = exchange.db.begin().await?;
    agents::ops::stored(&mut tx, agent).await?;
    let blocked = reason.is_some();
    store::set_block(&mut tx, agent, blocked.then_some(now_ms), reason, now_ms).await?;
    let state = store::state(&mut tx, agent).await?;
    outbox::append(&mut tx, &Op::Block { agent, blocked }, now_ms).await?;
    tx.commit().await?;
    exchange.ring();
    exchange.search.ring();
    tracing::info!(%agent, blocked, "moderation");
    state.ok_or_else(|| Error::plain(Code::NotFound))
}

/// Features an agent, or ceases to.
pub async fn feature(exchange: &Exchange, agent: AgentId, featured: bool) -> Result<Moderation> {
    let now_ms = exchange.clock.now_ms();
    let mut tx = exchange.db.begin().await?;
    agents::ops::stored(&mut tx, agent).await?;
    store::set_featured(&mut tx, agent, featured.then_some(now_ms)).await?;
    let state = store::state(&mut tx, agent).await?;
    tx.commit().await?;
    state.ok_or_else(|| Error::plain(Code::NotFound))
}

/// Takes it as proven that the host of an agent's URL stands behind its card: from now on the exchange calls it there
/// while it has no line. `origin` is what the operator looked at; a card that moved meanwhile is not proven. `None` takes
/// the proof back.
pub async fn prove_origin(exchange: &Exchange, agent: AgentId, origin: Option<&str>) -> Result<Moderation> {
    let mut tx = exchange.db.begin().await?;
    agents::ops::prove_origin(&mut tx, agent, origin, exchange.clock.now_ms()).await?;
    let state = store::state(&mut tx, agent).await?;
    tx.commit().await?;
    tracing::info!(%agent, origin = origin.unwrap_or("none"), "moderation: proof of origin");
    state.ok_or_else(|| Error::plain(Code::NotFound))
}

/// Lines that are up, newest first.
pub async fn sessions(exchange: &Exchange, window: Window) -> Result<Page<Session>> {
    let lines = {
        let mut conn = exchange.db.read().acquire().await?;
        presence::store::list(&mut conn, window.limit, window.offset).await?
    };
    let total = presence::ops::lines(exchange).await?;
    let items = lines.into_iter().map(|line| Session {
        session_id: line.session,
        agent_id: line.agent,
        node_id: line.node,
        started_at: rfc3339_ms(line.started_at),
        credential: if line.by_token { "token" } else { "api_key" }.to_owned(),
    });
    Ok(Page { items: items.collect(), total, limit: window.limit, offset: window.offset })
}

/// The switches of the cluster, in the order in which they joined.
pub async fn nodes(exchange: &Exchange) -> Result<Vec<Node>> {
    let nodes = feed::nodes::list(exchange).await?;
    let lines = presence::store::lines_per_node(&mut *exchange.db.read().acquire().await?).await?;
    let node = |node: feed::nodes::Node| Node {
        node_id: node.id,
        lines: lines.get(&node.id).copied().unwrap_or_default(),
        public_url: node.public_url,
        version: node.version,
        joined_at: rfc3339_ms(node.joined_at),
        last_seen: rfc3339_ms(node.last_seen),
        revoked_at: node.revoked_at.map(rfc3339_ms),
    };
    Ok(nodes.into_iter().map(node).collect())
}

/// Tells a switch to leave within so many milliseconds.
pub async fn drain(exchange: &Exchange, node: NodeId, deadline_ms: u64) -> Result<()> {
    let known = feed::nodes::list(exchange).await?;
    if !known.iter().any(|known| known.id == node && known.revoked_at.is_none()) {
        return Err(unknown_node());
    }
    if exchange.command_feed(FeedCommand::Drain { node, deadline_ms }) {
        Ok(())
    } else {
        Err(Error::new(Code::Conflict, "This exchange has no feed that could tell the switch."))
    }
}

/// Revokes a switch: its certificate is refused from now on, its connection is closed, its lines are taken for gone.
pub async fn revoke_node(exchange: &Exchange, node: NodeId) -> Result<()> {
    if feed::nodes::revoke(exchange, node).await? { Ok(()) } else { Err(unknown_node()) }
}

fn unknown_node() -> Error {
    Problem::new(Code::NotFound, "No switch that is not revoked has this id.").field("node_id").into()
}
