//! The files of an edition: its figures as JSON, the report as Markdown, and the plots. Pure.

use landline_api::report::Edition;

use super::{Month, markdown, plot, svg};

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// The figures.
    Json,
    /// The report.
    Markdown,
    /// A plot.
    Svg,
}

/// A file of an edition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Such as `2026-11.json` or `2026-11-reach.svg`.
    pub name: String,
    /// What it is.
    pub format: Format,
    /// Its text.
    pub content: String,
}

/// The name of the file that holds a month's figures.
pub fn json_name(month: Month) -> String {
    format!("{month}.json")
}

/// The name of a month's report.
pub fn markdown_name(month: Month) -> String {
    format!("{month}.md")
}

/// The files of an edition: figures, report, plots. The same edition has the same files.
pub fn files(month: Month, edition: &Edition) -> Vec<File> {
    let plots = plot::plots(edition);
    // An edition has no part that JSON could not write.
    let json = serde_json::to_string_pretty(edition).unwrap_or_default() + "\n";
    let report = markdown::report(month, edition, &plots);
    let mut files = vec![
        File { name: json_name(month), format: Format::Json, content: json },
        File { name: markdown_name(month), format: Format::Markdown, content: report },
    ];
    files.extend(plots.iter().map(|plot| File {
        name: plot_name(month, plot.name),
        format: Format::Svg,
        content: svg::draw(&plot.chart),
    }));
    files
}

/// The name of a plot's file.
pub(super) fn plot_name(month: Month, plot: &str) -> String {
    format!("{month}-{plot}.svg")
}
