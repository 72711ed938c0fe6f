//! An agent's former cards: what it said of itself when. Owns `card_history`.
//!
//! Cards are numbered from 1 as they are given. The current one is in `agents` alone and has the next number; a card
//! comes here when another takes its place. The last [`KEPT`] of an agent are kept, as long as the agent is there.

use landline_api::Page;
use landline_api::agents::CardVersion;
use landline_api::time::rfc3339_ms;
use landline_wire::error::Code;
use landline_wire::ids::AgentId;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::model::Stored;
use super::{etag, ops};
use crate::db::{self, queries};
use crate::error::{Error, Result};
use crate::extract::Window;
use crate::state::Exchange;

/// Former cards that are kept of an agent: with the largest cards, 5 MiB.
pub(crate) const KEPT: i64 = 20;

queries! {
    LAST = "SELECT MAX(n) AS n FROM card_history WHERE agent = $1";
    FIRST = "SELECT MIN(n) AS n FROM card_history WHERE agent = $1";
    ADD = "INSERT INTO card_history (agent, n, at, until, name, version, sha256, card) \
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    FORGET = "DELETE FROM card_history WHERE agent = $1 AND n <= $2";
    PAGE = "SELECT n, at, until, name, version, sha256 FROM card_history WHERE agent = $1 \
            ORDER BY n DESC LIMIT $2 OFFSET $3";
    COUNT = "SELECT COUNT(*) AS n FROM card_history WHERE agent = $1";
    NUMBERED = "SELECT card, at FROM card_history WHERE agent = $1 AND n = $2";
    AT = "SELECT card, at FROM card_history WHERE agent = $1 AND at <= $2 AND until > $2 ORDER BY n DESC LIMIT 1";
}

/// One of an agent's cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// The one that counts.
    Current,
    /// By its number.
    Number(i64),
    /// The one that was the agent's at a time, unix milliseconds.
    At(i64),
}

/// A card as it was given, and since when it was the agent's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) card: String,
    pub(crate) at: i64,
}

async fn number(conn: &mut AnyConnection, query: &'static str, agent: AgentId) -> db::Result<Option<i64>> {
    Ok(sqlx::query(query).bind(agent.to_string()).fetch_one(conn).await?.try_get("n")?)
}

/// Keeps the card of an agent that is about to get another; the oldest one goes if there are too many.
pub(super) async fn keep(tx: &mut AnyConnection, before: &Stored, now_ms: i64) -> db::Result<()> {
    let n = number(tx, LAST, before.id).await?.unwrap_or(0) + 1;
    let query = sqlx::query(ADD).bind(before.id.to_string()).bind(n).bind(before.card_at).bind(now_ms);
    let query = query.bind(before.name.clone()).bind(before.version.clone()).bind(etag::sha256(&before.card));
    query.bind(before.card.clone()).execute(&mut *tx).await?;
    sqlx::query(FORGET).bind(before.id.to_string()).bind(n - KEPT).execute(tx).await?;
    Ok(())
}

/// An agent's cards, newest first: the current one, then those before it.
pub(crate) async fn list(exchange: &Exchange, id: AgentId, window: Window) -> Result<Page<CardVersion>> {
    let mut tx = exchange.db.begin_snapshot().await?;
    let agent = ops::visible(&mut tx, id).await?;
    let last = number(&mut tx, LAST, id).await?.unwrap_or(0);
    let former = number(&mut tx, COUNT, id).await?.unwrap_or(0);
    let mut items = Vec::new();
    if window.offset == 0 {
        items.push(current(&agent, last + 1));
    }
    let room = i64::from(window.limit) - items.len() as i64;
    let skipped = i64::from(window.offset.saturating_sub(1));
    let rows = sqlx::query(PAGE).bind(id.to_string()).bind(room).bind(skipped).fetch_all(&mut *tx).await?;
    for row in &rows {
        items.push(version(row)?);
    }
    Ok(Page { items, total: former.unsigned_abs() + 1, limit: window.limit, offset: window.offset })
}

fn current(agent: &Stored, n: i64) -> CardVersion {
    CardVersion {
        n: n.unsigned_abs(),
        at: rfc3339_ms(agent.card_at),
        until: None,
        sha256: etag::sha256(&agent.card),
        name: agent.name.clone(),
        version: agent.version.clone(),
    }
}

fn version(row: &AnyRow) -> db::Result<CardVersion> {
    Ok(CardVersion {
        n: row.try_get::<i64, _>("n")?.unsigned_abs(),
        at: rfc3339_ms(row.try_get("at")?),
        until: Some(rfc3339_ms(row.try_get("until")?)),
        sha256: row.try_get("sha256")?,
        name: row.try_get("name")?,
        version: row.try_get("version")?,
    })
}

/// One of an agent's cards. 404 if there never was such a one, 410 if it is kept no more.
pub(crate) async fn find(exchange: &Exchange, id: AgentId, which: Which) -> Result<Given> {
    let mut tx = exchange.db.begin_snapshot().await?;
    let agent = ops::visible(&mut tx, id).await?;
    let next = number(&mut tx, LAST, id).await?.unwrap_or(0) + 1;
    let query = match which {
        Which::Current => None,
        Which::Number(n) if n == next => None,
        Which::At(at) if at >= agent.card_at => None,
        Which::Number(n) => Some(sqlx::query(NUMBERED).bind(id.to_string()).bind(n)),
        Which::At(at) => Some(sqlx::query(AT).bind(id.to_string()).bind(at)),
    };
    let Some(query) = query else { return Ok(Given { at: agent.card_at, card: agent.card }) };
    match query.fetch_optional(&mut *tx).await? {
        Some(row) => Ok(Given { card: row.try_get("card")?, at: row.try_get("at")? }),
        None => {
            let first = number(&mut tx, FIRST, id).await?.unwrap_or(next);
            let was = match which {
                Which::Number(n) => (1..first).contains(&n),
                Which::At(at) => at >= agent.created_at,
                Which::Current => false,
            };
            Err(if was {
                Error::new(
                    Code::Gone,
                    format!("Of an agent's former cards the last {KEPT} are kept; this one was before."),
                )
            } else {
                Error::new(Code::NotFound, "The agent had no such card.")
            })
        }
    }
}
