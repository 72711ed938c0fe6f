//! Discovery, decided without an index and without a database: what may be asked, how candidates are scored, what is
//! shown of them.

use std::collections::BTreeSet;

use landline_api::agents::Agent;
use landline_api::discovery::{self as api, DEFAULT_CANDIDATES, Discover, MAX_CANDIDATES, MAX_TASK_CHARS};
use serde_json::Value;

use super::query::{Online, Wanted};
use super::schema;
use super::text;
use super::weights::{Signal, Weights};
use crate::error::{Error, Result};
use crate::extract::{Params, Window, whole};
use landline_wire::error::{Code, Problem};

/// Characters of a parameter of a search: no label is longer.
const PARAMETER_CHARS: usize = schema::LABEL_CHARS;
/// Words of a search: each costs a walk through the index.
const SEARCH_WORDS: usize = 8;
/// Characters of a capability in one line.
const LINE_CHARS: usize = 160;
/// Words of a task that are named as found.
const MATCHED: usize = 12;

/// What counts as known where nothing is: neither good nor bad.
const NEUTRAL: f64 = 0.5;
/// The median latency that counts as middling, milliseconds.
const MIDDLING_MS: f64 = 1_000.0;
/// Calls that a success rate is taken to stand on before the first one came: one good call is no record.
const ASSUMED_CALLS: f64 = 5.0;

/// A search as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Search {
    pub(super) wanted: Wanted,
    /// Only agents that are online, or only those that are not.
    pub(super) online: Option<bool>,
    pub(super) window: Window,
    /// The name that was asked for, if that is all that was: it is looked up as it is, too.
    pub(super) name: Option<String>,
}

/// Reads the parameters of `GET /v1/search`: at least one of `q`, `skill` and `tag` is required.
pub(super) fn search(params: &Params) -> Result<Search> {
    let given = |name: &str| match params.get(name) {
        Some(text) if text.chars().count() > PARAMETER_CHARS => {
            Err(Error::invalid(name, format!("`{name}` must have at most {PARAMETER_CHARS} characters.")))
        }
        other => Ok(other),
    };
    let (q, skill, tag) = (given("q")?, given("skill")?, given("tag")?);
    if q.is_none() && skill.is_none() && tag.is_none() {
        let problem = Problem::new(Code::InvalidQuery, "At least one of `q`, `skill` and `tag` is required.");
        return Err(problem.field("q").into());
    }
    let words = |name: &str, given: Option<&str>| -> Result<Vec<String>> {
        let Some(text) = given else { return Ok(Vec::new()) };
        let mut words: Vec<String> = text::words(text).into_iter().map(|word| word.folded).collect();
        words.truncate(SEARCH_WORDS);
        match words.is_empty() {
            true => Err(Error::invalid(name, format!("`{name}` must hold a word: letters or digits."))),
            false => Ok(words),
        }
    };
    let (category, provider) = (given("category")?, given("provider")?);
    let alone = skill.is_none() && tag.is_none() && category.is_none() && provider.is_none();
    let online = params.flag("online")?;
    Ok(Search {
        wanted: Wanted {
            words: words("q", q)?,
            skill: words("skill", skill)?,
            tag: tag.and_then(schema::label),
            category: category.and_then(schema::label),
            provider: provider.and_then(schema::label),
            online: None,
        },
        online,
        window: params.window()?,
        name: q.filter(|_| alone && online.is_none()).map(str::to_owned),
    })
}

impl Search {
    /// The search with the agents that are online now, if it asks for them.
    pub(super) fn among(&self, online: Option<Online>) -> Wanted {
        Wanted { online: self.online.zip(online), ..self.wanted.clone() }
    }
}

/// Reads the body of `POST /v1/discover`.
pub(super) fn discover(body: &Value) -> Result<Discover> {
    let members = body.as_object().ok_or_else(|| Error::invalid("body", "The body must be a JSON object."))?;
    let task = match members.get("task") {
        Some(Value::String(task)) => task.trim(),
        Some(_) => return Err(Error::invalid("task", "`task` must be a string.")),
        None => return Err(Error::invalid("task", "`task` is required: say what is to be done.")),
    };
    if task.chars().count() > MAX_TASK_CHARS {
        return Err(Error::invalid("task", format!("`task` must have at most {MAX_TASK_CHARS} characters.")));
    }
    if text::words(task).is_empty() {
        return Err(Error::invalid("task", "`task` must hold words: say what is to be done."));
    }
    let flag = |name: &str| match members.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(Error::invalid(name, format!("`{name}` must be true or false."))),
    };
    let max_results = match members.get("max_results") {
        None | Some(Value::Null) => DEFAULT_CANDIDATES,
        Some(value) => whole(value)
            .and_then(|count| u32::try_from(count).ok())
            .filter(|count| (1..=MAX_CANDIDATES).contains(count))
            .ok_or_else(|| Error::invalid("max_results", format!("`max_results` must be 1 to {MAX_CANDIDATES}.")))?,
    };
    Ok(Discover { task: task.to_owned(), max_results, live_only: flag("live_only")?, why: flag("why")? })
}

/// What a row says of an agent's reliability: 0 (bad) to 1 (good), `None` where it says nothing.
pub(super) fn signal(agent: &Agent, signal: Signal) -> Option<f64> {
    let figures = &agent.reliability;
    match signal {
        Signal::Uptime => figures.uptime_7d,
        Signal::Latency => figures.latency_p50_ms.map(|ms| MIDDLING_MS / (MIDDLING_MS + ms.max(0.0))),
        Signal::Success => figures.success_rate_24h.map(|rate| {
            let calls = figures.calls_24h as f64;
            (rate * calls + NEUTRAL * ASSUMED_CALLS) / (calls + ASSUMED_CALLS)
        }),
        Signal::Pulse => agent.pulse.score,
        Signal::Claim => Some(f64::from(u8::from(agent.claimed || agent.source == "self_registered"))),
        Signal::Provider => Some(f64::from(u8::from(agent.provider_verified))),
        // The row has no disputes: neutral for all.
        Signal::Disputes => None,
    }
}

/// A score and what it was made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Score {
    pub(super) total: f64,
    pub(super) relevance: f64,
    /// The part of the relevance that is meaning; `None` where only words count.
    pub(super) meaning: Option<f64>,
    pub(super) reliability: f64,
}

/// How well an agent's texts match a task.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Relevance {
    /// By words, 0 to 1.
    pub(super) words: f64,
    /// By meaning, 0 to 1; `None`: the agent or the task has no vector.
    pub(super) meaning: Option<f64>,
}

impl Relevance {
    /// Both in one: meaning has the share `weight` where it is known. Where it is not, an agent is not punished for it.
    fn total(self, weight: f64) -> f64 {
        self.meaning.map_or(self.words, |meaning| (1.0 - weight) * self.words + weight * meaning)
    }
}

/// Scores a candidate: its relevance (0 to 1) times what its row proves, times the factor for being offline.
pub(super) fn score(agent: &Agent, relevance: Relevance, weights: &Weights) -> Score {
    let proven: f64 = Signal::ALL
        .iter()
        .map(|name| weights.share(*name) * signal(agent, *name).unwrap_or(NEUTRAL).clamp(0.0, 1.0))
        .sum();
    let reliability = 1.0 - weights.reliability * (1.0 - proven);
    let reachable = if agent.online { 1.0 } else { weights.offline };
    let (meaning, relevance) = (relevance.meaning, relevance.total(weights.meaning));
    Score { total: relevance * reliability * reachable, relevance, meaning, reliability }
}

fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// The words of a task that say what it is about, as written, each with its stem; each stem once.
pub(super) fn telling_words(task: &str) -> Vec<(String, String)> {
    let words: Vec<String> = text::words(task).into_iter().map(|word| word.folded).collect();
    let telling: Vec<&String> = words.iter().filter(|word| !text::is_stop_word(word)).collect();
    // A task of nothing but stop words still asks for something.
    let words: Vec<&String> = if telling.is_empty() { words.iter().collect() } else { telling };
    let mut seen = BTreeSet::new();
    let stems = words.into_iter().map(|word| (word.clone(), text::stem(word)));
    stems.filter(|(_, stem)| seen.insert(stem.clone())).collect()
}

/// What of an agent answers the task best, in one line: the skill that shares most of the task's words, else its
/// tagline, else the beginning of its description.
pub(super) fn one_line(agent: &Agent, stems: &BTreeSet<String>) -> String {
    let shared = |text: &str| text::stems(text).into_iter().collect::<BTreeSet<_>>().intersection(stems).count();
    let skills = agent.skills.iter().filter_map(|skill| {
        let name = skill.name.as_deref().or(skill.id.as_deref()).unwrap_or_default();
        let line = match skill.description.as_deref().map(str::trim).filter(|text| !text.is_empty()) {
            Some(description) if !name.is_empty() => format!("{name}: {description}"),
            Some(description) => description.to_owned(),
            None => name.to_owned(),
        };
        let count = shared(&line) + shared(&skill.tags.join(" "));
        (!line.is_empty()).then_some((count, line))
    });
    // Of equals the first: it is the one that the owner put on top.
    let best = skills.fold(None::<(usize, String)>, |best, next| match best {
        Some(best) if best.0 >= next.0 => Some(best),
        _ => Some(next),
    });
    let line = match best.filter(|(count, _)| *count > 0) {
        Some((_, line)) => line,
        None => agent.tagline.clone().unwrap_or_else(|| agent.description.clone()),
    };
    one_line_of(&line)
}

/// A text in one line of bounded length.
fn one_line_of(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if text.chars().count() <= LINE_CHARS {
        return text;
    }
    let cut: String = text.chars().take(LINE_CHARS - 1).collect();
    let whole_words = cut.rsplit_once(' ').map_or(cut.as_str(), |(head, _)| head);
    format!("{whole_words}…")
}

/// A candidate as it is shown. `words` are the task's telling words with their stems.
pub(super) fn candidate(
    agent: Agent,
    score: Score,
    words: &[(String, String)],
    relay_url: String,
    weights: Option<&Weights>,
) -> api::Candidate {
    let stems: BTreeSet<String> = words.iter().map(|(_, stem)| stem.clone()).collect();
    let why = weights.map(|weights| {
        let own = own_stems(&agent);
        let matched = words.iter().filter(|(_, stem)| own.contains(stem)).map(|(word, _)| word.clone());
        api::Why {
            relevance: rounded(score.relevance),
            meaning: score.meaning.map(rounded),
            reliability: rounded(score.reliability),
            online: agent.online,
            matched: matched.take(MATCHED).collect(),
            signals: Signal::ALL
                .iter()
                .map(|name| api::Signal {
                    name: name.as_str().to_owned(),
                    value: signal(&agent, *name).map(rounded),
                    weight: rounded(weights.share(*name)),
                })
                .collect(),
        }
    });
    api::Candidate {
        agent_id: agent.id,
        match_score: rounded(score.total.clamp(0.0, 1.0)),
        one_line_capability: one_line(&agent, &stems),
        // Without a line the relay would pass the call on to the URL, where it may; with one it is the only way.
        endpoint: if agent.attached { relay_url } else { agent.url.clone().unwrap_or(relay_url) },
        name: agent.name,
        pulse: agent.pulse,
        why,
    }
}

/// The stems of all that an agent says of itself.
fn own_stems(agent: &Agent) -> BTreeSet<String> {
    let skills = agent.skills.iter().flat_map(|skill| {
        let texts = [skill.name.as_deref(), skill.id.as_deref(), skill.description.as_deref()];
        texts.into_iter().flatten().chain(skill.tags.iter().map(String::as_str))
    });
    let texts = [agent.name.as_str(), agent.description.as_str()].into_iter().chain(agent.tagline.as_deref());
    texts.chain(skills).flat_map(text::stems).collect()
}

#[cfg(test)]
#[path = "model_tests.rs"]
mod tests;
