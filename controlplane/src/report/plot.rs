//! Which plots an edition has. Pure.

use landline_api::report::{Edition, Row, Share};

use super::cells::{milliseconds, percent};
use super::svg::{Bar, Chart, Scale};

/// A plot of an edition.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plot {
    /// The part of its file's name that tells it apart.
    pub(super) name: &'static str,
    pub(super) chart: Chart,
}

/// Tags that are drawn.
const TAGS: usize = 12;

/// The plots, in the order of their sections.
pub(super) fn plots(edition: &Edition) -> Vec<Plot> {
    let figures = &edition.figures;
    let reach = &figures.reach;
    let of_reach = [
        ("discoverable, with a URL", &reach.discoverable),
        ("responsive, of those probed", &reach.responsive),
        ("attached, of all listed", &reach.attached),
        ("online, of all listed", &reach.online),
    ];
    let classes = figures.service_classes.classes.iter();
    let classes = classes.map(|class| (format!("{} ({})", class.class, class.origin), &class.responsive));
    vec![
        Plot {
            name: "reach",
            chart: shares(edition, "Who can be found and called", "share of agents", bars(of_reach)),
        },
        Plot {
            name: "verdicts",
            chart: shares(
                edition,
                "What the last probe found",
                "share of agents with a URL",
                rows(&figures.probes.verdicts),
            ),
        },
        Plot { name: "latency", chart: latency(edition) },
        Plot {
            name: "classes",
            chart: shares(
                edition,
                "Responsive agents by service class",
                "share of the class that was probed",
                bars(classes),
            ),
        },
        Plot {
            name: "tiers",
            chart: shares(edition, "How far agents have got", "share of agents", rows(&figures.quality.tiers)),
        },
        Plot {
            name: "tags",
            chart: shares(
                edition,
                "What agents offer: the most frequent tags",
                "share of agents",
                rows(&figures.contents.tags[..figures.contents.tags.len().min(TAGS)]),
            ),
        },
    ]
}

fn bar(label: impl Into<String>, share: &Share) -> Option<Bar> {
    Some(Bar {
        label: label.into(),
        value: share.share?,
        interval: share.interval.map(|interval| (interval.low, interval.high)),
        text: format!("{} of {} ({})", share.count?, share.of, percent(share.share)),
    })
}

/// What is not known has no bar.
fn bars<'a, L: Into<String>>(shares: impl IntoIterator<Item = (L, &'a Share)>) -> Vec<Bar> {
    shares.into_iter().filter_map(|(label, share)| bar(label, share)).collect()
}

fn rows(rows: &[Row]) -> Vec<Bar> {
    bars(rows.iter().map(|row| (row.value.as_str(), &row.share)))
}

/// What a chart says, for those who do not see it.
fn described(bars: &[Bar], nothing: &str) -> String {
    let parts: Vec<String> = bars.iter().map(|bar| format!("{}: {}", bar.label, bar.text)).collect();
    if parts.is_empty() { nothing.to_owned() } else { format!("{}.", parts.join("; ")) }
}

fn shares(edition: &Edition, title: &str, axis: &'static str, bars: Vec<Bar>) -> Chart {
    let nothing = "Nothing is known of this.";
    Chart {
        title: format!("{title}, {}", edition.edition),
        description: described(&bars, nothing),
        axis,
        scale: Scale::Share,
        bars,
        nothing,
    }
}

fn latency(edition: &Edition) -> Chart {
    let figures = &edition.figures;
    let of = [
        ("card fetch", &figures.probes.card_fetches),
        ("probe", &figures.probes.calls),
        ("relay call", &figures.calls.latency),
    ];
    let bars: Vec<Bar> = of
        .iter()
        .flat_map(|(what, times)| {
            let each = [("p50", times.p50_ms), ("p90", times.p90_ms), ("p99", times.p99_ms)];
            each.map(|(q, value)| {
                let value = value?;
                Some(Bar { label: format!("{what}, {q}"), value, interval: None, text: milliseconds(Some(value)) })
            })
        })
        .flatten()
        .collect();
    let nothing = "Nobody was asked, and no call was recorded.";
    Chart {
        title: format!("How long answers take, {}", edition.edition),
        description: described(&bars, nothing),
        axis: "milliseconds, logarithmic",
        scale: Scale::Milliseconds,
        bars,
        nothing,
    }
}
