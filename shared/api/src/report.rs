//! Editions of the state report: a cross-section of a directory at one moment.
//!
//! A share is a number from 0 to 1, always with its numerator and denominator. What is not known is null, never 0, and
//! `reason` beside it says why. Times are RFC 3339 in UTC. Members are added within a [`SCHEMA`]; a change that could break a
//! reader raises it.

use serde::{Deserialize, Serialize};

/// The form of an [`Edition`].
pub const SCHEMA: u32 = 1;

/// One edition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Edition {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The month that it is of, such as `2026-11`.
    pub edition: String,
    /// 1 for the first of its month; one more for each that replaced it.
    pub revision: u32,
    /// The moment of the cross-section.
    pub as_of: String,
    /// Base URL of the server whose directory it is; null: it was not known where the edition was made.
    pub server: Option<String>,
    /// One sentence of what it found.
    pub summary: String,
    /// What was counted.
    pub figures: Figures,
    /// What changed since the edition before; null: there was none.
    pub previous: Option<Previous>,
    /// What each word means.
    pub definitions: Vec<Definition>,
    /// How it was counted, in paragraphs.
    pub method: Vec<String>,
}

/// What was counted, section by section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Who is listed.
    pub directory: Directory,
    /// Who can be found and called.
    pub reach: Reach,
    /// What probes found.
    pub probes: Probes,
    /// Who signs its card.
    pub signatures: Signatures,
    /// What agents promise of their presence.
    pub service_classes: ServiceClasses,
    /// How agents speak.
    pub protocol: Protocol,
    /// What entries are worth.
    pub quality: Quality,
    /// What agents offer.
    pub contents: Contents,
    /// Calls through the relay.
    pub calls: Calls,
    /// What became of submitted URLs.
    pub submissions: Submissions,
}

/// So many of so many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// The numerator; null: not known.
    pub count: Option<u64>,
    /// The denominator.
    pub of: u64,
    /// The quotient, to four decimals; null if the numerator is not known or the denominator is 0.
    pub share: Option<f64>,
    /// The 95 % Wilson score interval of the quotient, where the denominator is below 1,000.
    pub interval: Option<Interval>,
    /// Why something is null that could be known elsewhere.
    pub reason: Option<String>,
}

/// An interval of shares.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// A value and the share that has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The value.
    pub value: String,
    /// Who has it.
    #[serde(flatten)]
    pub share: Share,
}

/// Times to an answer, milliseconds; null without a sample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Answers behind the percentiles.
    pub sample: u64,
    /// Median, by nearest rank.
    pub p50_ms: Option<f64>,
    /// 90th percentile.
    pub p90_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
    /// Why there is no sample.
    pub reason: Option<String>,
}

/// Who is listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Directory {
    /// Agents that are neither removed nor blocked.
    pub listed: u64,
    /// Of them, those that registered themselves.
    pub self_registered: Share,
    /// Those that were found at their own hosts.
    pub federated: Share,
    /// Those whose card names a URL of its own.
    pub with_url: Share,
    /// Those that were registered in the 30 days before.
    pub joined_30d: Share,
}

/// Who can be found and called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reach {
    /// Agents that were probed in the 24 hours before, of those with a URL.
    pub probed: Share,
    /// Agents whose host served their card in the 24 hours before, of those with a URL.
    pub discoverable: Share,
    /// The same, of all that are listed.
    pub discoverable_of_listed: Share,
    /// Agents whose URL answered an A2A call at the last probe, of those that were probed in the 24 hours before.
    pub responsive: Share,
    /// The same, of all that are listed.
    pub responsive_of_listed: Share,
    /// Agents that held a line at the moment, of all that are listed.
    pub attached: Share,
    /// Agents that could be called at the moment, by a line or at their URL, of all that are listed.
    pub online: Share,
}

/// What probes found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probes {
    /// The last verdict, of agents with a URL.
    pub verdicts: Vec<Row>,
    /// Times to fetch an agent's own card from its host, of the last 24 hours' probes.
    pub card_fetches: Latency,
    /// Times of A2A calls that were answered as A2A has it, of the same probes.
    pub calls: Latency,
}

/// Who signs its card.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signatures {
    /// Agents whose card carries a signature, of all that are listed.
    pub carried: Share,
    /// Agents whose card's signature was verified.
    pub verified: Share,
}

/// What agents promise of their presence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceClasses {
    /// Agents whose card declares a class, of all that are listed.
    pub declared: Share,
    /// Agents that were found at their hosts, declare none, and have tags that suggest one.
    pub inferred: Share,
    /// All others.
    pub unknown: Share,
    /// Class by class.
    pub classes: Vec<Class>,
}

/// Agents of one class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Class {
    /// `utility`, `principal`, `ephemeral` or `unknown`.
    pub class: String,
    /// `declared`, `inferred` or `none`.
    pub origin: String,
    /// How many.
    pub agents: Share,
    /// Those whose URL answered an A2A call, of those of the class that were probed in the 24 hours before.
    pub responsive: Share,
}

/// How agents speak, as their cards declare it; an agent may count in several rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Protocol {
    /// Agents whose card names an interface, of all that are listed. The following are of these.
    pub with_interface: Share,
    /// Versions of A2A.
    pub versions: Vec<Row>,
    /// Bindings, such as `JSONRPC`.
    pub bindings: Vec<Row>,
    /// Agents that declare streaming, of all that are listed.
    pub streaming: Share,
    /// Agents that declare push notifications, of all that are listed.
    pub push_notifications: Share,
}

/// What entries are worth, of all that are listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Agents whose entry has all that a good one has.
    pub passed: Share,
    /// What is missing, most frequent first.
    pub missing: Vec<Row>,
    /// The tiers.
    pub tiers: Vec<Row>,
}

/// What agents offer, of all that are listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contents {
    /// Skills of an agent.
    pub skills: Skills,
    /// The categories, most frequent first; agents without one are in none.
    pub categories: Vec<Row>,
    /// The most frequent tags of skills, counted once per agent.
    pub tags: Vec<Row>,
    /// How many different tags there are.
    pub distinct_tags: u64,
}

/// Skills per agent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skills {
    /// Agents behind the figures.
    pub sample: u64,
    /// Median, by nearest rank; null if nobody is listed.
    pub p50: Option<u64>,
    /// 90th percentile.
    pub p90: Option<u64>,
    /// The most that an agent has.
    pub most: Option<u64>,
    /// Why there is no sample.
    pub reason: Option<String>,
}

/// Calls through the relay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calls {
    /// The window's first moment: a full hour.
    pub from: String,
    /// The window's end: the moment of the cross-section.
    pub until: String,
    /// Calls that were recorded in the window.
    pub total: u64,
    /// Agents that were called, removed ones too.
    pub callees: u64,
    /// Calls that reached their agent and did not fail (a status below 500), of all.
    pub answered: Share,
    /// Of the newest calls of the window (a million at most), by status.
    pub statuses: Vec<Row>,
    /// Of the same calls, by route.
    pub routes: Vec<Row>,
    /// Times of those of them that did not fail, as the relay measured them.
    pub latency: Latency,
}

/// What became of submitted URLs that are still known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submissions {
    /// How many.
    pub total: u64,
    /// By status.
    pub statuses: Vec<Row>,
}

/// The edition before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Previous {
    /// Its month.
    pub edition: String,
    /// Its revision.
    pub revision: u32,
    /// Its moment.
    pub as_of: String,
    /// The figures that are compared.
    pub changes: Vec<Change>,
}

/// A figure in two editions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Where the figure is, such as `reach.online`.
    pub figure: String,
    /// What it was; null: not known.
    pub before: Option<f64>,
    /// What it is; null: not known.
    pub now: Option<f64>,
}

/// What a word means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Definition {
    /// The word.
    pub term: String,
    /// Its meaning.
    pub text: String,
}
