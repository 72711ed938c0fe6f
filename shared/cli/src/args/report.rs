//! The arguments of `landline report`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::ServerArgs;
use crate::config::table;

pub(super) const REPORT: &str = "\
The database is read, in one transaction that sees one state of it, also while a server runs on
it; nothing is asked of any agent. What is counted, and what each word means, is part of each
edition and explained in docs/STATE_REPORT.md.

An edition has its files: YYYY-MM.json, YYYY-MM.md and plots, YYYY-MM-….svg. It is compared with
the last one before it, of the same folder or of those that were published.

With --publish a running server shows it at /state-of-a2a/YYYY-MM, at once. A revision that was
published is never changed; --force publishes another one, with the next number.

Examples:
  landline report                                   files in ./state-of-a2a
  landline report --publish                         on the site, without files
  landline report --edition 2026-10 --out /srv/reports --format json,md";

/// `landline report`
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The month that the edition is of: this one or the one before; by default this one (UTC).
    #[arg(long, value_name = "YYYY-MM")]
    pub edition: Option<String>,
    /// Folder of the files, made if missing; by default ./state-of-a2a, or none with --publish.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Which files are written.
    #[arg(long, value_delimiter = ',', default_value = "json,md,svg")]
    pub format: Vec<ReportFormat>,
    /// Store the edition in the database, so that the server shows it.
    #[arg(long)]
    pub publish: bool,
    /// Make another revision of an edition that is there.
    #[arg(long)]
    pub force: bool,
    /// Where the data is.
    #[command(flatten)]
    pub settings: ServerArgs<{ table::TOOL }>,
}

/// A kind of file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// The figures.
    Json,
    /// The report.
    Md,
    /// The plots.
    Svg,
}
