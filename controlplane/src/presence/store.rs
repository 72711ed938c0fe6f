//! SQL of the sessions.

use std::collections::HashMap;

use landline_link::{Credential, SessionUp};
use landline_wire::ids::{AgentId, NodeId, SessionId};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, Row};
use uuid::Uuid;

use super::model::Other;
use crate::auth::store::{Sixteen, id};
use crate::db::batch::{self, BATCH, batch};
use crate::db::{Result, queries};

macro_rules! opening {
    () => {
        "INSERT INTO sessions (id, agent, node, boot, started_at, shared, key_gen, jti, token_gen, seen) VALUES "
    };
}

queries! {
    AROUND_16 = "SELECT 0 AS part, id, agent, node, shared, ended_at FROM sessions WHERE id IN \
                 ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) \
                 UNION ALL \
                 SELECT 1 AS part, id, agent, node, shared, ended_at FROM sessions WHERE ended_at IS NULL AND agent IN \
                 ($17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)";
    OPEN = concat!(opening!(), "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)");
    OPEN_16 = concat!(
        opening!(),
        "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10), ($11, $12, $13, $14, $15, $16, $17, $18, $19, $20), \
         ($21, $22, $23, $24, $25, $26, $27, $28, $29, $30), ($31, $32, $33, $34, $35, $36, $37, $38, $39, $40), \
         ($41, $42, $43, $44, $45, $46, $47, $48, $49, $50), ($51, $52, $53, $54, $55, $56, $57, $58, $59, $60), \
         ($61, $62, $63, $64, $65, $66, $67, $68, $69, $70), ($71, $72, $73, $74, $75, $76, $77, $78, $79, $80), \
         ($81, $82, $83, $84, $85, $86, $87, $88, $89, $90), ($91, $92, $93, $94, $95, $96, $97, $98, $99, $100), \
         ($101, $102, $103, $104, $105, $106, $107, $108, $109, $110), \
         ($111, $112, $113, $114, $115, $116, $117, $118, $119, $120), \
         ($121, $122, $123, $124, $125, $126, $127, $128, $129, $130), \
         ($131, $132, $133, $134, $135, $136, $137, $138, $139, $140), \
         ($141, $142, $143, $144, $145, $146, $147, $148, $149, $150), \
         ($151, $152, $153, $154, $155, $156, $157, $158, $159, $160)"
    );
    SEEN_16 = "UPDATE sessions SET seen = $17, boot = $18, ended_at = NULL WHERE node = $19 AND id IN \
               ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)";
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

/// A session that is reported as up, and the place of that report.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reported<'r> {
    pub(crate) up: &'r SessionUp,
    pub(crate) place: i64,
}

/// What is stored of each of these sessions, and the other open sessions of its agent: one question for up to sixteen,
/// since a switch that begins anew reports thousands. No two of them are of one agent.
pub(crate) async fn around(
    conn: &mut AnyConnection,
    reporter: Reporter,
    reported: &[Reported<'_>],
) -> Result<Vec<(Known, Vec<Other>)>> {
    let sessions: Vec<SessionId> = reported.iter().map(|one| one.up.session).collect();
    let agents: Vec<AgentId> = reported.iter().map(|one| one.up.agent).collect();
    let (by_id, by_agent) = (Sixteen::of(&sessions), Sixteen::of(&agents));
    let rows = by_agent.bind(by_id.bind(sqlx::query(AROUND_16))).fetch_all(conn).await?;
    let mut found = vec![(Known::No, Vec::new()); reported.len()];
    for row in &rows {
        let (session, agent): (SessionId, AgentId) = (id(row, "id")?, id(row, "agent")?);
        let other = Other { session, node: id(row, "node")?, shared: row.try_get::<i64, _>("shared")? != 0 };
        if row.try_get::<i64, _>("part")? == 1 {
            let at = agents.iter().position(|one| *one == agent).filter(|at| sessions[*at] != session);
            if let Some(at) = at {
                found[at].1.push(other);
            }
        } else if let Some(at) = sessions.iter().position(|one| *one == session) {
            let is_open = row.try_get::<Option<i64>, _>("ended_at")?.is_none();
            found[at].0 = match other.node == reporter.node {
                false => Known::Elsewhere,
                true if is_open => Known::Open,
                true => Known::Ended,
            };
        }
    }
    Ok(found)
}

/// Stores sessions that are open from now on.
pub(crate) async fn open(tx: &mut AnyConnection, reporter: Reporter, reported: &[Reported<'_>]) -> Result<()> {
    let mut sixteens = reported.chunks_exact(Sixteen::MOST);
    for sixteen in sixteens.by_ref() {
        let query = sixteen.iter().fold(sqlx::query(OPEN_16), |query, one| bind_open(query, reporter, *one));
        query.execute(&mut *tx).await?;
    }
    for one in sixteens.remainder() {
        bind_open(sqlx::query(OPEN), reporter, *one).execute(&mut *tx).await?;
    }
    Ok(())
}

fn bind_open<'q>(
    query: Query<'q, Any, AnyArguments>,
    reporter: Reporter,
    Reported { up, place }: Reported<'_>,
) -> Query<'q, Any, AnyArguments> {
    let (key_gen, jti, token_gen) = match up.credential {
        Credential::Key { key_gen } => (Some(key_gen.cast_signed()), None, None),
        Credential::Token { jti, token_gen } => (None, Some(jti.to_string()), Some(token_gen.cast_signed())),
    };
    let query = query.bind(up.session.to_string()).bind(up.agent.to_string());
    let query = query.bind(reporter.node.to_string()).bind(reporter.boot.to_string()).bind(up.at);
    query.bind(i64::from(up.shared)).bind(key_gen).bind(jti).bind(token_gen).bind(place)
}

/// Sessions of the reporter's own are still open, or again. Of sixteen at once.
pub(crate) async fn seen(tx: &mut AnyConnection, reporter: Reporter, sessions: &[SessionId], place: i64) -> Result<()> {
    let sixteen = Sixteen::of(sessions);
    let query = sixteen.bind(sqlx::query(SEEN_16)).bind(place).bind(reporter.boot.to_string());
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
