//! SQL of the sessions.

use std::collections::HashMap;

use landline_link::{Credential, SessionUp};
use landline_wire::ids::{AgentId, NodeId, SessionId};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};
use uuid::Uuid;

use super::model::Other;
use crate::auth::store::{Sixteen, id};
use crate::db::batch::{self, BATCH, batch};
use crate::db::{Result, queries};

queries! {
    AROUND = "SELECT id, node, shared, ended_at FROM sessions WHERE id = $1 \
              UNION ALL \
              SELECT id, node, shared, ended_at FROM sessions WHERE agent = $2 AND ended_at IS NULL AND id <> $1";
    OPEN = "INSERT INTO sessions (id, agent, node, boot, started_at, shared, key_gen, jti, token_gen, seen) \
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    SEEN = "UPDATE sessions SET seen = $1, boot = $2, ended_at = NULL WHERE id = $3 AND node = $4";
    END = "UPDATE sessions SET ended_at = $1 WHERE id = $2 AND agent = $3 AND ended_at IS NULL RETURNING agent";
    END_OWN = "UPDATE sessions SET ended_at = $1 WHERE id = $2 AND agent = $3 AND node = $4 AND ended_at IS NULL \
               RETURNING agent";
    END_UNLISTED = "UPDATE sessions SET ended_at = $1 WHERE node = $2 AND boot = $3 AND seen < $4 \
                    AND ended_at IS NULL RETURNING agent";
    END_OLDER_BOOTS = "UPDATE sessions SET ended_at = $1 WHERE node = $2 AND boot <> $3 AND ended_at IS NULL \
                       RETURNING agent";
    END_NODE = "UPDATE sessions SET ended_at = $1 WHERE node = $2 AND ended_at IS NULL RETURNING agent";
    SILENT_NODES = "SELECT DISTINCT s.node FROM sessions s LEFT JOIN nodes n ON n.id = s.node \
                    WHERE s.ended_at IS NULL AND (n.last_seen IS NULL OR n.last_seen < $1)";
    ATTACHED_16 = "SELECT DISTINCT agent FROM sessions WHERE ended_at IS NULL AND agent IN \
                   ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
    COUNT_AGENTS = "SELECT COUNT(DISTINCT agent) AS n FROM sessions WHERE ended_at IS NULL";
    COUNT_PER_NODE = "SELECT node, COUNT(*) AS n FROM sessions WHERE ended_at IS NULL GROUP BY node";
    COUNT_SESSIONS = "SELECT COUNT(*) AS n FROM sessions WHERE ended_at IS NULL";
    NODE_URL = "SELECT n.public_url FROM sessions s JOIN nodes n ON n.id = s.node WHERE s.agent = $1 \
                AND s.ended_at IS NULL AND s.node <> $2 ORDER BY s.started_at DESC LIMIT 1";
    NODE_OF = "SELECT node FROM sessions WHERE agent = $1 AND ended_at IS NULL ORDER BY started_at DESC LIMIT 1";
    NEW_LINES = "SELECT id, agent FROM sessions WHERE id > $1 AND ended_at IS NULL ORDER BY id LIMIT $2";
    INTERVALS = concat!("SELECT agent, started_at, ended_at FROM sessions WHERE (ended_at IS NULL OR ended_at > $65) \
                         AND agent IN ", batch!(), " ORDER BY started_at DESC LIMIT 50000");
    LIST = "SELECT id, agent, node, started_at, jti FROM sessions WHERE ended_at IS NULL \
            ORDER BY started_at DESC, id LIMIT $1 OFFSET $2";
    FORGET = "DELETE FROM sessions WHERE ended_at < $1";
}

/// Who reports: a boot of a switch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reporter {
    pub(crate) node: NodeId,
    pub(crate) boot: Uuid,
}

/// What is stored of a reported session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Known {
    No,
    Open,
    Ended,
    /// Under another switch: nothing that the reporter may speak of.
    Elsewhere,
}

/// What is stored of a reported session, and the other open sessions of its agent: one question, since a switch that
/// begins anew reports thousands.
pub(crate) async fn around(
    conn: &mut AnyConnection,
    reporter: Reporter,
    agent: AgentId,
    session: SessionId,
) -> Result<(Known, Vec<Other>)> {
    let rows = sqlx::query(AROUND).bind(session.to_string()).bind(agent.to_string()).fetch_all(conn).await?;
    let (mut known, mut others) = (Known::No, Vec::new());
    for row in &rows {
        let other =
            Other { session: id(row, "id")?, node: id(row, "node")?, shared: row.try_get::<i64, _>("shared")? != 0 };
        if other.session != session {
            others.push(other);
        } else if other.node != reporter.node {
            known = Known::Elsewhere;
        } else {
            let is_open = row.try_get::<Option<i64>, _>("ended_at")?.is_none();
            known = if is_open { Known::Open } else { Known::Ended };
        }
    }
    Ok((known, others))
}

pub(crate) async fn open(tx: &mut AnyConnection, reporter: Reporter, up: &SessionUp, place: i64) -> Result<()> {
    let (key_gen, jti, token_gen) = match up.credential {
        Credential::Key { key_gen } => (Some(key_gen.cast_signed()), None, None),
        Credential::Token { jti, token_gen } => (None, Some(jti.to_string()), Some(token_gen.cast_signed())),
    };
    let query = sqlx::query(OPEN).bind(up.session.to_string()).bind(up.agent.to_string());
    let query = query.bind(reporter.node.to_string()).bind(reporter.boot.to_string()).bind(up.at);
    let query = query.bind(i64::from(up.shared)).bind(key_gen).bind(jti).bind(token_gen).bind(place);
    query.execute(tx).await?;
    Ok(())
}

pub(crate) async fn seen(tx: &mut AnyConnection, reporter: Reporter, session: SessionId, place: i64) -> Result<()> {
    let query = sqlx::query(SEEN).bind(place).bind(reporter.boot.to_string()).bind(session.to_string());
    query.bind(reporter.node.to_string()).execute(tx).await?;
    Ok(())
}

fn agents(rows: &[AnyRow]) -> Result<Vec<AgentId>> {
    let mut agents = rows.iter().map(|row| id(row, "agent")).collect::<Result<Vec<AgentId>>>()?;
    agents.sort_unstable();
    agents.dedup();
    Ok(agents)
}

/// Ends one session of the reporter's own. Was it open?
pub(crate) async fn end_own(
    tx: &mut AnyConnection,
    reporter: Reporter,
    agent: AgentId,
    session: SessionId,
    at: i64,
) -> Result<bool> {
    let query = sqlx::query(END_OWN).bind(at).bind(session.to_string()).bind(agent.to_string());
    Ok(query.bind(reporter.node.to_string()).fetch_optional(tx).await?.is_some())
}

/// Ends one session, wherever it is. Was it open?
pub(crate) async fn end(tx: &mut AnyConnection, agent: AgentId, session: SessionId, at: i64) -> Result<bool> {
    let query = sqlx::query(END).bind(at).bind(session.to_string()).bind(agent.to_string());
    Ok(query.fetch_optional(tx).await?.is_some())
}

/// Ends the sessions of this boot that were not named since `place`. Gives their agents.
pub(crate) async fn end_unlisted(
    tx: &mut AnyConnection,
    reporter: Reporter,
    place: i64,
    at: i64,
) -> Result<Vec<AgentId>> {
    let query = sqlx::query(END_UNLISTED).bind(at).bind(reporter.node.to_string()).bind(reporter.boot.to_string());
    agents(&query.bind(place).fetch_all(tx).await?)
}

pub(crate) async fn end_older_boots(tx: &mut AnyConnection, reporter: Reporter, at: i64) -> Result<Vec<AgentId>> {
    let query = sqlx::query(END_OLDER_BOOTS).bind(at).bind(reporter.node.to_string());
    agents(&query.bind(reporter.boot.to_string()).fetch_all(tx).await?)
}

pub(crate) async fn end_node(tx: &mut AnyConnection, node: NodeId, at: i64) -> Result<Vec<AgentId>> {
    agents(&sqlx::query(END_NODE).bind(at).bind(node.to_string()).fetch_all(tx).await?)
}

pub(crate) async fn silent_nodes(conn: &mut AnyConnection, before: i64) -> Result<Vec<NodeId>> {
    let rows = sqlx::query(SILENT_NODES).bind(before).fetch_all(conn).await?;
    rows.iter().map(|row| id(row, "node")).collect()
}

fn count(row: &AnyRow) -> Result<u64> {
    Ok(row.try_get::<i64, _>("n")?.unsigned_abs())
}

/// Which of these agents have a line, on any switch. Of sixteen at once.
pub(crate) async fn attached_of(conn: &mut AnyConnection, sixteen: &Sixteen) -> Result<Vec<AgentId>> {
    agents(&sixteen.bind(sqlx::query(ATTACHED_16)).fetch_all(conn).await?)
}

pub(crate) async fn attached_agents(conn: &mut AnyConnection) -> Result<u64> {
    count(&sqlx::query(COUNT_AGENTS).fetch_one(conn).await?)
}

pub(crate) async fn open_sessions(conn: &mut AnyConnection) -> Result<u64> {
    count(&sqlx::query(COUNT_SESSIONS).fetch_one(conn).await?)
}

/// The public URL of the switch, other than `except`, that holds the agent's newest line.
pub(crate) async fn node_url(conn: &mut AnyConnection, agent: AgentId, except: NodeId) -> Result<Option<String>> {
    let row = sqlx::query(NODE_URL).bind(agent.to_string()).bind(except.to_string()).fetch_optional(conn).await?;
    Ok(row.map(|row| row.try_get::<Option<String>, _>("public_url")).transpose()?.flatten())
}

/// The switch that holds an agent's newest line.
pub(crate) async fn node_of(conn: &mut AnyConnection, agent: AgentId) -> Result<Option<NodeId>> {
    let row = sqlx::query(NODE_OF).bind(agent.to_string()).fetch_optional(conn).await?;
    row.as_ref().map(|row| id(row, "node")).transpose()
}

/// Lines that are up, after a line's id: the id of each, and whose it is.
pub(crate) async fn new_lines(conn: &mut AnyConnection, after: &str, limit: i64) -> Result<Vec<(String, AgentId)>> {
    let rows = sqlx::query(NEW_LINES).bind(after.to_owned()).bind(limit).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((row.try_get("id")?, id(row, "agent")?))).collect()
}

/// When agents held lines, as far as it was after `since`; an open line has no end. Of very many lines the newest.
pub(crate) async fn intervals(
    conn: &mut AnyConnection,
    agents: &[AgentId],
    since: i64,
) -> Result<HashMap<AgentId, Vec<(i64, Option<i64>)>>> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for some in agents.chunks(BATCH) {
        for row in batch::bind(INTERVALS, some).bind(since).fetch_all(&mut *conn).await? {
            let interval = (row.try_get("started_at")?, row.try_get("ended_at")?);
            found.entry(id(&row, "agent")?).or_default().push(interval);
        }
    }
    Ok(found)
}

/// Lines that are up, per switch that has any.
pub(crate) async fn lines_per_node(conn: &mut AnyConnection) -> Result<HashMap<NodeId, u64>> {
    let rows = sqlx::query(COUNT_PER_NODE).fetch_all(conn).await?;
    rows.iter().map(|row| Ok((id(row, "node")?, count(row)?))).collect()
}

/// An open session, for the operator.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) session: SessionId,
    pub(crate) agent: AgentId,
    pub(crate) node: NodeId,
    pub(crate) started_at: i64,
    pub(crate) by_token: bool,
}

pub(crate) async fn list(conn: &mut AnyConnection, limit: u32, offset: u32) -> Result<Vec<Line>> {
    let rows = sqlx::query(LIST).bind(i64::from(limit)).bind(i64::from(offset)).fetch_all(conn).await?;
    rows.iter()
        .map(|row| {
            Ok(Line {
                session: id(row, "id")?,
                agent: id(row, "agent")?,
                node: id(row, "node")?,
                started_at: row.try_get("started_at")?,
                by_token: row.try_get::<Option<String>, _>("jti")?.is_some(),
            })
        })
        .collect()
}

pub(crate) async fn forget(conn: &mut AnyConnection, before: i64) -> Result<u64> {
    Ok(sqlx::query(FORGET).bind(before).execute(conn).await?.rows_affected())
}
