//! SQL of the directory.

use std::collections::HashMap;
use std::sync::LazyLock;

use landline_wire::ids::AgentId;
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::card::Card;
use super::display::Display;
use super::listing::{Key, Order, Piece, Place};
use super::model::{self, Stored};
use crate::auth::store::id;
use crate::db::{DbError, Result, queries};

/// The columns of a [`Stored`], of `agents a`.
macro_rules! columns {
    () => {
        "a.id, a.name, a.description, a.tagline, a.category, a.accent_color, a.banner_url, a.url, a.version, \
         a.service_class, a.source, a.card, a.card_at, a.access, a.allow_list, a.blocked_at, a.origin_proven_at, a.created_at, \
         a.updated_at, a.last_seen, a.name_key, a.trend, a.featured_at, \
         (SELECT COUNT(*) FROM sessions s WHERE s.agent = a.id AND s.ended_at IS NULL) AS lines, \
         (SELECT MAX(s.ended_at) FROM sessions s WHERE s.agent = a.id) AS last_end"
    };
}

macro_rules! select {
    ($($rest:expr),*) => { concat!("SELECT ", $crate::agents::store::columns!(), " FROM agents a ", $($rest),*) };
}
pub(super) use {columns, select};

/// Can `agents a` be called at the time of this placeholder? It holds a line, or its URL answered and is proven.
macro_rules! online {
    ($now:literal) => {
        concat!(
            "a.blocked_at IS NULL AND a.id IN (SELECT agent FROM sessions WHERE ended_at IS NULL UNION \
             SELECT p.agent FROM pulse p JOIN agents o ON o.id = p.agent \
             WHERE o.origin_proven_at IS NOT NULL AND p.fresh_until > ",
            $now,
            ") "
        )
    };
}

queries! {
    GET = select!("WHERE a.id = $1");
    REMOVED = "SELECT COUNT(*) AS n FROM removed_agents WHERE id = $1";
    /// Each change has a later time than the one before, also within a millisecond: what follows the rows goes by it.
    LOCK = "UPDATE agents SET updated_at = CASE WHEN updated_at < $1 THEN $1 ELSE updated_at + 1 END WHERE id = $2";
    INSERT = "INSERT INTO agents (id, name, name_key, description, tagline, category, accent_color, banner_url, url, \
              url_key, version, provider_name, service_class, source, card, card_at, access, allow_list, \
              created_at, updated_at, last_seen) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, \
              $15, $16, $17, $18, $16, $16, $16)";
    SET_CARD = "UPDATE agents SET name = $1, name_key = $2, description = $3, url = $4, url_key = $5, version = $6, \
                provider_name = $7, service_class = $8, card = $9, card_at = $10 WHERE id = $11";
    PROVE_ORIGIN = "UPDATE agents SET origin_proven_at = $1 WHERE id = $2";
    SET_DISPLAY = "UPDATE agents SET tagline = $1, category = $2, accent_color = $3, banner_url = $4, access = $5, \
                   allow_list = $6 WHERE id = $7";
    HEARTBEAT = "UPDATE agents SET last_seen = $1 WHERE id = $2";
    NAME_TAKEN = "SELECT COUNT(*) AS n FROM agents WHERE name_key = $1 AND id <> $2";
    URL_TAKEN = "SELECT COUNT(*) AS n FROM agents WHERE url_key = $1 AND id <> $2";
    BY_URL = select!("WHERE a.url_key = $1");
    BURY = "INSERT INTO removed_agents (id, key_hmac, removed_at) \
            SELECT agent, key_hmac, $1 FROM credentials WHERE agent = $2";
    DELETE = "DELETE FROM agents WHERE id = $1 RETURNING name";
    NEWEST = select!("WHERE a.blocked_at IS NULL AND (a.created_at, a.id) < ($3, $4) \
                      ORDER BY a.created_at DESC, a.id DESC LIMIT $1 OFFSET $2");
    TRENDING = select!("WHERE a.blocked_at IS NULL AND (a.trend, a.id) < ($3, $4) \
                        ORDER BY a.trend DESC, a.id DESC LIMIT $1 OFFSET $2");
    COUNT = "SELECT COUNT(*) AS n FROM agents WHERE blocked_at IS NULL";
    ONLINE = select!("WHERE ", online!("$5"), "AND (a.name_key, a.id) > ($3, $4) \
                      ORDER BY a.name_key, a.id LIMIT $1 OFFSET $2");
    COUNT_ONLINE = concat!("SELECT COUNT(*) AS n FROM agents a WHERE ", online!("$1"));
    FEATURED = select!("WHERE a.blocked_at IS NULL AND a.featured_at IS NOT NULL AND (a.featured_at, a.id) < ($3, $4) \
                        ORDER BY a.featured_at DESC, a.id DESC LIMIT $1 OFFSET $2");
    COUNT_FEATURED = "SELECT COUNT(*) AS n FROM agents WHERE blocked_at IS NULL AND featured_at IS NOT NULL";
    TRENDS = "SELECT id, trend FROM agents WHERE trend <> 0";
    SET_TREND = "UPDATE agents SET trend = $1 WHERE id = $2";
    /// As [`ONLINE`], without the rows.
    ONLINE_IDS = concat!("SELECT a.id FROM agents a WHERE ", online!("$1"));
    NAMED = "SELECT id FROM agents WHERE name_key = $1 AND blocked_at IS NULL";
    BLOCKED = "SELECT id FROM agents WHERE blocked_at IS NOT NULL";
    RESTRICTED = "SELECT id, access, allow_list FROM agents WHERE access <> 'agents'";
    /// In the order of ids, which is about that of registrations.
    AFTER = select!("WHERE a.blocked_at IS NULL AND a.id > $1 ORDER BY a.id LIMIT $2");
    REMOVED_SINCE = "SELECT id FROM removed_agents WHERE removed_at >= $1";
}

fn allow_list(row: &AnyRow) -> Result<Vec<AgentId>> {
    let text: String = row.try_get("allow_list")?;
    serde_json::from_str(&text).map_err(|_| DbError::Corrupt("allow_list is no list of ids".into()))
}

fn access(row: &AnyRow) -> Result<landline_api::agents::Access> {
    let text: String = row.try_get("access")?;
    serde_json::from_value(Value::String(text)).map_err(|_| DbError::Corrupt("access is no access".into()))
}

pub(crate) fn stored(row: &AnyRow) -> Result<Stored> {
    Ok(Stored {
        id: id(row, "id")?,
        name: row.try_get("name")?,
        description: row.try_get("description")?,
        url: row.try_get("url")?,
        version: row.try_get("version")?,
        service_class: row.try_get("service_class")?,
        source: row.try_get("source")?,
        card: row.try_get("card")?,
        card_at: row.try_get("card_at")?,
        display: Display {
            tagline: row.try_get("tagline")?,
            category: row.try_get("category")?,
            accent_color: row.try_get("accent_color")?,
            banner_url: row.try_get("banner_url")?,
            access: access(row)?,
            allow: allow_list(row)?,
        },
        blocked: row.try_get::<Option<i64>, _>("blocked_at")?.is_some(),
        origin_proven: row.try_get::<Option<i64>, _>("origin_proven_at")?.is_some(),
        created_at: row.try_get("created_at")?,
        updated_at: row.try_get("updated_at")?,
        last_seen: row.try_get("last_seen")?,
        lines: row.try_get::<i64, _>("lines")?.unsigned_abs(),
        last_end: row.try_get("last_end")?,
    })
}

fn number(row: &AnyRow) -> Result<u64> {
    Ok(row.try_get::<i64, _>("n")?.unsigned_abs())
}

pub(crate) async fn get(conn: &mut AnyConnection, agent: AgentId) -> Result<Option<Stored>> {
    sqlx::query(GET).bind(agent.to_string()).fetch_optional(conn).await?.as_ref().map(stored).transpose()
}

pub(crate) async fn is_removed(conn: &mut AnyConnection, agent: AgentId) -> Result<bool> {
    Ok(number(&sqlx::query(REMOVED).bind(agent.to_string()).fetch_one(conn).await?)? > 0)
}

/// Locks an agent's row for the rest of the transaction and marks it as changed. Gives it as it was.
pub(crate) async fn lock(tx: &mut AnyConnection, agent: AgentId, now_ms: i64) -> Result<Option<Stored>> {
    sqlx::query(LOCK).bind(now_ms).bind(agent.to_string()).execute(&mut *tx).await?;
    get(tx, agent).await
}

fn allow_text(display: &Display) -> String {
    Value::from(display.allow.iter().map(ToString::to_string).collect::<Vec<_>>()).to_string()
}

/// A new agent.
#[derive(Debug)]
pub(crate) struct New<'a> {
    pub(crate) id: AgentId,
    pub(crate) card: &'a Card,
    pub(crate) original: &'a str,
    pub(crate) display: &'a Display,
    /// `self_registered` or `federated`.
    pub(crate) source: &'static str,
    pub(crate) now_ms: i64,
}

/// Stores a new agent. Fails with a unique violation if its name or URL is taken.
pub(crate) async fn insert(tx: &mut AnyConnection, new: &New<'_>) -> Result<()> {
    let New { id, card, original, display, source, now_ms } = *new;
    let query = sqlx::query(INSERT).bind(id.to_string()).bind(card.name.clone()).bind(model::name_key(&card.name));
    let query = query.bind(card.description.clone()).bind(display.tagline.clone()).bind(display.category.clone());
    let query = query.bind(display.accent_color.clone()).bind(display.banner_url.clone()).bind(card.url.clone());
    let query = query.bind(card.url_key.clone()).bind(card.version.clone()).bind(provider_name(card));
    let query = query.bind(card.service_class.clone()).bind(source).bind(original.to_owned()).bind(now_ms);
    query.bind(model::access_text(display.access)).bind(allow_text(display)).execute(tx).await?;
    Ok(())
}

fn provider_name(card: &Card) -> Option<String> {
    card.provider.as_ref().and_then(|provider| provider.organization.clone()).filter(|name| !name.trim().is_empty())
}

/// Replaces a card. Fails with a unique violation if its name or URL is taken.
pub(crate) async fn set_card(
    tx: &mut AnyConnection,
    agent: AgentId,
    card: &Card,
    original: &str,
    now_ms: i64,
) -> Result<()> {
    let query = sqlx::query(SET_CARD).bind(card.name.clone()).bind(model::name_key(&card.name));
    let query = query.bind(card.description.clone()).bind(card.url.clone()).bind(card.url_key.clone());
    let query = query.bind(card.version.clone()).bind(provider_name(card)).bind(card.service_class.clone());
    query.bind(original.to_owned()).bind(now_ms).bind(agent.to_string()).execute(tx).await?;
    Ok(())
}

pub(crate) async fn set_display(tx: &mut AnyConnection, agent: AgentId, display: &Display) -> Result<()> {
    let query = sqlx::query(SET_DISPLAY).bind(display.tagline.clone()).bind(display.category.clone());
    let query = query.bind(display.accent_color.clone()).bind(display.banner_url.clone());
    let query = query.bind(model::access_text(display.access)).bind(allow_text(display));
    query.bind(agent.to_string()).execute(tx).await?;
    Ok(())
}

/// Sets or takes back the proof of the card's origin.
pub(crate) async fn set_origin_proof(tx: &mut AnyConnection, agent: AgentId, at: Option<i64>) -> Result<()> {
    sqlx::query(PROVE_ORIGIN).bind(at).bind(agent.to_string()).execute(tx).await?;
    Ok(())
}

pub(crate) async fn heartbeat(conn: &mut AnyConnection, agent: AgentId, now_ms: i64) -> Result<()> {
    sqlx::query(HEARTBEAT).bind(now_ms).bind(agent.to_string()).execute(conn).await?;
    Ok(())
}

/// The agent of a normalised URL.
pub(crate) async fn by_url(conn: &mut AnyConnection, url_key: &str) -> Result<Option<Stored>> {
    sqlx::query(BY_URL).bind(url_key.to_owned()).fetch_optional(conn).await?.as_ref().map(stored).transpose()
}

/// Is the name taken by an agent other than `except`?
pub(crate) async fn name_taken(conn: &mut AnyConnection, name: &str, except: AgentId) -> Result<bool> {
    let query = sqlx::query(NAME_TAKEN).bind(model::name_key(name)).bind(except.to_string());
    Ok(number(&query.fetch_one(conn).await?)? > 0)
}

/// Is the normalised URL taken by an agent other than `except`?
pub(crate) async fn url_taken(conn: &mut AnyConnection, url_key: &str, except: AgentId) -> Result<bool> {
    let query = sqlx::query(URL_TAKEN).bind(url_key.to_owned()).bind(except.to_string());
    Ok(number(&query.fetch_one(conn).await?)? > 0)
}

/// Removes an agent, leaving its id and the HMAC of its key. Gives its name.
pub(crate) async fn remove(tx: &mut AnyConnection, agent: AgentId, now_ms: i64) -> Result<Option<String>> {
    sqlx::query(BURY).bind(now_ms).bind(agent.to_string()).execute(&mut *tx).await?;
    let row = sqlx::query(DELETE).bind(agent.to_string()).fetch_optional(tx).await?;
    Ok(row.map(|row| row.try_get("name")).transpose()?)
}

/// A piece of a list, its total, and the place after its last row.
pub(crate) async fn list(
    conn: &mut AnyConnection,
    piece: &Piece,
    now_ms: i64,
) -> Result<(Vec<Stored>, u64, Option<Place>)> {
    let Piece { limit, offset, after: Place(order, key, after) } = piece;
    let (items, count, column) = match order {
        Order::Newest => (NEWEST, COUNT, "created_at"),
        Order::Trending => (TRENDING, COUNT, "trend"),
        Order::Online => (ONLINE, COUNT_ONLINE, "name_key"),
        Order::Featured => (FEATURED, COUNT_FEATURED, "featured_at"),
    };
    let query = sqlx::query(items).bind(i64::from(*limit)).bind(i64::from(*offset));
    let query = match key {
        Key::Number(number) => query.bind(*number),
        Key::Text(text) => query.bind(text.clone()),
    };
    let (mut query, mut total) = (query.bind(after.clone()), sqlx::query(count));
    if *order == Order::Online {
        (query, total) = (query.bind(now_ms), total.bind(now_ms));
    }
    let rows = query.fetch_all(&mut *conn).await?;
    let next = rows.last().filter(|_| rows.len() == *limit as usize).map(|row| {
        let key = match order {
            Order::Online => Key::Text(row.try_get(column)?),
            Order::Newest | Order::Trending | Order::Featured => Key::Number(row.try_get(column)?),
        };
        Ok::<_, DbError>(Place(*order, key, row.try_get("id")?))
    });
    let total = number(&total.fetch_one(conn).await?)?;
    Ok((rows.iter().map(stored).collect::<Result<_>>()?, total, next.transpose()?))
}

/// How much agents are called, of those that are.
pub(crate) async fn trends(conn: &mut AnyConnection) -> Result<HashMap<AgentId, i64>> {
    let rows = sqlx::query(TRENDS).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((id(row, "id")?, row.try_get("trend")?))).collect()
}

pub(crate) async fn set_trends(tx: &mut AnyConnection, trends: &[(AgentId, i64)]) -> Result<()> {
    for (agent, trend) in trends {
        sqlx::query(SET_TREND).bind(*trend).bind(agent.to_string()).execute(&mut *tx).await?;
    }
    Ok(())
}

/// Rows that one statement reads by their ids.
const MANY: usize = 64;
/// [`GET`] for so many.
static GET_MANY: LazyLock<String> = LazyLock::new(|| {
    let places: Vec<String> = (1..=MANY).map(|place| format!("${place}")).collect();
    format!("{} FROM agents a WHERE a.id IN ({})", concat!("SELECT ", columns!()), places.join(", "))
});

/// The queries that are not written out, by name.
pub(crate) fn made_queries() -> Vec<(&'static str, &'static str)> {
    vec![("GET_MANY", &GET_MANY)]
}

/// The agents with these ids, in any order, without those that are not there.
pub(crate) async fn many(conn: &mut AnyConnection, agents: &[AgentId]) -> Result<Vec<Stored>> {
    let mut found = Vec::with_capacity(agents.len());
    for some in agents.chunks(MANY) {
        // The places that are left repeat the last id, which changes no answer.
        let places = (0..MANY).map(|place| some.get(place).or(some.last()).map(ToString::to_string));
        let query = places.fold(sqlx::query(GET_MANY.as_str()), |query, id| query.bind(id));
        for row in &query.fetch_all(&mut *conn).await? {
            found.push(stored(row)?);
        }
    }
    Ok(found)
}

/// The next agents after this one in the order of their ids, without those that are blocked.
pub(crate) async fn after(conn: &mut AnyConnection, last: Option<AgentId>, limit: u32) -> Result<Vec<Stored>> {
    let last = last.map(|id| id.to_string()).unwrap_or_default();
    let rows = sqlx::query(AFTER).bind(last).bind(i64::from(limit)).fetch_all(conn).await?;
    rows.iter().map(stored).collect()
}

async fn ids(conn: &mut AnyConnection, query: &'static str, since: Option<i64>) -> Result<Vec<AgentId>> {
    let mut query = sqlx::query(query);
    if let Some(since) = since {
        query = query.bind(since);
    }
    query.fetch_all(conn).await?.iter().map(|row| id(row, "id")).collect()
}

/// Agents that can be called now.
pub(crate) async fn online_ids(conn: &mut AnyConnection, now_ms: i64) -> Result<Vec<AgentId>> {
    ids(conn, ONLINE_IDS, Some(now_ms)).await
}

/// The visible agent of a name, without regard to case.
pub(crate) async fn named(conn: &mut AnyConnection, name: &str) -> Result<Option<AgentId>> {
    let row = sqlx::query(NAMED).bind(model::name_key(name)).fetch_optional(conn).await?;
    row.as_ref().map(|row| id(row, "id")).transpose()
}

pub(crate) async fn blocked(conn: &mut AnyConnection) -> Result<Vec<AgentId>> {
    ids(conn, BLOCKED, None).await
}

pub(crate) async fn removed_since(conn: &mut AnyConnection, since: i64) -> Result<Vec<AgentId>> {
    ids(conn, REMOVED_SINCE, Some(since)).await
}

/// Agents with another access than the default, with what matters of it.
pub(crate) async fn restricted(conn: &mut AnyConnection) -> Result<Vec<(AgentId, Display)>> {
    let rows = sqlx::query(RESTRICTED).fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            let display = Display { access: access(row)?, allow: allow_list(row)?, ..Display::default() };
            Ok((id(row, "id")?, display))
        })
        .collect()
}
