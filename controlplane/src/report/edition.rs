//! An edition from its figures, and what changed since the one before. Pure.

use landline_api::report::{Change, Edition, Figures, Previous, SCHEMA, Share};
use landline_api::time::rfc3339_ms;

use super::{Month, words};

/// How a figure is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// A number of things.
    Count,
    /// A number from 0 to 1.
    Share,
    /// A time.
    Milliseconds,
}

/// A figure that stands for others, and is compared from edition to edition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Headline {
    /// Where it is in the figures.
    pub(super) figure: &'static str,
    /// What it says.
    pub(super) label: &'static str,
    /// Null: not known.
    pub(super) value: Option<f64>,
    pub(super) unit: Unit,
}

/// The headlines of figures, in the order in which they are shown.
pub(super) fn headlines(figures: &Figures) -> Vec<Headline> {
    let Figures { directory, reach, probes, signatures, service_classes, quality, contents, calls, .. } = figures;
    let share = |figure, label, share: &Share| Headline { figure, label, value: share.share, unit: Unit::Share };
    let count = |figure, label, count: Option<u64>| Headline {
        figure,
        label,
        value: count.map(|count| count as f64),
        unit: Unit::Count,
    };
    let time = |figure, label, value| Headline { figure, label, value, unit: Unit::Milliseconds };
    vec![
        count("directory.listed", "Agents that are listed", Some(directory.listed)),
        share("directory.self_registered", "Self-registered, of those listed", &directory.self_registered),
        share("directory.with_url", "With a URL of their own, of those listed", &directory.with_url),
        share("reach.discoverable", "Discoverable in 24 hours, of those with a URL", &reach.discoverable),
        share("reach.responsive", "Responsive, of those probed", &reach.responsive),
        share("reach.attached", "Attached by a line, of those listed", &reach.attached),
        share("reach.online", "Online, of those listed", &reach.online),
        share("signatures.carried", "With a card that carries a signature", &signatures.carried),
        share("service_classes.declared", "With a declared service class", &service_classes.declared),
        share("quality.passed", "With an entry that passes the quality bar", &quality.passed),
        count("contents.skills", "Skills per agent, median", contents.skills.p50),
        time("probes.card_fetches", "Fetching a card, median", probes.card_fetches.p50_ms),
        time("probes.card_fetches.p99", "Fetching a card, 99th percentile", probes.card_fetches.p99_ms),
        time("probes.calls", "Answering a probe, median", probes.calls.p50_ms),
        count("calls.total", "Calls through the relay", Some(calls.total)),
        share("calls.answered", "Answered calls, of all", &calls.answered),
        time("calls.latency", "A call through the relay, median", calls.latency.p50_ms),
    ]
}

/// The edition of a month: what was counted at a moment (unix milliseconds), in a server's directory, as this revision of it,
/// beside the edition before.
pub fn edition(
    (month, revision): (Month, u32),
    as_of: i64,
    server: Option<String>,
    figures: Figures,
    before: Option<&Edition>,
) -> Edition {
    Edition {
        schema: SCHEMA,
        edition: month.to_string(),
        revision,
        as_of: rfc3339_ms(as_of),
        server,
        summary: words::summary(&figures),
        previous: before.map(|before| previous(before, &figures)),
        figures,
        definitions: words::definitions(),
        method: words::method(),
    }
}

fn previous(before: &Edition, now: &Figures) -> Previous {
    let changes = headlines(&before.figures).into_iter().zip(headlines(now)).map(|(before, now)| Change {
        figure: now.figure.to_owned(),
        before: before.value,
        now: now.value,
    });
    Previous {
        edition: before.edition.clone(),
        revision: before.revision,
        as_of: before.as_of.clone(),
        changes: changes.collect(),
    }
}
