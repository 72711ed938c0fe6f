//! One probe of one agent: its card, and then a call that changes nothing. Nothing is stored here.

use std::time::Duration;

use landline_wire::error::Code;
use tokio::time::Instant;
use uuid::Uuid;

use super::judge::{self, Found, Next};
use super::line::Line;
use super::model::Verdict;
use super::store::Record;
use crate::agents::{self, Stored};
use crate::relay::direct::{Failure, Heard, Inquiry, Respondent};
use crate::state::Exchange;

/// Time for one question, from the look-up of the name to the end of the answer.
const DEADLINE: Duration = Duration::from_secs(10);
/// Where A2A 1.0 and 0.3 put a card, and where it was before.
const CARD: &str = "/.well-known/agent-card.json";
const OLD_CARD: &str = "/.well-known/agent.json";

/// What a probe found.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) verdict: Verdict,
    pub(crate) reason: Option<&'static str>,
    /// What was found where the card should be.
    pub(crate) found: Found,
    /// Where that was.
    pub(crate) card_path: Option<String>,
    /// Microseconds from the call to the end of its answer, if there was a call and an answer.
    pub(crate) latency_us: Option<i64>,
    /// Its host says that it will never be there again.
    pub(crate) is_gone: bool,
}

impl Outcome {
    pub(crate) fn end(verdict: Verdict, reason: &'static str, found: Found, card_path: Option<String>) -> Self {
        Self { verdict, reason: Some(reason), found, card_path, latency_us: None, is_gone: false }
    }

    /// The operator does not want it to be asked.
    pub(crate) fn barred() -> Self {
        Self::end(Verdict::Unknown, "barred_by_operator", Found::Nothing, None)
    }

    /// There is nothing that could be asked.
    pub(crate) fn nobody_to_ask() -> Self {
        Self::end(Verdict::Unknown, "no_interface", Found::Nothing, None)
    }
}

/// Probes an agent.
pub(crate) async fn probe(exchange: &Exchange, agent: &Stored, record: &Record, host: &Respondent) -> Outcome {
    let (found, card_path) = find_card(exchange, agent, record.card_path.as_deref(), host).await;
    match judge::after_card(found, record.is_vouched_for()) {
        Next::Call => {}
        Next::End(verdict, reason) => return Outcome::end(verdict, reason, found, card_path),
        Next::Gone => {
            let ended = Outcome::end(Verdict::Unreachable, Code::Gone.as_str(), found, card_path);
            return Outcome { is_gone: true, ..ended };
        }
    }
    call(host, found, card_path, async |inquiry| host.ask(exchange, inquiry, DEADLINE).await).await
}

/// Probes an agent over its line. Whether it serves a card there says nothing of who it is: the line does. But one that does
/// not answer for its card does not answer.
pub(crate) async fn over_line(exchange: &Exchange, agent: &Stored, line: &Line) -> Outcome {
    let (mut found, mut card_path) = (Found::Nothing, None);
    for path in [CARD, OLD_CARD] {
        let Some(inquiry) = line.speaks.document(path) else { continue };
        let heard = line.ask(exchange, inquiry, DEADLINE).await;
        found = judge::card(heard.as_ref().map_err(|failure| *failure), |card| agents::is_named(card, agent));
        if found == Found::Same {
            card_path = Some(path.to_owned());
        }
        if found.ends_the_search() {
            break;
        }
    }
    if let Found::Failed(failure) = found {
        let (verdict, reason) = judge::failed(failure);
        return Outcome::end(verdict, reason, found, None);
    }
    call(&line.speaks, found, card_path, async |inquiry| line.ask(exchange, inquiry, DEADLINE).await).await
}

/// The call that changes nothing, and what its answer means.
async fn call(
    host: &Respondent,
    found: Found,
    card_path: Option<String>,
    ask: impl AsyncFnOnce(Inquiry) -> Result<Heard, Failure>,
) -> Outcome {
    let id = Uuid::new_v4().to_string();
    let Some((inquiry, binding, era)) = host.task(&id) else { return Outcome::nobody_to_ask() };
    let began = Instant::now();
    let heard = ask(inquiry).await;
    let took = i64::try_from(began.elapsed().as_micros()).unwrap_or(i64::MAX);
    let (verdict, reason) = judge::call(heard.as_ref().map_err(|failure| *failure), binding, era, &id);
    Outcome { verdict, reason, found, card_path, latency_us: heard.is_ok().then_some(took), is_gone: false }
}

/// Looks for the card where it was last, then where it may be: at the host's own place, below the agent's path, and where it
/// was before A2A 0.3. A card below a path speaks only for what is there. Gives where the agent's own card is, too.
async fn find_card(
    exchange: &Exchange,
    agent: &Stored,
    last: Option<&str>,
    host: &Respondent,
) -> (Found, Option<String>) {
    let mut places: Vec<(String, &str)> =
        [(CARD, ""), (CARD, host.path()), (OLD_CARD, "")].map(|(path, scope)| (format!("{scope}{path}"), scope)).into();
    places.dedup();
    // The sort is stable: what was not the last place keeps its order.
    places.sort_by_key(|(path, _)| Some(path.as_str()) != last);
    let mut all = Found::Nothing;
    for (path, scope) in places {
        let Some(inquiry) = host.document(&path) else { continue };
        let heard = host.ask(exchange, inquiry, DEADLINE).await;
        let found = judge::card(heard.as_ref().map_err(|failure| *failure), |card| {
            agents::is_named(card, agent) && host.is_named_by(card, scope)
        });
        if found == Found::Same {
            return (found, Some(path));
        }
        all = all.and(found);
        if found.ends_the_search() {
            break;
        }
    }
    (all, None)
}
