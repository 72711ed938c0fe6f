//! Use cases of the directory.

use landline_api::agents::Agent;
use landline_link::{LookupAnswer, Op, Policy};
use landline_wire::error::{Code, Problem};
use landline_wire::ids::{AgentId, NodeId};
use serde_json::{Map, Value};
use sqlx::AnyConnection;

use super::card::Card;
use super::display;
pub(crate) use super::federated::{Federated, federate};
pub(crate) use super::lists::rows;
pub use super::lists::{get, list, reliability_of};
pub(crate) use super::many::{entries_of, listed, named, online_ids, rows_of};
use super::model::{self, Stored};
pub(crate) use super::register::register;
use super::store;
use crate::auth;
use crate::db::{self, DbError, Tx, outbox};
use crate::error::{Error, Result};
use crate::events::{self, Directory};
use crate::presence;
use crate::pulse;
use crate::relay;
use crate::state::Exchange;

/// Names that are offered when one is taken.
const OFFERED: usize = 3;
/// Where a card came from: its agent's own registration, or a look at its host.
pub(super) const SELF_REGISTERED: &str = "self_registered";
pub(crate) const FEDERATED: &str = "federated";

pub(super) fn twice() -> Error {
    Error::invalid("card", "`card` must be given once.")
}

pub(super) fn object(body: &Value) -> Result<&Map<String, Value>> {
    body.as_object().ok_or_else(|| Error::invalid("body", "The body must be a JSON object."))
}

/// The request that a card came with, for whoever has to send it again.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sent {
    /// The path of the card's name in the body.
    pub(super) name_field: &'static str,
    pub(super) endpoint: &'static str,
}

/// Refuses a name or URL that another agent has.
pub(super) async fn check_free(conn: &mut AnyConnection, card: &Card, sent: Sent, id: AgentId) -> Result<()> {
    if store::name_taken(conn, &card.name, id).await? {
        let mut free = Vec::new();
        for name in model::similar_names(&card.name, id) {
            if free.len() < OFFERED && !store::name_taken(conn, &name, id).await? {
                free.push(name);
            }
        }
        let detail = format!("Agent name '{}' is already in use.", card.name);
        return Err(Problem::new(Code::NameTaken, detail)
            .field(sent.name_field)
            .suggest(free)
            .endpoint(sent.endpoint)
            .into());
    }
    if let Some(key) = &card.url_key
        && store::url_taken(conn, key, id).await?
    {
        let problem = Problem::new(Code::UrlTaken, "Another agent has this URL.").field(card.url_field.as_str());
        return Err(problem.endpoint(sent.endpoint).into());
    }
    Ok(())
}

/// A unique violation means that someone else was faster: says which of the two it was.
pub(super) async fn explain_conflict(
    exchange: &Exchange,
    error: DbError,
    card: &Card,
    sent: Sent,
    id: AgentId,
) -> Error {
    let DbError::Driver(driver) = &error else { return error.into() };
    if !db::is_unique_violation(driver) {
        return error.into();
    }
    let mut conn = match exchange.db.read().acquire().await {
        Ok(conn) => conn,
        Err(error) => return error.into(),
    };
    match check_free(&mut conn, card, sent, id).await {
        Err(taken) => taken,
        Ok(()) => Error::new(Code::Conflict, "Another registration was faster; try again."),
    }
}

/// The stored agent; 404 if there is none, 410 if it was removed.
pub(crate) async fn stored(conn: &mut AnyConnection, id: AgentId) -> Result<Stored> {
    match store::get(conn, id).await? {
        Some(agent) => Ok(agent),
        None if store::is_removed(conn, id).await? => Err(Error::new(Code::Gone, "The agent was deleted.")),
        None => Err(Error::new(Code::NotFound, "No agent has this id.")),
    }
}

/// The stored agent, unless it was blocked.
pub(crate) async fn visible(conn: &mut AnyConnection, id: AgentId) -> Result<Stored> {
    let agent = stored(conn, id).await?;
    if agent.blocked { Err(Error::plain(Code::TargetBlocked)) } else { Ok(agent) }
}

/// An agent's card as it was given, with the time of its last change.
pub(crate) async fn card_of(exchange: &Exchange, id: AgentId) -> Result<Stored> {
    visible(&mut *exchange.db.read().acquire().await?, id).await
}

/// Changes the fields beside the card.
pub(crate) async fn update(exchange: &Exchange, id: AgentId, body: &Value) -> Result<Agent> {
    let body = object(body)?;
    display::refuse_unknown(body)?;
    let now_ms = exchange.clock.now_ms();
    let mut tx = exchange.db.begin().await?;
    let before = locked(&mut tx, id, now_ms).await?;
    let display = display::apply(body, before.display.clone())?;
    store::set_display(&mut tx, id, &display).await?;
    let policy = model::policy(&display);
    let policy_changed = policy != model::policy(&before.display);
    if policy_changed {
        outbox::append(&mut tx, &Op::Policy { agent: id, policy }, now_ms).await?;
    }
    tx.commit().await?;
    if policy_changed {
        exchange.ring();
    }
    events::publish_change(exchange, Directory::Updated, id, &before.name, now_ms);
    get(exchange, id).await
}

pub(super) async fn locked(tx: &mut AnyConnection, id: AgentId, now_ms: i64) -> Result<Stored> {
    match store::lock(tx, id, now_ms).await? {
        Some(agent) => Ok(agent),
        None => stored(tx, id).await,
    }
}

/// Removes an agent: its credentials are dead, its lines close, its id answers 410 from now on.
pub(crate) async fn remove(exchange: &Exchange, id: AgentId) -> Result<()> {
    let tx = exchange.db.begin().await?;
    bury(exchange, tx, id).await
}

/// Removes an agent unless it holds a line, or is gone already. Was it removed?
pub(crate) async fn remove_unattached(exchange: &Exchange, id: AgentId) -> Result<bool> {
    let mut tx = exchange.db.begin().await?;
    if store::get(&mut tx, id).await?.is_none_or(|agent| agent.lines > 0) {
        return Ok(false);
    }
    bury(exchange, tx, id).await?;
    Ok(true)
}

async fn bury(exchange: &Exchange, mut tx: Tx, id: AgentId) -> Result<()> {
    let now_ms = exchange.clock.now_ms();
    let Some(name) = store::remove(&mut tx, id, now_ms).await? else {
        return Err(Error::new(Code::Gone, "The agent was deleted."));
    };
    outbox::append(&mut tx, &Op::Remove { agent: id }, now_ms).await?;
    tx.commit().await?;
    exchange.ring();
    events::publish_change(exchange, Directory::Removed, id, &name, now_ms);
    Ok(())
}

/// The agent lives: renews `last_seen`.
pub(crate) async fn heartbeat(exchange: &Exchange, id: AgentId) -> Result<()> {
    let mut conn = exchange.db.write().acquire().await?;
    Ok(store::heartbeat(&mut conn, id, exchange.clock.now_ms()).await?)
}

/// What is known of an agent, for a switch that does not hold its line.
pub async fn lookup_agent(exchange: &Exchange, id: AgentId) -> db::Result<LookupAnswer> {
    lookup_agent_for(exchange, id, NodeId(uuid::Uuid::nil())).await
}

/// The same for the switch `node`: a line there is not elsewhere.
pub async fn lookup_agent_for(exchange: &Exchange, id: AgentId, node: NodeId) -> db::Result<LookupAnswer> {
    let mut conn = exchange.db.read().acquire().await?;
    let account = auth::store::by_agent(&mut conn, id).await?;
    let (Some(agent), Some(account)) = (store::get(&mut conn, id).await?, account) else {
        let removed = store::is_removed(&mut conn, id).await?;
        return Ok(if removed { LookupAnswer::AgentGone } else { LookupAnswer::AgentUnknown });
    };
    Ok(LookupAnswer::Agent {
        direct: relay::direct::is_eligible(exchange, &agent),
        blocked: agent.blocked,
        policy: policy_of(&agent),
        token_gen: account.token_gen,
        elsewhere: presence::store::node_url(&mut conn, id, node).await?,
    })
}

/// Sets the proof that the host of an agent's URL stands behind its card, or takes it back (`None`). `origin` must be the
/// one that the card has now.
pub(crate) async fn prove_origin(tx: &mut AnyConnection, id: AgentId, origin: Option<&str>, now_ms: i64) -> Result<()> {
    // Written first: the row's lock keeps the card from moving before the commit.
    store::set_origin_proof(tx, id, origin.map(|_| now_ms)).await?;
    pulse::ops::origin_judged(tx, id, origin.is_some(), now_ms).await?;
    let agent = stored(tx, id).await?;
    if origin.is_some() && !relay::direct::same_origin(agent.url.as_deref(), origin) {
        let detail = "The card has no URL that could be called, or it is of another origin.";
        return Err(Problem::new(Code::Conflict, detail).field("origin").into());
    }
    Ok(())
}

/// Who may call an agent.
pub(crate) fn policy_of(agent: &Stored) -> Policy {
    model::policy(&agent.display)
}

/// What a switch must know of agents that knows nothing.
pub(crate) async fn snapshot(conn: &mut AnyConnection, since_ms: i64) -> db::Result<Vec<Op>> {
    let mut ops = Vec::new();
    ops.extend(store::blocked(conn).await?.into_iter().map(|agent| Op::Block { agent, blocked: true }));
    ops.extend(store::removed_since(conn, since_ms).await?.into_iter().map(|agent| Op::Remove { agent }));
    let restricted = store::restricted(conn).await?.into_iter();
    ops.extend(restricted.map(|(agent, display)| Op::Policy { agent, policy: model::policy(&display) }));
    Ok(ops)
}
