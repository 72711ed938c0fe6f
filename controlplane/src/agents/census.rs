//! The directory from its first agent to its last, piece by piece: for whoever counts it. A piece costs a few queries for
//! every sixty-four agents, so memory is bounded however many there are.

use landline_api::agents::Agent;
use landline_wire::ids::AgentId;
use serde_json::Value;
use sqlx::AnyConnection;

use super::{a2a, card, lists, reliability, store};
use crate::db::Result;
use crate::presence::Departures;
use crate::pulse;
use crate::state::Exchange;

/// An agent as it is counted.
#[derive(Debug, Clone)]
pub(crate) struct Counted {
    /// Its row, as everybody sees it.
    pub(crate) row: Agent,
    /// Its card in A2A's own spelling. An interface without an address stands for none: the card names none.
    pub(crate) card: Value,
    /// Does the card, as it was given, carry a signature? Nothing is said about whether it verifies.
    pub(crate) is_signed: bool,
    /// When it registered, unix milliseconds.
    pub(crate) created_at: i64,
    /// When a probe last asked it, unix milliseconds.
    pub(crate) probed_at: Option<i64>,
    /// When a probe last found its present card at its host, unix milliseconds.
    pub(crate) card_seen_at: Option<i64>,
}

/// The next agents after this one in the order of their ids, without those that are blocked; none: that was the last.
pub(crate) async fn next(
    exchange: &Exchange,
    conn: &mut AnyConnection,
    after: Option<AgentId>,
    limit: u32,
    now_ms: i64,
) -> Result<Vec<Counted>> {
    let agents = store::after(conn, after, limit).await?;
    let ids: Vec<AgentId> = agents.iter().map(|agent| agent.id).collect();
    let figures = reliability::compute(conn, &agents.iter().collect::<Vec<_>>(), now_ms).await?;
    let rows = lists::described(exchange, conn, &agents, &figures, &Departures::default(), now_ms).await?;
    let pulses = pulse::ops::of(conn, &ids).await?;
    let counted = agents.iter().zip(rows).map(|(agent, row)| {
        let pulse = pulses.get(&agent.id);
        let given: Value = serde_json::from_str(&agent.card).unwrap_or_default();
        Counted {
            row,
            card: a2a::v1(&given, ""),
            is_signed: is_signed(&given),
            created_at: agent.created_at,
            probed_at: pulse.and_then(|pulse| pulse.checked_at),
            card_seen_at: pulse.and_then(|pulse| pulse.card_seen_at),
        }
    });
    Ok(counted.collect())
}

fn is_signed(given: &Value) -> bool {
    let signatures = given.as_object().and_then(|given| card::member(given, "signatures"));
    signatures.and_then(Value::as_array).is_some_and(|signatures| !signatures.is_empty())
}
