//! An edition as Markdown. Pure: the same edition has the same text.

use std::fmt::Write;

use landline_api::report::{Edition, Latency, Row, Share};

use super::Month;
use super::edition::{Unit, headlines};
use super::files::{json_name, plot_name};
use super::plot::Plot;

/// Characters of a value that an author chose; more are cut.
const VALUE_CHARS: usize = 60;

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

/// Shares with their names, line by line. Columns in which nothing would stand are left out.
fn table(out: &mut String, what: &str, lines: &[(&str, &Share)]) {
    let has_intervals = lines.iter().any(|(_, share)| share.interval.is_some());
    let has_notes = lines.iter().any(|(_, share)| share.reason.is_some());
    let mut columns = vec![what, "count", "of", "share"];
    columns.extend(has_intervals.then_some("95 % interval"));
    columns.extend(has_notes.then_some("note"));
    let _ = writeln!(out, "| {} |\n|{}", columns.join(" | "), "---|".repeat(columns.len()));
    for (name, share) in lines {
        let mut cells = vec![(*name).to_owned(), count(share), grouped(share.of), percent(share.share)];
        cells.extend(has_intervals.then(|| interval(share)));
        cells.extend(has_notes.then(|| share.reason.clone().unwrap_or_default()));
        let _ = writeln!(out, "| {} |", cells.join(" | "));
    }
}

/// Values that cards chose, line by line.
fn rows(out: &mut String, what: &str, rows: &[Row]) {
    if rows.iter().all(|row| row.share.of == 0) {
        out.push_str("None.\n");
        return;
    }
    let values: Vec<String> = rows.iter().map(|row| escaped(&cut(&row.value))).collect();
    let lines: Vec<(&str, &Share)> = values.iter().map(String::as_str).zip(rows.iter().map(|row| &row.share)).collect();
    table(out, what, &lines);
}

fn count(share: &Share) -> String {
    share.count.map_or_else(|| "–".into(), grouped)
}

fn interval(share: &Share) -> String {
    let ends = share.interval.map(|interval| (percent(Some(interval.low)), percent(Some(interval.high))));
    ends.map_or_else(String::new, |(low, high)| format!("{low} to {high}"))
}

fn value(unit: Unit, value: Option<f64>) -> String {
    match unit {
        Unit::Count => value.map_or_else(|| "–".into(), |value| grouped(value as u64)),
        Unit::Share => percent(value),
        Unit::Milliseconds => milliseconds(value),
    }
}

/// A difference, with its sign.
fn change(unit: Unit, by: f64) -> String {
    match unit {
        Unit::Count => format!("{}{}", if by < 0.0 { "-" } else { "+" }, grouped(by.abs() as u64)),
        Unit::Share => format!("{:+.1}\u{a0}points", by * 100.0),
        Unit::Milliseconds => format!("{by:+.1}\u{a0}ms"),
    }
}

/// A share in percent, or a dash.
pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".into(), |share| format!("{:.1}\u{a0}%", share * 100.0))
}

/// A time with its unit, or a dash: as precise as it was measured.
pub(super) fn milliseconds(value: Option<f64>) -> String {
    value.map_or_else(
        || "–".into(),
        |ms| if ms < 10.0 { format!("{ms:.2}\u{a0}ms") } else { format!("{ms:.0}\u{a0}ms") },
    )
}

/// A time of an edition for people, to the minute: `2026-11-21 22:30 UTC`.
pub(crate) fn minute(rfc3339: &str) -> String {
    rfc3339.get(..16).map_or_else(|| rfc3339.to_owned(), |minute| format!("{} UTC", minute.replace('T', " ")))
}

/// A number whose thousands are set apart.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// The beginning of a value that an author chose.
fn cut(text: &str) -> String {
    if text.chars().count() <= VALUE_CHARS {
        return text.to_owned();
    }
    text.chars().take(VALUE_CHARS - 1).chain(['…']).collect()
}

/// Text as text: nothing in it is markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_control() => out.push(' '),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '<' | '>' | '|' | '#' | '~' | '&' | '!' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}
