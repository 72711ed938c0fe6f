//! Use cases of presence. Those that take a transaction are steps of the ingestion of a switch's reports.

use std::collections::HashSet;

use landline_link::{Credential, SessionUp};
use landline_wire::close;
use landline_wire::ids::{AgentId, NodeId, SessionId};
use sqlx::AnyConnection;
use uuid::Uuid;

use super::model::{self, Change, Standing};
use super::store::{self, Known, Reported, Reporter};
use crate::auth::{self, store::Sixteen};
use crate::db::Result;
use crate::events;
use crate::state::{Exchange, Kick};

/// What a report of a session led to.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) kicks: Vec<Kick>,
    pub(crate) changes: Vec<Change>,
}

/// Sessions are up, newly or still: up to [`Sixteen::MOST`], of an agent each.
pub(crate) async fn up(
    tx: &mut AnyConnection,
    reporter: Reporter,
    reported: &[Reported<'_>],
    outcome: &mut Outcome,
) -> Result<()> {
    let agents: Vec<AgentId> = reported.iter().map(|one| one.up.agent).collect();
    let mut accounts = auth::store::by_agents(tx, &Sixteen::of(&agents)).await?;
    let tokens: Vec<Uuid> = reported.iter().filter_map(|one| token_of(one.up)).collect();
    let revoked = match tokens.is_empty() {
        true => HashSet::new(),
        false => auth::store::revoked_of(tx, &Sixteen::of(&tokens)).await?,
    };
    let around = store::around(tx, reporter, reported).await?;
    let (mut opened, mut seen, mut dead) = (Vec::new(), Vec::new(), Vec::new());
    for (one, (known, others)) in reported.iter().zip(around) {
        let SessionUp { agent, session, at, .. } = *one.up;
        let kick = |node, session, code| Kick { node, agent, session, code };
        let account = accounts.remove(&agent);
        let standing = account.as_ref().map(|account| Standing {
            blocked: account.blocked,
            key_gen: account.key_gen,
            token_gen: account.token_gen,
            token_revoked: token_of(one.up).is_some_and(|jti| revoked.contains(&jti)),
        });
        if let Some(code) = model::verdict(standing, one.up.credential) {
            outcome.kicks.push(kick(reporter.node, session, code));
            dead.push(Gone { agent, session, at });
            continue;
        }
        let rivals = model::rivals(&others, reporter.node, one.up.shared);
        match known {
            Known::Open => {
                seen.push(session);
                continue;
            }
            Known::Elsewhere => {
                tracing::warn!(node = %reporter.node, %session, "a switch reports a session of another one: ignored");
                continue;
            }
            Known::Ended if !rivals.is_empty() => {
                outcome.kicks.push(kick(reporter.node, session, close::REPLACED));
                continue;
            }
            Known::Ended => seen.push(session),
            Known::No => {
                opened.push(*one);
                for rival in rivals {
                    store::end(tx, agent, rival.session, at).await?;
                    outcome.kicks.push(kick(rival.node, rival.session, close::REPLACED));
                }
            }
        }
        if others.is_empty() {
            let name = account.map(|account| account.name);
            outcome.changes.push(Change { agent, name, at, connected: true });
        }
    }
    store::open(tx, reporter, &opened).await?;
    if let (false, Some(first)) = (seen.is_empty(), reported.first()) {
        // All of them after the beginning of the listing that names them, which is what a place is kept for.
        store::seen(tx, reporter, &seen, first.place).await?;
    }
    down(tx, reporter, &dead, outcome).await
}

/// The token that a session was opened with.
fn token_of(up: &SessionUp) -> Option<Uuid> {
    match up.credential {
        Credential::Token { jti, .. } => Some(jti),
        Credential::Key { .. } => None,
    }
}

/// A session that is gone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gone {
    pub(crate) agent: AgentId,
    pub(crate) session: SessionId,
    /// Since when, unix milliseconds.
    pub(crate) at: i64,
}

/// Sessions of the reporter's own are gone.
pub(crate) async fn down(
    tx: &mut AnyConnection,
    reporter: Reporter,
    gone: &[Gone],
    outcome: &mut Outcome,
) -> Result<()> {
    let mut left = Vec::new();
    for one in gone {
        if store::end_own(tx, reporter, one.agent, one.session, one.at).await? {
            left.push((one.agent, one.at));
        }
    }
    went(tx, left, outcome).await
}

/// A listing is complete: what it did not name is gone.
pub(crate) async fn listed(
    tx: &mut AnyConnection,
    reporter: Reporter,
    place: i64,
    now_ms: i64,
    outcome: &mut Outcome,
) -> Result<()> {
    let agents = store::end_unlisted(tx, reporter, place, now_ms).await?;
    went(tx, at(agents, now_ms), outcome).await
}

/// A switch began anew: the sessions of its older boots are gone.
pub(crate) async fn new_boot(
    tx: &mut AnyConnection,
    reporter: Reporter,
    now_ms: i64,
    outcome: &mut Outcome,
) -> Result<()> {
    let agents = store::end_older_boots(tx, reporter, now_ms).await?;
    went(tx, at(agents, now_ms), outcome).await
}

/// All of these at one time.
fn at(agents: Vec<AgentId>, at: i64) -> Vec<(AgentId, i64)> {
    agents.into_iter().map(|agent| (agent, at)).collect()
}

/// Sessions of these agents ended at these times: those without another one are not reachable any more.
async fn went(tx: &mut AnyConnection, mut left: Vec<(AgentId, i64)>, outcome: &mut Outcome) -> Result<()> {
    // Of an agent whose lines ended one after the other the last counts.
    left.sort_by_key(|(agent, at)| (*agent, std::cmp::Reverse(*at)));
    left.dedup_by_key(|(agent, _)| *agent);
    // All lines of a switch may go at once: each question is about many agents.
    for some in left.chunks(Sixteen::MOST) {
        let sixteen = Sixteen::of(&some.iter().map(|(agent, _)| *agent).collect::<Vec<_>>());
        let attached = store::attached_of(tx, &sixteen).await?;
        let mut names = auth::store::names(tx, &sixteen).await?;
        let gone = some.iter().filter(|(agent, _)| !attached.contains(agent));
        outcome.changes.extend(gone.map(|(agent, at)| {
            let name = names.remove(agent);
            Change { agent: *agent, name, at: *at, connected: false }
        }));
    }
    Ok(())
}

/// A switch was revoked or is not heard of any more: its sessions are gone.
pub async fn node_gone(exchange: &Exchange, node: NodeId) -> Result<()> {
    let now = exchange.clock.now_ms();
    let mut outcome = Outcome::default();
    let mut tx = exchange.db.begin().await?;
    let agents = store::end_node(&mut tx, node, now).await?;
    went(&mut tx, at(agents, now), &mut outcome).await?;
    tx.commit().await?;
    events::publish_presence(exchange, &outcome.changes);
    Ok(())
}

/// Ends the sessions of switches that were not heard of since `before`, unix milliseconds. Gives how many switches.
pub async fn sweep_silent(exchange: &Exchange, before: i64) -> Result<usize> {
    let silent = store::silent_nodes(&mut *exchange.db.read().acquire().await?, before).await?;
    for node in &silent {
        tracing::warn!(%node, "a switch was not heard of for long: its lines are taken for gone");
        node_gone(exchange, *node).await?;
    }
    Ok(silent.len())
}

/// Agents that hold a line.
pub async fn attached(exchange: &Exchange) -> Result<u64> {
    store::attached_agents(&mut *exchange.db.read().acquire().await?).await
}

/// Lines that are up.
pub async fn lines(exchange: &Exchange) -> Result<u64> {
    store::open_sessions(&mut *exchange.db.read().acquire().await?).await
}
