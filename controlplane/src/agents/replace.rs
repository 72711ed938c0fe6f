//! Replacing a card, and the form in which one is given out.

use landline_api::agents::CardReplaced;
use landline_wire::error::{Code, Problem};
use landline_wire::ids::AgentId;

use super::model::Stored;
use super::ops::{Sent, check_free, explain_conflict, get, locked, twice};
use super::{a2a, card, etag, history, store};
use crate::error::Result;
use crate::events::{self, Directory};
use crate::extract::JsonBody;
use crate::pulse;
use crate::relay;
use crate::state::Exchange;

/// Replaces the card; the one before goes into the history. The body is the card, or an object whose `card` it is.
/// `if_match`: what the caller takes the current card to be.
pub(crate) async fn replace(
    exchange: &Exchange,
    id: AgentId,
    body: &JsonBody,
    if_match: Option<&str>,
) -> Result<CardReplaced> {
    let wrapped = body.value.get("card").filter(|_| body.value.get("name").is_none());
    let (given, at) = wrapped.map_or((&body.value, ""), |card| (card, "card"));
    let name_field = if at.is_empty() { "name" } else { "card.name" };
    let sent = Sent { name_field, endpoint: "PUT /v1/agents/{agent_id}/card" };
    let card = card::parse(given, at, &exchange.config.public_url)?;
    let original = card::text_of(&body.text, wrapped.is_some()).ok_or_else(twice)?;
    card::one_reading(original, at)?;
    let now_ms = exchange.clock.now_ms();
    let mut tx = exchange.db.begin().await?;
    let before = locked(&mut tx, id, now_ms).await?;
    if let Some(if_match) = if_match {
        expect(exchange, &before, if_match)?;
    }
    if before.card == original {
        // Nothing changes: no time, no history, no event.
        drop(tx);
        return Ok(CardReplaced { agent: get(exchange, id).await?, warnings: card.warnings });
    }
    check_free(&mut tx, &card, sent, id).await?;
    history::keep(&mut tx, &before, now_ms).await?;
    if let Err(error) = store::set_card(&mut tx, id, &card, original, now_ms).await {
        drop(tx);
        return Err(explain_conflict(exchange, error, &card, sent, id).await);
    }
    if before.origin_proven && !relay::direct::same_origin(before.url.as_deref(), card.url.as_deref()) {
        store::set_origin_proof(&mut tx, id, None).await?;
    }
    pulse::ops::card_given(&mut tx, id, card.url.is_some(), now_ms).await?;
    tx.commit().await?;
    events::publish_change(exchange, Directory::Updated, id, &card.name, now_ms);
    Ok(CardReplaced { agent: get(exchange, id).await?, warnings: card.warnings })
}

/// Refuses to replace a card that is another than the caller read, in either form in which it is given out.
fn expect(exchange: &Exchange, agent: &Stored, if_match: &str) -> Result<()> {
    let current = [etag::of(&agent.card), etag::of(&card_v1(exchange, agent.id, &agent.card))];
    if etag::is_expected(if_match, &current) {
        return Ok(());
    }
    let detail = "The card is not the one that `If-Match` names: read it again, then replace it.";
    Err(Problem::new(Code::Conflict, detail).field("if-match").endpoint("GET /v1/agents/{agent_id}/card").into())
}

/// Where an agent is called over the relay.
pub(crate) fn relay_url(exchange: &Exchange, id: AgentId) -> String {
    format!("{}{}/relay/{id}", exchange.config.public_url, exchange.config.prefix)
}

/// A card as A2A clients are given it.
pub(crate) fn card_v1(exchange: &Exchange, id: AgentId, card: &str) -> String {
    a2a::v1(&serde_json::from_str(card).unwrap_or_default(), &relay_url(exchange, id)).to_string()
}
