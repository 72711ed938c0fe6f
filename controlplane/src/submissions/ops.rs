//! Use cases of the submissions.

use landline_api::submissions as api;
use landline_api::time::rfc3339_ms;
use landline_wire::error::{Code, Problem};
use serde_json::Value;
use uuid::Uuid;

use super::crawl::{self, Looked};
use super::model::{self, Status};
use super::store::{self, Submission};
use crate::agents;
use crate::error::{Error, Result};
use crate::relay::direct::Respondent;
use crate::state::Exchange;

/// Submissions that may wait. One more is refused.
const MAX_WAITING: i64 = 1_000;
/// Milliseconds after which what came to nothing may be submitted anew.
const ANEW_MS: i64 = 3_600_000;

/// Submits a URL. One that is there already gives what is there.
pub(crate) async fn submit(exchange: &Exchange, body: &Value) -> Result<api::Submission> {
    let url = body.get("url").and_then(Value::as_str).ok_or_else(|| Error::invalid("url", "`url` is required."))?;
    let key = agents::normal_url(url)
        .filter(|_| url.len() <= 2_000)
        .ok_or_else(|| Error::invalid("url", "`url` must be an absolute http or https URL."))?;
    let host = Respondent::at(exchange, url).ok_or_else(|| unreachable("it is not a place that may be called"))?;
    let known = store::by_key(&mut *exchange.db.read().acquire().await?, &key).await?;
    if known.is_none() && !host.is_reachable(exchange).await {
        return Err(unreachable("nobody answers there"));
    }
    let now_ms = exchange.clock.now_ms();
    let mut tx = exchange.db.begin().await?;
    if known.is_none() && store::waiting(&mut tx).await? >= MAX_WAITING {
        return Err(Error::new(Code::Overloaded, "Too many submissions wait; try again later."));
    }
    store::add(&mut tx, (Uuid::now_v7().to_string(), url, &key), 0, now_ms).await?;
    store::reopen(&mut tx, &key, now_ms - ANEW_MS, now_ms).await?;
    let submission = store::by_key(&mut tx, &key).await?.ok_or_else(|| Error::plain(Code::NotFound))?;
    tx.commit().await?;
    Ok(shown(&submission))
}

fn unreachable(why: &str) -> Error {
    Problem::new(Code::RuntimeUnreachable, format!("The URL cannot be reached: {why}.")).field("url").into()
}

/// What became of a submission.
pub async fn get(exchange: &Exchange, id: &str) -> Result<api::Submission> {
    let found = store::get(&mut *exchange.db.read().acquire().await?, id).await?;
    found.as_ref().map(shown).ok_or_else(|| Error::new(Code::NotFound, "There is no submission with this id."))
}

fn shown(submission: &Submission) -> api::Submission {
    api::Submission {
        id: submission.id.clone(),
        url: submission.url.clone(),
        status: submission.status.as_str().into(),
        reason: submission.reason.clone(),
        agent_id: submission.agent,
        entries: submission.entries.map(i64::unsigned_abs),
        created_at: rfc3339_ms(submission.created_at),
        checked_at: submission.checked_at.map(rfc3339_ms),
    }
}

/// The host of a submission; `None`: it is not a place that may be called any more.
pub(crate) fn host_of(exchange: &Exchange, submission: &Submission) -> Option<Respondent> {
    Respondent::at(exchange, &submission.url)
}

/// Looks at a submission and stores what follows.
pub(crate) async fn visit(exchange: &Exchange, submission: Submission) -> Result<()> {
    let looked = match host_of(exchange, &submission) {
        Some(host) => crawl::look(exchange, &host).await,
        None => Looked::Nothing("address_refused"),
    };
    let tries = if matches!(looked, Looked::Away(_)) { submission.tries + 1 } else { 0 };
    let found = match looked {
        Looked::Card(text) => card(exchange, &submission, &text).await?,
        Looked::Catalog(catalog) => follow(exchange, &submission, &catalog).await?,
        Looked::Gone => Found::without_agent(Status::Gone, None),
        Looked::Nothing(reason) => Found::without_agent(Status::Failed, Some(reason.into())),
        // What is listed stays listed: whether it can be called is seen by its probes.
        Looked::Away(reason) if submission.status == Status::Indexed => {
            Found { agent: submission.agent, ..Found::without_agent(Status::Indexed, Some(reason.into())) }
        }
        Looked::Away(reason) => {
            let has_more = model::next_look(Status::Queued, tries, 0).is_some();
            Found::without_agent(if has_more { Status::Queued } else { Status::Failed }, Some(reason.into()))
        }
    };
    let now_ms = exchange.clock.now_ms();
    let next_at = model::next_look(found.status, tries, now_ms);
    let Found { status, reason, agent, entries } = found;
    let submission = Submission { status, reason, agent, entries, tries, ..submission };
    tracing::debug!(url = %submission.url, status = submission.status.as_str(), reason = submission.reason, "crawled");
    store::settle(&mut *exchange.db.write().acquire().await?, &submission, now_ms, next_at).await?;
    Ok(())
}

/// What a look led to.
struct Found {
    status: Status,
    reason: Option<String>,
    agent: Option<landline_wire::ids::AgentId>,
    entries: Option<i64>,
}

impl Found {
    fn without_agent(status: Status, reason: Option<String>) -> Self {
        Self { status, reason, agent: None, entries: None }
    }
}

/// A card is listed, or followed if it is listed already.
async fn card(exchange: &Exchange, submission: &Submission, text: &str) -> Result<Found> {
    use agents::ops::Federated;
    let found = |status, agent| Found { agent: Some(agent), ..Found::without_agent(status, None) };
    match agents::ops::federate(exchange, &submission.url, text).await {
        Ok(Federated::Listed(agent)) => Ok(found(Status::Indexed, agent)),
        Ok(Federated::Registered(agent)) => Ok(found(Status::Known, agent)),
        Err(Error::Internal(why)) => Err(Error::Internal(why)),
        Err(refused) => {
            let problem = refused.into_problem();
            let at = problem.field.as_deref().map(|field| format!(" {field}")).unwrap_or_default();
            Ok(Found::without_agent(Status::Failed, Some(format!("{}{at}", problem.code.as_str()))))
        }
    }
}

/// Queues what a catalogue names, as far as there is room.
async fn follow(exchange: &Exchange, submission: &Submission, catalog: &Value) -> Result<Found> {
    let named = model::named_by(catalog);
    let entries = i64::try_from(named.len()).unwrap_or(i64::MAX);
    let depth = submission.depth + 1;
    let mut reason = None;
    let mut tx = exchange.db.begin().await?;
    let mut room = (MAX_WAITING - store::waiting(&mut tx).await?).max(0);
    for url in named {
        if depth > model::MAX_DEPTH || room == 0 {
            reason = Some("not_all_followed".to_owned());
            break;
        }
        let (Some(key), Some(_)) = (agents::normal_url(&url), Respondent::at(exchange, &url)) else { continue };
        let added = store::add(&mut tx, (Uuid::now_v7().to_string(), &url, &key), depth, exchange.clock.now_ms());
        room -= i64::from(added.await?);
    }
    tx.commit().await?;
    Ok(Found { entries: Some(entries), ..Found::without_agent(Status::Catalog, reason) })
}

/// Looks at everything whose time has come, one after the other, and gives how much there was: what the loop does, in
/// order.
pub async fn visit_due(exchange: &Exchange) -> Result<usize> {
    let mut visited = 0;
    loop {
        let now_ms = exchange.clock.now_ms();
        let taken = store::take(&mut *exchange.db.write().acquire().await?, now_ms, now_ms + 60_000, 64).await?;
        if taken.is_empty() {
            return Ok(visited);
        }
        for submission in taken {
            visit(exchange, submission).await?;
            visited += 1;
        }
    }
}
