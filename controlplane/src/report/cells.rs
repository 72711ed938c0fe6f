//! Figures as text, and as tables of Markdown. Pure. A number and its unit are not parted by a line's end.

use std::fmt::Write;

use landline_api::report::{Row, Share};

use super::edition::Unit;

/// Characters of a value that an author chose; more are cut.
const VALUE_CHARS: usize = 60;

/// Shares with their names, line by line. Columns in which nothing would stand are left out.
pub(super) fn table(out: &mut String, what: &str, lines: &[(&str, &Share)]) {
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
pub(super) fn rows(out: &mut String, what: &str, rows: &[Row]) {
    if rows.iter().all(|row| row.share.of == 0) {
        out.push_str("None.\n");
        return;
    }
    let values: Vec<String> = rows.iter().map(|row| escaped(&cut(&row.value))).collect();
    let lines: Vec<(&str, &Share)> = values.iter().map(String::as_str).zip(rows.iter().map(|row| &row.share)).collect();
    table(out, what, &lines);
}

pub(super) fn count(share: &Share) -> String {
    share.count.map_or_else(|| "–".into(), grouped)
}

pub(super) fn interval(share: &Share) -> String {
    let ends = share.interval.map(|interval| (percent(Some(interval.low)), percent(Some(interval.high))));
    ends.map_or_else(String::new, |(low, high)| format!("{low} to {high}"))
}

pub(super) fn value(unit: Unit, value: Option<f64>) -> String {
    match unit {
        Unit::Count => value.map_or_else(|| "–".into(), |value| grouped(value as u64)),
        Unit::Share => percent(value),
        Unit::Milliseconds => milliseconds(value),
    }
}

/// A difference, with its sign.
pub(super) fn change(unit: Unit, by: f64) -> String {
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
pub(super) fn grouped(number: u64) -> String {
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
pub(super) fn escaped(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::super::measure::{share, unknown};
    use super::*;

    #[test]
    fn figures_are_written_as_people_read_them() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((percent(Some(0.7849)), percent(None)), ("78.5\u{a0}%".into(), "–".into()));
        assert_eq!(
            [0.41, 9.994, 10.4, 1_978.0].map(|ms| milliseconds(Some(ms))),
            ["0.41 ms", "9.99 ms", "10 ms", "1978 ms"].map(|text| text.replace(' ', "\u{a0}"))
        );
        assert_eq!(
            (change(Unit::Count, -1_200.0), change(Unit::Share, 0.05)),
            ("-1,200".into(), "+5.0\u{a0}points".into())
        );
        assert_eq!(
            (minute("2026-11-21T22:30:59.001Z").as_str(), minute("soon").as_str()),
            ("2026-11-21 22:30 UTC", "soon")
        );
    }

    #[test]
    fn a_table_has_no_column_in_which_nothing_would_stand() {
        let made = |lines: &[(&str, &Share)]| {
            let mut out = String::new();
            table(&mut out, "agents", lines);
            out.lines().map(|line| line.matches('|').count()).collect::<Vec<_>>()
        };
        let (large, small, open) = (share(1, 2_000), share(1, 2), unknown(2_000, "nobody asked"));
        assert_eq!(made(&[("a", &large)]), [5, 5, 5]);
        assert_eq!(made(&[("a", &large), ("b", &small)]), [6, 6, 6, 6]);
        assert_eq!(made(&[("a", &small), ("b", &open)]), [7, 7, 7, 7]);
    }

    #[test]
    fn values_of_others_are_cut_and_are_no_markup() {
        let mut out = String::new();
        let value = format!("*a*|[b](c)\n{}", "x".repeat(100));
        rows(&mut out, "tag", &[Row { value, share: share(1, 2_000) }]);
        let line = out.lines().last().unwrap_or_default();
        assert!(line.starts_with("| \\*a\\*\\|\\[b\\](c) x") && line.contains("x… | 1 |"), "{line}");
        let mut none = String::new();
        rows(&mut none, "tag", &[Row { value: "a".into(), share: share(0, 0) }]);
        assert_eq!(none, "None.\n");
    }
}
