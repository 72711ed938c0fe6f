//! An edition as Markdown. Pure: the same edition has the same text.

use std::fmt::Write;

use landline_api::report::{Edition, Latency};

use super::Month;
use super::cells::{change, count, escaped, grouped, interval, milliseconds, minute, percent, rows, table, value};
use super::edition::headlines;
use super::files::{json_name, plot_name};
use super::plot::Plot;

/// The report. Its links are relative: the files of an edition lie beside each other.
pub(super) fn report(month: Month, edition: &Edition, plots: &[Plot]) -> String {
    let mut out = String::new();
    head(&mut out, month, edition);
    changes(&mut out, edition);
    let plot = |out: &mut String, name: &str| {
        if let Some(plot) = plots.iter().find(|plot| plot.name == name) {
            let _ = writeln!(out, "![{}]({})\n", escaped(&plot.chart.title), plot_name(month, name));
        }
    };
    directory(&mut out, edition);
    reach(&mut out, edition);
    plot(&mut out, "reach");
    probes(&mut out, edition);
    plot(&mut out, "verdicts");
    plot(&mut out, "latency");
    classes(&mut out, edition);
    plot(&mut out, "classes");
    protocol(&mut out, edition);
    quality(&mut out, edition);
    plot(&mut out, "tiers");
    contents(&mut out, edition);
    plot(&mut out, "tags");
    traffic(&mut out, edition);
    words(&mut out, edition);
    out
}

fn head(out: &mut String, month: Month, edition: &Edition) {
    let server = edition.server.as_deref().map(|url| format!(" of {}", escaped(url))).unwrap_or_default();
    let _ = write!(
        out,
        "# State of A2A, {}\n\nThe directory{server} at {}. {}\n\nRevision {}. The figures are also there as [JSON]({}).\n",
        month.name(),
        minute(&edition.as_of),
        edition.summary,
        edition.revision,
        json_name(month),
    );
}

/// The headlines, beside those of the edition before.
fn changes(out: &mut String, edition: &Edition) {
    let headlines = headlines(&edition.figures);
    let Some(previous) = &edition.previous else {
        out.push_str("\n## At a glance\n\nThere is no edition before this one.\n\n| figure | now |\n|---|---|\n");
        for headline in headlines {
            let _ = writeln!(out, "| {} | {} |", headline.label, value(headline.unit, headline.value));
        }
        return;
    };
    let _ = write!(
        out,
        "\n## At a glance\n\n| figure | now | {} | change |\n|---|---|---|---|\n",
        escaped(&previous.edition)
    );
    for headline in headlines {
        let before = previous.changes.iter().find(|change| change.figure == headline.figure);
        let before = before.and_then(|change| change.before);
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            headline.label,
            value(headline.unit, headline.value),
            value(headline.unit, before),
            headline.value.zip(before).map_or_else(|| "–".into(), |(now, before)| change(headline.unit, now - before)),
        );
    }
}

fn directory(out: &mut String, edition: &Edition) {
    let figures = &edition.figures.directory;
    let _ = write!(out, "\n## The directory\n\n{} agents are listed.\n\n", grouped(figures.listed));
    table(
        out,
        "agents",
        &[
            ("self-registered", &figures.self_registered),
            ("federated", &figures.federated),
            ("with a URL of their own", &figures.with_url),
            ("joined in the last 30 days", &figures.joined_30d),
            ("with a card that carries a signature", &edition.figures.signatures.carried),
            ("with a signature that was verified", &edition.figures.signatures.verified),
        ],
    );
}

fn reach(out: &mut String, edition: &Edition) {
    let reach = &edition.figures.reach;
    out.push_str("\n## Who can be found and called\n\n");
    table(
        out,
        "agents",
        &[
            ("probed in 24 hours, of those with a URL", &reach.probed),
            ("discoverable in 24 hours, of those with a URL", &reach.discoverable),
            ("discoverable in 24 hours, of all", &reach.discoverable_of_listed),
            ("responsive, of those probed", &reach.responsive),
            ("responsive, of all", &reach.responsive_of_listed),
            ("attached by a line, of all", &reach.attached),
            ("online, of all", &reach.online),
        ],
    );
    out.push('\n');
}

fn probes(out: &mut String, edition: &Edition) {
    let figures = &edition.figures;
    out.push_str("## What probes found\n\nThe last verdict, of agents with a URL:\n\n");
    rows(out, "verdict", &figures.probes.verdicts);
    out.push_str(
        "\nHow long answers take:\n\n| time | answers | p50 | p90 | p99 | note |\n|---|---|---|---|---|---|\n",
    );
    for (what, times) in [
        ("fetching a card", &figures.probes.card_fetches),
        ("answering a probe", &figures.probes.calls),
        ("a call through the relay", &figures.calls.latency),
    ] {
        let Latency { sample, p50_ms, p90_ms, p99_ms, reason } = times;
        let _ = writeln!(
            out,
            "| {what} | {} | {} | {} | {} | {} |",
            grouped(*sample),
            milliseconds(*p50_ms),
            milliseconds(*p90_ms),
            milliseconds(*p99_ms),
            reason.as_deref().unwrap_or_default(),
        );
    }
    out.push('\n');
}

fn classes(out: &mut String, edition: &Edition) {
    let figures = &edition.figures.service_classes;
    out.push_str("## Service classes\n\n");
    table(
        out,
        "agents",
        &[("declared", &figures.declared), ("inferred", &figures.inferred), ("unknown", &figures.unknown)],
    );
    out.push_str(
        "\n| class | from | agents | probed | responsive | share | 95 % interval |\n|---|---|---|---|---|---|---|\n",
    );
    for class in &figures.classes {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} | {} | {} |",
            escaped(&class.class),
            class.origin,
            count(&class.agents),
            grouped(class.responsive.of),
            count(&class.responsive),
            percent(class.responsive.share),
            interval(&class.responsive),
        );
    }
    out.push('\n');
}

fn protocol(out: &mut String, edition: &Edition) {
    let figures = &edition.figures.protocol;
    out.push_str("## How agents speak\n\n");
    table(
        out,
        "agents",
        &[
            ("with an interface in the card", &figures.with_interface),
            ("that declare streaming", &figures.streaming),
            ("that declare push notifications", &figures.push_notifications),
        ],
    );
    out.push_str("\nVersions of A2A that interfaces declare:\n\n");
    rows(out, "version", &figures.versions);
    out.push_str("\nBindings that they declare:\n\n");
    rows(out, "binding", &figures.bindings);
}

fn quality(out: &mut String, edition: &Edition) {
    let figures = &edition.figures.quality;
    out.push_str("\n## Quality and tiers\n\n");
    table(out, "agents", &[("whose entry passes the quality bar", &figures.passed)]);
    out.push_str("\nWhat is missing, most frequent first:\n\n");
    rows(out, "missing", &figures.missing);
    out.push_str("\nTiers:\n\n");
    rows(out, "tier", &figures.tiers);
    out.push('\n');
}

fn contents(out: &mut String, edition: &Edition) {
    let figures = &edition.figures.contents;
    let skills = &figures.skills;
    let number = |value: Option<u64>| value.map_or_else(|| "–".into(), grouped);
    let _ = write!(
        out,
        "## What agents offer\n\nSkills per agent: {} at the median, {} at the 90th percentile, {} at most ({} agents). \
         Different tags: {}.\n\nCategories:\n\n",
        number(skills.p50),
        number(skills.p90),
        number(skills.most),
        grouped(skills.sample),
        grouped(figures.distinct_tags),
    );
    rows(out, "category", &figures.categories);
    out.push_str("\nThe most frequent tags:\n\n");
    rows(out, "tag", &figures.tags);
    out.push('\n');
}

fn traffic(out: &mut String, edition: &Edition) {
    let (calls, submissions) = (&edition.figures.calls, &edition.figures.submissions);
    let _ = write!(
        out,
        "## Calls through the relay\n\nFrom {} to {}: {} calls to {} agents.\n\n",
        minute(&calls.from),
        minute(&calls.until),
        grouped(calls.total),
        grouped(calls.callees),
    );
    table(out, "calls", &[("answered", &calls.answered)]);
    out.push_str("\nStatuses of the newest of them:\n\n");
    rows(out, "status", &calls.statuses);
    out.push_str("\nTheir routes:\n\n");
    rows(out, "route", &calls.routes);
    let _ = write!(out, "\n## Submitted URLs\n\n{} are known.\n\n", grouped(submissions.total));
    rows(out, "status", &submissions.statuses);
}

fn words(out: &mut String, edition: &Edition) {
    out.push_str("\n## Definitions\n\n");
    for definition in &edition.definitions {
        let _ = writeln!(out, "- **{}**: {}", escaped(&definition.term), escaped(&definition.text));
    }
    out.push_str("\n## Method\n");
    for paragraph in &edition.method {
        // What is in backticks stays so.
        let _ = write!(out, "\n{paragraph}\n");
    }
}
