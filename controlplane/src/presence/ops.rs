//! Use cases of presence. Those that take a transaction are steps of the ingestion of a switch's reports.

use landline_link::{Credential, SessionUp};
use landline_wire::close;
use landline_wire::ids::{AgentId, NodeId, SessionId};
use sqlx::AnyConnection;

use super::model::{self, Change, Standing};
use super::store::{self, Known, Reporter};
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

/// A session is up, newly or still.
pub(crate) async fn up(
    tx: &mut AnyConnection,
    reporter: Reporter,
    up: &SessionUp,
    place: i64,
    outcome: &mut Outcome,
) -> Result<()> {
    let SessionUp { agent, session, at, .. } = *up;
    let kick = |node, session, code| Kick { node, agent, session, code };
    let account = auth::store::by_agent(tx, agent).await?;
    let token_revoked = match up.credential {
        Credential::Token { jti, .. } => auth::store::is_revoked(tx, jti).await?,
        Credential::Key { .. } => false,
    };
    let standing = account.as_ref().map(|account| Standing {
        blocked: account.blocked,
        key_gen: account.key_gen,
        token_gen: account.token_gen,
        token_revoked,
    });
    if let Some(code) = model::verdict(standing, up.credential) {
        outcome.kicks.push(kick(reporter.node, session, code));
        return down(tx, reporter, agent, session, at, outcome).await;
    }
    let (known, others) = store::around(tx, reporter, agent, session).await?;
    match known {
        Known::Open => return store::seen(tx, reporter, session, place).await,
        Known::Elsewhere => {
            tracing::warn!(node = %reporter.node, %session, "a switch reports a session of another one: ignored");
            return Ok(());
        }
        Known::No | Known::Ended => {}
    }
    let rivals = model::rivals(&others, reporter.node, up.shared);
    match known {
        Known::Ended if !rivals.is_empty() => {
            outcome.kicks.push(kick(reporter.node, session, close::REPLACED));
            return Ok(());
        }
        Known::Ended => store::seen(tx, reporter, session, place).await?,
        Known::Open | Known::No | Known::Elsewhere => {
            store::open(tx, reporter, up, place).await?;
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
    Ok(())
}

/// A session of the reporter's own is gone.
pub(crate) async fn down(
    tx: &mut AnyConnection,
    reporter: Reporter,
    agent: AgentId,
    session: SessionId,
    at: i64,
    outcome: &mut Outcome,
) -> Result<()> {
    if store::end_own(tx, reporter, agent, session, at).await? {
        went(tx, vec![agent], at, outcome).await
    } else {
        Ok(())
    }
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
    went(tx, agents, now_ms, outcome).await
}

/// A switch began anew: the sessions of its older boots are gone.
pub(crate) async fn new_boot(
    tx: &mut AnyConnection,
    reporter: Reporter,
    now_ms: i64,
    outcome: &mut Outcome,
) -> Result<()> {
    let agents = store::end_older_boots(tx, reporter, now_ms).await?;
    went(tx, agents, now_ms, outcome).await
}

/// Sessions of these agents ended: those without another one are not reachable any more.
async fn went(tx: &mut AnyConnection, agents: Vec<AgentId>, at: i64, outcome: &mut Outcome) -> Result<()> {
    // All lines of a switch may go at once: each question is about many agents.
    for some in agents.chunks(Sixteen::MOST) {
        let sixteen = Sixteen::of(some);
        let attached = store::attached_of(tx, &sixteen).await?;
        let mut names = auth::store::names(tx, &sixteen).await?;
        let gone = some.iter().filter(|agent| !attached.contains(agent));
        outcome.changes.extend(gone.map(|agent| {
            let name = names.remove(agent);
            Change { agent: *agent, name, at, connected: false }
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
    went(&mut tx, agents, now, &mut outcome).await?;
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
