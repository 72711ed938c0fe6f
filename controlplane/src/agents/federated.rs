//! Agents that their own hosts describe: listed without anybody's registration, under a key that nobody has. Their cards
//! follow the host.

use landline_wire::error::{Code, Problem};
use landline_wire::ids::AgentId;

use super::card::{self, Card};
use super::display::Display;
use super::ops::{FEDERATED, Sent, check_free};
use super::{history, store};
use crate::auth;
use crate::error::{Error, Result};
use crate::events::{self, Directory};
use crate::pulse;
use crate::relay;
use crate::secrets::random;
use crate::state::Exchange;

/// A URL that was submitted.
const SUBMISSION: Sent = Sent { name_field: "card.name", endpoint: "POST /v1/submissions" };

/// What a card that was found became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Federated {
    /// It is listed, now or before.
    Listed(AgentId),
    /// Its agent registered by itself; its entry is its owner's.
    Registered(AgentId),
}

/// Lists the agent of a card that was found at a URL, or lets its entry follow the card.
///
/// # Errors
/// The card does not pass, names another host than the one where it was found, or a name that another agent has.
pub(crate) async fn federate(exchange: &Exchange, found_at: &str, text: &str) -> Result<Federated> {
    let text = text.trim();
    let value = serde_json::from_str(text).map_err(|_| card::fault("card", "The card is not JSON."))?;
    let card = card::parse(&value, "card", &exchange.config.public_url)?;
    card::one_reading(text, "card")?;
    let (Some(key), true) = (&card.url_key, relay::direct::same_origin(card.url.as_deref(), Some(found_at))) else {
        let detail = "The card names another host than the one where it was found.";
        return Err(Problem::new(Code::InvalidCard, detail).field(card.url_field.as_str()).into());
    };
    if text.contains('\0') || text.contains("\\u0000") {
        return Err(card::fault("card", "The card's strings must not contain the character U+0000."));
    }
    let now_ms = exchange.clock.now_ms();
    let mut tx = exchange.db.begin().await?;
    let (id, change) = match store::by_url(&mut tx, key).await? {
        Some(agent) if agent.source != FEDERATED => return Ok(Federated::Registered(agent.id)),
        Some(agent) if agent.card == text => return Ok(Federated::Listed(agent.id)),
        Some(agent) => {
            check_free(&mut tx, &card, SUBMISSION, agent.id).await?;
            store::lock(&mut tx, agent.id, now_ms).await?;
            history::keep(&mut tx, &agent, now_ms).await?;
            store::set_card(&mut tx, agent.id, &card, text, now_ms).await?;
            (agent.id, Directory::Updated)
        }
        None => (list(exchange, &mut tx, &card, text, now_ms).await?, Directory::Registered),
    };
    pulse::ops::card_given(&mut tx, id, true, now_ms).await?;
    tx.commit().await?;
    events::publish_change(exchange, change, id, &card.name, now_ms);
    Ok(Federated::Listed(id))
}

async fn list(
    exchange: &Exchange,
    tx: &mut sqlx::AnyConnection,
    card: &Card,
    text: &str,
    now_ms: i64,
) -> Result<AgentId> {
    let id = AgentId::from_parts(now_ms.max(0).unsigned_abs(), random::<10>().map_err(Error::Internal)?);
    check_free(tx, card, SUBMISSION, id).await?;
    let display = Display::default();
    let new = store::New { id, card, original: text, display: &display, source: FEDERATED, now_ms };
    store::insert(tx, &new).await?;
    // A key that is thrown away: whoever claims the agent gets another one.
    auth::ops::first_key(tx, id, &auth::ops::make_key(exchange)?, now_ms).await?;
    Ok(id)
}
