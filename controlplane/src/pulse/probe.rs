//! One probe of one agent: its card, and then a call that changes nothing. Nothing is stored here.

use std::time::Duration;

use landline_wire::error::Code;
use tokio::time::Instant;
use uuid::Uuid;

use super::judge::{self, Found, Next};
use super::line::Line;
use super::model::{Took, Verdict};
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
    /// How long its parts took.
    pub(crate) took: Took,
    /// Its host says that it will never be there again.
    pub(crate) is_gone: bool,
}

impl Outcome {
    pub(crate) fn end(verdict: Verdict, reason: &'static str, found: Found, card_path: Option<String>) -> Self {
        Self { verdict, reason: Some(reason), found, card_path, took: Took::default(), is_gone: false }
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
    let (found, card_path, card_us) = find_card(exchange, agent, record.card_path.as_deref(), host).await;
    match judge::after_card(found, record.is_vouched_for()) {
        Next::Call => {}
        Next::End(verdict, reason) => return Outcome::end(verdict, reason, found, card_path),
        Next::Gone => {
            let ended = Outcome::end(Verdict::Unreachable, Code::Gone.as_str(), found, card_path);
            return Outcome { is_gone: true, ..ended };
        }
    }
    call(host, (found, card_path, card_us), async |inquiry| host.ask(exchange, inquiry, DEADLINE).await).await
}

/// Probes an agent over its line. Whether it serves a card there says nothing of who it is: the line does. But one that does
/// not answer for its card does not answer.
pub(crate) async fn over_line(exchange: &Exchange, agent: &Stored, line: &Line) -> Outcome {
    let (mut found, mut card_path, mut card_us) = (Found::Nothing, None, None);
    for path in [CARD, OLD_CARD] {
        let Some(inquiry) = line.speaks.document(path) else { continue };
        let began = Instant::now();
        let heard = line.ask(exchange, inquiry, DEADLINE).await;
        found = judge::card(heard.as_ref().map_err(|failure| *failure), |card| agents::is_named(card, agent));
        if found == Found::Same {
            (card_path, card_us) = (Some(path.to_owned()), Some(microseconds(began)));
        }
        if found.ends_the_search() {
            break;
        }
    }
    if let Found::Failed(failure) = found {
        let (verdict, reason) = judge::failed(failure);
        return Outcome::end(verdict, reason, found, None);
    }
    call(&line.speaks, (found, card_path, card_us), async |inquiry| line.ask(exchange, inquiry, DEADLINE).await).await
}

/// The call that changes nothing, and what its answer means. The card is known already: what was found, where, and how many
/// microseconds it took.
async fn call(
    host: &Respondent,
    (found, card_path, card_us): (Found, Option<String>, Option<i64>),
    ask: impl AsyncFnOnce(Inquiry) -> Result<Heard, Failure>,
) -> Outcome {
    let id = Uuid::new_v4().to_string();
    let Some((inquiry, binding, era)) = host.task(&id) else { return Outcome::nobody_to_ask() };
    let began = Instant::now();
    let heard = ask(inquiry).await;
    let took = Took { call_us: heard.is_ok().then(|| microseconds(began)), card_us };
    let (verdict, reason) = judge::call(heard.as_ref().map_err(|failure| *failure), binding, era, &id);
    Outcome { verdict, reason, found, card_path, took, is_gone: false }
}

/// Looks for the card where it was last, then where it may be: at the host's own place, below the agent's path, and where it
/// was before A2A 0.3. A card below a path speaks only for what is there. Gives where the agent's own card is, too, and
/// how many microseconds it took to get.
async fn find_card(
    exchange: &Exchange,
    agent: &Stored,
    last: Option<&str>,
    host: &Respondent,
) -> (Found, Option<String>, Option<i64>) {
    let mut places: Vec<(String, &str)> =
        [(CARD, ""), (CARD, host.path()), (OLD_CARD, "")].map(|(path, scope)| (format!("{scope}{path}"), scope)).into();
    places.dedup();
    // The sort is stable: what was not the last place keeps its order.
    places.sort_by_key(|(path, _)| Some(path.as_str()) != last);
    let mut all = Found::Nothing;
    for (path, scope) in places {
        let Some(inquiry) = host.document(&path) else { continue };
        let began = Instant::now();
        let heard = host.ask(exchange, inquiry, DEADLINE).await;
        let took = microseconds(began);
        let found = judge::card(heard.as_ref().map_err(|failure| *failure), |card| {
            agents::is_named(card, agent) && host.is_named_by(card, scope)
        });
        if found == Found::Same {
            return (found, Some(path), Some(took));
        }
        all = all.and(found);
        if found.ends_the_search() {
            break;
        }
    }
    (all, None, None)
}

fn microseconds(since: Instant) -> i64 {
    i64::try_from(since.elapsed().as_micros()).unwrap_or(i64::MAX)
}
