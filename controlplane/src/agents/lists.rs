//! What is shown of agents: their rows, one by one and in lists, put together from what several slices know. A row costs no
//! query of its own.

use landline_api::Listing;
use landline_api::agents::{Agent, Reliability};
use landline_wire::error::Code;
use landline_wire::ids::AgentId;
use sqlx::AnyConnection;

use super::listing::{Order, Piece};
use super::model::{Known, Stored};
use super::ops::visible;
use super::reliability::{self, Figures};
use super::store;
use crate::db;
use crate::error::{Error, Result};
use crate::presence::Departures;
use crate::pulse::{self, Pulse};
use crate::state::Exchange;

/// An agent's row.
pub async fn get(exchange: &Exchange, id: AgentId) -> Result<Agent> {
    let now_ms = exchange.clock.now_ms();
    let departures = exchange.leaving.now();
    let mut conn = exchange.db.read().acquire().await?;
    let agent = visible(&mut conn, id).await?;
    let figures = reliability::compute(&mut conn, &[&agent], now_ms).await?;
    let row = described(exchange, &mut conn, std::slice::from_ref(&agent), &figures, &departures, now_ms).await?.pop();
    row.ok_or_else(|| Error::plain(Code::NotFound))
}

/// How an agent did of late.
pub async fn reliability_of(exchange: &Exchange, id: AgentId) -> Result<Reliability> {
    let mut conn = exchange.db.read().acquire().await?;
    let agent = visible(&mut conn, id).await?;
    let now_ms = exchange.clock.now_ms();
    let figures = reliability::compute(&mut conn, &[&agent], now_ms).await?.pop();
    figures.map(|figures| figures.shown(agent.last_seen(now_ms))).ok_or_else(|| Error::plain(Code::NotFound))
}

/// A list of the directory.
pub async fn list(exchange: &Exchange, piece: &Piece) -> Result<Listing<Agent>> {
    let departures = exchange.leaving.now();
    let mut conn = exchange.db.read().acquire().await?;
    let (agents, total, next) = store::list(&mut conn, piece, exchange.clock.now_ms()).await?;
    let mut items = rows_as_of(exchange, &mut conn, &agents, &departures).await?;
    if piece.after.0 == Order::Online {
        // Who has left, and is about to be stored as gone.
        items.retain(|agent| agent.online);
    }
    let total = total.saturating_sub((agents.len() - items.len()) as u64);
    let next_cursor = next.map(|place| place.cursor());
    Ok(Listing { items, total, limit: piece.limit, offset: piece.offset, next_cursor })
}

/// The rows of a list, in its order.
pub(crate) async fn rows(exchange: &Exchange, conn: &mut AnyConnection, agents: &[Stored]) -> Result<Vec<Agent>> {
    rows_as_of(exchange, conn, agents, &exchange.leaving.now()).await
}

/// The same, with the ends of lines that waited to be stored when the agents were read.
async fn rows_as_of(
    exchange: &Exchange,
    conn: &mut AnyConnection,
    agents: &[Stored],
    departures: &Departures,
) -> Result<Vec<Agent>> {
    let now_ms = exchange.clock.now_ms();
    let figures = reliability::recent(conn, &exchange.reliability, agents, now_ms).await?;
    Ok(described(exchange, conn, agents, &figures, departures, now_ms).await?)
}

/// The rows of agents with these figures.
pub(super) async fn described(
    exchange: &Exchange,
    conn: &mut AnyConnection,
    agents: &[Stored],
    figures: &[Figures],
    departures: &Departures,
    now_ms: i64,
) -> db::Result<Vec<Agent>> {
    let ids: Vec<AgentId> = agents.iter().map(|agent| agent.id).collect();
    let pulses = pulse::ops::of(conn, &ids).await?;
    let dormant_after_ms = exchange.config.probes.dormant_after_ms;
    let row = |(agent, figures): (&Stored, &Figures)| {
        let pulse = pulses.get(&agent.id).unwrap_or(&Pulse::UNKNOWN);
        let lines = departures.staying(agent.id, agent.lines);
        agent.row(&Known { figures, pulse, lines, dormant_after_ms }, now_ms)
    };
    Ok(agents.iter().zip(figures).map(row).collect())
}
