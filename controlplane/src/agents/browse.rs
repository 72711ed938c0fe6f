//! Reading through the whole directory: in an order and from a place, or by the shelf on which an agent's id puts it.

use landline_wire::ids::AgentId;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

use super::listed::Listed;
use super::model;
use super::store::{select, stored};
use crate::db::{Result, queries};

/// What is asked for of `agents a`: the places $1 to $3. The plus keeps the times from choosing the index: a piece is read
/// from its place on, in its own order, whatever else it is narrowed by.
macro_rules! matching {
    () => {
        "a.blocked_at IS NULL AND +a.created_at > $1 AND +a.updated_at > $2 AND ($3 = '' OR a.name_key = $3) "
    };
}

macro_rules! piece {
    ($column:literal $after:literal $direction:literal) => {
        select!(
            "WHERE ",
            matching!(),
            "AND (a.",
            $column,
            ", a.id) ",
            $after,
            " ($4, $5) \
             ORDER BY a.",
            $column,
            " ",
            $direction,
            ", a.id ",
            $direction,
            " LIMIT $6"
        )
    };
}

queries! {
    BY_NAME = piece!("name_key" ">" "ASC");
    BY_NAME_DOWN = piece!("name_key" "<" "DESC");
    /// There is no name above all names from which [`BY_NAME_DOWN`] could begin.
    BY_NAME_FROM_THE_LAST = select!("WHERE ", matching!(), "ORDER BY a.name_key DESC, a.id DESC LIMIT $4");
    BY_CREATION = piece!("created_at" ">" "ASC");
    BY_CREATION_DOWN = piece!("created_at" "<" "DESC");
    BY_CHANGE = piece!("updated_at" ">" "ASC");
    BY_CHANGE_DOWN = piece!("updated_at" "<" "DESC");
    COUNT = concat!("SELECT COUNT(*) AS n FROM agents a WHERE ", matching!());
    ON_SHELF = select!("WHERE a.blocked_at IS NULL AND substr(a.id, 33) >= $1 AND substr(a.id, 33) <= $2 \
                        ORDER BY substr(a.id, 33), a.id LIMIT $3");
    COUNT_ON_SHELF = "SELECT COUNT(*) AS n FROM agents WHERE substr(id, 33) >= $1 AND substr(id, 33) <= $2";
}

/// By what a directory is read through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum By {
    #[serde(rename = "n")]
    Name,
    #[serde(rename = "c")]
    Creation,
    #[serde(rename = "u")]
    Change,
}

/// An order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sorted {
    pub(crate) by: By,
    pub(crate) is_falling: bool,
}

/// Which agents.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Which {
    /// Registered after this, unix milliseconds.
    pub(crate) created_after: Option<i64>,
    /// Changed after this, unix milliseconds.
    pub(crate) updated_after: Option<i64>,
    /// Called so, without regard to case.
    pub(crate) name: Option<String>,
}

/// After an agent: the value by which it is sorted, and its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum After {
    Name(String, AgentId),
    Time(i64, AgentId),
}

impl After {
    /// The place of an agent in an order.
    pub(crate) fn of(agent: &Listed, sorted: Sorted) -> Self {
        match sorted.by {
            By::Name => Self::Name(model::name_key(&agent.name), agent.id),
            By::Creation => Self::Time(agent.created_at, agent.id),
            By::Change => Self::Time(agent.version, agent.id),
        }
    }
}

fn listed(rows: &[AnyRow]) -> Result<Vec<Listed>> {
    rows.iter().map(|row| Ok(Listed::of(stored(row)?))).collect()
}

/// The next agents in an order, at most so many.
pub(crate) async fn piece(
    conn: &mut AnyConnection,
    which: &Which,
    sorted: Sorted,
    after: Option<&After>,
    limit: u32,
) -> Result<Vec<Listed>> {
    let query = match (sorted.by, sorted.is_falling) {
        (By::Name, false) => BY_NAME,
        (By::Name, true) if after.is_none() => BY_NAME_FROM_THE_LAST,
        (By::Name, true) => BY_NAME_DOWN,
        (By::Creation, false) => BY_CREATION,
        (By::Creation, true) => BY_CREATION_DOWN,
        (By::Change, false) => BY_CHANGE,
        (By::Change, true) => BY_CHANGE_DOWN,
    };
    let mut asked = matching(query, which);
    let start = if sorted.is_falling { i64::MAX } else { i64::MIN };
    asked = match (sorted.by, after) {
        (_, Some(After::Name(name, id))) => asked.bind(name.clone()).bind(id.to_string()),
        (_, Some(After::Time(time, id))) => asked.bind(*time).bind(id.to_string()),
        (By::Name, None) if sorted.is_falling => asked,
        (By::Name, None) => asked.bind(String::new()).bind(String::new()),
        (By::Creation | By::Change, None) => asked.bind(start).bind(String::new()),
    };
    listed(&asked.bind(i64::from(limit)).fetch_all(conn).await?)
}

/// How many there are.
pub(crate) async fn count(conn: &mut AnyConnection, which: &Which) -> Result<u64> {
    Ok(matching(COUNT, which).fetch_one(conn).await?.try_get::<i64, _>("n")?.unsigned_abs())
}

fn matching<'a>(query: &'static str, which: &Which) -> sqlx::query::Query<'a, sqlx::Any, sqlx::any::AnyArguments> {
    let since = |time: Option<i64>| time.unwrap_or(i64::MIN);
    let name = which.name.as_deref().map(model::name_key).unwrap_or_default();
    sqlx::query(query).bind(since(which.created_after)).bind(since(which.updated_after)).bind(name)
}

/// The agents whose ids end with four digits from `first` to `last`, in their order, at most so many.
pub(crate) async fn on_shelf(conn: &mut AnyConnection, (first, last): (&str, &str), limit: u32) -> Result<Vec<Listed>> {
    let query = sqlx::query(ON_SHELF).bind(first.to_owned()).bind(last.to_owned()).bind(i64::from(limit));
    listed(&query.fetch_all(conn).await?)
}

/// How many there are on a shelf, blocked ones included.
pub(crate) async fn count_on_shelf(conn: &mut AnyConnection, (first, last): (&str, &str)) -> Result<u64> {
    let query = sqlx::query(COUNT_ON_SHELF).bind(first.to_owned()).bind(last.to_owned());
    Ok(query.fetch_one(conn).await?.try_get::<i64, _>("n")?.unsigned_abs())
}
