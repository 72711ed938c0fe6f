//! Agents that have no URL of their own and hold a line: asked the same questions there. The line itself says who they
//! are, so that a card proves nothing more.

use std::sync::atomic::Ordering;
use std::time::Duration;

use landline_link::{Ask, Told};
use landline_wire::error::Code;
use landline_wire::ids::{AgentId, NodeId};
use sqlx::AnyConnection;

use super::ops::Host;
use super::store;
use crate::agents::{self, Stored};
use crate::db::Result;
use crate::feed;
use crate::presence;
use crate::relay::direct::{Failure, Heard, Inquiry, Respondent};
use crate::state::Exchange;

/// Milliseconds of an interval for each agent that is probed over a line: ten questions a second, however many lines.
const PER_LINE_MS: i64 = 100;
/// New lines that are taken up at one look.
const AT_ONCE: i64 = 200;
/// Milliseconds that a look goes back before the last one: reports of lines come a little later than their ids were made.
const OVERLAP_MS: i64 = 10_000;
/// How soon after it attached an agent is asked, at least, in milliseconds.
const FIRST_WITHIN_MS: i64 = 2_000;
/// When an agent with neither URL nor line is asked: not before it is back.
pub(super) const PARKED: i64 = i64::MAX / 2;
/// Where an agent over a line is called, as far as it is told; it reads only the path.
const BASE: &str = "http://line.invalid";

/// An agent's line.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    node: NodeId,
    agent: AgentId,
    pub(super) speaks: Respondent,
}

impl Line {
    /// The line of an agent. `None`: it is on a switch that is not connected here; another exchange may lead next time.
    pub(super) async fn of(exchange: &Exchange, conn: &mut AnyConnection, agent: &Stored) -> Result<Option<Host>> {
        let Some(node) = presence::store::node_of(conn, agent.id).await? else { return Ok(None) };
        if exchange.nodes.connection(node).is_none() {
            return Ok(None);
        }
        if !Respondent::is_declared(&agent.card) {
            return Ok(Some(Host::Nobody));
        }
        let card = serde_json::from_str(&agent.card).unwrap_or_default();
        let card = agents::card_v1(&agents::relayed(&card, BASE), BASE);
        let speaks = Respondent::over_line(BASE, &card);
        Ok(Some(speaks.map_or(Host::Nobody, |speaks| Host::Line(Self { node, agent: agent.id, speaks }))))
    }

    /// Asks over the line. It leaves no record, and who may call the agent does not matter.
    pub(super) async fn ask(
        &self,
        exchange: &Exchange,
        inquiry: Inquiry,
        deadline: Duration,
    ) -> std::result::Result<Heard, Failure> {
        let Inquiry { method, path, headers, body, .. } = inquiry;
        let headers = headers
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())));
        let question = Ask {
            agent: self.agent,
            method: method.as_str().to_owned(),
            path: if path.as_str() == "/" { String::new() } else { path.as_str().to_owned() },
            headers: headers.collect(),
            body: body.to_vec(),
            request_id: format!("pulse-{}", uuid::Uuid::new_v4().simple()),
            timeout_ms: u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX),
        };
        match feed::ask(exchange, self.node, &question).await {
            Some(Told::Answer { status, media_type, body }) => {
                let media_type = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
                Ok(Heard { status, media_type, body: body.into() })
            }
            Some(Told::Failed { code }) if code == Code::AgentTimeout.as_str() => Err(Failure::Timeout),
            Some(Told::Failed { code }) if code == Code::AgentError.as_str() => Err(Failure::BadAnswer),
            Some(Told::Failed { .. }) => Err(Failure::Broken),
            None => Err(Failure::Unreachable),
        }
    }
}

/// What of the agents over lines is known between two looks.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Lines up to this id were taken up.
    after: String,
    /// What the last look read: the id of each line, and whose it is.
    page: Vec<(String, AgentId)>,
    counted_at: i64,
}

impl Lines {
    /// Takes up agents that attached of late.
    pub(super) async fn look(&mut self, exchange: &Exchange) -> Result<()> {
        let now_ms = exchange.clock.now_ms();
        let mut conn = exchange.db.read().acquire().await?;
        if now_ms - self.counted_at >= OVERLAP_MS {
            exchange.probed_lines.store(store::over_lines(&mut conn).await?, Ordering::Relaxed);
            self.counted_at = now_ms;
        }
        let new = presence::store::new_lines(&mut conn, &self.after, AT_ONCE).await?;
        drop(conn);
        let Some((last, _)) = new.last() else { return Ok(()) };
        let recent = AgentId::from_parts((now_ms - OVERLAP_MS).max(0).unsigned_abs(), [0; 10]).to_string();
        self.after = last.clone().min(recent);
        // The overlap is read again at each look: most often nothing came in between the lines that were there.
        if new == self.page {
            return Ok(());
        }
        let ids: Vec<AgentId> = new.iter().map(|(_, agent)| *agent).collect();
        self.page = new;
        let mut attached = agents::store::many(&mut *exchange.db.read().acquire().await?, &ids).await?;
        attached.retain(|agent| !agent.blocked && Respondent::is_declared(&agent.card));
        if attached.is_empty() {
            return Ok(());
        }
        let within = FIRST_WITHIN_MS.max(exchange.probed_lines.load(Ordering::Relaxed) * PER_LINE_MS);
        let mut tx = exchange.db.begin().await?;
        for agent in attached.iter().map(|agent| agent.id) {
            let soon = (super::ops::chance() * within as f64) as i64;
            store::enrol_line(&mut tx, agent, now_ms + soon).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// As many neighbours as stretch an interval to what lines are asked in.
pub(super) fn neighbours(exchange: &Exchange) -> i64 {
    exchange.probed_lines.load(Ordering::Relaxed) * PER_LINE_MS / super::schedule::PER_NEIGHBOUR_MS
}
